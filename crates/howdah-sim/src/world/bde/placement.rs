//! Where the cluster manager puts a node, what it plugs it into, and what it tells its guest.

use howdah_core::ids::VmRef;

use crate::world::bde::BdeCluster;
use crate::world::bde::create::Plan;
use crate::world::state::State;
use crate::world::vcenter::inventory::{Backing, FIRST_NIC};
use crate::world::vcenter::vm_ops::{CloneSpec, NicChange, NicOperation, Reconfigure};

impl State {
    pub(super) fn clone_spec(&self, cluster: &str, plan: &Plan) -> Option<(VmRef, CloneSpec)> {
        let found = self.bde.clusters.get(cluster)?;
        let template = self.bde.template.clone()?;
        let above = found.folder.clone()?;
        let incarnation = self.bde.node(cluster, &plan.node)?.incarnation;
        let pool = found.rp_names.first().and_then(|name| {
            let registered = self.bde.pools.get(name)?;
            self.vc.pools.iter().find(|(_, p)| p.name == registered.vc_pool).map(|(key, _)| key.clone())
        });
        let hosts: Vec<_> = self.vc.hosts.keys().collect();
        let host = hosts.get(plan.place % hosts.len().max(1)).map(|h| (*h).clone());
        let spec = CloneSpec {
            name: plan.node.clone(),
            folder: self.vc.child_folder(&above, &plan.group).cloned().unwrap_or(above),
            pool,
            host,
            change: Reconfigure::default(),
            power_on: false,
            cluster: Some(cluster.to_owned()),
            subject: format!("{}/{incarnation}", plan.node),
        };
        Some((template, spec))
    }

    pub(super) fn nic_changes(&self, cluster: &str) -> Result<Vec<NicChange>, String> {
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
