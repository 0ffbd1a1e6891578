//! Nothing is loud: one trouble tells one event, and what fails holds back nothing else.

use std::collections::BTreeSet;

use howdah_core::condition::{ClusterConditionKind, ConditionKind, ConditionStatus};
use howdah_core::failure::{ErrorKind, System};
use howdah_core::ids::Mac;
use howdah_core::known::OperationState;
use howdah_core::wanted::{Goal, OperationKind};
use howdah_sim::SiteSettings;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::world::neutron::{PortBody, PortUpdate};
use howdah_sim::world::settings::{NetworkBackend, NetworkSeed};
use howdah_sim::world::state::State;

use crate::story::Story;

const DAY: u64 = 24 * 3600;

// ---------------------------------------------------------------- loud

#[tokio::test(start_paused = true)]
async fn a_trouble_between_operations_tells_one_event_when_it_begins_and_one_when_it_ends() {
    let cases = [
        (1, System::Neutron, ErrorKind::Unreachable, "injected_fault"),
        (2, System::Neutron, ErrorKind::NoAnswer, "injected_fault"),
        (3, System::Neutron, ErrorKind::Credentials, "injected_fault"),
        (4, System::Bde, ErrorKind::Unavailable, "injected_fault"),
        (5, System::Bde, ErrorKind::Certificate, "injected_fault"),
        (7, System::VCenter, ErrorKind::Unreachable, "watch_lost"),
        (8, System::VCenter, ErrorKind::Credentials, "watch_lost"),
    ];
    for (seed, system, kind, reason) in cases {
        let about = ClusterConditionKind::reachable(system);
        let mut story = Story::new(seed).await;
        let key = story.running("c1", 3).await;
        story.bde_is_done("c1").await;
        story.pass(600).await;
        let told = story.events(&key).await.len();
        assert_eq!(story.condition(&key, about).await.status, ConditionStatus::True);

        let begun = story.world.now();
        let rule = story.rule(FaultRule::new(system, "*", Effect::Refuse { kind }));
        // A watch breaks when it has something to tell.
        let vm = story.vms("c1")[0].clone();
        story.world.write(|s| s.change_vm(&vm, |vm| vm.memory_mb += 1)).unwrap();
        story.pass(DAY).await;
        let tries = story.met(rule);
        assert!(tries > 1000, "seed {seed}: only {tries} calls have failed");
        let down = story.condition(&key, about).await;
        assert_eq!((down.status, down.reason.as_str()), (ConditionStatus::False, reason), "seed {seed}");
        assert!(down.message.ends_with('.') && !down.message.contains(".."), "{}", down.message);
        let late = down.since.duration_since(begun).as_secs();
        assert!((0..=120).contains(&late), "seed {seed}: since {late} s after it began");
        let news = story.events(&key).await.split_off(told);
        assert_eq!(news.len(), 1, "seed {seed}: {tries} failures told {news:#?}");
        let state = story.service.state(&key).await.unwrap();
        assert_eq!(state.operation.unwrap().state, OperationState::Succeeded, "seed {seed}: it had ended");

        story.calm();
        story.pass(180).await;
        let up = story.condition(&key, about).await;
        assert_eq!(up.status, ConditionStatus::True, "seed {seed}");
        assert!(up.since > down.since, "seed {seed}");
        let news = story.events(&key).await.split_off(told);
        assert_eq!(news.len(), 2, "seed {seed}: {news:#?}");
        story.end().await;
    }
}

/// What is wrong with one card is told once too, however long somebody leaves it so.
#[tokio::test(start_paused = true)]
async fn a_port_that_cannot_be_kept_tells_one_event() {
    let mut story = Story::new(6).await;
    let key = story.running("c1", 3).await;
    story.bde_is_done("c1").await;
    story.pass(600).await;
    let told = story.events(&key).await.len();
    let port = story.service.state(&key).await.unwrap().ports.into_keys().next().unwrap();
    story.rule(FaultRule::new(System::Neutron, "update_port", Effect::Refuse { kind: ErrorKind::Invalid }));
    let bare = PortUpdate { description: Some(String::new()), ..PortUpdate::default() };
    story.world.by_hand_edit_port(port.as_str(), &bare).unwrap();
    story.pass(DAY).await;
    let ready = story.condition(&key, ClusterConditionKind::PortsReady).await;
    assert_eq!((ready.status, ready.reason.as_str()), (ConditionStatus::False, "injected_fault"));
    assert_eq!(story.events(&key).await.split_off(told).len(), 1, "{:#?}", story.events(&key).await);
    story.calm();
    story.pass(180).await;
    assert_eq!(story.condition(&key, ClusterConditionKind::PortsReady).await.status, ConditionStatus::True);
    assert_eq!(story.events(&key).await.split_off(told).len(), 2, "{:#?}", story.events(&key).await);
    story.end().await;
}

// ---------------------------------------------------------------- starving

