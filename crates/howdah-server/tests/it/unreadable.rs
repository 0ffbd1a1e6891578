//! A stored cluster that this version cannot read: it is shown as unreadable, not changed, and does not
//! block others.

use std::sync::Arc;

use howdah_core::ids::ClusterKey;
use howdah_core::store::Page;
use howdah_store::MemoryStore;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ANN, Service, code, event, id, key, path, wish};

#[tokio::test]
async fn is_shown_beside_the_others_and_takes_no_writes() {
    let store = Arc::new(MemoryStore::new());
    let own = store.clone();
    let service = Service::with(move |parts| parts.store = own).await;
    let accepted = service.create(1).await;
    service.create(2).await;
    service.store.add_events(&key(2), &[event("before")]).await.unwrap();
    store.insert_unreadable(&key(2), "c2");
    store.insert_unreadable(&ClusterKey { project: "p2".into(), ..key(3) }, "c3");

    let (status, list) = service.get("/v1/clusters?detail=true").await;
    assert_eq!((status, &list["clusters"]), (200, &json!([accepted["cluster"]])));
    insta::assert_json_snapshot!(list["unreadable"], @r#"
    [
      {
        "id": "00000000-0000-0000-0000-000000000002",
        "name": "c2",
        "project": "p1",
        "site": "main",
        "status": "unreadable",
        "status_reason": "its record has version 9, but this Howdah supports versions 1 to 4"
      }
    ]
    "#);
    let (_, all) = service.ask("adm@p1:admin", Method::GET, "/v1/clusters?all_projects=true", None).await;
    assert_eq!(all["unreadable"].as_array().unwrap().len(), 2);
    assert_eq!(service.get(&path(3)).await.0, 404, "another project's");

    let (status, body) = service.get(&path(2)).await;
    assert_eq!(status, 409);
    insta::assert_json_snapshot!(body, @r#"
    {
      "error": {
        "code": "cluster_unreadable",
        "details": {
          "id": "00000000-0000-0000-0000-000000000002",
          "name": "c2",
          "project": "p1",
          "site": "main",
          "status": "unreadable",
          "status_reason": "its record has version 9, but this Howdah supports versions 1 to 4"
        },
        "hint": "A newer howdah may have written it. Ask the operator to install that version again. Until then, the service does not change the cluster.",
        "message": "cluster c2 (00000000-0000-0000-0000-000000000002) cannot be read: its record has version 9, but this Howdah supports versions 1 to 4"
      }
    }
    "#);
    let state = format!("{}/state", path(2));
    for (method, path, body) in [
        (Method::PUT, path(2), Some(wish(2))),
        (Method::PUT, state, Some(json!({"state": "stopped"}))),
        (Method::DELETE, path(2), None),
    ] {
        let (status, body) = service.ask(ANN, method.clone(), &path, body).await;
        assert_eq!((status, code(&body)), (409, "cluster_unreadable"), "{method} {path}");
    }
    // Its name stays taken, and its events can be read.
    let mut other = wish(2);
    other["name"] = json!("c2");
    assert_eq!(code(&service.put(&path(7), other).await.1), "cluster_name_taken");
    let (status, events) = service.get(&format!("{}/events", path(2))).await;
    assert_eq!((status, events["events"][0]["reason"].as_str()), (200, Some("before")));
    let stream = service.request(Method::GET, &format!("{}/events", path(2))).header("X-Auth-Token", ANN);
    let stream = stream.header("Accept", "text/event-stream").send().await.unwrap().text().await.unwrap();
    let told: Vec<_> = stream.lines().filter_map(|l| l.strip_prefix("event: ")).collect();
    assert_eq!(told, ["event", "unreadable"], "and then it ends");
    service.store.list(None, Page::WHOLE).await.unwrap();
    let text = service.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(text.contains("howdah_clusters{site=\"main\",status=\"unreadable\"} 2"), "{text}");
}

#[tokio::test]
async fn keeps_no_service_from_starting() {
    let store = Arc::new(MemoryStore::new());
    store.insert_unreadable(&key(1), "c1");
    let own = store.clone();
    let service = Service::with(move |parts| parts.store = own).await;
    assert_eq!(*service.idle.started.lock().unwrap(), [], "it is left alone");
    assert_eq!(service.get("/v1/clusters").await.1["unreadable"][0]["id"], id(1).to_string());
    service.create(2).await;
    let ready: Value = service.request(Method::GET, "/readyz").send().await.unwrap().json().await.unwrap();
    assert_eq!(ready["ready"], true);
}
