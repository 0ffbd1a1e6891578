//! What is planned for a card and its port, and for what is somebody else's.

use super::*;
use crate::ids::OperationId;
use crate::intent::Verb;
use crate::known::{ClusterState, OwnPort};
use crate::observe::{Memo, Sight, observe};
use crate::policy::NetworkBackend;
use crate::provision::Bde;
use crate::seen::Seen;
use crate::systems::manager::{ManagedCluster, ManagedStatus};
use crate::systems::networking::{FixedIp, NetworkingFeatures};
use crate::test_support::{
    Eyes, MAC, PASS, VM_UUID, at, first_mark, good_port, mac, managed, marks, ours, record, seen, segment, state, vm,
    vm_of_node,
};

fn planned(seen: &Seen, backend: NetworkBackend) -> Plan {
    planned_with(&state(), seen, backend)
}

fn planned_with(state: &ClusterState, seen: &Seen, backend: NetworkBackend) -> Plan {
    let owner = Owner { ours: ours(), record: &record(), state, seen, provision: &Bde };
    plan(&Bond { owner, marks: &marks(), networks: &Networks::of(backend) }, &segment().key)
}

/// What is known after these facts were taken in: the ledger of ports and the nodes.
fn observed(state: &ClusterState, seen: &Seen) -> ClusterState {
    let mut state = ClusterState { segment: Some(segment()), ..state.clone() };
    let sight = Sight {
        pass: PASS,
        record: &record(),
        seen,
        vms: &seen.vms,
        cluster: seen.cluster.last().and_then(Option::as_ref),
        marks: &marks(),
        backend: NetworkBackend::Ml2,
        now: at(0),
    };
    observe(&sight, &mut state, &mut Memo::default());
    state
}

/// A create of ours that the manager is carrying out.
fn founded() -> ClusterState {
    let mut state = state();
    state.journal.sent(Verb::Found, OperationId(Uuid::from_u128(2)), at(0));
    state
}

fn planned_by_manager(nodes: u8) -> ManagedCluster {
    let mut cluster = managed(ManagedStatus::Provisioning);
    let node = |n: u8| {
        let mut node = cluster.nodes[0].clone();
        (node.name, node.vm) = (format!("c-worker-{n}").as_str().into(), None);
        node
    };
    cluster.nodes = (0..nodes).map(node).collect();
    cluster
}

#[test]
fn a_card_on_the_segment_gets_a_complete_port() {
    let plan = planned(&seen(vec![vm()], vec![]), NetworkBackend::Ml2);
    let [port] = plan.create.as_slice() else { panic!("{plan:?}") };
    assert_eq!((port.mac, port.address, port.device_id), (MAC, None, VM_UUID));
    assert_eq!(port.name, "c-worker-0-port0");
    assert!(port.device_owner.starts_with("compute:"));
    assert_eq!(port.description, good_port().description, "signed by this installation");
}

#[test]
fn a_local_users_ports_belong_to_the_networks_project() {
    let mut local = record();
    local.project = crate::wanted::LOCAL_PROJECT.into();
    local.spec.network.project = "owner".into();
    let (state, marks, seen) = (state(), marks(), seen(vec![vm()], vec![]));
    let owner = Owner { ours: ours(), record: &local, state: &state, seen: &seen, provision: &Bde };
    let networks = Networks::of(NetworkBackend::Ml2);
    let bond = Bond { owner, marks: &marks, networks: &networks };
    let request = &plan(&bond, &segment().key).create[0];
    assert_eq!(request.project, "owner".into());
    // The tag is of the cluster's own project: in the network's, the same id may be somebody else's cluster.
    assert!(marks.wrote(&local.project, &Mark::parse(&request.description).unwrap(), request.mac));
    assert!(!marks.wrote(&"owner".into(), &Mark::parse(&request.description).unwrap(), request.mac));
}

#[test]
fn nothing_is_planned_before_the_ports_were_listed_or_the_card_is_final() {
    let mut unlisted = Eyes::default();
    unlisted.watch([vm()]);
    unlisted.look(Some(managed(ManagedStatus::Provisioning)));
    unlisted.seen.ports.partial(Stamp::START, [(good_port().id, good_port())]);
    assert_eq!(planned(&unlisted.seen, NetworkBackend::NsxV), Plan::default(), "one port is no list");
    let mut on_template = vm();
    on_template.nics[0].segment = Some("dvportgroup-template".into());
    let mut no_mac = vm();
    no_mac.nics[0].mac = None;
    let mut no_uuid = vm();
    no_uuid.instance_uuid = None;
    for early in [on_template, no_mac, no_uuid] {
        assert_eq!(planned(&seen(vec![early], vec![]), NetworkBackend::NsxV), Plan::default());
    }
}

