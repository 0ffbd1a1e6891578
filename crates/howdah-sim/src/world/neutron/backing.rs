//! The port groups that back Neutron's networks in vCenter, named as each backend names them.

use std::collections::BTreeSet;

use crate::world::World;
use crate::world::settings::NetworkBackend;
use crate::world::state::State;
use crate::world::vcenter::inventory::{PortGroup, Switch};

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
                let name = if name.is_empty() { id } else { name };
                self.new_port_group(name, Some(id), "nsx", Some(format!("/infra/segments/{id}")));
            }
            NetworkBackend::Ml2 => {
                self.new_port_group(id, Some(id), "standard", None);
            }
        }
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
        let logical_switch = network.filter(|_| segment_id.is_some()).map(str::to_owned);
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
