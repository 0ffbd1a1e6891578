//! Notifies subscribers of changed clusters and updates the counts: a decorator of the store. Invariant: a
//! signal carries no data and may be lost in a burst; a subscriber reads the current state.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use howdah_core::document::Row;
use howdah_core::event::Event;
use howdah_core::ids::{ClusterId, ClusterKey, OperationId, ProjectId, SiteName};
use howdah_core::known::ClusterState;
use howdah_core::site::registrar::Registration;
use howdah_core::store::{Page, Store, Trace};
use howdah_core::systems::Remote;
use howdah_core::wanted::{ClusterRecord, Goal, OperationRequest, Secrets};
use tokio::sync::watch;

use crate::tally::Tally;

/// The subscribers.
#[derive(Debug, Default)]
pub struct Changes {
    by_cluster: Mutex<HashMap<ClusterKey, watch::Sender<u64>>>,
}

impl Changes {
    /// Subscribes: from now on each change marks the receiver as changed.
    pub fn subscribe(&self, key: ClusterKey) -> watch::Receiver<u64> {
        let mut by_cluster = self.by_cluster.lock().unwrap_or_else(PoisonError::into_inner);
        by_cluster.entry(key).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    fn announce(&self, key: &ClusterKey) {
        let mut by_cluster = self.by_cluster.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = by_cluster.get(key) {
            if sender.receiver_count() == 0 {
                by_cluster.remove(key);
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
    tally: Arc<Tally>,
}

impl AnnouncingStore {
    /// Decorates a store.
    pub fn new(inner: Arc<dyn Store>, changes: Arc<Changes>, tally: Arc<Tally>) -> Self {
        Self { inner, changes, tally }
    }
}

#[async_trait]
impl Store for AnnouncingStore {
    async fn insert(&self, record: &ClusterRecord, secrets: &Secrets, events: &[Event]) -> Remote<()> {
        self.inner.insert(record, secrets, events).await.inspect(|()| {
            self.tally.inserted(record);
            self.changes.announce(&record.key());
        })
    }

    async fn load(&self, key: &ClusterKey) -> Remote<Option<Row>> {
        self.inner.load(key).await
    }

    async fn wanted(&self, key: &ClusterKey) -> Remote<Option<ClusterRecord>> {
        self.inner.wanted(key).await
    }

    async fn find(&self, id: &ClusterId) -> Remote<Vec<ClusterKey>> {
        self.inner.find(id).await
    }

    async fn traces(&self, id: &ClusterId) -> Remote<Vec<Trace>> {
        self.inner.traces(id).await
    }

    async fn list(&self, project: Option<&ProjectId>, page: Page<'_>) -> Remote<Vec<Row>> {
        let changes = self.tally.changes();
        let rows = self.inner.list(project, page).await?;
        if project.is_none() && page == Page::WHOLE {
            self.tally.listed(changes, &rows);
        }
        Ok(rows)
    }

    async fn want(&self, key: &ClusterKey, seen: &OperationId, goal: Goal, operation: &OperationRequest) -> Remote<()> {
        self.inner.want(key, seen, goal, operation).await.inspect(|()| {
            self.tally.wanted(key, operation);
            self.changes.announce(key);
        })
    }

    async fn save(&self, key: &ClusterKey, state: &ClusterState, events: &[Event]) -> Remote<()> {
        self.inner.save(key, state, events).await.inspect(|()| {
            self.tally.saved(key, state);
            self.changes.announce(key);
        })
    }

    async fn add_events(&self, key: &ClusterKey, events: &[Event]) -> Remote<()> {
        self.inner.add_events(key, events).await.inspect(|()| self.changes.announce(key))
    }

    async fn remove(&self, key: &ClusterKey, events: &[Event]) -> Remote<()> {
        self.inner.remove(key, events).await.inspect(|()| {
            self.tally.removed(key);
            self.changes.announce(key);
        })
    }

    async fn secrets(&self, key: &ClusterKey) -> Remote<Secrets> {
        self.inner.secrets(key).await
    }

    async fn forget_secrets(&self, key: &ClusterKey) -> Remote<()> {
        self.inner.forget_secrets(key).await
    }

    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>> {
        self.inner.events(key, after, limit).await
    }

    async fn registrations(&self, site: &SiteName) -> Remote<Vec<Registration>> {
        self.inner.registrations(site).await
    }

    async fn save_registration(&self, site: &SiteName, registration: &Registration) -> Remote<()> {
        self.inner.save_registration(site, registration).await
    }

    async fn remove_registration(&self, site: &SiteName, name: &str) -> Remote<()> {
        self.inner.remove_registration(site, name).await
    }

    async fn put_capability(&self, key: &ClusterKey, hash: &[u8; 32]) -> Remote<()> {
        self.inner.put_capability(key, hash).await
    }

    async fn by_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<Option<ClusterKey>> {
        self.inner.by_capability(id, hash).await
    }

    async fn try_write(&self) -> Remote<()> {
        self.inner.try_write().await
    }
}
