//! What the controller has seen since it started: its memory of the outside world.
//!
//! Invariant: nothing here is stored, and all of it can be thrown away at any moment; then it is
//! looked up again. `None` always means "not looked yet", never "not there".

use jiff::Timestamp;

use crate::cluster::ClusterRecord;
use crate::facts::{ManagedCluster, ManagedTask, NetworkingFeatures, NicFacts, Port, VmFacts, Vms, WatchEvent};
use crate::ids::{Mac, NodeName, SegmentKey};
use crate::mark;

/// What was seen last.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The cluster in the cluster manager; `Some(None)` if it was looked for and is not there.
    pub manager: Option<Option<ManagedCluster>>,
    /// When that was.
    pub manager_at: Option<Timestamp>,
    /// The manager's newest task for the cluster.
    pub task: Option<ManagedTask>,
    /// The cluster's VMs.
    pub vms: Vms,
    /// Whether `vms` is the whole present state.
    pub vms_synced: bool,
    /// The ports on the network that are of interest: ours, and those with one of our MACs.
    pub ports: Option<Vec<Port>>,
    /// When those were looked up.
    pub ports_at: Option<Timestamp>,
    /// What this Neutron can do.
    pub features: Option<NetworkingFeatures>,
}

impl Seen {
    /// Takes in what the watch says.
    pub fn apply(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Vm(vm) => {
                self.vms.insert(vm.vm.clone(), vm);
            }
            WatchEvent::Gone(vm) => {
                self.vms.remove(&vm);
            }
            WatchEvent::Reset => {
                self.vms.clear();
                self.vms_synced = false;
            }
            WatchEvent::Synced => self.vms_synced = true,
        }
    }

    /// Forgets what the cluster manager said, because it was just told to change it.
    pub fn forget_manager(&mut self) {
        self.manager = None;
        self.task = None;
    }

    /// Takes in ports, replacing those known by the same id.
    pub fn learn_ports(&mut self, new: Vec<Port>) {
        let known = self.ports.get_or_insert_default();
        known.retain(|old| !new.iter().any(|n| n.id == old.id));
        known.extend(new);
    }

    /// The port with this address on the wire.
    pub fn port_of(&self, mac: &Mac) -> Option<&Port> {
        self.ports.as_ref()?.iter().find(|p| p.mac == *mac)
    }

    /// The VM of a node.
    pub fn vm_of(&self, node: &NodeName) -> Option<&VmFacts> {
        self.vms.values().find(|vm| vm.name.as_ref() == Some(node))
    }
}

/// The card of a VM that is plugged into this segment. Invariant of a node: one card a network.
pub fn nic_on<'a>(vm: &'a VmFacts, segment: &SegmentKey) -> Option<&'a NicFacts> {
    vm.nics.iter().find(|nic| nic.segment.as_ref() == Some(segment))
}

/// Of all ports on a network, those that concern this cluster: marked as its own, or of the form
/// that the 2015 plugin left for one of its nodes.
pub fn of_interest(record: &ClusterRecord, vms: &Vms, ports: Vec<Port>) -> Vec<Port> {
    ports
        .into_iter()
        .filter(|port| {
            let ours = mark::Mark::parse(&port.description).is_some_and(|m| m.cluster == record.id);
            ours || vms.values().flat_map(|vm| &vm.nics).any(|nic| nic.mac == Some(port.mac))
        })
        .collect()
}
