//! The events of nodes and the ledger of ports, as the facts arrive.

use super::*;
use crate::condition::ConditionKind::{Addressed, Attached, PortReady, VmExists};
use crate::condition::ConditionStatus::{False, True};
use crate::history::{Boot, NodeHistory};
use crate::systems::vcenter::{Tools, WatchEvent};
use crate::test_support::{
    Eyes, MAC, PASS, at, first_mark, good_port, mac, managed, marks, record, segment, state, up, vm,
};
use uuid::Uuid;

/// A cluster of ours as it is observed, one moment after the other.
struct Watched {
    record: ClusterRecord,
    state: ClusterState,
    eyes: Eyes,
    backend: NetworkBackend,
    memo: Memo,
}

impl Watched {
    /// Its one node is planned.
    fn new() -> Self {
        let mut eyes = Eyes::default();
        eyes.look(Some(managed(ManagedStatus::Provisioning)));
        let state = ClusterState { segment: Some(segment()), ..state() };
        Self { record: record(), state, eyes, backend: NetworkBackend::NsxV, memo: Memo::default() }
    }

    /// Its one node is up with its address, since the beginning.
    fn up() -> Self {
        let mut watched = Self::new();
        watched.eyes.watch([up("10.0.0.5")]);
        watched.eyes.list([good_port()]);
        watched.eyes.look(Some(managed(ManagedStatus::Running)));
        watched.observe(0);
        watched
    }

    /// Another process takes it up: what is stored is known, and nothing was looked at.
    fn restart(&mut self) {
        let ticker = self.eyes.ticker.clone();
        self.eyes = Eyes { ticker, ..Eyes::default() };
    }

    /// Its operation now, and what it is for.
    fn wants(&mut self, goal: Goal, kind: OperationKind) {
        self.record.shape = self.record.shape.with_goal(goal);
        self.state.operation.as_mut().unwrap().kind = kind;
        self.state.progress = 0.0;
    }

    fn observe(&mut self, seconds: i64) -> Vec<String> {
        self.events(seconds).into_iter().map(|e| e.message).collect()
    }

    fn warnings(&mut self, seconds: i64) -> usize {
        self.events(seconds).iter().filter(|e| e.level == Level::Warning).count()
    }

    fn events(&mut self, seconds: i64) -> Vec<Event> {
        let seen = &self.eyes.seen;
        let sight = Sight {
            pass: PASS,
            record: &self.record,
            seen,
            vms: &seen.vms,
            cluster: seen.cluster.last().and_then(Option::as_ref),
            marks: &marks(),
            backend: self.backend,
            now: at(seconds),
        };
        observe(&sight, &mut self.state, &mut self.memo)
    }

    fn node(&self) -> &NodeState {
        &self.state.nodes[&"c-worker-0".into()]
    }

    fn condition(&self, kind: ConditionKind) -> &Condition {
        self.node().conditions.iter().find(|c| c.kind == kind).unwrap()
    }

    fn says(&self, kind: ConditionKind) -> &str {
        &self.condition(kind).message
    }
}

#[test]
fn a_node_is_told_once_from_plan_to_address() {
    let mut watched = Watched::new();
    watched.eyes.watch([]);
    watched.eyes.list([]);
    assert!(watched.observe(0).is_empty());
    assert_eq!(watched.node().stage, Stage::Planned);
    assert_eq!(watched.says(VmExists), "The VM does not exist yet.");

    watched.eyes.watch([vm()]);
    watched.eyes.list([good_port()]);
    assert_eq!(
        watched.observe(1),
        [
            "c-worker-0: vm-1 has the MAC 00:50:56:01:02:03.",
            "c-worker-0: port port-1 with address 10.0.0.5.",
            "c-worker-0: planned -> cloned.",
        ]
    );
    let known = watched.state.clone();
    assert!(watched.observe(2).is_empty(), "the same facts are told once");
    assert_eq!(watched.state, known, "and change nothing");

    watched.eyes.watch([up("10.0.0.5")]);
    watched.eyes.look(Some(managed(ManagedStatus::Running)));
    assert_eq!(watched.observe(9), ["c-worker-0: cloned -> addressed 10.0.0.5."]);
    let since: Vec<_> = watched.node().conditions.iter().map(|c| (c.kind, c.status, c.since)).collect();
    let expected =
        [(VmExists, True, at(1)), (PortReady, True, at(1)), (Attached, False, at(0)), (Addressed, True, at(9))];
    assert_eq!(since, expected);
    // What conditions forget when they change.
    watched.eyes.watch([vm()]);
    watched.eyes.list([]);
    watched.observe(10);
    let boot = Boot { seen: at(9), vcenter: up("10.0.0.5").boot_time, addressed: Some(at(9)) };
    let history = NodeHistory {
        incarnations: 1,
        vm_seen: Some(at(1)),
        port_ready: Some(at(1)),
        boots: 1,
        recent_boots: vec![boot],
    };
    assert_eq!(watched.node().history, history);
}

