//! The next actions: a pure function of what is wanted, what is known and what was seen.
//!
//! ```text
//!  wanted running:  segment -+-> registration --> create --> nodes up --> every address --> done
//!                   checks --+        (resume, start: instead of create, once an operation)
//!                   ports, indices and attachments: all the time, as soon as cards have MACs
//!  wanted stopped:  wait until stable --> stop --> stopped --> done
//!  wanted deleted:  wait until stable --> delete --> gone --> ports --> registration --> removed
//! ```
//!
//! Invariants: it asks for nothing that is under way ([`View::in_flight`]); it asks the cluster
//! manager for a change at most once an operation; it asks for a create only after it has seen
//! that there is no such cluster. Whether and when a failed action is tried again is decided
//! elsewhere ([`crate::controller`]).

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::action::{Action, Key};
use crate::attachment;
use crate::cluster::{
    Asked, ClusterRecord, ClusterState, ConditionKind, ConditionStatus, CreateCall, NodeState, OperationState, WaitFor,
    Wanted,
};
use crate::facts::{ManagedChange, ManagedCluster, ManagedStatus, TaskState};
use crate::failure::Failure;
use crate::mark::Mark;
use crate::observe::POWERED_ON_BEFORE;
use crate::policy::{NetworkBackend, Policy};
use crate::preflight;
use crate::report;
use crate::seen::Seen;
use crate::stage::Stage;

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Succeeded,
    /// Well, and the cluster is gone: its record can go too.
    Removed,
    /// Badly.
    Failed(Failure),
}

/// What to do now, and when to look again at the latest.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// To be started now.
    pub actions: Vec<Action>,
    /// If the operation has ended.
    pub outcome: Option<Outcome>,
    /// The latest time for the next look, from now.
    pub again: Duration,
}

/// What a decision is made from.
pub struct View<'a> {
    /// What is wanted.
    pub record: &'a ClusterRecord,
    /// What is known.
    pub state: &'a ClusterState,
    /// What was seen.
    pub seen: &'a Seen,
    /// What is under way.
    pub in_flight: &'a BTreeSet<Key>,
    /// Bulk requests for ports that are under way.
    pub waves: usize,
    /// The figures.
    pub policy: &'a Policy,
    /// The kind of network.
    pub backend: NetworkBackend,
    /// Now.
    pub now: Timestamp,
}

/// Decides.
pub fn decide(view: &View<'_>) -> Decision {
    let mut draft = Draft { view, actions: vec![], outcome: None, again: view.policy.idle_poll };
    match view.record.wanted {
        Wanted::Running => draft.running(),
        Wanted::Stopped => draft.stopped(),
        Wanted::Deleted => draft.deleted(),
    }
    if draft.outcome.is_none() && view.operation_runs() {
        draft.mind_the_time();
    }
    Decision { actions: draft.actions, outcome: draft.outcome, again: draft.again }
}

impl View<'_> {
    fn operation_runs(&self) -> bool {
        self.state.operation.as_ref().is_some_and(|o| o.state == OperationState::Running)
    }

    fn has_asked(&self, what: Asked) -> bool {
        self.state.operation.as_ref().is_some_and(|o| o.asked.contains(&what))
    }

    fn elapsed(&self) -> Duration {
        let started = self.state.operation.as_ref().map_or(self.now, |o| o.started);
        since(started, self.now)
    }

    fn is_checked(&self) -> bool {
        self.state.create_call != CreateCall::NotSent || self.state.operation.as_ref().is_some_and(|o| o.checked)
    }
}

/// From then to now; zero if then is later.
pub fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

/// Whether nothing is left to be done to a node's card. A card that was powered on before NSX-T
/// could be told works but for its security groups, which its condition says; it is not waited for.
fn is_attached(node: &NodeState) -> bool {
    node.conditions
        .iter()
        .find(|c| c.kind == ConditionKind::Attached)
        .is_none_or(|c| c.status == ConditionStatus::True || c.reason == POWERED_ON_BEFORE)
}

struct Draft<'a> {
    view: &'a View<'a>,
    actions: Vec<Action>,
    outcome: Option<Outcome>,
    again: Duration,
}

