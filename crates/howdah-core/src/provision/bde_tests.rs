//! A test for each arrow of the drawing in [`super`].

use std::sync::Arc;

use super::*;
use crate::action::{Key, Kind};
use crate::condition::ConditionKind;
use crate::decide::tests::case::{self, LATER_OP, NOTHING, OP, indexed, strangers};
use crate::failure::{ErrorKind, Failure};
use crate::intent::Verb;
use crate::known::OperationState;
use crate::observe::GROUPS_NOT_APPLIED;
use crate::own;
use crate::own::LOOK_LASTS;
use crate::policy::{NetworkBackend, Networks};
use crate::site::turns::{Claim, Turn};
use crate::systems::networking::Port;
use crate::systems::vcenter::Power;
use crate::test_support::{PASS, good_port, managed, seconds, segment, task, up, vm, vm_of_node};
use crate::wanted::{Goal, OperationKind};

type Case = case::Case<Bde>;

// ---------------------------------------------------------------- unknown, vacant, pending

#[test]
fn at_first_everything_is_looked_up_at_once() {
    let mut case = Case::new();
    assert_eq!(case.acts(), [Kind::Look, Kind::ListPorts]);
    case.in_flight = [Key::Look, Key::Ports].into();
    assert_eq!(case.acts(), NOTHING, "nothing is asked twice");
    case.in_flight.clear();
    case.eyes.list([]);
    case.eyes.look(None);
    assert_eq!(case.acts(), [Kind::Check, Kind::FindSegment], "the name is free");
    case.state.segment = Some(segment());
    assert_eq!(case.acts(), [Kind::Check], "nothing is registered unchecked");
    case.is_checked();
    assert_eq!(case.acts(), [Kind::Register]);
    case.state.registration = Some("net".into());
    assert_eq!(case.acts(), [Kind::Create]);
    case.in_flight.insert(Key::Manager);
    assert_eq!(case.acts(), NOTHING);
}

/// A create for which all is ready.
fn ready() -> Case {
    let mut case = Case::new();
    case.eyes.list([]);
    case.eyes.look(None);
    case.is_checked();
    case.state.segment = Some(segment());
    case.state.registration = Some("net".into());
    case
}

#[test]
fn a_create_is_sent_only_in_its_turn_and_stands_in_line_once_it_could_be() {
    let mut case = ready();
    case.turn = None;
    assert_eq!((case.acts(), case.decide().claim), (vec![], Claim::Ready));
    case.state.registration = None;
    assert_eq!((case.acts(), case.decide().claim), (vec![Kind::Register], Claim::Out));
    let mut case = ready();
    assert_eq!(case.acts(), [Kind::Create]);
    // What was refused a moment ago lets others go first.
    let create = case.decide().actions.pop().unwrap();
    case.fails(&create, ErrorKind::Unavailable, OP, seconds(5));
    assert_eq!((case.acts(), case.decide().claim), (vec![], Claim::Out));
    let mut case = ready();
    case.findings.refused = Some(Failure::new("distro_not_found", "there is none"));
    assert_eq!(case.decide().claim, Claim::Out, "it has failed");
}

#[test]
fn what_waited_is_looked_at_less_often_and_checked_again_when_its_turn_comes() {
    let mut case = ready();
    (case.turn, case.waits) = (None, true);
    case.pass_time(seconds(30));
    assert_eq!(case.acts(), NOTHING, "nothing changes at the manager meanwhile");
    (case.turn, case.waits) = (Some(Turn::of(PASS)), false);
    for old in [None, Some(seconds(61))] {
        case.passed_the_checks(old);
        assert!(case.acts().contains(&Kind::Check) && !case.acts().contains(&Kind::Create));
    }
    case.passed_the_checks(Some(seconds(60)));
    case.eyes.look(None);
    assert_eq!(case.acts(), [Kind::Create]);
}

#[test]
fn a_resume_clones_and_takes_a_turn_too() {
    let mut case = Case::founded(ManagedStatus::ProvisionError).wanted(Goal::Running, OperationKind::Create);
    case.look(ManagedStatus::ProvisionError);
    case.turn = None;
    assert_eq!((case.acts(), case.decide().claim), (vec![], Claim::Ready));
    case.turn = Some(Turn::of(PASS));
    assert_eq!(case.acts(), [Kind::Resume]);
}

