//! What a project may have at a time, over a socket.

use std::sync::Arc;

use howdah_core::failure::Failure;
use howdah_core::known::{ClusterState, OperationProgress, OperationState};
use howdah_core::store::Page;
use howdah_server::limits::Limits;
use howdah_store::MemoryStore;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ANN, Service, but, code, key, path, wish};

const OTHER: &str = "bea@p2:member";

async fn limited(limits: Limits) -> Service {
    Service::with(|parts| parts.limits = limits).await
}

/// The answer of a request that goes beyond a limit: message and details.
fn reached((status, body): (u16, Value)) -> (String, Value) {
    assert_eq!((status, code(&body)), (403, "project_limit_reached"), "{body}");
    (body["error"]["message"].as_str().unwrap().to_owned(), body["error"]["details"].clone())
}

fn of(n: u128, nodes: u32) -> Value {
    but(wish(n), json!({"node_groups": [{"name": "worker", "roles": ["hadoop_datanode"], "count": nodes}]}))
}

#[tokio::test]
async fn the_usual_limits_say_which_one_was_reached_and_by_how_much() {
    let service = limited(Limits::default()).await;
    for n in 1..=5 {
        service.create(n).await;
    }
    let (message, details) = reached(service.put(&path(6), wish(6)).await);
    insta::assert_snapshot!(message, @"the project has 5 creates in progress; 1 more would exceed its limit of 5");
    assert_eq!(details, json!({"limit": "creates", "allowed": 5, "used": 5, "asked": 1}));
    assert_eq!(service.store.list(None, Page::WHOLE).await.unwrap().len(), 5);
    // Another project is not held up, and the same request again is no new one.
    assert_eq!(service.ask(OTHER, Method::PUT, &path(6), Some(wish(6))).await.0, 202);
    assert_eq!(service.put(&path(5), wish(5)).await.0, 202);
    service.end(1, None).await;
    service.create(7).await;
}

#[tokio::test]
async fn clusters_count_until_they_are_gone_and_unreadable_ones_too() {
    let store = Arc::new(MemoryStore::new());
    let service = {
        let store = Arc::clone(&store);
        Service::with(move |parts| {
            parts.store = store;
            parts.limits = Limits { clusters: Some(3), ..Limits::NONE };
        })
        .await
    };
    for n in 1..=3 {
        service.create(n).await;
    }
    store.insert_unreadable(&key(1), "c1");
    assert_eq!(service.ask(ANN, Method::DELETE, &path(2), None).await.0, 202);
    let (message, details) = reached(service.put(&path(4), wish(4)).await);
    insta::assert_snapshot!(message, @"the project has 3 clusters; 1 more would exceed its limit of 3");
    assert_eq!(details["limit"], "clusters");
    service.store.remove(&key(2), &[]).await.unwrap();
    service.create(4).await;
}

#[tokio::test]
async fn nodes_are_those_asked_for_or_those_that_are_there() {
    let service = limited(Limits { nodes: Some(10), ..Limits::NONE }).await;
    assert_eq!(service.put(&path(1), of(1, 6)).await.0, 202);
    let (message, details) = reached(service.put(&path(2), of(2, 5)).await);
    insta::assert_snapshot!(message, @"the project has 6 nodes; 5 more would exceed its limit of 10");
    assert_eq!(details, json!({"limit": "nodes", "allowed": 10, "used": 6, "asked": 5}));
    assert_eq!(service.put(&path(2), of(2, 4)).await.0, 202);
    // One whose nodes are left to the distribution's template counts at least once.
    reached(service.put(&path(3), but(wish(3), json!({"node_groups": null}))).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_the_same_time_no_more_than_allowed_slip_through() {
    let service = limited(Limits { clusters: Some(4), creates: Some(3), ..Limits::NONE }).await;
    let all = (1..=24).map(|n| {
        let service = &service;
        async move { service.put(&path(n), wish(n)).await.0 }
    });
    let answers = futures::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|status| **status == 202).count(), 3, "{answers:?}");
    assert_eq!(service.store.list(None, Page::WHOLE).await.unwrap().len(), 3);
}

/// Ends the newest create of cluster `n` before BDE was asked for anything.
async fn fails_early(service: &Service, n: u128) {
    let (record, _) = service.stored(n).await;
    let operation = json!({
        "id": record.operation.id, "kind": "create", "state": "failed", "started": "2026-01-01T00:00:00Z",
        "failure": Failure::new("unknown_distro", "there is no such distribution"),
    });
    let operation: OperationProgress = serde_json::from_value(operation).unwrap();
    assert_eq!(operation.state, OperationState::Failed);
    let state = ClusterState { operation: Some(operation), ..ClusterState::default() };
    service.store.save(&key(n), &state, &[]).await.unwrap();
}

#[tokio::test]
async fn a_failed_create_that_is_begun_anew_is_a_create_in_progress() {
    let service = limited(Limits { creates: Some(1), ..Limits::NONE }).await;
    service.create(1).await;
    fails_early(&service, 1).await;
    service.create(2).await;
    assert_eq!(reached(service.put(&path(1), wish(1)).await).1["limit"], "creates");
    let again = service.ask(ANN, Method::PUT, &format!("{}/state", path(1)), Some(json!({"state": "running"}))).await;
    assert_eq!(reached(again).1["limit"], "creates", "by whichever route");
    service.end(2, None).await;
    assert_eq!(service.put(&path(1), wish(1)).await.0, 202);
}

#[tokio::test]
async fn a_failed_create_frees_its_name_and_is_refused_when_another_has_it() {
    let service = Service::new().await;
    service.create(1).await;
    let same_name = but(wish(2), json!({"name": "c1"}));
    let (status, body) = service.put(&path(2), same_name.clone()).await;
    assert_eq!((status, code(&body)), (409, "cluster_name_taken"));
    fails_early(&service, 1).await;
    assert_eq!(service.put(&path(2), same_name).await.0, 202);
    let (status, body) = service.put(&path(1), wish(1)).await;
    assert_eq!((status, code(&body)), (409, "cluster_name_taken"), "{body}");
    assert_eq!(service.ask(ANN, Method::DELETE, &path(1), None).await.0, 202, "it can be deleted all the same");
}
