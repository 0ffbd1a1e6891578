//! The actions for ports and cards: keep them as long as the cluster is wanted, and remove all of them
//! afterwards.

use super::{Draft, Outcome};
use crate::action::{Action, Key};
use crate::attach::{self, Bond};
use crate::ids::{PortId, SegmentKey};
use crate::intent::Verb;
use crate::own::{self, OurVm, Ours};
use crate::systems::networking::PortRequest;
use crate::wanted::Goal;

impl Draft<'_> {
    pub(super) fn keep_ports(&mut self, ours: &Ours, segment: &SegmentKey) {
        let view = self.view;
        let Some(owner) = view.owner() else {
            return;
        };
        let plan = attach::plan(&Bond { owner, marks: view.marks, networks: view.networks }, segment);
        if let Some((_, failure)) = plan.conflicts.first() {
            self.conflict = Some(failure.clone());
            // The request may have corrected what an earlier list showed.
            if view.seen.ports.whole_after(view.findings.begun).is_none() {
                self.act(Action::ListPorts);
            } else if view.record.shape.goal == Goal::Running {
                self.fail(failure.clone());
            }
        }
        self.create_ports(ours, plan.create);
        let repairs = plan.repair.into_iter().map(|(port, change)| Action::Repair(port, change));
        let attachments = self.attachments(plan.attach);
        let indices = plan.index.into_iter().map(|(port, index)| Action::SetIndex(port, index));
        let removals = plan.remove.into_iter().map(Action::DeletePort);
        self.some_of(repairs.chain(attachments).chain(indices).chain(removals));
    }

    /// vCenter runs one task at a time on a VM, and BDE does not repeat a task that was refused for that reason
    /// (Serengeti, `VcTask.java`): a card is edited only when the provisioner is done with its VM.
    fn attachments(&mut self, wanted: Vec<(OurVm, i32, PortId)>) -> Vec<Action> {
        let view = self.view;
        let edits: Vec<_> = wanted.into_iter().map(|(vm, key, port)| Action::Attach(vm, key, port)).collect();
        // Those that failed a moment ago need no look yet.
        let due = |edit: &Action| view.troubles.wait(&edit.keys(), view.now).is_none();
        if edits.iter().any(due) && !view.provision.spares_vms(self) { vec![] } else { edits }
    }

    /// Waves of ports that have not failed, and one request for each port that has, so that one bad MAC
    /// does not block the others.
    fn create_ports(&mut self, ours: &Ours, wanted: Vec<PortRequest>) {
        let view = self.view;
        let (at_a_time, size) = view.policy.waves_on(view.networks.backend);
        let mut free = at_a_time.saturating_sub(view.waves);
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
                        // It may exist after all, or be foreign.
                        self.act(Action::ListPorts);
                    } else if trouble.is_lasting() {
                        alone.push(request);
                    } else {
                        together.push(request);
                    }
                }
            }
        }
        for wave in together.chunks(size).chain(alone.chunks(1)) {
            if free == 0 {
                break;
            }
            free -= 1;
            self.act(Action::CreatePorts(*ours, wave.to_vec()));
        }
    }

    /// As many of these as may run at a time, without those that are in flight or failed a moment ago.
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

    /// The VMs are gone, or are not ours: delete our ports, then release the registration. Only a list that
    /// was requested after the last write had ended proves that no port is left.
    pub(super) fn leave_nothing(&mut self) {
        let view = self.view;
        if view.in_flight.iter().any(|k| matches!(k, Key::Mac(_))) {
            return; // a create of a port is in flight; its port must be known before it can be deleted
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
