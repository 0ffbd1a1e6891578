//! What the controller has seen since it started: its memory of the outside world.
//!
//! Invariant: nothing here is stored, and all of it can be thrown away at any moment; then it is
//! looked up again. Each fact knows when it was asked for, see [`crate::fresh`].

use std::collections::BTreeMap;

use crate::fresh::{Known, Listing};
use crate::ids::{NodeName, PortId, SegmentKey};
use crate::systems::manager::{ManagedCluster, ManagedTask};
use crate::systems::networking::{NetworkingFeatures, Port};
use crate::systems::vcenter::{NicFacts, VmFacts, Vms, WatchEvent};
use crate::time::Stamp;
use crate::wanted::Goal;

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The cluster in the cluster manager; an inner `None` if it was looked for and is not there.
    pub cluster: Known<Option<ManagedCluster>>,
    /// Our newest task.
    pub task: Known<Option<ManagedTask>>,
    /// The newest task of each cluster in the manager, whoever asked for it.
    pub tasks: Known<Vec<ManagedTask>>,
    /// The VMs in the cluster's folder, as the watch tells them: ours or not.
    pub vms: Vms,
    /// Whether `vms` is the whole state, as of the watch.
    pub vms_synced: bool,
    /// VMs as they were asked for one by one: what a verdict rests on, because a watch may be late.
    pub checked: Known<BTreeMap<crate::ids::VmRef, VmFacts>>,
    /// The ports on the network that are of interest: with our mark, our ids, or one of our MACs.
    pub ports: Listing<PortId, Port>,
    /// What this Neutron can do.
    pub features: Option<NetworkingFeatures>,
    /// When the cluster manager's present status was seen first.
    pub status_since: Stamp,
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

    /// Whether every system was heard since the start on which this rests: without that nothing ends
    /// for want of time.
    pub fn is_complete(&self, goal: Goal) -> bool {
        let ports = || self.ports.whole_after(Stamp::START).is_some();
        self.cluster.last().is_some()
            && match goal {
                Goal::Running => self.vms_synced && ports(),
                Goal::Stopped => true,
                Goal::Deleted => ports(),
            }
    }
}

/// The VM of a node.
pub fn vm_of<'a>(vms: &'a Vms, node: &NodeName) -> Option<&'a VmFacts> {
    vms.values().find(|vm| vm.name.as_ref() == Some(node))
}

/// The card of a VM that is plugged into this segment. Invariant of a node: one card a network.
pub fn nic_on<'a>(vm: &'a VmFacts, segment: &SegmentKey) -> Option<&'a NicFacts> {
    vm.nics.iter().find(|nic| nic.segment.as_ref() == Some(segment))
}
