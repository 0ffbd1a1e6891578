//! BDE: one call creates all VMs of a cluster and powers them on, and each port must exist before the guest
//! requests its address.
//!
//! ```text
//!  wanted   | vacant                        | ours, by status
//!  ---------+-------------------------------+------------------------------------------------------
//!  running  | checks, port group,           | provision error: resume;  stopped, error: start;
//!           | registration, turn -> create  | else: done when the nodes have their addresses
//!  stopped  |                               | running, error: stop;  stopped: done
//!  deleted  |                               | stable: delete
//! ```
//!
//! Each call is made once per operation. BDE identifies clusters by name only, so every change needs a
//! look from the last seconds.

use uuid::Uuid;

use super::Provision;
use crate::action::Action;
use crate::attach::{self, Slot};
use crate::decide::{Draft, Outcome};
use crate::ids::{SegmentKey, VmRef};
use crate::intent::{Existence, Verb};
use crate::known::{ClusterState, Identity, Likeness};
use crate::own::{Match, Ours, Owner, Vacant};
use crate::report;
use crate::seen::{Seen, VmsByNode};
use crate::systems::manager::{ManagedCluster, ManagedStatus, TaskState};
use crate::systems::vcenter::VmFacts;
use crate::wanted::{ClusterRecord, WaitFor};

/// The strategy for sites with BDE.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bde;

impl Provision for Bde {
    fn compare(&self, state: &ClusterState, seen: &Seen, cluster: &ManagedCluster) -> Match {
        let identity = &state.identity;
        let its_vms = || cluster.nodes.iter().filter_map(|n| n.vm.as_ref());
        let recorded = |vm: &VmRef| identity.vms.get(vm).is_some_and(|uuid| !is_another(seen, vm, uuid));
        if its_vms().any(recorded) || ours_works_on_it(state, seen) {
            return Match::Identity;
        }
        if identity.made && cluster.status == ManagedStatus::ProvisionError && its_vms().next().is_none() {
            // The create of this cluster had succeeded, so the failed one is another.
            return Match::Neither("the failed create in BDE belongs to another request".to_owned());
        }
        if !identity.vms.is_empty() && !identity.renewed {
            if its_vms().next().is_some() {
                return Match::Neither("none of its VMs belongs to this cluster".to_owned());
            }
            // A delete, by anyone, removes the VMs first, and they may be destroyed in vCenter; only a
            // create starts without any.
            if cluster.status == ManagedStatus::Provisioning {
                return Match::Neither("another request is creating it".to_owned());
            }
        }
        match identity.sent.as_ref().map(|sent| sent.difference(&cluster.likeness)) {
            Some(None) => Match::Likeness,
            Some(Some(difference)) => Match::Neither(difference),
            None => Match::Neither("another call created it".to_owned()),
        }
    }

    /// Combines the answers of two systems: BDE names the VM, vCenter its instance UUID.
    fn record(&self, state: &mut ClusterState, seen: &Seen) {
        let Some(Some(cluster)) = seen.cluster.last() else {
            return;
        };
        let identity = &mut state.identity;
        let mut recorded = false;
        for vm in cluster.nodes.iter().filter_map(|n| n.vm.as_ref()) {
            if let Some(uuid) = seen.vms.get(vm).and_then(|facts| facts.instance_uuid) {
                identity.vms.insert(vm.clone(), uuid);
                recorded = true;
            }
        }
        identity.made |= cluster.status.is_up();
        // The resume has ended, and its result is known.
        let quiet = state.journal.quiet(&[Verb::Resume]);
        let looked_since = quiet.is_some_and(|end| seen.cluster.after(end).is_some());
        if looked_since && recorded && cluster.status != ManagedStatus::Provisioning {
            identity.renewed = false;
        }
    }

    fn about_to_send(&self, verb: Verb, record: &ClusterRecord, state: &mut ClusterState) {
        match verb {
            // Evidence belongs to one create call.
            Verb::Found => {
                state.identity = Identity { sent: Some(likeness(record, state)), ..Identity::default() };
            }
            // BDE removes bad nodes and clones them again: perhaps all recorded ones.
            Verb::Resume => state.identity.renewed = true,
            _ => {}
        }
    }

    /// BDE names and plans its nodes.
    fn prepare(&self, _: &ClusterRecord, _: &mut ClusterState, _: &mut dyn FnMut() -> Uuid) {}

    fn is_being_made(
        &self,
        record: &ClusterRecord,
        state: &ClusterState,
        cluster: Option<&ManagedCluster>,
        vm: &VmFacts,
    ) -> bool {
        let under_way = [Verb::Found, Verb::Resume]
            .iter()
            .any(|v| matches!(state.journal.existence(*v), Existence::Open | Existence::Answered(_)));
        let making = cluster.is_none_or(|c| c.status == ManagedStatus::Provisioning);
        let Some(name) = vm.name.as_ref().filter(|_| under_way && making) else {
            return false;
        };
        match cluster.and_then(|c| c.nodes.iter().find(|n| n.name == *name)) {
            Some(node) => node.vm.as_ref().is_none_or(|v| *v == vm.vm),
            // BDE plans nodes before it clones: only a look from before that shows none.
            None => {
                cluster.is_none_or(|c| c.nodes.is_empty()) && name.as_str().starts_with(&format!("{}-", record.name))
            }
        }
    }

