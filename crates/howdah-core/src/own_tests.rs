//! The table of [`super`], row by row and column by column, and what each of its words is read off.

use super::*;
use crate::ids::OperationId;
use crate::known::{ClusterState, Likeness, OwnPort};
use crate::policy::Policy;
use crate::provision::Bde;
use crate::systems::manager::{ManagedStatus, TaskState};
use crate::systems::vcenter::{NicFacts, Power, Tools};
use crate::test_support::{
    Eyes, MAC, PASS, at, first_mark, good_port, likeness, managed, marks, ours, record, state, task, vm, vm_of_node,
};
use crate::time::{Mono, Ticker};
use uuid::Uuid;

fn owner<'a>(record: &'a ClusterRecord, state: &'a ClusterState, seen: &'a Seen) -> Owner<'a> {
    Owner { ours: ours(), record, state, seen, provision: &Bde }
}

const OP: OperationId = OperationId(Uuid::from_u128(2));

/// What became of the create call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Founding {
    Never,
    Refused,
    NotSeen,
    InFlight,
    Lost,
    Settled,
    Seen,
    Answered,
}

use Founding::{Answered, InFlight, Lost, Never, NotSeen, Refused, Settled};

impl Founding {
    fn journal(self, ticker: &Ticker) -> Journal {
        let (policy, t0, mut journal) = (Policy::default(), Mono::default(), Journal::default());
        if self != Never {
            journal.sent(Verb::Found, OP, at(0));
        }
        match self {
            Never | InFlight => {}
            Refused => journal.refused(Verb::Found, ticker.tick()),
            Answered => journal.done(Verb::Found, Some("7".into()), ticker.tick()),
            Lost | Settled | NotSeen | Self::Seen => {
                journal.lost(Verb::Found, ticker.tick(), t0, &policy);
                if self != Lost {
                    journal.settle(t0.plus(policy.settles(Verb::Found)), ticker);
                }
                match self {
                    NotSeen => journal.resolve(Verb::Found, crate::intent::Phase::Absent),
                    Self::Seen => journal.resolve(Verb::Found, crate::intent::Phase::Done),
                    _ => {}
                }
            }
        }
        journal
    }
}

/// The table of the module's documentation: the call; the place empty, identity, likeness, neither.
const TABLE: [(Founding, [&str; 4]); 8] = [
    (Never, ["vacant", "ours", "foreign", "foreign"]),
    (Refused, ["vacant", "ours", "foreign", "foreign"]),
    (NotSeen, ["vacant", "ours", "foreign", "foreign"]),
    (InFlight, ["pending", "ours", "ours", "foreign"]),
    (Lost, ["pending", "ours", "ours", "foreign"]),
    (Settled, ["vacant", "ours", "ours", "foreign"]),
    (Founding::Seen, ["gone", "ours", "ours", "foreign"]),
    (Answered, ["gone", "ours", "ours", "foreign"]),
];

fn places(asked: Stamp) -> [Place; 4] {
    let present = |by| Place::Present { asked, by };
    let other = "another one".to_owned();
    [Place::Absent { asked }, present(Match::Identity), present(Match::Likeness), present(Match::Neither(other))]
}

fn word(own: &Ownership) -> &'static str {
    match own {
        Ownership::Vacant(token) => {
            assert_eq!(token.pass(), PASS);
            "vacant"
        }
        Ownership::Ours(token) => {
            assert_eq!(token.pass(), PASS);
            "ours"
        }
        Ownership::Pending => "pending",
        Ownership::Gone => "gone",
        Ownership::Foreign(_) => "foreign",
        Ownership::Unknown => "unknown",
    }
}

fn words(journal: &Journal, dissolved: bool, asked: Stamp, floor: Stamp) -> Vec<&'static str> {
    places(asked).map(|place| word(&ownership(PASS, journal, dissolved, place, floor))).to_vec()
}

#[test]
fn each_row_of_the_table() {
    for (founding, expected) in TABLE {
        let ticker = Ticker::default();
        let journal = founding.journal(&ticker);
        let floor = ticker.tick();
        assert_eq!(words(&journal, false, ticker.tick(), floor), expected, "{founding:?}");
    }
}

#[test]
fn after_it_was_gone_an_empty_place_stays_gone_and_likeness_is_foreign() {
    for (founding, [empty, ..]) in TABLE {
        let ticker = Ticker::default();
        let journal = founding.journal(&ticker);
        let empty = if empty == "vacant" { "gone" } else { empty };
        let now = words(&journal, true, ticker.tick(), Stamp::START);
        assert_eq!(now, [empty, "ours", "foreign", "foreign"], "{founding:?}");
    }
}

