//! The routes against raw requests: what no client of ours would send, and the details that the
//! service's own clients depend on.

use howdah_serengeti::Release;
use howdah_serengeti::routes::ServerProfile;
use http::{Method, StatusCode, header};
use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{Appliance, PASSWORD, USER};

struct Raw {
    http: reqwest::Client,
    url: String,
    cookie: String,
    appliance: Appliance,
}

impl Raw {
    async fn logged_in(profile: ServerProfile) -> Self {
        let appliance = Appliance::start(profile).await;
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(no_tls())
            .build()
            .unwrap();
        let url = appliance.url.clone();
        let mut raw = Self { http, url, cookie: String::new(), appliance };
        let form = [("j_username", USER), ("j_password", PASSWORD)];
        let login = raw.http.post(format!("{}/serengeti/j_spring_security_check", raw.url)).form(&form);
        let answer = login.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.starts_with("JSESSIONID=") && cookie.ends_with("; Path=/serengeti/; HttpOnly"), "{cookie}");
        assert_eq!(answer.headers()[header::CONTENT_LENGTH], "0");
        raw.cookie = cookie.split(';').next().unwrap().to_owned();
        raw
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let mut request = self
            .http
            .request(method, format!("{}/serengeti/{path}", self.url))
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Method::GET, path, None).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json;charset=UTF-8", "{path}");
        answer.json().await.unwrap()
    }

    async fn status(&self, method: Method, path: &str, body: Option<Value>) -> (u16, String) {
        let answer = self.ask(method, path, body).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let code = serde_json::from_str::<Value>(&text).ok().and_then(|v| v["code"].as_str().map(str::to_owned));
        (status, code.unwrap_or_else(|| if text.starts_with('<') { "HTML".to_owned() } else { text }))
    }
}