#[test]
fn nothing_is_asked_for_by_name_on_a_look_older_than_seconds() {
    let mut create = Case::founded(ManagedStatus::Running);
    create.state.journal = Default::default();
    create.eyes.look(None);
    let mut stop = Case::founded(ManagedStatus::Running).wanted(Goal::Stopped, OperationKind::Stop);
    let mut start = Case::founded(ManagedStatus::Stopped).wanted(Goal::Running, OperationKind::Start);
    let mut resume = Case::founded(ManagedStatus::Running).wanted(Goal::Running, OperationKind::Create);
    let mut delete = Case::founded(ManagedStatus::Running).wanted(Goal::Deleted, OperationKind::Delete);
    stop.look(ManagedStatus::Running);
    start.look(ManagedStatus::Stopped);
    resume.look(ManagedStatus::ProvisionError);
    delete.look(ManagedStatus::Running);
    for (mut case, kind) in [
        (create, Kind::Create),
        (stop, Kind::Stop),
        (start, Kind::Start),
        (resume, Kind::Resume),
        (delete, Kind::Delete),
    ] {
        // The interval of looks alone would be longer.
        case.policy.manager_poll = seconds(60);
        case.pass_time(own::LOOK_LASTS);
        assert_eq!(case.acts(), [kind]);
        case.pass_time(seconds(1));
        assert_eq!(case.acts(), [Kind::Look], "{kind:?}");
    }
}

#[test]
fn a_create_whose_answer_was_lost_is_sent_again_only_if_the_cluster_is_not_there() {
    let mut case = Case::founded(ManagedStatus::Provisioning);
    case.sent(Verb::Found);
    case.lost(Verb::Found);
    case.eyes.look(None);
    let decision = case.decide();
    assert_eq!((decision.actions, decision.outcome, decision.again), (vec![], None, case.policy.manager_poll));
    case.pass_time(case.policy.manager_settles);
    assert!(case.acts().contains(&Kind::Look), "that look was asked for before the call had settled");
    case.eyes.look(None);
    case.is_checked();
    assert!(case.acts().contains(&Kind::Create));
    case.look(ManagedStatus::Provisioning);
    assert!(!case.acts().contains(&Kind::Create), "it did get through");
}

#[test]
fn a_stop_while_the_create_call_is_in_flight_waits_for_the_answer() {
    let mut case = Case::founded(ManagedStatus::Running);
    case.sent(Verb::Found);
    let mut case = case.wanted(Goal::Stopped, OperationKind::Stop);
    case.eyes.look(None);
    assert_eq!(case.acts(), NOTHING, "it is neither gone nor was it never made");
    case.done(Verb::Found);
    assert_eq!(case.acts(), [Kind::Look]);
    case.look(ManagedStatus::Running);
    assert_eq!(case.acts(), [Kind::Stop]);
}

#[test]
fn a_stop_of_what_was_never_made_says_so() {
    let mut case = Case::founded(ManagedStatus::Running);
    case.sent(Verb::Found);
    case.lost(Verb::Found);
    let mut case = case.wanted(Goal::Stopped, OperationKind::Stop);
    case.pass_time(case.policy.manager_settles);
    case.eyes.list([]);
    case.eyes.look(None);
    insta::assert_snapshot!(case.failure());
}

// ---------------------------------------------------------------- ours

/// Each change that the manager carries out in the background: wanted, kind of operation, verb, the
/// status that calls for it, the action.
const CHANGES: [(Goal, OperationKind, Verb, ManagedStatus, Kind); 4] = [
    (Goal::Stopped, OperationKind::Stop, Verb::Stop, ManagedStatus::Running, Kind::Stop),
    (Goal::Running, OperationKind::Start, Verb::Start, ManagedStatus::Stopped, Kind::Start),
    (Goal::Running, OperationKind::Create, Verb::Resume, ManagedStatus::ProvisionError, Kind::Resume),
    (Goal::Deleted, OperationKind::Delete, Verb::Remove, ManagedStatus::Running, Kind::Delete),
];

/// The change of this row has just been asked for.
fn asking((goal, operation, verb, status, kind): (Goal, OperationKind, Verb, ManagedStatus, Kind)) -> Case {
    let mut case = Case::founded(ManagedStatus::Running).wanted(goal, operation);
    assert_eq!(case.acts(), [Kind::Look], "{verb:?}: a look from before the request is none");
    case.look(status);
    assert_eq!(case.acts(), [kind]);
    case.sent(verb);
    case
}