#[tokio::test(start_paused = true)]
async fn sixteen_port_writes_that_keep_failing_starve_no_other() {
    for (seed, kind) in [(10, ErrorKind::Invalid), (11, ErrorKind::Unreachable), (12, ErrorKind::Conflict)] {
        let mut story = Story::new(seed).await;
        let key = story.running("c1", 24).await;
        story.bde_is_done("c1").await;
        let ports: Vec<_> = story.service.state(&key).await.unwrap().ports.into_keys().collect();
        // The first in every order that the controller may take them in.
        let bad: BTreeSet<_> = ports.iter().take(16).cloned().collect();
        for port in &bad {
            story.rule(FaultRule::new(System::Neutron, "update_port", Effect::Refuse { kind }).on(port.as_str()));
        }
        let bare = PortUpdate { description: Some(String::new()), ..PortUpdate::default() };
        for port in &ports {
            story.world.by_hand_edit_port(port.as_str(), &bare).unwrap();
        }
        story.pass(120).await;
        let marked = story.world.read(|s| {
            let marked = s.neutron.ports.values().filter(|p| p.description.starts_with("howdah/2"));
            marked.map(|p| p.id.as_str().into()).collect::<BTreeSet<_>>()
        });
        let good: BTreeSet<_> = ports.iter().filter(|p| !bad.contains(*p)).cloned().collect();
        assert_eq!(marked, good, "seed {seed}");
        story.end().await;
    }
}

/// The MAC that a node's card will have: the same in every world of these settings.
async fn mac_of(settings: &SiteSettings, nodes: u32, node: &str) -> Mac {
    let mut story = Story::with(settings.clone()).await;
    story.running("c1", nodes).await;
    story.world.read(|s| s.vc.vm_named(node).unwrap().nics[0].mac)
}

#[tokio::test(start_paused = true)]
async fn one_bad_mac_holds_back_nobody_else_of_its_wave() {
    use NetworkBackend::{Ml2, NsxT, NsxV};
    // NSX-v takes a MAC once for all networks: on another one, nobody sees in the list what is wrong.
    for (seed, backend, network) in [(13, NsxV, 0), (14, NsxT, 0), (15, Ml2, 0), (16, NsxV, 1)] {
        let mut settings = SiteSettings { seed, backend, ..SiteSettings::default() };
        settings.timings.clone_parallel = None;
        settings.networks.push(NetworkSeed { name: "second".to_owned(), ..settings.networks[0].clone() });
        let mac = mac_of(&settings, 32, "c1-worker-7").await;
        let mut story = Story::with(settings).await;
        let network = story.world.read(|s| s.neutron.networks.keys().nth(network).unwrap().clone());
        let body = PortBody { network, mac: Some(mac), name: "somebody's".to_owned(), ..PortBody::default() };
        let foreign = story.world.add_foreign_port(body).unwrap();

        let key = story.create("c1", 32).await;
        // All cards are seen at once, so all ports are asked for in one wave.
        story.world.wait_until(|s| s.bde.clusters.contains_key("c1")).await;
        story.pass(1).await;
        story.service.kill().await;
        let is_final = |s: &State| s.journal.vms.values().filter(|t| t.mac_final.is_some()).count() == 32;
        story.world.wait_until(is_final).await;
        let wave = story.rule(FaultRule::new(System::Neutron, "create_ports", Effect::Delay));
        story.service.start().await;
        story.world.until_met(wave, 1).await;
        story.pass(1).await;
        let one_each = backend != Ml2;
        assert!(
            if one_each { story.met(wave) >= 31 } else { story.met(wave) == 1 },
            "seed {seed}: one request for all"
        );
        let ours = |story: &Story| story.world.service_part().ports.len();
        for _ in 0..600 {
            story.pass(1).await;
            if ours(&story) == 31 {
                break;
            }
        }
        assert_eq!(ours(&story), 31, "seed {seed}");
        let failure = story.failure(&key).await;
        assert!(failure.contains(&mac.to_string()), "seed {seed}: {failure}");
        let addressed = async || {
            let state = story.service.state(&key).await.unwrap();
            state.nodes.values().filter(|n| n.address.is_some() && n.address == n.promised).count()
        };
        story.pass(600).await;
        assert_eq!(addressed().await, 31, "seed {seed}: the others come up");
        let state = story.service.state(&key).await.unwrap();
        let node = &state.nodes[&"c1-worker-7".into()];
        let ready = node.conditions.iter().find(|c| c.kind == ConditionKind::PortReady).unwrap();
        assert_eq!(ready.status, ConditionStatus::False, "seed {seed}");
        story.nothing_touched();

        // Its owner gives it up, and a second create finishes the cluster.
        story.world.by_hand_delete_port(&foreign.id).unwrap();
        story.bde_is_done("c1").await;
        story.service.want(&key, Goal::Running, OperationKind::Create).await.unwrap();
        story.good(&key).await;
        story.end().await;
    }
}
