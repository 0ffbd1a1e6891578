//! The database in memory: gone with the process. It answers at once and on the caller's thread, so it can be
//! used under a paused clock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use howdah_core::document::{Row, Unreadable};
use howdah_core::ids::ClusterKey;
use howdah_core::usage::Usage;
use jiff::Timestamp;

use crate::StoreError;
use crate::backend::{Backend, Batch, Condition, Entry, Found, Outcome, Place, Query, Write};
use crate::documents::Documents;
use crate::plan::{SECRETS, row};
use crate::seal::Sealer;

/// The store in memory.
pub type MemoryStore = Documents<Memory>;

/// Tables in memory, which several stores can have in common.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Tables>>);

#[derive(Debug, Default)]
struct Tables {
    clusters: BTreeMap<ClusterKey, (Entry, String)>,
    documents: BTreeMap<Place, String>,
    events: BTreeMap<ClusterKey, Log>,
    epoch: u64,
}

#[derive(Debug, Default)]
struct Log {
    last: u64,
    kept: VecDeque<(u64, String)>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::open(Memory::default())
    }

    /// What a second service makes of the same memory: from now on this store is fenced.
    pub fn taken_over(&self) -> Self {
        Self::open(self.backend.clone())
    }

    fn open(memory: Memory) -> Self {
        let epoch = {
            let mut tables = memory.tables();
            tables.epoch += 1;
            tables.epoch
        };
        Self::over(memory, "the memory".to_owned(), epoch, Sealer::in_memory())
    }

    /// Makes a cluster unreadable, as a newer version would, or puts one there; says how it is
    /// shown. For tests.
    pub fn insert_unreadable(&self, key: &ClusterKey, name: &str) -> Unreadable {
        let newer = "{\"v\":9}".to_owned();
        let mut tables = self.backend.tables();
        let new = || {
            let (site, name) = ("main".into(), name.to_owned());
            let (created, removed) = (Timestamp::UNIX_EPOCH, None);
            let key = key.clone();
            Entry { key, site, name, created, removed, holds_name: true, nodes: 1, creates: 0, version: 1 }
        };
        let (entry, record) = tables.clusters.entry(key.clone()).or_insert_with(|| (new(), String::new()));
        *record = newer;
        let found = Found { entry: entry.clone(), record: Some(record.clone()), state: Some(String::new()) };
        match row(&found) {
            Row::Unreadable(row) => row,
            Row::Cluster(_) => unreachable!("no version of Howdah reads this"),
        }
    }

    /// Makes the secrets of a cluster unreadable, or readable again. For tests.
    pub fn set_secrets_unreadable(&self, key: &ClusterKey, unreadable: bool) {
        if let Some(sealed) = self.backend.tables().documents.get_mut(&Place::of(key, SECRETS, "")) {
            *sealed = match unreadable {
                true => format!("?{sealed}"),
                false => sealed.trim_start_matches('?').to_owned(),
            };
        }
    }
}

impl Memory {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Nothing below panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn is_true(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Version(key, version) => self.clusters.get(key).map(|(entry, _)| entry.version) == *version,
            Condition::NameFree(key, site, name) => {
                let holds = |e: &Entry| e.removed.is_none() && e.holds_name && e.site == *site && e.name == *name;
                !self.clusters.values().any(|(entry, _)| entry.key != *key && holds(entry))
            }
        }
    }

    fn write(&mut self, write: &Write) {
        match write {
            Write::Row(entry, record) => {
                self.clusters.insert(entry.key.clone(), (entry.clone(), record.clone()));
            }
            Write::Document(place, Some(text)) => {
                self.documents.insert(place.clone(), text.clone());
            }
            Write::Document(place, None) => {
                self.documents.remove(place);
            }
            Write::Append(key, events, keep) => {
                let log = self.events.entry(key.clone()).or_default();
                for event in events {
                    log.last += 1;
                    log.kept.push_back((log.last, event.clone()));
                }
                while log.kept.len() as u64 > *keep {
                    log.kept.pop_front();
                }
            }
            Write::Clear(key) => {
                let owner = Place::owner(key);
                self.documents.retain(|place, _| place.owner != owner);
                if let Some(log) = self.events.get_mut(key) {
                    log.kept.clear();
                }
            }
            Write::Forget(key) => {
                self.write(&Write::Clear(key.clone()));
                self.events.remove(key);
                self.clusters.remove(key);
            }
        }
    }
}

