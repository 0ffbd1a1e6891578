//! Who may do what.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ANN, Service, but, code, event, key, path, wish};

#[tokio::test]
async fn the_matrix() {
    let service = Service::new().await;
    service.create(1).await;
    let callers = [
        ("nobody", None),
        ("a bad token", Some("rubbish")),
        ("no role", Some("eve@p1:guest")),
        ("a reader", Some("rob@p1:reader")),
        ("a member", Some("ann@p1:member")),
        ("a member of old", Some("ann@p1:_member_")),
        ("an admin", Some("adm@p1:Admin")),
        ("an admin of no admin project", Some("adm@p1:admin?")),
        ("a member elsewhere", Some("bob@p2:member")),
        ("an admin elsewhere", Some("adm@p2:admin")),
        ("the same of no admin project", Some("adm@p2:admin?")),
    ];
    let asks: [(&str, Method, String, Option<Value>); 8] = [
        ("list", Method::GET, "/v1/clusters".into(), None),
        ("list all", Method::GET, "/v1/clusters?all_projects=true".into(), None),
        ("show", Method::GET, path(1), None),
        ("show all", Method::GET, format!("{}?all_projects=true", path(1)), None),
        ("events", Method::GET, format!("{}/events", path(1)), None),
        ("put", Method::PUT, path(1), Some(wish(1))),
        ("state", Method::PUT, format!("{}/state", path(1)), Some(json!({"state": "running"}))),
        ("sites", Method::GET, "/v1/sites".into(), None),
    ];
    let mut table = String::new();
    for (who, token) in callers {
        table.push_str(&format!("{who}\n"));
        for (what, method, path, body) in &asks {
            let mut request = service.request(method.clone(), path);
            if let Some(token) = token {
                request = request.header("X-Auth-Token", token);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let body: Value = response.json().await.unwrap();
            let seen = match body["clusters"].as_array() {
                Some(all) => format!(" {} seen", all.len()),
                None => body["error"]["code"].as_str().map(|c| format!(" {c}")).unwrap_or_default(),
            };
            table.push_str(&format!("  {what:8} {status}{seen}\n"));
        }
    }
    insta::assert_snapshot!(table);
    // Nobody else than its owners has changed it, and a delete needs the same rights.
    for (token, expected) in [
        ("rob@p1:reader", "read_only"),
        ("bob@p2:member", "cluster_not_visible"),
        ("adm@p2:admin", "cluster_not_visible"),
    ] {
        let (_, body) = service.ask(token, Method::DELETE, &path(1), None).await;
        assert_eq!(code(&body), expected, "{token}");
    }
    let all = format!("{}?all_projects=true", path(1));
    assert_eq!(service.ask("adm@p2:admin", Method::DELETE, &all, None).await.0, 202);
}

#[tokio::test]
async fn open_to_all() {
    let service = Service::new().await;
    for path in ["/healthz", "/readyz", "/metrics", "/v1/openapi.json"] {
        let response = service.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn a_capability_reads_its_cluster_and_nothing_else() {
    let service = Service::new().await;
    let capability = service.create(1).await["capability"].as_str().unwrap().to_owned();
    service.create(2).await;
    let ask = async |method: Method, path: &str, capability: &str| {
        let request = service.request(method, path).header("X-Howdah-Capability", capability);
        let response = request.json(&json!({"state": "stopped"})).send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json::<Value>().await.unwrap())
    };
    assert_eq!(ask(Method::GET, &path(1), &capability).await.0, 200);
    let events = format!("{}/events", path(1));
    assert_eq!(ask(Method::GET, &events, &capability).await.0, 200);
    let refused = [
        (Method::GET, path(2), 404),
        (Method::GET, "/v1/clusters".to_owned(), 401),
        (Method::GET, "/v1/sites".to_owned(), 401),
        (Method::PUT, format!("{}/state", path(1)), 401),
        (Method::DELETE, path(1), 401),
    ];
    for (method, path, expected) in refused {
        assert_eq!(ask(method.clone(), &path, &capability).await.0, expected, "{method} {path}");
    }
    assert_eq!(ask(Method::GET, &path(1), &"0".repeat(64)).await.0, 404);
    // A bad one beside a good token does no harm, and a good one beside an ended token helps.
    for (token, capability) in [(ANN, "rubbish"), ("rubbish", capability.as_str())] {
        let request = service.request(Method::GET, &path(1)).header("X-Auth-Token", token);
        let response = request.header("X-Howdah-Capability", capability).send().await.unwrap();
        assert_eq!(response.status(), 200, "{token}");
    }
    // Its events can be read to the end after the cluster is gone; the cluster cannot.
    service.store.remove(&key(1), &[event("removed")]).await.unwrap();
    let (status, body) = ask(Method::GET, &path(1), &capability).await;
    assert_eq!((status, code(&body)), (404, "cluster_not_found"));
    let (status, body) = ask(Method::GET, &events, &capability).await;
    assert_eq!((status, body["events"][0]["reason"].as_str()), (200, Some("removed")));
    let (status, body) = service.get(&events).await;
    assert_eq!((status, code(&body)), (404, "cluster_not_found"), "the project remembers that it had it");
}

#[tokio::test]
async fn two_projects_may_choose_the_same_id_and_see_only_their_own() {
    let service = Service::new().await;
    let (bob, admin) = ("bob@p2:member", "adm@p3:admin");
    let mine = service.create(1).await;
    let (status, theirs) = service.ask(bob, Method::PUT, &path(1), Some(but(wish(1), json!({"name": "theirs"})))).await;
    assert_eq!((status, theirs["cluster"]["project"].as_str()), (202, Some("p2")));
    assert_eq!(service.idle.started.lock().unwrap().len(), 2, "each has its own controller");
    // Each capability is good for its own.
    for (accepted, name) in [(&mine, "c1"), (&theirs, "theirs")] {
        let request = service.request(Method::GET, &path(1));
        let request = request.header("X-Howdah-Capability", accepted["capability"].as_str().unwrap());
        assert_eq!(request.send().await.unwrap().json::<Value>().await.unwrap()["name"], name);
    }
    // An admin of neither has to say which.
    let all = format!("{}?all_projects=true", path(1));
    for method in [Method::GET, Method::DELETE] {
        let (status, body) = service.ask(admin, method, &all, None).await;
        assert_eq!((status, code(&body)), (409, "cluster_ambiguous"));
        assert_eq!(body["error"]["message"], format!("several projects have a cluster {}: p1, p2", key(1).id));
        assert_eq!(body["error"]["details"], json!({"projects": ["p1", "p2"]}));
    }
    // The end of one is not the other's.
    assert_eq!(service.ask(bob, Method::DELETE, &path(1), None).await.0, 202);
    assert_eq!(service.get(&path(1)).await.1["wanted"], "running");
    assert_eq!(service.ask(bob, Method::GET, &path(1), None).await.1["wanted"], "deleted");
    service.store.remove(&key(1), &[]).await.unwrap();
    assert_eq!(service.ask(admin, Method::GET, &all, None).await.1["name"], "theirs");
}

#[tokio::test]
async fn a_keystone_that_is_down_is_not_a_bad_token() {
    let service = Service::new().await;
    *service.cloud.down.lock().unwrap() = true;
    let response = service.request(Method::GET, "/v1/clusters").header("X-Auth-Token", ANN).send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(response.status(), 503);
    *service.cloud.down.lock().unwrap() = false;
    assert_eq!(service.get("/v1/clusters").await.0, 200);
}

#[tokio::test]
async fn a_service_that_may_not_log_in_does_not_blame_the_token() {
    let service = Service::new().await;
    *service.cloud.locked.lock().unwrap() = true;
    let (status, body) = service.get("/v1/clusters").await;
    assert_eq!((status, code(&body)), (500, "keystone_credentials_refused"));
    assert_eq!(body["error"]["hint"], "Check [site.openstack].");
}

#[tokio::test]
async fn a_local_user_is_the_operator() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::local(&folder).await;
    let response = service.request(Method::PUT, &path(1)).json(&wish(1)).send().await.unwrap();
    assert_eq!(response.status(), 202);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["cluster"]["project"], "local");
    let theirs = service.request(Method::PUT, &path(2)).header("X-Project-Id", "p7").json(&wish(2));
    assert_eq!(theirs.send().await.unwrap().json::<Value>().await.unwrap()["cluster"]["project"], "p7");
    assert_eq!(*service.cloud.grants.lock().unwrap(), [None, None], "looked up with the service's own rights");
    let count = async |path: &str| {
        let body: Value = service.request(Method::GET, path).send().await.unwrap().json().await.unwrap();
        body["clusters"].as_array().unwrap().len()
    };
    assert_eq!(count("/v1/clusters").await, 1);
    assert_eq!(count("/v1/clusters?all_projects=true").await, 2);
}
