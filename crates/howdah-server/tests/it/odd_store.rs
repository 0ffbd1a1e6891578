//! A store around a store that is slow, or refuses, as a test says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use howdah_core::document::Row;
use howdah_core::event::Event;
use howdah_core::failure::RemoteError;
use howdah_core::ids::{ClusterId, ClusterKey, OperationId, ProjectId, SiteName};
use howdah_core::known::ClusterState;
use howdah_core::site::registrar::Registration;
use howdah_core::store::{Page, Store, Trace};
use howdah_core::systems::Remote;
use howdah_core::wanted::{ClusterRecord, Goal, OperationRequest, Secrets};

/// What becomes of a call, by its name.
type Fault = Box<dyn Fn(&'static str) -> Option<RemoteError> + Send + Sync>;

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

    pub fn fault(&self, fault: impl Fn(&'static str) -> Option<RemoteError> + Send + Sync + 'static) {
        *self.fault.lock().unwrap() = Box::new(fault);
    }

    fn meets(&self, call: &'static str) -> Remote<()> {
        self.fault.lock().unwrap()(call).map_or(Ok(()), Err)
    }

    async fn write<T>(&self, call: &'static str, work: impl Future<Output = Remote<T>>) -> Remote<T> {
        tokio::time::sleep(self.slow).await;
        self.meets(call)?;
        let done = work.await;
        tokio::time::sleep(self.slow).await;
        done
    }
}

#[async_trait]
impl Store for OddStore {
    async fn insert(&self, record: &ClusterRecord, secrets: &Secrets, events: &[Event]) -> Remote<()> {
        self.write("insert", self.inner.insert(record, secrets, events)).await
    }
    async fn load(&self, key: &ClusterKey) -> Remote<Option<Row>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.load(key).await
    }
    async fn wanted(&self, key: &ClusterKey) -> Remote<Option<ClusterRecord>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.wanted(key).await
    }
    async fn find(&self, id: &ClusterId) -> Remote<Vec<ClusterKey>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.find(id).await
    }
    async fn traces(&self, id: &ClusterId) -> Remote<Vec<Trace>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.traces(id).await
    }
    async fn list(&self, project: Option<&ProjectId>, page: Page<'_>) -> Remote<Vec<Row>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.list(project, page).await
    }
    async fn want(&self, key: &ClusterKey, seen: &OperationId, goal: Goal, op: &OperationRequest) -> Remote<()> {
        self.write("want", self.inner.want(key, seen, goal, op)).await
    }
    async fn save(&self, key: &ClusterKey, state: &ClusterState, events: &[Event]) -> Remote<()> {
        self.write("save", self.inner.save(key, state, events)).await
    }
    async fn add_events(&self, key: &ClusterKey, events: &[Event]) -> Remote<()> {
        self.write("add_events", self.inner.add_events(key, events)).await
    }
    async fn remove(&self, key: &ClusterKey, events: &[Event]) -> Remote<()> {
        self.write("remove", self.inner.remove(key, events)).await
    }
    async fn secrets(&self, key: &ClusterKey) -> Remote<Secrets> {
        self.inner.secrets(key).await
    }
    async fn forget_secrets(&self, key: &ClusterKey) -> Remote<()> {
        self.write("forget_secrets", self.inner.forget_secrets(key)).await
    }
    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>> {
        self.inner.events(key, after, limit).await
    }
    async fn registrations(&self, site: &SiteName) -> Remote<Vec<Registration>> {
        self.inner.registrations(site).await
    }
    async fn save_registration(&self, site: &SiteName, registration: &Registration) -> Remote<()> {
        self.write("save_registration", self.inner.save_registration(site, registration)).await
    }
    async fn remove_registration(&self, site: &SiteName, name: &str) -> Remote<()> {
        self.write("remove_registration", self.inner.remove_registration(site, name)).await
    }
    async fn put_capability(&self, key: &ClusterKey, hash: &[u8; 32]) -> Remote<()> {
        self.write("put_capability", self.inner.put_capability(key, hash)).await
    }
    async fn by_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<Option<ClusterKey>> {
        self.inner.by_capability(id, hash).await
    }
    async fn try_write(&self) -> Remote<()> {
        self.write("try_write", self.inner.try_write()).await
    }
}
