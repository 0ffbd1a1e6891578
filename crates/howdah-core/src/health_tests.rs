//! Conditions with their dates, the events of their changes, and the status in one word.

use super::*;
use crate::action::Action;
use crate::failure::RemoteError;
use crate::ids::OperationId;
use crate::intent::Journal;
use crate::known::OperationProgress;
use crate::mark::MarkKey;
use crate::observe::{Memo, Sight, observe};
use crate::own::{self, Place, ownership};
use crate::policy::NetworkBackend;
use crate::test_support::{
    Eyes, PASS, at, failed, good_port, managed, marks, ours, record, seconds, segment, state, task, up, vm,
};
use crate::time::{Mono, Ticker};
use crate::trouble::Failed;

const OP: OperationId = OperationId(uuid::Uuid::from_u128(2));

/// A cluster of ours, and what its controller sees.
struct Case {
    own: Ownership,
    eyes: Eyes,
    troubles: Troubles,
    port: Option<(String, String)>,
    stuck: Option<Duration>,
    state: ClusterState,
    seconds: i64,
}

impl Case {
    /// Nothing was looked at.
    fn new() -> Self {
        Self {
            own: Ownership::Unknown,
            eyes: Eyes::default(),
            troubles: Troubles::default(),
            port: None,
            stuck: None,
            state: ClusterState { segment: Some(segment()), ..state() },
            seconds: 0,
        }
    }

    /// All is well.
    fn well() -> Self {
        let mut case = Self::new();
        case.own = Ownership::Ours(ours());
        case.eyes.watch([up("10.0.0.5")]);
        case.eyes.list([good_port()]);
        case.eyes.look(Some(managed(ManagedStatus::Running)));
        assert_eq!(case.told(), NONE);
        case
    }

    /// Brings the conditions up, a second later; returns the events.
    fn told(&mut self) -> Vec<String> {
        self.seconds += 1;
        let signs = Signs {
            own: &self.own,
            seen: &self.eyes.seen,
            troubles: &self.troubles,
            port: self.port.clone(),
            stuck: self.stuck,
            place: None,
            stuck_after: seconds(60),
            now: at(self.seconds),
            mono: self.eyes.now,
        };
        let events = conditions(&signs, &mut self.state);
        events.into_iter().map(|e| format!("{:?} {}: {}", e.level, e.reason, e.message)).collect()
    }

    fn fails(&mut self, action: &Action, system: System, kind: ErrorKind) {
        let error = RemoteError::new(system, kind, "does_not", "does not do it");
        self.fails_with(action, &error);
    }

    fn fails_with(&mut self, action: &Action, error: &RemoteError) {
        self.troubles.add(&failed(action, error, Some(OP), &self.eyes), |_| Duration::ZERO);
    }

    fn condition(&self, kind: Kind) -> Option<&ClusterCondition> {
        self.state.conditions.iter().find(|c| c.kind == kind)
    }

    fn is(&self, kind: Kind) -> Option<ConditionStatus> {
        self.condition(kind).map(|c| c.status)
    }

    fn says(&self, kind: Kind) -> &str {
        self.condition(kind).map_or("", |c| &c.message)
    }
}

const NONE: [&str; 0] = [];
const TRUE: Option<ConditionStatus> = Some(ConditionStatus::True);
const FALSE: Option<ConditionStatus> = Some(ConditionStatus::False);

fn set_index() -> Action {
    Action::SetIndex(own::marked(PASS, &record(), &state(), &marks(), &good_port()).unwrap(), 0)
}

// ---------------------------------------------------------------- conditions

#[test]
fn what_was_not_looked_at_is_not_said() {
    let mut case = Case::new();
    assert_eq!(case.told(), NONE);
    assert_eq!(case.state.conditions, []);
    case.eyes.look(None);
    assert_eq!(case.told(), NONE);
    let kinds: Vec<_> = case.state.conditions.iter().map(|c| c.kind).collect();
    assert_eq!(kinds, [Kind::BdeReachable]);
}

#[test]
fn of_a_cluster_that_is_well_every_condition_is_true_since_it_is() {
    let mut case = Case::well();
    case.told();
    let said: Vec<_> = case.state.conditions.iter().map(|c| format!("{:?} {}", c.kind, c.message)).collect();
    insta::assert_snapshot!(said.join("\n"));
    assert!(case.state.conditions.iter().all(|c| c.status == ConditionStatus::True && c.since == at(1)));
}

