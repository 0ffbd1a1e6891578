//! The client, which implements [`VCenter`]. Invariant: actions and the watch have separate sessions, so
//! that neither takes the other's updates nor fails with its login.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use howdah_core::failure::ErrorKind;
use howdah_core::ids::{ClusterName, PortId, VmRef};
use howdah_core::systems::Remote;
use howdah_core::systems::vcenter::VCenter;
use howdah_core::systems::vcenter::{Segment, VmFacts, WatchEvent};
use howdah_transport::meter::{Meter, unmetered};
use howdah_transport::{Backoff, Deadlines, Http, LoginPace, Trust};
use secrecy::SecretString;

use crate::act::{self, Change};
use crate::error::Error;
use crate::request::{self, Ref};
use crate::retrieve::{BULK, Wanted, retrieve};
use crate::session::Session;
use crate::together::Together;
use crate::vm::{DEVICES, LIGHT, Light, nics};
use crate::watch::Watcher;
use crate::wire::Wire;

/// The default prefix of the name of Big Data Extensions' folder.
pub const DEFAULT_FOLDER_PREFIX: &str = "SERENGETI-vApp";

/// The address and credentials of a vCenter.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `https://vcenter.example`, with or without `/sdk`.
    pub url: String,
    /// With its domain: `user@vsphere.local`.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// The trusted certificates.
    pub trust: Trust,
    /// The prefix of the name of the folder with the clusters' folders.
    pub folder_prefix: String,
    /// If set, only port groups of this distributed switch count: its name or reference.
    pub switch: Option<String>,
    /// The logins of the account, shared with every other client that uses it.
    pub pace: Arc<LoginPace>,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// How long to wait for vCenter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the answer to a call.
    pub call: Duration,
    /// For the end of a task.
    pub task: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), call: Duration::from_secs(60), task: Duration::from_secs(180) }
    }
}

/// A client of one vCenter. It connects on first use.
pub struct Client {
    acting: Arc<Session>,
    watching: Arc<Session>,
    watcher: Watcher,
    together: Together,
    switch: Option<String>,
    task_limit: Duration,
    keep_alive: std::sync::OnceLock<tokio::task::JoinHandle<()>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Creates a client. Makes no call.
    ///
    /// # Errors
    /// If a CA file cannot be used.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        Self::metered(settings, unmetered())
    }

    /// The same with a meter for its calls.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn metered(settings: Settings, meter: Arc<dyn Meter>) -> Result<Self, Error> {
        let deadlines = Deadlines { connect: settings.timeouts.connect, answer: settings.timeouts.call };
        let http = Http::new(&settings.trust, deadlines)
            .map_err(|source| Error::SetUp { url: settings.url.clone(), source })?;
        let wire = Wire::new(http, &settings.url);
        let session = |purpose| Arc::new(Session::new(wire.clone(), meter.clone(), &settings, purpose));
        let (acting, watching) = (session("acting"), session("watching"));
        Ok(Self {
            watcher: Watcher::new(watching.clone(), settings.folder_prefix),
            together: Together::new(acting.clone()),
            acting,
            watching,
            switch: settings.switch,
            task_limit: settings.timeouts.task,
            keep_alive: std::sync::OnceLock::new(),
        })
    }

    /// Logs in if needed, to verify the settings early.
    ///
    /// # Errors
    /// If vCenter cannot be reached or refuses the credentials.
    pub async fn connect(&self) -> Result<(), Error> {
        self.session().live().await.map(drop)
    }

    /// Ends both sessions. Open streams log in again.
    pub async fn close(&self) {
        self.acting.log_out().await;
        self.watching.log_out().await;
    }

    /// The session for actions. Its keep-alive starts here, where a runtime exists; the watch's session is
    /// never idle.
    fn session(&self) -> &Session {
        self.keep_alive.get_or_init(|| self.acting.keep_alive());
        &self.acting
    }

    async fn power(&self, change: Change) -> Remote<()> {
        Ok(act::carry_out(self.session(), &self.together, &change, self.task_limit).await?)
    }

    /// Reads; retries after a broken connection, because reads are idempotent.
    async fn read<T, F: Future<Output = Result<T, Error>>>(&self, call: impl FnMut() -> F) -> Remote<T> {
        let backoff = Backoff { first: Duration::from_millis(200), max: Duration::from_secs(2), attempts: 3 };
        let broken = |e: &Error| matches!(e.kind(), ErrorKind::Unreachable | ErrorKind::BadAnswer);
        Ok(howdah_transport::retry(&backoff, broken, call).await?)
    }

    async fn read_vms(&self, vms: &[VmRef]) -> Result<Vec<VmFacts>, Error> {
        let paths: Vec<&str> = LIGHT.iter().copied().chain([DEVICES]).collect();
        let mut found = Vec::with_capacity(vms.len());
        for chunk in vms.chunks(BULK) {
            let refs: Vec<Ref> = chunk.iter().map(act::vm_ref).collect();
            let wanted = Wanted {
                properties: vec![request::properties("VirtualMachine", &paths)],
                objects: request::objects(&refs),
            };
            for object in retrieve(self.session(), &wanted).await? {
                if let Some(fault) = object.withheld {
                    return Err(Error::Refused { method: "RetrievePropertiesEx".to_owned(), fault });
                }
                let mut light = Light::default();
                for (path, value) in &object.properties {
                    light.set(path, Some(value));
                }
                let cards = object.properties.get(DEVICES).map(nics).unwrap_or_default();
                found.push(light.facts(&VmRef::new(object.obj.value.as_str()), &cards));
            }
        }
        Ok(found)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(task) = self.keep_alive.take() {
            task.abort();
        }
        // Otherwise the server would keep the session for half an hour. The watch's task ends its own
        // session.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let acting = self.acting.clone();
            runtime.spawn(async move { acting.log_out().await });
        }
    }
}

#[async_trait]
impl VCenter for Client {
    async fn version(&self) -> Remote<String> {
        // What the login showed is no sign that vCenter answers now.
        self.read(|| self.session().call(|_| request::current_time())).await?;
        Ok(self.session().live().await?.content.product.clone())
    }

    async fn segments(&self) -> Remote<Vec<Segment>> {
        self.read(|| crate::segments::segments(self.session(), self.switch.as_deref())).await
    }

    async fn vms(&self, vms: &[VmRef]) -> Remote<Vec<VmFacts>> {
        self.read(|| self.read_vms(vms)).await
    }

    async fn watch(&self, cluster: &ClusterName) -> Remote<BoxStream<'static, Remote<WatchEvent>>> {
        Ok(self.watcher.watch(cluster))
    }

    async fn power_on(&self, vm: &VmRef) -> Remote<()> {
        self.power(Change::power(vm, "PowerOnVM_Task", "VirtualMachine.powerOn", Some("poweredOn"))).await
    }

    async fn power_off(&self, vm: &VmRef) -> Remote<()> {
        self.power(Change::power(vm, "PowerOffVM_Task", "VirtualMachine.powerOff", Some("poweredOff"))).await
    }

    async fn reset(&self, vm: &VmRef) -> Remote<()> {
        self.power(Change::power(vm, "ResetVM_Task", "VirtualMachine.reset", None)).await
    }

    async fn set_external_id(&self, vm: &VmRef, nic_key: i32, port: &PortId) -> Remote<()> {
        Ok(act::set_external_id(self.session(), &self.together, vm, nic_key, port.as_str(), self.task_limit).await?)
    }
}
