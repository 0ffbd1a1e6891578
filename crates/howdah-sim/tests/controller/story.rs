//! A simulated service beside strangers: what the tests about the four rules start from.
//!
//! Invariant: a guard looks at every write of the service's; [`Story::end`] deletes all
//! clusters and then holds the rules that must hold in the end, whatever was told in between.

use std::time::Duration;

use howdah_core::condition::{ClusterCondition, ClusterConditionKind};
use howdah_core::failure::System;
use howdah_core::ids::{ClusterKey, VmRef};
use howdah_core::known::{ClusterState, ClusterStatus, OperationState};
use howdah_core::store::Store;
use howdah_core::wanted::{Goal, OperationKind};
use howdah_sim::ending::FOR_EVER;
use howdah_sim::service::Service;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::{SiteSettings, World};

pub struct Story {
    pub service: Service,
    pub world: World,
    pub seed: u64,
}

impl Story {
    pub async fn new(seed: u64) -> Self {
        Self::with(SiteSettings { seed, ..SiteSettings::default() }).await
    }

    pub async fn with(settings: SiteSettings) -> Self {
        let seed = settings.seed;
        let world = World::new(settings);
        world.guard();
        let mut service = Service::new(world.clone());
        service.start().await;
        Self { service, world, seed }
    }

    pub fn rule(&self, rule: FaultRule) -> u64 {
        self.world.write(|s| s.faults.add(rule))
    }

    pub fn calm(&self) {
        self.world.write(|s| s.faults.clear());
    }

    pub fn met(&self, rule: u64) -> u32 {
        self.world.read(|s| s.faults.met(rule))
    }

    pub async fn pass(&self, seconds: u64) {
        self.world.sleep(Duration::from_secs(seconds)).await;
    }

    pub async fn create(&mut self, name: &str, nodes: u32) -> ClusterKey {
        self.service.create(name, nodes).await.unwrap()
    }

    pub async fn stop(&mut self, key: &ClusterKey) {
        self.service.want(key, Goal::Stopped, OperationKind::Stop).await.unwrap();
    }

    pub async fn start(&mut self, key: &ClusterKey) {
        self.service.want(key, Goal::Running, OperationKind::Start).await.unwrap();
    }

    pub async fn delete(&mut self, key: &ClusterKey) {
        self.service.want(key, Goal::Deleted, OperationKind::Delete).await.unwrap();
    }

    /// The state when the newest operation has ended; `None` if the cluster is gone.
    pub async fn ended(&self, key: &ClusterKey) -> Option<ClusterState> {
        let ended = self.service.ended(key, FOR_EVER).await;
        let state = self.service.state(key).await;
        assert!(ended, "seed {}: not ended: {state:?}", self.seed);
        state
    }

    /// The newest operation ends well.
    pub async fn good(&self, key: &ClusterKey) -> ClusterState {
        let state = self.ended(key).await.expect("the cluster is there");
        let operation = state.operation.clone().unwrap();
        assert_eq!(operation.state, OperationState::Succeeded, "seed {}: {:?}", self.seed, operation.failure);
        state
    }

    /// A cluster that has come up.
    pub async fn running(&mut self, name: &str, nodes: u32) -> ClusterKey {
        let key = self.create(name, nodes).await;
        let state = self.good(&key).await;
        assert_eq!(state.nodes.len(), nodes as usize, "seed {}", self.seed);
        key
    }

    /// BDE has finished: a create counts as done while it still installs software.
    pub async fn bde_is_done(&self, name: &str) {
        self.world.wait_until(|s| s.bde.clusters.get(name).is_some_and(|c| c.status.is_stable())).await;
    }

    /// The newest operation fails; its failure as a person reads it.
    pub async fn failure(&self, key: &ClusterKey) -> String {
        let state = self.ended(key).await.expect("the cluster is there");
        let operation = state.operation.unwrap();
        let failure = operation.failure.unwrap_or_else(|| panic!("seed {}: it did not fail", self.seed));
        format!("{}: {failure}", failure.code)
    }

    /// The delete ends with the record gone.
    pub async fn removed(&mut self, key: &ClusterKey) {
        self.delete(key).await;
        let state = self.ended(key).await;
        assert!(state.is_none(), "seed {}: {:?}", self.seed, state.map(|s| s.operation));
    }

    /// Waits for a status, as it shows between operations.
    pub async fn shows(&self, key: &ClusterKey, status: ClusterStatus) -> ClusterState {
        for _ in 0..600 {
            let state = self.service.state(key).await.unwrap();
            if state.status == status {
                return state;
            }
            self.pass(1).await;
        }
        panic!("seed {}: not {status:?} but {:?}", self.seed, self.service.state(key).await.unwrap().status);
    }

    pub async fn condition(&self, key: &ClusterKey, kind: ClusterConditionKind) -> ClusterCondition {
        let state = self.service.state(key).await.unwrap();
        state.conditions.iter().find(|c| c.kind == kind).cloned().unwrap_or_else(|| panic!("{:?}", state.conditions))
    }

    pub async fn events(&self, key: &ClusterKey) -> Vec<String> {
        let events = self.service.store().events(key, 0, usize::MAX).await.unwrap();
        events.into_iter().map(|(_, e)| format!("{}: {}", e.reason, e.message)).collect()
    }

    /// The VMs that the service's clusters have, by node.
    pub fn vms(&self, cluster: &str) -> Vec<VmRef> {
        self.world.read(|s| {
            s.vc.vms.values().filter(|v| v.cluster.as_deref() == Some(cluster)).map(|v| v.moref.clone()).collect()
        })
    }

    pub fn kill_and_lose(&self, system: System, method: &str) -> u64 {
        self.rule(FaultRule::new(system, method, Effect::LoseRequest).times(1))
    }

    /// Nothing of others was touched.
    pub fn nothing_touched(&self) {
        let trespasses = self.world.trespasses();
        assert!(trespasses.is_empty(), "seed {}: {trespasses:#?}", self.seed);
    }

    /// Deletes every cluster; nothing of the service is left, and nothing of others was touched.
    pub async fn end(mut self) {
        let wrong = howdah_sim::ending::clear(&mut self.service).await;
        assert!(wrong.is_empty(), "seed {}: {wrong:#?}", self.seed);
    }
}
