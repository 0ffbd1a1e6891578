//! The simulated cluster manager as core's `ClusterManager`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{ClusterName, TaskId};
use howdah_core::systems::Remote;
use howdah_core::systems::manager::ClusterManager;
use howdah_core::systems::manager::{
    Catalog, Demand, ManagedChange, ManagedCluster, ManagedSpec, ManagedTask, RegisteredNetwork, ResourcePool,
    Unregistered,
};
use howdah_serengeti::client::translate;
use howdah_serengeti::{Body, Rules};
use serde_json::Value;

use super::call_now;
use crate::World;
use crate::face::serengeti::{show, take};
use crate::world::bde::{Bde, BdeCluster, BdeNetwork, BdePool, BdeTask, ClusterAction, ClusterRequest};
use crate::world::bde_error::BdeError;

/// Core's view of the simulated cluster manager.
#[derive(Debug, Clone)]
pub struct SimClusterManager(World);

impl SimClusterManager {
    /// Over a world.
    pub const fn new(world: World) -> Self {
        Self(world)
    }

    async fn call<T: Send + 'static>(
        &self,
        method: &str,
        object: &str,
        work: impl FnOnce(&World) -> Remote<T> + Send + 'static,
    ) -> Remote<T> {
        call_now(&self.0, System::Bde, method, object, work).await
    }
}

/// The answer that the simulated appliance gives, as the production client understands it.
fn managed(bde: &Bde, cluster: &BdeCluster) -> Remote<ManagedCluster> {
    Ok(translate::cluster(show::cluster(bde, cluster), "look at the cluster")?)
}

fn managed_task(task: &BdeTask) -> ManagedTask {
    translate::task(task_id(task.id), show::task(task))
}

/// The request that the production client would send.
fn request(spec: &ManagedSpec) -> Remote<ClusterRequest> {
    let body = Value::Object(built(spec)?.fields);
    let wrong = |e: serde_json::Error| {
        RemoteError::new(System::Bde, ErrorKind::Invalid, "bde_refused", "the body makes no sense").caused_by(e)
    };
    serde_json::from_value(body).map(take::cluster).map_err(wrong)
}

fn pool(pool: &BdePool) -> ResourcePool {
    ResourcePool { name: pool.name.clone(), cluster: pool.vc_cluster.clone() }
}

fn built(spec: &ManagedSpec) -> Remote<Body> {
    Body::build(spec, &Rules::default()).map_err(|refusal| howdah_serengeti::Error::from(refusal).into())
}

fn task_id(id: i64) -> TaskId {
    TaskId::new(id.to_string())
}

#[async_trait]
impl ClusterManager for SimClusterManager {
    async fn version(&self) -> Remote<String> {
        self.call("version", "", |w| Ok(w.read(|s| s.bde.version.clone()))).await
    }

    async fn catalog(&self, app_manager: Option<&str>) -> Remote<Catalog> {
        let manager = app_manager.unwrap_or("Default").to_owned();
        let object = manager.clone();
        let look = move |w: &World| {
            w.read(|s| {
                let distros = s.bde.managers.get(&manager).into_iter().flat_map(|m| &m.distros);
                Ok(Catalog {
                    distros: distros.map(|d| d.name.clone()).collect(),
                    resource_pools: s.bde.pools.values().map(pool).collect(),
                    datastores: s.bde.datastores.keys().cloned().collect(),
                    app_managers: s.bde.managers.keys().cloned().collect(),
                })
            })
        };
        self.call("catalog", &object, look).await
    }

    fn demand(&self, spec: &ManagedSpec) -> Remote<Demand> {
        Ok(built(spec)?.demand)
    }

    async fn networks(&self) -> Remote<Vec<RegisteredNetwork>> {
        let look = |w: &World| {
            w.read(|s| {
                let shown = s.bde.networks.values().map(|n| RegisteredNetwork {
                    name: n.name.clone(),
                    port_group: n.port_group.clone(),
                    dhcp: n.fixed.is_none(),
                });
                Ok(shown.collect())
            })
        };
        self.call("networks", "", look).await
    }

    async fn register_network(&self, network: &RegisteredNetwork) -> Remote<()> {
        let add = BdeNetwork::dhcp(&network.name, &network.port_group);
        let add = move |w: &World| Ok(w.bde_add_network(add)?);
        self.call("register_network", &network.name, add).await
    }

    async fn unregister_network(&self, name: &str) -> Remote<Unregistered> {
        let registered = name.to_owned();
        let remove = move |w: &World| match w.bde_remove_network(&registered) {
            Ok(()) => Ok(Unregistered::Removed),
            Err(BdeError::NotFound { .. }) => Ok(Unregistered::Absent),
            Err(BdeError::Other { code: "NETWORK.NETWORK_IN_USE", .. }) => Ok(Unregistered::InUse),
            Err(e) => Err(e.into()),
        };
        self.call("unregister_network", name, remove).await
    }

    async fn cluster(&self, name: &ClusterName) -> Remote<Option<ManagedCluster>> {
        let wanted = name.clone();
        let look =
            move |w: &World| w.read(|s| s.bde.clusters.get(wanted.as_str()).map(|c| managed(&s.bde, c)).transpose());
        self.call("cluster", name.as_str(), look).await
    }

    async fn clusters(&self) -> Remote<BTreeMap<String, ManagedCluster>> {
        let look = |w: &World| {
            w.read(|s| s.bde.clusters.iter().map(|(name, c)| Ok((name.clone(), managed(&s.bde, c)?))).collect())
        };
        self.call("clusters", "", look).await
    }

    async fn create_cluster(&self, spec: &ManagedSpec) -> Remote<TaskId> {
        let request = request(spec)?;
        self.call("create_cluster", spec.name.as_str(), move |w| Ok(task_id(w.bde_create(request)?))).await
    }

    async fn change_cluster(&self, name: &ClusterName, change: ManagedChange) -> Remote<TaskId> {
        let action = match change {
            ManagedChange::Start => ClusterAction::Start,
            ManagedChange::Stop => ClusterAction::Stop,
            ManagedChange::Resume => ClusterAction::Resume,
        };
        let target = name.clone();
        self.call("change_cluster", name.as_str(), move |w| Ok(task_id(w.bde_action(target.as_str(), action)?))).await
    }

    async fn delete_cluster(&self, name: &ClusterName) -> Remote<Option<TaskId>> {
        let target = name.clone();
        let delete = move |w: &World| match w.bde_delete(target.as_str()) {
            Ok(task) => Ok(Some(task_id(task))),
            Err(BdeError::NotFound { .. }) => Ok(None),
            Err(e) => Err(e.into()),
        };
        self.call("delete_cluster", name.as_str(), delete).await
    }

    async fn task(&self, task: &TaskId) -> Remote<Option<ManagedTask>> {
        let wanted = task.clone();
        let look = move |w: &World| {
            let id: i64 = wanted.as_str().parse().unwrap_or(-1);
            Ok(w.read(|s| s.bde.tasks.get(&id).map(managed_task)))
        };
        self.call("task", task.as_str(), look).await
    }

    async fn tasks(&self) -> Remote<Vec<ManagedTask>> {
        let look = |w: &World| Ok(w.bde_tasks().iter().map(managed_task).collect());
        self.call("tasks", "", look).await
    }
}