#[test]
fn a_look_older_than_the_change_is_no_verdict() {
    for row @ (.., verb, status, _) in CHANGES {
        let mut case = asking(row);
        case.in_flight = [Key::Manager].into();
        case.look(status);
        assert_eq!(case.acts(), NOTHING, "{verb:?} is in flight");
        let asked = case.eyes.ticker.tick();
        case.done(verb);
        case.in_flight.clear();
        case.eyes.look_asked(asked, Some(managed(status)));
        assert_eq!(case.acts(), [Kind::Look], "{verb:?}: the answer came after that look was asked for");
        case.look(status);
        assert!(case.failure().starts_with("bde_failed: "), "{verb:?}: it was asked for, done, and is not so");
    }
}

#[test]
fn a_change_whose_answer_was_lost_is_made_again_only_when_a_look_after_it_settled_refutes_it() {
    for row @ (.., verb, status, kind) in CHANGES {
        let mut case = asking(row);
        case.lost(verb);
        case.look(status);
        assert_eq!(case.acts(), NOTHING, "{verb:?} may still be carried out");
        case.pass_time(case.policy.manager_settles);
        case.eyes.list([]);
        assert_eq!(case.acts(), [Kind::Look], "{verb:?}");
        case.look(status);
        assert_eq!(case.acts(), [kind]);
    }
}

#[test]
fn a_refused_change_is_made_again_after_its_pause() {
    for row @ (.., verb, status, kind) in CHANGES {
        let mut case = asking(row);
        let action = case.decide().actions.pop();
        assert_eq!(action, None, "{verb:?}: once is enough");
        case.state.journal.refused(verb, case.eyes.ticker.tick());
        case.look(status);
        let action = case.decide().actions.pop().unwrap();
        case.fails(&action, ErrorKind::Unavailable, LATER_OP, seconds(2));
        let decision = case.decide();
        assert_eq!((decision.actions, decision.outcome, decision.again), (vec![], None, seconds(2)));
        case.pass_time(seconds(2));
        assert_eq!(case.acts(), [kind]);
    }
}

#[test]
fn what_the_manager_is_at_work_on_is_waited_for() {
    let works = [ManagedStatus::Provisioning, ManagedStatus::Busy, ManagedStatus::Stopping, ManagedStatus::Deleting];
    for (goal, kind) in [
        (Goal::Running, OperationKind::Start),
        (Goal::Stopped, OperationKind::Stop),
        (Goal::Deleted, OperationKind::Delete),
    ] {
        for status in works {
            let mut case = Case::founded(ManagedStatus::Running).wanted(goal, kind);
            case.look(status);
            assert_eq!(case.acts(), NOTHING, "{kind:?} while {status:?}");
        }
    }
}

#[test]
fn a_failed_create_is_resumed_by_the_next_request_once() {
    let mut case = Case::founded(ManagedStatus::ProvisionError);
    let mut failed = task("7", "c", TaskState::Failed);
    failed.error = Some("Failed to query IP address.".into());
    case.eyes.task(failed);
    insta::assert_snapshot!(case.failure());
    let mut case = case.wanted(Goal::Running, OperationKind::Create);
    case.look(ManagedStatus::ProvisionError);
    assert_eq!(case.acts(), [Kind::Resume]);
    case.sent(Verb::Resume);
    case.done(Verb::Resume);
    case.look(ManagedStatus::ProvisionError);
    assert!(case.failure().starts_with("bde_failed: "));
}

#[test]
fn stopped_is_what_a_look_after_the_stop_shows() {
    let mut case = asking(CHANGES[0]);
    case.done(Verb::Stop);
    case.look(ManagedStatus::Stopping);
    assert_eq!(case.acts(), NOTHING);
    case.look(ManagedStatus::Stopped);
    assert_eq!(case.decide().outcome, Some(Outcome::Succeeded));
    // One that is stopped already needs no call.
    let mut case = Case::founded(ManagedStatus::Running).wanted(Goal::Stopped, OperationKind::Stop);
    case.look(ManagedStatus::Stopped);
    assert_eq!(case.decide().outcome, Some(Outcome::Succeeded));
}

// ---------------------------------------------------------------- addresses

