//! Where the cluster manager puts a node, what it plugs it into, and what it tells its guest.

use howdah_core::ids::VmRef;

use crate::world::bde::BdeCluster;
use crate::world::state::State;
use crate::world::vcenter::inventory::{Backing, FIRST_NIC};
use crate::world::vcenter::vm_ops::{CloneSpec, NicChange, NicOperation, Reconfigure};

impl State {
    /// What a node is cloned from, and how; `place` spreads the nodes over the hosts.
    pub(crate) fn clone_spec(
        &self,
        cluster: &str,
        group: &str,
        node: &str,
        place: usize,
    ) -> Option<(VmRef, CloneSpec)> {
        let found = self.bde.clusters.get(cluster)?;
        let template = self.bde.template.clone()?;
        let above = found.folder.clone()?;
        let incarnation = self.bde.node(cluster, node)?.incarnation;
        let pool = found.rp_names.first().and_then(|name| {
            let registered = self.bde.pools.get(name)?;
            self.vc.pools.iter().find(|(_, p)| p.name == registered.vc_pool).map(|(key, _)| key.clone())
        });
        let hosts: Vec<_> = self.vc.hosts.keys().collect();
        let host = hosts.get(place % hosts.len().max(1)).map(|h| (*h).clone());
        let spec = CloneSpec {
            name: node.to_owned(),
            folder: self.vc.child_folder(&above, group).cloned().unwrap_or(above),
            pool,
            host,
            change: Reconfigure::default(),
            power_on: false,
            cluster: Some(cluster.to_owned()),
            // Another cluster of this name has other VMs: with other instance UUIDs, for one.
            subject: match found.ordinal {
                1 => format!("{node}/{incarnation}"),
                n => format!("{node}/{incarnation}/{n}"),
            },
        };
        Some((template, spec))
    }

    pub(crate) fn nic_changes(&self, cluster: &str) -> Result<Vec<NicChange>, String> {
        let networks = self.bde.clusters.get(cluster).map(BdeCluster::networks).unwrap_or_default();
        let mut changes = Vec::new();
        for (index, name) in networks.iter().enumerate() {
            let group = self.bde.networks.get(name).map(|n| n.port_group.clone()).unwrap_or_default();
            let (key, _) = self.vc.port_group_named(&group).ok_or(group.clone())?;
            let backing = Backing::PortGroup { key: key.clone(), port_key: index.to_string() };
            let operation = if index == 0 { NicOperation::Edit } else { NicOperation::Add };
            changes.push(NicChange { operation, backing: Some(backing), ..NicChange::edit(FIRST_NIC) });
        }
        Ok(changes)
    }

    /// `<root>/<cluster>/<group>`, in the template's datacenter.
    pub(crate) fn make_cluster_folder(&mut self, name: &str) {
        let Some(root) = self.vc.datacenters.first_key_value().map(|(_, d)| d.vm_folder.clone()) else {
            return;
        };
        let appliance = self.bde.root_folder.clone();
        let root = self.vc.ensure_folder(&root, &appliance);
        let folder = self.vc.ensure_folder(&root, name);
        if let Some(cluster) = self.bde.clusters.get_mut(name) {
            for group in &cluster.groups {
                self.vc.ensure_folder(&folder, &group.request.name);
            }
            cluster.folder = Some(folder);
        }
    }

    /// What the guest is told about its cards.
    pub(super) fn machine_id(&self, cluster: &str) -> String {
        let networks = self.bde.clusters.get(cluster).map(BdeCluster::networks).unwrap_or_default();
        let nics: Vec<_> = networks
            .iter()
            .filter_map(|n| self.bde.networks.get(n))
            .map(|n| serde_json::json!({ "portgroup": n.port_group, "bootproto": "dhcp", "dnsType": n.dns_type.as_str() }))
            .collect();
        let first = nics.first().cloned().unwrap_or_default();
        let nics = serde_json::Value::from(nics).to_string();
        serde_json::json!({ "nics": nics, "bootproto": "dhcp", "portgroup": first["portgroup"] }).to_string()
    }

    pub(super) fn note_clone(&mut self, vm: &VmRef, asked: jiff::Timestamp) {
        let Some((name, cluster, mac)) =
            self.vm(vm).map(|v| (v.name.clone(), v.cluster.clone().unwrap_or_default(), v.nics.first().map(|n| n.mac)))
        else {
            return;
        };
        let times = self.journal.of(vm);
        times.name = name;
        times.cluster = cluster;
        times.mac = mac;
        times.clone_requested = Some(asked);
    }
}
