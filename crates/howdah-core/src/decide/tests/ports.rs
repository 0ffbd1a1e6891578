//! Ports and cards: kept while the cluster is wanted, removed to the last one when it is not.

use std::time::Duration;

use super::Case;
use super::case::{NOTHING, OP, strangers};
use crate::action::{Action, Key, Kind};
use crate::decide::{Decision, Outcome};
use crate::failure::ErrorKind;
use crate::ids::Mac;
use crate::intent::Verb;
use crate::known::OperationState;
use crate::policy::{NetworkBackend, Networks};
use crate::systems::manager::{ManagedCluster, ManagedStatus};
use crate::systems::networking::{Port, PortRequest};
use crate::test_support::{good_port, mac, managed, marks, record, seconds, up, vm, vm_of_node};
use crate::trouble::Troubles;
use crate::wanted::{Goal, OperationKind};

/// A cluster of so many nodes whose VMs are just cloned.
fn cloned(nodes: u8) -> Case {
    let mut case = Case::founded(ManagedStatus::Provisioning);
    case.eyes.watch((0..nodes).map(vm_of_node));
    case.eyes.look(Some(many(nodes, ManagedStatus::Provisioning)));
    case
}

fn many(nodes: u8, status: ManagedStatus) -> ManagedCluster {
    let mut cluster = managed(status);
    let node = |n: u8| {
        let mut node = cluster.nodes[0].clone();
        node.name = format!("c-worker-{n}").as_str().into();
        node.vm = Some(vm_of_node(n).vm);
        node
    };
    cluster.nodes = (0..nodes).map(node).collect();
    cluster.node_count = nodes.into();
    cluster
}

/// The port of node `n`, made by us.
fn port(n: u8) -> Port {
    let mark = crate::mark::Mark::new(record().id, format!("c-worker-{n}").as_str().into(), 0);
    Port {
        id: format!("port-{}", n + 1).as_str().into(),
        name: mark.port_name(),
        mac: mac(n),
        device_id: vm_of_node(n).instance_uuid.unwrap().to_string(),
        description: marks().describe(&"p1".into(), &mark, mac(n)),
        ..good_port()
    }
}

/// The MACs of each wave that is to be sent.
fn waves(decision: &Decision) -> Vec<Vec<Mac>> {
    let macs = |requests: &[PortRequest]| requests.iter().map(|r| r.mac).collect();
    let wave = |a: &Action| if let Action::CreatePorts(_, requests) = a { Some(macs(requests)) } else { None };
    decision.actions.iter().filter_map(wave).collect()
}

fn sizes(decision: &Decision) -> Vec<usize> {
    waves(decision).iter().map(Vec::len).collect()
}

/// Ports are created in bulk with ML2 only.
fn in_bulk(nodes: u8) -> Case {
    let mut case = cloned(nodes);
    case.networks = Networks::of(NetworkBackend::Ml2);
    case
}

/// Every wave that is to be sent ends like this; the next try may follow at once.
fn waves_fail(case: &mut Case, kind: ErrorKind) {
    for action in case.decide().actions {
        if action.kind() == Kind::CreatePorts {
            case.fails(&action, kind, OP, Duration::ZERO);
        }
    }
}

// ---------------------------------------------------------------- waves

#[test]
fn on_nsx_each_port_is_a_request_of_its_own() {
    for (backend, expected) in
        [(NetworkBackend::NsxV, vec![1, 1, 1]), (NetworkBackend::NsxT, vec![1, 1, 1]), (NetworkBackend::Ml2, vec![3])]
    {
        let mut case = cloned(3);
        case.networks = Networks::of(backend);
        assert_eq!(sizes(&case.decide()), expected, "{backend:?}");
    }
}

