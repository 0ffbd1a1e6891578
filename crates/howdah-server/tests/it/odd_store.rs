//! A store around a store that is slow, or refuses, as a test says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use howdah_core::document::{Row, SiteKind};
use howdah_core::event::Event;
use howdah_core::failure::RemoteError;
use howdah_core::ids::{ClusterId, ClusterKey, ProjectId, SiteName};
use howdah_core::store::{Change, Page, Store, Trace};
use howdah_core::systems::Remote;
use howdah_core::usage::Usage;
use howdah_core::wanted::{ClusterRecord, Secrets};

/// What becomes of a change.
type Fault = Box<dyn Fn(&Change<'_>) -> Option<RemoteError> + Send + Sync>;

pub struct OddStore {
    inner: Arc<dyn Store>,
    /// How long each write takes, before its effect and again after it.
    slow: Duration,
    fault: Mutex<Fault>,
    /// How often clusters were looked at.
    pub looks: AtomicUsize,
}

impl OddStore {
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, slow: Duration::ZERO, fault: Mutex::new(Box::new(|_| None)), looks: AtomicUsize::new(0) }
    }

    pub fn slow(inner: Arc<dyn Store>, slow: Duration) -> Self {
        Self { slow, ..Self::new(inner) }
    }

    pub fn fault(&self, fault: impl Fn(&Change<'_>) -> Option<RemoteError> + Send + Sync + 'static) {
        *self.fault.lock().unwrap() = Box::new(fault);
    }
}

#[async_trait]
impl Store for OddStore {
    async fn write(&self, change: Change<'_>) -> Remote<()> {
        tokio::time::sleep(self.slow).await;
        self.fault.lock().unwrap()(&change).map_or(Ok(()), Err)?;
        let done = self.inner.write(change).await;
        tokio::time::sleep(self.slow).await;
        done
    }
    async fn load(&self, key: &ClusterKey) -> Remote<Option<Row>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.load(key).await
    }
    async fn wanted(&self, key: &ClusterKey) -> Remote<Option<ClusterRecord>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.wanted(key).await
    }
    async fn list(&self, project: Option<&ProjectId>, page: Page<'_>) -> Remote<Vec<Row>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.list(project, page).await
    }
    async fn traces(&self, id: &ClusterId) -> Remote<Vec<Trace>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
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
