//! Every fact knows which question it answers, and when that was asked.

use howdah_core::failure::System;
use howdah_core::known::{ClusterStatus, OperationState};
use howdah_sim::SiteSettings;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::world::settings::Timings;

use crate::story::Story;

#[tokio::test(start_paused = true)]
async fn a_delete_during_a_slow_wave_of_port_creates_leaves_no_port() {
    let effects = [
        ("slow answer", Effect::Delay, 0.0, 10.0),
        ("slow request", Effect::Delay, 10.0, 0.0),
        ("late effect", Effect::Late { seconds: 40.0 }, 0.0, 0.0),
        ("lost answer", Effect::LoseAnswer, 0.0, 0.0),
    ];
    for (seed, nodes) in [(1, 3), (2, 8)] {
        for (what, effect, there, back) in effects.clone() {
            let mut story = Story::new(seed).await;
            let rule = FaultRule::new(System::Neutron, "create_ports", effect);
            let slow = story.rule(rule.delayed(there).answered_after(back));
            let key = story.create("c1", nodes).await;
            story.world.until_met(slow, 1).await;
            story.delete(&key).await;
            assert!(story.ended(&key).await.is_none(), "{what}, seed {seed}");
            story.pass(600).await;
            assert!(story.world.service_part().is_empty(), "{what}, seed {seed}: {:?}", story.world.service_part());
            story.end().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_during_a_slow_wave_and_then_a_delete_leave_no_port() {
    let mut story = Story::new(3).await;
    let late = story.rule(FaultRule::new(System::Neutron, "create_ports", Effect::Late { seconds: 60.0 }));
    let key = story.create("c1", 4).await;
    story.world.until_met(late, 1).await;
    story.service.kill().await;
    story.calm();
    story.service.start().await;
    story.delete(&key).await;
    assert!(story.ended(&key).await.is_none());
    story.pass(600).await;
    assert!(story.world.service_part().is_empty(), "{:?}", story.world.service_part());
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_look_from_before_a_change_is_no_verdict_on_it() {
    for seed in 0..20 {
        let mut story = Story::new(seed).await;
        let key = story.running("c1", 2).await;
        story.bde_is_done("c1").await;
        story.rule(FaultRule::new(System::Bde, "cluster", Effect::Delay).answered_after(1.5));
        story.rule(FaultRule::new(System::Bde, "change_cluster", Effect::Delay).delayed(3.5).answered_after(3.5));
        story.rule(FaultRule::new(System::Bde, "delete_cluster", Effect::Delay).delayed(3.5).answered_after(3.5));
        story.pass(seed).await;
        story.stop(&key).await;
        story.good(&key).await;
        story.pass(seed).await;
        story.start(&key).await;
        story.good(&key).await;
        story.bde_is_done("c1").await;
        story.removed(&key).await;
        story.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_resume_is_not_judged_by_an_older_look() {
    for seed in 0..10 {
        let mut story = Story::new(seed).await;
        let clone = howdah_sim::world::faults::Inner::Clone;
        story.rule(FaultRule::inner(clone, "c1-worker-1").times(1));
        let key = story.create("c1", 3).await;
        assert!(story.failure(&key).await.starts_with("bde_failed: "), "seed {seed}");
        story.rule(FaultRule::new(System::Bde, "cluster", Effect::Delay).answered_after(1.5));
        story.rule(FaultRule::new(System::Bde, "change_cluster", Effect::Delay).answered_after(7.0));
        story.start(&key).await;
        story.good(&key).await;
        story.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_refusal_of_a_create_does_not_fail_the_delete_that_came_after_it() {
    use howdah_core::failure::ErrorKind;
    let mut story = Story::new(5).await;
    let quota = Effect::Refuse { kind: ErrorKind::Exhausted };
    let refused = story.rule(FaultRule::new(System::Neutron, "create_ports", quota).delayed(5.0));
    let key = story.create("c1", 3).await;
    story.world.until_met(refused, 1).await;
    story.delete(&key).await;
    assert!(story.ended(&key).await.is_none(), "it belongs to the superseded operation");
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_list_from_before_a_wave_ended_does_not_make_it_ask_for_the_same_macs_again() {
    let timings = Timings { clone_parallel: None, clone_together: true, ..Timings::default() };
    let mut story = Story::with(SiteSettings { seed: 6, timings, ..SiteSettings::default() }).await;
    let slow = |s: &Story| s.rule(FaultRule::new(System::Neutron, "ports", Effect::Delay).answered_after(2.0));
    slow(&story);
    // Some waves lose their answer, so that lists are asked for while others are under way.
    story.rule(FaultRule::new(System::Neutron, "create_ports", Effect::LoseAnswer).with_probability(0.2));
    let key = story.create("c1", 500).await;
    story.good(&key).await;
    let (macs, ports) = story.world.read(|s| {
        let mut macs: Vec<_> = s.neutron.ports.values().map(|p| p.mac).collect();
        macs.sort();
        macs.dedup();
        (macs.len(), s.neutron.ports.len())
    });
    assert_eq!(macs, ports);
    let conflicts: Vec<_> = story.events(&key).await.into_iter().filter(|e| e.contains("mac_in_use")).collect();
    assert_eq!(conflicts, [] as [String; 0]);
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_create_call_is_in_flight_waits_for_its_answer() {
    for (seed, there, back) in [(7, 60.0, 0.0), (8, 0.0, 60.0), (9, 20.0, 40.0)] {
        let mut story = Story::new(seed).await;
        let slow = FaultRule::new(System::Bde, "create_cluster", Effect::Delay).delayed(there).answered_after(back);
        let slow = story.rule(slow);
        let key = story.create("c1", 2).await;
        story.world.until_met(slow, 1).await;
        story.pass(5).await;
        story.stop(&key).await;
        let state = story.good(&key).await;
        assert_eq!(state.status, ClusterStatus::Stopped, "seed {seed}");
        story.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_after_a_create_call_that_never_arrived_says_that_there_is_nothing_to_stop() {
    let mut story = Story::new(10).await;
    let lost = story.kill_and_lose(System::Bde, "create_cluster");
    let key = story.create("c1", 2).await;
    story.world.until_met(lost, 1).await;
    story.stop(&key).await;
    let failure = story.failure(&key).await;
    assert!(failure.starts_with("nothing_to_stop: "), "{failure}");
    story.pass(600).await;
    assert!(story.world.service_part().clusters.is_empty());
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_a_newer_request_does_not_end_it() {
    for (system, method) in [(System::Bde, "catalog"), (System::VCenter, "segments"), (System::Bde, "networks")] {
        let mut story = Story::new(11).await;
        let kind = howdah_core::failure::ErrorKind::Invalid;
        let refused = story.rule(FaultRule::new(system, method, Effect::Refuse { kind }).delayed(20.0).times(1));
        let key = story.create("c1", 2).await;
        story.world.until_met(refused, 1).await;
        story.stop(&key).await;
        story.start(&key).await;
        let state = story.ended(&key).await.unwrap();
        let operation = state.operation.unwrap();
        assert_eq!(operation.state, OperationState::Succeeded, "{method}: {:?}", operation.failure);
        story.end().await;
    }
}
