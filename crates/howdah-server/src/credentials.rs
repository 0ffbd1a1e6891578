//! A cluster manager that uses the credentials of one cluster's template, if it has any.
//!
//! Invariant: it uses the operator's account only if the template is known to have no credentials. While
//! the cluster's secrets are unreadable, every call is refused (`secrets_unreadable`), and the next call
//! reads them again.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use howdah_core::ids::{ClusterKey, ClusterName, TaskId};
use howdah_core::store::Store;
use howdah_core::systems::Remote;
use howdah_core::systems::manager::ClusterManager;
use howdah_core::systems::manager::{
    Catalog, Demand, ManagedChange, ManagedCluster, ManagedSpec, ManagedTask, RegisteredNetwork, Unregistered,
};
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

    fn demand(&self, spec: &ManagedSpec) -> Remote<Demand> {
        // This makes no call, and the site's rules apply to all credentials.
        self.operators.demand(spec)
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

    async fn clusters(&self) -> Remote<BTreeMap<String, ManagedCluster>> {
        self.manager().await?.clusters().await
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

#[cfg(test)]
mod tests {
    use howdah_core::failure::{ErrorKind, RemoteError, System};
    use howdah_core::ids::{ClusterId, ProjectId};
    use howdah_core::wanted::Secrets;
    use howdah_store::MemoryStore;

    use super::*;

    /// Answers with a version and refuses other calls.
    struct Named(&'static str);

    fn refuse<T>() -> Remote<T> {
        Err(RemoteError::new(System::Bde, ErrorKind::Invalid, "refused", "no"))
    }

    #[async_trait]
    impl ClusterManager for Named {
        async fn version(&self) -> Remote<String> {
            Ok(self.0.to_owned())
        }
        async fn catalog(&self, _: Option<&str>) -> Remote<Catalog> {
            refuse()
        }
        fn demand(&self, _: &ManagedSpec) -> Remote<Demand> {
            refuse()
        }
        async fn networks(&self) -> Remote<Vec<RegisteredNetwork>> {
            refuse()
        }
        async fn register_network(&self, _: &RegisteredNetwork) -> Remote<()> {
            refuse()
        }
        async fn unregister_network(&self, _: &str) -> Remote<Unregistered> {
            refuse()
        }
        async fn cluster(&self, _: &ClusterName) -> Remote<Option<ManagedCluster>> {
            refuse()
        }
        async fn clusters(&self) -> Remote<BTreeMap<String, ManagedCluster>> {
            refuse()
        }
        async fn create_cluster(&self, _: &ManagedSpec) -> Remote<TaskId> {
            refuse()
        }
        async fn change_cluster(&self, _: &ClusterName, _: ManagedChange) -> Remote<TaskId> {
            refuse()
        }
        async fn delete_cluster(&self, _: &ClusterName) -> Remote<Option<TaskId>> {
            refuse()
        }
        async fn task(&self, _: &TaskId) -> Remote<Option<ManagedTask>> {
            refuse()
        }
        async fn tasks(&self) -> Remote<Vec<ManagedTask>> {
            refuse()
        }
    }

    async fn store(credentials: Option<(String, secrecy::SecretString)>) -> (Arc<MemoryStore>, ClusterKey) {
        let text = r#"{"id": "00000000-0000-0000-0000-000000000001", "site": "main", "project": "p1", "name": "c",
            "spec": {"distro": "apache",
                "network": {"id": "n", "name": "n", "project": "p1", "external": false},
                "subnet": {"id": "s", "name": "s", "network": "n", "cidr": "10.0.0.0/24", "ip_version": 4,
                    "dhcp": true, "capacity": 9, "used": 0}},
            "shape": {"generation": 1, "goal": "running"}, "created": "2026-01-02T03:04:05Z",
            "operation": {"id": "00000000-0000-0000-0000-000000000002", "kind": "create",
                "requested": "2026-01-02T03:04:05Z"}}"#;
        let record: howdah_core::wanted::ClusterRecord = serde_json::from_str(text).unwrap();
        let store = Arc::new(MemoryStore::new());
        store.insert(&record, &Secrets { credentials, ..Secrets::default() }, &[]).await.unwrap();
        let key = ClusterKey { project: ProjectId::new("p1"), id: ClusterId(uuid::Uuid::from_u128(1)) };
        (store, key)
    }

    fn manager(store: &Arc<MemoryStore>, key: &ClusterKey, make: ManagerAs) -> OwnCredentials {
        OwnCredentials::new(key.clone(), store.clone(), Arc::new(Named("the operator's")), make)
    }

    fn tenants() -> ManagerAs {
        Arc::new(|user, _| {
            assert_eq!(user, "tenant");
            Ok(Arc::new(Named("the tenant's")))
        })
    }

    #[tokio::test]
    async fn secrets_that_cannot_be_read_never_lead_to_the_operators_account() {
        let (store, key) = store(Some(("tenant".into(), "x".into()))).await;
        store.set_secrets_unreadable(&key, true);
        let manager = manager(&store, &key, tenants());
        for _ in 0..3 {
            let error = manager.version().await.unwrap_err();
            assert_eq!(
                (error.system, error.kind, error.code),
                (System::Store, ErrorKind::Unavailable, "secrets_unreadable")
            );
        }
        store.set_secrets_unreadable(&key, false);
        assert_eq!(manager.version().await.unwrap(), "the tenant's");
        // Cached from now on.
        store.set_secrets_unreadable(&key, true);
        assert_eq!(manager.version().await.unwrap(), "the tenant's");
    }

    #[tokio::test]
    async fn a_client_that_cannot_be_made_is_an_error() {
        let (store, key) = store(Some(("tenant".into(), "x".into()))).await;
        let error = manager(&store, &key, Arc::new(|_, _| refuse())).version().await.unwrap_err();
        assert_eq!(error.code, "refused");
    }

    #[tokio::test]
    async fn a_template_without_credentials_is_the_operators() {
        let (store, key) = store(None).await;
        assert_eq!(manager(&store, &key, tenants()).version().await.unwrap(), "the operator's");
    }
}