#[test]
fn new_cards_get_their_ports_in_waves() {
    let mut case = in_bulk(5);
    case.policy.wave_size = 2;
    case.policy.port_waves = 2;
    assert_eq!(sizes(&case.decide()), [2, 2]);
    case.waves = 1;
    case.in_flight = [Key::Mac(mac(0)), Key::Mac(mac(1))].into();
    assert_eq!(waves(&case.decide()), [[mac(2), mac(3)]], "one wave is under way, its cards are not asked for again");
    // Its answer is newer than a list that was asked for before.
    let asked = case.eyes.ticker.tick();
    case.eyes.seen.ports.partial(case.eyes.ticker.tick(), [0, 1].map(|n| (port(n).id, port(n))));
    case.waves = 0;
    case.in_flight.clear();
    case.eyes.list_asked(asked, []);
    assert_eq!(waves(&case.decide()), [vec![mac(2), mac(3)], vec![mac(4)]]);
}

#[test]
fn a_wave_that_was_refused_for_what_is_in_it_is_split() {
    let mut case = in_bulk(3);
    assert_eq!(sizes(&case.decide()), [3]);
    waves_fail(&mut case, ErrorKind::Invalid);
    let decision = case.decide();
    assert_eq!((sizes(&decision), decision.outcome.clone()), (vec![], None), "the first refusal ends nothing");
    assert!(decision.actions.contains(&Action::ListPorts), "they may belong to somebody else");
    case.eyes.list([]);
    assert_eq!(sizes(&case.decide()), [1, 1, 1]);
    // Two of them can be made; the bad one names itself.
    case.eyes.list([port(0), port(2)]);
    let bad = case.decide().actions.into_iter().find(|a| a.kind() == Kind::CreatePorts).unwrap();
    assert_eq!(bad.keys(), [Key::Mac(mac(1))]);
    case.fails(&bad, ErrorKind::Invalid, OP, Duration::ZERO);
    assert!(case.failure().starts_with("neutron_refused: could not create Neutron ports"));
}

#[test]
fn one_bad_card_does_not_hold_back_new_ones() {
    let mut case = in_bulk(1);
    waves_fail(&mut case, ErrorKind::Conflict);
    case.eyes.watch([0, 1, 2].map(vm_of_node));
    case.eyes.look(Some(many(3, ManagedStatus::Provisioning)));
    case.eyes.list([]);
    assert_eq!(waves(&case.decide()), [vec![mac(1), mac(2)], vec![mac(0)]]);
}

#[test]
fn a_wave_that_failed_for_a_passing_reason_is_made_again_as_a_wave() {
    let mut case = in_bulk(3);
    waves_fail(&mut case, ErrorKind::NoAnswer);
    assert_eq!(sizes(&case.decide()), Vec::<usize>::new(), "it may have been made after all");
    case.eyes.list([port(1)]);
    assert_eq!(waves(&case.decide()), [[mac(0), mac(2)]]);
}

#[test]
fn what_failed_a_moment_ago_takes_no_other_ports_turn() {
    let mut case = cloned(40);
    case.policy.single_ports = 16;
    for action in case.decide().actions {
        case.fails(&action, ErrorKind::Unavailable, OP, seconds(30));
    }
    let next = case.decide();
    let failing = |mac: &Mac| case.troubles.get(&Key::Mac(*mac)).is_some();
    let sent = waves(&next).concat();
    assert!(sent.len() == case.policy.single_ports && !sent.iter().any(failing), "{sent:?}");
    assert_eq!(next.again, case.policy.manager_poll);
}

#[test]
fn sixteen_port_writes_that_keep_failing_starve_no_other() {
    let mut case = cloned(20);
    case.eyes.list((0..20).map(port));
    let first = case.decide().actions;
    assert_eq!(first.len(), case.policy.single_calls);
    for action in &first {
        assert_eq!(action.kind(), Kind::SetIndex);
        case.fails(action, ErrorKind::Unavailable, OP, seconds(30));
    }
    let second = case.decide().actions;
    assert_eq!(second.len(), 4, "the others");
    assert!(second.iter().all(|a| !first.contains(a)));
    // What runs takes a turn.
    case.troubles = Troubles::default();
    case.in_flight = first.iter().take(10).flat_map(Action::keys).collect();
    assert_eq!(case.decide().actions.len(), 6);
}

