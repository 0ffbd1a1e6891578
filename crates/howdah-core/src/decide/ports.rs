//! What is done to ports and cards: kept as long as the cluster is wanted, removed to the last one
//! when it is not.

use super::{Draft, Outcome};
use crate::action::{Action, Key};
use crate::attach::{self, Bond};
use crate::ids::SegmentKey;
use crate::intent::Verb;
use crate::own::{self, Ours};
use crate::systems::networking::PortRequest;
use crate::wanted::Goal;

impl Draft<'_> {
    pub(super) fn keep_ports(&mut self, ours: &Ours, segment: &SegmentKey) {
        let view = self.view;
        let Some(owner) = view.owner() else {
            return;
        };
        let plan = attach::plan(&Bond { owner, marks: view.marks, backend: view.backend }, segment);
        if let Some((_, failure)) = plan.conflicts.first() {
            self.conflict = Some(failure.clone());
            // What was listed before the request may have been put right since.
            if view.seen.ports.whole_after(view.findings.begun).is_none() {
                self.act(Action::ListPorts);
            } else if view.record.shape.goal == Goal::Running {
                self.fail(failure.clone());
            }
        }
        self.create_ports(ours, plan.create);
        let repairs = plan.repair.into_iter().map(|(port, change)| Action::Repair(port, change));
        let attachments = plan.attach.into_iter().map(|(vm, key, port)| Action::Attach(vm, key, port));
        let indices = plan.index.into_iter().map(|(port, index)| Action::SetIndex(port, index));
        let removals = plan.remove.into_iter().map(Action::DeletePort);
        self.some_of(repairs.chain(attachments).chain(indices).chain(removals));
    }

    /// Waves of ports that have not failed; one request for each that has, so that what is wrong
    /// with one MAC holds back no other.
    fn create_ports(&mut self, ours: &Ours, wanted: Vec<PortRequest>) {
        let view = self.view;
        let mut free = view.policy.port_waves.saturating_sub(view.waves);
        let (mut together, mut alone) = (vec![], vec![]);
        for request in wanted {
            let key = Key::Mac(request.mac);
            match view.troubles.get(&key) {
                _ if view.in_flight.contains(&key) => {}
                None => together.push(request),
                Some(trouble) => {
                    let wait = trouble.not_before.since(view.now);
                    if !wait.is_zero() {
                        self.again = self.again.min(wait);
                    } else if view.seen.ports.whole_after(trouble.look_after).is_none() {
                        // It may have been made after all, or belong to somebody else.
                        self.act(Action::ListPorts);
                    } else if trouble.is_lasting() {
                        alone.push(request);
                    } else {
                        together.push(request);
                    }
                }
            }
        }
        for wave in together.chunks(view.policy.wave_size).chain(alone.chunks(1)) {
            if free == 0 {
                break;
            }
            free -= 1;
            self.act(Action::CreatePorts(*ours, wave.to_vec()));
        }
    }

    /// As many of these as may run at a time, those left out that run or failed a moment ago.
    fn some_of(&mut self, actions: impl Iterator<Item = Action>) {
        let view = self.view;
        let under_way = view.in_flight.iter().filter(|k| matches!(k, Key::Port(_) | Key::Vm(_))).count();
        let mut free = view.policy.single_calls.saturating_sub(under_way);
        for action in actions {
            if free == 0 {
                break;
            }
            let before = self.actions.len();
            self.act(action);
            free -= self.actions.len() - before;
        }
    }

    /// The VMs are gone, or are not ours; our ports go next, our use of the registration last.
    /// "There is none left" is read off a list that was asked for after the last write had ended.
    pub(super) fn leave_nothing(&mut self) {
        let view = self.view;
        if view.in_flight.iter().any(|k| matches!(k, Key::Mac(_))) {
            return; // a port is just being made; it has to be known before it can be deleted
        }
        let ours = |p| own::marked(view.pass, view.record, view.state, view.marks, p);
        let left: Vec<_> = view.seen.ports.present().filter_map(ours).collect();
        if !left.is_empty() {
            return self.some_of(left.into_iter().map(Action::DeletePort));
        }
        let Some(floor) = view.ports_floor() else {
            let until = view.state.journal.open_until(&[Verb::Ports]);
            self.again = self.again.min(until.map_or(view.policy.manager_poll, |u| u.since(view.now)));
            return;
        };
        if view.seen.ports.whole_after(floor).is_none() {
            self.act(Action::ListPorts);
        } else if view.findings.released {
            self.end(Outcome::Removed);
        } else {
            self.act(Action::Release);
        }
    }
}
