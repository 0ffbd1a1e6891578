//! Create, repeat, start, stop, delete.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use howdah_core::condition::{Condition, ConditionKind, ConditionStatus};
use howdah_core::failure::Failure;
use howdah_core::history::{Boot, NodeHistory};
use howdah_core::ids::NodeName;
use howdah_core::known::{ClusterState, ClusterStatus, NodeState, OperationProgress};
use howdah_core::stage::Stage;
use howdah_core::store::{Page, Store};
use howdah_core::wanted::{Goal, OperationKind, Secrets};
use howdah_store::MemoryStore;
use reqwest::Method;
use serde_json::{Value, json};

use crate::fakes::now;
use crate::harness::{ANN, Service, but, code, key, path, wish};

/// What a version wrote that kept no digests of passwords.
#[tokio::test]
async fn a_record_without_digests_of_its_passwords_is_compared_without() {
    let store = Arc::new(MemoryStore::new());
    let own = store.clone();
    let service = Service::with(move |parts| parts.store = own).await;
    service.create(1).await;
    let (mut record, _) = service.stored(1).await;
    service.store.remove(&key(1), &[]).await.unwrap();
    assert!(record.spec.secrets.take().is_some_and(|sealed| sealed.cluster_password.is_some()));
    store.insert(&record, &Secrets::default(), &[]).await.unwrap();
    let (status, body) = service.put(&path(1), but(wish(1), json!({"cluster_password": "Hush_hush2"}))).await;
    assert_eq!(status, 202, "{body}");
}

#[tokio::test]
async fn a_create_is_accepted_and_shown() {
    let service = Service::new().await;
    let body = service.create(1).await;
    assert_eq!(body["operation"], body["cluster"]["operation"]);
    assert_eq!(body["capability"].as_str().unwrap().len(), 64);
    insta::assert_json_snapshot!(body["cluster"]);
    assert_eq!(service.get(&path(1)).await, (200, body["cluster"].clone()));
    let (_, list) = service.get("/v1/clusters?detail=true").await;
    assert_eq!(list, json!({"clusters": [body["cluster"]]}));
    assert_eq!(*service.cloud.grants.lock().unwrap(), [Some(ANN.to_owned())], "looked up with the requester's token");
    assert_eq!(*service.idle.started.lock().unwrap(), [key(1)]);
}

#[tokio::test]
async fn a_working_cluster_is_shown_whole() {
    let service = Service::new().await;
    service.create(1).await;
    let (record, mut state) = service.stored(1).await;
    state.status = ClusterStatus::Creating;
    state.progress = 0.5;
    state.operation = Some(OperationProgress {
        checked: true,
        ..OperationProgress::begun(record.operation.id, OperationKind::Create, now())
    });
    for (name, stage, address) in [
        ("c1-worker-10", Stage::Addressed, Some("10.0.0.12")),
        ("c1-worker-9", Stage::Addressed, Some("10.0.0.11")),
        ("c1-master-0", Stage::NoAddress, None),
        ("c1-worker-0", Stage::Planned, None),
    ] {
        let group = name.split('-').nth(1).unwrap();
        let role = if group == "master" { "hadoop_namenode" } else { "hadoop_datanode" };
        let node = NodeState {
            group: group.to_owned(),
            roles: vec![role.to_owned()],
            plan: None,
            vm: (stage != Stage::Planned).then(|| "vm-7".into()),
            instance_uuid: None,
            mac: (stage != Stage::Planned).then(|| "00:50:56:00:00:07".parse().unwrap()),
            port: None,
            promised: None,
            address: address.map(|a| a.parse().unwrap()),
            stage,
            manager_says: "VM Ready".into(),
            conditions: vec![Condition {
                kind: ConditionKind::Addressed,
                status: ConditionStatus::Unknown,
                reason: "Waiting".into(),
                message: "It has not been seen.".into(),
                since: now(),
            }],
            history: NodeHistory {
                incarnations: 1,
                vm_seen: Some(now()),
                port_ready: Some(now()),
                boots: 1,
                recent_boots: vec![Boot { seen: now(), vcenter: None, addressed: address.map(|_| now()) }],
            },
        };
        state.nodes.insert(NodeName::new(name), node.into());
    }
    service.store.save(&key(1), &state, &[]).await.unwrap();
    let (_, shown) = service.get(&path(1)).await;
    insta::assert_json_snapshot!(shown);

    // The master's address is told once it has one.
    Arc::make_mut(state.nodes.get_mut(&NodeName::new("c1-master-0")).unwrap()).address =
        Some("10.0.0.9".parse().unwrap());
    service.store.save(&key(1), &state, &[]).await.unwrap();
    assert_eq!(service.get(&path(1)).await.1["master_address"], "10.0.0.9");
}