#[test]
fn a_look_asked_for_before_the_operation_began_decides_nothing() {
    for (founding, [empty, ..]) in TABLE {
        let ticker = Ticker::default();
        let journal = founding.journal(&ticker);
        let asked = ticker.tick();
        let began = ticker.tick();
        // That the create call is under way needs no look.
        let empty = if empty == "pending" { "pending" } else { "unknown" };
        assert_eq!(words(&journal, false, asked, began), [empty, "unknown", "unknown", "unknown"], "{founding:?}");
        assert_eq!(words(&journal, false, asked, asked)[1], "unknown", "{founding:?}: not after it, but with it");
        assert_eq!(word(&ownership(PASS, &journal, false, Place::NotLooked, Stamp::START)), "unknown");
    }
}

#[test]
fn an_empty_place_asked_for_before_the_create_call_ended_decides_nothing() {
    for (founding, [empty, ..]) in TABLE {
        let ticker = Ticker::default();
        let asked = ticker.tick();
        let journal = founding.journal(&ticker);
        let expected = match founding {
            Never => "vacant",
            InFlight | Lost => empty,
            Refused | NotSeen | Settled | Founding::Seen | Answered => "unknown",
        };
        assert_eq!(words(&journal, false, asked, Stamp::START)[0], expected, "{founding:?}");
    }
}

// ---------------------------------------------------------------- the place

/// A cluster that was asked for, and one recorded VM of it if `recorded`.
fn known(recorded: bool) -> ClusterState {
    let mut state = state();
    state.identity.sent = Some(likeness());
    if recorded {
        state.identity.vms = [("vm-1".into(), vm().instance_uuid.unwrap())].into();
    }
    state
}

fn by(state: &ClusterState, eyes: &Eyes) -> Match {
    match place(&Bde, state, &eyes.seen) {
        Place::Present { by, .. } => by,
        other => panic!("{other:?}"),
    }
}

fn no(why: &str) -> Match {
    Match::Neither(why.to_owned())
}

fn looking_at(cluster: ManagedCluster) -> Eyes {
    let mut eyes = Eyes::default();
    eyes.look(Some(cluster));
    eyes
}

fn without_vms(status: ManagedStatus) -> ManagedCluster {
    let mut cluster = managed(status);
    cluster.nodes[0].vm = None;
    cluster
}

#[test]
fn a_place_that_was_not_looked_at_is_not_empty() {
    let mut eyes = Eyes::default();
    assert_eq!(place(&Bde, &known(true), &eyes.seen), Place::NotLooked);
    eyes.look(None);
    assert_eq!(place(&Bde, &known(true), &eyes.seen), Place::Absent { asked: eyes.seen.cluster.asked().unwrap() });
}

#[test]
fn a_recorded_vm_is_identity_until_vcenter_shows_another_one_under_its_reference() {
    let mut eyes = looking_at(managed(ManagedStatus::Running));
    assert_eq!(by(&known(true), &eyes), Match::Identity, "vCenter has not reported it yet");
    eyes.watch([vm()]);
    assert_eq!(by(&known(true), &eyes), Match::Identity);
    eyes.watch([VmFacts { instance_uuid: None, ..vm() }]);
    assert_eq!(by(&known(true), &eyes), Match::Identity, "its UUID is not known for a moment");
    eyes.watch([VmFacts { instance_uuid: Some(Uuid::nil()), ..vm() }]);
    assert_eq!(by(&known(true), &eyes), no("none of its VMs belongs to this cluster"));
}

#[test]
fn a_cluster_of_the_same_look_with_other_vms_is_another_one() {
    let mut cluster = managed(ManagedStatus::Running);
    cluster.nodes[0].vm = Some("vm-900".into());
    assert_eq!(by(&known(true), &looking_at(cluster.clone())), no("none of its VMs belongs to this cluster"));
    assert_eq!(by(&known(false), &looking_at(cluster)), Match::Likeness, "none was recorded yet");
}

