//! A world, a store and controllers for it: what every test here starts from.

use std::sync::Arc;
use std::time::Duration;

use howdah_core::controller::{Controller, Ended};
use howdah_core::document::Row;
use howdah_core::ids::ClusterKey;
use howdah_core::known::{ClusterState, OperationState};
use howdah_core::mark::MarkKey;
use howdah_core::policy::Policy;
use howdah_core::store::Store;
use howdah_core::time::Ticker;
use howdah_core::wanted::{ClusterRecord, Goal, OperationKind, Secrets};
use howdah_sim::crashing::Crashing;
use howdah_sim::invariants::Moment;
use howdah_sim::{SiteSettings, World, inprocess, service};
use howdah_store::MemoryStore;
use tokio::sync::{Notify, watch};

pub struct Run {
    pub world: World,
    pub store: Arc<Crashing<MemoryStore>>,
    pub controller: Controller,
    pub seed: u64,
}

/// What a process of the service has: its own order of things, and a registrar for the site.
pub fn controller(world: &World, store: &Arc<Crashing<MemoryStore>>) -> Controller {
    let store: Arc<dyn Store> = store.clone();
    Controller {
        site: inprocess::site(world, "simulated".into(), &store, &Policy::default()),
        store,
        clock: world.clock(),
        entropy: world.entropy(),
        ticker: Ticker::default(),
        marks: MarkKey::new(b"this installation"),
        policy: Policy::default(),
    }
}

impl Run {
    pub fn new(settings: SiteSettings) -> Self {
        let seed = settings.seed;
        let world = World::new(settings);
        let store = Arc::new(Crashing::new(MemoryStore::new()));
        let controller = controller(&world, &store);
        Self { world, store, controller, seed }
    }

    pub fn seeded(seed: u64) -> Self {
        Self::new(SiteSettings { seed, ..SiteSettings::default() })
    }

    /// The record of a cluster with so many workers on the default network.
    pub async fn record(&self, name: &str, nodes: u32) -> ClusterRecord {
        service::record(&self.world, &self.controller.site.name, name, nodes).await.unwrap()
    }

    pub async fn add(&self, name: &str, nodes: u32) -> ClusterKey {
        let record = self.record(name, nodes).await;
        self.store.insert(&record, &Secrets::default(), &[]).await.unwrap();
        record.key()
    }

    pub async fn store_has(&self, id: &ClusterKey) -> bool {
        self.store.load(id).await.unwrap().is_some()
    }

    pub async fn want(&self, id: &ClusterKey, goal: Goal, kind: OperationKind) {
        let seen = self.store.wanted(id).await.unwrap().unwrap().operation.id;
        self.store.want(id, &seen, goal, &service::request(&self.world, kind)).await.unwrap();
    }

    /// Lets a controller work until the newest operation has ended. Returns the state; `None` if
    /// the cluster is gone.
    pub async fn work(&self, id: &ClusterKey) -> Option<ClusterState> {
        let (_stop, stopped) = watch::channel(false);
        let life = self.controller.run(id.clone(), Arc::new(Notify::new()), stopped);
        tokio::select! {
            ended = life => match ended {
                Ok(Ended::Removed) => None,
                other => panic!("seed {}: the controller ended: {other:?}", self.seed),
            },
            () = self.ended(id) => Some(self.state(id).await),
            () = self.controller.clock.sleep(Duration::from_secs(12 * 3600)) => {
                panic!("seed {}: still not ended: {:?}", self.seed, self.state(id).await)
            }
        }
    }

    pub async fn state(&self, id: &ClusterKey) -> ClusterState {
        self.store.load(id).await.unwrap().and_then(Row::cluster).unwrap().1
    }

    async fn ended(&self, id: &ClusterKey) {
        loop {
            self.controller.clock.sleep(Duration::from_secs(1)).await;
            let Ok(Some(Row::Cluster(cluster))) = self.store.load(id).await else { continue };
            let (record, state) = *cluster;
            let newest = state.operation.filter(|o| o.id == record.operation.id);
            if newest.is_some_and(|o| o.state != OperationState::Running) {
                return;
            }
        }
    }

    /// The operation has ended well, every node has its address, and nothing is there twice.
    pub fn good(&self, state: &ClusterState, nodes: usize) {
        let seed = self.seed;
        let operation = state.operation.as_ref().unwrap();
        assert_eq!(operation.state, OperationState::Succeeded, "seed {seed}: {:?}", operation.failure);
        assert_eq!(state.nodes.len(), nodes, "seed {seed}");
        for (name, node) in &state.nodes {
            assert!(node.address.is_some() && node.address == node.promised, "seed {seed}: {name}: {node:?}");
        }
        self.nothing_twice(nodes);
    }

    /// As many ports of ours as nodes, as many VMs, one registration at the most.
    pub fn nothing_twice(&self, nodes: usize) {
        let seed = self.seed;
        let (ports, vms, registrations) = self.left();
        assert_eq!((ports, vms), (nodes, nodes), "seed {seed}: ports, VMs");
        assert!(registrations <= 1, "seed {seed}: {registrations} registrations");
        // The cluster manager may still install software.
        self.invariants_hold(Moment::Anytime);
    }

    /// Nothing of ours is left, and the site is at rest.
    pub fn nothing_left(&self) {
        assert_eq!(self.left(), (0, 0, 0), "seed {}: ports, VMs, registrations", self.seed);
        self.invariants_hold(Moment::AtRest);
    }

    fn invariants_hold(&self, moment: Moment) {
        let text = futures::FutureExt::now_or_never(self.store.text()).expect("a store in memory answers at once");
        let violations = self.world.invariants(moment, &[text]);
        assert!(violations.is_empty(), "seed {}: {violations:?}", self.seed);
    }

    /// Ports of ours, VMs of clusters, registrations of ours.
    pub fn left(&self) -> (usize, usize, usize) {
        self.world.read(|s| {
            let ports = s.neutron.ports.values().filter(|p| p.description.starts_with("howdah/")).count();
            let vms = s.vc.vms.values().filter(|vm| vm.cluster.is_some()).count();
            let registrations = s.bde.networks.keys().filter(|n| n.starts_with("howdah-")).count();
            (ports, vms, registrations)
        })
    }

    /// The failure of the newest operation, as a person reads it.
    pub fn failure(&self, state: &ClusterState) -> String {
        let operation = state.operation.as_ref().unwrap();
        let failure = operation.failure.as_ref().unwrap_or_else(|| panic!("seed {}: it did not fail", self.seed));
        format!("{}: {failure}", failure.code)
    }
}
