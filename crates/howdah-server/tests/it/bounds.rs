//! How much one body may say.

use howdah_core::store::Page;
use serde_json::{Value, json};

use crate::harness::{Service, but, code, path, wish};

fn group(changes: Value) -> Value {
    let group = but(json!({"name": "worker", "roles": ["r"], "count": 1}), changes);
    json!({"node_groups": [{"name": "first", "roles": ["r"], "count": 1}, group]})
}

fn groups(count: usize) -> Value {
    let groups: Vec<_> = (0..count).map(|n| json!({"name": format!("g{n}"), "roles": ["r"], "count": 1})).collect();
    json!({"node_groups": groups})
}

#[tokio::test]
async fn lists_and_words_have_a_bound_each_and_the_answer_names_the_field() {
    let service = Service::new().await;
    let many = |word: &str, count: usize| vec![word.to_owned(); count];
    let long = |length: usize| "x".repeat(length);
    let mut told = String::new();
    for changes in [
        // The same word over and over is counted as often as it is there.
        json!({"security_groups": many("default", 2000)}),
        json!({"security_groups": many("web", 21)}),
        json!({"resource_pools": many("rp", 21)}),
        json!({"datastores": many("ds", 21)}),
        groups(21),
        group(json!({"roles": many("r", 21)})),
        group(json!({"roles": [long(256)]})),
        group(json!({"name": long(81)})),
        json!({"security_groups": ["web", long(256)]}),
        json!({"resource_pools": [long(256)]}),
        json!({"datastores": [long(256)]}),
        json!({"name": long(81)}),
        json!({"cluster_type": long(256)}),
        json!({"network": long(256)}),
        json!({"subnet": long(256)}),
        json!({"site": long(256)}),
        json!({"bde_endpoint": long(256)}),
        json!({"vcm_server": long(256)}),
        json!({"app_manager": long(256)}),
        json!({"username": long(256)}),
        json!({"password": long(256)}),
        json!({"cluster_password": long(256)}),
        json!({"vio_config": long(4097)}),
        json!({"bde_config": long(4097)}),
    ] {
        let (status, answer) = service.put(&path(1), but(wish(1), changes)).await;
        assert_eq!((status, code(&answer)), (400, "invalid_field"));
        let (says, field) = (&answer["error"]["message"], &answer["error"]["details"]["field"]);
        assert!(says.as_str().unwrap().starts_with(field.as_str().unwrap()), "{answer}");
        told.push_str(&format!("{}\n", says.as_str().unwrap()));
    }
    insta::assert_snapshot!(told);
    assert!(service.cloud.wishes.lock().unwrap().is_empty(), "something was looked up");
    assert!(service.store.list(None, Page::WHOLE).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_just_fits_is_taken_and_each_group_is_looked_up_once() {
    let service = Service::new().await;
    let groups = groups(20);
    let body = but(but(wish(1), groups), json!({"security_groups": vec!["web"; 20], "datastores": vec!["ds"; 20]}));
    let (status, answer) = service.put(&path(1), body).await;
    assert_eq!(status, 202, "{answer}");
    // Letters are counted, not bytes.
    let (status, answer) = service.put(&path(2), but(wish(2), json!({"datastores": ["\u{e4}".repeat(255)]}))).await;
    assert_eq!(status, 202, "{answer}");
    let wishes = service.cloud.wishes.lock().unwrap();
    assert!(wishes.iter().all(|w| w.security_groups == ["web"]), "{wishes:?}");
    assert_eq!(wishes.len(), 2);
}
