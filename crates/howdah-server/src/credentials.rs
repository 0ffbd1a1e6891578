//! A cluster manager that acts with the credentials of one cluster's template, if it has some.
//!
//! Invariant: the operator's account is used only once it is known that the template brought no
//! credentials. While the cluster's secrets cannot be read, every call is refused
//! (`secrets_unreadable`), and they are read again at the next one.

use std::sync::Arc;

use async_trait::async_trait;
use howdah_core::facts::{
    Catalog, ManagedChange, ManagedCluster, ManagedSpec, ManagedTask, RegisteredNetwork, Unregistered,
};
use howdah_core::ids::{ClusterKey, ClusterName, TaskId};
use howdah_core::traits::{ClusterManager, Remote, Store};
use tokio::sync::OnceCell;

use crate::sites::ManagerAs;

/// The manager of one cluster.
pub(crate) struct OwnCredentials {
    key: ClusterKey,
    store: Arc<dyn Store>,
    operators: Arc<dyn ClusterManager>,
    make: ManagerAs,
    known: OnceCell<Arc<dyn ClusterManager>>,
}

impl OwnCredentials {
    pub(crate) fn new(
        key: ClusterKey,
        store: Arc<dyn Store>,
        operators: Arc<dyn ClusterManager>,
        make: ManagerAs,
    ) -> Self {
        Self { key, store, operators, make, known: OnceCell::new() }
    }

    async fn manager(&self) -> Remote<&Arc<dyn ClusterManager>> {
        let find = async || match self.store.secrets(&self.key).await?.credentials {
            Some((user, password)) => (self.make)(&user, password),
            None => Ok(Arc::clone(&self.operators)),
        };
        self.known.get_or_try_init(find).await
    }
}

#[async_trait]
impl ClusterManager for OwnCredentials {
    async fn version(&self) -> Remote<String> {
        self.manager().await?.version().await
    }

    async fn catalog(&self, app_manager: Option<&str>) -> Remote<Catalog> {
        self.manager().await?.catalog(app_manager).await
    }

    async fn networks(&self) -> Remote<Vec<RegisteredNetwork>> {
        self.manager().await?.networks().await
    }

    async fn register_network(&self, network: &RegisteredNetwork) -> Remote<()> {
        self.manager().await?.register_network(network).await
    }

    async fn unregister_network(&self, name: &str) -> Remote<Unregistered> {
        self.manager().await?.unregister_network(name).await
    }

    async fn cluster(&self, name: &ClusterName) -> Remote<Option<ManagedCluster>> {
        self.manager().await?.cluster(name).await
    }

    async fn create_cluster(&self, spec: &ManagedSpec) -> Remote<TaskId> {
        self.manager().await?.create_cluster(spec).await
    }

    async fn change_cluster(&self, name: &ClusterName, change: ManagedChange) -> Remote<TaskId> {
        self.manager().await?.change_cluster(name, change).await
    }

    async fn delete_cluster(&self, name: &ClusterName) -> Remote<Option<TaskId>> {
        self.manager().await?.delete_cluster(name).await
    }

    async fn task(&self, task: &TaskId) -> Remote<Option<ManagedTask>> {
        self.manager().await?.task(task).await
    }

    async fn tasks(&self) -> Remote<Vec<ManagedTask>> {
        self.manager().await?.tasks().await
    }
}