// ---------------------------------------------------------------- conflicts

fn foreign() -> Port {
    Port { description: "made by hand".into(), ..good_port() }
}

#[test]
fn a_mac_that_somebody_elses_port_has_fails_the_create_and_is_left_alone() {
    let mut case = cloned(1);
    case.eyes.list([foreign()]);
    let decision = case.decide();
    assert_eq!(decision.actions, []);
    assert_eq!(decision.conflict.unwrap().code, "mac_in_use");
    assert!(case.failure().starts_with("mac_in_use: "));
    // Between operations it is a condition.
    case.operation().state = OperationState::Succeeded;
    let decision = case.decide();
    assert_eq!((decision.outcome, decision.conflict.unwrap().code.as_str()), (None, "mac_in_use"));
}

#[test]
fn a_foreign_port_on_a_list_from_before_the_request_fails_nothing() {
    let mut case = cloned(1);
    case.eyes.list([foreign()]);
    let mut case = case.wanted(Goal::Running, OperationKind::Create);
    case.look(ManagedStatus::Provisioning);
    assert_eq!(case.acts(), [Kind::ListPorts], "it may have been deleted since, as the hint said");
    case.eyes.list([]);
    assert_eq!(case.acts(), [Kind::CreatePorts]);
}

// ---------------------------------------------------------------- delete

/// A delete of a cluster that the manager no longer has, whose ports were just listed.
fn removed() -> Case {
    let mut case = Case::founded(ManagedStatus::Running).wanted(Goal::Deleted, OperationKind::Delete);
    case.eyes.look(None);
    case
}

#[test]
fn a_delete_leaves_nothing_in_this_order() {
    let mut case = Case::founded(ManagedStatus::Running).wanted(Goal::Deleted, OperationKind::Delete);
    case.eyes.list([good_port()]);
    case.look(ManagedStatus::Running);
    assert_eq!(case.acts(), [Kind::Delete]);
    case.sent(Verb::Remove);
    case.done(Verb::Remove);
    case.look(ManagedStatus::Deleting);
    assert_eq!(case.acts(), NOTHING);
    case.eyes.look(None);
    assert_eq!(case.acts(), [Kind::DeletePort]);
    case.in_flight = [Key::Port(good_port().id)].into();
    assert_eq!(case.acts(), NOTHING);
    case.in_flight.clear();
    case.findings.ports_ended = case.eyes.ticker.tick();
    case.eyes.seen.ports.remove(case.findings.ports_ended, &good_port().id);
    assert_eq!(case.acts(), [Kind::ListPorts]);
    case.eyes.list([]);
    assert_eq!(case.acts(), [Kind::Release]);
    case.in_flight = [Key::Registration].into();
    assert_eq!(case.acts(), NOTHING);
    case.in_flight.clear();
    case.findings.released = true;
    assert_eq!(case.decide().outcome, Some(Outcome::Removed));
}

#[test]
fn none_is_left_only_on_a_list_asked_for_after_the_last_write_ended() {
    let mut case = removed();
    // A wave of the create that gave way is still under way.
    case.sent(Verb::Ports);
    case.in_flight = [Key::Mac(mac(0))].into();
    case.eyes.list([]);
    assert_eq!(case.acts(), NOTHING);
    // It ends; the list was asked for before, and does not know its ports.
    let asked = case.eyes.ticker.tick();
    case.in_flight.clear();
    case.state.journal.forget(Verb::Ports);
    case.findings.ports_ended = case.eyes.ticker.tick();
    case.eyes.list_asked(asked, []);
    assert_eq!(case.acts(), [Kind::ListPorts]);
    case.eyes.list([good_port()]);
    assert_eq!(case.acts(), [Kind::DeletePort]);
}

