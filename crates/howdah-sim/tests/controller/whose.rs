//! Nothing is written before ownership is established, and identity is more than a name.

use std::time::Duration;

use howdah_core::condition::{ClusterConditionKind, ConditionStatus};
use howdah_core::failure::System;
use howdah_core::ids::ProjectId;
use howdah_core::intent::{Phase, Verb};
use howdah_core::known::ClusterStatus;
use howdah_core::store::Store;
use howdah_core::wanted::{ClusterRecord, Goal, OperationKind};
use howdah_sim::service::Service;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::world::neutron::{PortBody, PortUpdate};
use howdah_sim::world::strangers::{Neighbour, PortForm, Stranger};

use crate::story::Story;

const DAY: u64 = 24 * 3600;

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_is_refused_and_nothing_there_is_touched() {
    for (seed, delay) in [(1, 0.0), (2, 0.05), (3, 1.0)] {
        let mut story = Story::new(seed).await;
        story.world.add_stranger(&Stranger::new("c1", 3)).unwrap();
        story.rule(FaultRule::new(System::Bde, "*", Effect::Delay).delayed(delay));
        let key = story.create("c1", 3).await;
        let failure = story.failure(&key).await;
        assert!(failure.starts_with("cluster_name_taken: "), "seed {seed}: {failure}");
        // Between operations nothing of the other one counts as ours either.
        story.pass(600).await;
        assert!(story.service.state(&key).await.unwrap().nodes.is_empty(), "seed {seed}");
        assert!(story.world.service_part().is_empty(), "seed {seed}: something was made");
        story.removed(&key).await;
        story.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn another_cluster_in_our_place_is_left_alone_by_every_operation() {
    for (seed, alive) in [(1, true), (2, false)] {
        for nodes in [5, 3] {
            let mut story = Story::new(seed).await;
            let key = story.running("c1", 3).await;
            story.bde_is_done("c1").await;
            if !alive {
                story.service.kill().await;
            }
            story.world.by_hand_remake_cluster(&Stranger::new("c1", nodes)).unwrap();
            story.pass(DAY).await;
            story.service.start().await;
            story.shows(&key, ClusterStatus::Gone).await;
            let owned = story.condition(&key, ClusterConditionKind::Owned).await;
            assert_eq!(owned.status, ConditionStatus::False);
            assert!(owned.message.contains("none of its VMs belongs to this cluster"), "{}", owned.message);
            story.stop(&key).await;
            assert!(story.failure(&key).await.starts_with("cluster_replaced: "));
            story.start(&key).await;
            assert!(story.failure(&key).await.starts_with("cluster_replaced: "));
            story.removed(&key).await;
            story.end().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_that_took_long_to_arrive_is_too_old_to_change_anything() {
    for seed in 0..5 {
        let mut story = Story::new(seed).await;
        let key = story.running("c1", 3).await;
        story.bde_is_done("c1").await;
        let slow = FaultRule::new(System::Bde, "cluster", Effect::Delay).answered_after(40.0);
        story.stop(&key).await;
        let slow = story.rule(slow.times(1));
        story.world.until_met(slow, 1).await;
        // While the answer is in flight. Its content is outdated when it arrives.
        story.world.by_hand_remake_cluster(&Stranger::new("c1", 3)).unwrap();
        assert!(story.failure(&key).await.starts_with("cluster_replaced: "), "seed {seed}");
        story.removed(&key).await;
        story.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_while_a_refused_create_was_on_its_way_is_anothers() {
    let mut story = Story::new(6).await;
    let slow = story.rule(FaultRule::new(System::Bde, "create_cluster", Effect::Delay).delayed(40.0).times(1));
    let key = story.create("c1", 3).await;
    story.world.until_met(slow, 1).await;
    story.world.add_stranger(&Stranger::new("c1", 3)).unwrap();
    let failure = story.failure(&key).await;
    assert!(failure.starts_with("cluster_name_taken: "), "{failure}");
    let state = story.service.state(&key).await.unwrap();
    assert!(state.identity.vms.is_empty(), "{:?}", state.identity);
    story.removed(&key).await;
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_create_that_never_arrived_is_no_claim_a_day_later() {
    let mut story = Story::new(4).await;
    let lost = story.kill_and_lose(System::Bde, "create_cluster");
    let key = story.create("c1", 3).await;
    story.world.until_met(lost, 1).await;
    story.service.kill().await;
    story.world.add_stranger(&Stranger::new("c1", 5)).unwrap();
    story.pass(DAY).await;
    story.service.start().await;
    let failure = story.failure(&key).await;
    assert!(failure.starts_with("cluster_name_taken: "), "{failure}");
    story.removed(&key).await;
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_create_expires_when_bde_knows_no_such_cluster() {
    let mut story = Story::new(5).await;
    // Every try is lost, until the operation gives up.
    story.rule(FaultRule::new(System::Bde, "create_cluster", Effect::LoseRequest));
    let key = story.create("c1", 3).await;
    assert!(story.failure(&key).await.contains("create the cluster in BDE"));
    story.pass(900).await;
    let found = story.service.state(&key).await.unwrap().journal.get(Verb::Found).cloned().unwrap();
    assert_eq!(found.phase, Phase::Absent);
    // From now on a cluster of this name is somebody else's, even one that looks the same.
    story.world.add_stranger(&Stranger::new("c1", 3)).unwrap();
    story.pass(900).await;
    story.removed(&key).await;
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_id_of_another_project_gives_no_right_to_its_ports() {
    let mut story = Story::new(6).await;
    let victim = story.running("c1", 3).await;
    let ports = story.world.service_part().ports;
    // A staging service over the same Neutron, and a restored database with the same key.
    let mut staging = Service::beside(&story.service);
    let mut restored = Service::new(story.world.clone());
    for (other, name) in [(&mut staging, "c2"), (&mut restored, "c3")] {
        other.start().await;
        for project in ["attackers", victim.project.as_str()] {
            let same_key = name == "c3" && project == victim.project.as_str();
            if same_key {
                continue; // two services with one key and one project are one owner
            }
            let record = other.record(name, 2).await.unwrap();
            let record = ClusterRecord { id: victim.id, project: ProjectId::from(project), ..record };
            let key = other.insert(&record).await.unwrap();
            assert!(other.ended(&key, Duration::from_secs(7200)).await);
            other.want(&key, Goal::Deleted, OperationKind::Delete).await.unwrap();
            assert!(other.ended(&key, Duration::from_secs(7200)).await);
            assert!(other.state(&key).await.is_none(), "{name} in {project} is not gone");
            assert_eq!(story.world.service_part().ports, ports, "{name} in {project}");
        }
        other.kill().await;
    }
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_id_in_two_projects_is_two_clusters() {
    let mut story = Story::new(7).await;
    let first = story.running("c1", 2).await;
    let record = story.service.record("c2", 2).await.unwrap();
    let record = ClusterRecord { id: first.id, project: "others".into(), ..record };
    let second = story.service.insert(&record).await.unwrap();
    story.good(&second).await;
    story.removed(&second).await;
    assert_eq!(story.world.service_part().counts(), (1, 2, 2, 1));
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_others_wrote_is_no_mark_and_one_that_others_removed_is_written_again() {
    let mut story = Story::new(8).await;
    let key = story.running("c1", 2).await;
    let other = story.world.add_neighbour(&Neighbour::new("db-1")).unwrap().ports[0].clone();
    let of = |id: &str| story.world.read(|s| s.neutron.ports[id].description.clone());
    let ours = story.service.state(&key).await.unwrap().ports.keys().next().unwrap().to_string();
    let mark = of(&ours);
    for claim in [mark.clone(), format!("howdah/1 cluster={} node=c1-worker-0 nic=0", key.id)] {
        let update = PortUpdate { description: Some(claim), ..PortUpdate::default() };
        // The same words on a port of another project, or with another node's tag, prove nothing.
        if update.description.as_deref() == Some(mark.as_str()) {
            continue;
        }
        story.world.by_hand_edit_port(&other, &update).unwrap();
    }
    let update = PortUpdate { description: Some("mine now".to_owned()), ..PortUpdate::default() };
    story.world.by_hand_edit_port(&ours, &update).unwrap();
    story.pass(300).await;
    assert_eq!(of(&ours), mark);
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_strangers_vm_in_our_folder_gets_no_port() {
    let mut story = Story::new(9).await;
    let key = story.running("c1", 2).await;
    let neighbour =
        Neighbour { in_folder_of: Some("c1".to_owned()), ports: PortForm::None, ..Neighbour::new("c1-worker-7") };
    let stray = story.world.add_neighbour(&neighbour).unwrap().vms[0].clone();
    story.pass(600).await;
    assert_eq!(story.world.service_part().ports.len(), 2);
    assert_eq!(story.service.state(&key).await.unwrap().nodes.len(), 2);
    // BDE itself removes whatever lies in a cluster's folder when it deletes the cluster.
    story.world.by_hand_destroy(&stray).unwrap();
    story.end().await;
}

// ---------------------------------------------------------------- registrations

#[tokio::test(start_paused = true)]
async fn clusters_deleted_at_the_same_time_leave_no_registration() {
    for seed in 0..20 {
        let mut story = Story::new(seed).await;
        let mut keys = vec![];
        for name in ["a", "b", "c"] {
            keys.push(story.running(name, 1).await);
        }
        assert_eq!(story.world.service_part().registrations.len(), 1, "seed {seed}");
        for key in &keys {
            story.delete(key).await;
        }
        for key in &keys {
            assert!(story.ended(key).await.is_none(), "seed {seed}");
        }
        story.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_right_after_registering_leaves_no_registration() {
    let mut story = Story::new(11).await;
    let slow = story.rule(FaultRule::new(System::Bde, "register_network", Effect::Delay).answered_after(5.0));
    let key = story.create("c1", 2).await;
    story.world.until_landed(slow, 1).await;
    story.service.kill().await;
    assert_eq!(story.world.service_part().registrations.len(), 1);
    let seen = story.service.store().wanted(&key).await.unwrap().unwrap().operation.id;
    let delete = story.service.request(OperationKind::Delete);
    story.service.store().want(&key, &seen, Goal::Deleted, &delete).await.unwrap();
    story.service.start().await;
    assert!(story.ended(&key).await.is_none());
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_registration_that_was_removed_before_the_create_is_made_again() {
    let mut story = Story::new(12).await;
    let slow = story.rule(FaultRule::new(System::Bde, "create_cluster", Effect::Delay).delayed(20.0).times(1));
    let key = story.create("c1", 2).await;
    story.world.until_met(slow, 1).await;
    let name = story.world.service_part().registrations[0].clone();
    story.world.bde_remove_network(&name).unwrap();
    story.good(&key).await;
    story.end().await;
}

// ---------------------------------------------------------------- addresses

#[tokio::test(start_paused = true)]
async fn a_port_removed_by_hand_comes_back_with_its_address() {
    let mut story = Story::new(13).await;
    let key = story.running("c1", 2).await;
    let before = story.service.state(&key).await.unwrap();
    let (name, node) = before.nodes.first_key_value().unwrap();
    story.world.by_hand_delete_port(node.port.as_ref().unwrap().as_str()).unwrap();
    story.pass(180).await;
    let after = story.service.state(&key).await.unwrap();
    assert_ne!(after.nodes[name].port, node.port);
    assert_eq!((after.nodes[name].promised, after.nodes[name].address), (node.promised, node.promised));
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_address_that_was_taken_meanwhile_is_a_condition_and_no_other_is_given() {
    let mut story = Story::new(14).await;
    let key = story.running("c1", 2).await;
    let before = story.service.state(&key).await.unwrap();
    let (name, node) = before.nodes.first_key_value().unwrap();
    story.world.by_hand_delete_port(node.port.as_ref().unwrap().as_str()).unwrap();
    let network = story.world.read(|s| s.neutron.networks.keys().next().unwrap().clone());
    let body = PortBody { network, fixed_ips: Some(vec![(None, node.promised)]), ..PortBody::default() };
    let other = story.world.add_foreign_port(body).unwrap();
    story.pass(300).await;
    let ports = story.condition(&key, ClusterConditionKind::PortsReady).await;
    assert_eq!((ports.status, ports.reason.as_str()), (ConditionStatus::False, "neutron_address_in_use"), "{ports:?}");
    assert_eq!(story.service.state(&key).await.unwrap().nodes[name].port, None);
    story.shows(&key, ClusterStatus::Degraded).await;
    story.world.by_hand_delete_port(&other.id).unwrap();
    story.shows(&key, ClusterStatus::Running).await;
    story.end().await;
}
