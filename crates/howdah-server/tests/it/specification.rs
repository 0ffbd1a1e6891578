//! What a request may say of a cluster, in BDE's own words: an allow-list, and the operator's additions
//! to it. What is refused is refused at once: nothing is stored, and nobody is asked.

use howdah_core::store::Page;
use howdah_serengeti::Rules;
use howdah_server::serve::Parts;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ANN, Service, but, code, key, path, wish};

/// A request with a specification, and without groups of its own.
fn said(specification: Value) -> Value {
    but(wish(1), json!({"node_groups": null, "specification": specification}))
}

fn group(change: Value) -> Value {
    json!({"nodeGroups": [but(json!({"name": "worker", "roles": ["r"], "instanceNum": 2}), change)]})
}

fn ruled(rules: Rules) -> impl FnOnce(&mut Parts) {
    move |parts| parts.sites[0].rules = rules
}

fn names(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

/// Code, field and hint of a refusal.
fn line(status: u16, body: &Value) -> String {
    let error = &body["error"];
    let hint = error["hint"].as_str().unwrap_or("-");
    format!("{status} {} {}\n    {}\n    {hint}\n", code(body), error["details"], error["message"].as_str().unwrap())
}

#[tokio::test]
async fn what_is_not_on_the_list_is_refused_by_name_before_anything_happens() {
    let service = Service::new().await;
    let mut told = String::new();
    for specification in [
        json!({"nonsense": 1}),
        json!({"vcClusters": [{"name": "c", "vcRps": ["r"]}]}),
        json!({"localRepoURL": "http://169.254.169.254/"}),
        json!({"templateName": "golden", "distroMap": {"name": "x"}, "httpProxy": "http://x"}),
        json!({"networkings": [{"name": "x"}]}),
        json!({"externalHDFS": "hdfs://x"}),
        json!({"infrastructure_config": {"ldap_user_management": {"ldap_password": "hush"}}}),
        json!({"configuration": {"hadoop": {"core-site.xml": {"fs.default.name": "hdfs://x"}}}}),
        json!({"password": "hush"}),
        json!({"networkConfig": {"MGT_NETWORK": ["theirs"]}}),
        group(json!({"vcClusters": []})),
        group(json!({"vmFolderPath": "/others"})),
        group(json!({"instanceNum": 1_000_000})),
        group(json!({"placementPolicies": {"anything": 1}})),
    ] {
        let (status, body) = service.put(&path(1), said(specification)).await;
        told.push_str(&line(status, &body));
    }
    assert!(!told.contains("hush"), "{told}");
    insta::assert_snapshot!(told);
    assert!(service.store.list(None, Page::WHOLE).await.unwrap().is_empty(), "nothing is stored");
    assert!(service.cloud.grants.lock().unwrap().is_empty(), "nobody is asked");
    assert!(service.idle.started.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_shapes_the_tenants_own_nodes_is_theirs_to_say() {
    let service = Service::new().await;
    let specification = json!({
        "type": "HDFS_MAPRED", "topologyPolicy": "NONE", "appManager": "Default", "rpNames": ["any"], "dsNames": ["any"],
        "configuration": {"hadoop": {"hdfs-site.xml": {"dfs.replication": 2}}}, "vcClusters": null,
        "nodeGroups": [{
            "name": "worker", "roles": ["hadoop_datanode"], "instanceNum": "3", "instanceType": "SMALL", "cpuNum": 2,
            "memCapacityMB": 4096, "storage": {"type": "LOCAL", "sizeGB": 50, "diskNum": 2, "splitPolicy": "EVEN_SPLIT"},
            "swapRatio": 1.0, "haFlag": "on", "latencySensitivity": "HIGH", "reservedCpuRatio": 0.5,
            "placementPolicies": {"instancePerHost": 1, "groupRacks": {"type": "ROUNDROBIN", "racks": ["r1"]}},
            "rpNames": ["any"], "configuration": {},
        }],
    });
    let (status, body) = service.put(&path(1), said(specification.clone())).await;
    assert_eq!(status, 202, "{body}");
    assert_eq!(body["cluster"]["node_count"], 3, "the specification's nodes are counted");
    let (record, _) = service.stored(1).await;
    assert_eq!(howdah_core::preflight::nodes_asked(&record), Some(3));
    let kept = serde_json::to_string(&record).unwrap();
    assert!(!kept.contains("topologyPolicy") && !kept.contains("dfs.replication"), "{kept}");
    let secrets = service.store.secrets(&key(1)).await.unwrap();
    assert_eq!(Value::Object(secrets.specification.unwrap().fields()), specification);
}

#[tokio::test]
async fn the_same_request_is_known_again_when_its_words_are_forgotten() {
    let service = Service::new().await;
    let first = said(json!({"topologyPolicy": "NONE", "configuration": {"a": {"b": "c", "d": "e"}}}));
    let (status, accepted) = service.put(&path(1), first.clone()).await;
    assert_eq!(status, 202, "{accepted}");
    service.end(1, None).await;
    service.store.forget_secrets(&key(1)).await.unwrap();
    let reordered: Value =
        serde_json::from_str(r#"{"configuration": {"a": {"d": "e", "b": "c"}}, "topologyPolicy": "NONE"}"#).unwrap();
    for same in [first.clone(), but(first, json!({ "specification": reordered }))] {
        let (status, body) = service.put(&path(1), same).await;
        assert_eq!((status, &body["operation"]["id"]), (202, &accepted["operation"]["id"]), "{body}");
    }
    for other in [json!({"topologyPolicy": "HVE"}), json!({}), json!(null)] {
        let (status, body) = service.put(&path(1), said(other)).await;
        assert_eq!((status, code(&body)), (409, "cluster_spec_differs"));
        assert_eq!(body["error"]["details"]["differences"], json!(["specification"]));
    }
}

#[tokio::test]
async fn the_operator_opens_fields_site_by_site() {
    let allow = names(&["localRepoURL", "nodeGroups.vmFolderPath"]).into_iter().collect();
    let service = Service::with(ruled(Rules { allow, ..Rules::default() })).await;
    let specification = but(group(json!({"vmFolderPath": "/ours"})), json!({"localRepoURL": "http://repo.example/"}));
    let (status, body) = service.put(&path(1), but(said(specification.clone()), json!({"site": "lab"}))).await;
    assert_eq!((status, code(&body)), (400, "specification_field_not_allowed"));
    assert_eq!(
        body["error"]["details"],
        json!({"field": "specification.localRepoURL", "others": ["specification.nodeGroups[0].vmFolderPath"]})
    );
    let (status, body) = service.put(&path(1), said(specification)).await;
    assert_eq!(status, 202, "{body}");
}

#[tokio::test]
async fn the_operators_lists_close_pools_datastores_and_managers() {
    let rules = Rules {
        resource_pools: names(&["rp1", "rp2"]),
        datastores: names(&["ds1"]),
        app_managers: names(&["Default"]),
        ..Rules::default()
    };
    let service = Service::with(ruled(rules)).await;
    let mut told = String::new();
    for body in [
        but(wish(1), json!({"resource_pools": ["rp1", "gold"]})),
        but(wish(1), json!({"datastores": ["fast"]})),
        but(wish(1), json!({"app_manager": "ambari"})),
        said(json!({"rpNames": ["gold"]})),
        said(group(json!({"rpNames": ["gold"]}))),
        said(group(json!({"storage": {"dsNames4System": ["fast"]}}))),
        said(json!({"appManager": "ambari"})),
    ] {
        let (status, body) = service.put(&path(1), body).await;
        told.push_str(&line(status, &body));
    }
    insta::assert_snapshot!(told);
    assert!(service.cloud.grants.lock().unwrap().is_empty(), "nobody is asked");
    let (status, body) = service.put(&path(1), but(wish(1), json!({"resource_pools": ["rp2"]}))).await;
    assert_eq!(status, 202, "{body}");
}

#[tokio::test]
async fn a_cluster_of_more_nodes_than_a_vcenter_holds_is_a_mistyped_number() {
    let service = Service::new().await;
    let groups: Vec<_> =
        (0..3).map(|n| json!({"name": format!("g{n}"), "roles": ["r"], "count": 5000, "instanceNum": 5000})).collect();
    let own: Vec<_> = groups.iter().map(|g| but(g.clone(), json!({"instanceNum": null}))).collect();
    let theirs: Vec<_> = groups.iter().map(|g| but(g.clone(), json!({"count": null}))).collect();
    for (body, field) in [
        (but(wish(1), json!({ "node_groups": own })), "node_groups"),
        (said(json!({ "nodeGroups": theirs })), "specification.nodeGroups"),
    ] {
        let (status, body) = service.ask(ANN, Method::PUT, &path(1), Some(body)).await;
        assert_eq!((status, code(&body)), (400, "too_many_nodes"));
        assert_eq!(body["error"]["details"]["field"], field);
    }
}
