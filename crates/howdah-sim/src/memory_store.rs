//! A store in memory, for simulations of the controller, that can fail like a service that is
//! killed: from a chosen write on, nothing is written any more and every call fails, until the
//! store is revived for the controller's next life.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use howdah_core::cluster::{ClusterRecord, ClusterState, Event, OperationRequest, Registration, Secrets, Wanted};
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{ClusterId, ProjectId, SiteName};
use howdah_core::traits::{Remote, Store};
use tokio::sync::watch;

/// A store in memory.
#[derive(Debug)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
    down: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Tables {
    clusters: BTreeMap<ClusterId, (ClusterRecord, ClusterState)>,
    secrets: BTreeMap<ClusterId, Secrets>,
    events: BTreeMap<ClusterId, Vec<Event>>,
    registrations: BTreeMap<SiteName, BTreeMap<String, Registration>>,
    capabilities: BTreeSet<(ClusterId, [u8; 32])>,
    writes: u64,
    crash_at: Option<u64>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { tables: Mutex::default(), down: watch::Sender::new(false) }
    }
}

fn refused(kind: ErrorKind, code: &'static str, message: &str) -> RemoteError {
    RemoteError::new(System::Store, kind, code, message)
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes so far.
    pub fn writes(&self) -> u64 {
        self.lock().writes
    }

    /// The store goes down instead of taking the write after so many more.
    pub fn crash_after(&self, writes: u64) {
        let mut tables = self.lock();
        tables.crash_at = Some(tables.writes + writes);
    }

    /// Ends when the store has gone down.
    pub async fn crashed(&self) {
        let mut down = self.down.subscribe();
        // The sender lives in `self`.
        let _ = down.wait_for(|d| *d).await;
    }

    /// The store is up again, with what was written before it went down.
    pub fn revive(&self) {
        self.lock().crash_at = None;
        self.down.send_replace(false);
    }

    /// Everything that was ever put into an event, a record or a state, as JSON text: to be
    /// searched for what must not be there.
    pub fn text(&self) -> String {
        let tables = self.lock();
        let clusters: Vec<_> = tables.clusters.values().collect();
        let events: Vec<_> = tables.events.values().flatten().collect();
        serde_json::json!({ "clusters": clusters, "events": events }).to_string()
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn up(&self) -> Remote<MutexGuard<'_, Tables>> {
        if *self.down.borrow() {
            return Err(refused(ErrorKind::Unreachable, "store_unreachable", "the store is down"));
        }
        Ok(self.lock())
    }

    fn writing(&self) -> Remote<MutexGuard<'_, Tables>> {
        let mut tables = self.up()?;
        if tables.crash_at.is_some_and(|at| tables.writes >= at) {
            drop(tables);
            self.down.send_replace(true);
            return Err(refused(ErrorKind::Unreachable, "store_unreachable", "the store went down"));
        }
        tables.writes += 1;
        Ok(tables)
    }
}

fn gone() -> RemoteError {
    refused(ErrorKind::NotFound, "cluster_not_found", "there is no such cluster")
}

#[async_trait]
impl Store for MemoryStore {
    async fn insert(&self, record: &ClusterRecord, secrets: &Secrets) -> Remote<()> {
        let mut tables = self.writing()?;
        if tables.clusters.contains_key(&record.id) {
            return Err(refused(ErrorKind::Conflict, "cluster_id_taken", "there is a cluster of this id"));
        }
        if tables.clusters.values().any(|(r, _)| r.site == record.site && r.name == record.name) {
            return Err(refused(ErrorKind::Conflict, "cluster_name_taken", "there is a cluster of this name"));
        }
        tables.clusters.insert(record.id, (record.clone(), ClusterState::default()));
        tables.secrets.insert(record.id, secrets.clone());
        Ok(())
    }

    async fn load(&self, id: &ClusterId) -> Remote<Option<(ClusterRecord, ClusterState)>> {
        Ok(self.up()?.clusters.get(id).cloned())
    }

    async fn list(&self, project: Option<&ProjectId>) -> Remote<Vec<(ClusterRecord, ClusterState)>> {
        let tables = self.up()?;
        let mut found: Vec<_> =
            tables.clusters.values().filter(|(r, _)| project.is_none_or(|p| r.project == *p)).cloned().collect();
        found.sort_by_key(|(r, _)| (r.created, r.id));
        Ok(found)
    }

    async fn want(&self, id: &ClusterId, wanted: Wanted, operation: &OperationRequest) -> Remote<()> {
        let mut tables = self.writing()?;
        let (record, _) = tables.clusters.get_mut(id).ok_or_else(gone)?;
        record.wanted = wanted;
        record.operation = operation.clone();
        Ok(())
    }

    async fn save(&self, id: &ClusterId, state: &ClusterState, events: &[Event]) -> Remote<()> {
        let mut tables = self.writing()?;
        let (_, old) = tables.clusters.get_mut(id).ok_or_else(gone)?;
        old.clone_from(state);
        tables.events.entry(*id).or_default().extend_from_slice(events);
        Ok(())
    }

    async fn add_events(&self, id: &ClusterId, events: &[Event]) -> Remote<()> {
        let mut tables = self.writing()?;
        if !tables.clusters.contains_key(id) {
            return Err(gone());
        }
        tables.events.entry(*id).or_default().extend_from_slice(events);
        Ok(())
    }

    async fn remove(&self, id: &ClusterId, events: &[Event]) -> Remote<()> {
        let mut tables = self.writing()?;
        tables.clusters.remove(id);
        tables.secrets.remove(id);
        tables.events.entry(*id).or_default().extend_from_slice(events);
        Ok(())
    }

    async fn secrets(&self, id: &ClusterId) -> Remote<Secrets> {
        Ok(self.up()?.secrets.get(id).cloned().unwrap_or_default())
    }

    async fn forget_secrets(&self, id: &ClusterId) -> Remote<()> {
        self.writing()?.secrets.remove(id);
        Ok(())
    }

    async fn events(&self, id: &ClusterId, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>> {
        let tables = self.up()?;
        let all = tables.events.get(id).into_iter().flatten();
        let numbered = (1..).zip(all.cloned());
        Ok(numbered.filter(|(n, _)| *n > after).take(limit).collect())
    }

    async fn registrations(&self, site: &SiteName) -> Remote<Vec<Registration>> {
        Ok(self.up()?.registrations.get(site).map(|r| r.values().cloned().collect()).unwrap_or_default())
    }

    async fn own_registration(&self, site: &SiteName, registration: &Registration) -> Remote<()> {
        let mut tables = self.writing()?;
        let of_site = tables.registrations.entry(site.clone()).or_default();
        of_site.insert(registration.name.clone(), registration.clone());
        Ok(())
    }

    async fn disown_registration(&self, site: &SiteName, name: &str) -> Remote<()> {
        if let Some(of_site) = self.writing()?.registrations.get_mut(site) {
            of_site.remove(name);
        }
        Ok(())
    }

    async fn put_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<()> {
        self.writing()?.capabilities.insert((*id, *hash));
        Ok(())
    }

    async fn has_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<bool> {
        Ok(self.up()?.capabilities.contains(&(*id, *hash)))
    }
}
