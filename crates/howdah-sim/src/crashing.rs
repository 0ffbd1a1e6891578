//! A decorator of a store that fails on request: like a service that is killed at a chosen write, or like a
//! disk that is full for a while. Until then it only delegates.
//!
//! ```text
//!   crash_after(n, Before): n writes pass --> the next one and everything after it fail, until `revive`
//!   crash_after(n, After): the same, but that next one has its effect; only its answer is lost
//!   fail_writes(true): every write is refused, reads go on, until `fail_writes(false)`
//! ```

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use howdah_core::document::{Row, SiteKind};
use howdah_core::event::Event;
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{ClusterId, ClusterKey, ProjectId, SiteName};
use howdah_core::store::{Change, Page, Store, Trace};
use howdah_core::systems::Remote;
use howdah_core::usage::Usage;
use howdah_core::wanted::{ClusterRecord, Secrets};
use tokio::sync::watch;

/// No crash is planned.
const NEVER: u64 = u64::MAX;

/// On which side of its last write a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Before its effect.
    Before,
    /// After its effect, before its answer.
    After,
}

/// A store that can fail.
#[derive(Debug)]
pub struct Crashing<S> {
    inner: S,
    writes: AtomicU64,
    crash_at: AtomicU64,
    has_effect: AtomicBool,
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
            has_effect: AtomicBool::new(false),
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

    /// The store goes down at the write after so many more.
    pub fn crash_after(&self, writes: u64, side: Side) {
        self.has_effect.store(side == Side::After, Ordering::SeqCst);
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

    fn go_down(&self) -> RemoteError {
        self.down.send_replace(true);
        refused("store_unreachable", "the store went down")
    }
}

#[async_trait]
impl<S: Store> Store for Crashing<S> {
    async fn write(&self, change: Change<'_>) -> Remote<()> {
        let inner = self.up()?;
        if self.refuses.load(Ordering::SeqCst) {
            return Err(refused("store_full", "the disk is full"));
        }
        let is_last = self.writes() >= self.crash_at.load(Ordering::SeqCst);
        if is_last && !self.has_effect.load(Ordering::SeqCst) {
            return Err(self.go_down());
        }
        self.writes.fetch_add(1, Ordering::SeqCst);
        let answer = inner.write(change).await;
        if is_last { Err(self.go_down()) } else { answer }
    }

    async fn load(&self, key: &ClusterKey) -> Remote<Option<Row>> {
        self.up()?.load(key).await
    }

    async fn wanted(&self, key: &ClusterKey) -> Remote<Option<ClusterRecord>> {
        self.up()?.wanted(key).await
    }

    async fn list(&self, project: Option<&ProjectId>, page: Page<'_>) -> Remote<Vec<Row>> {
        self.up()?.list(project, page).await
    }

    async fn traces(&self, id: &ClusterId) -> Remote<Vec<Trace>> {
        self.up()?.traces(id).await
    }

    async fn usage_beside(&self, key: &ClusterKey) -> Remote<Usage> {
        self.up()?.usage_beside(key).await
    }

    async fn secrets(&self, key: &ClusterKey) -> Remote<Secrets> {
        self.up()?.secrets(key).await
    }

    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>> {
        self.up()?.events(key, after, limit).await
    }

    async fn by_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<Option<ClusterKey>> {
        self.up()?.by_capability(id, hash).await
    }

    async fn site_documents(&self, site: &SiteName, kind: &SiteKind) -> Remote<Vec<(String, String)>> {
        self.up()?.site_documents(site, kind).await
    }
}
