//! The list of clusters: in short, a page at a time.

use howdah_core::failure::Failure;
use howdah_core::ids::NodeName;
use howdah_core::known::{ClusterState, NodeState, Nodes, OperationProgress};
use howdah_core::stage::Stage;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ANN, Service, but, code, id, key, path, wish};

fn ids(list: &Value) -> Vec<&str> {
    list["clusters"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect()
}

/// All pages, each by its ids.
async fn pages(service: &Service, token: &str, query: &str) -> Vec<Vec<String>> {
    let (mut all, mut marker) = (Vec::new(), String::new());
    loop {
        let (status, page) = service.ask(token, Method::GET, &format!("/v1/clusters?{query}{marker}"), None).await;
        assert_eq!(status, 200, "{page}");
        all.push(ids(&page).into_iter().map(str::to_owned).collect());
        match page["next"].as_str() {
            Some(next) => marker = format!("&marker={next}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn pages_make_up_the_list() {
    let service = Service::new().await;
    for n in 1..=5 {
        service.create(n).await;
    }
    let of = |range: std::ops::RangeInclusive<u128>| range.map(|n| id(n).to_string()).collect::<Vec<_>>();
    assert_eq!(pages(&service, ANN, "limit=2").await, [of(1..=2), of(3..=4), of(5..=5)]);
    assert_eq!(pages(&service, ANN, "limit=5").await, [of(1..=5)], "a full last page has no next");
    assert_eq!(pages(&service, ANN, "").await, [of(1..=5)]);
    // The place of one that was removed between two pages.
    service.store.remove(&key(2), &[]).await.unwrap();
    let (_, page) = service.get(&format!("/v1/clusters?limit=2&marker={}", id(2))).await;
    assert_eq!(ids(&page), of(3..=4));
}

#[tokio::test]
async fn an_admin_pages_through_all_projects() {
    let service = Service::new().await;
    service.create(1).await;
    for (token, n) in [("bob@p2:member", 1), ("bob@p2:member", 2)] {
        let body = but(wish(n), json!({"name": format!("other{n}")}));
        let (status, body) = service.ask(token, Method::PUT, &path(n), Some(body)).await;
        assert_eq!(status, 202, "{body}");
    }
    let of = |n| vec![id(n).to_string()];
    let all = pages(&service, "adm@p1:admin", "all_projects=true&limit=1").await;
    assert_eq!(all, [of(1), of(1), of(2)], "the same id in two projects is two clusters");
}

#[tokio::test]
async fn a_marker_or_limit_that_means_nothing_is_refused_by_name() {
    let service = Service::new().await;
    service.create(1).await;
    let (status, _) = service.ask("bob@p2:member", Method::PUT, &path(2), Some(wish(2))).await;
    assert_eq!(status, 202);
    let elsewhere = format!("marker=p2/{}", id(2));
    let of_others = format!("marker={}", id(2));
    let nobodys = format!("marker={}", id(9));
    for (query, field) in [
        (nobodys.as_str(), "marker"),
        (of_others.as_str(), "marker"),
        (elsewhere.as_str(), "marker"),
        ("marker=x", "marker"),
        ("limit=0", "limit"),
    ] {
        let (status, body) = service.get(&format!("/v1/clusters?{query}")).await;
        assert_eq!((status, code(&body)), (400, "invalid_field"), "{query}: {body}");
        assert_eq!(body["error"]["details"]["field"], field, "{query}");
    }
}

#[tokio::test]
async fn fifty_thousand_nodes_are_short_in_a_list() {
    let service = Service::new().await;
    service.create(1).await;
    let (record, _) = service.stored(1).await;
    let nodes = (0..50_000).map(|n| {
        let name: NodeName = format!("c1-worker-{n}").as_str().into();
        let node = NodeState { stage: Stage::Addressed, ..NodeState::planned(&record, &name) };
        (name, node.into())
    });
    let nodes: Nodes = nodes.collect();
    let failure = Failure::new("nodes_without_address", "they have none").about(nodes.keys());
    let failed = OperationProgress {
        failure: Some(failure),
        ..OperationProgress::begun(record.operation.id, record.operation.kind, record.created)
    };
    let state = ClusterState { nodes, operation: Some(failed), ..ClusterState::default() };
    service.store.save(&key(1), &state, &[]).await.unwrap();
    let (_, list) = service.get("/v1/clusters").await;
    let cluster = &list["clusters"][0];
    assert_eq!((&cluster["node_count"], &cluster["stages"]["addressed"]), (&json!(50_000), &json!(50_000)));
    let size = list.to_string().len();
    assert!(size < 2000, "{size} bytes");
    // The long form equals the cluster's own document.
    let (_, whole) = service.get("/v1/clusters?detail=true").await;
    let (_, shown) = service.get(&path(1)).await;
    assert!(whole["clusters"][0] == shown && shown["nodes"].as_array().unwrap().len() == 50_000);
    // The short form has nothing that the long one has not, and leaves out what grows.
    let mut short = shown.clone();
    let named = short["operation"]["error"].as_object_mut().unwrap().remove("nodes").unwrap();
    assert_eq!(named.as_array().unwrap().len(), 50_000);
    for (field, value) in cluster.as_object().unwrap() {
        assert_eq!(&short[field], value, "{field}");
    }
}
