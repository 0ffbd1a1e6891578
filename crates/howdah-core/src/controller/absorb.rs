//! Taking in what an action learnt, and what its failure means.
//!
//! ```text
//!  failure        | what happens
//!  ---------------+---------------------------------------------------------------
//!  passing        | tried again after a pause; too long: the operation fails
//!  lasting        | the operation fails at once; between operations: a warning,
//!                 | and another try after the longest pause
//!  create: taken  | ours if an earlier try may have got through, else a failure
//!  create: unclear| looked up before it is tried again
//!  ports: a MAC   | the ports are listed again; what is ours is adopted, and what is
//!  is in use      | not is named
//! ```

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::act::Answer;
use super::session::{Session, Trouble};
use crate::action::Action;
use crate::cluster::{CreateCall, Event, Level, OperationState};
use crate::decide::since;
use crate::failure::{ErrorKind, Failure, RemoteError, chain, clause};
use crate::traits::Remote;
use crate::{preflight, report, segment};

impl Session<'_> {
    pub(super) fn absorb(&mut self, action: Action, answer: Remote<Answer>, now: Timestamp) {
        match answer {
            Ok(answer) => {
                if !matches!(answer, Answer::Segment(Ok(None), _) | Answer::Indexed(..)) {
                    self.calm(&action);
                }
                self.learn(&action, answer, now);
            }
            Err(error) => self.failed(&action, &error, now),
        }
    }

    fn calm(&mut self, action: &Action) {
        for key in action.keys() {
            self.trouble.remove(&key);
        }
    }

    fn learn(&mut self, action: &Action, answer: Answer, now: Timestamp) {
        match answer {
            Answer::Segment(Ok(Some(found)), _) => {
                self.tell(now, Level::Info, "port_group_found", format!("The network's port group is {}.", found.name));
                self.state.segment = Some(found);
            }
            Answer::Segment(Ok(None), looked_at) => self.no_segment_yet(action, looked_at, now),
            Answer::Segment(Err(failure), _) | Answer::Checked(Err(failure)) => self.fail(failure, now),
            Answer::Checked(Ok(())) => {
                if let Some(operation) = &mut self.state.operation {
                    operation.checked = true;
                }
            }
            Answer::Ports(features, ports) => {
                self.seen.features = Some(features);
                self.seen.ports = Some(ports);
                self.seen.ports_at = Some(now);
            }
            Answer::Registered(name) => {
                if !name.is_empty() {
                    self.tell(now, Level::Info, "network_registered", format!("BDE knows the network as {name}."));
                    self.state.registration = Some(name);
                }
            }
            Answer::Looked(cluster, task) => {
                if cluster.is_some() && matches!(self.state.create_call, CreateCall::Sent { .. }) {
                    self.state.create_call = CreateCall::Accepted;
                }
                self.seen.manager = Some(cluster);
                self.seen.manager_at = Some(now);
                self.seen.task = task;
            }
            Answer::Task(task) => {
                if matches!(action, Action::Create(_)) {
                    self.state.create_call = CreateCall::Accepted;
                }
                if let Some(task) = task {
                    self.tell(now, Level::Info, "bde_task", format!("BDE works on it: task {task}."));
                    self.state.task = Some(task);
                }
                self.seen.forget_manager();
            }
            Answer::Made(ports) => {
                self.port_error = None;
                self.seen.learn_ports(ports);
            }
            Answer::Indexed(port, held) => self.index_held(action, &port, held, now),
            Answer::Deleted(port) => {
                if let Some(ports) = &mut self.seen.ports {
                    ports.retain(|p| p.id != port);
                }
            }
            Answer::Unregistered => self.state.registration = None,
            Answer::Done => {}
        }
    }

    fn no_segment_yet(&mut self, action: &Action, looked_at: usize, now: Timestamp) {
        let started = self.state.operation.as_ref().map_or(now, |o| o.started);
        if since(started, now) >= self.controller.policy.segment_patience {
            self.fail(segment::not_found(&self.record.spec.network, looked_at), now);
        }
        self.pause(action, now);
    }

    /// NSX-v answers 200 and does nothing if the port does not suit it: only the value that is
    /// read back counts.
    fn index_held(&mut self, action: &Action, port: &crate::ids::PortId, held: Option<u32>, now: Timestamp) {
        if let Some(known) = self.seen.ports.iter_mut().flatten().find(|p| p.id == *port) {
            known.vnic_index = held;
        }
        let Action::SetIndex(_, wanted) = action else {
            return;
        };
        if held == Some(*wanted) {
            self.calm(action);
        } else {
            let error = RemoteError::new(
                crate::failure::System::Neutron,
                ErrorKind::Unavailable,
                "vnic_index_not_taken",
                format!("port {port} was told vnic_index {wanted} and answered as if it took it, but holds none"),
            )
            .hint("NSX may not know the VM yet, or the port's device owner or id does not suit it.");
            self.failed(action, &error, now);
        }
    }

    // ------------------------------------------------------------ failures

    fn failed(&mut self, action: &Action, error: &RemoteError, now: Timestamp) {
        tracing::warn!(cluster = %self.record.id, purpose = action.purpose(), error = %chain(error), "failed");
        if matches!(action, Action::CreatePorts(_)) {
            self.port_error = Some(clause(error));
        }
        match action {
            Action::Create(prior) => return self.create_failed(action, *prior, error, now),
            Action::CreatePorts(_) if error.kind == ErrorKind::Conflict || error.kind.is_ambiguous() => {
                // Some of them may exist: look before the next try.
                self.seen.ports = None;
                return self.pass_over(action, error, now);
            }
            Action::Register if error.kind == ErrorKind::Conflict => {
                return self.pass_over(action, error, now);
            }
            Action::Change(_) | Action::Delete if error.kind == ErrorKind::Conflict || error.kind.is_transient() => {
                // Its state has changed under us, or the call may have got through: look again,
                // and let the next decision ask once more if that is still needed.
                self.forget_asked(action);
                self.seen.forget_manager();
                return self.pass_over(action, error, now);
            }
            _ => {}
        }
        if error.kind.is_transient() {
            self.pass_over(action, error, now);
        } else {
            self.pause(action, now);
            self.fail(report::call_failed(action.purpose(), error, 1, Duration::ZERO), now);
        }
    }

    fn create_failed(&mut self, action: &Action, prior: CreateCall, error: &RemoteError, now: Timestamp) {
        self.seen.forget_manager();
        self.forget_asked(action);
        if error.kind == ErrorKind::Conflict {
            if prior == CreateCall::NotSent {
                self.state.create_call = CreateCall::NotSent;
                return self.fail(preflight::name_taken(&self.record), now);
            }
            // An earlier try got through after all.
            self.state.create_call = CreateCall::Accepted;
            return;
        }
        if !error.kind.is_ambiguous() {
            self.state.create_call = prior;
        }
        if error.kind.is_transient() {
            return self.pass_over(action, error, now);
        }
        self.pause(action, now);
        self.fail(report::call_failed(action.purpose(), error, 1, Duration::ZERO), now);
    }

    fn forget_asked(&mut self, action: &Action) {
        use crate::cluster::Asked;
        let asked = match action {
            Action::Create(_) => Asked::Create,
            Action::Change(change) => Asked::Change(*change),
            Action::Delete => Asked::Delete,
            _ => return,
        };
        if let Some(operation) = &mut self.state.operation {
            operation.asked.retain(|a| *a != asked);
        }
    }

    /// Holds the action back for a while; gives up when it has failed for too long.
    fn pass_over(&mut self, action: &Action, error: &RemoteError, now: Timestamp) {
        let trouble = self.pause(action, now);
        let over = since(trouble.since, now);
        if trouble.tries == 1 {
            let message = format!("Could not {} and will try again: {}.", action.purpose(), clause(error));
            self.tell(now, Level::Warning, "will_retry", message);
        }
        if over >= self.controller.policy.call_patience {
            self.fail(report::call_failed(action.purpose(), error, trouble.tries, over), now);
        }
    }

    fn pause(&mut self, action: &Action, now: Timestamp) -> Trouble {
        let mut last = Trouble { since: now, tries: 0, not_before: now };
        for key in action.keys() {
            let next = self.next_trouble(self.trouble.get(&key).copied(), now);
            self.trouble.insert(key, next);
            last = next;
        }
        last
    }

    /// The pause after one more failure: doubled each time, with jitter.
    pub(super) fn next_trouble(&self, before: Option<Trouble>, now: Timestamp) -> Trouble {
        let policy = &self.controller.policy;
        let tries = before.map_or(0, |t| t.tries) + 1;
        let full = policy.retry_first.saturating_mul(2u32.saturating_pow(tries - 1)).min(policy.retry_max);
        let wait = full.mul_f64(0.5 + self.controller.entropy.fraction() / 2.0);
        let not_before = now.saturating_add(SignedDuration::try_from(wait).unwrap_or_default()).unwrap_or(now);
        Trouble { since: before.map_or(now, |t| t.since), tries, not_before }
    }

    /// Ends the running operation badly; between operations, tells of the failure once.
    fn fail(&mut self, failure: Failure, now: Timestamp) {
        let running = self.state.operation.as_ref().is_some_and(|o| o.state == OperationState::Running);
        if running {
            self.finish(OperationState::Failed, Some(failure), now);
        } else {
            self.tell(now, Level::Warning, &failure.code, failure.to_string());
        }
    }

    fn tell(&mut self, now: Timestamp, level: Level, reason: &str, message: String) {
        self.events.push(Event { at: now, level, reason: reason.to_owned(), node: None, message });
    }
}
