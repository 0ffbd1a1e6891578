//! A test for each arrow of the drawing in [`super`].

use uuid::Uuid;

use super::*;
use crate::cluster::{ClusterStatus, OperationKind, OperationProgress, OperationRequest};
use crate::facts::{ManagedTask, Power, Tools, VmFacts};
use crate::ids::{Mac, OperationId};
use crate::observe::observe;
use crate::test_support::{at, good_port, managed, record, seen, segment, state, vm};

/// A situation that tests bend to their purpose.
struct Case {
    record: ClusterRecord,
    state: ClusterState,
    seen: Seen,
    in_flight: BTreeSet<Key>,
    waves: usize,
    policy: Policy,
    backend: NetworkBackend,
    now: i64,
}

impl Case {
    /// Wanted running, checked, registered, accepted; ports listed and the manager just looked at.
    fn running(status: ManagedStatus) -> Self {
        let mut state = state();
        state.segment = Some(segment());
        state.registration = Some("net".into());
        state.create_call = CreateCall::Accepted;
        if let Some(o) = &mut state.operation {
            o.asked.push(Asked::Create);
        }
        let mut seen = seen(vec![], vec![]);
        seen.manager = Some(Some(managed(status)));
        seen.manager_at = Some(at(0));
        let policy = Policy::default();
        let (in_flight, record) = (BTreeSet::new(), record());
        Self { record, state, seen, in_flight, waves: 0, policy, backend: NetworkBackend::NsxV, now: 0 }
    }

    fn wanted(mut self, wanted: Wanted, kind: OperationKind) -> Self {
        self.record.wanted = wanted;
        let request = OperationRequest { id: OperationId(Uuid::from_u128(3)), kind, requested: at(0) };
        self.state.operation = Some(OperationProgress { id: request.id, kind, asked: vec![], ..self.operation() });
        self.record.operation = request;
        self
    }

    fn operation(&self) -> OperationProgress {
        self.state.operation.clone().unwrap()
    }

    fn decide(&mut self) -> Decision {
        let now = at(self.now);
        observe(&self.record, &mut self.state, &self.seen, self.backend, now);
        decide(&View {
            record: &self.record,
            state: &self.state,
            seen: &self.seen,
            in_flight: &self.in_flight,
            waves: self.waves,
            policy: &self.policy,
            backend: self.backend,
            now,
        })
    }

    fn failure(&mut self) -> String {
        match self.decide().outcome {
            Some(Outcome::Failed(f)) => format!("{}: {f}", f.code),
            other => panic!("no failure but {other:?}"),
        }
    }
}

fn addressed() -> VmFacts {
    let mut up = vm();
    up.power = Power::On;
    up.tools = Tools::Running;
    up.nics[0].addresses = vec!["10.0.0.5".parse().unwrap()];
    up
}

fn indexed() -> crate::facts::Port {
    crate::facts::Port { vnic_index: Some(0), ..good_port() }
}

#[test]
fn at_first_everything_is_looked_up_at_once() {
    let mut case = Case::running(ManagedStatus::Running);
    case.state = state();
    case.seen = Seen::default();
    assert_eq!(case.decide().actions, [Action::ListPorts, Action::Check, Action::FindSegment]);
    case.state.segment = Some(segment());
    case.in_flight = [Key::Ports, Key::Check].into();
    assert_eq!(case.decide().actions, [], "nothing is asked twice, and nothing is registered unchecked");
    if let Some(o) = &mut case.state.operation {
        o.checked = true;
    }
    case.in_flight = [Key::Ports].into();
    assert_eq!(case.decide().actions, [Action::Register]);
    case.state.registration = Some("net".into());
    assert_eq!(case.decide().actions, [Action::Look]);
    case.seen.manager = Some(None);
    assert_eq!(case.decide().actions, [Action::Create(CreateCall::NotSent)]);
    case.in_flight.insert(Key::Manager);
    assert_eq!(case.decide().actions, []);
}