#[test]
fn a_wave_whose_answer_was_lost_is_waited_for_also_after_a_restart() {
    let mut case = removed();
    case.sent(Verb::Ports);
    // The process was killed there. The next one knows it from the journal.
    case.state.journal.resume(case.eyes.now, &case.policy);
    case.eyes.list([]);
    assert_eq!(case.acts(), NOTHING, "its ports may still be made");
    case.pass_time(case.policy.ports_settle);
    case.eyes.look(None);
    assert_eq!(case.acts(), [Kind::ListPorts], "what was listed before it settled says nothing");
    case.eyes.list([]);
    assert_eq!(case.acts(), [Kind::Release]);
}

#[test]
fn a_list_from_before_the_request_does_not_end_a_delete() {
    let mut case = removed();
    assert_eq!(case.acts(), [Kind::ListPorts]);
}

#[test]
fn a_delete_waits_for_a_create_that_may_still_turn_up() {
    let mut case = Case::founded(ManagedStatus::Running);
    case.sent(Verb::Found);
    case.lost(Verb::Found);
    let mut case = case.wanted(Goal::Deleted, OperationKind::Delete);
    case.eyes.list([]);
    case.eyes.look(None);
    let decision = case.decide();
    assert_eq!((decision.actions, decision.again), (vec![], case.policy.manager_poll));
    case.pass_time(case.policy.manager_settles);
    case.eyes.list([]);
    assert_eq!(case.acts(), [Kind::Look]);
    case.eyes.look(None);
    assert_eq!(case.acts(), [Kind::Release]);
    case.look(ManagedStatus::Running);
    assert_eq!(case.acts(), [Kind::Delete], "it turned up");
}

#[test]
fn what_was_never_created_is_deleted_without_asking_the_manager() {
    for refused in [false, true] {
        let mut case = Case::new();
        if refused {
            case.sent(Verb::Found);
            case.state.journal.refused(Verb::Found, case.eyes.ticker.tick());
        }
        let mut case = case.wanted(Goal::Deleted, OperationKind::Delete);
        assert!(case.acts().contains(&Kind::ListPorts));
        case.eyes.list([]);
        assert!(case.acts().contains(&Kind::Release));
        case.findings.released = true;
        assert_eq!(case.decide().outcome, Some(Outcome::Removed), "the manager was never heard");
    }
}

#[test]
fn the_delete_of_a_refused_cluster_touches_no_port_of_the_other_one() {
    let mut case = Case::new().wanted(Goal::Deleted, OperationKind::Delete);
    let of_2015 = Port { description: String::new(), device_id: "c-worker-0".into(), ..good_port() };
    case.eyes.watch([up("10.0.0.5")]);
    case.eyes.look(Some(managed(ManagedStatus::Running)));
    case.eyes.list([of_2015, Port { id: "forged".into(), project: "p2".into(), ..good_port() }]);
    assert_eq!(case.acts(), [Kind::Release]);
    case.findings.released = true;
    assert_eq!(case.decide().outcome, Some(Outcome::Removed));
}

#[test]
fn a_delete_removes_the_ports_of_ours_where_somebody_elses_cluster_has_the_name() {
    let mut case = removed();
    case.state.identity.vms = [("vm-1".into(), vm().instance_uuid.unwrap())].into();
    case.eyes.look(Some(strangers()));
    case.eyes.list([good_port(), Port { id: "theirs".into(), mac: mac(9), description: String::new(), ..good_port() }]);
    let Decision { actions, .. } = case.decide();
    let [Action::DeletePort(port)] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(*port.port(), good_port().id);
}

#[test]
fn a_delete_that_failed_goes_on_with_a_new_request_only() {
    let mut case = removed();
    case.operation().state = OperationState::Failed;
    case.eyes.list([good_port()]);
    assert_eq!(case.acts(), NOTHING);
}
