//! What a database has to do: keep rows, documents and events, and make a batch of changes as a whole.
//!
//! ```text
//!   clusters    one row for each cluster: what is searched for, a version, and the record
//!   documents   owner, kind, name -> text: states, secrets, capabilities, what belongs to a site
//!   events      numbered from 1 in each cluster
//!   epoch       a number that each service takes and counts up when it opens the database
//! ```
//!
//! Invariants: a batch is one transaction, and every later read sees it. Its epoch and its conditions
//! are checked in that transaction, before its first write. A backend compares and stores; it knows no rule
//! about clusters (`plan.rs` has them all) and reads no document. Opening, with its own
//! configuration and schema, is the backend's own: see `open.rs` for SQLite's. `tests/it/contract.rs` runs on
//! every backend.

use async_trait::async_trait;
use howdah_core::ids::{ClusterId, ClusterKey, ProjectId, SiteName};
use howdah_core::store::Page;
use howdah_core::usage::Usage;
use jiff::Timestamp;

use crate::StoreError;

/// A database.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The clusters that a query asks for; with their states, or without.
    async fn clusters(&self, query: Query<'_>, states: bool) -> Result<Vec<Found>, StoreError>;

    /// An owner's documents of a kind, or the one of a name: names and texts, by name. A text that is not
    /// UTF-8 reads as an empty one.
    async fn documents(&self, owner: &str, kind: &str, name: Option<&str>)
    -> Result<Vec<(String, String)>, StoreError>;

    /// Events of a cluster with a larger number than `after`, oldest first, at most `limit`. A text that is
    /// not UTF-8 reads as an empty one.
    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError>;

    /// The sums over the other clusters of this one's project that were not removed. One indexed query.
    async fn usage_beside(&self, key: &ClusterKey) -> Result<Usage, StoreError>;

    /// Makes all of a batch, or nothing of it.
    async fn commit(&self, batch: &Batch) -> Result<Outcome, StoreError>;

    /// Fails if so little space is left that a batch would soon fail.
    fn has_room(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Which clusters.
#[derive(Debug, Clone, Copy)]
pub enum Query<'a> {
    /// The one of this key, removed or not.
    Key(&'a ClusterKey),
    /// Those of this ID, removed or not, by project.
    Id(&'a ClusterId),
    /// Those that were not removed, of one project or of all, by (created, ID, project).
    Page(Option<&'a ProjectId>, Page<'a>),
    /// Those that were removed before a time.
    RemovedBefore(Timestamp),
}

/// What is searched for of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is kept under.
    pub key: ClusterKey,
    /// Its site.
    pub site: SiteName,
    /// Its name.
    pub name: String,
    /// When it was created; microseconds are enough.
    pub created: Timestamp,
    /// When it was removed. The row then stays for a while, so that its last events can be read.
    pub removed: Option<Timestamp>,
    /// Whether it holds its name; what was removed holds none.
    pub holds_name: bool,
    /// What it counts for, see [`Usage`].
    pub nodes: u64,
    /// The same.
    pub creates: u64,
    /// Counts up with each change of this row.
    pub version: u64,
}

/// A cluster as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its row.
    pub entry: Entry,
    /// The record next to it, if it is text.
    pub record: Option<String>,
    /// Its document [`Place::state`], if it was asked for, is there and is text.
    pub state: Option<String>,
}

/// Where a document is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Whose it is.
    pub owner: String,
    /// What it is.
    pub kind: String,
    /// Which one.
    pub name: String,
}

impl Place {
    /// A cluster, as an owner of documents.
    pub fn owner(key: &ClusterKey) -> String {
        format!("cluster/{}/{}", key.id, key.project)
    }

    /// Where the state of a cluster is.
    pub fn state(key: &ClusterKey) -> Self {
        Self::of(key, "state", "")
    }

    pub(crate) fn of(key: &ClusterKey, kind: &str, name: &str) -> Self {
        Self { owner: Self::owner(key), kind: kind.to_owned(), name: name.to_owned() }
    }
}

/// Changes that are made together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The number that the service took when it opened the database.
    pub epoch: u64,
    /// What must be true.
    pub conditions: Vec<Condition>,
    /// What to write, in this order.
    pub writes: Vec<Write>,
}

/// What must be true for a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// A cluster's row has this version; if absent, there is no row.
    Version(ClusterKey, Option<u64>),
    /// No other cluster of its site that was not removed holds its name.
    NameFree(ClusterKey, SiteName, String),
}

/// One change.
#[derive(Debug, Clone)]
pub enum Write {
    /// Puts a row and its record in place of those of its key. The number of its last event stays.
    Row(Entry, String),
    /// Puts a document in place of the one there; without a text, removes it.
    Document(Place, Option<String>),
    /// Appends events to those of a cluster, which has a row, under the next numbers; and drops
    /// the oldest ones beyond so many.
    Append(ClusterKey, Vec<String>, u64),
    /// Drops all documents and events of a cluster; its row and the number of its last event stay.
    Clear(ClusterKey),
    /// Drops all of a cluster.
    Forget(ClusterKey),
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was made.
    Done,
    /// Nothing: a newer service has opened the database.
    Fenced,
    /// Nothing: this condition is not true.
    Untrue(Condition),
}
