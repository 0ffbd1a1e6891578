//! The service as a whole: store, controllers, listeners, and the order of their shutdown.
//!
//! ```text
//! open store -> set up sites -> bind -> resume clusters -> serve ... shutdown
//!   -> no new connections, streams end -> controllers finish their step -> store closes
//! ```
//!
//! Invariant: the service accepts no request before it has resumed the clusters in the store, and the store
//! closes last.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use howdah_core::entropy::Entropy;
use howdah_core::failure::chain;
use howdah_core::mark::MarkKey;
use howdah_core::policy::Policy;
use howdah_core::store::Store;
use howdah_core::time::Clock;
use howdah_store::SqliteStore;
use howdah_transport::SystemEntropy;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::api::{self, App};
use crate::changes::{AnnouncingStore, Changes};
use crate::config::{Config, Server, Templates};
use crate::controllers::{self, Controllers};
use crate::limits::{Door, Limits};
use crate::listener::{self, Bounds, Incoming};
use crate::metrics::Metrics;
use crate::runtime::SystemClock;
use crate::sites::{SiteHandles, Sites};
use crate::supervisor::{RunController, Supervisor};
use crate::tally::Tally;
use crate::wiring::Wired;
use crate::{ServerError, descriptors, tls, unix, wiring};

/// How long connections may take to finish their requests at shutdown.
const CONNECTIONS_END: Duration = Duration::from_secs(5);
/// How long controllers may take to finish their step at shutdown: a little longer than they wait for
/// answers in flight.
const CONTROLLERS_END: Duration = Duration::from_secs(15);
/// How long events of a deleted cluster are kept.
const TOMBSTONES: SignedDuration = SignedDuration::from_hours(7 * 24);
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// The maximum number of connections over TCP and over the UNIX socket.
const TCP_CONNECTIONS: usize = 4096;
const UNIX_CONNECTIONS: usize = 128;
/// Descriptors reserved for the database's files and for watches and calls of the sites.
const OTHER_DESCRIPTORS: usize = 256;
/// The pause between two probes of the systems. With [`PROBE_LIMIT`], an outage shows within a minute.
const PROBE_EVERY: Duration = Duration::from_secs(30);
/// How long a system may take to answer a probe.
const PROBE_LIMIT: Duration = Duration::from_secs(20);

/// The parts of the service besides its listeners. Tests use fakes.
pub struct Parts {
    /// The sites.
    pub sites: Vec<SiteHandles>,
    /// The counters that the sites' adapters report to.
    pub metrics: Arc<Metrics>,
    /// The database.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The key for this installation's marks on ports and for digests of secrets.
    pub marks: MarkKey,
    /// The controllers' policy.
    pub policy: Policy,
    /// Permissions for templates.
    pub templates: Templates,
    /// The limits of a project.
    pub limits: Limits,
    /// Replaces the core's controllers.
    pub controllers: Option<Arc<dyn RunController>>,
    /// Whether the service queries idle systems periodically.
    pub probe: bool,
    /// The limits of the listeners.
    pub connections: Connections,
}

impl Parts {
    /// The parts of a service with this configuration, for a program that serves few clients and probes nothing.
    pub fn new(
        config: &Config,
        wired: Wired,
        store: &Arc<SqliteStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            sites: wired.sites,
            metrics: wired.metrics,
            marks: store.mark_key(),
            store: Arc::<SqliteStore>::clone(store),
            clock,
            entropy,
            policy: Policy::default(),
            templates: config.templates.clone(),
            limits: config.limits,
            controllers: None,
            probe: false,
            connections: Connections::of_descriptors(1024),
        }
    }
}

/// The limits of each listener. The UNIX socket has its own seats, so clients over TCP cannot block the
/// operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Over TCP.
    pub tcp: Bounds,
    /// Over the UNIX socket.
    pub unix: Bounds,
}

impl Connections {
    /// The limits for this many descriptors. The rest is for the database, for calls to the sites, and for
    /// dismissed connections that have not ended yet.
    pub fn of_descriptors(descriptors: u64) -> Self {
        let left =
            usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(UNIX_CONNECTIONS + OTHER_DESCRIPTORS);
        Self { tcp: Bounds::of(left.clamp(16, TCP_CONNECTIONS)), unix: Bounds::of(UNIX_CONNECTIONS) }
    }
}

/// A running service.
pub struct Running {
    /// The TCP address.
    pub tcp: Option<SocketAddr>,
    /// The UNIX socket.
    pub unix: Option<PathBuf>,
    /// The store that announces its changes.
    pub store: Arc<dyn Store>,
    stop: watch::Sender<bool>,
    all: JoinHandle<()>,
}

impl Running {
    /// Starts the shutdown.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for the end of the shutdown.
    pub async fn wait(self) {
        // Only a panic ends it otherwise, and the panic has been reported.
        let _ = self.all.await;
    }
}

/// Runs the service with real sites until `shutdown` ends, and then shuts it down gracefully.
/// It calls `started` once the listeners are up.
///
/// # Errors
/// If it cannot start, or another service has taken its database over.
pub async fn serve(
    config: Config,
    shutdown: impl Future<Output = ()>,
    started: impl FnOnce(&Running),
) -> Result<(), ServerError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let wired = wiring::sites(&config, &clock)?;
    let store = Arc::new(SqliteStore::open(&config.store).await.map_err(ServerError::OpenStore)?);
    let parts = Parts {
        probe: true,
        connections: Connections::of_descriptors(descriptors::raise()),
        ..Parts::new(&config, wired, &store, clock, Arc::new(SystemEntropy))
    };
    let running = start(&config.server, parts).await?;
    let pruning = tokio::spawn(prune(Arc::clone(&store)));
    started(&running);
    // A fenced service would refuse every change and act on sites that are no longer its own.
    let ended = tokio::select! {
        () = shutdown => Ok(()),
        lost = store.fenced() => Err(ServerError::LostStore(lost)),
    };
    running.stop();
    running.wait().await;
    pruning.abort();
    store.close().await;
    ended
}

