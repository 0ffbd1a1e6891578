//! A provisioner for tests: port first. It proves that the shared part is independent of the provisioner.
//!
//! ```text
//!  plan (instance UUID, MAC) -> port -> clone, off -> attachment -> power on     per node
//! ```
//!
//! The place is the cluster's own folder.

use std::sync::Arc;

use uuid::Uuid;

use super::Provision;
use crate::action::Action;
use crate::attach::{self, Slot};
use crate::condition::{ConditionKind, ConditionStatus};
use crate::decide::{Draft, Outcome};
use crate::ids::{Mac, NodeName, SegmentKey};
use crate::intent::{Call, Subject, Verb};
use crate::known::{ClusterState, NodePlan, NodeState};
use crate::own::{Match, Ours, Owner, Vacant};
use crate::seen::{Seen, VmsByNode};
use crate::systems::manager::{ManagedCluster, ManagedStatus};
use crate::systems::vcenter::{Power, VmFacts};
use crate::wanted::ClusterRecord;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PortFirst;

/// The journal's key of a node's clone.
pub(crate) const fn clone_of(node: NodeName) -> Call {
    Call { verb: Verb::Clone, subject: Subject::Node(node) }
}

impl Provision for PortFirst {
    fn compare(&self, state: &ClusterState, _: &Seen, cluster: &ManagedCluster) -> Match {
        match state.identity.sent.as_ref().map(|sent| sent.difference(&cluster.likeness)) {
            Some(None) => Match::Likeness,
            Some(Some(difference)) => Match::Neither(difference),
            None => Match::Neither("another call created it".to_owned()),
        }
    }

    fn record(&self, _: &mut ClusterState, _: &Seen) {}

    fn about_to_send(&self, _: Verb, _: &ClusterRecord, _: &mut ClusterState) {}

    fn prepare(&self, record: &ClusterRecord, state: &mut ClusterState, uuid: &mut dyn FnMut() -> Uuid) {
        for group in &record.shape.node_groups {
            for index in 0..group.count {
                let name = NodeName::of(&record.name, &group.name, index);
                let planned = |name: &NodeName| Arc::new(NodeState::planned(record, name));
                let node = state.nodes.entry(name).or_insert_with_key(planned);
                Arc::make_mut(node).plan.get_or_insert_with(|| {
                    let instance = uuid();
                    let [.., a, b, c] = *instance.as_bytes();
                    NodePlan { instance, mac: Mac::new([0xfa, 0x16, 0x3e, a, b, c]) }
                });
            }
        }
    }

    fn is_being_made(&self, _: &ClusterRecord, state: &ClusterState, _: Option<&ManagedCluster>, vm: &VmFacts) -> bool {
        vm.instance_uuid.is_some_and(|uuid| state.nodes.values().any(|n| n.plan.is_some_and(|p| p.instance == uuid)))
    }

    fn slots<'a>(&self, owner: &Owner<'a>, vms: &VmsByNode<'a>, segment: &SegmentKey) -> Vec<Slot<'a>> {
        let mut slots = attach::slots_of_cards(owner, vms, segment);
        for (name, node) in &owner.state.nodes {
            if let Some(plan) = node.plan.filter(|_| !slots.iter().any(|s| s.node == *name)) {
                slots.push(Slot { node: name.clone(), device: plan.instance, mac: plan.mac, card: None });
            }
        }
        slots
    }

    /// It makes one call at a time for a VM.
    fn spares_vms(&self, _: &mut Draft<'_>) -> bool {
        true
    }

    fn found(&self, draft: &mut Draft<'_>, vacant: Vacant) {
        if draft.view().operation_runs()
            && let Some(turn) = draft.turn()
        {
            draft.change(Action::Create(vacant, turn));
        }
    }

    fn run(&self, draft: &mut Draft<'_>, ours: &Ours, _: &ManagedCluster) {
        let view = draft.view();
        let Some(owner) = view.owner() else { return };
        let Some(operation) = view.state.operation.as_ref().map(|o| o.id) else { return };
        for (name, node) in view.state.nodes.iter().filter(|(_, n)| n.plan.is_some() && n.port.is_some()) {
            match &node.vm {
                None if view.state.journal.asked(clone_of(name.clone()), operation) => {}
                None if view.state.journal.quiet(&[Verb::Clone]).is_some() => {
                    draft.act(Action::Clone(*ours, name.clone()));
                }
                None => {}
                Some(vm) => {
                    let vm = view.seen.vms.get(vm).filter(|vm| vm.power == Power::Off && is_complete(node));
                    if let Some(token) = vm.and_then(|vm| owner.vm(vm)) {
                        draft.act(Action::PowerOn(token));
                    }
                }
            }
        }
        draft.finish_when_addressed(view.state.nodes.len().max(1));
    }

    fn stop(&self, draft: &mut Draft<'_>, _: &Ours, cluster: &ManagedCluster) {
        if cluster.status == ManagedStatus::Stopped {
            draft.end(Outcome::Succeeded);
        }
    }

    fn remove(&self, draft: &mut Draft<'_>, ours: &Ours, cluster: &ManagedCluster) {
        if cluster.status.is_stable() && !draft.view().has_asked(Verb::Remove) {
            draft.change(Action::Delete(*ours));
        }
    }
}

/// Whether port, card and attachment are complete.
fn is_complete(node: &NodeState) -> bool {
    let holds = |kind| node.conditions.iter().find(|c| c.kind == kind).map(|c| c.status == ConditionStatus::True);
    holds(ConditionKind::PortReady) == Some(true) && holds(ConditionKind::Attached).unwrap_or(true)
}
