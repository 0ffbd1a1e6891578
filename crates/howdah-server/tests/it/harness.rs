//! A service on a free port with fakes behind it, and a client for it.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once, OnceLock};
use std::time::Duration;

use howdah_core::event::{Event, Level};
use howdah_core::failure::Failure;
use howdah_core::ids::{ClusterId, ClusterKey};
use howdah_core::intent::Verb;
use howdah_core::known::{ClusterState, ClusterStatus, OperationProgress, OperationState};
use howdah_core::mark::MarkKey;
use howdah_core::policy::{NetworkBackend, Networks, Policy};
use howdah_core::store::Store;
use howdah_core::wanted::ClusterRecord;
use howdah_serengeti::Rules;
use howdah_server::api::AuthMode;
use howdah_server::config::{Server, Templates};
use howdah_server::limits::Limits;
use howdah_server::serve::{Connections, Parts, Running, start};
use howdah_server::sites::SiteHandles;
use howdah_store::MemoryStore;
use reqwest::Method;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;
use uuid::Uuid;

use crate::fakes::{FakeCloud, Idle, Nobody, Ordered, Still, now};

/// Who asks, unless said otherwise.
pub const ANN: &str = "ann@p1:member";

pub struct Service {
    pub running: Running,
    pub store: Arc<dyn Store>,
    pub cloud: Arc<FakeCloud>,
    pub idle: Arc<Idle>,
    pub client: reqwest::Client,
    pub base: String,
}

pub fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// Under which cluster `n` of project `p1` is kept.
pub fn key(n: u128) -> ClusterKey {
    ClusterKey { project: "p1".into(), id: ClusterId(id(n)) }
}

pub fn site(name: &str, default: bool, realm: &str, cloud: &Arc<FakeCloud>) -> SiteHandles {
    SiteHandles {
        name: name.into(),
        default,
        networks: Networks::of(NetworkBackend::NsxV),
        rules: Rules::default(),
        bde_host: format!("bde.{name}.example"),
        vcenter_host: format!("vc.{name}.example"),
        realm: realm.to_owned(),
        manager: Arc::new(Nobody::default()),
        manager_as: None,
        vcenter: Arc::new(Nobody::default()),
        networking: Arc::new(Nobody::default()),
        identity: cloud.clone(),
    }
}

pub fn client() -> reqwest::ClientBuilder {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20))
}

pub fn parts(store: Arc<dyn Store>, cloud: &Arc<FakeCloud>, idle: &Arc<Idle>) -> Parts {
    Parts {
        sites: vec![site("main", true, "keystone-1", cloud), site("lab", false, "keystone-1", cloud)],
        metrics: Arc::default(),
        store,
        clock: Arc::new(Still),
        entropy: Arc::new(Ordered::default()),
        marks: MarkKey::new(b"secret"),
        policy: Policy::default(),
        templates: Templates::default(),
        limits: Limits::NONE,
        controllers: Some(idle.clone()),
        probe: false,
        connections: Connections::of_descriptors(1024),
    }
}

impl Service {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Parts)) -> Self {
        let server =
            Server { listen: Some("127.0.0.1:0".parse().unwrap()), unix: None, auth: AuthMode::Keystone, tls: None };
        Self::on(server, client().build().unwrap(), change).await
    }

    /// With local users only.
    pub async fn local(folder: &tempfile::TempDir) -> Self {
        let path: PathBuf = folder.path().join("howdah.sock");
        let server = Server { listen: None, unix: Some(path.clone()), auth: AuthMode::Local, tls: None };
        Self::on(server, client().unix_socket(path).build().unwrap(), |_| {}).await
    }

    pub async fn on(server: Server, client: reqwest::Client, change: impl FnOnce(&mut Parts)) -> Self {
        Log::get();
        let (cloud, idle) = (Arc::new(FakeCloud::default()), Arc::new(Idle::default()));
        let mut parts = parts(Arc::new(MemoryStore::new()), &cloud, &idle);
        change(&mut parts);
        let running = start(&server, parts).await.unwrap();
        let base = running.tcp.map_or_else(|| "http://howdah".to_owned(), |a| format!("http://{a}"));
        Self { store: running.store.clone(), running, cloud, idle, client, base }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// Status and body of a request with a token.
    pub async fn ask(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.request(method, path).header("X-Auth-Token", token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(ANN, Method::GET, path, None).await
    }

    pub async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(ANN, Method::PUT, path, Some(body)).await
    }

    /// Asks for cluster `n`, named `c<n>`.
    pub async fn create(&self, n: u128) -> Value {
        let (status, body) = self.put(&path(n), wish(n)).await;
        assert_eq!(status, 202, "{body}");
        body
    }

    /// Cluster `n` as it is stored.
    pub async fn stored(&self, n: u128) -> (ClusterRecord, ClusterState) {
        self.store.load(&key(n)).await.unwrap().unwrap().cluster().unwrap()
    }

    /// What a controller would write when the newest operation has ended.
    pub async fn end(&self, n: u128, failure: Option<Failure>) {
        let status = if failure.is_some() { ClusterStatus::Error } else { ClusterStatus::Running };
        self.end_as(n, status, failure).await;
    }

    /// The same with a status.
    pub async fn end_as(&self, n: u128, status: ClusterStatus, failure: Option<Failure>) {
        let (record, mut old) = self.stored(n).await;
        old.journal.sent(Verb::Found, record.operation.id, now());
        old.journal.done(Verb::Found, None, howdah_core::time::Stamp::START);
        let state = ClusterState {
            status,
            operation: Some(OperationProgress {
                state: if failure.is_some() { OperationState::Failed } else { OperationState::Succeeded },
                ended: Some(now()),
                failure,
                checked: true,
                ..OperationProgress::begun(record.operation.id, record.operation.kind, now())
            }),
            progress: 1.0,
            ..old
        };
        self.store.save(&key(n), &state, &[event("ended")]).await.unwrap();
    }
}

pub fn event(reason: &str) -> Event {
    Event { at: now(), level: Level::Info, reason: reason.into(), node: None, message: format!("It has {reason}.") }
}

pub fn path(n: u128) -> String {
    format!("/v1/clusters/{}", id(n))
}

pub fn wish(n: u128) -> Value {
    json!({
        "name": format!("c{n}"),
        "cluster_type": "apache",
        "network": "apps",
        "subnet": "apps-v4",
        "security_groups": ["web"],
        "cluster_password": "Hush_hush1",
        "node_groups": [
            {"name": "master", "roles": ["hadoop_namenode"], "count": 1},
            {"name": "worker", "roles": ["hadoop_datanode"], "count": 3, "memory_mb": 4096},
        ],
    })
}

/// `base` with fields replaced; `null` removes one.
pub fn but(mut base: Value, changes: Value) -> Value {
    let (Value::Object(fields), Value::Object(changes)) = (&mut base, changes) else { panic!("not objects") };
    for (key, value) in changes {
        if value.is_null() {
            fields.remove(&key);
        } else {
            fields.insert(key, value);
        }
    }
    base
}

/// The answer's code, or its whole text.
pub fn code(body: &Value) -> &str {
    body["error"]["code"].as_str().unwrap_or("no error")
}

/// What all tests together have logged so far, at the finest level.
pub fn log() -> String {
    String::from_utf8(Log::get().0.lock().unwrap().clone()).unwrap()
}

#[derive(Clone)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Listens from the first call on.
    fn get() -> &'static Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        LOG.get_or_init(|| {
            let log = Self(Arc::default());
            let subscriber = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_max_level(tracing::Level::TRACE)
                .with_writer(log.clone());
            tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
            log
        })
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