async fn prune(store: Arc<SqliteStore>) {
    loop {
        match store.prune(Timestamp::now() - TOMBSTONES).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "removed the records of clusters deleted a week ago"),
            Err(e) => tracing::warn!("cannot remove the records of deleted clusters: {}", chain(&e)),
        }
        tokio::time::sleep(PRUNE_EVERY).await;
    }
}

/// Starts the service from its parts; it runs in the background until it is stopped.
///
/// # Errors
/// If it cannot listen, or the store cannot be read.
pub async fn start(server: &Server, parts: Parts) -> Result<Running, ServerError> {
    let metrics = parts.metrics;
    let changes = Arc::new(Changes::default());
    let tally = Arc::new(Tally::default());
    let store: Arc<dyn Store> = Arc::new(AnnouncingStore::new(parts.store, Arc::clone(&changes), Arc::clone(&tally)));
    let sites = Sites::new(parts.sites, Arc::clone(&metrics));
    let controllers = parts.controllers.unwrap_or_else(|| {
        Arc::new(Controllers::new(controllers::Parts {
            sites: sites.clone(),
            store: Arc::clone(&store),
            clock: Arc::clone(&parts.clock),
            entropy: Arc::clone(&parts.entropy),
            policy: parts.policy,
            marks: parts.marks.clone(),
        }))
    });
    let listeners = Listeners::bind(server).await?;
    let supervisor = Supervisor::new(Arc::clone(&store), controllers, Arc::clone(&parts.entropy), parts.policy);
    let taken_up = supervisor.take_up_all().await.map_err(ServerError::TakeUp)?;
    let (stop, stopping) = watch::channel(false);
    let app = App::new(api::Inner {
        store: Arc::clone(&store),
        changes,
        tally,
        marks: parts.marks,
        sites: sites.clone(),
        supervisor: supervisor.clone(),
        clock: Arc::clone(&parts.clock),
        entropy: parts.entropy,
        metrics: Arc::clone(&metrics),
        auth: server.auth,
        templates: parts.templates,
        door: Door::new(parts.limits),
        stopping: stopping.clone(),
    });
    let (tcp, unix) = (listeners.address, listeners.path.clone());
    let (seats, unix_seats) = (parts.connections.tcp.connections, parts.connections.unix.connections);
    tracing::info!(?tcp, ?unix, seats, unix_seats, clusters = taken_up, "listening");
    let probing = parts.probe.then(|| tokio::spawn(probe(sites, parts.clock)));
    let all = tokio::spawn(async move {
        listeners.answer(parts.connections, api::router(app), stopping).await;
        if let Some(probing) = probing {
            probing.abort();
        }
        supervisor.stop(CONTROLLERS_END).await;
        tracing::info!("stopped");
    });
    Ok(Running { tcp, unix, store, stop, all })
}

/// Probes all sites side by side: one that does not answer delays no other.
async fn probe(sites: Sites, clock: Arc<dyn Clock>) {
    loop {
        let probes = sites.all().iter().map(async |site| {
            for (system, failing) in site.probe(PROBE_LIMIT).await {
                sites.metrics().probed(site.name.as_str(), system, clock.now(), failing);
            }
        });
        futures::future::join_all(probes).await;
        tokio::time::sleep(PROBE_EVERY).await;
    }
}

struct Listeners {
    address: Option<SocketAddr>,
    path: Option<PathBuf>,
    tcp: Option<Incoming>,
    unix: Option<Incoming>,
}

impl Listeners {
    async fn bind(server: &Server) -> Result<Self, ServerError> {
        let (mut tcp, mut bound) = (None, None);
        if let Some(address) = server.listen {
            let fail = |source| ServerError::Listen { address, source };
            let config = server.tls.as_ref().map(tls::server_config).transpose()?;
            let listener = TcpListener::bind(address).await.map_err(fail)?;
            bound = Some(listener.local_addr().map_err(fail)?);
            tcp = Some(Incoming::tcp(listener, config));
        }
        let unix = server.unix.as_deref().map(unix::listen).transpose()?.map(Incoming::Unix);
        Ok(Self { address: bound, path: server.unix.clone(), tcp, unix })
    }

    /// Runs until `stopping`, and then until the requests end, up to the deadline.
    async fn answer(self, connections: Connections, router: Router, mut stopping: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        for (incoming, limits) in [(self.tcp, connections.tcp), (self.unix, connections.unix)] {
            if let Some(incoming) = incoming {
                tasks.spawn(listener::answer(incoming, limits, router.clone(), stopping.clone()));
            }
        }
        let _ = stopping.wait_for(|stop| *stop).await;
        let ended = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(CONNECTIONS_END, ended).await.is_err() {
            tracing::warn!("connections did not end in time; aborting them");
            tasks.shutdown().await;
        }
        if let Some(path) = self.path {
            // The next service would replace it; until then, clients get a clearer error.
            let _ = std::fs::remove_file(path);
        }
    }
}
