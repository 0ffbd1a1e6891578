//! The next actions: a pure function of the wanted state, the known state and the seen facts.
//!
//! ```text
//!                    who owns the place? (crate::own)
//!        unknown ---> look
//!        pending ---> wait for the answer, or until it settles
//!
//!  wanted    | vacant                       | ours                           | gone, foreign
//!  ----------+------------------------------+--------------------------------+---------------
//!  running   | checks, port group,          | ports, indices, attachments;   | fails: reports
//!            | registration --> create      | resume, start --> addresses    | the finding
//!  stopped   | fails: nothing to stop       | stop --> stopped               | the same
//!  deleted   | ports --> registration       | delete --> gone, and then as   | ports -->
//!            | --> removed                  | vacant                         | registration --> removed
//! ```
//!
//! Invariants: every write carries a token of this round; an action that is in flight is not requested again;
//! a call that starts work at the manager is made once per operation, unless it is known to have had
//! no effect; an operation ends on looks that were requested after everything on which it depends had
//! ended ([`View::floor`]). A call that failed a moment ago is skipped here, before anything is counted,
//! so it takes no other call's turn.
//!
//! The strategy ([`crate::provision`]) creates, starts, stops and removes VMs; `ports` keeps ports and
//! cards, `end` decides when an operation has succeeded.

mod end;
mod ports;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::action::{Action, Key};
use crate::failure::{Failure, System};
use crate::findings::Findings;
use crate::intent::{Existence, Verb};
use crate::known::{ClusterState, OperationState};
use crate::mark::MarkKey;
use crate::own::{LOOK_LASTS, Ours, Owner, Ownership, Pass};
use crate::policy::{Networks, Policy};
use crate::provision::Provision;
use crate::report;
use crate::seen::Seen;
use crate::segment;
use crate::site::turns::{Claim, Turn};
use crate::systems::manager::ManagedCluster;
use crate::time::{Mono, Stamp};
use crate::trouble::Troubles;
use crate::wanted::{ClusterRecord, Goal};

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Succeeded,
    /// It succeeded, and the cluster is gone: its record can be removed.
    Removed,
    /// It failed.
    Failed(Failure),
}

/// The actions to start now, and the latest time of the next look.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The actions to start now.
    pub actions: Vec<Action>,
    /// The end of the operation, if it has ended.
    pub outcome: Option<Outcome>,
    /// The latest time for the next look, from now.
    pub again: Duration,
    /// A card whose port cannot be created or kept, because a foreign port has its MAC.
    pub conflict: Option<Failure>,
    /// Whether the cluster takes a turn at the manager, or waits for one.
    pub claim: Claim,
}

/// The input of a decision.
pub struct View<'a> {
    /// The round; its tokens are valid in this round only.
    pub pass: Pass,
    /// What is wanted.
    pub record: &'a ClusterRecord,
    /// What is known.
    pub state: &'a ClusterState,
    /// What was seen.
    pub seen: &'a Seen,
    /// Who owns the place.
    pub own: &'a Ownership,
    /// The provisioning strategy.
    pub provision: &'a dyn Provision,
    /// The key of this installation's marks.
    pub marks: &'a MarkKey,
    /// What fails.
    pub troubles: &'a Troubles,
    /// Findings about the operation.
    pub findings: &'a Findings,
    /// Actions in flight.
    pub in_flight: &'a BTreeSet<Key>,
    /// Bulk requests for ports in flight.
    pub waves: usize,
    /// The figures.
    pub policy: &'a Policy,
    /// The site's networks.
    pub networks: &'a Networks,
    /// Now.
    pub now: Mono,
    /// The turn at the manager, if this cluster has it.
    pub turn: Option<Turn>,
    /// Whether the cluster waits for its turn: nothing changes at the manager meanwhile.
    pub waits: bool,
}

impl View<'_> {
    /// Whether the operation has not ended.
    pub fn operation_runs(&self) -> bool {
        self.state.operation.as_ref().is_some_and(|o| o.state == OperationState::Running)
    }

    /// Whether the call was made for the current operation and may have taken effect.
    pub fn has_asked(&self, verb: Verb) -> bool {
        self.state.operation.as_ref().is_some_and(|o| self.state.journal.asked(verb, o.id))
    }

    /// The cluster by which its VMs are recognised, if it is ours.
    pub(crate) fn owner(&self) -> Option<Owner<'_>> {
        let Ownership::Ours(ours) = *self.own else {
            return None;
        };
        let View { record, state, seen, provision, .. } = *self;
        Some(Owner { ours, record, state, seen, provision })
    }

    /// A look at the manager that was requested after this is a verdict; `None` while one of our requests
    /// may still take effect.
    pub fn floor(&self) -> Option<Stamp> {
        self.state.journal.quiet(&Verb::MANAGER).map(|quiet| quiet.max(self.findings.begun))
    }

    /// The same for lists of ports.
    pub fn ports_floor(&self) -> Option<Stamp> {
        self.state
            .journal
            .quiet(&[Verb::Ports])
            .map(|quiet| quiet.max(self.findings.begun).max(self.findings.ports_ended))
    }
}

