//! What the cluster manager makes of power events that it sees in vCenter, its own or others'.
//! A cluster's status does not follow them; its nodes' do.

use std::time::Duration;

use howdah_core::ids::VmRef;
use howdah_core::systems::vcenter::Power;

use crate::world::World;
use crate::world::bde::{BdeNode, NodeStatus};
use crate::world::state::State;

impl World {
    /// Waits for the addresses of a VM that was powered on, as the manager does: every ten
    /// seconds, up to its limit, as long as the VM is on.
    pub(crate) fn watch_for_manager(&self, vm: &VmRef) {
        if self.read(|s| s.vm(vm).is_none_or(|v| v.cluster.is_none())) {
            return;
        }
        let (world, vm) = (self.clone(), vm.clone());
        self.spawn(async move {
            world.wait_for_addresses(&vm).await;
        });
    }

    /// True once the manager has seen an address on each of a VM's networks; false when it has
    /// given up, or the VM is off.
    pub(crate) async fn wait_for_addresses(&self, vm: &VmRef) -> bool {
        let (poll, limit) = self.read(|s| (s.settings.timings.address_poll, s.settings.timings.address_wait));
        let mut waited = 0.0;
        while waited <= limit {
            if self.read(|s| s.vm(vm).is_none_or(|v| v.power != Power::On)) {
                return false;
            }
            if self.write(|s| s.manager_sees_addresses(vm)) {
                return true;
            }
            self.sleep(Duration::from_secs_f64(poll)).await;
            waited += poll;
        }
        false
    }
}

impl State {
    fn node_of(&mut self, vm: &VmRef) -> Option<&mut BdeNode> {
        let found = self.vc.vms.get(vm)?;
        let cluster = self.bde.clusters.get_mut(found.cluster.as_ref()?)?;
        cluster.nodes_mut().find(|n| n.vm.as_ref() == Some(vm))
    }

    /// A VM was switched on or off.
    pub(crate) fn manager_sees_power(&mut self, vm: &VmRef, power: Power) {
        let Some(node) = self.node_of(vm) else {
            return;
        };
        node.addresses.clear();
        if power == Power::On {
            node.status = NodeStatus::PoweredOn;
            node.action = Some("Waiting for ip".to_owned());
        } else {
            node.status = NodeStatus::PoweredOff;
            node.action = None;
        }
    }

    /// A VM is about to be gone.
    pub(crate) fn manager_sees_removal(&mut self, vm: &VmRef) {
        if let Some(node) = self.node_of(vm) {
            node.status = NodeStatus::NotExist;
            node.vm = None;
            node.host = None;
            node.addresses.clear();
        }
    }

    /// Takes over what the tools report; true if every network has an IPv4 address.
    pub(crate) fn manager_sees_addresses(&mut self, vm: &VmRef) -> bool {
        let Some(found) = self.vc.vms.get(vm) else {
            return false;
        };
        let networks = found.cluster.as_ref().and_then(|c| self.bde.clusters.get(c)).map(|c| c.networks());
        let mut seen = std::collections::BTreeMap::new();
        for name in networks.into_iter().flatten() {
            let Some(network) = self.bde.networks.get(&name) else { continue };
            let on_it =
                |n: &&crate::world::vcenter::inventory::Nic| self.vc.network_name(&n.backing) == network.port_group;
            let address = found.nics.iter().find(on_it).and_then(|n| n.reported.iter().find(|a| a.is_ipv4()));
            match address {
                Some(address) => seen.insert(name, *address),
                None => return false,
            };
        }
        let Some(node) = self.node_of(vm) else {
            return false;
        };
        if node.status == NodeStatus::PoweredOn {
            node.status = NodeStatus::VmReady;
            node.action = None;
        }
        node.addresses = seen;
        true
    }
}