#[test]
fn a_create_whose_answer_was_lost_is_sent_again_only_if_the_cluster_is_not_there() {
    let mut case = Case::running(ManagedStatus::Provisioning);
    case.state.create_call = CreateCall::Sent { at: at(0) };
    case.seen.manager = None;
    assert_eq!(case.decide().actions, [Action::Look]);
    case.seen.manager = Some(None);
    assert_eq!(case.decide().actions, [Action::Create(CreateCall::Sent { at: at(0) })]);
}

#[test]
fn a_cluster_of_somebody_else_is_not_taken() {
    let mut case = Case::running(ManagedStatus::Running);
    case.state.create_call = CreateCall::NotSent;
    if let Some(o) = &mut case.state.operation {
        o.checked = true;
    }
    insta::assert_snapshot!(case.failure());
}

#[test]
fn the_manager_is_asked_again_after_its_pause() {
    let mut case = Case::running(ManagedStatus::Provisioning);
    let decision = case.decide();
    assert_eq!((decision.actions, decision.again), (vec![], case.policy.manager_poll));
    case.now = 3;
    assert_eq!(case.decide().actions, [Action::Look]);
}

#[test]
fn new_cards_get_their_ports_in_waves() {
    let mut case = Case::running(ManagedStatus::Provisioning);
    case.policy.wave_size = 2;
    case.policy.port_waves = 2;
    for n in 0..5u8 {
        let mut vm = vm();
        vm.vm = format!("vm-{n}").as_str().into();
        vm.name = Some(format!("c-worker-{n}").as_str().into());
        vm.nics[0].mac = Some(Mac::new([0, 80, 86, 0, 0, n]));
        case.seen.vms.insert(vm.vm.clone(), vm);
    }
    let sizes = |d: &Decision| -> Vec<usize> {
        d.actions.iter().map(|a| if let Action::CreatePorts(r) = a { r.len() } else { 0 }).collect()
    };
    assert_eq!(sizes(&case.decide()), [2, 2]);
    case.waves = 1;
    case.in_flight = [Key::Mac(Mac::new([0, 80, 86, 0, 0, 0])), Key::Mac(Mac::new([0, 80, 86, 0, 0, 1]))].into();
    assert_eq!(sizes(&case.decide()), [2], "one wave is under way, its cards are not asked for again");
}

#[test]
fn the_index_is_set_and_then_every_node_counts() {
    let mut case = Case::running(ManagedStatus::Provisioning);
    case.seen.vms.insert("vm-1".into(), addressed());
    case.seen.ports = Some(vec![good_port()]);
    let decision = case.decide();
    assert_eq!(decision.actions, [Action::SetIndex(good_port().id, 0)]);
    assert_eq!(decision.outcome, None, "an address without the index is not done");
    case.seen.ports = Some(vec![indexed()]);
    assert_eq!(case.decide().outcome, Some(Outcome::Succeeded));
    if let Some(Some(c)) = &mut case.seen.manager {
        c.node_count = 2;
    }
    assert_eq!(case.decide().outcome, None, "a node that is still to come is waited for");
}

#[test]
fn services_are_waited_for_if_asked() {
    let mut case = Case::running(ManagedStatus::Provisioning);
    case.record.spec.wait_for = WaitFor::Services;
    case.seen.vms.insert("vm-1".into(), addressed());
    case.seen.ports = Some(vec![indexed()]);
    assert_eq!(case.decide().outcome, None);
    case.seen.manager = Some(Some(managed(ManagedStatus::Running)));
    assert_eq!(case.decide().outcome, Some(Outcome::Succeeded));
}

#[test]
fn a_failed_create_is_resumed_by_the_next_request_once() {
    let mut case = Case::running(ManagedStatus::ProvisionError);
    case.seen.task = Some(ManagedTask {
        id: "7".into(),
        state: TaskState::Failed,
        progress: 0.3,
        error: Some("Failed to query IP address".into()),
    });
    insta::assert_snapshot!(case.failure());
    let mut case = case.wanted(Wanted::Running, OperationKind::Create);
    assert_eq!(case.decide().actions, [Action::Change(ManagedChange::Resume)]);
    if let Some(o) = &mut case.state.operation {
        o.asked.push(Asked::Change(ManagedChange::Resume));
    }
    assert!(case.failure().starts_with("bde_failed: "));
}