/// Decides.
pub fn decide(view: &View<'_>) -> Decision {
    let mut draft =
        Draft { view, actions: vec![], outcome: None, again: view.policy.idle_poll, conflict: None, claim: Claim::Out };
    if view.operation_runs() || !view.state.journal.is_empty() {
        draft.look();
        draft.work();
    }
    if draft.outcome.is_none() && view.operation_runs() {
        draft.mind_the_troubles();
        draft.mind_the_time();
    }
    let Draft { mut actions, outcome, again, conflict, mut claim, .. } = draft;
    // Work at the manager belongs to the operation; ports and cards are kept beyond it.
    if outcome.is_some() {
        claim = Claim::Out;
        actions.retain(|a| !a.keys().contains(&Key::Manager));
    }
    Decision { actions, outcome, again, conflict, claim }
}

/// A decision under construction. The shared part and the strategy add the next actions to it.
pub struct Draft<'a> {
    view: &'a View<'a>,
    actions: Vec<Action>,
    outcome: Option<Outcome>,
    again: Duration,
    conflict: Option<Failure>,
    claim: Claim,
}

impl<'a> Draft<'a> {
    fn work(&mut self) {
        let view = self.view;
        let founding = view.state.journal.existence(Verb::Found);
        let founded = !matches!(founding, Existence::Never | Existence::Without(_));
        match (view.record.shape.goal, view.own) {
            // Nothing in the manager is ours, even if others use the name there.
            (Goal::Deleted, _) if !founded && view.operation_runs() => self.leave_nothing(),
            (_, Ownership::Unknown) => self.look_now(),
            (Goal::Deleted, _) if !view.operation_runs() => {} // it failed: only a new request continues
            (_, Ownership::Pending) => self.wait_for_the_create(),
            (Goal::Running, Ownership::Vacant(vacant)) => view.provision.found(self, *vacant),
            (_, Ownership::Ours(ours)) => self.converge(ours),
            (Goal::Stopped, Ownership::Vacant(_)) => self.fail(report::nothing_to_stop(view.record)),
            (Goal::Running | Goal::Stopped, Ownership::Gone) => self.fail(report::vanished(view.record)),
            (Goal::Running | Goal::Stopped, Ownership::Foreign(who)) => {
                self.fail(report::foreign(view.record, view.state, who));
            }
            // Our create may still take effect after the other cluster is gone.
            (Goal::Deleted, Ownership::Foreign(_)) if founding == Existence::Open => self.wait_for_the_create(),
            (Goal::Deleted, Ownership::Vacant(_) | Ownership::Gone | Ownership::Foreign(_)) => self.leave_nothing(),
        }
    }

    /// Keeps ports and cards as long as the cluster is wanted. Brings the VMs to the wanted state once all
    /// our calls have ended and a later look has shown the result.
    fn converge(&mut self, ours: &Ours) {
        let view = self.view;
        match (view.record.shape.goal, &view.state.segment) {
            (Goal::Running, None) => self.act(Action::FindSegment),
            // A card of NSX-T is also attached while the cluster is stopped.
            (Goal::Running | Goal::Stopped, Some(segment)) => self.keep_ports(ours, &segment.key),
            (Goal::Stopped, None) | (Goal::Deleted, _) => {}
        }
        let Some(cluster) = self.settled() else {
            return;
        };
        if !view.operation_runs() {
            return;
        }
        match view.record.shape.goal {
            Goal::Running => view.provision.run(self, ours, cluster),
            Goal::Stopped => view.provision.stop(self, ours, cluster),
            Goal::Deleted => view.provision.remove(self, ours, cluster),
        }
    }

    /// Our create call may still take effect: no look is a verdict.
    fn wait_for_the_create(&mut self) {
        let view = self.view;
        self.again = self.again.min(view.policy.manager_poll);
        if let Some(until) = view.state.journal.open_until(&[Verb::Found]) {
            self.again = self.again.min(until.since(view.now));
        }
    }

    /// The input of the decision.
    pub const fn view(&self) -> &'a View<'a> {
        self.view
    }

    /// The turn, if this cluster has it; if not, the cluster queues for it. A call that failed a moment ago
    /// is not ready: meanwhile other clusters take their turns.
    pub fn turn(&mut self) -> Option<Turn> {
        let view = self.view;
        if let Some(wait) = view.troubles.wait(&[Key::Manager], view.now) {
            self.again = self.again.min(wait);
            return None;
        }
        self.claim = Claim::Ready;
        view.turn
    }

    /// The cluster, from a look that was requested after all our calls had ended.
    pub fn settled(&mut self) -> Option<&'a ManagedCluster> {
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

