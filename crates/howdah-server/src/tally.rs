//! Counts clusters by status, and operations by kind and state, for `/metrics`. Changes of the store update
//! the counts, so that the public metrics read no document.
//!
//! ```text
//!   insert, want, save, remove --succeeded--> the cluster's entry
//!   a list of all (at the start, and at every sweep) --no change meanwhile--> all entries
//! ```
//!
//! Invariant: the words are those of the API. If the store's answer to a change was lost, an entry may be
//! wrong until the next sweep.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use howdah_core::document::Row;
use howdah_core::ids::{ClusterKey, OperationId, SiteName};
use howdah_core::known::{ClusterState, ClusterStatus, OperationState};
use howdah_core::wanted::{ClusterRecord, OperationKind, OperationRequest};

use crate::api::view;

/// Counts by two words.
pub type Counts = BTreeMap<(String, String), u64>;

/// The counts.
#[derive(Debug, Default)]
pub struct Tally {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    clusters: HashMap<ClusterKey, Counted>,
    /// The number of changes so far.
    changes: u64,
}

/// One cluster's part of the counts.
#[derive(Debug, Clone)]
struct Counted {
    site: SiteName,
    /// The rest, if it is readable.
    known: Option<Known>,
}

#[derive(Debug, Clone)]
struct Known {
    asked: (OperationId, OperationKind),
    status: ClusterStatus,
    progress: Option<(OperationId, OperationState)>,
}

impl Counted {
    fn of(row: &Row) -> Self {
        match row {
            Row::Unreadable(row) => Self { site: row.site.clone(), known: None },
            Row::Cluster(cluster) => Self::new(&cluster.0, &cluster.1),
        }
    }

    fn new(record: &ClusterRecord, state: &ClusterState) -> Self {
        let asked = (record.operation.id, record.operation.kind);
        let (status, progress) = of_state(state);
        Self { site: record.site.clone(), known: Some(Known { asked, status, progress }) }
    }
}

fn of_state(state: &ClusterState) -> (ClusterStatus, Option<(OperationId, OperationState)>) {
    (state.status, state.operation.as_ref().map(|o| (o.id, o.state)))
}

impl Tally {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, key: &ClusterKey, change: impl FnOnce(&mut Known)) {
        let mut inner = self.inner();
        inner.changes += 1;
        if let Some(known) = inner.clusters.get_mut(key).and_then(|counted| counted.known.as_mut()) {
            change(known);
        }
    }

    pub(crate) fn inserted(&self, record: &ClusterRecord) {
        let mut inner = self.inner();
        inner.changes += 1;
        inner.clusters.insert(record.key(), Counted::new(record, &ClusterState::default()));
    }

    pub(crate) fn wanted(&self, key: &ClusterKey, operation: &OperationRequest) {
        self.change(key, |known| known.asked = (operation.id, operation.kind));
    }

    pub(crate) fn saved(&self, key: &ClusterKey, state: &ClusterState) {
        self.change(key, |known| (known.status, known.progress) = of_state(state));
    }

    pub(crate) fn removed(&self, key: &ClusterKey) {
        let mut inner = self.inner();
        inner.changes += 1;
        inner.clusters.remove(key);
    }

    /// The number of changes; read it before listing all clusters.
    pub(crate) fn changes(&self) -> u64 {
        self.inner().changes
    }

    /// Replaces all entries by a list that was taken after this many changes; ignored if there were more since.
    pub(crate) fn listed(&self, changes: u64, rows: &[Row]) {
        let mut inner = self.inner();
        if inner.changes == changes {
            inner.clusters = rows.iter().map(|row| (row.key(), Counted::of(row))).collect();
        }
    }

    /// Clusters by site and status, and newest operations by kind and state.
    pub fn counts(&self) -> (Counts, Counts) {
        let (mut clusters, mut operations) = (Counts::new(), Counts::new());
        for Counted { site, known } in self.inner().clusters.values() {
            let status = match known {
                None => view::UNREADABLE.to_owned(),
                Some(Known { asked: (id, kind), status, progress }) => {
                    let state = progress.filter(|(of, _)| of == id).map(|(_, state)| state);
                    let operation = (view::word(kind), view::word(state.unwrap_or(OperationState::Running)));
                    *operations.entry(operation).or_default() += 1;
                    view::word(view::status(*kind, state.is_some(), progress.is_none(), *status))
                }
            };
            *clusters.entry((site.to_string(), status)).or_default() += 1;
        }
        (clusters, operations)
    }
}
