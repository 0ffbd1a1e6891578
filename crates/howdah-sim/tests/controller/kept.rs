//! Nothing is lost: a store that refuses to write, or to open a secret, ends nobody's work, and what
//! cannot be read is left alone.

use std::sync::Arc;
use std::time::Duration;

use howdah_core::condition::{ClusterConditionKind, ConditionStatus};
use howdah_core::controller::Ended;
use howdah_core::document::Row;
use howdah_core::failure::System;
use howdah_core::ids::ClusterKey;
use howdah_core::known::{ClusterStatus, OperationState};
use howdah_core::store::Store as _;
use howdah_core::wanted::{Goal, OperationKind, Secrets};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Notify, watch};

use crate::story::Story;

const DAY: u64 = 24 * 3600;

// ---------------------------------------------------------------- secrets

/// A cluster with a password, whose secrets cannot be read.
async fn sealed(seed: u64) -> (Story, ClusterKey) {
    let mut story = Story::new(seed).await;
    let record = story.service.record("c1", 2).await.unwrap();
    let secrets = Secrets { cluster_password: Some(SecretString::from("sealed")), ..Secrets::default() };
    story.service.store().insert(&record, &secrets, &[]).await.unwrap();
    let key = record.key();
    story.service.store().inner().set_secrets_unreadable(&key, true);
    story.service.wake(&key);
    (story, key)
}