#[test]
fn the_wrong_address_is_named() {
    let mut watched = Watched::up();
    watched.eyes.watch([up("10.9.9.9")]);
    watched.observe(1);
    assert_eq!(watched.node().stage, Stage::NoAddress);
    assert_eq!(watched.says(Addressed), "The guest has the address 10.9.9.9, but its port has 10.0.0.5.");
}

// ---------------------------------------------------------------- what is not visible

#[test]
fn a_watch_that_starts_again_makes_nothing_vanish() {
    let mut watched = Watched::up();
    let known = watched.state.clone();
    watched.eyes.seen.apply(WatchEvent::Reset);
    assert!(watched.observe(1).is_empty());
    assert_eq!(watched.state, known);
    watched.eyes.seen.apply(WatchEvent::Vm(up("10.0.0.5")));
    watched.eyes.seen.apply(WatchEvent::Synced);
    assert!(watched.observe(2).is_empty());
    assert_eq!(watched.state, known);
}

#[test]
fn a_restart_takes_nothing_for_lost_in_whatever_order_the_systems_answer() {
    type Step = fn(&mut Watched);
    let manager: Step = |w| w.eyes.look(Some(managed(ManagedStatus::Running)));
    let vms: Step = |w| w.eyes.watch([up("10.0.0.5")]);
    let ports: Step = |w| w.eyes.list([good_port()]);
    for backend in [NetworkBackend::NsxV, NetworkBackend::NsxT, NetworkBackend::Ml2] {
        for (order, steps) in [
            ("manager, VMs, ports", [manager, vms, ports]),
            ("manager, ports, VMs", [manager, ports, vms]),
            ("VMs, manager, ports", [vms, manager, ports]),
            ("VMs, ports, manager", [vms, ports, manager]),
            ("ports, manager, VMs", [ports, manager, vms]),
            ("ports, VMs, manager", [ports, vms, manager]),
        ] {
            let mut watched = Watched::up();
            watched.backend = backend;
            watched.observe(0);
            let known = watched.state.clone();
            watched.restart();
            for (n, step) in steps.into_iter().enumerate() {
                step(&mut watched);
                let told = watched.observe(100 + i64::try_from(n).unwrap());
                assert_eq!(told, Vec::<String>::new(), "{backend:?}: {order}: {n}");
                assert_eq!(watched.state, known, "{backend:?}: {order}: {n}");
            }
        }
    }
}

#[test]
fn a_vm_that_was_there_is_gone_since_a_moment() {
    let mut watched = Watched::up();
    watched.eyes.watch([]);
    let told = watched.observe(60);
    assert_eq!(told, ["c-worker-0: the VM vm-1 is gone.", "c-worker-0: addressed -> planned."]);
    assert_eq!(watched.says(VmExists), "The VM vm-1 is gone since 2027-01-15 08:01 UTC.");
    assert_eq!(watched.condition(VmExists).status, False);
    assert!(watched.observe(4000).is_empty());
    assert_eq!(watched.says(VmExists), "The VM vm-1 is gone since 2027-01-15 08:01 UTC.", "the date stays");
    // The process after this one knows it too.
    watched.restart();
    watched.eyes.look(Some(managed(ManagedStatus::Running)));
    watched.eyes.watch([]);
    watched.observe(8000);
    assert_eq!(watched.says(VmExists), "The VM vm-1 is gone since 2027-01-15 08:01 UTC.");
    // A resume recreates it; then it does not exist *yet*.
    let mut recreated = managed(ManagedStatus::Provisioning);
    recreated.nodes[0].vm = None;
    watched.eyes.look(Some(recreated));
    watched.observe(9000);
    assert_eq!(watched.says(VmExists), "The VM does not exist yet.");
}

#[test]
fn a_lost_vm_is_a_warning_unless_the_cluster_is_being_deleted() {
    for (goal, kind, warnings) in [
        (Goal::Deleted, OperationKind::Delete, 0),
        (Goal::Stopped, OperationKind::Stop, 2),
        (Goal::Running, OperationKind::Create, 2),
    ] {
        let mut watched = Watched::up();
        watched.wants(goal, kind);
        watched.eyes.watch([]);
        assert_eq!(watched.warnings(60), warnings, "{goal:?}");
    }
}

