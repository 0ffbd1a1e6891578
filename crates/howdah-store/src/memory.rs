//! The store without a file: same behaviour, gone with the process. It answers at once and on
//! the caller's thread, so it can be used under a paused clock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use howdah_core::cluster::{ClusterRecord, ClusterState, Event, OperationRequest, Registration, Secrets, Wanted};
use howdah_core::ids::{ClusterId, ProjectId, SiteName};
use howdah_core::traits::{Remote, Store};

use crate::{CAPABILITIES_KEPT, EVENTS_KEPT, StoreError};

/// The store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    clusters: BTreeMap<ClusterId, Row>,
    registrations: BTreeMap<(SiteName, String), String>,
}

#[derive(Debug)]
struct Row {
    record: ClusterRecord,
    state: ClusterState,
    secrets: Secrets,
    removed: bool,
    last_event: u64,
    events: VecDeque<(u64, Event)>,
    capabilities: VecDeque<[u8; 32]>,
}

impl Row {
    fn append(&mut self, events: &[Event]) {
        for event in events {
            self.last_event += 1;
            self.events.push_back((self.last_event, event.clone()));
        }
        while self.events.len() as u64 > EVENTS_KEPT {
            self.events.pop_front();
        }
    }
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Nothing below panics half-way through a change.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn present(&mut self, id: &ClusterId) -> Result<&mut Row, StoreError> {
        self.clusters.get_mut(id).filter(|row| !row.removed).ok_or(StoreError::Gone { id: *id })
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn insert(&self, record: &ClusterRecord, secrets: &Secrets) -> Remote<()> {
        let mut tables = self.tables();
        if tables.present(&record.id).is_ok() {
            return Err(StoreError::IdTaken { id: record.id }.into());
        }
        let same_name = |row: &Row| !row.removed && row.record.site == record.site && row.record.name == record.name;
        if tables.clusters.values().any(same_name) {
            return Err(StoreError::NameTaken { site: record.site.clone(), name: record.name.clone() }.into());
        }
        let last_event = tables.clusters.get(&record.id).map_or(0, |old| old.last_event);
        let row = Row {
            record: record.clone(),
            state: ClusterState::default(),
            secrets: secrets.clone(),
            removed: false,
            last_event,
            events: VecDeque::new(),
            capabilities: VecDeque::new(),
        };
        tables.clusters.insert(record.id, row);
        Ok(())
    }

    async fn load(&self, id: &ClusterId) -> Remote<Option<(ClusterRecord, ClusterState)>> {
        Ok(self.tables().present(id).ok().map(|row| (row.record.clone(), row.state.clone())))
    }

    async fn list(&self, project: Option<&ProjectId>) -> Remote<Vec<(ClusterRecord, ClusterState)>> {
        let mut rows: Vec<_> = self
            .tables()
            .clusters
            .values()
            .filter(|row| !row.removed && project.is_none_or(|p| row.record.project == *p))
            .map(|row| (row.record.clone(), row.state.clone()))
            .collect();
        rows.sort_by_key(|(record, _)| (record.created, record.id));
        Ok(rows)
    }

    async fn want(&self, id: &ClusterId, wanted: Wanted, operation: &OperationRequest) -> Remote<()> {
        let mut tables = self.tables();
        let row = tables.present(id)?;
        row.record.wanted = wanted;
        row.record.operation = operation.clone();
        Ok(())
    }

    async fn save(&self, id: &ClusterId, state: &ClusterState, events: &[Event]) -> Remote<()> {
        let mut tables = self.tables();
        let row = tables.present(id)?;
        row.state = state.clone();
        row.append(events);
        Ok(())
    }

    async fn add_events(&self, id: &ClusterId, events: &[Event]) -> Remote<()> {
        self.tables().present(id)?.append(events);
        Ok(())
    }

    async fn remove(&self, id: &ClusterId, events: &[Event]) -> Remote<()> {
        if let Ok(row) = self.tables().present(id) {
            row.removed = true;
            row.secrets = Secrets::default();
            row.append(events);
        }
        Ok(())
    }

    async fn secrets(&self, id: &ClusterId) -> Remote<Secrets> {
        Ok(self.tables().present(id).map(|row| row.secrets.clone()).unwrap_or_default())
    }

    async fn forget_secrets(&self, id: &ClusterId) -> Remote<()> {
        if let Ok(row) = self.tables().present(id) {
            row.secrets = Secrets::default();
        }
        Ok(())
    }

    async fn events(&self, id: &ClusterId, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>> {
        let tables = self.tables();
        let Some(row) = tables.clusters.get(id) else { return Ok(Vec::new()) };
        Ok(row.events.iter().filter(|(number, _)| *number > after).take(limit).cloned().collect())
    }

    async fn registrations(&self, site: &SiteName) -> Remote<Vec<Registration>> {
        let of_site = |((at, name), port_group): (&(SiteName, String), &String)| {
            (at == site).then(|| Registration { name: name.clone(), port_group: port_group.clone() })
        };
        Ok(self.tables().registrations.iter().filter_map(of_site).collect())
    }

    async fn own_registration(&self, site: &SiteName, registration: &Registration) -> Remote<()> {
        let key = (site.clone(), registration.name.clone());
        self.tables().registrations.insert(key, registration.port_group.clone());
        Ok(())
    }

    async fn disown_registration(&self, site: &SiteName, name: &str) -> Remote<()> {
        self.tables().registrations.remove(&(site.clone(), name.to_owned()));
        Ok(())
    }

    async fn put_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<()> {
        let mut tables = self.tables();
        let row = tables.present(id)?;
        row.capabilities.retain(|known| known != hash);
        row.capabilities.push_back(*hash);
        while row.capabilities.len() > CAPABILITIES_KEPT {
            row.capabilities.pop_front();
        }
        Ok(())
    }

    async fn has_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<bool> {
        Ok(self.tables().clusters.get(id).is_some_and(|row| row.capabilities.contains(hash)))
    }
}
