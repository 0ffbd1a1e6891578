//! How the command line shows a service's answers: clusters in an unexpected state, words of a newer
//! service, a service that is not ready.

use serde_json::{Value, json};

use crate::child::{Ran, finish, howdah};
use crate::fakes::Fake;

fn cluster(name: &str, status: &str, reason: &str, conditions: Value) -> Value {
    let node = |index: u32, stage: &str, address: Value| {
        json!({"name": format!("{name}-worker-{index}"), "group": "worker", "roles": ["hadoop_client"], "stage": stage,
            "address": address, "mac": null, "port_id": null, "vm_id": format!("vm-{index}"), "instance_uuid": null,
            "manager_says": "VM Ready", "conditions": []})
    };
    json!({
        "id": "00000000-0000-0000-0000-000000000001", "site": "main", "project": "p1", "name": name,
        "cluster_type": "bigtop", "wanted": "running", "status": status, "status_reason": reason, "progress": 1.0,
        "conditions": conditions, "network": {"id": "n", "name": "data"},
        "subnet": {"id": "s", "name": "data-subnet", "cidr": "10.20.0.0/24"}, "security_groups": [], "node_count": 2,
        "stages": {"planned": 0, "cloned": 1, "booting": 0, "no_address": 0, "addressed": 1},
        "operation": {"id": "00000000-0000-0000-0000-000000000002", "kind": "create", "state": "succeeded",
            "requested": "2026-01-02T03:04:05Z", "started": null, "ended": null, "error": null},
        "nodes": [node(0, "addressed", json!("10.20.0.3")), node(1, "cloned", Value::Null)],
        "addresses": {}, "master_address": null, "created": "2026-01-02T03:04:05Z",
    })
}

fn ask(fake: &Fake, args: &[&str]) -> Ran {
    finish(howdah(&[&["cluster", "--endpoint", &fake.url, "--token", "x"], args].concat()))
}

fn says(status: &str, body: &Value) -> Fake {
    let body = body.to_string();
    Fake::new(status, "application/json", &body, body.len())
}

#[test]
fn clusters_that_are_not_as_they_should_be() {
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "since": "2026-01-02T10:32:00.123456Z"})
    };
    let conditions = json!([
        condition("Owned", "True", "Ours", "BDE has this cluster."),
        condition("BdeReachable", "False", "bde_unreachable", "BDE is failing: it cannot be reached."),
        condition("MoonPhase", "Unknown", "New", "A condition of a newer service."),
    ]);
    let mut other = cluster("other", "hibernated", "a word of a newer service", json!([]));
    other["id"] = "00000000-0000-0000-0000-000000000003".into();
    let fake = Fake::with_clusters(&json!({
        "clusters": [
            cluster("hadoop", "degraded", "degraded; 1 of 2 nodes have their address", conditions),
            other,
        ],
        "unreadable": [{"id": "00000000-0000-0000-0000-000000000009", "site": "main", "project": "p1",
            "name": "odd", "status": "unreadable", "status_reason": "its record has version 9"}],
    }));
    let mut told = String::new();
    for (args, code) in [(&["list"][..], 0), (&["show", "hadoop"], 0), (&["show", "other"], 0), (&["show", "odd"], 1)] {
        let ran = ask(&fake, args).ended(code);
        told.push_str(&format!("$ howdah cluster {}\n{}{}\n", args.join(" "), ran.stdout, ran.stderr));
    }
    insta::assert_snapshot!(told);
    let listed = ask(&fake, &["list", "--output", "json"]).ended(0).json();
    assert_eq!(listed["clusters"][1]["status"], "hibernated", "passed on as it is");
    assert_eq!(listed["unreadable"][0]["name"], "odd");
    let shown = ask(&fake, &["show", "hadoop", "--output", "json"]).ended(0).json();
    assert_eq!(shown["conditions"][2]["type"], "MoonPhase", "passed on as it is");
}