#[test]
fn a_guest_that_shuts_down_is_a_warning_unless_the_cluster_is_being_stopped_or_deleted() {
    for (goal, kind, warnings) in [
        (Goal::Deleted, OperationKind::Delete, 0),
        (Goal::Stopped, OperationKind::Stop, 0),
        (Goal::Running, OperationKind::Start, 1),
    ] {
        let mut watched = Watched::up();
        watched.wants(goal, kind);
        let mut guest = up("10.0.0.5");
        guest.tools = Tools::NotRunning;
        guest.nics[0].addresses.clear();
        watched.eyes.watch([guest]);
        assert_eq!(watched.warnings(60), warnings, "{goal:?}");
        assert_eq!(watched.node().stage, Stage::Booting);
    }
}

#[test]
fn a_stop_counts_nodes_that_are_off_and_a_delete_those_that_are_removed() {
    let mut watched = Watched::up();
    watched.wants(Goal::Stopped, OperationKind::Stop);
    watched.observe(1);
    assert!(watched.state.progress < 0.1);
    watched.eyes.watch([vm()]);
    watched.observe(2);
    assert!(watched.state.progress > 0.9);

    watched.wants(Goal::Deleted, OperationKind::Delete);
    watched.observe(3);
    assert_eq!(watched.state.progress, 0.5);
    // BDE removes a node from the cluster together with its VM.
    watched.eyes.watch([]);
    watched.eyes.look(Some(ManagedCluster { nodes: vec![], ..managed(ManagedStatus::Deleting) }));
    watched.observe(4);
    assert_eq!((watched.state.nodes.len(), watched.node().stage), (1, Stage::Planned));
    assert!(watched.state.progress > 0.9);
}

#[test]
fn nodes_of_a_cluster_that_is_gone_stay_known() {
    let mut watched = Watched::up();
    watched.eyes.look(None);
    watched.eyes.watch([]);
    watched.observe(60);
    assert_eq!(watched.says(VmExists), "The VM vm-1 is gone since 2027-01-15 08:01 UTC.");
    assert_eq!(watched.state.manager_status, Some(ManagedStatus::Running), "as seen last");
}

/// Whatever the manager says of its VM meanwhile.
#[test]
fn a_vm_that_is_renamed_stays_its_nodes() {
    for managers in [Some("vm-1".into()), None] {
        let mut watched = Watched::up();
        let known = watched.state.clone();
        let mut cluster = managed(ManagedStatus::Running);
        cluster.nodes[0].vm = managers;
        watched.eyes.look(Some(cluster));
        watched.eyes.watch([VmFacts { name: Some("web".into()), ..up("10.0.0.5") }]);
        assert!(watched.observe(1).is_empty());
        assert_eq!(watched.state, known);
    }
}

// ---------------------------------------------------------------- ports

#[test]
fn the_ledger_holds_each_port_of_ours_until_a_complete_list_lacks_it() {
    let mut watched = Watched::new();
    watched.eyes.watch([vm()]);
    let asked = watched.eyes.ticker.tick();
    // The answer of the create.
    watched.eyes.seen.ports.partial(watched.eyes.ticker.tick(), [(good_port().id, good_port())]);
    watched.observe(0);
    let own = OwnPort { node: "c-worker-0".into(), mac: Some(MAC), address: Some("10.0.0.5".parse().unwrap()) };
    assert_eq!(watched.state.ports, [(good_port().id, own.clone())].into());
    watched.eyes.list_asked(asked, []);
    watched.observe(1);
    assert_eq!(watched.state.ports.len(), 1, "that list was asked for before the port was made");
    watched.restart();
    watched.eyes.look(Some(managed(ManagedStatus::Running)));
    watched.observe(2);
    assert_eq!(watched.state.ports.len(), 1, "nothing was listed since the start");
    // Its mark was removed by somebody: it is ours by its id.
    watched.eyes.list([Port { description: String::new(), ..good_port() }]);
    watched.observe(3);
    assert_eq!(watched.state.ports, [(good_port().id, own)].into());
    watched.eyes.list([]);
    watched.observe(4);
    assert_eq!(watched.state.ports, [].into());
}

