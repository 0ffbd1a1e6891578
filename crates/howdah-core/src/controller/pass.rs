//! The work of one pass.
//!
//! ```text
//!  start a new operation -> settle the journal -> ownership -> observe -> decide -> guard
//!   -> journal -> save -> start
//! ```
//!
//! Invariant: an action starts only after the state on which it depends is saved. An error means that the
//! store failed; the caller restores the copy from before the pass.

use std::sync::Arc;
use std::time::Duration;

use super::session::{Passed, Session};
use crate::action::Key;
use crate::decide::{Decision, Outcome, View, decide};
use crate::failure::Failure;
use crate::health::{self, Signs};
use crate::intent::{Existence, Phase, Verb};
use crate::known::OperationState;
use crate::observe::{Sight, observe};
use crate::own::{self, Owner, Ownership, Pass};
use crate::report;
use crate::site::turns::{self, Claim, Place};
use crate::systems::Remote;
use crate::systems::vcenter::Vms;
use crate::time::Mono;
use crate::trouble::Trouble;
use crate::wanted::Goal;

/// A trouble without a retry for this long is obsolete.
const TROUBLE_LASTS: Duration = Duration::from_secs(300);

impl Session<'_> {
    pub(super) async fn work(&mut self) -> Remote<Passed> {
        let now = self.controller.clock.mono();
        self.passes += 1;
        let watched = now.since(self.last_pass);
        self.last_pass = now;
        self.take_up();
        self.settle(now);
        self.keep_watching(now);
        self.troubles.tidy(now, TROUBLE_LASTS);
        let pass = Pass::new(self.record.id, self.passes);
        let own = self.whose(pass);
        let entropy = Arc::clone(&self.controller.entropy);
        self.controller.site.provision.prepare(&self.record, &mut self.state, &mut || entropy.uuid());
        let vms = self.see(pass, &own);
        let place = self.seat.place();
        self.count_time(watched, &own, place.is_some());
        let Decision { mut actions, outcome, mut again, conflict, claim } = self.decide(pass, &own, place, now);
        self.note_conditions(&own, conflict, place, now);
        drop(vms);
        // An operation that has just failed starts no more writes.
        if outcome.is_some() && self.record.shape.goal != Goal::Running {
            actions.retain(|a| a.pass().is_none());
        }
        actions.retain(|a| a.pass().is_none_or(|p| p == pass) && a.turn().is_none_or(|p| p == pass));
        match outcome {
            Some(Outcome::Removed) => {
                self.finish(OperationState::Succeeded, None);
                self.controller.store.remove(&self.record.key(), &self.events).await?;
                return Ok(Passed::Removed);
            }
            Some(Outcome::Succeeded) => {
                self.finish(OperationState::Succeeded, None);
                self.forget_password().await?;
            }
            Some(Outcome::Failed(failure)) => {
                let current = self.state.operation.as_ref().map(|o| o.id);
                let of_ports = |t: &Trouble| matches!(t.key, Key::Mac(_)) && t.operation == current;
                let ports = self.troubles.iter().find(|(_, t)| of_ports(t));
                let failure = report::because_of_ports(failure, ports.map(|(_, t)| t.says.as_str()));
                self.finish(OperationState::Failed, Some(failure));
            }
            None => {}
        }
        self.state.status = health::status(self.record.shape.goal, &self.state, &own, &self.seen);
        let intent = self.write_intents(&actions);
        let turn = self.seat.turn(pass);
        let claim = self.claim(claim, turn.is_some(), now);
        self.seat.claim(claim, self.record.operation.requested).await?;
        if turn.is_none() && self.seat.turn(pass).is_some() {
            again = Duration::ZERO;
        }
        if let Some(wait) = self.save(intent, now).await? {
            again = again.min(wait);
        }
        self.start(actions);
        let idle = self.watch.is_none() && self.opening.is_none();
        if let Some(pause) = self.troubles.wait(&[Key::Watch], now).filter(|_| idle) {
            again = again.min(pause);
        }
        Ok(Passed::Again(again))
    }

    /// Calls that have settled are open to a verdict from now on; a burst of port writes ends when none of
    /// them can still take effect.
    fn settle(&mut self, now: Mono) {
        self.state.journal.settle(now, &self.controller.ticker);
        let lost = self.ports_settle.is_some_and(|until| until > now);
        let flying = self.in_flight.iter().any(|k| matches!(k, Key::Mac(_)));
        if self.state.journal.get(Verb::Ports).is_some() && !flying && !lost {
            self.state.journal.forget(Verb::Ports);
            self.ports_settle = None;
            self.findings.ports_ended = self.controller.ticker.tick();
        }
    }

    /// Determines the ownership and updates what depends on it.
    fn whose(&mut self, pass: Pass) -> Ownership {
        if let Some(asked) = self.seen.cluster.asked() {
            self.state.journal.looked(asked);
        }
        let own = self.judge(pass);
        match &own {
            // Seen and ours: the create succeeded. From now on its absence is a loss.
            Ownership::Ours(_) => {
                if self.state.journal.get(Verb::Found).is_some_and(|i| i.phase == Phase::Unknown) {
                    self.state.journal.resolve(Verb::Found, Phase::Done);
                }
                self.controller.site.provision.record(&mut self.state, &self.seen);
            }
            // A look after every call that could create it found nothing: the create had no effect.
            Ownership::Vacant(_) => {
                if self.state.journal.get(Verb::Found).is_some_and(|i| i.phase == Phase::Unknown) {
                    self.state.journal.resolve(Verb::Found, Phase::Absent);
                }
            }
            Ownership::Gone => self.state.identity.dissolved = true,
            Ownership::Foreign(_) | Ownership::Pending | Ownership::Unknown => {}
        }
        own
    }

    fn judge(&self, pass: Pass) -> Ownership {
        let place = own::place(self.controller.site.provision.as_ref(), &self.state, &self.seen);
        own::ownership(pass, &self.state.journal, self.state.identity.dissolved, place, self.findings.begun)
    }

    /// Updates the known state from the seen facts. Returns the VMs that are ours.
    fn see(&mut self, pass: Pass, own: &Ownership) -> Vms {
        let (vms, cluster) = match own {
            Ownership::Ours(ours) => {
                let (record, state, seen) = (&self.record, &self.state, &self.seen);
                let owner =
                    Owner { ours: *ours, record, state, seen, provision: self.controller.site.provision.as_ref() };
                (
                    owner.vms().map(|(_, vm)| (vm.vm.clone(), Arc::clone(vm))).collect(),
                    self.seen.cluster.last().and_then(Option::as_ref),
                )
            }
            _ => (Vms::new(), None),
        };
        let sight = Sight {
            pass,
            record: &self.record,
            // Until the place has been read, nothing of it counts.
            seen: &self.seen,
            vms: &vms,
            cluster,
            marks: &self.controller.marks,
            backend: self.controller.site.networks.backend,
            now: self.controller.clock.now(),
        };
        let told =
            if matches!(own, Ownership::Unknown) { vec![] } else { observe(&sight, &mut self.state, &mut self.memo) };
        self.events.extend(told);
        vms
    }

    /// A cluster that the manager may be working on keeps its turn, whatever the wanted state is now, until
    /// the manager has finished or no longer has the task.
    fn claim(&self, decided: Claim, has_turn: bool, now: Mono) -> Claim {
        // Facts about the manager from before its answer are obsolete.
        let answered = |verb| match self.state.journal.existence(verb) {
            Existence::Answered(end) => self.seen.cluster.after(end).is_none(),
            _ => false,
        };
        if has_turn && (answered(Verb::Found) || answered(Verb::Resume)) {
            return Claim::AtManager;
        }
        let forgotten =
            self.findings.stuck(&self.seen, now).is_some_and(|stuck| stuck >= self.controller.policy.stuck_after);
        if turns::is_at_manager(&self.state) && !forgotten { Claim::AtManager } else { decided }
    }

    fn decide(&self, pass: Pass, own: &Ownership, place: Option<Place>, now: Mono) -> Decision {
        decide(&View {
            pass,
            record: &self.record,
            state: &self.state,
            seen: &self.seen,
            own,
            provision: self.controller.site.provision.as_ref(),
            marks: &self.controller.marks,
            troubles: &self.troubles,
            findings: &self.findings,
            in_flight: &self.in_flight,
            waves: self.waves,
            policy: &self.controller.policy,
            networks: &self.controller.site.networks,
            now,
            turn: self.seat.turn(pass),
            waits: place.is_some(),
        })
    }

    fn note_conditions(&mut self, own: &Ownership, conflict: Option<Failure>, place: Option<Place>, now: Mono) {
        let signs = Signs {
            own,
            seen: &self.seen,
            troubles: &self.troubles,
            port: conflict.map(|f| (f.code.clone(), f.to_string())),
            place,
            stuck: self.findings.stuck(&self.seen, now),
            stuck_after: self.controller.policy.stuck_after,
            now: self.controller.clock.now(),
            mono: now,
        };
        let told = health::conditions(&signs, &mut self.state);
        self.events.extend(told);
    }
}