#[test]
fn one_mac_is_never_asked_for_twice() {
    let mut twin = vm_of_node(1);
    twin.nics[0].mac = Some(MAC);
    let mut eyes = Eyes::default();
    eyes.watch([vm(), twin]);
    eyes.list([]);
    eyes.look(Some(planned_by_manager(2)));
    let plan = planned_with(&founded(), &eyes.seen, NetworkBackend::NsxV);
    assert_eq!(plan.create.len(), 1);
    assert_eq!(plan.conflicts[0].1.code, "mac_twice");
}

#[test]
fn each_backend_attaches_in_its_own_way() {
    let seen = seen(vec![vm()], vec![good_port()]);
    let plan = planned(&seen, NetworkBackend::NsxV);
    assert_eq!(plan.index.iter().map(|(p, i)| (p.port().clone(), *i)).collect::<Vec<_>>(), [(good_port().id, 0)]);
    let plan = planned(&seen, NetworkBackend::NsxT);
    let attached: Vec<_> = plan.attach.iter().map(|(vm, key, port)| (vm.vm().clone(), *key, port.clone())).collect();
    assert_eq!(attached, [("vm-1".into(), 4000, good_port().id)]);
    assert_eq!(planned(&seen, NetworkBackend::Ml2), Plan::default());
    let mut without = seen;
    without.features = Some(NetworkingFeatures { vnic_index: false });
    assert_eq!(planned(&without, NetworkBackend::NsxV), Plan::default());
}

#[test]
fn a_port_of_ours_that_was_changed_is_put_right() {
    let port = Port { device_owner: String::new(), device_id: "c-worker-0".into(), name: "x".into(), ..good_port() };
    let plan = planned(&seen(vec![vm()], vec![port]), NetworkBackend::NsxV);
    let [(marked, change)] = plan.repair.as_slice() else { panic!("{plan:?}") };
    assert_eq!(marked.port(), &good_port().id);
    let expected = PortChange {
        device_owner: Some(rule::UNBOUND_OWNER.to_owned()),
        device_id: Some(VM_UUID),
        name: Some(good_port().name),
        ..PortChange::default()
    };
    assert_eq!(*change, expected);
    assert!(plan.index.is_empty(), "NSX-v takes no index before that");
}

#[test]
fn a_port_with_the_mark_of_the_first_release_is_marked_anew() {
    let first = Port { description: first_mark(), ..good_port() };
    let seen = seen(vec![vm()], vec![first]);
    let own = OwnPort { node: "c-worker-0".into(), mac: Some(MAC), address: None };
    let known = ClusterState { ports: [(good_port().id, own)].into(), ..state() };
    for (how, state) in [("known by its id", known), ("the port of a VM of ours", state())] {
        let plan = planned_with(&state, &seen, NetworkBackend::Ml2);
        let [(_, change)] = plan.repair.as_slice() else { panic!("{how}: {plan:?}") };
        let expected = PortChange { description: Some(good_port().description), ..PortChange::default() };
        assert_eq!(*change, expected, "{how}");
        assert!(plan.conflicts.is_empty(), "{how}");
    }
}

#[test]
fn a_port_that_was_removed_by_hand_is_asked_for_with_the_address_it_had() {
    let before = observed(&state(), &seen(vec![vm()], vec![good_port()]));
    let removed = seen(vec![vm()], vec![]);
    let after = observed(&before, &removed);
    let plan = planned_with(&after, &removed, NetworkBackend::NsxV);
    assert_eq!(plan.create[0].address, Some("10.0.0.5".parse().unwrap()));
    // Another card is another matter.
    let mut replaced = vm();
    replaced.nics[0].mac = Some(mac(7));
    let replaced = seen(vec![replaced], vec![]);
    let plan = planned_with(&observed(&before, &replaced), &replaced, NetworkBackend::NsxV);
    assert_eq!((plan.create[0].mac, plan.create[0].address), (mac(7), None));
}

#[test]
fn the_port_of_a_card_that_was_replaced_is_removed() {
    let mark = Mark::parse(&good_port().description).unwrap();
    let description = marks().describe(&"p1".into(), &mark, mac(9));
    let old = Port { id: "old".into(), mac: mac(9), description, ..good_port() };
    let plan = planned(&seen(vec![vm()], vec![good_port(), old]), NetworkBackend::Ml2);
    assert_eq!(plan.remove.iter().map(Marked::port).collect::<Vec<_>>(), [&PortId::from("old")]);
    // One whose description was copied from ours is its project's.
    let copied = Port { id: "copied".into(), mac: mac(9), ..good_port() };
    assert!(planned(&seen(vec![vm()], vec![good_port(), copied]), NetworkBackend::Ml2).remove.is_empty());
    // While the VM is still being cloned, its port stays.
    let gone = seen(vec![], vec![good_port()]);
    assert!(planned(&gone, NetworkBackend::Ml2).remove.is_empty());
}

