//! Records the answer of an action, or the consequences of its failure.
//!
//! ```text
//!  failure          | what happens
//!  -----------------+--------------------------------------------------------------------
//!  any              | a trouble: retried after a growing pause; whether it ends the
//!                   | operation is decided in `decide`, and only for its own operation
//!  of a write, with | the journal says `unknown`; a look requested after it settled decides
//!  its answer lost  |
//!  create: taken    | refused; unknown, if an earlier try may have succeeded
//!  create: network  | the registration, or the port group, is looked up again
//!  not known        |
//!  ports: a MAC is  | the ports are listed again before the next try; what is ours is taken
//!  in use           | over, and foreign ports are reported
//! ```
//!
//! Invariant: an answer adds knowledge as of the moment when its question was sent. It never
//! ends an operation, in particular not a newer one.

use std::collections::HashSet;
use std::sync::Arc;

use crate::action::{Action, Key};
use crate::event::{Event, Level};
use crate::failure::{ErrorKind, RemoteError, System, chain};
use crate::ids::{Mac, OperationId, PortId};
use crate::intent::{Call, Verb};
use crate::mark::Mark;
use crate::own;
use crate::segment;
use crate::site::keeper::Told;
use crate::systems::Remote;
use crate::systems::manager::TaskState;
use crate::systems::networking::Port;
use crate::time::Stamp;
use crate::trouble::Failed;

use super::Controller;
use super::act::{Answer, Flight, Look};
use super::session::Session;

/// Reported once per operation.
const RIGHTS_UNKNOWN: &str = "The create had to wait, and Howdah could not verify that the requester still has the \
    right to it: Keystone does not let the service's account list role assignments. The create continues.";