fn asked_for(story: &Story) -> u64 {
    story.world.read(|s| s.counters.of(System::Bde, "create_cluster"))
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_secret_is_a_condition_and_a_slow_retry() {
    let (story, key) = sealed(20).await;
    story.pass(300).await;
    let readable = story.condition(&key, ClusterConditionKind::SecretsReadable).await;
    assert_eq!((readable.status, readable.reason.as_str()), (ConditionStatus::False, "secrets_unreadable"));
    assert!(readable.message.contains("Howdah does not use other credentials"), "{}", readable.message);
    let told = story.events(&key).await;
    assert_eq!(told.iter().filter(|e| e.starts_with("secrets_unreadable")).count(), 1, "{told:#?}");
    assert_eq!(asked_for(&story), 0, "BDE was asked for a cluster without its password");
    assert!(!story.service.has_ended(&key).await);

    story.service.store().inner().set_secrets_unreadable(&key, false);
    story.good(&key).await;
    assert_eq!(asked_for(&story), 1);
    story.world.read(|s| {
        let password = s.bde.clusters["c1"].request.password.as_ref().unwrap();
        assert_eq!(password.expose_secret(), "sealed");
    });
    let readable = story.condition(&key, ClusterConditionKind::SecretsReadable).await;
    assert_eq!(readable.status, ConditionStatus::True);
    let told = story.events(&key).await;
    assert_eq!(told.iter().filter(|e| e.contains("secrets are readable")).count(), 1, "{told:#?}");
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_secret_stays_unreadable_ends_and_the_next_one_goes_on() {
    let (mut story, key) = sealed(21).await;
    let failure = story.failure(&key).await;
    assert!(failure.starts_with("secrets_unreadable: "), "{failure}");
    assert_eq!(asked_for(&story), 0);
    story.pass(DAY).await;
    assert_eq!(asked_for(&story), 0);
    story.service.store().inner().set_secrets_unreadable(&key, false);
    story.service.want(&key, Goal::Running, OperationKind::Create).await.unwrap();
    story.good(&key).await;
    story.end().await;
}

/// Once BDE has the password, nothing that is still to be done needs it.
#[tokio::test(start_paused = true)]
async fn a_secret_that_becomes_unreadable_after_its_use_fails_nothing() {
    let (story, key) = sealed(23).await;
    story.service.store().inner().set_secrets_unreadable(&key, false);
    story.world.wait_until(|s| s.bde.clusters.contains_key("c1")).await;
    story.service.store().inner().set_secrets_unreadable(&key, true);
    let state = story.good(&key).await;
    assert_eq!(state.status, ClusterStatus::Running);
    story.end().await;
}

/// A cluster can be deleted without its secrets.
#[tokio::test(start_paused = true)]
async fn a_cluster_whose_secret_is_unreadable_can_be_deleted() {
    let (mut story, key) = sealed(22).await;
    story.pass(60).await;
    story.removed(&key).await;
    story.end().await;
}

// ---------------------------------------------------------------- the store

/// Calls that change something somewhere.
const WRITES: [(System, &str); 9] = [
    (System::Bde, "register_network"),
    (System::Bde, "unregister_network"),
    (System::Bde, "create_cluster"),
    (System::Bde, "change_cluster"),
    (System::Bde, "delete_cluster"),
    (System::Neutron, "create_ports"),
    (System::Neutron, "update_port"),
    (System::Neutron, "set_vnic_index"),
    (System::Neutron, "delete_port"),
];

fn writes(story: &Story) -> Vec<(&'static str, u64)> {
    story.world.read(|s| WRITES.iter().map(|(system, method)| (*method, s.counters.of(*system, method))).collect())
}

/// The disk is full for an hour, beginning so long after the request.
async fn full_for_an_hour(story: &Story, key: &ClusterKey, after: f64) {
    story.world.sleep(Duration::from_secs_f64(after)).await;
    let ended_before = story.service.has_ended(key).await;
    story.service.store().fail_writes(true);
    // What was sent before comes to its end.
    story.pass(30).await;
    let begun = writes(story);
    story.pass(3600).await;
    let seed = story.seed;
    assert_eq!(writes(story), begun, "seed {seed}, full after {after} s");
    assert_eq!(story.service.has_ended(key).await, ended_before, "seed {seed}: an end that was not kept");
    story.service.store().fail_writes(false);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_writes_for_an_hour_ends_nothing_and_nothing_is_started_meanwhile() {
    for (seed, after) in (30..).zip([0.0, 0.05, 0.2, 1.0, 12.0, 40.0, 60.0, 75.0, 90.0, 120.0]) {
        let mut story = Story::new(seed).await;
        let key = story.create("c1", 4).await;
        full_for_an_hour(&story, &key, after).await;
        let state = story.ended(&key).await.unwrap();
        // BDE does not wait for ports that cannot be created: the second request completes it.
        if state.operation.unwrap().state == OperationState::Failed {
            story.service.want(&key, Goal::Running, OperationKind::Create).await.unwrap();
            story.good(&key).await;
        }
        story.bde_is_done("c1").await;
        story.stop(&key).await;
        full_for_an_hour(&story, &key, after / 4.0).await;
        let state = story.good(&key).await;
        assert_eq!(state.status, ClusterStatus::Stopped, "seed {seed}");
        story.delete(&key).await;
        full_for_an_hour(&story, &key, after / 4.0).await;
        assert!(story.ended(&key).await.is_none(), "seed {seed}");
        story.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_read_is_left_alone_and_holds_back_no_other() {
    let mut story = Story::new(50).await;
    let key = story.running("c1", 2).await;
    let other = story.create("c2", 2).await;
    story.bde_is_done("c1").await;
    let unreadable = story.service.store().inner().insert_unreadable(&key, "c1");
    let is_its_port = |name: &str| name.starts_with("c1-");
    let port = story.world.read(|s| s.neutron.ports.values().find(|p| is_its_port(&p.name)).unwrap().id.clone());
    story.world.by_hand_delete_port(&port).unwrap();

    // One that starts ends at once; one that was at work ends as well, and nobody works on it.
    let (_stop, stopped) = watch::channel(false);
    let ended = story.service.controller().run(key.clone(), Arc::new(Notify::new()), stopped).await.unwrap();
    assert_eq!(ended, Ended::Unreadable);
    story.good(&other).await;
    story.pass(3600).await;
    assert_eq!(story.service.store().load(&key).await.unwrap(), Some(Row::Unreadable(unreadable)));
    let left = story.world.service_part().ports.iter().filter(|p| is_its_port(p)).count();
    assert_eq!(left, 1, "its port came back");
    story.nothing_touched();
}