#[test]
fn without_its_vms_a_cluster_is_judged_by_its_look_unless_somebody_is_making_it() {
    for status in [
        ManagedStatus::ProvisionError,
        ManagedStatus::Running,
        ManagedStatus::ServiceWarning,
        ManagedStatus::ServiceStopped,
        ManagedStatus::Stopping,
        ManagedStatus::Stopped,
        ManagedStatus::Starting,
        // A delete, ours or by hand, takes the VMs first.
        ManagedStatus::Deleting,
        ManagedStatus::Error,
        ManagedStatus::Busy,
    ] {
        assert_eq!(by(&known(true), &looking_at(without_vms(status))), Match::Likeness, "{status:?}");
    }
    let being_made = looking_at(without_vms(ManagedStatus::Provisioning));
    assert_eq!(by(&known(true), &being_made), no("another request is creating it"));
    assert_eq!(by(&known(false), &being_made), Match::Likeness);
}

#[test]
fn a_create_that_failed_without_vms_is_anothers_once_ours_was_seen_up() {
    let mut eyes = Eyes::default();
    let failed = || without_vms(ManagedStatus::ProvisionError);
    eyes.look(Some(failed()));
    assert_eq!(by(&known(false), &eyes), Match::Likeness, "ours may have failed so");
    let mut state = known(false);
    let mut up = Eyes::default();
    up.look(Some(managed(ManagedStatus::Running)));
    Bde.record(&mut state, &up.seen);
    assert!(matches!(by(&state, &eyes), Match::Neither(_)));
}

#[test]
fn a_resume_may_replace_every_vm_and_the_cluster_stays_ours() {
    let mut eyes = Eyes::default();
    let mut state = known(true);
    state.journal.sent(Verb::Resume, OP, at(0));
    state.identity.renewed = true;
    eyes.look(Some(without_vms(ManagedStatus::Provisioning)));
    assert_eq!(by(&state, &eyes), Match::Likeness);
    Bde.record(&mut state, &eyes.seen);
    state.journal.done(Verb::Resume, Some("7".into()), eyes.ticker.tick());
    let mut renewed = managed(ManagedStatus::Running);
    renewed.nodes[0].vm = Some("vm-2".into());
    eyes.look(Some(renewed));
    // A new process, for one, hears of the cluster before it hears of the VMs.
    Bde.record(&mut state, &eyes.seen);
    assert_eq!((by(&state, &eyes), state.identity.renewed), (Match::Likeness, true));
    eyes.watch([VmFacts { vm: "vm-2".into(), ..vm() }]);
    Bde.record(&mut state, &eyes.seen);
    assert_eq!((by(&state, &eyes), state.identity.renewed), (Match::Identity, false));
    let mut other = managed(ManagedStatus::Running);
    other.nodes[0].vm = Some("vm-900".into());
    eyes.look(Some(other));
    assert_eq!(by(&state, &eyes), no("none of its VMs belongs to this cluster"));
}

#[test]
fn only_what_manager_and_vcenter_both_show_is_recorded() {
    let mut state = known(false);
    let mut eyes = Eyes::default();
    eyes.watch([vm(), vm_of_node(8)]);
    Bde.record(&mut state, &eyes.seen);
    assert!(state.identity.vms.is_empty(), "the manager shows nothing");
    eyes.look(Some(managed(ManagedStatus::Running)));
    Bde.record(&mut state, &eyes.seen);
    assert_eq!(state.identity.vms, known(true).identity.vms, "the other one is not named by the manager");
}

#[test]
fn a_task_of_ours_at_work_is_identity() {
    let mut strange = managed(ManagedStatus::Provisioning);
    strange.nodes[0].vm = Some("vm-900".into());
    let mut eyes = looking_at(strange);
    let mut state = known(true);
    state.journal.sent(Verb::Resume, OP, at(0));
    state.journal.done(Verb::Resume, Some("7".into()), eyes.ticker.tick());
    for (id, progress, identity) in [
        ("7", TaskState::Running, true),
        ("7", TaskState::Completed, false),
        ("7", TaskState::Failed, false),
        ("8", TaskState::Running, false),
    ] {
        eyes.task(task(id, "c", progress));
        assert_eq!(by(&state, &eyes) == Match::Identity, identity, "task {id} {progress:?}");
    }
}