#[test]
fn whose_it_is_is_said_and_told_when_it_is_not_ours_any_more() {
    let vacant =
        ownership(PASS, &Journal::default(), false, Place::Absent { asked: Ticker::default().tick() }, Stamp::START);
    let mut case = Case::new();
    let mut said = vec![];
    for own in [
        vacant,
        Ownership::Pending,
        Ownership::Ours(ours()),
        Ownership::Unknown,
        Ownership::Gone,
        Ownership::Foreign("its network is theirs and not net".to_owned()),
        Ownership::Ours(ours()),
    ] {
        case.own = own;
        let told = case.told();
        let condition = case.condition(Kind::Owned).unwrap();
        said.push(format!("{:?} {}: {}", condition.status, condition.reason, condition.message));
        said.extend(told.into_iter().map(|event| format!("  event: {event}")));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_delete_of_ours_is_nobody_elses_deed() {
    let mut case = Case::well();
    case.state.operation = Some(OperationProgress { kind: OperationKind::Delete, ..state().operation.unwrap() });
    case.own = Ownership::Gone;
    case.eyes.look(None);
    assert_eq!(case.told(), NONE);
    assert_eq!(case.says(Kind::Owned), "BDE no longer has a cluster of this name.");
}

#[test]
fn one_trouble_a_thousand_times_is_one_event() {
    let mut case = Case::well();
    let mut told = vec![];
    for _ in 0..1000 {
        case.fails(&Action::ListPorts, System::Neutron, ErrorKind::Unavailable);
        told.extend(case.told());
    }
    assert_eq!(told, ["Warning does_not: Neutron is failing: does not do it."]);
    let since = case.condition(Kind::NeutronReachable).unwrap().since;
    assert_eq!(since, at(3), "its date is that of the change");
    case.troubles.calm(&Action::ListPorts.keys());
    assert_eq!(case.told(), ["Info Answers: Neutron answers."]);
    assert_eq!(case.told(), NONE);
}

#[test]
fn a_single_failure_is_no_news_and_no_all_clear() {
    let mut case = Case::well();
    case.fails(&Action::Look, System::Bde, ErrorKind::NoAnswer);
    assert_eq!((case.told().as_slice(), case.is(Kind::BdeReachable)), (&[][..], TRUE));
    case.fails(&Action::Look, System::Bde, ErrorKind::NoAnswer);
    case.told();
    assert_eq!(case.is(Kind::BdeReachable), FALSE);
    // Another operation counts its own failures; the system has not answered in between.
    case.troubles.hurry(Mono::default());
    let error = RemoteError::new(System::Bde, ErrorKind::NoAnswer, "does_not", "does not do it");
    for _ in 0..3 {
        assert_eq!((case.told().as_slice(), case.is(Kind::BdeReachable)), (&[][..], FALSE));
        let later = OperationId(uuid::Uuid::from_u128(3));
        case.troubles.add(&failed(&Action::Look, &error, Some(later), &case.eyes), |_| Duration::ZERO);
    }
}

#[test]
fn two_systems_that_fail_at_once_have_a_condition_each() {
    let mut case = Case::well();
    for _ in 0..2 {
        case.fails(&Action::Look, System::Bde, ErrorKind::Unreachable);
        case.fails(&Action::ListPorts, System::Keystone, ErrorKind::Credentials);
    }
    assert_eq!(
        case.told(),
        ["Warning does_not: BDE is failing: does not do it.", "Warning does_not: Keystone is failing: does not do it.",]
    );
    assert_eq!((case.is(Kind::BdeReachable), case.is(Kind::NeutronReachable)), (FALSE, FALSE));
    assert_eq!(case.is(Kind::VcenterReachable), TRUE);
    case.troubles.calm(&Action::Look.keys());
    assert_eq!(case.told(), ["Info Answers: BDE answers."]);
    assert_eq!(case.is(Kind::NeutronReachable), FALSE);
}

#[test]
fn a_watch_that_is_down_is_vcenter_not_answering() {
    let mut case = Case::well();
    let error = RemoteError::new(System::VCenter, ErrorKind::Unreachable, "vcenter_unreachable", "cannot be reached");
    let down = Failed { keys: vec![Key::Watch], ..failed(&Action::Look, &error, None, &case.eyes) };
    for _ in 0..5 {
        case.troubles.add(&down, |_| Duration::ZERO);
    }
    case.eyes.now = case.eyes.now.plus(seconds(4));
    assert_eq!(case.told(), NONE, "it may be there again in a moment");
    case.eyes.now = case.eyes.now.plus(seconds(1));
    assert_eq!(case.told(), ["Warning watch_lost: Howdah cannot watch the cluster's VMs: vCenter: cannot be reached."]);
    assert_eq!(case.is(Kind::VcenterReachable), FALSE);
    case.troubles.calm(&[Key::Watch]);
    assert_eq!(case.told(), ["Info Answers: vCenter answers."]);
    case.eyes.seen.vms_synced = false;
    assert_eq!((case.told().as_slice(), case.is(Kind::VcenterReachable)), (&[][..], TRUE), "it is starting again");
}

#[test]
fn what_a_system_refuses_does_not_make_it_unreachable() {
    let mut case = Case::well();
    let no_group =
        RemoteError::new(System::VCenter, ErrorKind::Unavailable, crate::segment::NOT_FOUND, "there is none");
    for _ in 0..3 {
        case.fails(&Action::Delete(ours()), System::Bde, ErrorKind::Conflict);
        case.fails(&set_index(), System::Neutron, ErrorKind::Unavailable);
        case.fails_with(&Action::FindSegment, &no_group);
    }
    case.told();
    for kind in [Kind::BdeReachable, Kind::NeutronReachable, Kind::VcenterReachable] {
        assert_eq!(case.is(kind), TRUE, "{kind:?}");
    }
    assert_eq!(case.says(Kind::PortsReady), "Could not set a port's vnic_index: Neutron: does not do it.");
    // But where the system as such is meant, it does, whatever was asked of it.
    for _ in 0..2 {
        case.fails(&set_index(), System::Neutron, ErrorKind::Unreachable);
    }
    case.told();
    assert_eq!((case.is(Kind::NeutronReachable), case.is(Kind::PortsReady)), (FALSE, TRUE));
}

#[test]
fn a_port_that_cannot_be_made_or_kept_is_named() {
    let mut case = Case::well();
    case.port = Some(("mac_in_use".to_owned(), "The MAC belongs to somebody else's port.".to_owned()));
    assert_eq!(case.told(), ["Warning mac_in_use: The MAC belongs to somebody else's port."]);
    case.port = None;
    assert_eq!(case.told(), ["Info Kept: Howdah can create and keep every port."]);
    case.fails(&set_index(), System::Neutron, ErrorKind::Forbidden);
    assert_eq!(case.told(), ["Warning does_not: Could not set a port's vnic_index: Neutron: does not do it."]);
    case.fails(&set_index(), System::Neutron, ErrorKind::Forbidden);
    assert_eq!(case.told(), NONE);
}

#[test]
fn unreadable_secrets_are_a_condition() {
    let mut case = Case::well();
    let error = RemoteError::new(
        System::Store,
        ErrorKind::Unavailable,
        SECRETS_UNREADABLE,
        "the cluster's secrets cannot be read with this key file.",
    );
    let mut told = vec![];
    for _ in 0..100 {
        case.fails_with(&Action::Delete(ours()), &error);
        told.extend(case.told());
    }
    case.troubles.calm(&Action::Delete(ours()).keys());
    told.extend(case.told());
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(Case::well().is(Kind::SecretsReadable), None, "most clusters have none");
}

// ---------------------------------------------------------------- queue and stuck

/// A create without a VM, while these tasks run; ours is number 7.
fn queued(running: &[&str]) -> Case {
    let mut case = Case::well();
    let mut waiting = managed(ManagedStatus::Provisioning);
    waiting.nodes[0].vm = None;
    case.eyes.look(Some(waiting));
    case.eyes.task(task("7", "c", TaskState::Running));
    let mut tasks: Vec<_> = running.iter().map(|id| task(id, "other", TaskState::Running)).collect();
    tasks.push(task("2", "done", TaskState::Completed));
    tasks.push(task("7", "c", TaskState::Running));
    case.eyes.seen.tasks.learn(case.eyes.ticker.tick(), Mono::default(), tasks);
    case
}

#[test]
fn a_create_in_the_managers_queue_says_its_place() {
    let mut case = queued(&["3", "10", "5", "11"]);
    assert_eq!(
        case.told(),
        ["Warning Queued: BDE creates one cluster at a time: this create is number 3 of 5 in its queue."]
    );
    let mut case = queued(&["10", "11"]);
    assert_eq!(case.told(), NONE, "it is being made");
    assert_eq!(case.says(Kind::BdeReady), "BDE shows the status PROVISIONING.");
    let mut case = queued(&["3"]);
    case.told();
    case.eyes.look(Some(managed(ManagedStatus::Provisioning)));
    assert_eq!(case.told(), ["Info Ready: BDE shows the status PROVISIONING."], "it has its first VM");
}

#[test]
fn a_place_that_changes_is_no_event() {
    let mut case = queued(&["3", "5"]);
    case.told();
    let since = case.condition(Kind::BdeReady).unwrap().since;
    let mut tasks = vec![task("5", "other", TaskState::Running), task("7", "c", TaskState::Running)];
    tasks.push(task("3", "other", TaskState::Completed));
    case.eyes.seen.tasks.learn(case.eyes.ticker.tick(), Mono::default(), tasks);
    assert_eq!(case.told(), NONE);
    assert!(case.says(Kind::BdeReady).contains("number 2 of 2"), "{}", case.says(Kind::BdeReady));
    assert_eq!(case.condition(Kind::BdeReady).unwrap().since, since);
}

#[test]
fn a_status_without_a_task_is_named_as_stuck() {
    let mut case = Case::well();
    case.eyes.look(Some(managed(ManagedStatus::Busy)));
    case.stuck = Some(seconds(59));
    assert_eq!(case.told(), NONE);
    case.stuck = Some(seconds(60));
    assert_eq!(case.told(), ["Warning Stuck: BDE shows the status BUSY, but runs no task for the cluster."]);
}

#[test]
fn of_somebody_elses_cluster_no_status_is_said() {
    let mut case = Case::new();
    case.own = Ownership::Foreign("another call created it".to_owned());
    case.eyes.look(Some(managed(ManagedStatus::Busy)));
    case.stuck = Some(seconds(600));
    case.told();
    assert_eq!(case.is(Kind::BdeReady), None);
}

// ---------------------------------------------------------------- status

/// The status after an operation that ended like this.
fn word(case: &mut Case, goal: Goal, kind: OperationKind, end: OperationState) -> ClusterStatus {
    case.state.operation = Some(OperationProgress { kind, state: end, ..state().operation.unwrap() });
    let (record, marks): (_, MarkKey) = (record(), marks());
    let sight = Sight {
        pass: PASS,
        record: &record,
        seen: &case.eyes.seen,
        vms: &case.eyes.seen.vms,
        cluster: case.eyes.seen.cluster.last().and_then(Option::as_ref),
        marks: &marks,
        backend: NetworkBackend::Ml2,
        now: at(0),
    };
    if case.own != Ownership::Unknown {
        observe(&sight, &mut case.state, &mut Memo::default());
    }
    case.state.status = status(goal, &case.state, &case.own, &case.eyes.seen);
    case.state.status
}

fn after_create(case: &mut Case) -> ClusterStatus {
    word(case, Goal::Running, OperationKind::Create, OperationState::Succeeded)
}

#[test]
fn while_an_operation_runs_it_is_the_status() {
    let mut case = Case::well();
    for (kind, expected) in [
        (OperationKind::Create, ClusterStatus::Creating),
        (OperationKind::Start, ClusterStatus::Starting),
        (OperationKind::Stop, ClusterStatus::Stopping),
        (OperationKind::Delete, ClusterStatus::Deleting),
    ] {
        assert_eq!(word(&mut case, Goal::Running, kind, OperationState::Running), expected);
    }
    assert_eq!(
        word(&mut case, Goal::Deleted, OperationKind::Delete, OperationState::Succeeded),
        ClusterStatus::Deleting
    );
    case.state.operation = None;
    assert_eq!(status(Goal::Running, &case.state, &case.own, &case.eyes.seen), ClusterStatus::Pending);
}

#[test]
fn between_operations_the_status_is_what_is_there() {
    let mut case = Case::well();
    assert_eq!(after_create(&mut case), ClusterStatus::Running);
    for (there, expected) in [
        (ManagedStatus::Stopped, ClusterStatus::Stopped),
        (ManagedStatus::Stopping, ClusterStatus::Stopping),
        (ManagedStatus::Starting, ClusterStatus::Running),
        (ManagedStatus::Deleting, ClusterStatus::Deleting),
        (ManagedStatus::ServiceWarning, ClusterStatus::Degraded),
        (ManagedStatus::ServiceStopped, ClusterStatus::Degraded),
        (ManagedStatus::Error, ClusterStatus::Degraded),
        (ManagedStatus::ProvisionError, ClusterStatus::Degraded),
        (ManagedStatus::Running, ClusterStatus::Running),
        (ManagedStatus::Provisioning, ClusterStatus::Running),
        (ManagedStatus::Busy, ClusterStatus::Running),
    ] {
        case.eyes.look(Some(managed(there)));
        assert_eq!(after_create(&mut case), expected, "{there:?}");
    }
    // Stopped by hand, and started again.
    case.eyes.look(Some(managed(ManagedStatus::Starting)));
    case.eyes.watch([vm()]);
    assert_eq!(after_create(&mut case), ClusterStatus::Starting);
    // Started by hand after our stop.
    case.eyes.look(Some(managed(ManagedStatus::Running)));
    let stopped = |case: &mut Case| word(case, Goal::Stopped, OperationKind::Stop, OperationState::Succeeded);
    assert_eq!(stopped(&mut case), ClusterStatus::Running);
    case.eyes.look(Some(managed(ManagedStatus::Stopped)));
    assert_eq!(stopped(&mut case), ClusterStatus::Stopped);
}

#[test]
fn a_node_that_is_not_whole_degrades_the_cluster() {
    type Harm = fn(&mut Eyes);
    let vm_gone: Harm = |eyes| eyes.watch([]);
    let powered_off: Harm = |eyes| eyes.watch([vm()]);
    let other_address: Harm = |eyes| eyes.watch([up("10.9.9.9")]);
    let port_gone: Harm = |eyes| eyes.list([]);
    for (what, harm) in
        [("VM gone", vm_gone), ("off", powered_off), ("other address", other_address), ("port gone", port_gone)]
    {
        let mut case = Case::well();
        assert_eq!(after_create(&mut case), ClusterStatus::Running);
        harm(&mut case.eyes);
        assert_eq!(after_create(&mut case), ClusterStatus::Degraded, "{what}");
    }
}

#[test]
fn a_cluster_that_was_deleted_by_hand_is_gone_whatever_stands_there_now() {
    let was_ours = |case: &mut Case| case.state.identity.vms = [("vm-1".into(), vm().instance_uuid.unwrap())].into();
    let another = Ownership::Foreign("none of its VMs belongs to this cluster".to_owned());
    for end in [OperationState::Succeeded, OperationState::Failed] {
        for own in [Ownership::Gone, another.clone()] {
            let mut case = Case::well();
            was_ours(&mut case);
            case.own = own;
            assert_eq!(word(&mut case, Goal::Running, OperationKind::Create, end), ClusterStatus::Gone, "{end:?}");
        }
    }
    let mut case = Case::well();
    (case.own, case.state.identity.dissolved) = (another.clone(), true);
    assert_eq!(after_create(&mut case), ClusterStatus::Gone);
    // A create that was refused for the other one never was there.
    let mut case = Case::new();
    case.own = another;
    let refused = word(&mut case, Goal::Running, OperationKind::Create, OperationState::Failed);
    assert_eq!(refused, ClusterStatus::Error);
}

#[test]
fn the_last_operation_that_failed_is_an_error_until_it_is_gone() {
    let mut case = Case::well();
    let failed = word(&mut case, Goal::Running, OperationKind::Start, OperationState::Failed);
    assert_eq!(failed, ClusterStatus::Error);
}

#[test]
fn what_was_not_looked_at_since_the_start_is_as_it_was() {
    for known in [ClusterStatus::Running, ClusterStatus::Stopped, ClusterStatus::Degraded, ClusterStatus::Gone] {
        for own in [Ownership::Unknown, Ownership::Pending] {
            let mut case = Case::new();
            (case.own, case.state.status) = (own, known);
            assert_eq!(after_create(&mut case), known);
        }
    }
    // An operation of the process before was answered while nobody wrote it down.
    for (goal, kind, expected) in [
        (Goal::Running, OperationKind::Create, ClusterStatus::Running),
        (Goal::Stopped, OperationKind::Stop, ClusterStatus::Stopped),
    ] {
        let mut case = Case::new();
        case.state.status = ClusterStatus::Creating;
        assert_eq!(word(&mut case, goal, kind, OperationState::Succeeded), expected);
    }
}