#[test]
fn a_create_is_done_when_each_node_was_asked_for_once_more() {
    let mut case = Case::founded(ManagedStatus::Provisioning);
    case.eyes.watch([up("10.0.0.5")]);
    case.eyes.list([good_port()]);
    case.findings.ports_ended = case.eyes.ticker.tick();
    assert_eq!(case.acts(), [Kind::SetIndex], "an address without the index is not done");
    case.eyes.seen.ports.partial(case.eyes.ticker.tick(), [(good_port().id, indexed())]);
    case.findings.ports_ended = case.eyes.ticker.tick();
    assert_eq!(case.acts(), [Kind::ListPorts, Kind::LookAtVms]);
    let mut unlisted = case.eyes.seen.clone();
    unlisted.checked.learn(case.eyes.ticker.tick(), case.eyes.now, [(vm().vm, Arc::new(up("10.0.0.5")))].into());
    let listed = std::mem::replace(&mut case.eyes.seen, unlisted);
    assert_eq!(case.acts(), [Kind::ListPorts], "the VMs are as they should be; the ports were not asked for since");
    case.eyes.seen = listed;
    case.eyes.list([indexed()]);
    case.eyes.seen.status_since = case.eyes.ticker.tick();
    case.eyes.check([vm()]);
    assert_eq!(case.acts(), NOTHING, "the watch is ahead of the truth, or late");
    case.pass_time(case.policy.manager_poll);
    assert_eq!(case.acts(), [Kind::Look, Kind::LookAtVms]);
    case.eyes.check([up("10.0.0.5")]);
    assert_eq!(case.decide().outcome, Some(Outcome::Succeeded));
    let mut two = managed(ManagedStatus::Provisioning);
    two.node_count = 2;
    case.eyes.look(Some(two));
    assert_eq!(case.decide().outcome, None, "a node that is still to come is waited for");
}

#[test]
fn addresses_from_before_the_start_do_not_end_it() {
    let mut case = Case::founded(ManagedStatus::Stopped).wanted(Goal::Running, OperationKind::Start);
    case.eyes.watch([up("10.0.0.5")]);
    case.look(ManagedStatus::Stopped);
    case.eyes.check([up("10.0.0.5")]);
    case.sent(Verb::Start);
    case.done(Verb::Start);
    case.look(ManagedStatus::Starting);
    case.eyes.check([up("10.0.0.5")]);
    case.pass_time(seconds(3));
    case.look(ManagedStatus::Running);
    case.eyes.seen.status_since = case.eyes.ticker.tick();
    case.eyes.list([indexed()]);
    assert_eq!(case.acts(), [Kind::LookAtVms], "those VMs were asked for before the manager had started them");
    case.eyes.check([up("10.0.0.5")]);
    assert_eq!(case.decide().outcome, Some(Outcome::Succeeded));
}

#[test]
fn a_request_that_finds_all_well_asks_for_the_vms_itself() {
    let mut case = Case::founded(ManagedStatus::Running);
    case.eyes.watch([up("10.0.0.5")]);
    case.eyes.check([up("10.0.0.5")]);
    let mut case = case.wanted(Goal::Running, OperationKind::Start);
    case.look(ManagedStatus::Running);
    case.eyes.list([indexed()]);
    case.pass_time(seconds(3));
    case.look(ManagedStatus::Running);
    assert_eq!(case.acts(), [Kind::LookAtVms], "what was asked for before the request decides nothing about it");
}

#[test]
fn services_are_waited_for_if_asked() {
    let mut case = Case::founded(ManagedStatus::Provisioning);
    case.record.spec.wait_for = WaitFor::Services;
    case.eyes.watch([up("10.0.0.5")]);
    case.eyes.list([indexed()]);
    case.eyes.check([up("10.0.0.5")]);
    assert_eq!(case.acts(), NOTHING);
    case.look(ManagedStatus::Running);
    case.eyes.check([up("10.0.0.5")]);
    assert_eq!(case.decide().outcome, Some(Outcome::Succeeded));
}

// ---------------------------------------------------------------- gone, foreign

#[test]
fn a_cluster_that_was_deleted_by_hand_is_neither_made_again_nor_waited_for() {
    for (goal, kind) in [(Goal::Running, OperationKind::Start), (Goal::Stopped, OperationKind::Stop)] {
        let mut case = Case::founded(ManagedStatus::Running).wanted(goal, kind);
        case.eyes.look(None);
        assert_eq!(case.decide().actions, []);
        assert!(case.failure().starts_with("cluster_vanished: "), "{kind:?}");
    }
    let mut case = Case::founded(ManagedStatus::Running).wanted(Goal::Running, OperationKind::Start);
    case.eyes.look(None);
    insta::assert_snapshot!(case.failure());
}

