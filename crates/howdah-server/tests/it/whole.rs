//! All of it together: a configuration file, real adapters over TLS, a simulated site on the wire,
//! the database, and a client. Nothing in here is faked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use howdah_server::config::{Config, Env};
use howdah_server::serve;
use howdah_sim::world::settings::Timings;
use howdah_sim::{Listen, Site, SiteSettings};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::harness::{client, code, id, log, path};

/// A configuration of one site, whose certificates are pinned where there are some.
pub fn configuration(folder: &Path, [bde, vcenter, keystone]: [&str; 3], pin: Option<&str>) -> PathBuf {
    let pin = pin.map(|pin| format!("pin_sha256 = \"{pin}\"")).unwrap_or_default();
    let text = format!(
        r#"
        [server]
        listen = "127.0.0.1:0"
        [store]
        path = "howdah.db"
        [[site]]
        name = "main"
        [site.bde]
        url = "{bde}"
        username = "serengeti"
        password = "bde-secret"
        {pin}
        [site.vcenter]
        url = "{vcenter}"
        username = "administrator@vsphere.local"
        password = "vc-secret"
        {pin}
        [site.openstack]
        auth_url = "{keystone}"
        username = "howdah"
        password = "service-secret"
        project_name = "demo"
        {pin}
        "#
    );
    let file = folder.join("howdah.toml");
    std::fs::write(&file, text).unwrap();
    file
}

pub fn file(folder: &Path, site: &Site) -> PathBuf {
    let urls = site.urls();
    configuration(folder, [&urls.bde, &urls.vcenter, &urls.keystone], Some(site.fingerprint().unwrap()))
}

pub struct Service {
    pub base: String,
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
    pub client: reqwest::Client,
    token: String,
}

impl Service {
    pub async fn start(file: &Path, token: &str) -> Self {
        let config = Config::load(file, &Env::new()).unwrap();
        let (end, ended) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let task = tokio::spawn(async move {
            let shutdown = async { drop(ended.await) };
            serve(config, shutdown, |running| tell.send(running.tcp.unwrap()).unwrap()).await.unwrap();
        });
        let base = format!("http://{}", told.await.unwrap());
        Self { base, end, task, client: client().build().unwrap(), token: token.to_owned() }
    }