#[async_trait]
impl Backend for Memory {
    async fn clusters(&self, query: Query<'_>, states: bool) -> Result<Vec<Found>, StoreError> {
        let tables = self.tables();
        let place = |e: &Entry| (e.created, e.key.id, e.key.project.clone());
        let entries: Vec<&(Entry, String)> = match query {
            Query::Key(key) => tables.clusters.get(key).into_iter().collect(),
            Query::Id(id) => tables.clusters.values().filter(|(e, _)| e.key.id == *id).collect(),
            Query::RemovedBefore(time) => {
                tables.clusters.values().filter(|(e, _)| e.removed.is_some_and(|removed| removed < time)).collect()
            }
            Query::Page(project, page) => {
                let after = page.after.map(|key| tables.clusters.get(key).map(|(e, _)| place(e)));
                let is_asked = |e: &Entry| {
                    e.removed.is_none()
                        && project.is_none_or(|project| e.key.project == *project)
                        && after.as_ref().is_none_or(|after| after.as_ref().is_some_and(|after| place(e) > *after))
                };
                let mut found: Vec<_> = tables.clusters.values().filter(|(e, _)| is_asked(e)).collect();
                found.sort_by_key(|(e, _)| place(e));
                found.truncate(page.limit.unwrap_or(usize::MAX));
                found
            }
        };
        let found = |(entry, record): &(Entry, String)| {
            let state = states.then(|| tables.documents.get(&Place::state(&entry.key)).cloned()).flatten();
            Found { entry: entry.clone(), record: Some(record.clone()), state }
        };
        Ok(entries.into_iter().map(found).collect())
    }

    async fn documents(
        &self,
        owner: &str,
        kind: &str,
        name: Option<&str>,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let tables = self.tables();
        let is_asked = |p: &Place| p.owner == owner && p.kind == kind && name.is_none_or(|name| p.name == name);
        let from = Place { owner: owner.to_owned(), kind: kind.to_owned(), name: name.unwrap_or_default().to_owned() };
        let found = tables.documents.range(from..).take_while(|(place, _)| is_asked(place));
        Ok(found.map(|(place, text)| (place.name.clone(), text.clone())).collect())
    }

    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError> {
        let tables = self.tables();
        let kept = tables.events.get(key).into_iter().flat_map(|log| &log.kept);
        Ok(kept.filter(|(number, _)| *number > after).take(limit).cloned().collect())
    }

    async fn usage_beside(&self, key: &ClusterKey) -> Result<Usage, StoreError> {
        let tables = self.tables();
        let others = tables.clusters.values().map(|(entry, _)| entry);
        let others = others.filter(|e| e.key.project == key.project && e.key != *key && e.removed.is_none());
        Ok(others.fold(Usage::default(), |sum, e| Usage {
            clusters: sum.clusters + 1,
            nodes: sum.nodes + e.nodes,
            creates: sum.creates + e.creates,
        }))
    }

    async fn commit(&self, batch: &Batch) -> Result<Outcome, StoreError> {
        let mut tables = self.tables();
        if tables.epoch != batch.epoch {
            return Ok(Outcome::Fenced);
        }
        if let Some(untrue) = batch.conditions.iter().find(|condition| !tables.is_true(condition)) {
            return Ok(Outcome::Untrue(untrue.clone()));
        }
        for write in &batch.writes {
            tables.write(write);
        }
        Ok(Outcome::Done)
    }
}