#[test]
fn a_cluster_of_somebody_else_is_not_taken() {
    let mut case = Case::new();
    case.eyes.list([]);
    case.look(ManagedStatus::Running);
    insta::assert_snapshot!(case.failure());
    // It came while our checks were being made.
    let mut case = Case::founded(ManagedStatus::Running);
    case.sent(Verb::Found);
    case.state.journal.refused(Verb::Found, case.eyes.ticker.tick());
    case.look(ManagedStatus::Running);
    assert!(case.failure().starts_with("cluster_name_taken: "));
}

#[test]
fn a_cluster_in_place_of_ours_is_named_and_left_alone() {
    let mut case = Case::founded(ManagedStatus::Running);
    case.state.identity.vms = [("vm-1".into(), vm().instance_uuid.unwrap())].into();
    case.eyes.look(Some(strangers()));
    insta::assert_snapshot!(case.failure());
}

#[test]
fn whatever_is_wanted_nothing_of_somebody_elses_cluster_is_touched() {
    let stranger = vm_of_node(8);
    let theirs =
        Port { id: "theirs".into(), mac: stranger.nics[0].mac.unwrap(), description: String::new(), ..good_port() };
    for (goal, kind) in [
        (Goal::Running, OperationKind::Create),
        (Goal::Stopped, OperationKind::Stop),
        (Goal::Deleted, OperationKind::Delete),
    ] {
        for status in [
            ManagedStatus::Running,
            ManagedStatus::Stopped,
            ManagedStatus::ProvisionError,
            ManagedStatus::Provisioning,
            ManagedStatus::Error,
            ManagedStatus::Busy,
        ] {
            for founded in [false, true] {
                for runs in [false, true] {
                    let mut case = Case::founded(ManagedStatus::Running).wanted(goal, kind);
                    if !founded {
                        case.state.journal = Default::default();
                    }
                    if !runs {
                        case.operation().state = OperationState::Failed;
                    }
                    case.eyes.watch([stranger.clone()]);
                    case.eyes.list([theirs.clone()]);
                    case.eyes.look(Some(ManagedCluster { status, ..strangers() }));
                    let written: Vec<_> = case.decide().actions.into_iter().filter(|a| a.pass().is_some()).collect();
                    assert_eq!(written, [], "{goal:?}, {status:?}, founded: {founded}, runs: {runs}");
                }
            }
        }
    }
}

#[test]
fn a_delete_waits_for_our_create_call_although_somebody_else_has_the_name_now() {
    let mut case = Case::founded(ManagedStatus::Running);
    case.sent(Verb::Found);
    let mut case = case.wanted(Goal::Deleted, OperationKind::Delete);
    case.eyes.list([]);
    case.eyes.look(Some(strangers()));
    assert_eq!(case.acts(), NOTHING);
}

// ---------------------------------------------------------------- between operations

#[test]
fn after_a_failure_before_the_create_nothing_happens_by_itself() {
    let mut case = Case::new();
    case.operation().state = OperationState::Failed;
    let decision = case.decide();
    assert_eq!((decision.actions, decision.outcome), (vec![], None));
    // Nor after one that the manager refused: it is looked at now and then.
    let mut case = Case::founded(ManagedStatus::Running);
    case.operation().state = OperationState::Failed;
    case.sent(Verb::Found);
    case.state.journal.refused(Verb::Found, case.eyes.ticker.tick());
    case.eyes.look(None);
    assert_eq!(case.acts(), NOTHING);
    case.pass_time(case.policy.idle_poll);
    assert_eq!(case.acts(), [Kind::Look, Kind::ListPorts]);
}

#[test]
fn between_operations_the_manager_is_asked_for_nothing() {
    for status in [ManagedStatus::Stopped, ManagedStatus::ProvisionError, ManagedStatus::Error, ManagedStatus::Running]
    {
        for (goal, kind) in [
            (Goal::Running, OperationKind::Create),
            (Goal::Stopped, OperationKind::Stop),
            (Goal::Deleted, OperationKind::Delete),
        ] {
            for end in [OperationState::Succeeded, OperationState::Failed] {
                let mut case = Case::founded(status).wanted(goal, kind);
                case.operation().state = end;
                case.look(status);
                assert_eq!(case.acts(), NOTHING, "{goal:?} after {end:?}, now {status:?}");
            }
        }
    }
}