#[test]
fn the_port_of_a_node_that_is_neither_there_nor_planned_is_removed_once_nothing_is_being_made() {
    let removed = |status, nodes, synced| {
        let mut eyes = Eyes::default();
        eyes.watch([]);
        eyes.list([good_port()]);
        eyes.look(Some(ManagedCluster { status, ..planned_by_manager(nodes) }));
        eyes.seen.vms_synced = synced;
        planned(&eyes.seen, NetworkBackend::Ml2).remove.len()
    };
    assert_eq!(removed(ManagedStatus::Running, 0, true), 1);
    assert_eq!(removed(ManagedStatus::Running, 1, true), 0, "the node is planned");
    assert_eq!(removed(ManagedStatus::Provisioning, 0, true), 0, "its plan may not be complete");
    assert_eq!(removed(ManagedStatus::Running, 0, false), 0, "the watch has not told everything");
}

// ---------------------------------------------------------------- what is not ours

fn is_left_alone(plan: &Plan) {
    let ports_and_cards = (&plan.create, &plan.repair, &plan.index, &plan.attach, &plan.remove);
    assert_eq!(ports_and_cards, (&vec![], &vec![], &vec![], &vec![], &vec![]));
}

#[test]
fn a_foreign_port_is_named_and_left_alone() {
    let foreign = Port { description: "made by hand".to_owned(), ..good_port() };
    let plan = planned(&seen(vec![vm()], vec![foreign]), NetworkBackend::NsxV);
    is_left_alone(&plan);
    insta::assert_snapshot!(plan.conflicts[0].1.to_string());
}

#[test]
fn a_port_of_the_plugin_of_2015_is_foreign() {
    let old = Port {
        name: "c-worker-0-port0".to_owned(),
        device_id: "c-worker-0".to_owned(),
        device_owner: String::new(),
        description: String::new(),
        ..good_port()
    };
    let plan = planned(&seen(vec![vm()], vec![old]), NetworkBackend::NsxV);
    is_left_alone(&plan);
    assert_eq!(plan.conflicts[0].1.code, "mac_in_use");
}

#[test]
fn a_port_with_our_cluster_in_its_description_but_of_another_project_is_not_touched() {
    let mark = Mark::parse(&good_port().description).unwrap();
    for description in [good_port().description, first_mark(), marks().describe(&"p2".into(), &mark, good_port().mac)] {
        let theirs = Port { project: "p2".into(), description, ..good_port() };
        let plan = planned(&seen(vec![vm()], vec![theirs.clone()]), NetworkBackend::NsxV);
        is_left_alone(&plan);
        assert_eq!(plan.conflicts[0].1.code, "mac_in_use", "{}", theirs.description);
        // Nor is it taken for a leftover of a card that was replaced.
        let stale = Port { mac: mac(9), id: "theirs".into(), ..theirs };
        let plan = planned(&seen(vec![vm()], vec![good_port(), stale]), NetworkBackend::Ml2);
        assert_eq!(plan, Plan::default());
    }
}

#[test]
fn an_unkeyed_mark_on_the_port_of_another_vm_is_foreign() {
    let forged = Port { description: first_mark(), device_id: Uuid::nil().to_string(), ..good_port() };
    let plan = planned(&seen(vec![vm()], vec![forged]), NetworkBackend::NsxV);
    is_left_alone(&plan);
    assert_eq!(plan.conflicts[0].1.code, "mac_in_use");
}

#[test]
fn the_port_of_ours_counts_where_a_foreign_one_has_the_same_mac() {
    let foreign = Port { id: "a-first".into(), description: String::new(), ..good_port() };
    let seen = seen(vec![vm()], vec![foreign, good_port()]);
    let plan = planned_with(&observed(&state(), &seen), &seen, NetworkBackend::Ml2);
    assert_eq!(plan, Plan::default());
}

#[test]
fn a_strangers_vm_in_our_folder_gets_no_port() {
    let stranger = |name: &str| VmFacts { name: Some(name.into()), ..vm_of_node(8) };
    for status in [ManagedStatus::Provisioning, ManagedStatus::Running] {
        for name in ["c-worker-8", "c-worker-0", "theirs"] {
            let mut eyes = Eyes::default();
            eyes.watch([stranger(name)]);
            eyes.list([]);
            eyes.look(Some(managed(status)));
            for backend in [NetworkBackend::NsxV, NetworkBackend::NsxT] {
                let plan = planned_with(&founded(), &eyes.seen, backend);
                assert_eq!(plan, Plan::default(), "{name} while {status:?}");
                // Nor is the port of our node of that name given up for it.
                eyes.list([Port { fixed_ips: Vec::<FixedIp>::new(), ..good_port() }]);
                assert_eq!(planned_with(&founded(), &eyes.seen, backend), Plan::default(), "{name} while {status:?}");
            }
        }
    }
}
