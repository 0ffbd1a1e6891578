//! What is refused: each with its status, code, sentence and hint, as a caller reads them.

use howdah_core::store::Page;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ANN, Service, but, path, wish};

fn line(status: u16, body: &Value) -> String {
    let error = &body["error"];
    let hint = error["hint"].as_str().map(|h| format!("\n    hint: {h}")).unwrap_or_default();
    let details = match error["details"].as_object() {
        Some(map) if map.is_empty() => String::new(),
        _ => format!("\n    details: {}", error["details"]),
    };
    format!("{status} {}: {}{hint}{details}\n", error["code"].as_str().unwrap(), error["message"].as_str().unwrap())
}

#[tokio::test]
async fn bodies() {
    let service = Service::new().await;
    let group = |change: Value| {
        let group = but(json!({"name": "worker", "roles": ["r"], "count": 1}), change);
        but(wish(1), json!({"node_groups": [{"name": "first", "roles": ["r"], "count": 1}, group]}))
    };
    let mut told = String::new();
    for body in [
        json!([]),
        json!({}),
        but(wish(1), json!({"colour": "blue"})),
        group(json!({"cpus": 2})),
        but(wish(1), json!({"name": 7})),
        but(wish(1), json!({"cluster_password": 12345})),
        but(wish(1), json!({"cluster_password": "tooshort"})),
        but(wish(1), json!({"state": "deleted"})),
        but(wish(1), json!({"remedy": "hammer"})),
        but(wish(1), json!({"name": "my-cluster"})),
        but(wish(1), json!({"name": ""})),
        but(wish(1), json!({"network": " "})),
        but(wish(1), json!({"specification": "text"})),
        but(wish(1), json!({"specification": {"password": "hush"}})),
        group(json!({"name": "first"})),
        group(json!({"name": "work-er"})),
        group(json!({"roles": []})),
        group(json!({"count": 0})),
        group(json!({"count": 10001})),
        group(json!({"count": -1})),
        group(json!({"disk_gb": 0})),
        but(wish(1), json!({"state": "stopped"})),
        but(wish(1), json!({"site": "moon"})),
        but(wish(1), json!({"bde_endpoint": "evil.example:8443"})),
        but(wish(1), json!({"vcm_server": "evil.example"})),
        but(wish(1), json!({"site": "lab", "vcm_server": "vc.main.example"})),
        but(wish(1), json!({"network": "nope"})),
        but(wish(1), json!({"subnet": "nope"})),
        but(wish(1), json!({"security_groups": ["nope"]})),
        but(wish(1), json!({"subnet": "other-v4"})),
    ] {
        let (status, answer) = service.put(&path(1), body).await;
        told.push_str(&line(status, &answer));
    }
    insta::assert_snapshot!(told);
    assert!(service.store.list(None, Page::WHOLE).await.unwrap().is_empty());
    assert!(service.idle.started.lock().unwrap().is_empty());
}

#[tokio::test]
async fn paths_methods_and_sizes() {
    let service = Service::new().await;
    let mut told = String::new();
    let asks = [
        (Method::GET, "/v1/nothing".to_owned(), None),
        (Method::POST, "/v1/clusters".to_owned(), None),
        (Method::DELETE, "/v1/clusters".to_owned(), None),
        (Method::GET, "/v1/clusters/seven".to_owned(), None),
        (Method::GET, path(7), None),
        (Method::GET, format!("{}/events", path(7)), None),
        (Method::GET, "/v1/clusters?all_project=true".to_owned(), None),
        (Method::GET, format!("{}/events?after=x", path(7)), None),
        (Method::PUT, format!("{}/state", path(7)), Some(json!({"state": "running"}))),
        (Method::PUT, format!("{}/state", path(7)), Some(json!({"state": "paused"}))),
        (Method::DELETE, path(7), None),
        (Method::PUT, path(7), Some(but(wish(7), json!({"specification": {"x": "y".repeat(1_100_000)}})))),
    ];
    for (method, path, body) in asks {
        let (status, answer) = service.ask(ANN, method, &path, body).await;
        told.push_str(&line(status, &answer));
    }
    let raw =
        service.request(Method::PUT, &path(1)).header("X-Auth-Token", ANN).body("{\"name\": ").send().await.unwrap();
    told.push_str(&line(raw.status().as_u16(), &raw.json().await.unwrap()));
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn without_a_default_the_site_must_be_named() {
    let service = Service::with(|parts| parts.sites[0].default = false).await;
    let (status, body) = service.put(&path(1), wish(1)).await;
    assert_eq!(
        line(status, &body),
        "400 site_missing: the request names no site, and the service has no default site\n    hint: Name one of the sites: main, lab.\n    details: {\"sites\":[\"main\",\"lab\"]}\n"
    );
    // A single site needs no default.
    let service = Service::with(|parts| {
        parts.sites.truncate(1);
        parts.sites[0].default = false;
    })
    .await;
    assert_eq!(service.put(&path(1), wish(1)).await.0, 202);
}
