//! The store without a file: same behaviour, gone with the process. It answers at once and on
//! the caller's thread, so it can be used under a paused clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use howdah_core::document::{Row, Unreadable};
use howdah_core::event::Event;
use howdah_core::ids::{ClusterId, ClusterKey, OperationId, ProjectId, SiteName};
use howdah_core::known::ClusterState;
use howdah_core::naming::{holds_name, takes_name};
use howdah_core::site::registrar::Registration;
use howdah_core::store::{Page, Store, Trace};
use howdah_core::systems::Remote;
use howdah_core::wanted::{ClusterRecord, Goal, OperationRequest, Secrets};
use jiff::Timestamp;

use crate::{EVENTS_KEPT, StoreError};

/// The store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    clusters: BTreeMap<ClusterKey, Entry>,
    registrations: BTreeMap<(SiteName, String), Registration>,
}

#[derive(Debug)]
struct Entry {
    row: Row,
    created: Timestamp,
    removed: bool,
    holds_name: bool,
    secrets: Secrets,
    secrets_unreadable: bool,
    last_event: u64,
    events: VecDeque<(u64, Event)>,
    capabilities: BTreeSet<[u8; 32]>,
}

impl Entry {
    fn new(row: Row, created: Timestamp) -> Self {
        Self {
            row,
            created,
            removed: false,
            holds_name: true,
            secrets: Secrets::default(),
            secrets_unreadable: false,
            last_event: 0,
            events: VecDeque::new(),
            capabilities: BTreeSet::new(),
        }
    }

    fn has_name(&self, site: &SiteName, name: &str) -> bool {
        match &self.row {
            Row::Cluster(cluster) => cluster.0.site == *site && cluster.0.name.as_str() == name,
            Row::Unreadable(row) => row.site == *site && row.name == name,
        }
    }

    fn readable(&mut self) -> Result<&mut (ClusterRecord, ClusterState), StoreError> {
        match &mut self.row {
            Row::Cluster(cluster) => Ok(cluster),
            Row::Unreadable(row) => Err(StoreError::Unreadable { key: row.key.clone(), why: row.why.clone() }),
        }
    }

    fn append(&mut self, events: &[Event]) {
        for event in events {
            self.last_event += 1;
            self.events.push_back((self.last_event, event.clone()));
        }
        while self.events.len() as u64 > EVENTS_KEPT {
            self.events.pop_front();
        }
    }

    fn forget_secrets(&mut self) {
        self.secrets = Secrets::default();
        self.secrets_unreadable = false;
    }
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a cluster there that cannot be read, or makes the one of this key so. For tests.
    pub fn insert_unreadable(&self, row: Unreadable) {
        let mut tables = self.tables();
        match tables.clusters.get_mut(&row.key) {
            Some(entry) => entry.row = Row::Unreadable(row),
            None => {
                tables.clusters.insert(row.key.clone(), Entry::new(Row::Unreadable(row), Timestamp::UNIX_EPOCH));
            }
        }
    }

    /// Makes the secrets of a cluster unreadable, or readable again. For tests.
    pub fn set_secrets_unreadable(&self, key: &ClusterKey, unreadable: bool) {
        if let Some(entry) = self.tables().clusters.get_mut(key) {
            entry.secrets_unreadable = unreadable;
        }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Nothing below panics half-way through a change.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn present(&mut self, key: &ClusterKey) -> Option<&mut Entry> {
        self.clusters.get_mut(key).filter(|entry| !entry.removed)
    }

    /// Fails if another cluster that is there holds this one's name in its site, readable or not.
    fn name_is_free(&self, record: &ClusterRecord) -> Result<(), StoreError> {
        let (key, site, name) = (record.key(), &record.site, &record.name);
        let holds = |e: &Entry| !e.removed && e.holds_name && e.has_name(site, name.as_str());
        match self.clusters.iter().any(|(other, e)| *other != key && holds(e)) {
            true => Err(StoreError::NameTaken { site: site.clone(), name: name.clone() }),
            false => Ok(()),
        }
    }

    /// The door to every change of a cluster: it is there, and it can be read.
    fn changeable(&mut self, key: &ClusterKey) -> Result<&mut Entry, StoreError> {
        let entry = self.present(key).ok_or_else(|| StoreError::Gone { key: key.clone() })?;
        entry.readable()?;
        Ok(entry)
    }
}

/// The same for what is fine if the cluster is not there.
fn if_there(entry: Result<&mut Entry, StoreError>, change: impl FnOnce(&mut Entry)) -> Remote<()> {
    match entry {
        Ok(entry) => change(entry),
        Err(StoreError::Gone { .. }) => {}
        Err(e) => return Err(e.into()),
    }
    Ok(())
}

#[async_trait]
impl Store for MemoryStore {
    async fn insert(&self, record: &ClusterRecord, secrets: &Secrets, events: &[Event]) -> Remote<()> {
        let key = record.key();
        let mut tables = self.tables();
        if tables.present(&key).is_some() {
            return Err(StoreError::IdTaken { key }.into());
        }
        tables.name_is_free(record)?;
        let row = Row::Cluster(Box::new((record.clone(), ClusterState::default())));
        let mut entry = Entry::new(row, record.created);
        entry.secrets = secrets.clone();
        entry.last_event = tables.clusters.get(&key).map_or(0, |old| old.last_event);
        entry.append(events);
        tables.clusters.insert(key, entry);
        Ok(())
    }

    async fn load(&self, key: &ClusterKey) -> Remote<Option<Row>> {
        Ok(self.tables().present(key).map(|entry| entry.row.clone()))
    }

