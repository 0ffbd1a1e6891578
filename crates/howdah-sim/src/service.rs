//! A simulated service: controllers for all clusters of a store, over a world. Each start begins a life,
//! which can be killed like a process.
//!
//! ```text
//!   start: a new ticker, a new registrar, a controller for each row of the store
//!   kill:  every controller is dropped where it is; the world and the store continue
//! ```
//!
//! Invariant: only the store survives from one life to the next. It serves no API; a request is the API's
//! write to the store, and a wake.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use howdah_core::controller::{Controller, Site};
use howdah_core::document::Row;
use howdah_core::entropy::Entropy;
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{ClusterId, ClusterKey, OperationId, ProjectId, SiteName};
use howdah_core::known::{ClusterState, OperationState};
use howdah_core::mark::MarkKey;
use howdah_core::policy::{Networks, Policy};
use howdah_core::store::{Page, Store};
use howdah_core::systems::Remote;
use howdah_core::systems::networking::{Network, Networking as _, Subnet};
use howdah_core::time::Clock;
use howdah_core::time::Ticker;
use howdah_core::wanted::{
    ClusterRecord, ClusterSpec, Goal, NodeGroup, OperationKind, OperationRequest, Secrets, Shape,
};
use howdah_store::MemoryStore;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::crashing::Crashing;
use crate::{World, inprocess};

/// What a simulated installation signs its ports with.
pub const MARK_SECRET: &[u8] = b"a simulated installation";

/// A simulated service.
pub struct Service {
    world: World,
    site: SiteName,
    store: Arc<Crashing<MemoryStore>>,
    policy: Policy,
    networks: Networks,
    marks: MarkKey,
    life: Option<Life>,
}

struct Life {
    controller: Controller,
    at_work: BTreeMap<ClusterKey, (Arc<Notify>, JoinHandle<()>)>,
    stop: watch::Sender<bool>,
}

impl Service {
    /// A service that does not run yet.
    pub fn new(world: World) -> Self {
        Self::of(world, "simulated".into(), MarkKey::new(MARK_SECRET))
    }

    /// The same of an installation that knows the site by this name and signs with this key.
    pub fn of(world: World, site: SiteName, marks: MarkKey) -> Self {
        let networks = Networks::of(world.read(|s| s.settings.backend));
        Self {
            world,
            networks,
            site,
            store: Arc::new(Crashing::new(MemoryStore::new())),
            policy: Policy::default(),
            marks,
            life: None,
        }
    }

    /// Another installation over the same world, with a store and a key of its own.
    pub fn beside(other: &Self) -> Self {
        Self { marks: MarkKey::new(b"another installation"), ..Self::new(other.world.clone()) }
    }

    /// The world.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The store.
    pub fn store(&self) -> &Arc<Crashing<MemoryStore>> {
        &self.store
    }

    /// What the operator says of the networks, in the lives to come.
    pub fn networks(&mut self) -> &mut Networks {
        &mut self.networks
    }

    /// The figures of the lives to come.
    pub fn policy(&mut self) -> &mut Policy {
        &mut self.policy
    }

    /// What every controller of a life has.
    pub fn controller(&self) -> Controller {
        let store: Arc<dyn Store> = self.store.clone();
        Controller {
            site: Site {
                networks: self.networks.clone(),
                ..inprocess::site(&self.world, self.site.clone(), &store, &self.policy)
            },
            store,
            clock: self.world.clock(),
            entropy: self.world.entropy(),
            ticker: Ticker::default(),
            marks: self.marks.clone(),
            policy: self.policy,
        }
    }

    /// Begins a life, if there is none, and takes up every cluster of the store.
    pub async fn start(&mut self) {
        if self.life.is_none() {
            let stop = watch::Sender::new(false);
            self.life = Some(Life { controller: self.controller(), at_work: BTreeMap::new(), stop });
        }
        for row in self.store.inner().list(None, Page::WHOLE).await.unwrap_or_default() {
            self.wake(&row.key());
        }
    }

    /// Ends the life as `kill -9` does, and waits until nothing of it is left.
    pub async fn kill(&mut self) {
        let Some(life) = self.life.take() else {
            return;
        };
        for (_, (_, task)) in life.at_work {
            task.abort();
            // It was aborted, or had ended.
            let _ = task.await;
        }
    }

    /// Whether a life goes on.
    pub fn runs(&self) -> bool {
        self.life.is_some()
    }

    /// Wakes a cluster's controller, or starts one.
    pub fn wake(&mut self, key: &ClusterKey) {
        let Some(life) = &mut self.life else {
            return;
        };
        if let Some((notify, _)) = life.at_work.get(key).filter(|(_, task)| !task.is_finished()) {
            notify.notify_one();
            return;
        }
        let (controller, stop) = (life.controller.clone(), life.stop.subscribe());
        let (id, notify) = (key.clone(), Arc::new(Notify::new()));
        let wake = Arc::clone(&notify);
        let work = async move {
            // A store that is down when the life begins ends it; the next wake tries again.
            let _ = controller.run(id, wake, stop).await;
        };
        life.at_work.insert(key.clone(), (notify, tokio::spawn(work)));
    }

