//! What fails, what takes too long, and when that may be said.

use super::Case;
use super::case::{LATER_OP, OP, indexed, strangers};
use crate::action::{Action, Kind};
use crate::attach::{self, Bond};
use crate::failure::{ErrorKind, Failure, RemoteError, System};
use crate::known::OperationProgress;
use crate::own::{self, Owner};
use crate::policy::{NetworkBackend, Networks};
use crate::provision::double::PortFirst;
use crate::systems::manager::{ManagedCluster, ManagedStatus, TaskState};
use crate::test_support::{
    Eyes, PASS, at, failed, good_port, managed, marks, ours, record, seconds, segment, state, task, up, vm, vm_of_node,
};
use crate::wanted::{Goal, OperationKind};

/// A create whose node does not get its address, in a process that has just started.
fn restarted() -> Case {
    let mut case = Case::founded(ManagedStatus::Running);
    let ticker = case.eyes.ticker.clone();
    case.eyes = Eyes { ticker, ..Eyes::default() };
    case.findings.begun = case.eyes.ticker.tick();
    case
}

type Look = fn(&mut Eyes);

const MANAGER: Look = |eyes| eyes.look(Some(managed(ManagedStatus::Running)));
const VMS: Look = |eyes| eyes.watch([up("10.9.9.9")]);
const PORTS: Look = |eyes| eyes.list([indexed()]);

#[test]
fn after_a_restart_there_is_no_verdict_before_every_system_was_looked_at() {
    type Late = fn(&mut OperationProgress);
    let too_long: Late = |o| o.watched = seconds(6 * 3600);
    let no_address: Late = |o| o.without_address = seconds(1200);
    for (late, code) in [(too_long, "operation_too_long"), (no_address, "nodes_without_address")] {
        for looks in [vec![], vec![MANAGER], vec![MANAGER, VMS], vec![MANAGER, PORTS], vec![VMS, PORTS]] {
            let mut case = restarted();
            late(case.operation());
            for look in &looks {
                look(&mut case.eyes);
            }
            assert_eq!(case.decide().outcome, None, "{code} after {} of 3 looks", looks.len());
        }
        let mut case = restarted();
        late(case.operation());
        for look in [MANAGER, VMS, PORTS] {
            look(&mut case.eyes);
        }
        let failure = case.failed();
        assert_eq!((failure.code.as_str(), failure.nodes), (code, vec!["c-worker-0".into()]));
    }
}

#[test]
fn an_operation_waits_for_no_system_that_it_does_not_rest_on() {
    for (goal, kind, looks) in [
        (Goal::Stopped, OperationKind::Stop, vec![MANAGER]),
        (Goal::Deleted, OperationKind::Delete, vec![MANAGER, PORTS]),
    ] {
        let mut case = restarted().wanted(goal, kind);
        case.operation().watched = seconds(6 * 3600);
        for look in looks {
            look(&mut case.eyes);
        }
        // It is at work on something else.
        case.look(ManagedStatus::Busy);
        assert!(case.failure().starts_with("operation_too_long"), "{kind:?}");
    }
}

#[test]
fn patience_is_the_time_that_was_watched_and_nothing_else() {
    let mut case = Case::founded(ManagedStatus::Running);
    VMS(&mut case.eyes);
    PORTS(&mut case.eyes);
    // Whatever the clocks say.
    case.pass_time(seconds(100 * 3600));
    case.operation().started = at(-100 * 3600);
    case.operation().watched = case.policy.operation_patience - seconds(7);
    for look in [MANAGER, VMS, PORTS] {
        look(&mut case.eyes);
    }
    let decision = case.decide();
    assert_eq!(decision.outcome, None);
    case.policy.manager_poll = seconds(60);
    assert_eq!(case.decide().again, seconds(7), "it is looked at again when it is over");
    case.operation().watched = seconds(3600);
    case.operation().without_address = case.policy.address_patience - seconds(5);
    assert_eq!(case.decide().again, seconds(5));
}

#[test]
fn the_patience_for_addresses_counts_only_time_without_them() {
    let mut case = Case::founded(ManagedStatus::Running);
    VMS(&mut case.eyes);
    PORTS(&mut case.eyes);
    case.operation().watched = seconds(4 * 3600);
    assert_eq!(case.decide().outcome, None, "a long create leaves all of it");
    case.operation().without_address = case.policy.address_patience;
    insta::assert_snapshot!(case.failure());
    // Only where addresses are wanted.
    let mut stop = Case::founded(ManagedStatus::Running).wanted(Goal::Stopped, OperationKind::Stop);
    stop.operation().without_address = stop.policy.address_patience;
    VMS(&mut stop.eyes);
    stop.look(ManagedStatus::Stopping);
    assert_eq!(stop.decide().outcome, None);
}

