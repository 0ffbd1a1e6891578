//! Which Keystone a token is shown to, where the service has sites of several clouds.

use std::sync::Arc;

use howdah_core::mark::MarkKey;
use howdah_core::store::Page;
use reqwest::Method;
use serde_json::{Value, json};

use crate::fakes::FakeCloud;
use crate::harness::{ANN, Service, but, code, event, key, path, site, wish};

/// A request: method, path, the site in its header, body; and how often each Keystone has to see its token.
type Ask = (Method, String, Option<&'static str>, Option<Value>, (usize, usize));

/// A service with the sites `main` (the default) and `lab` of one cloud, and `far` of another; and the clouds.
async fn two_clouds() -> (Service, Arc<FakeCloud>) {
    let far = Arc::new(FakeCloud::default());
    let cloud = far.clone();
    let service = Service::with(move |parts| {
        parts.marks = MarkKey::new(b"secret");
        parts.sites.push(site("far", false, "keystone-2", &cloud));
    })
    .await;
    (service, far)
}

/// How often each Keystone has seen the token, since the last time: near, far.
fn shown(service: &Service, far: &FakeCloud, token: &str) -> (usize, usize) {
    let count = |cloud: &FakeCloud| {
        let mut shown = cloud.shown.lock().unwrap();
        let n = shown.iter().filter(|t| *t == token).count();
        shown.clear();
        n
    };
    (count(&service.cloud), count(far))
}

#[tokio::test]
async fn a_token_goes_to_one_keystone_and_no_other() {
    let (service, far) = two_clouds().await;
    let far_body = |n| but(wish(n), json!({"site": "far"}));
    let asks: Vec<Ask> = vec![
        // Nothing is said: the default site's.
        (Method::GET, "/v1/clusters".into(), None, None, (1, 0)),
        (Method::GET, "/v1/sites".into(), None, None, (1, 0)),
        (Method::PUT, path(1), None, Some(wish(1)), (1, 0)),
        (Method::GET, path(9), None, None, (1, 0)),
        // By header, by query.
        (Method::GET, "/v1/clusters".into(), Some("far"), None, (0, 1)),
        (Method::GET, "/v1/clusters?site=far".into(), None, None, (0, 1)),
        (Method::GET, "/v1/clusters?site=far".into(), Some("far"), None, (0, 1)),
        (Method::GET, "/v1/sites?site=far".into(), None, None, (0, 1)),
        (Method::GET, "/v1/clusters".into(), Some("lab"), None, (1, 0)),
        // By the body.
        (Method::PUT, path(2), None, Some(far_body(2)), (0, 1)),
        (Method::PUT, path(3), None, Some(but(wish(3), json!({"bde_endpoint": "bde.far.example"}))), (0, 1)),
        // Beside a body that says nothing: made there.
        (Method::PUT, path(4), Some("far"), Some(wish(4)), (0, 1)),
        // By the cluster.
        (Method::GET, path(1), None, None, (1, 0)),
        (Method::GET, path(2), None, None, (0, 1)),
        (Method::GET, format!("{}/events", path(3)), None, None, (0, 1)),
        (Method::PUT, path(2), None, Some(but(wish(2), json!({"cluster_password": null}))), (0, 1)),
        (Method::PUT, format!("{}/state", path(4)), None, Some(json!({"state": "running"})), (0, 1)),
        (Method::DELETE, path(4), None, None, (0, 1)),
    ];
    for (method, path, header, body, expected) in asks {
        let mut request = service.request(method.clone(), &path).header("X-Auth-Token", ANN);
        if let Some(site) = header {
            request = request.header("X-Howdah-Site", site);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let status = request.send().await.unwrap().status().as_u16();
        assert!(status < 300 || path == crate::harness::path(9), "{method} {path} {header:?}: {status}");
        assert_eq!(shown(&service, &far, ANN), expected, "{method} {path} {header:?}");
    }
    for n in [2, 3, 4] {
        assert_eq!(service.stored(n).await.0.site.as_str(), "far");
    }
    // Removed, and still remembered.
    service.store.remove(&key(2), &[event("removed")]).await.unwrap();
    let (status, body) = service.get(&path(2)).await;
    assert_eq!((status, code(&body)), (404, "cluster_not_found"));
    assert_eq!(shown(&service, &far, ANN), (0, 1));
}

#[tokio::test]
async fn where_nobody_can_tell_whose_it_is_nobody_is_asked() {
    let (service, far) = two_clouds().await;
    service.create(1).await;
    let same_id = but(wish(1), json!({"name": "theirs", "site": "far"}));
    assert_eq!(service.ask("bob@p2:member", Method::PUT, &path(1), Some(same_id)).await.0, 202);
    shown(&service, &far, ANN);
    let (status, body) = service.get(&path(1)).await;
    assert_eq!((status, code(&body)), (401, "token_invalid"));
    assert!(body["error"]["hint"].as_str().unwrap().contains("X-Howdah-Site"), "{body}");
    let (status, body) = service.get(&format!("{}?site=moon", path(1))).await;
    assert_eq!((status, code(&body)), (400, "unknown_site"));
    assert!(!body.to_string().contains("example"), "nobody knows yet who asks: {body}");
    let request = service.request(Method::GET, &format!("{}?site=main", path(1))).header("X-Auth-Token", ANN);
    let body: Value = request.header("X-Howdah-Site", "far").send().await.unwrap().json().await.unwrap();
    assert_eq!(code(&body), "sites_differ");
    assert_eq!(shown(&service, &far, ANN), (0, 0));
    assert_eq!(service.get(&format!("{}?site=main", path(1))).await.0, 200);
    assert_eq!(shown(&service, &far, ANN), (1, 0));
}

#[tokio::test]
async fn where_there_is_one_cloud_only_who_is_known_is_told_of_the_sites() {
    let service = Service::new().await;
    for (method, path, body) in [
        (Method::GET, "/v1/clusters".to_owned(), None),
        (Method::GET, path(1), None),
        (Method::PUT, path(1), Some(wish(1))),
    ] {
        let ask = async |token: &str| {
            let request = service.request(method.clone(), &path).header("X-Auth-Token", token);
            let request = request.header("X-Howdah-Site", "moon").json(&body);
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.json::<Value>().await.unwrap())
        };
        let (status, body) = ask(ANN).await;
        assert_eq!((status, code(&body)), (400, "unknown_site"));
        assert_eq!(body["error"]["details"], json!({"sites": ["main", "lab"]}));
        assert_eq!(ask("bad").await.0, 401);
    }
    let request = service.request(Method::PUT, &path(1)).header("X-Auth-Token", ANN).header("X-Howdah-Site", "lab");
    assert_eq!(request.json(&wish(1)).send().await.unwrap().status(), 202);
    assert_eq!(service.stored(1).await.0.site.as_str(), "lab");
}

#[tokio::test]
async fn a_token_of_the_wrong_cloud_is_refused_with_what_to_do() {
    let (service, far) = two_clouds().await;
    *far.down.lock().unwrap() = true;
    let (status, body) = service.ask("bad", Method::GET, "/v1/clusters", None).await;
    assert_eq!((status, code(&body)), (401, "token_invalid"), "the other Keystone has nothing to do with it");
    assert_eq!(
        body["error"]["hint"],
        "Get a new token from Keystone. If the service has sites of several clouds, name the token's site in \
         X-Howdah-Site."
    );
    // A token of one cloud is not a right at the other's sites.
    let request = service.request(Method::PUT, &path(1)).header("X-Auth-Token", ANN).header("X-Howdah-Site", "main");
    let response = request.json(&but(wish(1), json!({"site": "far"}))).send().await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(code(&response.json().await.unwrap()), "site_elsewhere");
    let (status, body) = service.put(&path(1), but(wish(1), json!({"site": "far"}))).await;
    assert_eq!((status, code(&body)), (503, "unreachable"));
    let response = service.request(Method::PUT, &path(1)).json(&wish(1)).send().await.unwrap();
    assert_eq!(response.status(), 401, "a body is not read for somebody without a token");
    assert!(service.store.list(None, Page::WHOLE).await.unwrap().is_empty());
}
