//! The facts that the controller has seen since its start.
//!
//! Invariant: nothing here is stored, and all of it can be dropped at any moment; it is then queried
//! again. Each fact has the moment of its query, see [`crate::fresh`].

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::fresh::{Known, Listing};
use crate::ids::{NodeName, PortId, SegmentKey, VmRef};
use crate::known::Nodes;
use crate::systems::manager::{ManagedCluster, ManagedTask};
use crate::systems::networking::{NetworkingFeatures, Port};
use crate::systems::vcenter::{NicFacts, VmFacts, Vms, WatchEvent};
use crate::time::Stamp;
use crate::wanted::Goal;

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The cluster in the cluster manager; an inner `None` if a look did not find it.
    pub cluster: Known<Option<ManagedCluster>>,
    /// Our newest task.
    pub task: Known<Option<ManagedTask>>,
    /// The newest task of each cluster in the manager, including those of others.
    pub tasks: Known<Vec<ManagedTask>>,
    /// The VMs in the cluster's folder, from the watch: ours and foreign ones.
    pub vms: Vms,
    /// Whether `vms` is the complete state of the watch.
    pub vms_synced: bool,
    /// VMs that were queried one by one: a verdict needs them, because a watch may be late.
    pub checked: Known<Vms>,
    /// The relevant ports on the network: with our mark, our IDs, or one of our MACs.
    pub ports: Listing<PortId, Port>,
    /// The features of this Neutron.
    pub features: Option<NetworkingFeatures>,
    /// When the cluster manager's current status was first seen.
    pub status_since: Stamp,
}

impl Seen {
    /// Applies an update of the watch.
    pub fn apply(&mut self, event: WatchEvent) {
        match event {
            WatchEvent::Vm(vm) => {
                self.vms.insert(vm.vm.clone(), Arc::new(vm));
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

    /// Whether every relevant system has answered since the start: until then, no deadline ends an
    /// operation.
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

/// The VMs of nodes, by the node's name.
pub type VmsByNode<'a> = BTreeMap<NodeName, &'a VmFacts>;

/// Maps nodes to VMs: by the reference that the manager reports, else by the recorded one, else by name.
/// So a VM that is renamed in vCenter stays with its node. No VM belongs to two nodes.
pub fn vms_by_node<'a>(vms: &'a Vms, nodes: &Nodes, cluster: Option<&ManagedCluster>) -> VmsByNode<'a> {
    let managed = cluster.into_iter().flat_map(|c| &c.nodes).map(|n| (&n.name, n.vm.as_ref()));
    let recorded = nodes.iter().map(|(name, node)| (name, node.vm.as_ref()));
    let by_reference = managed.chain(recorded).filter_map(|(name, vm)| Some((name, vms.get(vm?)?.as_ref())));
    let by_name = vms.values().filter_map(|vm| Some((vm.name.as_ref()?, vm.as_ref())));
    let mut found = BTreeMap::new();
    let mut taken: HashSet<&VmRef> = HashSet::new();
    for (name, vm) in by_reference.chain(by_name) {
        if let Entry::Vacant(free) = found.entry(name.clone())
            && taken.insert(&vm.vm)
        {
            free.insert(vm);
        }
    }
    found
}

/// The card of a VM on this segment. Invariant of a node: one card per network.
pub fn nic_on<'a>(vm: &'a VmFacts, segment: &SegmentKey) -> Option<&'a NicFacts> {
    vm.nics.iter().find(|nic| nic.segment.as_ref() == Some(segment))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::known::NodeState;
    use crate::systems::manager::ManagedStatus;
    use crate::test_support::{managed, record, vm_of_node};

    /// Node 0 of the cluster, by what the manager names, what is recorded and how three VMs are called.
    #[test]
    fn a_nodes_vm_goes_by_reference_before_name() {
        let found = |manager: Option<&str>, recorded: Option<&str>, names: [&str; 3]| {
            let vms = (0..).zip(names).map(|(n, name)| VmFacts { name: Some(name.into()), ..vm_of_node(n) });
            let vms: Vms = vms.map(|vm| (vm.vm.clone(), Arc::new(vm))).collect();
            let name = NodeName::new("c-worker-0");
            let node = NodeState { vm: recorded.map(VmRef::new), ..NodeState::planned(&record(), &name) };
            let mut cluster = managed(ManagedStatus::Running);
            cluster.nodes[0].vm = manager.map(VmRef::new);
            let by_node = vms_by_node(&vms, &[(name.clone(), Arc::new(node))].into(), Some(&cluster));
            let taken: BTreeSet<_> = by_node.values().map(|vm| &vm.vm).collect();
            assert_eq!(taken.len(), by_node.len(), "one VM is that of two nodes");
            by_node.get(&name).map(|vm| vm.vm.to_string())
        };
        let (named, renamed) = (["c-worker-0", "b", "d"], ["a", "c-worker-0", "d"]);
        assert_eq!(found(None, None, named).as_deref(), Some("vm-1"), "by its name");
        assert_eq!(found(None, Some("vm-1"), renamed).as_deref(), Some("vm-1"), "as recorded");
        assert_eq!(found(Some("vm-3"), Some("vm-1"), renamed).as_deref(), Some("vm-3"), "as the manager says");
        assert_eq!(found(Some("vm-8"), Some("vm-9"), renamed).as_deref(), Some("vm-2"), "both are gone");
        assert_eq!(found(None, None, ["a", "b", "d"]), None);
    }
}