    // ------------------------------------------------------------ requests

    /// The record of a cluster of so many workers on the site's first network.
    ///
    /// # Errors
    /// If the world has no network.
    pub async fn record(&self, name: &str, nodes: u32) -> Remote<ClusterRecord> {
        record(&self.world, &self.site, name, nodes).await
    }

    /// A new request.
    pub fn request(&self, kind: OperationKind) -> OperationRequest {
        request(&self.world, kind)
    }

    /// Asks for a cluster of so many workers, as the API would.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn create(&mut self, name: &str, nodes: u32) -> Remote<ClusterKey> {
        let record = self.record(name, nodes).await?;
        self.insert(&record).await
    }

    /// Asks for a cluster in a project.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn create_in(&mut self, project: &str, name: &str, nodes: u32) -> Remote<ClusterKey> {
        let record = ClusterRecord { project: ProjectId::from(project), ..self.record(name, nodes).await? };
        self.insert(&record).await
    }

    /// Writes a cluster down and wakes its controller.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn insert(&mut self, record: &ClusterRecord) -> Remote<ClusterKey> {
        self.store.insert(record, &Secrets::default(), &[]).await?;
        self.wake(&record.key());
        Ok(record.key())
    }

    /// Asks for another state of a cluster. Returns whether the cluster is there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn want(&mut self, key: &ClusterKey, goal: Goal, kind: OperationKind) -> Remote<bool> {
        let Some(record) = self.store.wanted(key).await? else {
            return Ok(false);
        };
        self.store.want(key, &record.operation.id, goal, &self.request(kind)).await?;
        self.wake(key);
        Ok(true)
    }

    /// The state of a cluster; `None` if it is gone.
    pub async fn state(&self, key: &ClusterKey) -> Option<ClusterState> {
        let row = self.store.inner().load(key).await.ok().flatten();
        row.and_then(Row::cluster).map(|(_, state)| state)
    }

    /// Whether the newest operation has ended; a cluster that is gone has.
    pub async fn has_ended(&self, key: &ClusterKey) -> bool {
        let Some((record, state)) = self.store.inner().load(key).await.ok().flatten().and_then(Row::cluster) else {
            return true;
        };
        let newest = state.operation.filter(|o| o.id == record.operation.id);
        newest.is_some_and(|o| o.state != OperationState::Running)
    }

    /// Waits until the newest operation has ended. Returns whether it did within this time.
    pub async fn ended(&self, key: &ClusterKey, limit: Duration) -> bool {
        let clock = self.world.clock();
        let begun = clock.mono();
        while !self.has_ended(key).await {
            if clock.mono().since(begun) > limit {
                return false;
            }
            clock.sleep(Duration::from_secs(1)).await;
        }
        true
    }
}

/// A new request.
pub fn request(world: &World, kind: OperationKind) -> OperationRequest {
    let id = OperationId(world.entropy().uuid());
    OperationRequest { id, kind, requested: world.now(), by: None, request: None }
}

/// The record of a cluster of so many workers on the first network of a site's world.
///
/// # Errors
/// If the world has no network.
pub async fn record(world: &World, site: &SiteName, name: &str, nodes: u32) -> Remote<ClusterRecord> {
    let missing =
        || RemoteError::new(System::Neutron, ErrorKind::NotFound, "network_not_found", "the world has no network");
    let ids = world.read(|s| {
        let network = s.neutron.networks.values().next()?.id.clone();
        let subnet = s.neutron.subnets.values().find(|n| n.network == network)?.id.clone();
        Some((network, subnet))
    });
    let (network, subnet) = ids.ok_or_else(missing)?;
    let networking = inprocess::SimNetworking::new(world.clone());
    let network = networking.network(&network.as_str().into()).await?.ok_or_else(missing)?;
    let subnet = networking.subnet(&subnet.as_str().into()).await?.ok_or_else(missing)?;
    Ok(ClusterRecord {
        id: ClusterId(world.entropy().uuid()),
        site: site.clone(),
        project: network.project.clone(),
        name: name.parse().map_err(|_| missing())?,
        spec: spec(network, subnet),
        shape: Shape::first(workers(nodes)),
        operation: request(world, OperationKind::Create),
        created: world.now(),
    })
}

fn workers(count: u32) -> Vec<NodeGroup> {
    let group = |name| NodeGroup {
        name,
        roles: vec!["hadoop_client".to_owned()],
        count,
        cpu: None,
        memory_mb: None,
        disk_gb: None,
    };
    "worker".parse().ok().map(group).into_iter().collect()
}

fn spec(network: Network, subnet: Subnet) -> ClusterSpec {
    ClusterSpec {
        distro: "bigtop".to_owned(),
        app_manager: None,
        network,
        subnet,
        security_groups: vec![],
        resource_pools: vec!["openstackRP".to_owned()],
        datastores: vec![],
        specification: None,
        secrets: None,
        wait_for: Default::default(),
        remedy: Default::default(),
    }
}