    async fn wanted(&self, key: &ClusterKey) -> Remote<Option<ClusterRecord>> {
        let mut tables = self.tables();
        let Some(entry) = tables.present(key) else { return Ok(None) };
        Ok(Some(entry.readable()?.0.clone()))
    }

    async fn find(&self, id: &ClusterId) -> Remote<Vec<ClusterKey>> {
        let tables = self.tables();
        let found = tables.clusters.iter().filter(|(key, entry)| key.id == *id && !entry.removed);
        Ok(found.map(|(key, _)| key.clone()).collect())
    }

    async fn traces(&self, id: &ClusterId) -> Remote<Vec<Trace>> {
        let tables = self.tables();
        let found = tables.clusters.iter().filter(|(key, _)| key.id == *id);
        let trace = |(key, entry): (&ClusterKey, &Entry)| {
            let site = match &entry.row {
                Row::Cluster(cluster) => &cluster.0.site,
                Row::Unreadable(row) => &row.site,
            };
            Trace { key: key.clone(), site: site.clone(), removed: entry.removed }
        };
        Ok(found.map(trace).collect())
    }

    async fn list(&self, project: Option<&ProjectId>, page: Page<'_>) -> Remote<Vec<Row>> {
        let tables = self.tables();
        let place = |key: &ClusterKey, entry: &Entry| (entry.created, key.id, key.project.clone());
        let after = match page.after {
            None => None,
            Some(key) => match tables.clusters.get(key) {
                Some(entry) => Some(place(key, entry)),
                None => return Ok(Vec::new()),
            },
        };
        let mut found: Vec<_> = tables
            .clusters
            .iter()
            .filter(|(key, entry)| !entry.removed && project.is_none_or(|p| key.project == *p))
            .filter(|(key, entry)| after.as_ref().is_none_or(|after| place(key, entry) > *after))
            .collect();
        found.sort_by_key(|(key, entry)| place(key, entry));
        found.truncate(page.limit.unwrap_or(usize::MAX));
        Ok(found.into_iter().map(|(_, entry)| entry.row.clone()).collect())
    }

    async fn want(&self, key: &ClusterKey, seen: &OperationId, goal: Goal, operation: &OperationRequest) -> Remote<()> {
        let mut tables = self.tables();
        let (record, _) = tables.changeable(key)?.readable()?;
        if record.operation.id != *seen {
            return Err(StoreError::Changed { key: key.clone() }.into());
        }
        let shape = record.shape.with_goal(goal);
        let new = ClusterRecord { shape, operation: operation.clone(), ..record.clone() };
        if takes_name(goal) {
            tables.name_is_free(&new)?;
        }
        let entry = tables.changeable(key)?;
        entry.holds_name |= takes_name(goal);
        entry.readable()?.0 = new;
        Ok(())
    }

    async fn save(&self, key: &ClusterKey, state: &ClusterState, events: &[Event]) -> Remote<()> {
        let mut tables = self.tables();
        let entry = tables.changeable(key)?;
        let (record, old) = entry.readable()?;
        let holds = holds_name(record, state);
        *old = state.clone();
        entry.holds_name &= holds;
        entry.append(events);
        Ok(())
    }

    async fn add_events(&self, key: &ClusterKey, events: &[Event]) -> Remote<()> {
        self.tables().changeable(key)?.append(events);
        Ok(())
    }

    async fn remove(&self, key: &ClusterKey, events: &[Event]) -> Remote<()> {
        if_there(self.tables().changeable(key), |entry| {
            entry.removed = true;
            entry.forget_secrets();
            entry.append(events);
        })
    }

    async fn secrets(&self, key: &ClusterKey) -> Remote<Secrets> {
        match self.tables().present(key) {
            Some(entry) if entry.secrets_unreadable => Err(StoreError::Unseal { key: key.clone() }.into()),
            Some(entry) => Ok(entry.secrets.clone()),
            None => Ok(Secrets::default()),
        }
    }

    async fn forget_secrets(&self, key: &ClusterKey) -> Remote<()> {
        if_there(self.tables().changeable(key), Entry::forget_secrets)
    }

    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>> {
        let tables = self.tables();
        let Some(entry) = tables.clusters.get(key) else { return Ok(Vec::new()) };
        Ok(entry.events.iter().filter(|(number, _)| *number > after).take(limit).cloned().collect())
    }

    async fn registrations(&self, site: &SiteName) -> Remote<Vec<Registration>> {
        let tables = self.tables();
        Ok(tables.registrations.iter().filter(|((at, _), _)| at == site).map(|(_, r)| r.clone()).collect())
    }

    async fn save_registration(&self, site: &SiteName, registration: &Registration) -> Remote<()> {
        let key = (site.clone(), registration.name.clone());
        self.tables().registrations.insert(key, registration.clone());
        Ok(())
    }

    async fn remove_registration(&self, site: &SiteName, name: &str) -> Remote<()> {
        self.tables().registrations.remove(&(site.clone(), name.to_owned()));
        Ok(())
    }

    async fn put_capability(&self, key: &ClusterKey, hash: &[u8; 32]) -> Remote<()> {
        let mut tables = self.tables();
        let entry = match tables.clusters.get_mut(key) {
            Some(removed) if removed.removed => removed,
            _ => tables.changeable(key)?,
        };
        entry.capabilities.insert(*hash);
        Ok(())
    }

    async fn by_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<Option<ClusterKey>> {
        let tables = self.tables();
        let mut found =
            tables.clusters.iter().filter(|(key, entry)| key.id == *id && entry.capabilities.contains(hash));
        Ok(found.next().map(|(key, _)| key.clone()))
    }

    async fn try_write(&self) -> Remote<()> {
        Ok(())
    }
}