#[test]
fn stop_and_start() {
    let mut case = Case::running(ManagedStatus::Provisioning).wanted(Wanted::Stopped, OperationKind::Stop);
    assert_eq!(case.decide().actions, [], "BDE refuses a stop while it provisions");
    case.seen.manager = Some(Some(managed(ManagedStatus::Running)));
    assert_eq!(case.decide().actions, [Action::Change(ManagedChange::Stop)]);
    case.seen.manager = Some(Some(managed(ManagedStatus::Stopping)));
    assert_eq!(case.decide().actions, []);
    case.seen.manager = Some(Some(managed(ManagedStatus::Stopped)));
    assert_eq!(case.decide().outcome, Some(Outcome::Succeeded));

    let mut case = case.wanted(Wanted::Running, OperationKind::Start);
    assert_eq!(case.decide().actions, [Action::Change(ManagedChange::Start)]);
    if let Some(o) = &mut case.state.operation {
        o.asked.push(Asked::Change(ManagedChange::Start));
    }
    case.seen.manager = Some(Some(managed(ManagedStatus::Starting)));
    assert_eq!(case.decide().outcome, None);
}

#[test]
fn a_delete_leaves_nothing_in_this_order() {
    let mut case = Case::running(ManagedStatus::Provisioning).wanted(Wanted::Deleted, OperationKind::Delete);
    case.seen.ports = Some(vec![good_port()]);
    assert_eq!(case.decide().actions, [], "BDE refuses a delete while it provisions");
    case.seen.manager = Some(Some(managed(ManagedStatus::ProvisionError)));
    assert_eq!(case.decide().actions, [Action::Delete]);
    case.seen.manager = Some(None);
    assert_eq!(case.decide().actions, [Action::DeletePort(good_port().id)]);
    case.in_flight = [Key::Port(good_port().id)].into();
    assert_eq!(case.decide().actions, []);
    case.in_flight.clear();
    case.seen.ports = Some(vec![]);
    assert_eq!(case.decide().actions, [Action::Unregister]);
    case.state.registration = None;
    assert_eq!(case.decide().outcome, Some(Outcome::Removed));
}

#[test]
fn a_delete_waits_for_a_create_that_may_still_turn_up() {
    let mut case = Case::running(ManagedStatus::Running).wanted(Wanted::Deleted, OperationKind::Delete);
    case.state.create_call = CreateCall::Sent { at: at(0) };
    case.seen.manager = Some(None);
    case.now = 5;
    assert_eq!(case.decide().actions, [Action::Look]);
    case.now = 31;
    case.seen.manager_at = Some(at(31));
    assert_eq!(case.decide().actions, [Action::Unregister]);
}

#[test]
fn what_was_never_created_is_deleted_without_asking_bde() {
    let mut case = Case::running(ManagedStatus::Running).wanted(Wanted::Deleted, OperationKind::Delete);
    case.state.create_call = CreateCall::NotSent;
    case.state.registration = None;
    assert_eq!(case.decide().outcome, Some(Outcome::Removed));
}

#[test]
fn after_a_failure_before_the_create_nothing_happens_by_itself() {
    let mut case = Case::running(ManagedStatus::Running);
    case.state = state();
    case.seen = Seen::default();
    if let Some(o) = &mut case.state.operation {
        o.state = OperationState::Failed;
    }
    let decision = case.decide();
    assert_eq!((decision.actions, decision.outcome), (vec![], None));
    assert_eq!(crate::observe::status(&case.state), ClusterStatus::Error);
}

#[test]
fn every_wait_ends_and_says_what_was_seen_last() {
    let mut case = Case::running(ManagedStatus::Provisioning);
    case.seen.vms.insert("vm-1".into(), vm());
    case.seen.ports = Some(vec![indexed()]);
    case.now = 5 * 3600;
    insta::assert_snapshot!(case.failure());

    let mut case = Case::running(ManagedStatus::Running);
    let mut wrong = addressed();
    wrong.nics[0].addresses = vec!["10.9.9.9".parse().unwrap()];
    case.seen.vms.insert("vm-1".into(), wrong);
    case.seen.ports = Some(vec![indexed()]);
    assert_eq!(case.decide().outcome, None);
    case.now = 900;
    insta::assert_snapshot!(case.failure());
}
