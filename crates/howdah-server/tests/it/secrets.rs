//! Secrets go in and never come out: not in an answer, an event, a log line, or the database.

use std::sync::Arc;

use howdah_core::failure::Failure;
use howdah_store::{Options, SqliteStore};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::harness::{Service, but, key, log, path, wish};

/// What is looked for everywhere. The token must be one that the fake Keystone knows.
const SECRETS: [&str; 3] = ["Cl_pass-7f3a", "bde-pass-9c1d", "tok-5e5e@p1:member"];

#[tokio::test]
async fn are_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { path: folder.path().join("db/h.db"), key_file: folder.path().join("key") };
    let store = Arc::new(SqliteStore::open(&options).await.unwrap());
    let for_parts = store.clone();
    let service = Service::with(move |parts| {
        parts.store = for_parts;
        parts.templates.credentials = true;
    })
    .await;

    let mut answers = String::new();
    let mut ask = async |method: Method, path: String, body: Option<serde_json::Value>| {
        let (status, body) = service.ask(SECRETS[2], method, &path, body).await;
        answers.push_str(&format!("{status} {body}\n"));
    };
    let full = but(
        wish(1),
        json!({"name": "seen_in_the_log", "cluster_password": SECRETS[0], "username": "u", "password": SECRETS[1]}),
    );
    ask(Method::PUT, path(1), Some(full.clone())).await;
    ask(Method::PUT, path(1), Some(but(full.clone(), json!({"name": "other"})))).await;
    ask(Method::PUT, path(1), Some(but(full.clone(), json!({"nmae": 1})))).await;
    ask(Method::PUT, path(2), Some(but(full.clone(), json!({"network": "nope"})))).await;
    ask(Method::PUT, path(2), Some(full.clone())).await;
    // Where a secret stands in the wrong place.
    ask(Method::PUT, path(3), Some(but(full.clone(), json!({"cluster_password": [SECRETS[0]]})))).await;
    ask(Method::PUT, path(3), Some(but(full.clone(), json!({"specification": {"password": SECRETS[0]}})))).await;
    service.end(1, Some(Failure::new("x", "y"))).await;
    for path in [path(1), format!("{}/events", path(1)), "/v1/clusters".into(), "/v1/sites".into()] {
        ask(Method::GET, path, None).await;
    }
    *service.cloud.down.lock().unwrap() = true;
    ask(Method::GET, path(1), None).await;
    let metrics = service.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert_eq!(answers.lines().filter(|l| l.starts_with("202")).count(), 1, "{answers}");

    let kept = service.running.store.secrets(&key(1)).await.unwrap();
    assert_eq!(kept.cluster_password.unwrap().expose_secret(), SECRETS[0], "kept, but sealed");
    service.running.stop();
    service.running.wait().await;
    store.close().await;

    // That of all tests together: each of these secrets is this test's alone.
    let log = log();
    assert!(log.contains("seen_in_the_log"), "the log was listened to");
    let mut files = vec![];
    for file in std::fs::read_dir(folder.path().join("db")).unwrap() {
        files.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    assert!(files.windows(6).any(|w| w == b"apache"), "the database was looked at");
    for secret in SECRETS {
        for (place, text) in [("an answer", &answers), ("the metrics", &metrics), ("the log", &log)] {
            assert!(!text.contains(secret), "{secret} is in {place}:\n{text}");
        }
        assert!(!files.windows(secret.len()).any(|w| w == secret.as_bytes()), "{secret} is in the database");
    }
}