    pub async fn stop(self) {
        self.end.send(()).unwrap();
        self.task.await.unwrap();
    }

    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request =
            self.client.request(method, format!("{}{path}", self.base)).header("X-Auth-Token", &self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Asks until it is so, for a bounded time; says what was seen last if it never is.
    pub async fn until(&self, what: &str, met: impl Fn(u16, &Value) -> bool) -> Value {
        let mut last = (0, Value::Null);
        for _ in 0..1200 {
            last = self.ask(Method::GET, &path(1), None).await;
            if met(last.0, &last.1) {
                return last.1;
            }
            assert_ne!(last.1["operation"]["state"], "failed", "{}", last.1["operation"]);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never {what}; last seen: {} {}", last.0, last.1);
    }
}

pub async fn token(site: &Site) -> String {
    let pinned = reqwest::Certificate::from_pem(site.certificate().unwrap().as_bytes()).unwrap();
    let http = client().tls_certs_only([pinned]).build().unwrap();
    let scope = json!({"project": {"name": "demo", "domain": {"id": "default"}}});
    let user = json!({"name": "demo", "password": "demo-secret", "domain": {"id": "default"}});
    let body = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}});
    let answer = http.post(format!("{}/auth/tokens", site.urls().keystone)).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    answer.headers()["x-subject-token"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_lives_from_create_to_delete_across_a_restart() {
    // Listens from now on.
    log();
    // The service judges by the system's clock when to log in again, so the world's begins there.
    let epoch = jiff::Timestamp::now();
    let settings = SiteSettings { timings: Timings::quick(), speed: 20.0, epoch, ..SiteSettings::default() };
    let site = Site::start(settings, Listen { tls: true, ..Listen::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path(), &site);
    let token = token(&site).await;
    let service = Service::start(&file, &token).await;

    let wish = json!({
        "name": "whole", "cluster_type": "bigtop", "network": "data", "subnet": "data-subnet",
        "vcm_server": site.urls().vcenter,
        "node_groups": [{"name": "worker", "roles": ["hadoop_datanode"], "count": 3}],
    });
    let request_id = "req-3fa85f64-5717-4562-b3fc-2c963f66afa6";
    let put = service.client.put(format!("{}{}", service.base, path(1))).header("X-Auth-Token", &service.token);
    let answer = put.header("X-OpenStack-Request-ID", request_id).json(&wish).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["x-openstack-request-id"]),
        (202, &request_id.parse().unwrap())
    );
    let accepted: Value = answer.json().await.unwrap();
    service.until("taken up", |_, c| c["operation"]["started"].is_string()).await;

    // The service goes away in the middle and comes back: the same operation goes on.
    service.stop().await;
    let service = Service::start(&file, &token).await;
    let running = service.until("running", |_, c| c["operation"]["state"] == "succeeded").await;
    assert_eq!(running["operation"]["id"], accepted["operation"]["id"]);
    assert_eq!((running["status"].as_str(), running["stages"]["addressed"].as_u64()), (Some("running"), Some(3)));
    assert_eq!(running["addresses"]["worker"].as_array().unwrap().len(), 3);
    let (status, again) = service.ask(Method::PUT, &path(1), Some(wish)).await;
    assert_eq!((status, &again["operation"]["id"]), (202, &accepted["operation"]["id"]), "nothing to do");

    let state = format!("{}/state", path(1));
    service.ask(Method::PUT, &state, Some(json!({"state": "stopped"}))).await;
    service.until("stopped", |_, c| c["status"] == "stopped" && c["operation"]["state"] == "succeeded").await;
    service.ask(Method::PUT, &state, Some(json!({"state": "running"}))).await;
    service.until("running again", |_, c| c["status"] == "running" && c["operation"]["state"] == "succeeded").await;

    let capability = again["capability"].as_str().unwrap();
    let (status, _) = service.ask(Method::DELETE, &path(1), None).await;
    assert_eq!(status, 202);
    let gone = service.until("gone", |status, _| status == 404).await;
    assert_eq!(code(&gone), "cluster_not_found");
    let events =
        service.client.get(format!("{}{}/events", service.base, path(1))).header("X-Howdah-Capability", capability);
    let events: Value = events.send().await.unwrap().json().await.unwrap();
    let reasons: Vec<_> = events["events"].as_array().unwrap().iter().map(|e| e["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons.iter().filter(|r| **r == "operation_started").count(), 4, "{reasons:?}");
    assert_eq!(reasons.iter().filter(|r| **r == "operation_succeeded").count(), 4, "{reasons:?}");

    let ready = service.client.get(format!("{}/readyz", service.base)).send().await.unwrap();
    assert_eq!(ready.status(), 200, "{}", ready.text().await.unwrap());
    // One ID from the request to the systems, and no other's calls have it.
    let log = log();
    let with_id = |what: &str| log.lines().filter(|l| l.contains(request_id) && l.contains(what)).count();
    assert!(with_id("a call to OpenStack") > 0 && with_id("method=POST path=\"/v2.0/ports\"") > 0);
    assert!(with_id("method=RetrievePropertiesEx") > 0);
    assert_eq!(with_id("WaitForUpdatesEx"), 0, "the watch is everybody's");
    // Each pass says why it was made.
    for why in ["start", "signal", "answer of Create", "vCenter watch", "timer"] {
        assert!(log.contains(&format!("pass cluster={} why={why}", id(1))), "no pass because of {why}");
    }
    let left = site.world().invariants(howdah_sim::invariants::Moment::AtRest, &[]);
    assert!(left.is_empty(), "{left:?}");
    service.stop().await;
    site.stop().await;
}
