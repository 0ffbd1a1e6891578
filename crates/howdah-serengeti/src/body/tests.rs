//! Built bodies, refusals, and the demand of a body.

use howdah_core::specification::Specification;

use super::*;

pub(crate) fn spec() -> ManagedSpec {
    ManagedSpec {
        name: "demo".parse().unwrap(),
        distro: "mesos".into(),
        app_manager: None,
        resource_pools: vec!["openstackRP".into()],
        datastores: Vec::new(),
        network: "net".into(),
        node_groups: Vec::new(),
        password: Some("Passw0rd_".into()),
        specification: None,
    }
}

/// The same with only a specification.
pub(crate) fn of(specification: Value) -> ManagedSpec {
    let specification: Specification = serde_json::from_value(specification).unwrap();
    ManagedSpec { resource_pools: vec![], specification: Some(specification), ..spec() }
}

fn group(name: &str, count: u32) -> NodeGroup {
    NodeGroup {
        name: name.parse().unwrap(),
        roles: vec!["mesos_slave".into()],
        count,
        cpu: Some(2),
        memory_mb: Some(7500),
        disk_gb: Some(50),
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

fn sent(spec: &ManagedSpec, rules: &Rules) -> String {
    Value::Object(Body::build(spec, rules).unwrap().fields).to_string()
}

fn refused(spec: &ManagedSpec, rules: &Rules) -> String {
    let refusal = Body::build(spec, rules).err().expect("it is refused");
    let others =
        if refusal.others.is_empty() { String::new() } else { format!(" (and {})", refusal.others.join(", ")) };
    let hint = refusal.hint.as_ref().map(|h| format!(" Hint: {h}")).unwrap_or_default();
    format!("{} {refusal}{others}.{hint}", refusal.code)
}

#[test]
fn only_what_was_asked_for_is_sent() {
    insta::assert_snapshot!(sent(&spec(), &Rules::default()), @r#"{"distro":"mesos","name":"demo","networkConfig":{"MGT_NETWORK":["net"]},"password":"Passw0rd_","rpNames":["openstackRP"]}"#);
    let full = ManagedSpec { password: None, node_groups: vec![group("worker", 3)], ..spec() };
    insta::assert_snapshot!(sent(&full, &Rules::default()), @r#"{"distro":"mesos","name":"demo","networkConfig":{"MGT_NETWORK":["net"]},"nodeGroups":[{"cpuNum":2,"instanceNum":3,"memCapacityMB":7500,"name":"worker","roles":["mesos_slave"],"storage":{"sizeGB":50}}],"rpNames":["openstackRP"]}"#);
}

#[test]
fn a_specification_lies_below_our_fields_and_without_its_nulls() {
    let mut spec = of(json!({
        "topologyPolicy": "NONE", "rpNames": ["x"], "templateName": null, "password": null,
        "nodeGroups": [{"name": "a", "roles": ["basic"], "instanceNum": "2", "vcClusters": null, "storage": {"dsNames": null}}],
    }));
    spec.resource_pools = strings(&["openstackRP"]);
    insta::assert_snapshot!(sent(&spec, &Rules::default()), @r#"{"distro":"mesos","name":"demo","networkConfig":{"MGT_NETWORK":["net"]},"nodeGroups":[{"instanceNum":"2","name":"a","roles":["basic"],"storage":{}}],"password":"Passw0rd_","rpNames":["openstackRP"],"topologyPolicy":"NONE"}"#);
}

#[test]
fn what_is_not_the_tenants_to_say_is_refused_by_name() {
    let rows = [
        json!({"nonsense": 1}),
        json!({"nodegroups": []}),
        json!({"vcClusters": [{"name": "c", "vcRps": ["r"]}]}),
        json!({"localRepoURL": "http://10.0.0.1/", "templateName": "t", "httpProxy": "http://x"}),
        json!({"distroMap": {}, "networkings": [], "externalHDFS": "hdfs://x", "infrastructure_config": {"a": "b"}}),
        json!({"name": "other", "distro": "other", "networkConfig": {}, "password": "hush"}),
        json!({"nodeGroups": [{"name": "a"}, {"vcClusters": [], "vmFolderPath": "/", "storage": {"allocType": "THICK", "x": 1}}]}),
        json!({"nodeGroups": [{"placementPolicies": {"groupRacks": {"type": "SAMERACK", "rack": []}}}]}),
        json!({"configuration": {"hadoop": {"core-site.xml": {"fs.default.name": "hdfs://x"}}}}),
        json!({"configuration": {"hadoop": {"mapred-site.xml": {"mapred.job.tracker": "x:1"}}, "service_user": {}}}),
        json!({"nodeGroups": [{"configuration": {"hadoop": {"yarn-site.xml": {"yarn.resourcemanager.hostname": "x"}}}}]}),
    ];
    let told: Vec<_> = rows.iter().map(|row| refused(&of(row.clone()), &Rules::default())).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_has_the_wrong_form_is_refused_without_its_value() {
    let deep = (0..20).fold(json!("hush"), |inner, _| json!({ "x": inner }));
    let rows = [
        json!({"type": "hush"}),
        json!({"appManager": ["hush"]}),
        json!({"appManager": "hush\nhush"}),
        json!({"appManager": "hush".repeat(1000)}),
        json!({"rpNames": "hush"}),
        json!({"rpNames": ["a", 1]}),
        json!({"dsNames": vec!["hush"; 300]}),
        json!({"nodeGroups": {"hush": 1}}),
        json!({"nodeGroups": ["hush"]}),
        json!({"nodeGroups": [{"instanceNum": "hush"}]}),
        json!({"nodeGroups": [{"instanceNum": -1}]}),
        json!({"nodeGroups": [{"instanceNum": 1_000_000}]}),
        json!({"nodeGroups": [{"cpuNum": 1.5, "swapRatio": -0.5, "haFlag": "hush"}]}),
        json!({"nodeGroups": [{"instanceNum": 0}]}),
        json!({"specFile": "hush"}),
        json!({"configuration": "hush"}),
        json!({"configuration": deep}),
        json!({"configuration": {"hadoop": "hush".repeat(100_000)}}),
    ];
    let told: Vec<_> = rows.iter().map(|row| refused(&of(row.clone()), &Rules::default())).collect();
    let told = told.join("\n");
    assert!(!told.contains("hush"), "{told}");
    insta::assert_snapshot!(told);
}

#[test]
fn each_field_of_the_operator_is_open_once_it_is_allowed_and_no_other_is() {
    let all = table::allowable();
    for name in &all {
        let rules = Rules { allow: [name.clone()].into(), ..Rules::default() };
        for other in &all {
            // The shortest value that its row allows.
            let mut said = match other.as_str() {
                "vcClusters" | "networkings" | "externalDatanodes" | "packageRepos" => json!([]),
                "configuration.service_user" | "infrastructure_config" => json!({}),
                "nodeGroups.storage.shareDatastore" => json!(true),
                _ => json!("x"),
            };
            for part in other.rsplit('.') {
                said = if part == "nodeGroups" { json!({ part: [said] }) } else { json!({ part: said }) };
            }
            if let Some(groups) = said.get_mut("nodeGroups") {
                groups[0]["instanceNum"] = json!(1);
            }
            let built = Body::build(&of(said.clone()), &rules);
            assert_eq!(built.is_ok(), name == other, "{name} is allowed: {said} {:?}", built.err());
        }
    }
    let hdfs = json!({"configuration": {"hadoop": {"core-site.xml": {"fs.default.name": "hdfs://x"}}}});
    let rules = Rules { allow: ["externalHDFS".to_owned()].into(), ..Rules::default() };
    assert!(Body::build(&of(hdfs), &rules).is_ok(), "another way to say what is allowed");
}

#[test]
fn what_is_claimed_is_read_off_the_body_wherever_it_stands() {
    let demand = |spec: &ManagedSpec| Body::build(spec, &Rules::default()).unwrap().demand;
    let said = of(json!({
        "appManager": "cm", "rpNames": ["top"], "dsNames": ["d1"],
        "nodeGroups": [
            {"instanceNum": 600, "rpNames": ["g1"], "storage": {"dsNames": ["d2"], "dsNames4System": ["d3"], "dsNames4Data": ["d4"]}},
            {"instanceNum": "400"},
        ],
    }));
    let expected = Demand {
        nodes: Some(1000),
        resource_pools: strings(&["top", "g1"]).into_iter().collect(),
        datastores: strings(&["d1", "d2", "d3", "d4"]).into_iter().collect(),
        app_manager: Some("cm".to_owned()),
    };
    assert_eq!(demand(&said), expected);
    // Our field wins, and the hidden one adds nothing to the demand.
    let ours = ManagedSpec {
        node_groups: vec![group("worker", 3)],
        resource_pools: strings(&["p"]),
        app_manager: Some("Default".into()),
        ..said
    };
    let expected = Demand {
        nodes: Some(3),
        resource_pools: strings(&["p"]).into_iter().collect(),
        datastores: strings(&["d1"]).into_iter().collect(),
        app_manager: Some("Default".to_owned()),
    };
    assert_eq!(demand(&ours), expected);
    assert_eq!(demand(&spec()).nodes, None);
}

#[test]
fn more_nodes_than_a_vcenter_holds_are_refused_wherever_they_stand() {
    let groups: Vec<_> = (0..200).map(|n| json!({"name": format!("g{n}"), "instanceNum": 10_000})).collect();
    insta::assert_snapshot!(refused(&of(json!({ "nodeGroups": groups })), &Rules::default()), @"too_many_nodes specification.nodeGroups: requests 2000000 nodes, but a cluster may have at most 10000.");
    let ours = ManagedSpec { node_groups: vec![group("a", 10_000), group("b", 1)], ..spec() };
    insta::assert_snapshot!(refused(&ours, &Rules::default()), @"too_many_nodes node_groups: requests 10001 nodes, but a cluster may have at most 10000.");
}

#[test]
fn the_operators_lists_close_every_place_and_fill_what_is_empty() {
    let rules = Rules {
        resource_pools: strings(&["rp1", "rp2"]),
        datastores: strings(&["ds1"]),
        app_managers: strings(&["cm", "Default"]),
        ..Rules::default()
    };
    let group = |change: Value| {
        let mut group = json!({"name": "a", "instanceNum": 1});
        group.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({ "nodeGroups": [group] })
    };
    let mut rows: Vec<_> = [
        json!({"rpNames": ["rp1", "gold"]}),
        group(json!({"rpNames": ["gold"]})),
        json!({"dsNames": ["fast"]}),
        group(json!({"storage": {"dsNames": ["fast"]}})),
        group(json!({"storage": {"dsNames4System": ["fast"]}})),
        group(json!({"storage": {"dsNames4Data": ["ds1", "fast"]}})),
        json!({"appManager": "ambari"}),
    ]
    .map(|row| refused(&of(row), &rules))
    .into();
    rows.push(refused(&ManagedSpec { resource_pools: strings(&["gold"]), ..spec() }, &rules));
    rows.push(refused(&ManagedSpec { datastores: strings(&["fast"]), resource_pools: vec![], ..spec() }, &rules));
    let foreign = ManagedSpec { app_manager: Some("ambari".into()), resource_pools: vec![], ..spec() };
    rows.push(refused(&foreign, &rules));
    insta::assert_snapshot!(rows.join("\n"));

    let open = ManagedSpec { resource_pools: vec![], password: None, ..spec() };
    insta::assert_snapshot!(sent(&open, &rules), @r#"{"distro":"mesos","dsNames":["ds1"],"name":"demo","networkConfig":{"MGT_NETWORK":["net"]},"rpNames":["rp1","rp2"]}"#);
    let one = ManagedSpec { resource_pools: strings(&["rp2"]), ..open.clone() };
    let built = Body::build(&one, &Rules { app_managers: strings(&["cm"]), ..rules }).unwrap();
    assert_eq!(built.fields["rpNames"], json!(["rp2"]));
    assert_eq!(built.fields["appManager"], "cm", "where the built-in one is not open, the first is taken");
    assert_eq!(built.demand.app_manager.as_deref(), Some("cm"));
}

#[test]
fn whatever_may_be_a_secret_is_known_as_one() {
    let rules = Rules { allow: ["infrastructure_config".to_owned()].into(), ..Rules::default() };
    let built = Body::build(
        &of(json!({
            "appManager": "manager", "infrastructure_config": {"ldap": {"ldap_password": "secret-1"}},
            "configuration": {"core": {"key": "longer-secret-2", "on": "on"}},
            "nodeGroups": [{"name": "worker", "instanceNum": 1, "configuration": {"a": ["secret-3"]}}],
        })),
        &rules,
    )
    .unwrap();
    let known: Vec<_> = built.secrets.iter().map(|s| s.expose_secret().to_owned()).collect();
    assert_eq!(known, ["longer-secret-2", "Passw0rd_", "secret-3", "secret-1"].map(str::to_owned), "{known:?}");
}