#[test]
fn likeness_is_compared_field_by_field_with_what_was_sent() {
    let looks = |change: fn(&mut ManagedCluster)| {
        let mut cluster = managed(ManagedStatus::Running);
        change(&mut cluster);
        by(&known(false), &looking_at(cluster))
    };
    assert_eq!(looks(|_| {}), Match::Likeness);
    assert_eq!(looks(|c| c.likeness.distro = "BigTop".into()), Match::Likeness, "as the manager compares");
    assert_eq!(looks(|c| c.likeness.distro = "mesos".into()), no("its distribution is mesos, not bigtop"));
    assert_eq!(
        looks(|c| c.likeness.groups = [("worker".into(), 5)].into()),
        no("its node groups are worker x 5, not worker x 1")
    );
    assert_eq!(looks(|c| c.likeness.networks = ["theirs".into()].into()), no("its network is theirs, not net"));
    // What one side does not say is not compared.
    assert_eq!(looks(|c| c.likeness = Likeness::default()), Match::Likeness);
    assert_eq!(by(&state(), &looking_at(managed(ManagedStatus::Running))), no("another call created it"));
}

// ---------------------------------------------------------------- ports

fn is_marked(state: &ClusterState, port: &Port) -> bool {
    let token = marked(PASS, &record(), state, &marks(), port);
    if let Some(token) = &token {
        assert_eq!((token.pass(), token.port()), (PASS, &port.id));
    }
    token.is_some()
}

fn with_port() -> ClusterState {
    let own = OwnPort { node: "c-worker-0".into(), mac: Some(good_port().mac), address: None };
    ClusterState { ports: [(good_port().id, own)].into(), ..state() }
}

#[test]
fn a_port_is_ours_by_tag_or_by_id_and_never_in_another_project() {
    let by_hand = Port { description: "made by hand".into(), ..good_port() };
    let first = Port { description: first_mark(), ..good_port() };
    let copied = Port { project: "p2".into(), ..good_port() };
    let theirs = MarkKey::new(b"another installation").describe(
        &"p1".into(),
        &Mark::parse(&good_port().description).unwrap(),
        MAC,
    );
    let of_another_installation = Port { description: theirs, ..good_port() };
    let other_cluster = Mark::new(ClusterId(Uuid::from_u128(9)), "c-worker-0".into(), 0);
    let of_another_cluster = Port { description: marks().describe(&"p1".into(), &other_cluster, MAC), ..good_port() };
    let signed_for_p2 = Mark::new(record().id, "c-worker-0".into(), 0);
    let of_another_project =
        Port { project: "p2".into(), description: marks().describe(&"p2".into(), &signed_for_p2, MAC), ..good_port() };
    let on_another_port = Port { mac: "00:50:56:00:00:99".parse().unwrap(), ..good_port() };
    for (what, port, by_tag, by_id) in [
        ("good", good_port(), true, true),
        ("with a description copied from another port", on_another_port, false, true),
        ("unmarked", by_hand, false, true),
        ("of the first release", first, false, true),
        ("copied into another project", copied, false, false),
        ("of another installation", of_another_installation, false, true),
        ("of another cluster", of_another_cluster, false, true),
        ("of this id in another project", of_another_project, false, false),
    ] {
        assert_eq!(is_marked(&state(), &port), by_tag, "{what}");
        assert_eq!(is_marked(&with_port(), &port), by_id, "{what}, known by its id");
    }
}

#[test]
fn a_local_clusters_ports_are_in_the_networks_project() {
    let mut local = record();
    local.project = crate::wanted::LOCAL_PROJECT.into();
    let mark = Mark::parse(&good_port().description).unwrap();
    let description = marks().describe(&local.project, &mark, MAC);
    let port = Port { description, ..good_port() };
    assert!(marked(PASS, &local, &state(), &marks(), &port).is_some());
    assert!(marked(PASS, &local, &state(), &marks(), &Port { project: "local".into(), ..port.clone() }).is_none());
    // A cluster of the same id in the network's own project is another one: neither has the other's ports.
    assert!(marked(PASS, &record(), &state(), &marks(), &port).is_none());
    assert!(marked(PASS, &local, &state(), &marks(), &good_port()).is_none());
}

#[test]
fn an_unkeyed_mark_counts_only_on_the_port_of_our_vm() {
    let mut eyes = looking_at(managed(ManagedStatus::Running));
    eyes.watch([vm()]);
    let token = owner(&record(), &known(true), &eyes.seen).vm(&vm()).unwrap();
    let first = Port { description: first_mark(), ..good_port() };
    let is_ours = |facts: &VmFacts, port: &Port| of_first_release(&record(), &token, facts, port).is_some();
    assert!(is_ours(&vm(), &first));
    for (what, port) in [
        ("of another VM", Port { device_id: Uuid::nil().to_string(), ..first.clone() }),
        ("in another project", Port { project: "p2".into(), ..first.clone() }),
        ("of another cluster", Port { description: first_mark().replace("=0000", "=1111"), ..first.clone() }),
        (
            "of another installation",
            Port { description: format!("{} tag=00", first_mark()).replace("/1", "/2"), ..first.clone() },
        ),
        ("of the plugin of 2015", Port { description: String::new(), ..first.clone() }),
    ] {
        assert!(!is_ours(&vm(), &port), "{what}");
    }
    assert!(!is_ours(&VmFacts { instance_uuid: None, ..vm() }, &Port { device_id: String::new(), ..first }));
}

