//! What is asked of the cluster manager. It knows clusters by name only, so every change rests on
//! a look of the last seconds.

use super::{Draft, Outcome};
use crate::action::{Action, Key};
use crate::condition::{ConditionKind, ConditionStatus};
use crate::intent::Verb;
use crate::observe::POWERED_ON_BEFORE;
use crate::own::{LOOK_LASTS, Ours, Vacant};
use crate::report;
use crate::seen::{nic_on, vm_of};
use crate::site::turns::{Claim, Turn};
use crate::stage::{Stage, stage};
use crate::systems::manager::{ManagedCluster, ManagedStatus, TaskState};
use crate::time::Stamp;
use crate::wanted::WaitFor;

impl Draft<'_> {
    /// Our create call may still be carried out: neither its absence nor anything else is a verdict.
    pub(super) fn wait_for_the_create(&mut self) {
        let view = self.view;
        self.again = self.again.min(view.policy.manager_poll);
        if let Some(until) = view.state.journal.open_until(&[Verb::Found]) {
            self.again = self.again.min(until.since(view.now));
        }
    }

    /// The name is free: everything that the create needs, and then the create.
    pub(super) fn found(&mut self, vacant: Vacant) {
        let view = self.view;
        let Some(operation) = view.state.operation.as_ref().filter(|_| view.operation_runs()) else {
            return; // it failed before anything was asked for: only a new request goes on
        };
        if !operation.checked {
            self.act(Action::Check);
        }
        if view.state.segment.is_none() {
            return self.act(Action::FindSegment);
        }
        if !operation.checked {
            return;
        }
        if view.state.registration.is_none() {
            return self.act(Action::Register(vacant));
        }
        let Some(turn) = self.turn() else {
            return;
        };
        // Much may have changed while it waited.
        if view.checked.is_none_or(|age| age > view.policy.checks_last) {
            return self.act(Action::Check);
        }
        // The name was free at a look of the last seconds; the manager itself refuses a second one.
        if self.is_fresh() { self.act(Action::Create(vacant, turn)) } else { self.look_now() }
    }

    /// The turn, if it is this cluster's; if not, it stands in line for it from now on. A call that
    /// failed a moment ago is not ready to be made: meanwhile others take their turns.
    fn turn(&mut self) -> Option<Turn> {
        let view = self.view;
        if let Some(wait) = view.troubles.wait(&[Key::Manager], view.now) {
            self.again = self.again.min(wait);
            return None;
        }
        self.claim = Claim::Ready;
        view.turn
    }

    /// Whether the last look is new enough for a change that goes by name.
    fn is_fresh(&self) -> bool {
        self.view.seen.cluster.age(self.view.now).is_some_and(|age| age <= LOOK_LASTS)
    }

    /// The cluster as a look shows it that was asked for after everything of ours had ended.
    fn settled(&mut self) -> Option<&ManagedCluster> {
        let view = self.view;
        let Some(floor) = view.floor() else {
            self.again = self.again.min(view.policy.manager_poll);
            return None;
        };
        let cluster = view.seen.cluster.after(floor).and_then(Option::as_ref);
        if cluster.is_none() {
            self.look_now();
        }
        cluster
    }

    /// A change by name, on a look of the last seconds.
    fn change(&mut self, action: Action) {
        if self.is_fresh() { self.act(action) } else { self.look_now() }
    }

    // ------------------------------------------------------------ wanted: running

    pub(super) fn run(&mut self, ours: &Ours) {
        let view = self.view;
        match &view.state.segment {
            None => self.act(Action::FindSegment),
            Some(segment) => self.keep_ports(ours, &segment.key),
        }
        let Some(cluster) = self.settled().cloned() else {
            return;
        };
        if !view.operation_runs() {
            return;
        }
        match cluster.status {
            ManagedStatus::ProvisionError if !view.has_asked(Verb::Found) && !view.has_asked(Verb::Resume) => {
                if let Some(turn) = self.turn() {
                    self.change(Action::Resume(*ours, turn));
                }
            }
            ManagedStatus::Stopped | ManagedStatus::Error if !view.has_asked(Verb::Start) => {
                self.change(Action::Start(*ours));
            }
            ManagedStatus::ProvisionError | ManagedStatus::Stopped | ManagedStatus::Error => {
                self.fail(report::manager_failed(view, &cluster));
            }
            ManagedStatus::Provisioning
            | ManagedStatus::Starting
            | ManagedStatus::Busy
            | ManagedStatus::Running
            | ManagedStatus::ServiceWarning
            | ManagedStatus::ServiceStopped => self.finished_when_addressed(&cluster),
            ManagedStatus::Stopping | ManagedStatus::Deleting => {}
        }
    }

    /// The nodes look well as the watch tells it; whether they are is asked once more, because the
    /// watch may be late and the ports may have been changed by others.
    fn finished_when_addressed(&mut self, cluster: &ManagedCluster) {
        let view = self.view;
        let nodes = &view.state.nodes;
        let serves = match view.record.spec.wait_for {
            WaitFor::Addresses => true,
            WaitFor::Services => cluster.status.is_up(),
        };
        let complete = cluster.node_count > 0 && nodes.len() >= cluster.node_count;
        let ready = |n: &crate::known::NodeState| {
            let fine = |kind| {
                let condition = n.conditions.iter().find(|c| c.kind == kind);
                condition.is_none_or(|c| c.status == ConditionStatus::True || c.reason == POWERED_ON_BEFORE)
            };
            n.stage == Stage::Addressed && n.port.is_some() && fine(ConditionKind::Attached)
        };
        if !complete || !serves || !nodes.values().all(ready) {
            return;
        }
        let Some(ports) = view.ports_floor() else {
            self.again = self.again.min(view.policy.manager_poll);
            return;
        };
        let listed = view.seen.ports.whole_after(ports).is_some();
        if !listed {
            self.act(Action::ListPorts);
        }
        let since = view.floor().unwrap_or(Stamp::START).max(view.seen.status_since);
        match view.seen.checked.after(since) {
            Some(_) if listed && self.nodes_were_checked(since) => self.end(Outcome::Succeeded),
            Some(_) if view.seen.checked.age(view.now).is_some_and(|age| age < view.policy.manager_poll) => {
                self.again = self.again.min(view.policy.manager_poll);
            }
            _ => self.act(Action::LookAtVms(nodes.values().filter_map(|n| n.vm.clone()).collect())),
        }
    }

    /// Whether each VM, as it was asked for after this, is on and has what its port promises.
    fn nodes_were_checked(&self, since: Stamp) -> bool {
        let view = self.view;
        let (Some(vms), Some(segment)) = (view.seen.checked.after(since), &view.state.segment) else {
            return false;
        };
        view.state.nodes.iter().all(|(name, node)| {
            let vm = vm_of(vms, name);
            let nic = vm.and_then(|vm| nic_on(vm, &segment.key));
            stage(vm, nic, node.promised) == Stage::Addressed
        })
    }

    // ------------------------------------------------------------ wanted: stopped

    pub(super) fn stop(&mut self, ours: &Ours) {
        let view = self.view;
        // A card that was powered on too early for NSX-T is attached while it is off.
        if let Some(segment) = &view.state.segment {
            self.keep_ports(ours, &segment.key);
        }
        let Some(cluster) = self.settled().cloned() else {
            return;
        };
        if !view.operation_runs() {
            return;
        }
        match cluster.status {
            ManagedStatus::Stopped => self.end(Outcome::Succeeded),
            ManagedStatus::ProvisionError => self.fail(report::manager_failed(view, &cluster)),
            ManagedStatus::Running
            | ManagedStatus::ServiceWarning
            | ManagedStatus::ServiceStopped
            | ManagedStatus::Error => {
                if view.has_asked(Verb::Stop) {
                    self.fail(report::manager_failed(view, &cluster));
                } else {
                    self.change(Action::Stop(*ours));
                }
            }
            ManagedStatus::Provisioning
            | ManagedStatus::Stopping
            | ManagedStatus::Starting
            | ManagedStatus::Deleting
            | ManagedStatus::Busy => {}
        }
    }

    // ------------------------------------------------------------ wanted: deleted

    /// The manager has no call that ends a task, so what it is at work on is waited for.
    pub(super) fn remove(&mut self, ours: &Ours) {
        let view = self.view;
        let Some(cluster) = self.settled().cloned() else {
            return;
        };
        if !cluster.status.is_stable() {
            return;
        }
        let works = view.seen.task.last().and_then(Option::as_ref).is_some_and(|t| t.state == TaskState::Running);
        if !view.has_asked(Verb::Remove) {
            self.change(Action::Delete(*ours));
        } else if !works {
            self.fail(report::manager_failed(view, &cluster));
        }
    }
}
