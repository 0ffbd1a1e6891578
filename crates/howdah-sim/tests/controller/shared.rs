//! What clusters of one site request together: the cost of many idle ones, and how soon each still shows a
//! change that somebody made by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use howdah_core::failure::System;
use howdah_core::ids::{ClusterKey, PortId};
use howdah_core::known::ClusterStatus;
use howdah_core::policy::{NetworkBackend, Policy};
use howdah_sim::SiteSettings;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::world::neutron::PortUpdate;
use howdah_sim::world::settings::Timings;

use crate::story::Story;

const HOUR: u64 = 3600;
const SYSTEMS: [System; 3] = [System::Bde, System::Neutron, System::VCenter];
/// Two hundred: BDE creates them one after the other, and a thousand would take minutes. The cost does not
/// depend on the number, which is what the tests assert.
const MANY: usize = 200;

/// A site with so many clusters on one network that have nothing to do, and a service that has just started.
async fn idle(seed: u64, clusters: usize) -> (Story, Vec<ClusterKey>) {
    let mut story = Story::new(seed).await;
    // While BDE makes one cluster after the other, the others need not look.
    story.service.kill().await;
    story.service.policy().idle_poll = Duration::from_secs(24 * HOUR);
    story.service.start().await;
    let mut keys = vec![];
    for n in 0..clusters {
        keys.push(story.create(&format!("c{n}"), 1).await);
    }
    for (n, key) in keys.iter().enumerate() {
        story.good(key).await;
        story.bde_is_done(&format!("c{n}")).await;
    }
    story.service.kill().await;
    *story.service.policy() = Policy::default();
    (story, keys)
}

/// How many calls each system gets in this time.
async fn calls(story: &Story, seconds: u64) -> BTreeMap<System, u32> {
    let rules = SYSTEMS.map(|system| (system, story.rule(FaultRule::new(system, "*", Effect::Delay))));
    story.pass(seconds).await;
    let met = rules.into_iter().map(|(system, rule)| (system, story.met(rule))).collect();
    story.calm();
    met
}

/// Waits until it is so. Fails after two minutes.
async fn within_two_minutes(story: &Story, what: &str, so: impl AsyncFn() -> bool) {
    for _ in 0..120 {
        if so().await {
            return;
        }
        story.pass(1).await;
    }
    panic!("seed {}: two minutes later, {what} is not shown", story.seed);
}

/// The calls in the first half minute after a start with so many idle clusters, and in an hour later on.
async fn start_and_hour(seed: u64, clusters: usize) -> (BTreeMap<System, u32>, BTreeMap<System, u32>) {
    let (mut story, _) = idle(seed, clusters).await;
    story.service.start().await;
    let begin = calls(&story, 30).await;
    story.pass(600).await;
    let hour = calls(&story, HOUR).await;
    println!("calls of {clusters} idle clusters: {begin:?} in the 30 s after a start, {hour:?} in an hour");
    story.nothing_touched();
    (begin, hour)
}

async fn many_cost_little_more_than_one(clusters: usize) {
    let (_, one) = start_and_hour(80, 1).await;
    let (begin, many) = start_and_hour(81, clusters).await;
    for system in SYSTEMS {
        assert!(one[&system] <= 90, "one idle cluster: {one:?}");
        assert!(
            many[&system] <= 3 * one[&system].max(1),
            "{clusters} clusters cost {many:?} calls an hour, one {one:?}"
        );
    }
    for system in [System::Bde, System::Neutron] {
        assert!((1..=8).contains(&begin[&system]), "a start with {clusters} clusters: {begin:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_idle_clusters_cost_each_system_little_more_than_one() {
    many_cost_little_more_than_one(MANY).await;
}

/// The figures of `cargo xtask bench`.
#[tokio::test(start_paused = true)]
#[ignore = "takes minutes"]
async fn bench_of_a_thousand_idle_clusters() {
    many_cost_little_more_than_one(1000).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_by_hand_is_shown_within_two_minutes_however_many_clusters_share_a_list() {
    let (mut story, keys) = idle(82, 40).await;
    story.service.start().await;
    story.pass(600).await;
    let state = async |n: usize| story.service.state(&keys[n]).await.unwrap();
    // At different moments between two lists.
    for n in 0..10 {
        story.pass(7).await;
        story.world.by_hand_delete_cluster(&format!("c{n}")).unwrap();
        within_two_minutes(&story, "a delete in BDE", async || state(n).await.status == ClusterStatus::Gone).await;
    }
    for n in 10..20 {
        story.pass(7).await;
        story.world.by_hand_power_off(&story.vms(&format!("c{n}"))[0]).unwrap();
        let shown = async || state(n).await.status == ClusterStatus::Degraded;
        within_two_minutes(&story, "a power off in vCenter", shown).await;
    }
    let port = async |n: usize| -> PortId { state(n).await.ports.keys().next().cloned().unwrap() };
    let bare = PortUpdate { description: Some(String::new()), ..PortUpdate::default() };
    for n in 20..30 {
        story.pass(7).await;
        let port = port(n).await;
        story.world.by_hand_edit_port(port.as_str(), &bare).unwrap();
        let marked = async || story.world.read(|s| s.neutron.ports[port.as_str()].description.starts_with("howdah/2"));
        within_two_minutes(&story, "a change in Neutron", marked).await;
    }
    for n in 30..40 {
        story.pass(7).await;
        let gone = port(n).await;
        story.world.by_hand_delete_port(gone.as_str()).unwrap();
        let again = async || state(n).await.ports.keys().next().is_some_and(|p| *p != gone);
        within_two_minutes(&story, "a delete in Neutron", again).await;
    }
    story.end().await;
}

/// Neutron's calls for the create of a cluster of 200 nodes that are cloned together, per node. The production
/// adapter sets a card's index with two requests, because NSX-v answers 200 also where it does nothing.
async fn neutron_calls_per_node(backend: NetworkBackend) -> f64 {
    let timings = Timings { clone_parallel: None, clone_together: true, ..Timings::default() };
    let mut story = Story::with(SiteSettings { seed: 83, backend, timings, ..SiteSettings::default() }).await;
    let key = story.create("c1", 200).await;
    let rule = |method| story.rule(FaultRule::new(System::Neutron, method, Effect::Delay));
    let (all, indices) = (rule("*"), rule("set_vnic_index"));
    story.good(&key).await;
    let calls = story.met(all) + story.met(indices);
    story.calm();
    story.end().await;
    f64::from(calls) / 200.0
}

#[tokio::test(start_paused = true)]
async fn a_node_costs_neutron_little_more_than_its_own_requests() {
    let nsx_v = neutron_calls_per_node(NetworkBackend::NsxV).await;
    let ml2 = neutron_calls_per_node(NetworkBackend::Ml2).await;
    println!("Neutron's calls per node: {nsx_v:.2} on NSX-v, {ml2:.2} on ML2");
    // The port, its index, and the read that shows whether the index took.
    assert!(nsx_v < 3.1, "{nsx_v} on NSX-v");
    assert!(ml2 <= 0.2, "{ml2} on ML2");
}
