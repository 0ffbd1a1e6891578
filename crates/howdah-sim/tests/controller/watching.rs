//! No verdict without fresh knowledge, and time is the time we were watching.

use howdah_core::condition::{ClusterConditionKind, ConditionKind, ConditionStatus};
use howdah_core::failure::System;
use howdah_core::known::ClusterStatus;
use howdah_core::time::Clock as _;
use howdah_sim::SiteSettings;
use howdah_sim::world::bde::BdeStatus;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::world::settings::Timings;
use howdah_sim::world::state::State;
use jiff::SignedDuration;

use crate::story::Story;

const HOUR: u64 = 3600;

#[tokio::test(start_paused = true)]
async fn downtime_does_not_count() {
    for (seed, down, watch_late, bde_late) in
        [(1, 6 * HOUR, 0.0, 0.0), (2, 1200, 3.0, 0.0), (3, 6 * HOUR, 20.0, 20.0), (4, 30 * HOUR, 0.0, 30.0)]
    {
        let mut story = Story::new(seed).await;
        let key = story.create("c1", 3).await;
        // Every port is there, and nobody sees the nodes come up.
        story.world.wait_until(|s| s.neutron.ports.values().filter(|p| p.vnic_index.is_some()).count() == 3).await;
        story.service.kill().await;
        story.pass(down).await;
        story.rule(FaultRule::new(System::VCenter, "watch*", Effect::Delay).delayed(watch_late));
        story.rule(FaultRule::new(System::Bde, "*", Effect::Delay).delayed(bde_late));
        story.service.start().await;
        story.good(&key).await;
        story.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn steps_of_the_wall_clock_change_nothing() {
    let hours = [-1, 6, -48, 400];
    let took = async |step: i64| {
        let mut story = Story::new(5).await;
        let begun = story.world.clock().mono();
        let key = story.create("c1", 3).await;
        story.pass(20).await;
        story.world.clock().step(SignedDuration::from_hours(step));
        story.good(&key).await;
        story.bde_is_done("c1").await;
        story.delete(&key).await;
        story.pass(2).await;
        story.world.clock().step(SignedDuration::from_hours(step));
        assert!(story.ended(&key).await.is_none(), "a step of {step} h");
        let took = story.world.clock().mono().since(begun);
        story.end().await;
        took
    };
    let steady = took(0).await;
    for step in hours {
        assert_eq!(took(step).await, steady, "a step of {step} h");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_create_leaves_the_whole_patience_for_addresses() {
    let timings = Timings { clone_parallel: Some(1), ..Timings::default() };
    let mut story = Story::with(SiteSettings { seed: 6, timings, ..SiteSettings::default() }).await;
    let begun = story.world.clock().mono();
    let key = story.create("c1", 40).await;
    // One guest takes another address than its port's, as soon as it has one.
    let has_address = |s: &State| s.vc.vms.values().any(|v| v.cluster.is_some() && !v.nics[0].reported.is_empty());
    story.world.wait_until(has_address).await;
    let odd =
        story.vms("c1").into_iter().find(|vm| story.world.read(|s| !s.vm(vm).unwrap().nics[0].reported.is_empty()));
    let odd = odd.unwrap();
    let reports = |addresses: Vec<std::net::IpAddr>| {
        story.world.write(|s| s.change_vm(&odd, |vm| vm.nics[0].reported = addresses)).unwrap();
    };
    let good = story.world.read(|s| s.vm(&odd).unwrap().nics[0].reported.clone());
    reports(vec!["10.99.99.99".parse().unwrap()]);
    story.world.wait_until(|s| s.bde.clusters["c1"].status == BdeStatus::Running).await;
    assert!(story.world.clock().mono().since(begun).as_secs() > 900, "it was seen first for longer than the patience");
    story.pass(800).await;
    assert!(!story.service.has_ended(&key).await, "{:?}", story.service.state(&key).await.unwrap().operation);
    reports(good);
    story.good(&key).await;
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_done_by_hand_is_seen() {
    let mut story = Story::new(7).await;
    let key = story.running("c1", 3).await;
    story.bde_is_done("c1").await;
    story.shows(&key, ClusterStatus::Running).await;

    story.world.bde_action("c1", howdah_sim::world::bde::ClusterAction::Stop).unwrap();
    story.shows(&key, ClusterStatus::Stopped).await;
    story.world.bde_action("c1", howdah_sim::world::bde::ClusterAction::Start).unwrap();
    story.shows(&key, ClusterStatus::Running).await;

    let off = story.vms("c1")[0].clone();
    story.world.by_hand_power_off(&off).unwrap();
    story.shows(&key, ClusterStatus::Degraded).await;
    story.world.by_hand_power_on(&off).unwrap();
    story.shows(&key, ClusterStatus::Running).await;

    story.world.by_hand_destroy(&off).unwrap();
    let state = story.shows(&key, ClusterStatus::Degraded).await;
    let node = state.nodes.values().find(|n| n.vm.as_ref() == Some(&off)).unwrap();
    let exists = node.conditions.iter().find(|c| c.kind == ConditionKind::VmExists).unwrap();
    assert_eq!(exists.status, ConditionStatus::False);
    let since = exists.since.strftime("%Y-%m-%d %H:%M UTC");
    assert_eq!(exists.message, format!("The VM {off} is gone since {since}."));

    story.world.by_hand_delete_cluster("c1").unwrap();
    story.shows(&key, ClusterStatus::Gone).await;
    let told = story.events(&key).await;
    assert!(told.iter().any(|e| e.starts_with("Gone: The cluster was deleted in BDE")), "{told:#?}");
    story.start(&key).await;
    assert!(story.failure(&key).await.starts_with("cluster_vanished: "));
    assert!(story.world.service_part().clusters.is_empty(), "Howdah does not recreate it automatically");
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_is_renamed_stays_its_nodes() {
    let mut story = Story::new(8).await;
    let key = story.running("c1", 2).await;
    story.bde_is_done("c1").await;
    // The manager has been asked since.
    story.pass(60).await;
    let before = story.shows(&key, ClusterStatus::Running).await;
    let writes = |s: &State| ["create_ports", "update_port", "delete_port"].map(|m| s.counters.of(System::Neutron, m));
    let (written, told) = (story.world.read(writes), story.events(&key).await);
    let vms = story.vms("c1");
    // One has a name of its own now, later the name of the other node; the service is not always there.
    let other = before.nodes.iter().find(|(_, n)| n.vm.as_ref() == Some(&vms[1])).unwrap().0.to_string();
    story.world.by_hand_rename_vm(&vms[0], "web").unwrap();
    story.pass(600).await;
    assert_eq!(story.service.state(&key).await.unwrap().nodes, before.nodes);
    story.service.kill().await;
    story.world.by_hand_rename_vm(&vms[1], "db").unwrap();
    story.world.by_hand_rename_vm(&vms[0], &other).unwrap();
    story.service.start().await;
    story.pass(600).await;
    assert_eq!(story.shows(&key, ClusterStatus::Running).await.nodes, before.nodes);
    assert_eq!(story.events(&key).await, told, "nothing happened to the cluster");
    assert_eq!(story.world.read(writes), written, "a port was touched");
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_status_without_a_task_is_named_as_stuck() {
    for (seed, status) in
        (10..).zip([BdeStatus::Updating, BdeStatus::Maintenance, BdeStatus::Upgrading, BdeStatus::Expanding])
    {
        let mut story = Story::new(seed).await;
        let key = story.running("c1", 2).await;
        story.bde_is_done("c1").await;
        story.world.by_hand_stick("c1", status).unwrap();
        let begun = story.world.clock().mono();
        story.stop(&key).await;
        let failure = story.failure(&key).await;
        assert!(failure.starts_with("bde_stuck: "), "{failure}");
        assert!(failure.contains(status.as_str()) && failure.contains("Hint: "), "{failure}");
        assert!(story.world.clock().mono().since(begun).as_secs() < 180);
        let ready = story.condition(&key, ClusterConditionKind::BdeReady).await;
        assert_eq!((ready.status, ready.reason.as_str()), (ConditionStatus::False, "Stuck"));
        story.world.write(|s| s.bde.clusters.get_mut("c1").unwrap().status = BdeStatus::Error);
        story.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_of_a_create_in_the_queue_says_its_place_and_leaves_nothing() {
    let mut story = Story::new(20).await;
    story.world.queue_strangers(2, 3).unwrap();
    let key = story.create("c1", 2).await;
    story.world.wait_until(|s| s.bde.clusters.contains_key("c1")).await;
    story.delete(&key).await;
    story.pass(10).await;
    let ready = story.condition(&key, ClusterConditionKind::BdeReady).await;
    assert_eq!((ready.status, ready.reason.as_str()), (ConditionStatus::False, "Queued"));
    assert!(ready.message.contains("number 3 of 3"), "{}", ready.message);
    assert!(story.ended(&key).await.is_none());
    story.end().await;
}
