//! What one project may have at a time: clusters, nodes, creates in progress, event streams. The operator's figures,
//! so that no project fills the site, or its queue, for everybody else.
//!
//! What a cluster counts for is [`howdah_core::usage`]'s, and the store adds it up. Event streams are counted where
//! they are opened (`api/streams.rs`).
//!
//! Invariant: looking and adding are one step under [`Door`]: of two requests at the same time one
//! sees the other's cluster. One lock in the process is enough for that, because a database is used
//! by one service at a time (the store locks its file). What it does not do: take anything away from
//! who has more than an operator allows since; it only refuses more.

use howdah_core::known::ClusterState;
use howdah_core::usage::Usage;
use howdah_core::wanted::ClusterRecord;
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

    /// Whether the create of this cluster may begin beside what else its project has. One that is there
    /// already adds a create in progress only.
    pub(crate) fn check(&self, record: &ClusterRecord, is_there: bool, others: Usage) -> Result<(), Reached> {
        let mut more = Usage::of(record, &ClusterState::default());
        if is_there {
            more = Usage { creates: more.creates, ..Usage::default() };
        }
        check(self.limits, more, others)
    }
}

fn check(limits: &Limits, more: Usage, others: Usage) -> Result<(), Reached> {
    let all = [
        (What::Clusters, others.clusters, more.clusters),
        (What::Nodes, others.nodes, more.nodes),
        (What::Creates, others.creates, more.creates),
    ];
    for (what, used, asked) in all.into_iter().filter(|(_, _, asked)| *asked > 0) {
        if let Some(allowed) = limits.of(what).filter(|allowed| used.saturating_add(asked) > *allowed) {
            return Err(Reached { what, allowed, used, asked });
        }
    }
    Ok(())
}
