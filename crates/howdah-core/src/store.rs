//! The database, as the controller and the API see it.
//!
//! Invariant: every change is one transaction. The wanted part of a cluster has one writer, the API; the
//! known part has one writer, the cluster's controller. Both are of one service: a database that outlives
//! its service belongs to the one that opened it last. What a document looks like is
//! [`crate::document`]'s.

use async_trait::async_trait;

use crate::document::Row;
use crate::event::Event;
use crate::ids::{ClusterId, ClusterKey, OperationId, ProjectId, SiteName};
use crate::known::ClusterState;
use crate::site::registrar::Registration;
use crate::systems::Remote;
use crate::wanted::{ClusterRecord, Goal, OperationRequest, Secrets};

/// The trace of a cluster, existing or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// What it is kept under.
    pub key: ClusterKey,
    /// Where it lives, or lived.
    pub site: SiteName,
    /// Whether it was removed.
    pub removed: bool,
}

/// A part of a list of clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Page<'a> {
    /// Only what comes after this cluster, which may have been removed. After one that is not remembered
    /// there is nothing.
    pub after: Option<&'a ClusterKey>,
    /// At most so many; all if absent.
    pub limit: Option<usize>,
}

impl Page<'_> {
    /// The list as a whole.
    pub const WHOLE: Self = Self { after: None, limit: None };
}

/// The database. Every change is one transaction: it happens as a whole or not at all.
/// After another service has taken over, every change fails: `Unavailable`, code `fenced`.
#[async_trait]
pub trait Store: Send + Sync {
    /// Adds a cluster with its first operation, its secrets and its first events. `Conflict` (code
    /// `cluster_id_taken` or `cluster_name_taken`) if the ID in its project is in use, or another
    /// cluster of its site holds the name (see [`crate::naming`]).
    async fn insert(&self, record: &ClusterRecord, secrets: &Secrets, events: &[Event]) -> Remote<()>;

    /// One cluster; `None` if it never was or has been removed.
    async fn load(&self, key: &ClusterKey) -> Remote<Option<Row>>;

    /// What one cluster is wanted to be; `None` if it never was or has been removed. `Invalid`
    /// (code `cluster_unreadable`) if its record cannot be read.
    async fn wanted(&self, key: &ClusterKey) -> Remote<Option<ClusterRecord>>;

    /// The clusters of this id, in whichever projects.
    async fn find(&self, id: &ClusterId) -> Remote<Vec<ClusterKey>>;

    /// The same with those that were removed and are still remembered.
    async fn traces(&self, id: &ClusterId) -> Remote<Vec<Trace>>;

    /// All clusters, or those of a project, by creation time; a page of them.
    async fn list(&self, project: Option<&ProjectId>, page: Page<'_>) -> Remote<Vec<Row>>;

    /// Writes down a new wanted state and the operation that asks for it. `Conflict` (code
    /// `cluster_changed`) if the newest operation is no longer `seen`, after a concurrent change.
    /// Where the name was freed it is taken again if the cluster is wanted running; `Conflict` (code
    /// `cluster_name_taken`) if another cluster holds it by then.
    async fn want(&self, key: &ClusterKey, seen: &OperationId, goal: Goal, operation: &OperationRequest) -> Remote<()>;

    /// Saves the controller's state, with its events. A name that the state no longer holds is free from
    /// then on.
    async fn save(&self, key: &ClusterKey, state: &ClusterState, events: &[Event]) -> Remote<()>;

    /// Adds events without touching the state, which belongs to the controller: for the API.
    async fn add_events(&self, key: &ClusterKey, events: &[Event]) -> Remote<()>;

    /// Removes a cluster and its secrets; fine if it is gone. Its events stay readable for a while.
    async fn remove(&self, key: &ClusterKey, events: &[Event]) -> Remote<()>;

    /// The secrets of a cluster; `Unavailable` (code `secrets_unreadable`) if there are some that
    /// the key file does not open: that may pass when the operator puts the right one back.
    async fn secrets(&self, key: &ClusterKey) -> Remote<Secrets>;

    /// Forgets the secrets of a cluster; fine if there are none.
    async fn forget_secrets(&self, key: &ClusterKey) -> Remote<()>;

    /// Events with a larger number than `after`, oldest first, at most `limit`, with their numbers.
    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>>;

    /// Network registrations in a site's cluster manager that we made, or are about to make.
    async fn registrations(&self, site: &SiteName) -> Remote<Vec<Registration>>;

    /// Writes a registration down, in place of the one of its name.
    async fn save_registration(&self, site: &SiteName, registration: &Registration) -> Remote<()>;

    /// Forgets a registration; fine if it is not there.
    async fn remove_registration(&self, site: &SiteName, name: &str) -> Remote<()>;

    /// Remembers the hash of a read capability for a cluster, for as long as the cluster is remembered
    /// itself; fine if it is known. Also for one that was removed in the meantime: its end can be read.
    async fn put_capability(&self, key: &ClusterKey, hash: &[u8; 32]) -> Remote<()>;

    /// The cluster of this id that the hash is a capability of. Capabilities outlive the cluster
    /// for as long as its events do, so that a delete can be followed to its end.
    async fn by_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<Option<ClusterKey>>;

    /// Writes something that nobody reads: whether a change could be kept now.
    async fn try_write(&self) -> Remote<()>;
}
