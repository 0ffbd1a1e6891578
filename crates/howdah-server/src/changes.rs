//! Who waits for a cluster to change is told when the store has changed it: a store around the
//! store. Invariant: a signal carries no data and may be lost in a burst; whoever gets one reads
//! the present state.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use howdah_core::cluster::{ClusterRecord, ClusterState, Event, OperationRequest, Registration, Secrets, Wanted};
use howdah_core::ids::{ClusterId, ProjectId, SiteName};
use howdah_core::traits::{Remote, Store};
use tokio::sync::watch;

/// The waiting.
#[derive(Debug, Default)]
pub struct Changes {
    by_cluster: Mutex<HashMap<ClusterId, watch::Sender<u64>>>,
}

impl Changes {
    /// From now on each change marks the receiver as changed.
    pub fn subscribe(&self, id: ClusterId) -> watch::Receiver<u64> {
        let mut by_cluster = self.by_cluster.lock().unwrap_or_else(PoisonError::into_inner);
        by_cluster.entry(id).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    fn announce(&self, id: &ClusterId) {
        let mut by_cluster = self.by_cluster.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = by_cluster.get(id) {
            if sender.receiver_count() == 0 {
                by_cluster.remove(id);
            } else {
                sender.send_modify(|n| *n += 1);
            }
        }
    }
}

/// A store that announces its changes.
pub struct AnnouncingStore {
    inner: Arc<dyn Store>,
    changes: Arc<Changes>,
}

impl AnnouncingStore {
    /// Around a store.
    pub fn new(inner: Arc<dyn Store>, changes: Arc<Changes>) -> Self {
        Self { inner, changes }
    }
}

#[async_trait]
impl Store for AnnouncingStore {
    async fn insert(&self, record: &ClusterRecord, secrets: &Secrets) -> Remote<()> {
        self.inner.insert(record, secrets).await.inspect(|()| self.changes.announce(&record.id))
    }

    async fn load(&self, id: &ClusterId) -> Remote<Option<(ClusterRecord, ClusterState)>> {
        self.inner.load(id).await
    }

    async fn list(&self, project: Option<&ProjectId>) -> Remote<Vec<(ClusterRecord, ClusterState)>> {
        self.inner.list(project).await
    }

    async fn want(&self, id: &ClusterId, wanted: Wanted, operation: &OperationRequest) -> Remote<()> {
        self.inner.want(id, wanted, operation).await.inspect(|()| self.changes.announce(id))
    }

    async fn save(&self, id: &ClusterId, state: &ClusterState, events: &[Event]) -> Remote<()> {
        self.inner.save(id, state, events).await.inspect(|()| self.changes.announce(id))
    }

    async fn add_events(&self, id: &ClusterId, events: &[Event]) -> Remote<()> {
        self.inner.add_events(id, events).await.inspect(|()| self.changes.announce(id))
    }

    async fn remove(&self, id: &ClusterId, events: &[Event]) -> Remote<()> {
        self.inner.remove(id, events).await.inspect(|()| self.changes.announce(id))
    }

    async fn secrets(&self, id: &ClusterId) -> Remote<Secrets> {
        self.inner.secrets(id).await
    }

    async fn forget_secrets(&self, id: &ClusterId) -> Remote<()> {
        self.inner.forget_secrets(id).await
    }

    async fn events(&self, id: &ClusterId, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>> {
        self.inner.events(id, after, limit).await
    }

    async fn registrations(&self, site: &SiteName) -> Remote<Vec<Registration>> {
        self.inner.registrations(site).await
    }

    async fn own_registration(&self, site: &SiteName, registration: &Registration) -> Remote<()> {
        self.inner.own_registration(site, registration).await
    }

    async fn disown_registration(&self, site: &SiteName, name: &str) -> Remote<()> {
        self.inner.disown_registration(site, name).await
    }

    async fn put_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<()> {
        self.inner.put_capability(id, hash).await
    }

    async fn has_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<bool> {
        self.inner.has_capability(id, hash).await
    }
}