#[test]
fn a_lost_ledger_is_made_again_once_from_unkeyed_marks_in_the_records_project() {
    let unkeyed = Port { description: first_mark(), ..good_port() };
    let elsewhere = Port { id: "p-2".into(), project: "p2".into(), ..unkeyed.clone() };
    let by_hand = Port { id: "p-3".into(), description: "made by hand".into(), ..good_port() };
    let mut watched = Watched::new();
    watched.state.ledger_lost = true;
    watched.observe(0);
    assert!(watched.state.ledger_lost, "nothing was listed yet");
    watched.eyes.list([unkeyed.clone(), elsewhere, by_hand]);
    watched.observe(1);
    assert_eq!(watched.state.ports.keys().collect::<Vec<_>>(), [&unkeyed.id]);
    let late = Port { id: "p-4".into(), ..unkeyed.clone() };
    watched.eyes.list([unkeyed.clone(), late]);
    watched.observe(2);
    assert_eq!(watched.state.ports.keys().collect::<Vec<_>>(), [&unkeyed.id], "nobody of today writes that mark");
}

#[test]
fn no_port_of_others_comes_into_the_ledger() {
    let other_project = Port { project: "p2".into(), ..good_port() };
    let unkeyed = Port { description: first_mark(), ..good_port() };
    let by_hand = Port { description: "made by hand".into(), ..good_port() };
    for port in [other_project, unkeyed, by_hand] {
        let mut watched = Watched::new();
        watched.eyes.watch([vm()]);
        watched.eyes.list([port.clone()]);
        watched.observe(0);
        assert!(watched.state.ports.is_empty(), "{port:?}");
        assert_eq!(watched.node().port, None, "{port:?}");
        assert_eq!(watched.says(PortReady), "The port with MAC 00:50:56:01:02:03 does not exist yet.");
    }
}

#[test]
fn a_port_that_was_removed_by_hand_is_named_and_its_address_remembered() {
    let mut watched = Watched::up();
    watched.eyes.list([]);
    watched.observe(60);
    assert_eq!(watched.node().port, None);
    assert_eq!(watched.node().promised, Some("10.0.0.5".parse().unwrap()));
    assert_eq!(watched.says(PortReady), "The port with MAC 00:50:56:01:02:03 was deleted, not by Howdah.");
    assert_eq!(watched.condition(PortReady).since, at(60));
    watched.observe(120);
    assert_eq!(watched.condition(PortReady).reason, "PortGone", "until it is there again");
    watched.eyes.list([Port { id: "port-2".into(), ..good_port() }]);
    assert_eq!(watched.observe(180), ["c-worker-0: port port-2 with address 10.0.0.5."]);
    assert_eq!((watched.condition(PortReady).status, watched.condition(PortReady).since), (True, at(180)));
}

#[test]
fn another_card_is_promised_nothing() {
    let mut replaced = vm();
    replaced.nics[0].mac = Some(mac(7));
    replaced.instance_uuid = Some(Uuid::nil());
    for restarted in [false, true] {
        let mut watched = Watched::up();
        if restarted {
            watched.restart();
            watched.eyes.look(Some(managed(ManagedStatus::Running)));
        }
        watched.eyes.watch([replaced.clone()]);
        // Before the ports are listed, too.
        watched.observe(60);
        watched.eyes.list([]);
        watched.observe(61);
        assert_eq!((watched.node().port.clone(), watched.node().promised), (None, None), "restarted: {restarted}");
        assert_eq!(watched.says(PortReady), "The port with MAC 00:50:56:01:02:0a does not exist yet.");
    }
}

// ---------------------------------------------------------------- attachment, progress

#[test]
fn each_backend_says_what_it_lacks() {
    let says = |backend, port: Port, vm: VmFacts| {
        let mut watched = Watched::new();
        watched.backend = backend;
        watched.eyes.watch([vm]);
        watched.eyes.list([port]);
        watched.observe(0);
        let found = watched.node().conditions.iter().find(|c| c.kind == Attached);
        found.map(|c| format!("{}: {}", c.reason, c.message))
    };
    let mut named = vm();
    named.nics[0].external_id = Some("port-1".into());
    let indexed = Port { vnic_index: Some(0), ..good_port() };
    let said: Vec<_> = [
        says(NetworkBackend::NsxV, good_port(), vm()),
        says(NetworkBackend::NsxV, indexed, vm()),
        says(NetworkBackend::NsxT, good_port(), vm()),
        says(NetworkBackend::NsxT, good_port(), up("10.0.0.5")),
        says(NetworkBackend::NsxT, good_port(), named),
        says(NetworkBackend::Ml2, good_port(), vm()),
    ]
    .into_iter()
    .map(|said| said.unwrap_or_else(|| "not asked".into()))
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn progress_never_goes_back_within_an_operation() {
    let mut watched = Watched::up();
    let before = watched.state.progress;
    watched.eyes.watch([vm()]);
    watched.observe(1);
    assert!(before > 0.9 && watched.state.progress == before, "{before}");
}