#[test]
fn every_wait_ends_and_says_what_was_seen_last() {
    let mut case = Case::founded(ManagedStatus::Provisioning);
    case.eyes.watch([vm()]);
    case.eyes.list([indexed()]);
    case.eyes.task(task("7", "c", TaskState::Running));
    case.operation().watched = case.policy.operation_patience;
    insta::assert_snapshot!(case.failure());
}

// ---------------------------------------------------------------- stuck

#[test]
fn a_status_without_a_task_is_named_as_stuck() {
    for (goal, kind) in [
        (Goal::Running, OperationKind::Start),
        (Goal::Stopped, OperationKind::Stop),
        (Goal::Deleted, OperationKind::Delete),
    ] {
        let mut case = Case::founded(ManagedStatus::Running).wanted(goal, kind);
        case.look(ManagedStatus::Busy);
        case.policy.manager_poll = seconds(100);
        case.stuck = Some(case.policy.stuck_after - seconds(9));
        let decision = case.decide();
        assert_eq!((decision.outcome, decision.again), (None, seconds(9)), "{kind:?}: the task may just be beginning");
        case.stuck = Some(case.policy.stuck_after);
        assert!(case.failure().starts_with("bde_stuck: "), "{kind:?}");
    }
    let mut case = Case::founded(ManagedStatus::Running).wanted(Goal::Deleted, OperationKind::Delete);
    case.look(ManagedStatus::Busy);
    case.stuck = Some(case.policy.stuck_after);
    insta::assert_snapshot!(case.failure());
}

#[test]
fn that_somebody_elses_cluster_is_stuck_is_nothing_to_us() {
    let mut case = Case::founded(ManagedStatus::Running).wanted(Goal::Deleted, OperationKind::Delete);
    case.eyes.look(Some(ManagedCluster { status: ManagedStatus::Busy, ..strangers() }));
    case.stuck = Some(case.policy.stuck_after);
    assert_eq!(case.acts(), [Kind::ListPorts]);
}

// ---------------------------------------------------------------- troubles

/// An action about each kind of key, and whether an operation that wants this rests on it:
/// running, stopped, deleted.
fn keyed() -> Vec<(Action, [bool; 3])> {
    let (ours, seen, known) = (ours(), crate::test_support::seen(vec![vm()], vec![good_port()]), state());
    let marked = own::marked(PASS, &record(), &known, &marks(), &good_port()).unwrap();
    let (record, marks, key) = (record(), marks(), segment().key);
    let owner = Owner { ours, record: &record, state: &known, seen: &seen, provision: &PortFirst };
    let vm = owner.vm(&vm()).unwrap();
    let none = crate::test_support::seen(vec![vm_of_node(0)], vec![]);
    let networks = Networks::of(NetworkBackend::Ml2);
    let bond = Bond { owner: Owner { seen: &none, ..owner }, marks: &marks, networks: &networks };
    let requests = attach::plan(&bond, &key).create;
    vec![
        (Action::Look, [true, true, true]),
        (Action::Delete(ours), [true, true, true]),
        (Action::FindSegment, [true, false, false]),
        (Action::Check, [true, false, false]),
        (Action::CreatePorts(ours, requests), [true, false, false]),
        (Action::Attach(vm, 4000, good_port().id), [true, false, false]),
        (Action::LookAtVms(vec![]), [true, false, false]),
        (Action::ListPorts, [true, false, true]),
        (Action::DeletePort(marked), [true, false, true]),
        (Action::Release, [true, false, true]),
    ]
}

const WANTS: [(Goal, OperationKind); 3] = [
    (Goal::Running, OperationKind::Start),
    (Goal::Stopped, OperationKind::Stop),
    (Goal::Deleted, OperationKind::Delete),
];

fn at_work(goal: Goal, kind: OperationKind) -> Case {
    let mut case = Case::founded(ManagedStatus::Running).wanted(goal, kind);
    case.look(ManagedStatus::Busy);
    case.eyes.list([]);
    case
}

#[test]
fn a_refusal_ends_the_operation_that_rests_on_it_and_no_newer_one() {
    for (n, (goal, kind)) in WANTS.into_iter().enumerate() {
        for (action, essential) in keyed() {
            let mut case = at_work(goal, kind);
            // A wave's first refusal is none.
            for _ in 0..2 {
                case.fails(&action, ErrorKind::Exhausted, OP, seconds(30));
            }
            let what = format!("{kind:?}: {:?}", action.kind());
            assert_eq!(case.decide().outcome, None, "{what}: it was of an operation that gave way");
            for _ in 0..2 {
                case.fails(&action, ErrorKind::Exhausted, LATER_OP, seconds(30));
            }
            assert_eq!(case.decide().outcome.is_some(), essential[n], "{what}");
        }
    }
}