// ---------------------------------------------------------------- VMs

/// Whether the VM is ours, while the manager shows this.
fn is_ours(state: &ClusterState, cluster: &ManagedCluster, vm: &VmFacts) -> bool {
    let token = owner(&record(), state, &looking_at(cluster.clone()).seen).vm(vm);
    if let Some(token) = &token {
        assert_eq!((token.pass(), token.vm()), (PASS, &vm.vm));
    }
    token.is_some()
}

fn founded(founding: Founding, recorded: bool) -> ClusterState {
    ClusterState { journal: founding.journal(&Ticker::default()), ..known(recorded) }
}

#[test]
fn a_vm_is_ours_if_it_is_recorded_or_listed() {
    let running = managed(ManagedStatus::Running);
    let mut elsewhere = running.clone();
    elsewhere.nodes[0].vm = Some("vm-900".into());
    let other_uuid = VmFacts { instance_uuid: Some(Uuid::nil()), ..vm() };
    let no_uuid = VmFacts { instance_uuid: None, ..vm() };
    for (what, recorded, cluster, vm, expected) in [
        ("recorded and listed", true, &running, vm(), true),
        ("recorded", true, &elsewhere, vm(), true),
        ("listed", false, &running, vm(), true),
        ("neither", false, &elsewhere, vm(), false),
        ("recorded, its UUID is not known for a moment", true, &elsewhere, no_uuid, true),
        ("recorded with another UUID", true, &elsewhere, other_uuid, false),
        ("a stranger's", true, &running, vm_of_node(8), false),
    ] {
        assert_eq!(is_ours(&founded(Answered, recorded), cluster, &vm), expected, "{what}");
    }
}

#[test]
fn a_clone_is_ours_under_the_name_of_a_planned_node_while_the_cluster_is_made() {
    let planned = without_vms(ManagedStatus::Provisioning);
    let stranger = vm_of_node(8);
    for (founding, expected) in [
        (Never, false),
        (Refused, false),
        (NotSeen, false),
        (InFlight, true),
        (Lost, true),
        (Founding::Seen, true),
        (Answered, true),
    ] {
        assert_eq!(is_ours(&founded(founding, false), &planned, &vm()), expected, "{founding:?}");
        assert!(!is_ours(&founded(founding, false), &planned, &stranger), "{founding:?}: no such node is planned");
    }
    let making = founded(Answered, false);
    assert!(!is_ours(&making, &without_vms(ManagedStatus::Running), &vm()), "nothing is being created now");
    assert!(!is_ours(&making, &planned, &VmFacts { name: None, ..vm() }), "it has no name yet");
    let named = managed(ManagedStatus::Provisioning);
    assert!(!is_ours(&making, &named, &VmFacts { vm: "vm-9".into(), ..vm() }), "the node has its VM already");
    // Before the manager shows its plan, the names that it gives are all that is known.
    let unplanned = ManagedCluster { nodes: vec![], ..planned };
    assert!(is_ours(&making, &unplanned, &vm()));
    assert!(!is_ours(&making, &unplanned, &VmFacts { name: Some("other-worker-0".into()), ..vm() }));
}

#[test]
fn a_strangers_vm_in_our_folder_is_left_out() {
    let mut eyes = looking_at(managed(ManagedStatus::Running));
    let bare = NicFacts { key: 4000, mac: None, segment: None, external_id: None, connected: true, addresses: vec![] };
    let stranger = VmFacts {
        vm: "vm-900".into(),
        name: Some("c-worker-1".into()),
        instance_uuid: Some(Uuid::nil()),
        power: Power::On,
        boot_time: None,
        tools: Tools::Running,
        nics: vec![bare],
    };
    eyes.watch([vm(), stranger]);
    let (record, state) = (record(), founded(Answered, true));
    let mine = owner(&record, &state, &eyes.seen).vms();
    assert_eq!(mine.map(|(token, _)| token.vm().clone()).collect::<Vec<_>>(), ["vm-1".into()]);
}
