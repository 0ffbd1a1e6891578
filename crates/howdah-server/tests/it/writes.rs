//! Writes that lose their client, meet others, or a store that cannot keep them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use howdah_core::failure::{ErrorKind, Failure, RemoteError, System};
use howdah_core::known::ClusterStatus;
use howdah_core::store::{Change, Page};
use howdah_core::wanted::Goal;
use howdah_store::MemoryStore;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{ANN, Service, code, key, path, wish};
use crate::odd_store::OddStore;

fn full() -> RemoteError {
    RemoteError::new(System::Store, ErrorKind::Unavailable, "store_full", "no space is left for /x/howdah.db")
        .hint("Free space on the file system of /x/howdah.db; howdah then continues automatically.")
}

async fn on(store: Arc<OddStore>) -> Service {
    Service::with(move |parts| parts.store = store).await
}

/// Sends a request and hangs up after so long, without reading an answer.
async fn send_and_leave(service: &Service, method: &str, path: &str, body: &Value, after: Duration) {
    let mut stream = TcpStream::connect(service.running.tcp.unwrap()).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {ANN}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    tokio::time::sleep(after).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_loses_its_answer_and_nothing_else() {
    // Slow enough for every client to be gone in the middle, some before and some after the effect.
    let store = OddStore::slow(Arc::new(MemoryStore::new()), Duration::from_millis(8));
    let service = on(Arc::new(store)).await;
    const MANY: u128 = 60;
    let leave = |n: u128| {
        let (service, after) = (&service, Duration::from_millis(1 + (n % 20) as u64));
        async move { send_and_leave(service, "PUT", &path(n), &wish(n), after).await }
    };
    futures::future::join_all((1..=MANY).map(leave)).await;
    // Some may have hung up before the service had read what they sent.
    let (mut stored, mut worked_on) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..200 {
        stored = service.store.list(None, Page::WHOLE).await.unwrap().iter().map(|row| row.key()).collect();
        worked_on = service.idle.started.lock().unwrap().iter().cloned().collect();
        if worked_on == stored && stored.len() as u128 == MANY {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!stored.is_empty());
    assert_eq!(worked_on, stored, "what is stored is worked on, without a sweep");
    // The same for what changes a cluster.
    for n in 1..=20 {
        service.put(&path(n), wish(n)).await;
        service.end(n, None).await;
    }
    let woken = || service.idle.woken.load(Ordering::SeqCst);
    let before = woken();
    let leave = |n: u128| {
        let (service, after) = (&service, Duration::from_millis(n as u64));
        async move { send_and_leave(service, "DELETE", &path(n), &json!({}), after).await }
    };
    futures::future::join_all((1..=20).map(leave)).await;
    let mut deleted = 0;
    for _ in 0..200 {
        deleted = 0;
        for n in 1..=20 {
            deleted += u64::from(service.stored(n).await.0.shape.goal == Goal::Deleted);
        }
        if deleted == 20 && woken() >= before + deleted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(deleted > 0);
    assert!(woken() >= before + deleted, "{} of {deleted} were woken", woken() - before);
}

#[tokio::test]
async fn a_write_that_meets_another_is_decided_anew() {
    let store = Arc::new(OddStore::new(Arc::new(MemoryStore::new())));
    let service = on(store.clone()).await;
    service.create(1).await;
    service.end(1, None).await;
    let changed = || RemoteError::new(System::Store, ErrorKind::Conflict, "cluster_changed", "was changed");
    let tries = Arc::new(AtomicUsize::new(0));
    let count = tries.clone();
    store.fault(move |call| {
        (matches!(call, Change::Want { .. }) && count.fetch_add(1, Ordering::SeqCst) < 3).then(changed)
    });
    let (status, body) = service.ask(ANN, Method::DELETE, &path(1), None).await;
    assert_eq!((status, body["operation"]["kind"].as_str()), (202, Some("delete")));
    assert_eq!(tries.load(Ordering::SeqCst), 4);
    // Not without limit.
    service.create(2).await;
    store.fault(move |call| matches!(call, Change::Want { .. }).then(changed));
    let (status, body) = service.ask(ANN, Method::DELETE, &path(2), None).await;
    assert_eq!((status, code(&body)), (409, "cluster_changed"));
}

#[tokio::test]
async fn opposite_requests_at_the_same_time_leave_one_operation_that_is_the_last_accepted() {
    let store = OddStore::slow(Arc::new(MemoryStore::new()), Duration::from_millis(2));
    let service = on(Arc::new(store)).await;
    service.create(1).await;
    service.end(1, None).await;
    let state = format!("{}/state", path(1));
    let word = |n: usize| if n.is_multiple_of(2) { "stopped" } else { "running" };
    let all = (0..8).map(|n| service.put(&state, json!({"state": word(n)})));
    let answers = futures::future::join_all(all).await;
    let (record, _) = service.stored(1).await;
    let last = record.operation.id.to_string();
    assert!(answers.iter().any(|(_, body)| body["operation"]["id"] == last.as_str()), "{answers:?}");
    for (status, body) in &answers {
        assert!(*status == 202 || code(body) == "cluster_changed", "{status} {body}");
    }
}

#[tokio::test]
async fn a_full_disk_is_told_to_who_writes_and_by_readyz_and_passes() {
    let store = Arc::new(OddStore::new(Arc::new(MemoryStore::new())));
    let service = on(store.clone()).await;
    service.create(1).await;
    store.fault(|_| Some(full()));
    let response = service.request(Method::PUT, &path(2)).header("X-Auth-Token", ANN).json(&wish(2));
    let response = response.send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "5"));
    insta::assert_json_snapshot!(response.json::<Value>().await.unwrap(), @r#"
    {
      "error": {
        "code": "store_full",
        "details": {
          "kind": "unavailable",
          "system": "store"
        },
        "hint": "Free space on the file system of /x/howdah.db; howdah then continues automatically.",
        "message": "the service cannot write its database: the disk is full"
      }
    }
    "#);
    let ready = service.request(Method::GET, "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let body: Value = ready.json().await.unwrap();
    assert_eq!(code(&body), "not_ready");
    assert_eq!(body["error"]["message"], "the service is not ready: store: store_full");
    assert_eq!(body["error"]["details"]["store"], "store_full");
    assert!(body["error"]["hint"].as_str().unwrap().starts_with("Free space"), "{body}");
    assert_eq!(service.get(&path(1)).await.0, 200, "reading goes on");
    store.fault(|_| None);
    assert_eq!(service.put(&path(2), wish(2)).await.0, 202);
    let ready = service.request(Method::GET, "/readyz").send().await.unwrap();
    assert_eq!((ready.status().as_u16(), ready.json::<Value>().await.unwrap()["store"].as_str()), (200, Some("ok")));
}

#[tokio::test]
async fn what_was_stored_is_worked_on_even_if_the_capability_could_not_be() {
    let store = Arc::new(OddStore::new(Arc::new(MemoryStore::new())));
    let service = on(store.clone()).await;
    store.fault(|call| matches!(call, Change::PutCapability { .. }).then(full));
    assert_eq!(service.put(&path(1), wish(1)).await.0, 503);
    store.fault(|_| None);
    assert_eq!(*service.idle.started.lock().unwrap(), [key(1)]);
    let (status, body) = service.put(&path(1), wish(1)).await;
    assert_eq!((status, body["operation"]["kind"].as_str()), (202, Some("create")));
    assert_eq!(service.store.list(None, Page::WHOLE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_somebody_changed_by_hand_can_be_asked_for_again() {
    use ClusterStatus as S;
    let service = Service::new().await;
    let state = format!("{}/state", path(1));
    let first = service.create(1).await;
    for (status, expected) in [
        (S::Running, None),
        (S::Starting, None),
        (S::Stopped, Some("start")),
        (S::Degraded, Some("start")),
        (S::Gone, Some("start")),
    ] {
        service.end_as(1, status, None).await;
        let before = service.get(&path(1)).await.1["operation"]["id"].clone();
        let (_, body) = service.put(&state, json!({"state": "running"})).await;
        let began = (body["operation"]["id"] != before).then(|| body["operation"]["kind"].as_str().unwrap().to_owned());
        assert_eq!(began.as_deref(), expected, "{status:?}");
    }
    assert_ne!(first["operation"]["id"], service.get(&path(1)).await.1["operation"]["id"]);
    service.put(&state, json!({"state": "stopped"})).await;
    for (status, expected) in [(S::Stopped, None), (S::Stopping, None), (S::Running, Some("stop"))] {
        service.end_as(1, status, None).await;
        let before = service.get(&path(1)).await.1["operation"]["id"].clone();
        let (_, body) = service.put(&state, json!({"state": "stopped"})).await;
        let began = (body["operation"]["id"] != before).then(|| body["operation"]["kind"].as_str().unwrap().to_owned());
        assert_eq!(began.as_deref(), expected, "{status:?}");
    }
    // A failed one is tried again whatever is there.
    service.end_as(1, S::Error, Some(Failure::new("x", "y"))).await;
    assert_eq!(service.put(&state, json!({"state": "stopped"})).await.1["operation"]["kind"], "stop");
}

/// Not to be mistaken for a request that hangs: the socket above is closed by dropping it.
#[tokio::test]
async fn a_client_that_stays_gets_its_answer() {
    let service = Service::new().await;
    let mut stream = TcpStream::connect(service.running.tcp.unwrap()).await.unwrap();
    let body = wish(1).to_string();
    let head = format!(
        "PUT {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: {ANN}\r\nContent-Length: {}\r\n\r\n",
        path(1),
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
}
