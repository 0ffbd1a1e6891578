//! What clusters of one site ask for together: what many idle ones cost, and how soon each still sees a
//! change that somebody made by hand.

use howdah_core::failure::System;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::world::neutron::PortUpdate;

use crate::story::Story;

const HOUR: u64 = 3600;

/// A site with so many clusters on one network that have nothing to do.
async fn idle(seed: u64, clusters: usize) -> Story {
    let mut story = Story::new(seed).await;
    let mut keys = vec![];
    for n in 0..clusters {
        keys.push(story.create(&format!("c{n}"), 1).await);
    }
    for (n, key) in keys.iter().enumerate() {
        story.good(key).await;
        story.bde_is_done(&format!("c{n}")).await;
    }
    story.pass(600).await;
    story
}

/// How many calls a system gets in an hour.
async fn calls(story: &Story, system: System) -> u32 {
    let rule = story.rule(FaultRule::new(system, "*", Effect::Delay));
    story.pass(HOUR).await;
    let met = story.met(rule);
    story.calm();
    met
}

#[tokio::test(start_paused = true)]
async fn many_idle_clusters_of_a_network_cost_neutron_little_more_than_one() {
    let one = idle(80, 1).await;
    let few = calls(&one, System::Neutron).await;
    assert!((50..=70).contains(&few), "one list a minute: {few}");
    one.end().await;
    let mut story = idle(81, 40).await;
    let many = calls(&story, System::Neutron).await;
    assert!(many <= 3 * few, "40 clusters cost {many} calls an hour, one {few}");

    // A crash brings all of them back in the same moment.
    story.service.kill().await;
    let rule = story.rule(FaultRule::new(System::Neutron, "*", Effect::Delay));
    story.service.start().await;
    story.pass(30).await;
    let begin = story.met(rule);
    assert!((1..=8).contains(&begin), "a start with 40 clusters: {begin} calls");
    story.calm();

    let bare = PortUpdate { description: Some(String::new()), ..PortUpdate::default() };
    let ports: Vec<_> = story.world.read(|s| {
        let ours = s.neutron.ports.values().filter(|p| p.description.starts_with("howdah/2"));
        ours.map(|p| p.id.clone()).collect()
    });
    assert_eq!(ports.len(), 40);
    for port in &ports {
        story.world.by_hand_edit_port(port.as_str(), &bare).unwrap();
        story.pass(7).await;
    }
    story.pass(120).await;
    let marked =
        story.world.read(|s| s.neutron.ports.values().filter(|p| p.description.starts_with("howdah/2")).count());
    assert_eq!(marked, 40, "each was seen and put right within two minutes");
    story.end().await;
}
