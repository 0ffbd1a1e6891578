//! The port groups that back Neutron's networks in vCenter, named as each backend names them.

use std::collections::BTreeSet;

use crate::world::World;
use crate::world::neutron::NeutronPort;
use crate::world::settings::{NetworkBackend, NsxT};
use crate::world::state::State;
use crate::world::vcenter::inventory::{OpaqueNetwork, PortGroup, Switch};

/// A host of which no mechanism driver of ML2 knows.
pub const UNKNOWN_HOST: &str = "no-such-host";

/// The name of a network's switch in NSX-T, cut to 80 characters (vmware-nsx, `common/utils.py`,
/// `get_name_and_uuid`).
fn nsx_t_name(name: &str, id: &str) -> String {
    let name = if name.is_empty() { "network" } else { name };
    let kept: String = name.chars().take(80 - 14).collect();
    format!("{kept}_{}...{}", &id[..5], &id[id.len() - 5..])
}

impl World {
    /// A port group of this name, backing a network if one is given; its key.
    pub fn add_port_group(&self, name: &str, network: Option<&str>) -> String {
        self.write(|s| s.new_port_group(name, network, "standard", None))
    }

    /// Makes the port groups of a network of a Neutron that is not the world's own, named as the
    /// backend names them; the name of the first.
    pub fn back_foreign_network(&self, id: &str) -> Option<String> {
        self.write(|s| {
            let before: BTreeSet<_> = s.vc.port_groups.keys().cloned().collect();
            let wire = 5000 + u32::try_from(before.len()).unwrap_or_default();
            s.back(id, "", wire);
            s.vc.port_groups.iter().find(|(k, _)| !before.contains(*k)).map(|(_, p)| p.name.clone())
        })
    }
}

impl State {
    /// Makes the port groups that the backend makes for a network.
    pub(crate) fn back_network(&mut self, id: &str) {
        if let Some(network) = self.neutron.networks.get(id) {
            let (name, segmentation) = (network.name.clone(), network.segmentation);
            self.back(id, &name, segmentation);
        }
    }

    fn back(&mut self, id: &str, name: &str, segmentation: u32) {
        match self.settings.backend {
            NetworkBackend::NsxV => {
                // One on every switch of the transport zone, which is the first datacenter.
                let datacenter = self.vc.datacenters.keys().next();
                let in_zone = |s: &&Switch| Some(&s.datacenter) == datacenter;
                let switches = self.vc.switches.values().filter(in_zone).count();
                for n in 0..switches {
                    let Some(switch) = self.vc.switches.keys().nth(n) else { continue };
                    let wire = segmentation % 1000;
                    let name = format!("vxw-{switch}-virtualwire-{wire}-sid-{segmentation}-{id}");
                    self.port_group_on(n, &name, Some(id), "standard", None);
                }
            }
            NetworkBackend::NsxT => {
                let name = nsx_t_name(name, id);
                let segment = match self.settings.nsx_t {
                    NsxT::Policy => format!("/infra/segments/{id}"),
                    // A switch that the manager's API made has its own ID in the path too.
                    NsxT::Manager => format!("/infra/segments/{}", self.logical_switch(id).unwrap_or_default()),
                    NsxT::Opaque => return self.add_opaque_network(&name, id),
                };
                for n in 0..self.vc.switches.len() {
                    self.port_group_on(n, &name, Some(id), "nsx", Some(segment.clone()));
                }
            }
            NetworkBackend::Ml2 => {
                self.new_port_group(id, Some(id), "standard", None);
            }
        }
    }

    /// The ID that NSX-T gave a network's switch: its own, whatever Neutron calls the network.
    pub(crate) fn logical_switch(&self, network: &str) -> Option<String> {
        let nsx_t = self.settings.backend == NetworkBackend::NsxT;
        nsx_t.then(|| self.dice.uuid("logical-switch", network).to_string())
    }

    /// What Neutron shows of it in a port's `binding:vif_details`: `nsx_p` not in that of DHCP, neither in one
    /// without an owner.
    pub(crate) fn shown_switch(&self, network: &str, device_owner: &str) -> Option<String> {
        let hidden = self.settings.nsx_t == NsxT::Policy && device_owner.starts_with("network:");
        self.logical_switch(network).filter(|_| !hidden && !device_owner.is_empty())
    }

    /// `binding:vif_type`: the NSX plugins bind without a host (vmware-nsx, `nsx_v/plugin.py`, `nsx_v3`: `dvs`, `ovs`),
    /// ML2's drivers need one.
    pub(crate) fn vif_type(&self, port: &NeutronPort) -> &'static str {
        match self.settings.backend {
            NetworkBackend::NsxV => "dvs",
            NetworkBackend::NsxT => "ovs",
            NetworkBackend::Ml2 if port.host.is_empty() => "unbound",
            NetworkBackend::Ml2 if port.host == UNKNOWN_HOST => "binding_failed",
            NetworkBackend::Ml2 => "dvs",
        }
    }

    fn add_opaque_network(&mut self, name: &str, network: &str) {
        let key = self.vc.new_ref("network");
        let Some(parent) = self.vc.datacenters.values().next().map(|d| d.network_folder.clone()) else {
            return;
        };
        let opaque_id = self.logical_switch(network).unwrap_or_default();
        if let Some(folder) = self.vc.folders.get_mut(&parent) {
            folder.children.insert(key.clone());
        }
        let made = OpaqueNetwork { name: name.to_owned(), parent, opaque_id, network: Some(network.to_owned()) };
        self.vc.opaque.insert(key, made);
    }

    pub(super) fn unback_network(&mut self, id: &str) {
        let gone: Vec<_> = self
            .vc
            .port_groups
            .iter()
            .filter(|(_, p)| p.network.as_deref() == Some(id))
            .map(|(k, _)| k.clone())
            .collect();
        for key in gone {
            if let Some(group) = self.vc.port_groups.remove(&key)
                && let Some(folder) = self.vc.folders.get_mut(&group.parent)
            {
                folder.children.remove(&key);
            }
        }
    }

    /// A port group on the first switch.
    pub(crate) fn new_port_group(
        &mut self,
        name: &str,
        network: Option<&str>,
        backing_type: &'static str,
        segment_id: Option<String>,
    ) -> String {
        self.port_group_on(0, name, network, backing_type, segment_id)
    }

    fn port_group_on(
        &mut self,
        switch: usize,
        name: &str,
        network: Option<&str>,
        backing_type: &'static str,
        segment_id: Option<String>,
    ) -> String {
        let Some((key, switch)) = self.vc.switches.iter().nth(switch) else {
            return String::new();
        };
        let (key, parent) = (key.clone(), switch.parent.clone());
        let logical_switch = network.filter(|_| segment_id.is_some()).and_then(|n| self.logical_switch(n));
        self.vc.add_port_group(PortGroup {
            name: name.to_owned(),
            switch: key,
            parent,
            backing_type,
            segment_id,
            logical_switch,
            network: network.map(str::to_owned),
            vlan: None,
        })
    }
}