#[test]
fn only_one_word_means_gone_and_the_requests_say_whose_cluster_it_is() {
    for (code, ends, told) in [
        ("cluster_not_found", 0, "The cluster, its VMs and its ports are deleted."),
        ("cluster_not_visible", 1, "error: no cluster can be seen by who asks\nhint: Ask with its project's token."),
    ] {
        let (tell, asked) = std::sync::mpsc::channel();
        let tell = std::sync::Mutex::new(tell);
        let fake = Fake::by_request(move |request| {
            tell.lock().unwrap().send(request.to_owned()).unwrap();
            let mut shown = cluster("hadoop", "deleting", "being deleted", json!([]));
            shown["operation"]["kind"] = "delete".into();
            shown["operation"]["state"] = "running".into();
            let accepted = json!({"cluster": shown, "operation": shown["operation"], "capability": "c4pability"});
            let error = json!({"error": {"code": code, "message": "no cluster can be seen by who asks",
                "hint": "Ask with its project's token.", "details": {}}});
            match request.split(' ').next() {
                Some("DELETE") => ("202 Accepted", "application/json", accepted.to_string()),
                _ if request.contains("/events") => ("404 Not Found", "application/json", error.to_string()),
                _ if request.contains("/clusters/") => ("200 OK", "application/json", shown.to_string()),
                _ => ("200 OK", "application/json", json!({"clusters": [shown]}).to_string()),
            }
        });
        let ran = ask(&fake, &["delete", "hadoop", "--site", "north"]).ended(ends);
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains(told), "{}{}", ran.stdout, ran.stderr);
        let asked: Vec<_> = asked.try_iter().collect();
        let [list, show, delete, events] = asked.as_slice() else { panic!("{asked:?}") };
        let has = |request: &str, text: &str| request.to_lowercase().contains(text);
        assert!(has(list, "get /v1/clusters http") && has(list, "x-howdah-site: north"), "{list}");
        assert!(has(show, "get /v1/clusters/00000000-0000-0000-0000-000000000001?"), "{show}");
        // From here on the cluster's site and project are known.
        for request in [show, delete, events] {
            assert!(has(request, "?project=p1 http") && has(request, "x-howdah-site: main"), "{request}");
        }
        assert!(has(events, "x-howdah-capability: c4pability"), "so that the token may end: {events}");
    }
}

#[test]
fn a_list_is_followed_page_by_page_and_is_short() {
    let fake = Fake::by_request(|request| {
        let page = |index: u32, next: Option<&str>| {
            let mut one = cluster(&format!("c{index}"), "running", "running", json!([]));
            // A service that pages and still returns the long form, with many nodes.
            let node = one["nodes"][0].clone();
            one["nodes"] = vec![node; 10_000].into();
            let mut page = json!({ "clusters": [one] });
            if let Some(next) = next {
                page["next"] = next.into();
            }
            page
        };
        let page = match request.lines().next().unwrap() {
            line if line.contains("marker=b%2F2") => page(3, None),
            line if line.contains("marker=1") => page(2, Some("b/2")),
            _ => page(1, Some("1")),
        };
        ("200 OK", "application/json", page.to_string())
    });
    let ran = ask(&fake, &["list", "--output", "json"]).ended(0);
    assert!(ran.stdout.len() < 5000, "{} bytes", ran.stdout.len());
    let listed = ran.json();
    let names: Vec<_> = listed["clusters"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["c1", "c2", "c3"]);
    assert!(listed.get("next").is_none(), "it is the whole list");
    assert!(ask(&fake, &["list"]).ended(0).stdout.contains("c3"));
}

#[test]
fn a_service_of_before_conditions_is_understood() {
    let mut old = cluster("hadoop", "running", "running; 2 of 2 nodes have their address", json!([]));
    old.as_object_mut().unwrap().remove("conditions");
    let fake = Fake::with_clusters(&json!({ "clusters": [old] }));
    assert!(ask(&fake, &["show", "hadoop"]).ended(0).stdout.contains("hadoop-worker-1"));
}

#[test]
fn a_service_that_cannot_do_its_work_is_waited_for_and_told() {
    let fake = says(
        "503 Service Unavailable",
        &json!({"error": {"code": "store_full", "message": "the service cannot write its database: the disk is full",
            "hint": "Free space on the file system of /var/lib/howdah/howdah.db; howdah then continues automatically.",
            "details": {}}}),
    );
    let mut told = String::new();
    for args in [&["list", "--patience", "0"][..], &["stop", "hadoop", "--patience", "3"]] {
        let ran = ask(&fake, args).ended(4);
        assert_eq!(ran.stdout, "");
        told.push_str(&format!("$ howdah cluster {}\n{}\n", args.join(" "), ran.stderr));
    }
    insta::assert_snapshot!(told);
}