    /// A node wants a port as soon as its card is on the segment and has its MAC.
    fn slots<'a>(&self, owner: &Owner<'a>, vms: &VmsByNode<'a>, segment: &SegmentKey) -> Vec<Slot<'a>> {
        attach::slots_of_cards(owner, vms, segment)
    }

    /// A create, start or stop works on the VMs until the cluster's status is stable.
    fn spares_vms(&self, draft: &mut Draft<'_>) -> bool {
        draft.settled().is_some_and(|cluster| cluster.status.is_stable()) && draft.is_fresh()
    }

    fn found(&self, draft: &mut Draft<'_>, vacant: Vacant) {
        let view = draft.view();
        let Some(operation) = view.state.operation.as_ref().filter(|_| view.operation_runs()) else {
            return; // it failed before the first call: only a new request continues
        };
        if !operation.checked {
            draft.act(Action::Check);
        }
        if view.state.segment.is_none() {
            return draft.act(Action::FindSegment);
        }
        if !operation.checked {
            return;
        }
        if view.state.registration.is_none() {
            return draft.act(Action::Register(vacant));
        }
        let Some(turn) = draft.turn() else {
            return;
        };
        // The checks may be outdated after the wait.
        if view.findings.checked(view.now).is_none_or(|age| age > view.policy.checks_last) {
            return draft.act(Action::Check);
        }
        // The name was free at a look from the last seconds; BDE refuses a second cluster of the name.
        draft.change(Action::Create(vacant, turn));
    }

    fn run(&self, draft: &mut Draft<'_>, ours: &Ours, cluster: &ManagedCluster) {
        let view = draft.view();
        match cluster.status {
            ManagedStatus::ProvisionError if !view.has_asked(Verb::Found) && !view.has_asked(Verb::Resume) => {
                if let Some(turn) = draft.turn() {
                    draft.change(Action::Resume(*ours, turn));
                }
            }
            ManagedStatus::Stopped | ManagedStatus::Error if !view.has_asked(Verb::Start) => {
                draft.change(Action::Start(*ours));
            }
            ManagedStatus::ProvisionError | ManagedStatus::Stopped | ManagedStatus::Error => {
                draft.fail(report::manager_failed(view, cluster));
            }
            ManagedStatus::Provisioning
            | ManagedStatus::Starting
            | ManagedStatus::Busy
            | ManagedStatus::Running
            | ManagedStatus::ServiceWarning
            | ManagedStatus::ServiceStopped => {
                let serves = match view.record.spec.wait_for {
                    WaitFor::Addresses => true,
                    WaitFor::Services => cluster.status.is_up(),
                };
                if serves && cluster.node_count > 0 {
                    draft.finish_when_addressed(cluster.node_count);
                }
            }
            ManagedStatus::Stopping | ManagedStatus::Deleting => {}
        }
    }

    fn stop(&self, draft: &mut Draft<'_>, ours: &Ours, cluster: &ManagedCluster) {
        let view = draft.view();
        match cluster.status {
            ManagedStatus::Stopped => draft.end(Outcome::Succeeded),
            ManagedStatus::ProvisionError => draft.fail(report::manager_failed(view, cluster)),
            ManagedStatus::Running
            | ManagedStatus::ServiceWarning
            | ManagedStatus::ServiceStopped
            | ManagedStatus::Error => {
                if view.has_asked(Verb::Stop) {
                    draft.fail(report::manager_failed(view, cluster));
                } else {
                    draft.change(Action::Stop(*ours));
                }
            }
            ManagedStatus::Provisioning
            | ManagedStatus::Stopping
            | ManagedStatus::Starting
            | ManagedStatus::Deleting
            | ManagedStatus::Busy => {}
        }
    }

    /// BDE has no call to cancel a task, so the controller waits for a running one.
    fn remove(&self, draft: &mut Draft<'_>, ours: &Ours, cluster: &ManagedCluster) {
        let view = draft.view();
        if !cluster.status.is_stable() {
            return;
        }
        let works = view.seen.task.last().and_then(Option::as_ref).is_some_and(|t| t.state == TaskState::Running);
        if !view.has_asked(Verb::Remove) {
            draft.change(Action::Delete(*ours));
        } else if !works {
            draft.fail(report::manager_failed(view, cluster));
        }
    }
}

/// The request of the create call, in the form in which BDE shows a cluster.
fn likeness(record: &ClusterRecord, state: &ClusterState) -> Likeness {
    let spec = &record.spec;
    Likeness {
        distro: spec.distro.clone(),
        groups: record.shape.node_groups.iter().map(|g| (g.name.to_string(), g.count)).collect(),
        networks: state.registration.iter().cloned().collect(),
    }
}

/// Whether vCenter shows another VM under this reference.
fn is_another(seen: &Seen, vm: &VmRef, uuid: &Uuid) -> bool {
    seen.vms.get(vm).and_then(|facts| facts.instance_uuid).is_some_and(|shown| shown != *uuid)
}

/// BDE has one cluster per name, so while a task of ours runs, the cluster is ours.
fn ours_works_on_it(state: &ClusterState, seen: &Seen) -> bool {
    seen.task
        .last()
        .and_then(Option::as_ref)
        .is_some_and(|task| task.state == TaskState::Running && state.journal.newest_task() == Some(&task.id))
}

#[cfg(test)]
#[path = "bde_tests.rs"]
mod tests;