#[tokio::test]
async fn a_repeat_is_the_same_operation() {
    let service = Service::new().await;
    let first = service.create(1).await;
    // By other names for the same things, too; and at the same time.
    let by_id = but(wish(1), json!({"network": "net-1", "subnet": "sub-1", "security_groups": ["sg-1"]}));
    let by_host = but(wish(1), json!({"bde_endpoint": "https://BDE.main.example:8443", "site": "main"}));
    for again in [wish(1), by_id, by_host, but(wish(1), json!({"cluster_password": null, "state": "running"}))] {
        let (status, body) = service.put(&path(1), again).await;
        assert_eq!((status, &body["operation"]), (202, &first["operation"]), "{body}");
        assert_eq!(body["capability"], first["capability"], "the operation's own");
    }
    assert_eq!(service.store.list(None, Page::WHOLE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn many_at_once_make_one_cluster_and_one_operation() {
    let service = Service::new().await;
    let path = path(1);
    let all = futures::future::join_all((0..16).map(|_| service.put(&path, wish(1)))).await;
    let first = &all[0].1["operation"]["id"];
    assert!(first.is_string());
    assert!(all.iter().all(|(status, body)| *status == 202 && body["operation"]["id"] == *first), "{all:?}");
    service.end(1, Some(Failure::new("x", "y"))).await;
    let all = futures::future::join_all((0..16).map(|_| service.put(&path, wish(1)))).await;
    let second = &all[0].1["operation"]["id"];
    assert_ne!(second, first);
    assert!(all.iter().all(|(_, body)| body["operation"]["id"] == *second), "one retry, not sixteen");
}

#[tokio::test]
async fn a_failed_create_is_taken_up_again() {
    let service = Service::new().await;
    let first = service.create(1).await;
    service.end(1, Some(Failure::new("bde_failed", "BDE gave up").hint("Fix it."))).await;
    let (_, shown) = service.get(&path(1)).await;
    assert_eq!((shown["status"].as_str(), shown["status_reason"].as_str()), (Some("error"), Some("BDE gave up")));
    assert_eq!(shown["operation"]["error"], json!({"code": "bde_failed", "message": "BDE gave up", "hint": "Fix it."}));
    let (status, again) = service.put(&path(1), wish(1)).await;
    assert_eq!(status, 202);
    assert_ne!(again["operation"]["id"], first["operation"]["id"]);
    assert_eq!(again["operation"]["kind"], "create");
    // The controller has not looked yet, and the old failure must not be taken for the new one's.
    let (_, shown) = service.get(&path(1)).await;
    assert_eq!(shown["status"], "creating");
    assert_eq!(shown["operation"]["state"], "running");
    assert_eq!(shown["operation"]["error"], Value::Null);
    assert_eq!(shown["progress"], 0.0);
}

#[tokio::test]
async fn nothing_to_do_is_answered_with_what_was_done() {
    let service = Service::new().await;
    let first = service.create(1).await;
    service.end(1, None).await;
    let (status, again) = service.put(&path(1), wish(1)).await;
    assert_eq!((status, &again["operation"]["id"]), (202, &first["operation"]["id"]));
    assert_eq!(again["operation"]["state"], "succeeded");
}

#[tokio::test]
async fn a_difference_is_named() {
    let service = Service::new().await;
    service.create(1).await;
    let rows = [
        (json!({"name": "other"}), "name"),
        (json!({"cluster_type": "bigtop"}), "cluster_type"),
        (json!({"network": "other"}), "network"),
        (json!({"subnet": "other-v4"}), "subnet"),
        (json!({"security_groups": []}), "security_groups"),
        (json!({"site": "lab"}), "site"),
        (json!({"resource_pools": ["rp1"]}), "resource_pools"),
        (json!({"datastores": ["ds1"]}), "datastores"),
        (json!({"node_groups": null}), "node_groups"),
        (json!({"app_manager": "Default"}), "app_manager"),
        (json!({"remedy": "off"}), "remedy"),
        (json!({"wait_for": "services"}), "wait_for"),
        (json!({"specification": {"topologyPolicy": "NONE"}}), "specification"),
        (json!({"cluster_password": "Hush_hush2"}), "cluster_password"),
        (json!({"password": "other"}), "password"),
    ];
    for (change, field) in rows {
        let (status, body) = service.put(&path(1), but(wish(1), change)).await;
        assert_eq!((status, code(&body)), (409, "cluster_spec_differs"));
        assert_eq!(body["error"]["details"]["differences"], json!([field]));
    }
    let changes = json!({"network": "other", "subnet": "other-v4", "remedy": "bounce"});
    let (_, body) = service.put(&path(1), but(wish(1), changes)).await;
    insta::assert_json_snapshot!(body, @r#"
    {
      "error": {
        "code": "cluster_spec_differs",
        "details": {
          "differences": [
            "network",
            "subnet",
            "remedy"
          ]
        },
        "hint": "Delete it first, or create the new cluster with a new ID and name.",
        "message": "cluster 00000000-0000-0000-0000-000000000001 exists with a different network, subnet, remedy"
      }
    }
    "#);
}

#[tokio::test]
async fn stop_start_and_delete() {
    let service = Service::new().await;
    service.create(1).await;
    service.end(1, None).await;
    let state = format!("{}/state", path(1));
    let (status, stop) = service.put(&state, json!({"state": "stopped"})).await;
    assert_eq!((status, stop["operation"]["kind"].as_str()), (202, Some("stop")));
    assert_eq!(
        (stop["cluster"]["status"].as_str(), stop["cluster"]["wanted"].as_str()),
        (Some("stopping"), Some("stopped"))
    );
    // The same once more, while it runs.
    let (_, again) = service.put(&state, json!({"state": "stopped"})).await;
    assert_eq!(again["operation"], stop["operation"]);
    // A change of mind takes its place; a PUT of the whole does the same.
    let (_, start) = service.put(&path(1), wish(1)).await;
    assert_eq!(start["operation"]["kind"], "start");
    assert_eq!(start["cluster"]["status"], "starting");
    let (status, gone) = service.ask(ANN, Method::DELETE, &path(1), None).await;
    assert_eq!(
        (status, gone["operation"]["kind"].as_str(), gone["cluster"]["status"].as_str()),
        (202, Some("delete"), Some("deleting"))
    );
    let (_, again) = service.ask(ANN, Method::DELETE, &path(1), None).await;
    assert_eq!(again["operation"], gone["operation"]);
    for (path, body) in [(path(1), wish(1)), (state, json!({"state": "running"}))] {
        let (status, body) = service.put(&path, body).await;
        assert_eq!((status, code(&body)), (409, "cluster_being_deleted"));
    }
    // A delete that failed is tried again; until then nothing else is.
    service.end(1, Some(Failure::new("x", "y"))).await;
    for (path, body) in [(path(1), wish(1)), (format!("{}/state", path(1)), json!({"state": "running"}))] {
        let (status, body) = service.put(&path, body).await;
        assert_eq!((status, code(&body)), (409, "cluster_delete_failed"));
        assert!(body["error"]["hint"].as_str().unwrap().starts_with("Repeat the delete"), "{body}");
    }
    let (_, again) = service.ask(ANN, Method::DELETE, &path(1), None).await;
    assert_ne!(again["operation"]["id"], gone["operation"]["id"]);
    service.store.remove(&key(1), &[]).await.unwrap();
    let (status, body) = service.ask(ANN, Method::DELETE, &path(1), None).await;
    assert_eq!((status, code(&body)), (404, "cluster_not_found"));
    assert!(service.idle.woken.load(Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn a_create_that_never_reached_the_manager_is_still_a_create() {
    let service = Service::new().await;
    service.create(1).await;
    let state = format!("{}/state", path(1));
    service.put(&state, json!({"state": "stopped"})).await;
    let (_, body) = service.put(&state, json!({"state": "running"})).await;
    assert_eq!(body["operation"]["kind"], "create");
    let (record, known) = service.stored(1).await;
    assert_eq!((record.shape.goal, known), (Goal::Running, ClusterState::default()));
}

#[tokio::test]
async fn a_name_is_taken_once_in_a_site() {
    let service = Service::new().await;
    service.create(1).await;
    let (status, body) = service.put(&path(2), wish(1)).await;
    assert_eq!(status, 409);
    insta::assert_json_snapshot!(body, @r#"
    {
      "error": {
        "code": "cluster_name_taken",
        "details": {
          "kind": "conflict",
          "system": "store"
        },
        "hint": "Choose another name, or delete that cluster first.",
        "message": "site main already has a cluster named c1"
      }
    }
    "#);
    let (status, _) = service.put(&path(2), but(wish(1), json!({"vcm_server": "vc.lab.example"}))).await;
    assert_eq!(status, 202, "another site has its own names");
}

#[tokio::test]
async fn what_is_ignored_is_said_in_an_event() {
    let service = Service::new().await;
    let old = json!({
        "username": "admin", "password": "open-sesame", "vio_config": "/etc/vio.config", "bde_config": "/etc/bde",
    });
    service.put(&path(1), but(wish(1), old.clone())).await;
    service.put(&path(1), but(wish(1), old)).await;
    let (_, events) = service.get(&format!("{}/events", path(1))).await;
    insta::assert_json_snapshot!(events);
    assert!(service.store.secrets(&key(1)).await.unwrap().credentials.is_none());
}

#[tokio::test]
async fn credentials_are_kept_where_the_operator_allows_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bde"), "BDE_USERNAME=file\nBDE_PASSWORD=pass\n").unwrap();
    let below = Some(folder.path().to_owned());
    let service = Service::with(|parts| {
        parts.templates.credentials = true;
        parts.templates.files_below = below;
    })
    .await;
    let user = async |n| service.store.secrets(&key(n)).await.unwrap().credentials.map(|(user, _)| user);
    service.put(&path(1), but(wish(1), json!({"username": "tenant", "password": "x"}))).await;
    assert_eq!(user(1).await.as_deref(), Some("tenant"));
    service.put(&path(2), but(wish(2), json!({"bde_config": "bde"}))).await;
    assert_eq!(user(2).await.as_deref(), Some("file"));
    service.put(&path(3), but(wish(3), json!({"bde_config": "../bde", "username": "only"}))).await;
    assert_eq!(user(3).await, None);
    let (_, events) = service.get(&format!("{}/events", path(3))).await;
    let told: Vec<_> = events["events"].as_array().unwrap().iter().map(|e| e["message"].as_str().unwrap()).collect();
    assert_eq!(
        told,
        [
            "ignoring username and password: one of them is missing",
            "ignoring bde_config: ../bde is not a readable file below the directory templates.files_below",
        ]
    );
}