impl Session<'_> {
    pub(super) fn absorb(&mut self, flight: Flight, answer: Remote<Answer>) {
        let ended = self.controller.ticker.tick();
        self.note(&flight, &answer, ended);
        match answer {
            Ok(answer) => {
                // The branches below decide whether these two had their effect.
                if !matches!(answer, Answer::Segment(Ok(None), _) | Answer::Indexed(..)) {
                    self.troubles.calm(&flight.action.keys());
                }
                self.learn(&flight, answer, ended);
            }
            Err(error) => self.failed(&flight, &error, ended),
        }
    }

    /// The part of the answer that the journal keeps.
    fn note(&mut self, flight: &Flight, answer: &Remote<Answer>, ended: Stamp) {
        let now = self.controller.clock.mono();
        let policy = &self.controller.policy;
        match flight.action.call() {
            None => {}
            Some(Call { verb: Verb::Ports, .. }) => {
                self.findings.ports_ended = ended;
                if answer.as_ref().is_err_and(|e| e.kind.is_ambiguous()) {
                    self.ports_settle = self.ports_settle.max(Some(now.plus(policy.ports_settle)));
                }
            }
            Some(call) => {
                let journal = &mut self.state.journal;
                let earlier = journal.get(call.clone()).is_some_and(|i| i.earlier);
                match answer {
                    Ok(Answer::Task(task)) => journal.done(call, task.clone(), ended),
                    Ok(_) => journal.done(call, None, ended),
                    Err(e) if e.kind.is_ambiguous() => journal.lost(call, ended, now, policy),
                    // The cluster of that name may come from an earlier try.
                    Err(e) if e.kind == ErrorKind::Conflict && earlier => journal.lost(call, ended, now, policy),
                    Err(_) => {
                        let founding = call.verb == Verb::Found;
                        journal.refused(call, ended);
                        if founding {
                            // A cluster that was seen while the answer was open does not belong to this call.
                            own::forget_vms(&mut self.state);
                        }
                    }
                }
            }
        }
        if matches!(flight.action, Action::DeletePort(_)) {
            self.findings.ports_ended = ended;
        }
    }

    fn learn(&mut self, flight: &Flight, answer: Answer, ended: Stamp) {
        let now = self.controller.clock.mono();
        let current = self.state.operation.as_ref().map(|o| o.id) == flight.operation;
        match answer {
            Answer::Segment(Ok(Some(found)), _) => {
                self.tell(Level::Info, "port_group_found", format!("The network's port group is {}.", found.name));
                self.state.segment = Some(found);
            }
            Answer::Segment(Ok(None), looked_at) => {
                let failure = segment::not_found(&self.record.spec.network, looked_at);
                let error = RemoteError {
                    hint: failure.hint,
                    ..RemoteError::new(System::VCenter, ErrorKind::Unavailable, segment::NOT_FOUND, failure.message)
                };
                self.failed(flight, &error, ended);
            }
            Answer::Segment(Err(failure), _) | Answer::Checked(Err(failure), _) => {
                self.findings.refused = current.then_some(failure);
            }
            Answer::Checked(Ok(()), hidden) => {
                if hidden && !std::mem::replace(&mut self.findings.told_rights_unknown, true) {
                    self.tell(Level::Warning, "requester_rights_unknown", RIGHTS_UNKNOWN.to_owned());
                }
                if let Some(operation) = self.state.operation.as_mut().filter(|_| current) {
                    operation.checked = true;
                    self.findings.checked_at = Some(now);
                }
            }
            Answer::Ports(features, Told { answer, asked, asked_at }) => {
                self.seen.features = Some(features);
                let macs = self.seen.vms.values().flat_map(|vm| &vm.nics).filter_map(|nic| nic.mac).collect();
                let ours = answer.iter().filter(|p| self.concerns_us(p, &macs)).cloned();
                self.seen.ports.complete(asked, asked_at, ours.map(|p| (p.id.clone(), p)).collect::<Vec<_>>());
            }
            Answer::Registered(name) => {
                if !name.is_empty() {
                    self.tell(Level::Info, "network_registered", format!("The network's name in BDE is {name}."));
                    self.state.registration = Some(name);
                }
            }
            Answer::Looked(look) => self.looked(look),
            Answer::Vms(vms) => {
                self.seen.checked.learn(
                    flight.asked,
                    flight.asked_at,
                    vms.into_iter().map(|vm| (vm.vm.clone(), Arc::new(vm))).collect(),
                );
            }
            Answer::Task(task) => {
                if let Some(task) = task {
                    self.tell(Level::Info, "bde_task", format!("BDE runs the task {task} for the cluster."));
                }
            }
            Answer::Made(ports) => self.seen.ports.partial(ended, ports.into_iter().map(|p| (p.id.clone(), p))),
            Answer::Indexed(port, held) => self.index_held(flight, &port, held, ended),
            Answer::Deleted(port) => {
                self.seen.ports.remove(ended, &port);
                self.state.ports.remove(&port);
            }
            Answer::Attached(port) => self.attached(&flight.action, &port),
            Answer::Released => {
                self.findings.released = true;
                self.state.registration = None;
            }
        }
    }

    /// The ports on a network that have a mark of this cluster, are known, or have a MAC of one of its VMs.
    fn concerns_us(&self, port: &Port, macs: &HashSet<Mac>) -> bool {
        let marked = || Mark::parse(&port.description).is_some_and(|m| m.cluster == self.record.id);
        macs.contains(&port.mac) || self.state.ports.contains_key(&port.id) || marked()
    }

    fn looked(&mut self, Look { cluster, task, tasks, asked, asked_at }: Look) {
        let before = self.seen.cluster.last().and_then(Option::as_ref).map(|c| c.status);
        let status = cluster.as_ref().map(|c| c.status);
        let runs = task.as_ref().is_some_and(|t| t.state == TaskState::Running);
        let name = self.record.name.as_str();
        let others_run =
            tasks.as_ref().is_none_or(|all| all.iter().any(|t| t.target == name && t.state == TaskState::Running));
        if !self.seen.cluster.learn(asked, asked_at, cluster) {
            return; // a newer query has been answered already
        }
        self.seen.task.learn(asked, asked_at, task);
        if let Some(tasks) = tasks {
            self.seen.tasks.learn(asked, asked_at, tasks);
        }
        if status != before || self.seen.status_since == Stamp::START {
            self.seen.status_since = self.controller.ticker.tick();
        }
        let idle = status.is_some_and(|s| !s.is_stable()) && !runs && !others_run;
        self.findings.stuck_since =
            if idle { self.findings.stuck_since.or(Some(self.controller.clock.mono())) } else { None };
    }

    /// vCenter's update reports it too, a moment later; until then Howdah does not repeat the call.
    fn attached(&mut self, action: &Action, port: &PortId) {
        let Action::Attach(vm, key, _) = action else {
            return;
        };
        let nics = self.seen.vms.get_mut(vm.vm()).into_iter().flat_map(|vm| &mut Arc::make_mut(vm).nics);
        for nic in nics.filter(|nic| nic.key == *key) {
            nic.external_id = Some(port.to_string());
        }
    }

    /// NSX-v answers 200 and does nothing if it rejects the port: only the value that Neutron returns
    /// afterwards counts.
    fn index_held(&mut self, flight: &Flight, port: &PortId, held: Option<u32>, ended: Stamp) {
        if let Some(known) = self.seen.ports.get(port).cloned() {
            self.seen.ports.partial(ended, [(port.clone(), Port { vnic_index: held, ..known })]);
        }
        let Action::SetIndex(_, wanted) = &flight.action else {
            return;
        };
        if held == Some(*wanted) {
            self.troubles.calm(&flight.action.keys());
        } else {
            let error = RemoteError::new(
                System::Neutron,
                ErrorKind::Unavailable,
                "vnic_index_not_taken",
                format!("Neutron accepted vnic_index {wanted} for port {port}, but the port has none"),
            )
            .hint("NSX may not know the VM yet, or it rejects the port's device owner or device ID.");
            self.failed(flight, &error, ended);
        }
    }

    // ------------------------------------------------------------ failures

    fn failed(&mut self, flight: &Flight, error: &RemoteError, ended: Stamp) {
        let action = &flight.action;
        tracing::warn!(cluster = %self.record.id, purpose = action.purpose(), error = %chain(error), "failed");
        // A failure that contradicts a remembered fact invalidates it; the next try uses a new lookup.
        let passing = self
            .contradicts_what_is_remembered(action, error)
            .then(|| RemoteError { kind: ErrorKind::Unavailable, ..error.for_others() });
        let error = passing.as_ref().unwrap_or(error);
        let needed = action.is_needed(self.record.shape.goal, self.controller.site.networks.require_attachment);
        self.in_trouble(action.keys(), action.purpose(), error, flight.operation.filter(|_| needed), ended);
    }

    /// Records a failure and the time of the next try.
    pub(super) fn in_trouble(
        &mut self,
        keys: Vec<Key>,
        purpose: &'static str,
        error: &RemoteError,
        operation: Option<OperationId>,
        ended: Stamp,
    ) {
        let Controller { policy, entropy, clock, .. } = self.controller;
        let failed = Failed { keys, purpose, error, operation, ended, now: clock.mono() };
        self.troubles.add(&failed, |tries| policy.pause(tries, entropy.as_ref()));
    }

    /// Whether the answer contradicts a remembered fact; the fact is then forgotten.
    fn contradicts_what_is_remembered(&mut self, action: &Action, error: &RemoteError) -> bool {
        match (action, error.code) {
            (Action::Create(..), "bde_network_not_found") => self.state.registration.take().is_some(),
            (Action::Register(_), "bde_port_group_not_found") => self.state.segment.take().is_some(),
            // The port no longer exists.
            (Action::Repair(port, _) | Action::SetIndex(port, _), _) if error.kind == ErrorKind::NotFound => {
                let gone = self.controller.ticker.tick();
                self.seen.ports.remove(gone, port.port());
                true
            }
            _ => false,
        }
    }

    pub(super) fn tell(&mut self, level: Level, reason: &str, message: String) {
        let at = self.controller.clock.now();
        self.events.push(Event { at, level, reason: reason.to_owned(), node: None, message });
    }
}
