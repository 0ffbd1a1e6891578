//! Who is told that a cluster is gone, and what a capability is good for.

use std::collections::BTreeSet;
use std::sync::Arc;

use howdah_core::ids::ClusterId;
use howdah_core::known::ClusterStatus;
use howdah_core::store::{Change, Page};
use howdah_store::{MemoryStore, Options, SqliteStore};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ANN, Service, but, code, event, id, key, path, wish};

const BOB: &str = "bob@p2:member";
const ADMIN: &str = "adm@p2:admin";

fn asks(n: u128, query: &str) -> Vec<(Method, String, Option<Value>)> {
    vec![
        (Method::GET, format!("{}?{query}", path(n)), None),
        (Method::GET, format!("{}/events?{query}", path(n)), None),
        (Method::PUT, format!("{}/state?{query}", path(n)), Some(json!({"state": "stopped"}))),
        (Method::DELETE, format!("{}?{query}", path(n)), None),
    ]
}

/// What all of these say, which has to be the same.
async fn says(service: &Service, token: &str, n: u128, query: &str) -> String {
    let mut said = BTreeSet::new();
    for (method, path, body) in asks(n, query) {
        let (status, body) = service.ask(token, method, &path, body).await;
        said.insert(format!("{status} {}", code(&body)));
    }
    said.into_iter().collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn gone_is_said_only_to_who_may_know_and_only_if_it_is_true() {
    let service = Service::new().await;
    service.create(1).await;
    service.create(2).await;
    service.store.remove(&key(2), &[event("removed")]).await.unwrap();
    let mut table = String::new();
    for (who, token) in
        [("its project", ANN), ("another", BOB), ("an admin", ADMIN), ("not of admins", "adm@p2:admin?")]
    {
        table.push_str(&format!("{who}\n"));
        for query in ["", "project=p1", "project=p2", "project=p9", "all_projects=true", "all_projects=true&project=p1"]
        {
            // There (asked about without changing it), removed, and never.
            let (status, there) = service.ask(token, Method::GET, &format!("{}?{query}", path(1)), None).await;
            let there = format!("{status} {}", code(&there));
            let (removed, never) = (says(&service, token, 2, query).await, says(&service, token, 9, query).await);
            table.push_str(&format!("  {query:28} there: {there:26} removed: {removed:26} never: {never}\n"));
        }
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn nothing_tells_a_cluster_of_another_project_from_none() {
    let service = Service::new().await;
    service.create(1).await;
    service.create(2).await;
    service.store.remove(&key(2), &[]).await.unwrap();
    for query in ["", "project=p1", "project=p9"] {
        for ((method, there, body), (_, none, _)) in asks(1, query).into_iter().zip(asks(9, query)) {
            let (first, told) = service.ask(BOB, method.clone(), &there, body.clone()).await;
            let (second, other) = service.ask(BOB, method.clone(), &none, body).await;
            let told: Value = serde_json::from_str(&told.to_string().replace(&id(1).to_string(), "ID")).unwrap();
            let other: Value = serde_json::from_str(&other.to_string().replace(&id(9).to_string(), "ID")).unwrap();
            assert_eq!((first, told), (second, other), "{method} {query}");
        }
    }
    // An id that others use, or used, is free in one's own project.
    for n in [1, 2] {
        let own = but(wish(n), json!({"name": format!("own{n}")}));
        assert_eq!(service.ask(BOB, Method::PUT, &path(n), Some(own)).await.0, 202);
    }
}

#[tokio::test]
async fn a_cluster_is_not_made_in_another_project_than_was_named() {
    let service = Service::new().await;
    for query in ["?project=p2", "?project=p9"] {
        let (status, body) = service.put(&format!("{}{query}", path(1)), wish(1)).await;
        assert_eq!((status, code(&body)), (404, "cluster_not_visible"));
    }
    assert!(service.store.list(None, Page::WHOLE).await.unwrap().is_empty());
    assert_eq!(service.put(&format!("{}?project=p1", path(1)), wish(1)).await.0, 202);
}

#[tokio::test]
async fn the_operator_is_told_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::local(&folder).await;
    let theirs = service.request(Method::PUT, &path(1)).header("X-Project-Id", "p7").json(&wish(1)).send().await;
    assert_eq!(theirs.unwrap().status(), 202);
    for (n, query, expected) in [
        (9, "", "cluster_not_found"),
        (9, "?all_projects=true", "cluster_not_found"),
        (9, "?project=local", "cluster_not_found"),
        (1, "", "cluster_not_visible"),
        (1, "?all_projects=true", "no error"),
        (1, "?all_projects=true&project=p7", "no error"),
        (1, "?all_projects=true&project=p8", "cluster_not_found"),
    ] {
        let answer = service.request(Method::GET, &format!("{}{query}", path(n))).send().await.unwrap();
        assert_eq!(code(&answer.json().await.unwrap()), expected, "{n}{query}");
    }
}

/// Status and code of a read with a capability alone.
async fn read(service: &Service, path: &str, capability: &Value) -> (u16, Value) {
    let request = service.request(Method::GET, path).header("X-Howdah-Capability", capability.as_str().unwrap());
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn no_number_of_writes_loses_a_capability() {
    let service = Service::new().await;
    let heats = service.create(1).await["capability"].clone();
    let state = format!("{}/state", path(1));
    let mut all = BTreeSet::from([heats.as_str().unwrap().to_owned()]);
    for n in 0..200 {
        service.end_as(1, if n % 2 == 0 { ClusterStatus::Running } else { ClusterStatus::Stopped }, None).await;
        let word = if n % 2 == 0 { "stopped" } else { "running" };
        let (status, body) = service.put(&state, json!({"state": word})).await;
        assert_eq!(status, 202, "{body}");
        all.insert(body["capability"].as_str().unwrap().to_owned());
    }
    assert_eq!(all.len(), 201, "one for each accepted operation");
    assert_eq!(read(&service, &path(1), &heats).await.0, 200);
    for capability in all {
        assert_eq!(read(&service, &path(1), &capability.into()).await.0, 200);
    }
}

#[tokio::test]
async fn a_write_that_changes_nothing_makes_none_and_a_repeat_gives_the_one_that_was_lost() {
    let store = Arc::new(MemoryStore::new());
    let own = store.clone();
    let odd = Arc::new(crate::odd_store::OddStore::new(own));
    let parts = odd.clone();
    let service = Service::with(move |p| p.store = parts).await;
    let kept = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = kept.clone();
    odd.fault(move |call| {
        if matches!(call, Change::PutCapability { .. }) {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
        None
    });
    let first = service.create(1).await;
    for _ in 0..70 {
        let (status, again) = service.put(&path(1), wish(1)).await;
        assert_eq!((status, &again["capability"]), (202, &first["capability"]));
    }
    service.end(1, None).await;
    for _ in 0..70 {
        let (status, again) = service.put(&format!("{}/state", path(1)), json!({"state": "running"})).await;
        assert_eq!((status, &again["capability"]), (202, &first["capability"]));
    }
    let (_, deleted) = service.ask(ANN, Method::DELETE, &path(1), None).await;
    assert_ne!(deleted["capability"], first["capability"]);
    let (_, again) = service.ask(ANN, Method::DELETE, &path(1), None).await;
    assert_eq!(again["capability"], deleted["capability"]);
    assert_eq!(kept.load(std::sync::atomic::Ordering::SeqCst), 2, "one for each operation that was accepted");
}

#[tokio::test]
async fn after_the_removal_a_capability_reads_the_events_and_that_the_cluster_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { path: folder.path().join("howdah.db"), key_file: folder.path().join("secret.key") };
    let store = Arc::new(SqliteStore::open(&options).await.unwrap());
    let own = store.clone();
    let service = Service::with(move |parts| {
        parts.marks = own.mark_key();
        parts.store = own;
    })
    .await;
    let capability = service.create(1).await["capability"].clone();
    // One that an older version made of random numbers.
    let old = "0123456789abcdef".repeat(4);
    let hash = ring::digest::digest(&ring::digest::SHA256, old.as_bytes());
    service.store.put_capability(&key(1), hash.as_ref().try_into().unwrap()).await.unwrap();
    service.store.remove(&key(1), &[event("removed")]).await.unwrap();
    let events = format!("{}/events", path(1));
    for good in [&capability, &old.into()] {
        let (status, body) = read(&service, &path(1), good).await;
        assert_eq!((status, code(&body)), (404, "cluster_not_found"));
        let (status, body) = read(&service, &events, good).await;
        assert_eq!((status, body["events"][0]["reason"].as_str()), (200, Some("removed")));
    }
    let (status, body) = read(&service, &path(1), &"f".repeat(64).into()).await;
    assert_eq!((status, code(&body)), (404, "cluster_not_visible"));
    // Its project remembers it for as long, and may say for longer what it was.
    let later = howdah_server::runtime::SystemClock;
    let later = howdah_core::time::Clock::now(&later) + jiff::SignedDuration::from_hours(1);
    assert_eq!(store.prune(later).await.unwrap(), 1);
    for path in [&path(1), &events] {
        let (status, body) = read(&service, path, &capability).await;
        assert_eq!((status, code(&body)), (404, "cluster_not_visible"));
        assert_eq!(code(&service.get(path).await.1), "cluster_not_visible");
        assert_eq!(code(&service.get(&format!("{path}?project=p1")).await.1), "cluster_not_found");
    }
    assert!(service.store.traces(&ClusterId(id(1))).await.unwrap().is_empty());
}
