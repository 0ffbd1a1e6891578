//! A decorator of a store that fails on request: like a service that is killed at a chosen write, or like a
//! disk that is full for a while. Until then it only delegates.
//!
//! ```text
//!   crash_after(n): n writes pass --> the next one and everything after it fail, until `revive`
//!   fail_writes(true): every write is refused, reads go on, until `fail_writes(false)`
//! ```

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use howdah_core::document::Row;
use howdah_core::event::Event;
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{ClusterId, ClusterKey, OperationId, ProjectId, SiteName};
use howdah_core::known::ClusterState;
use howdah_core::site::registrar::Registration;
use howdah_core::store::{Page, Store, Trace};
use howdah_core::systems::Remote;
use howdah_core::wanted::{ClusterRecord, Goal, OperationRequest, Secrets};
use tokio::sync::watch;

/// No crash is planned.
const NEVER: u64 = u64::MAX;

/// A store that can fail.
#[derive(Debug)]
pub struct Crashing<S> {
    inner: S,
    writes: AtomicU64,
    crash_at: AtomicU64,
    refuses: AtomicBool,
    down: watch::Sender<bool>,
}

fn refused(code: &'static str, message: &str) -> RemoteError {
    RemoteError::new(System::Store, ErrorKind::Unavailable, code, message)
}

impl<S: Store> Crashing<S> {
    /// One that works so far.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            writes: AtomicU64::new(0),
            crash_at: AtomicU64::new(NEVER),
            refuses: AtomicBool::new(false),
            down: watch::Sender::new(false),
        }
    }

    /// The store itself: for what a test puts into it past all faults.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Writes so far.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// The store goes down instead of taking the write after so many more.
    pub fn crash_after(&self, writes: u64) {
        self.crash_at.store(self.writes() + writes, Ordering::SeqCst);
    }

    /// Ends when the store has gone down.
    pub async fn crashed(&self) {
        let mut down = self.down.subscribe();
        // The sender lives in `self`.
        let _ = down.wait_for(|d| *d).await;
    }

    /// The store is up again, with what was written before it went down.
    pub fn revive(&self) {
        self.crash_at.store(NEVER, Ordering::SeqCst);
        self.down.send_replace(false);
    }

    /// From now on every write is refused, as on a full disk; or no longer.
    pub fn fail_writes(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }

    /// Everything that was ever put into an event, a record or a state, as JSON text: to be
    /// searched for what must not be there.
    pub async fn text(&self) -> String {
        let mut found = vec![];
        for row in self.inner.list(None, Page::WHOLE).await.unwrap_or_default() {
            let events = self.inner.events(&row.key(), 0, usize::MAX).await.unwrap_or_default();
            found.push(serde_json::json!({ "cluster": row.cluster(), "events": events }));
        }
        serde_json::Value::from(found).to_string()
    }

    fn up(&self) -> Remote<&S> {
        if *self.down.borrow() {
            return Err(refused("store_unreachable", "the store is down"));
        }
        Ok(&self.inner)
    }

    fn writing(&self) -> Remote<&S> {
        self.up()?;
        if self.refuses.load(Ordering::SeqCst) {
            return Err(refused("store_full", "the disk is full"));
        }
        if self.writes() >= self.crash_at.load(Ordering::SeqCst) {
            self.down.send_replace(true);
            return Err(refused("store_unreachable", "the store went down"));
        }
        self.writes.fetch_add(1, Ordering::SeqCst);
        Ok(&self.inner)
    }
}

#[async_trait]
impl<S: Store> Store for Crashing<S> {
    async fn insert(&self, record: &ClusterRecord, secrets: &Secrets, events: &[Event]) -> Remote<()> {
        self.writing()?.insert(record, secrets, events).await
    }

    async fn load(&self, key: &ClusterKey) -> Remote<Option<Row>> {
        self.up()?.load(key).await
    }

    async fn wanted(&self, key: &ClusterKey) -> Remote<Option<ClusterRecord>> {
        self.up()?.wanted(key).await
    }

    async fn find(&self, id: &ClusterId) -> Remote<Vec<ClusterKey>> {
        self.up()?.find(id).await
    }

    async fn traces(&self, id: &ClusterId) -> Remote<Vec<Trace>> {
        self.up()?.traces(id).await
    }

    async fn list(&self, project: Option<&ProjectId>, page: Page<'_>) -> Remote<Vec<Row>> {
        self.up()?.list(project, page).await
    }

    async fn want(&self, key: &ClusterKey, seen: &OperationId, goal: Goal, operation: &OperationRequest) -> Remote<()> {
        self.writing()?.want(key, seen, goal, operation).await
    }

    async fn save(&self, key: &ClusterKey, state: &ClusterState, events: &[Event]) -> Remote<()> {
        self.writing()?.save(key, state, events).await
    }

    async fn add_events(&self, key: &ClusterKey, events: &[Event]) -> Remote<()> {
        self.writing()?.add_events(key, events).await
    }

    async fn remove(&self, key: &ClusterKey, events: &[Event]) -> Remote<()> {
        self.writing()?.remove(key, events).await
    }

    async fn secrets(&self, key: &ClusterKey) -> Remote<Secrets> {
        self.up()?.secrets(key).await
    }

    async fn forget_secrets(&self, key: &ClusterKey) -> Remote<()> {
        self.writing()?.forget_secrets(key).await
    }

    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>> {
        self.up()?.events(key, after, limit).await
    }

    async fn registrations(&self, site: &SiteName) -> Remote<Vec<Registration>> {
        self.up()?.registrations(site).await
    }

    async fn save_registration(&self, site: &SiteName, registration: &Registration) -> Remote<()> {
        self.writing()?.save_registration(site, registration).await
    }

    async fn remove_registration(&self, site: &SiteName, name: &str) -> Remote<()> {
        self.writing()?.remove_registration(site, name).await
    }

    async fn put_capability(&self, key: &ClusterKey, hash: &[u8; 32]) -> Remote<()> {
        self.writing()?.put_capability(key, hash).await
    }

    async fn by_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<Option<ClusterKey>> {
        self.up()?.by_capability(id, hash).await
    }

    async fn try_write(&self) -> Remote<()> {
        self.writing()?.try_write().await
    }
}