impl Draft<'_> {
    /// Asks for an action unless something about the same thing is under way.
    fn act(&mut self, action: Action) {
        if action.keys().iter().all(|k| !self.view.in_flight.contains(k)) {
            self.actions.push(action);
        }
    }

    fn end(&mut self, outcome: Outcome) {
        if self.view.operation_runs() {
            self.outcome = Some(outcome);
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.end(Outcome::Failed(failure));
    }

    /// Looks at the manager now if it has not been looked at for this long, else when that is over.
    fn look_every(&mut self, every: Duration) {
        let Some(at) = self.view.seen.manager_at.filter(|_| self.view.seen.manager.is_some()) else {
            return self.act(Action::Look);
        };
        let age = since(at, self.view.now);
        if age >= every {
            self.act(Action::Look);
        } else {
            self.again = self.again.min(every - age);
        }
    }

    // ------------------------------------------------------------ wanted: running

    fn running(&mut self) {
        let view = self.view;
        if !view.operation_runs() && view.state.create_call == CreateCall::NotSent {
            return; // it failed before anything was asked for: only a new request goes on
        }
        self.look_at_ports();
        if !view.is_checked() {
            self.act(Action::Check);
        }
        match &view.state.segment {
            None => self.act(Action::FindSegment),
            Some(_) => self.keep_ports(),
        }
        if view.state.segment.is_some() && view.is_checked() && view.state.registration.is_none() {
            self.act(Action::Register);
        }
        if view.state.registration.is_none() {
            return;
        }
        match &view.seen.manager {
            None => self.act(Action::Look),
            Some(None) => self.absent_but_wanted(),
            Some(Some(_)) if view.state.create_call == CreateCall::NotSent => {
                self.fail(preflight::name_taken(view.record));
            }
            Some(Some(cluster)) => self.present(cluster),
        }
    }

    fn absent_but_wanted(&mut self) {
        match self.view.state.create_call {
            CreateCall::Accepted => {
                self.look_every(self.view.policy.idle_poll);
                self.fail(report::vanished(self.view.record));
            }
            prior if self.view.operation_runs() => self.act(Action::Create(prior)),
            _ => {}
        }
    }

    fn present(&mut self, cluster: &ManagedCluster) {
        let steady = !self.view.operation_runs();
        let poll = if steady { self.view.policy.idle_poll } else { self.view.policy.manager_poll };
        self.look_every(poll);
        match cluster.status {
            ManagedStatus::ProvisionError if self.resumable() => self.act(Action::Change(ManagedChange::Resume)),
            ManagedStatus::Stopped | ManagedStatus::Error if self.startable() => {
                self.act(Action::Change(ManagedChange::Start));
            }
            ManagedStatus::ProvisionError | ManagedStatus::Stopped | ManagedStatus::Error => {
                if !self.view.in_flight.contains(&Key::Manager) {
                    self.fail(report::manager_failed(self.view.record, self.view.state, cluster, self.view.seen));
                }
            }
            ManagedStatus::Provisioning
            | ManagedStatus::Starting
            | ManagedStatus::Busy
            | ManagedStatus::Running
            | ManagedStatus::ServiceWarning
            | ManagedStatus::ServiceStopped => self.finished_when_addressed(cluster),
            ManagedStatus::Stopping | ManagedStatus::Deleting => {}
        }
    }

    /// A create that failed is taken up once by an operation that did not itself ask for it.
    fn resumable(&self) -> bool {
        self.view.operation_runs()
            && !self.view.has_asked(Asked::Create)
            && !self.view.has_asked(Asked::Change(ManagedChange::Resume))
    }

    fn startable(&self) -> bool {
        self.view.operation_runs() && !self.view.has_asked(Asked::Change(ManagedChange::Start))
    }

    fn finished_when_addressed(&mut self, cluster: &ManagedCluster) {
        let nodes = &self.view.state.nodes;
        let complete = cluster.node_count > 0 && nodes.len() >= cluster.node_count;
        let addressed = complete && nodes.values().all(|n| n.stage == Stage::Addressed && is_attached(n));
        let serves = match self.view.record.spec.wait_for {
            WaitFor::Addresses => true,
            WaitFor::Services => cluster.status.is_up(),
        };
        if addressed && serves {
            self.end(Outcome::Succeeded);
        }
    }

    fn look_at_ports(&mut self) {
        let seen = self.view.seen;
        let fresh = seen.ports_at.is_some_and(|at| since(at, self.view.now) < self.view.policy.idle_poll);
        if seen.ports.is_none() || !fresh {
            self.act(Action::ListPorts);
        }
    }

    fn keep_ports(&mut self) {
        let Some(segment) = &self.view.state.segment else {
            return;
        };
        let plan = attachment::plan(self.view.record, self.view.seen, &segment.key, self.view.backend);
        if let Some((_, failure)) = plan.conflicts.first() {
            self.fail(failure.clone());
        }
        let wanted: Vec<_> =
            plan.create.into_iter().filter(|r| !self.view.in_flight.contains(&Key::Mac(r.mac))).collect();
        let free = self.view.policy.port_waves.saturating_sub(self.view.waves);
        for wave in wanted.chunks(self.view.policy.wave_size).take(free) {
            self.act(Action::CreatePorts(wave.to_vec()));
        }
        let repairs = plan.repair.into_iter().map(|(port, change)| Action::Repair(port, change));
        let indices = plan.index.into_iter().map(|(port, index)| Action::SetIndex(port, index));
        let attachments = plan.attach.into_iter().map(|(vm, key, port)| Action::Attach(vm, key, port));
        let removals = plan.remove.into_iter().map(Action::DeletePort);
        let under_way = self.view.in_flight.iter().filter(|k| matches!(k, Key::Port(_) | Key::Vm(_))).count();
        let free = self.view.policy.single_calls.saturating_sub(under_way);
        let fresh = |a: &Action| a.keys().iter().all(|k| !self.view.in_flight.contains(k));
        self.actions.extend(repairs.chain(attachments).chain(indices).chain(removals).filter(fresh).take(free));
    }

    // ------------------------------------------------------------ wanted: stopped

    fn stopped(&mut self) {
        let view = self.view;
        let poll = if view.operation_runs() { view.policy.manager_poll } else { view.policy.idle_poll };
        self.look_every(poll);
        // A card that was powered on too early for NSX-T is attached while it is off.
        self.look_at_ports();
        self.keep_ports();
        let Some(manager) = &view.seen.manager else {
            return;
        };
        let Some(cluster) = manager else {
            return self.fail(report::vanished(view.record));
        };
        match cluster.status {
            ManagedStatus::Stopped => self.end(Outcome::Succeeded),
            ManagedStatus::ProvisionError => {
                self.fail(report::manager_failed(view.record, view.state, cluster, view.seen));
            }
            status if status.is_stable() && view.operation_runs() => {
                if !view.has_asked(Asked::Change(ManagedChange::Stop)) {
                    self.act(Action::Change(ManagedChange::Stop));
                } else if !view.in_flight.contains(&Key::Manager) {
                    self.fail(report::manager_failed(view.record, view.state, cluster, view.seen));
                }
            }
            _ => {}
        }
    }

    // ------------------------------------------------------------ wanted: deleted

    fn deleted(&mut self) {
        let view = self.view;
        if !view.operation_runs() {
            return; // it failed: only a new request goes on
        }
        if view.in_flight.contains(&Key::Manager) {
            return; // a create whose answer is still to come decides what there is to delete
        }
        match view.state.create_call {
            CreateCall::NotSent => return self.leave_nothing(),
            CreateCall::Sent { at } if since(at, view.now) < view.policy.create_settles => {
                // The manager may still be busy with the checks of a create whose answer was lost.
                self.again = self.again.min(view.policy.manager_poll);
                self.look_every(view.policy.manager_poll);
                if !matches!(view.seen.manager, Some(Some(_))) {
                    return;
                }
            }
            CreateCall::Sent { .. } | CreateCall::Accepted => self.look_every(view.policy.manager_poll),
        }
        match &view.seen.manager {
            None => {}
            Some(None) => self.leave_nothing(),
            Some(Some(cluster)) if cluster.status.is_stable() => {
                let task_runs = view.seen.task.as_ref().is_some_and(|t| t.state == TaskState::Running);
                if !view.has_asked(Asked::Delete) {
                    self.act(Action::Delete);
                } else if !task_runs {
                    self.fail(report::manager_failed(view.record, view.state, cluster, view.seen));
                }
            }
            Some(Some(_)) => {}
        }
    }

    /// The VMs are gone; ports go next, the registration last.
    fn leave_nothing(&mut self) {
        let view = self.view;
        if view.in_flight.iter().any(|k| matches!(k, Key::Mac(_))) {
            return; // a port is just being made; it has to be known before it can be deleted
        }
        let Some(ports) = &view.seen.ports else {
            return self.act(Action::ListPorts);
        };
        let ours: Vec<_> = ports
            .iter()
            .filter(|p| Mark::parse(&p.description).is_some_and(|m| m.cluster == view.record.id))
            .map(|p| p.id.clone())
            .collect();
        if !ours.is_empty() {
            let at_once = view.policy.single_calls;
            let under_way = view.in_flight.iter().filter(|k| matches!(k, Key::Port(_))).count();
            for port in ours
                .into_iter()
                .filter(|p| !view.in_flight.contains(&Key::Port(p.clone())))
                .take(at_once.saturating_sub(under_way))
            {
                self.act(Action::DeletePort(port));
            }
        } else if view.state.registration.is_some() {
            self.act(Action::Unregister);
        } else {
            self.end(Outcome::Removed);
        }
    }

    // ------------------------------------------------------------ deadlines

    fn mind_the_time(&mut self) {
        let view = self.view;
        let elapsed = view.elapsed();
        if elapsed >= view.policy.operation_patience {
            return self.fail(report::out_of_time(view, elapsed));
        }
        self.again = self.again.min(view.policy.operation_patience - elapsed);
        if view.record.wanted != Wanted::Running {
            return;
        }
        let up = matches!(&view.seen.manager, Some(Some(c)) if c.status.is_up());
        if !up {
            return;
        }
        let waiting_since = view
            .state
            .nodes
            .values()
            .filter(|n| n.stage != Stage::Addressed)
            .filter_map(|n| n.conditions.iter().find(|c| c.kind == ConditionKind::Addressed))
            .map(|c| since(c.since, view.now))
            .max();
        if let Some(waited) = waiting_since {
            if waited >= view.policy.address_patience {
                self.fail(report::no_address(view.state, waited));
            } else {
                self.again = self.again.min(view.policy.address_patience - waited);
            }
        }
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
