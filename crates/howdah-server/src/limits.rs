//! What one project may have at a time: clusters, nodes, creates in progress, event streams. The operator's figures,
//! so that no project fills the site, or its queue, for everybody else.
//!
//! | what | counts |
//! |---|---|
//! | clusters | all that are stored: also failed ones, those being deleted until they are gone, and those that cannot be read |
//! | nodes | per cluster the larger of the requested and the actual number; one if neither is known |
//! | creates | creates that were accepted and have not ended, whether they wait for their turn or run |
//! | streams | event streams that are open; counted where they are opened (`api/streams.rs`) |
//!
//! Invariant: looking and adding are one step under [`Door`]: of two requests at the same time one
//! sees the other's cluster. One lock in the process is enough for that, because a database is used
//! by one service at a time (the store locks its file). What it does not do: take anything away from
//! who has more than an operator allows since; it only refuses more.

use std::collections::BTreeMap;

use howdah_core::document::Row;
use howdah_core::ids::ClusterKey;
use howdah_core::known::{ClusterState, OperationState};
use howdah_core::preflight;
use howdah_core::wanted::{ClusterRecord, OperationKind};
use serde::Serialize;
use tokio::sync::{Mutex, MutexGuard};

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Clusters in a project.
    Clusters,
    /// Nodes in a project.
    Nodes,
    /// Creates in progress in a project.
    Creates,
}

impl What {
    /// The key of the configuration.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Clusters => "limits.clusters_per_project",
            Self::Nodes => "limits.nodes_per_project",
            Self::Creates => "limits.creates_per_project",
        }
    }

    /// For people.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Clusters => "clusters",
            Self::Nodes => "nodes",
            Self::Creates => "creates in progress",
        }
    }
}

/// What a project may have; what is not set is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Clusters.
    pub clusters: Option<u64>,
    /// Nodes.
    pub nodes: Option<u64>,
    /// Creates in progress.
    pub creates: Option<u64>,
    /// Event streams.
    pub streams: Option<u64>,
}

impl Limits {
    /// No limits.
    pub const NONE: Self = Self { clusters: None, nodes: None, creates: None, streams: None };

    const fn of(&self, what: What) -> Option<u64> {
        match what {
            What::Clusters => self.clusters,
            What::Nodes => self.nodes,
            What::Creates => self.creates,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { clusters: Some(20), nodes: Some(500), creates: Some(5), streams: Some(50) }
    }
}

/// A limit that a request would go beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Which one.
    pub what: What,
    /// How many may be there.
    pub allowed: u64,
    /// How many are there.
    pub used: u64,
    /// How many more were asked for.
    pub asked: u64,
}

/// The door through which every create goes, one at a time.
#[derive(Debug)]
pub struct Door {
    limits: Limits,
    one: Mutex<()>,
}

impl Door {
    /// With these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, one: Mutex::default() }
    }

    /// How many event streams a project may have open.
    pub(crate) const fn streams(&self) -> Option<u64> {
        self.limits.streams
    }

    /// Nobody else comes in while this is held: from the look at what is there until what is added is
    /// stored.
    pub(crate) async fn enter(&self) -> Inside<'_> {
        Inside { limits: &self.limits, _one: self.one.lock().await }
    }
}

/// Somebody is in the door.
pub(crate) struct Inside<'d> {
    limits: &'d Limits,
    _one: MutexGuard<'d, ()>,
}

impl Inside<'_> {
    /// Whether there is any limit; if not, no check is needed.
    pub(crate) fn is_limited(&self) -> bool {
        *self.limits != Limits::NONE
    }

    /// Whether the create of this cluster may begin beside what its project has.
    pub(crate) fn check(&self, record: &ClusterRecord, project: &[Row]) -> Result<(), Reached> {
        check(self.limits, record, project)
    }
}

/// What a request adds, and what exists already. An existing cluster adds a create
/// in progress only.
fn check(limits: &Limits, record: &ClusterRecord, project: &[Row]) -> Result<(), Reached> {
    let key: ClusterKey = record.key();
    let is_there = project.iter().any(|row| row.key() == key);
    let mut used: BTreeMap<What, u64> = BTreeMap::new();
    for row in project {
        let (nodes, creates) = match row {
            Row::Cluster(cluster) => {
                let (other, state) = cluster.as_ref();
                (nodes(other, state), u64::from(other.key() != key && is_in_progress(other, state)))
            }
            Row::Unreadable(_) => (1, 0),
        };
        for (what, more) in [(What::Clusters, 1), (What::Nodes, nodes), (What::Creates, creates)] {
            *used.entry(what).or_default() += more;
        }
    }
    let new = if is_there { 0 } else { nodes(record, &ClusterState::default()) };
    let asked = [(What::Clusters, u64::from(!is_there)), (What::Nodes, new), (What::Creates, 1)];
    for (what, asked) in asked.into_iter().filter(|(_, asked)| *asked > 0) {
        let used = used.get(&what).copied().unwrap_or(0);
        if let Some(allowed) = limits.of(what).filter(|allowed| used.saturating_add(asked) > *allowed) {
            return Err(Reached { what, allowed, used, asked });
        }
    }
    Ok(())
}

fn nodes(record: &ClusterRecord, state: &ClusterState) -> u64 {
    // A request may leave its nodes to the distribution's template: at least one comes of it.
    preflight::nodes_asked(record).unwrap_or(1).max(state.nodes.len() as u64)
}

fn is_in_progress(record: &ClusterRecord, state: &ClusterState) -> bool {
    let ended =
        |o: &howdah_core::known::OperationProgress| o.id == record.operation.id && o.state != OperationState::Running;
    record.operation.kind == OperationKind::Create && !state.operation.as_ref().is_some_and(ended)
}