#[test]
fn a_card_is_edited_only_when_a_new_look_shows_that_bde_is_done_with_the_vm() {
    let at = |status, power| {
        let mut case = Case::founded(status).wanted(Goal::Running, OperationKind::Create);
        case.networks = Networks { require_attachment: true, ..Networks::of(NetworkBackend::NsxT) };
        case.eyes.list([good_port()]);
        case.eyes.watch([VmFacts { power, ..up("10.0.0.5") }]);
        case.look(status);
        case
    };
    for power in [Power::On, Power::Off] {
        for status in [ManagedStatus::Provisioning, ManagedStatus::Starting, ManagedStatus::Busy] {
            assert!(!at(status, power).acts().contains(&Kind::Attach), "{status:?}, the VM is {power:?}");
        }
        let mut done = at(ManagedStatus::Running, power);
        assert_eq!(done.acts(), [Kind::Attach], "the VM is {power:?}");
        done.pass_time(LOOK_LASTS + seconds(1));
        assert_eq!(done.acts(), [Kind::Look], "others may have started something in BDE");
    }
    let mut stopped = at(ManagedStatus::Stopped, Power::Off).wanted(Goal::Stopped, OperationKind::Stop);
    stopped.operation().state = OperationState::Succeeded;
    stopped.look(ManagedStatus::Stopped);
    assert_eq!(stopped.acts(), [Kind::Attach], "a stopped cluster's cards too");
}

#[test]
fn bde_is_asked_for_nothing_while_a_card_is_edited() {
    let mut case = Case::founded(ManagedStatus::Stopped).wanted(Goal::Running, OperationKind::Start);
    case.networks = Networks::of(NetworkBackend::NsxT);
    case.eyes.list([good_port()]);
    case.eyes.watch([vm()]);
    case.look(ManagedStatus::Stopped);
    assert_eq!(case.acts(), [Kind::Attach], "the card first, while the VM is off");
    case.in_flight = [Key::Vm(vm().vm)].into();
    assert_eq!(case.acts(), NOTHING);
    case.in_flight.clear();
    let mut attached = vm();
    attached.nics[0].external_id = Some(good_port().id.to_string());
    case.eyes.watch([attached]);
    assert_eq!(case.acts(), [Kind::Start]);
}

#[test]
fn a_card_that_cannot_be_edited_fails_a_create_only_where_the_site_requires_it() {
    for required in [true, false] {
        let mut case = Case::founded(ManagedStatus::Running).wanted(Goal::Running, OperationKind::Create);
        case.networks = Networks { require_attachment: required, ..Networks::of(NetworkBackend::NsxT) };
        case.eyes.list([good_port()]);
        case.eyes.watch([up("10.0.0.5")]);
        case.look(ManagedStatus::Running);
        let edit = case.decide().actions.into_iter().find(|a| a.kind() == Kind::Attach).unwrap();
        case.fails(&edit, ErrorKind::Forbidden, LATER_OP, seconds(30));
        let outcome = case.decide().outcome;
        if required {
            assert!(matches!(outcome, Some(Outcome::Failed(_))), "{outcome:?}");
        } else {
            assert_eq!(case.acts(), [Kind::LookAtVms], "the nodes have their addresses");
            let groups =
                case.state.nodes[&"c-worker-0".into()].conditions.iter().find(|c| c.kind == ConditionKind::Attached);
            assert_eq!(groups.map(|c| c.reason.as_str()), Some(GROUPS_NOT_APPLIED));
        }
    }
}

#[test]
fn an_operation_that_fails_begins_no_work_at_the_manager() {
    for (goal, kind, status) in [
        (Goal::Running, OperationKind::Start, ManagedStatus::Stopped),
        (Goal::Stopped, OperationKind::Stop, ManagedStatus::Running),
        (Goal::Deleted, OperationKind::Delete, ManagedStatus::Running),
    ] {
        let mut case = Case::founded(status).wanted(goal, kind);
        case.look(status);
        assert_eq!(case.acts().len(), 1, "{kind:?}");
        case.operation().watched = case.policy.operation_patience;
        case.eyes.list([indexed()]);
        let decision = case.decide();
        assert!(matches!(decision.outcome, Some(Outcome::Failed(_))));
        assert!(!decision.actions.iter().any(|a| a.keys().contains(&Key::Manager)), "{kind:?}: {decision:?}");
    }
}
