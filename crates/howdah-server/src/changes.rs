//! Notifies subscribers of changed clusters and updates the counts: a decorator of the store. Invariant: a
//! signal carries no data and may be lost in a burst; a subscriber reads the current state.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use howdah_core::document::{Row, SiteKind};
use howdah_core::event::Event;
use howdah_core::ids::{ClusterId, ClusterKey, ProjectId, SiteName};
use howdah_core::store::{Change, Page, Store, Trace};
use howdah_core::systems::Remote;
use howdah_core::usage::Usage;
use howdah_core::wanted::{ClusterRecord, Secrets};
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
    async fn write(&self, change: Change<'_>) -> Remote<()> {
        self.inner.write(change).await?;
        match change {
            Change::Insert { record, .. } => self.tally.inserted(record),
            Change::Want { key, operation, .. } => self.tally.wanted(key, operation),
            Change::Save { key, state, .. } => self.tally.saved(key, state),
            Change::Remove { key, .. } => self.tally.removed(key),
            Change::AddEvents { .. } => {}
            // Nobody is shown these.
            Change::ForgetSecrets { .. } | Change::PutCapability { .. } | Change::SiteDocument { .. } | Change::Try => {
                return Ok(());
            }
        }
        if let Some(key) = change.key() {
            self.changes.announce(&key);
        }
        Ok(())
    }

    async fn load(&self, key: &ClusterKey) -> Remote<Option<Row>> {
        self.inner.load(key).await
    }

    async fn wanted(&self, key: &ClusterKey) -> Remote<Option<ClusterRecord>> {
        self.inner.wanted(key).await
    }

    async fn list(&self, project: Option<&ProjectId>, page: Page<'_>) -> Remote<Vec<Row>> {
        let changes = self.tally.changes();
        let rows = self.inner.list(project, page).await?;
        if project.is_none() && page == Page::WHOLE {
            self.tally.listed(changes, &rows);
        }
        Ok(rows)
    }

    async fn traces(&self, id: &ClusterId) -> Remote<Vec<Trace>> {
        self.inner.traces(id).await
    }

    async fn usage_beside(&self, key: &ClusterKey) -> Remote<Usage> {
        self.inner.usage_beside(key).await
    }

    async fn secrets(&self, key: &ClusterKey) -> Remote<Secrets> {
        self.inner.secrets(key).await
    }

    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>> {
        self.inner.events(key, after, limit).await
    }

    async fn by_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<Option<ClusterKey>> {
        self.inner.by_capability(id, hash).await
    }

    async fn site_documents(&self, site: &SiteName, kind: &SiteKind) -> Remote<Vec<(String, String)>> {
        self.inner.site_documents(site, kind).await
    }
}