    /// Whether the newest look is from the last seconds; if not, requests another.
    pub fn is_fresh(&mut self) -> bool {
        let fresh = self.view.seen.cluster.age(self.view.now).is_some_and(|age| age <= LOOK_LASTS);
        if !fresh {
            self.look_now();
        }
        fresh
    }

    /// A change by name, which needs a look from the last seconds. It waits for the end of our own edits: the
    /// manager's tasks would meet them on the same VM.
    pub fn change(&mut self, action: Action) {
        let edits = self.view.in_flight.iter().any(|key| matches!(key, Key::Vm(_)))
            || self.actions.iter().any(|a| a.keys().iter().any(|key| matches!(key, Key::Vm(_))));
        if !edits && self.is_fresh() {
            self.act(action);
        }
    }

    /// Requests an action unless one with a common key is in flight or failed a moment ago.
    pub fn act(&mut self, action: Action) {
        let keys = action.keys();
        if keys.iter().any(|k| self.view.in_flight.contains(k)) {
            return;
        }
        match self.view.troubles.wait(&keys, self.view.now) {
            Some(wait) => self.again = self.again.min(wait),
            None if self.actions.contains(&action) => {}
            None => self.actions.push(action),
        }
    }

    /// Ends the operation, if it has not ended.
    pub fn end(&mut self, outcome: Outcome) {
        if self.view.operation_runs() {
            self.outcome = Some(outcome);
        }
    }

    /// Ends the operation with a failure.
    pub fn fail(&mut self, failure: Failure) {
        self.end(Outcome::Failed(failure));
    }

    // ------------------------------------------------------------ looks

    /// Requests the looks that are due.
    fn look(&mut self) {
        let view = self.view;
        let poll = if view.operation_runs() && !view.waits { view.policy.manager_poll } else { view.policy.idle_poll };
        match view.seen.cluster.age(view.now) {
            Some(age) if age < poll => self.again = self.again.min(poll - age),
            _ => self.act(Action::Look),
        }
        match view.seen.ports.age(view.now) {
            Some(age) if age < view.policy.idle_poll => self.again = self.again.min(view.policy.idle_poll - age),
            _ => self.act(Action::ListPorts),
        }
    }

    /// Queries the manager again, whatever was seen before.
    pub fn look_now(&mut self) {
        self.act(Action::Look);
    }

    // ------------------------------------------------------------ deadlines

    /// A call that was refused for a permanent reason ends the operation that needs it; so does a call that
    /// has failed for too long.
    fn mind_the_troubles(&mut self) {
        let view = self.view;
        let Some(operation) = &view.state.operation else {
            return;
        };
        if let Some(refused) = &view.findings.refused {
            return self.fail(refused.clone());
        }
        let of_this = view.troubles.iter().map(|(_, trouble)| trouble).filter(|t| t.operation == Some(operation.id));
        let mut of_this: Vec<_> = of_this.collect();
        of_this.sort_by_key(|t| t.since);
        let vcenter_fails = of_this.iter().any(|t| t.system == System::VCenter);
        for trouble in of_this {
            let over = view.now.since(trouble.since);
            if trouble.failure.code == segment::NOT_FOUND && over >= view.policy.segment_patience {
                return self.fail(trouble.failure.clone());
            }
            let patience = view.policy.call_patience;
            if trouble.is_final() || over >= patience {
                return self.fail(report::call_failed(view, trouble, over));
            }
            self.again = self.again.min(patience - over);
        }
        // A failing call explains more than the watch.
        let lost = view.troubles.get(&Key::Watch).filter(|_| view.record.shape.goal == Goal::Running && !vcenter_fails);
        if let Some(trouble) = lost {
            // Only troubles of the operation's own time count.
            let lost = view.now.since(trouble.since).min(operation.watched);
            let patience = view.policy.call_patience;
            if lost >= patience {
                return self.fail(report::watch_lost(lost, &trouble.says));
            }
            self.again = self.again.min(patience - lost);
        }
    }

    fn mind_the_time(&mut self) {
        let view = self.view;
        let Some(operation) = &view.state.operation else {
            return;
        };
        if let Some(stuck) = view.findings.stuck(view.seen, view.now).filter(|_| matches!(view.own, Ownership::Ours(_)))
        {
            if stuck >= view.policy.stuck_after {
                return self.fail(report::stuck(view));
            }
            self.again = self.again.min(view.policy.stuck_after - stuck);
        }
        // No verdict before every system was seen since the start: until then, only a call that fails for
        // too long ends the operation.
        if !view.seen.is_complete(view.record.shape.goal) {
            return;
        }
        if operation.watched >= view.policy.operation_patience {
            return self.fail(report::out_of_time(view, operation.watched));
        }
        self.again = self.again.min(view.policy.operation_patience - operation.watched);
        if view.record.shape.goal == Goal::Running {
            if operation.without_address >= view.policy.address_patience {
                self.fail(report::no_address(view, operation.without_address));
            } else if !operation.without_address.is_zero() {
                self.again = self.again.min(view.policy.address_patience - operation.without_address);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