#[test]
fn a_call_that_fails_for_a_passing_reason_ends_the_operation_after_its_patience() {
    for kind in [ErrorKind::Unreachable, ErrorKind::Unavailable, ErrorKind::Conflict] {
        let mut case = at_work(Goal::Running, OperationKind::Start);
        case.fails(&Action::ListPorts, kind, LATER_OP, seconds(30));
        case.pass_time(case.policy.call_patience - seconds(8));
        case.look(ManagedStatus::Busy);
        case.fails(&Action::ListPorts, kind, LATER_OP, seconds(30));
        case.policy.manager_poll = seconds(100);
        let decision = case.decide();
        assert_eq!((decision.outcome, decision.again), (None, seconds(8)), "{kind:?}");
        case.pass_time(seconds(8));
        case.look(ManagedStatus::Busy);
        assert!(case.failure().starts_with("neutron_refused: could not list the network's ports (2 tries in 10 min)"));
    }
}

#[test]
fn systems_that_fail_at_the_same_time_are_named_together() {
    let mut case = at_work(Goal::Running, OperationKind::Start);
    let down = RemoteError::new(System::Bde, ErrorKind::Unreachable, "bde_unreachable", "cannot be reached.");
    case.troubles.add(&failed(&Action::Look, &down, Some(LATER_OP), &case.eyes), |_| seconds(30));
    case.pass_time(seconds(1));
    case.fails(&Action::ListPorts, ErrorKind::Unavailable, LATER_OP, seconds(30));
    case.pass_time(case.policy.call_patience);
    insta::assert_snapshot!(case.failure());
}

#[test]
fn a_failure_in_one_system_names_every_system_that_was_failing() {
    let mut case = at_work(Goal::Running, OperationKind::Create);
    let down = |system, code, says: &str| RemoteError::new(system, ErrorKind::Unreachable, code, says);
    let bde = down(System::Bde, "bde_unreachable", "BDE cannot be reached");
    let vcenter = down(System::VCenter, "vcenter_unreachable", "vCenter cannot be reached");
    let neutron = down(System::Neutron, "neutron_unreachable", "Neutron cannot be reached");
    for _ in 0..2 {
        case.troubles.add(&failed(&Action::LookAtVms(vec![]), &vcenter, None, &case.eyes), |_| seconds(30));
        case.troubles.add(&failed(&Action::Look, &bde, None, &case.eyes), |_| seconds(30));
    }
    // One lost packet is no outage.
    case.troubles.add(&failed(&Action::ListPorts, &neutron, None, &case.eyes), |_| seconds(30));
    case.eyes.watch([]);
    case.operation().watched = case.policy.operation_patience;
    let failure = case.failure();
    let at = |word: &str| failure.find(word).unwrap_or_else(|| panic!("{word} in {failure}"));
    assert!(at("vCenter cannot be reached") < at("BDE cannot be reached"), "{failure}");
    assert!(at("BDE cannot be reached") < at("; at the same time, "), "{failure}");
    assert!(!failure.contains("Neutron"), "{failure}");
}

#[test]
fn a_create_whose_vms_cannot_be_followed_ends_too() {
    let lost = |goal, kind, watched| {
        let mut case = at_work(goal, kind);
        case.eyes.seen.vms_synced = false;
        case.watch_lost = Some(seconds(7200));
        case.operation().watched = seconds(watched);
        case
    };
    let mut create = lost(Goal::Running, OperationKind::Create, 599);
    create.policy.manager_poll = seconds(60);
    let decision = create.decide();
    assert_eq!((decision.outcome, decision.again), (None, seconds(1)), "it was down before, too");
    insta::assert_snapshot!(lost(Goal::Running, OperationKind::Create, 600).failure());
    let mut both = lost(Goal::Running, OperationKind::Create, 600);
    let down = RemoteError::new(System::VCenter, ErrorKind::Unreachable, "vcenter_unreachable", "cannot be reached");
    both.troubles.add(&failed(&Action::FindSegment, &down, Some(LATER_OP), &both.eyes), |_| seconds(30));
    assert_eq!(both.decide().outcome, None, "the call that fails says more, in its time");
    for (goal, kind) in [(Goal::Stopped, OperationKind::Stop), (Goal::Deleted, OperationKind::Delete)] {
        assert_eq!(lost(goal, kind, 600).decide().outcome, None, "{kind:?} needs no VMs");
    }
}

#[test]
fn a_check_that_was_not_passed_ends_the_operation() {
    let mut case = Case::new();
    case.findings.refused = Some(Failure::new("subnet_full", "the subnet is full"));
    assert_eq!(case.failure(), "subnet_full: the subnet is full");
}

#[test]
fn a_network_without_port_group_is_given_a_minute() {
    let mut case = Case::new();
    case.eyes.look(None);
    let not_there =
        RemoteError::new(System::VCenter, ErrorKind::Unavailable, crate::segment::NOT_FOUND, "there is none");
    case.troubles.add(&failed(&Action::FindSegment, &not_there, Some(OP), &case.eyes), |_| seconds(1));
    assert_eq!(case.decide().outcome, None);
    case.pass_time(case.policy.segment_patience);
    case.eyes.look(None);
    assert!(case.failure().starts_with(crate::segment::NOT_FOUND));
}