fn no_tls() -> rustls::ClientConfig {
    rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

fn strict(release: Release) -> ServerProfile {
    ServerProfile::appliance(release)
}

fn network(name: &str) -> Option<Value> {
    Some(json!({"name": name, "portGroup": "pg", "isDhcp": "true", "dnsType": "NORMAL"}))
}

fn cluster() -> Option<Value> {
    Some(json!({
        "name": "demo", "distro": "mesos", "networkConfig": {"MGT_NETWORK": ["net"]},
        "nodeGroups": [{"name": "w", "roles": ["basic"], "instanceNum": "2"}],
    }))
}

#[tokio::test]
async fn nothing_is_answered_without_a_session() {
    let mut raw = Raw::logged_in(strict(Release::V2_3)).await;
    for cookie in ["", "JSESSIONID=ABCDEF"] {
        cookie.clone_into(&mut raw.cookie);
        for path in ["api/hello", "api/nowhere", "api/clusters"] {
            assert_eq!(raw.status(Method::GET, path, None).await, (401, "HTML".to_owned()), "{path}");
        }
    }
}

#[tokio::test]
async fn a_logout_redirects_where_the_release_does() {
    for (release, to) in [(Release::V2_2, ""), (Release::V2_3, "login?logout")] {
        let raw = Raw::logged_in(strict(release)).await;
        let answer = raw.ask(Method::POST, "j_spring_security_logout", None).await;
        assert_eq!(answer.status(), StatusCode::FOUND);
        assert_eq!(answer.headers()[header::LOCATION], format!("{}/serengeti/{to}", raw.url));
        assert_eq!(raw.status(Method::GET, "api/hello", None).await.0, 401);
    }
}

#[tokio::test]
async fn empty_answers_have_a_length_and_tasks_a_full_location() {
    let raw = Raw::logged_in(strict(Release::V2_3)).await;
    let added = raw.ask(Method::POST, "api/networks", network("net")).await;
    assert_eq!((added.status().as_u16(), added.headers()[header::CONTENT_LENGTH].to_str().unwrap()), (200, "0"));
    let created = raw.ask(Method::POST, "api/clusters?skiprefreshvc=true", cluster()).await;
    assert_eq!((created.status().as_u16(), created.headers()[header::CONTENT_LENGTH].to_str().unwrap()), (202, "0"));
    assert_eq!(created.headers()[header::LOCATION], format!("{}/serengeti/api/task/100", raw.url));
}

#[tokio::test]
async fn paths_are_folded_and_names_decoded_twice() {
    let raw = Raw::logged_in(strict(Release::V2_3)).await;
    raw.ask(Method::POST, "api/networks", network("größe net")).await;
    for path in [
        "api/network/gr%25C3%25B6%25C3%259Fe+net",
        "api/network/gr%C3%B6%C3%9Fe%20net",
        "api//network//gr%C3%B6%C3%9Fe+net/",
    ] {
        assert_eq!(raw.get(path).await["name"], "größe net", "{path}");
    }
    assert_eq!(raw.status(Method::GET, "api/nowhere", None).await, (404, "HTML".to_owned()));
    // The dot of a last segment costs its end, on an appliance.
    assert_eq!(raw.get("api/appmanager/Default/distro/cdh-5.2").await["name"], "CDH-5.2");
    assert_eq!(raw.status(Method::GET, "api/distro/CDH-5.2", None).await, (404, "BDD.NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_as_the_release_does() {
    for (release, json_error, method, media) in [
        (Release::V2_1, (400, "BDD.BAD_REST_CALL"), (405, "HTML"), (415, "HTML")),
        (Release::V2_2, (400, "BDD.BAD_REST_CALL"), (405, "HTML"), (415, "HTML")),
        (Release::V2_2Patch2, (400, "BDD.BAD_REST_CALL"), (500, "BDD.INTERNAL_ERROR"), (500, "BDD.INTERNAL_ERROR")),
        (Release::V2_3, (500, "BDD.INTERNAL_ERROR"), (500, "BDD.INTERNAL_ERROR"), (500, "BDD.INTERNAL_ERROR")),
    ] {
        let raw = Raw::logged_in(strict(release)).await;
        let is = |(status, code): (u16, &str)| (status, code.to_owned());
        let unknown = raw.status(Method::POST, "api/networks", Some(json!({"names": "x"}))).await;
        assert_eq!(unknown, is(json_error), "{release}");
        assert_eq!(raw.status(Method::POST, "api/hello", None).await, is(method), "{release}");
        assert_eq!(raw.status(Method::POST, "api/cluster/demo?state=stop", None).await, is(method), "{release}");
        let request = raw.http.post(format!("{}/serengeti/api/networks", raw.url)).header(header::COOKIE, &raw.cookie);
        let answer = request.body("{}").send().await.unwrap();
        let status = answer.status().as_u16();
        let html = answer.text().await.unwrap().starts_with('<');
        assert_eq!((status, html), (media.0, media.1 == "HTML"), "{release}");
    }
    let raw = Raw::logged_in(strict(Release::V2_1)).await;
    let refused = raw.status(Method::POST, "api/networks", network("net")).await;
    assert_eq!(refused, (400, "BDD.BAD_REST_CALL".to_owned()), "2.1 does not know dnsType");
}

#[tokio::test]
async fn the_2015_plugin_works_from_end_to_end_with_a_lenient_server() {
    let raw = Raw::logged_in(ServerProfile::lenient()).await;
    let add = json!({"name": "net", "portGroup": "pg", "isDhcp": "true"});
    assert_eq!(raw.status(Method::POST, "api/networks", Some(add)).await.0, 200);
    assert_eq!(raw.get("api/network/net").await["dhcp"], true);
    assert_eq!(raw.status(Method::POST, "api/clusters", cluster()).await.0, 202);
    let read = raw.get("api/cluster/demo").await;
    let node = &read["nodeGroups"][0]["instances"][0];
    assert_eq!(node["moId"].as_str().unwrap().split(':').count(), 3);
    for state in ["stop", "start"] {
        assert_eq!(raw.status(Method::POST, &format!("api/cluster/demo?state={state}"), None).await.0, 202);
    }
    assert_eq!(raw.status(Method::DELETE, "api/cluster/demo", None).await.0, 202);
}

#[tokio::test]
async fn nodes_come_unasked_only_before_2_3() {
    for (release, unasked) in [(Release::V2_2, true), (Release::V2_3, false)] {
        let raw = Raw::logged_in(strict(release)).await;
        raw.ask(Method::POST, "api/clusters", cluster()).await;
        for path in ["api/cluster/demo", "api/clusters"] {
            let brief = raw.get(path).await;
            let full = raw.get(&format!("{path}?details=true")).await;
            let nodes = |v: &Value| {
                let cluster = v.as_array().map_or(v, |all| &all[0]);
                cluster["nodeGroups"][0]["instances"].as_array().map(Vec::len)
            };
            assert_eq!((nodes(&brief), nodes(&full)), (unasked.then_some(2), Some(2)), "{release} {path}");
        }
    }
}

#[tokio::test]
async fn a_state_is_changed_by_put_and_on_newer_releases_by_action() {
    for (release, action) in [(Release::V2_2, 404), (Release::V2_2Patch2, 202), (Release::V2_3, 202)] {
        let raw = Raw::logged_in(strict(release)).await;
        raw.ask(Method::POST, "api/clusters", cluster()).await;
        assert_eq!(raw.status(Method::PUT, "api/cluster/demo?state=stop", None).await.0, 202, "{release}");
        assert_eq!(raw.status(Method::PUT, "api/cluster/demo/action?state=start", None).await.0, action, "{release}");
        let wrong = raw.status(Method::PUT, "api/cluster/demo?state=Stop", None).await;
        assert_eq!(wrong, (400, "BDD.INVALID_PARAMETER".to_owned()), "{release}");
        let overridden = raw.status(Method::POST, "api/cluster/demo?_method=DELETE", None).await;
        assert_eq!(overridden.0, 202, "{release}");
    }
}

#[tokio::test]
async fn a_specification_is_exported_without_what_makes_it_this_cluster() {
    let raw = Raw::logged_in(strict(Release::V2_3)).await;
    let mut body = cluster().unwrap();
    body["password"] = json!("Passw0rd_");
    raw.ask(Method::POST, "api/clusters", Some(body)).await;
    let spec = raw.get("api/cluster/demo/spec").await;
    for gone in ["name", "password", "networkConfig"] {
        assert_eq!(spec[gone], Value::Null, "{gone}");
    }
    assert_eq!(spec["nodeGroups"][0]["instanceNum"], 2);
    let unknown = raw.status(Method::GET, "api/cluster/none/spec", None).await;
    assert_eq!(unknown, (404, "CLUSTER_CONFIG.CLUSTER_CONFIG_NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn maintenance_takes_reads_only() {
    let raw = Raw::logged_in(strict(Release::V2_3)).await;
    raw.appliance.memory.maintenance.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(raw.status(Method::GET, "api/networks", None).await.0, 200);
    let (status, text) = raw.status(Method::POST, "api/networks", network("net")).await;
    assert_eq!(status, 405);
    assert!(text.starts_with("The server is in maintenance mode"), "{text}");
}

#[tokio::test]
async fn the_small_reads_of_the_command_line_are_there() {
    let raw = Raw::logged_in(strict(Release::V2_3)).await;
    assert_eq!(raw.get("api/hello").await, json!({"version": "2.3.2"}));
    assert_eq!(raw.get("api/appmanagers").await[0]["name"], "Default");
    assert_eq!(raw.get("api/appmanagers/types").await, json!(["ClouderaManager", "Ambari"]));
    assert_eq!(raw.get("api/appmanager/Default").await["password"], "*****");
    assert_eq!(raw.get("api/appmanager/Default/defaultdistro").await["name"], "bigtop");
    assert_eq!(raw.get("api/appmanager/Default/distro/mesos/roles").await, json!(["basic"]));
    assert_eq!(raw.get("api/distros").await[1]["vendor"], "MESOS");
    assert_eq!(raw.get("api/resourcepool/openstackRP").await["totalRAMInMB"], 0);
    assert_eq!(raw.get("api/datastore/shared").await["regex"], "FALSE");
    assert_eq!(raw.get("api/tasks").await, json!([]));
    for (path, code) in [
        ("api/appmanager/Ambari", (400, "SOFTWARE_MANAGER_COLLECTOR.APPMANAGER_NOT_FOUND")),
        ("api/resourcepool/x", (404, "BDD.NOT_FOUND")),
        ("api/datastore/x", (404, "BDD.NOT_FOUND")),
        ("api/task/7", (404, "BDD.NOT_FOUND")),
        ("api/cluster/a-b", (400, "BDD.INVALID_PARAMETER")),
        ("api/task/x", (500, "BDD.INTERNAL_ERROR")),
    ] {
        assert_eq!(raw.status(Method::GET, path, None).await, (code.0, code.1.to_owned()), "{path}");
    }
}

/// Requests that nobody meant: each gets an answer, and each error body has its five fields.
#[tokio::test]
async fn whatever_comes_gets_an_answer() {
    let raw = Raw::logged_in(strict(Release::V2_3)).await;
    let names = ["x", "a.b", "%", "%25", "%2F", "+", "..", "null", "%25%25", "%FF", "größe"];
    let places = ["cluster", "network", "task", "appmanager", "distro", "clusters", "networks", "resourcepool"];
    let ends = ["", "/", "/spec", "/action?state=stop", "?state=", "?state=stop&force=maybe", "/distro/x/roles", "?%"];
    let bodies = ["", "{}", "[]", "null", "{\"name\": 1}", "{\"name\": \"x\", \"nodeGroups\": [{}]}", "\u{0}", "{"];
    let mut asked = 0;
    for (n, name) in names.iter().enumerate() {
        for place in places {
            for (m, end) in ends.iter().enumerate() {
                let method = [Method::GET, Method::PUT, Method::POST, Method::DELETE][(n + m) % 4].clone();
                let request = raw
                    .http
                    .request(method, format!("{}/serengeti/api/{place}/{name}{end}", raw.url))
                    .header(header::COOKIE, &raw.cookie)
                    .header(header::CONTENT_TYPE, "application/json");
                let answer = request.body(bodies[(n * 3 + m) % bodies.len()]).send().await.unwrap();
                let status = answer.status();
                let text = answer.text().await.unwrap();
                if let Ok(Value::Object(fields)) = serde_json::from_str(&text)
                    && !status.is_success()
                {
                    let names: Vec<_> = fields.keys().map(String::as_str).collect();
                    assert_eq!(names, ["certInfo", "code", "errors", "message", "warning"], "{place}/{name}{end}");
                } else {
                    assert!(status.is_success() || text.starts_with('<'), "{place}/{name}{end}: {status} {text}");
                }
                asked += 1;
            }
        }
    }
    assert_eq!(asked, names.len() * places.len() * ends.len());
}
