//! The database, as the controller and the API see it: one verb that changes, and a few that look.
//!
//! Invariant: every change is one transaction. The wanted part of a cluster has one writer, the API; the
//! known part has one writer, the cluster's controller. Both are of one service: a database that outlives
//! its service belongs to the one that opened it last. What a document looks like is
//! [`crate::document`]'s.

use async_trait::async_trait;

use crate::document::{self, Row, SiteKind};
use crate::event::Event;
use crate::failure::{ErrorKind, RemoteError, System};
use crate::ids::{ClusterId, ClusterKey, OperationId, ProjectId, SiteName};
use crate::known::ClusterState;
use crate::site::registrar::Registration;
use crate::systems::Remote;
use crate::usage::Usage;
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

/// A change of the database. It happens as a whole or not at all.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// Adds a cluster with its first operation, its secrets and its first events. `Conflict` (code
    /// `cluster_id_taken` or `cluster_name_taken`) if the ID in its project is in use, or another
    /// cluster of its site holds the name (see [`crate::naming`]).
    Insert {
        /// What is wanted.
        record: &'a ClusterRecord,
        /// What is stored encrypted.
        secrets: &'a Secrets,
        /// Its first events.
        events: &'a [Event],
    },
    /// Writes down a new wanted state and the operation that asks for it. `Conflict` (code
    /// `cluster_changed`) if the newest operation is no longer `seen`, after a concurrent change.
    /// Where the name was freed it is taken again if the cluster is wanted running; `Conflict` (code
    /// `cluster_name_taken`) if another cluster holds it by then.
    Want {
        /// The cluster.
        key: &'a ClusterKey,
        /// The operation that the request was decided on.
        seen: &'a OperationId,
        /// What is wanted now.
        goal: Goal,
        /// The operation that asks for it.
        operation: &'a OperationRequest,
    },
    /// Saves the controller's state, with its events. A name that the state no longer holds is free from
    /// then on.
    Save {
        /// The cluster.
        key: &'a ClusterKey,
        /// What is known.
        state: &'a ClusterState,
        /// What happened.
        events: &'a [Event],
    },
    /// Adds events without touching the state, which belongs to the controller: for the API.
    AddEvents {
        /// The cluster.
        key: &'a ClusterKey,
        /// What happened.
        events: &'a [Event],
    },
    /// Removes a cluster and its secrets; fine if it is gone. Its events stay readable for a while.
    Remove {
        /// The cluster.
        key: &'a ClusterKey,
        /// What happened.
        events: &'a [Event],
    },
    /// Forgets the secrets of a cluster; fine if there are none.
    ForgetSecrets {
        /// The cluster.
        key: &'a ClusterKey,
    },
    /// Remembers the hash of a read capability for a cluster, for as long as the cluster is remembered
    /// itself; fine if it is known. Also for one that was removed in the meantime: its end can be read.
    PutCapability {
        /// The cluster.
        key: &'a ClusterKey,
        /// The hash.
        hash: &'a [u8; 32],
    },
    /// Writes a document that belongs to a site, not to one of its clusters, in place of the one of its kind and name, or removes it; fine if it
    /// is not there. One that cannot be read stays as it is: `Invalid` (code `site_document_unreadable`).
    SiteDocument {
        /// The site.
        site: &'a SiteName,
        /// What it is.
        kind: &'a SiteKind,
        /// Its name.
        name: &'a str,
        /// Its text; absent to remove it.
        text: Option<&'a str>,
    },
    /// Writes something that nobody reads: whether a change could be kept now.
    Try,
}

impl Change<'_> {
    /// The cluster that it changes; `None` if it is about no single one.
    pub fn key(&self) -> Option<ClusterKey> {
        match self {
            Self::Insert { record, .. } => Some(record.key()),
            Self::Want { key, .. }
            | Self::Save { key, .. }
            | Self::AddEvents { key, .. }
            | Self::Remove { key, .. }
            | Self::ForgetSecrets { key }
            | Self::PutCapability { key, .. } => Some((*key).clone()),
            Self::SiteDocument { .. } | Self::Try => None,
        }
    }
}

/// The database. After another service has taken over, every change fails: `Unavailable`, code `fenced`.
///
/// A store implements [`write`](Self::write) and what looks; the other methods are `write` with one change
/// each, for callers, and a decorator leaves them as they are.
#[async_trait]
pub trait Store: Send + Sync {
    /// Makes one change. `NotFound` (code `cluster_not_found`) if its cluster does not exist, `Invalid`
    /// (code `cluster_unreadable`) if it cannot be read, unless the change says otherwise.
    async fn write(&self, change: Change<'_>) -> Remote<()>;

    /// One cluster; `None` if it never was or has been removed.
    async fn load(&self, key: &ClusterKey) -> Remote<Option<Row>>;

    /// What one cluster is wanted to be; `None` if it never was or has been removed. `Invalid`
    /// (code `cluster_unreadable`) if its record cannot be read.
    async fn wanted(&self, key: &ClusterKey) -> Remote<Option<ClusterRecord>>;

    /// All clusters, or those of a project, by creation time; a page of them.
    async fn list(&self, project: Option<&ProjectId>, page: Page<'_>) -> Remote<Vec<Row>>;

    /// The clusters of this ID, in whichever projects, with those that were removed and are remembered.
    async fn traces(&self, id: &ClusterId) -> Remote<Vec<Trace>>;

    /// What the other clusters of this one's project count for, read without their documents.
    async fn usage_beside(&self, key: &ClusterKey) -> Remote<Usage>;

    /// The secrets of a cluster; `Unavailable` (code `secrets_unreadable`) if there are some that
    /// the key file does not open: that may pass when the operator puts the right one back.
    async fn secrets(&self, key: &ClusterKey) -> Remote<Secrets>;

    /// Events with a larger number than `after`, oldest first, at most `limit`, with their numbers.
    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>>;

    /// The cluster of this ID that the hash is a capability of. Capabilities outlive the cluster
    /// for as long as its events do, so that a delete can be followed to its end.
    async fn by_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<Option<ClusterKey>>;

    /// The readable documents of this kind that a site has: names and texts, by name.
    async fn site_documents(&self, site: &SiteName, kind: &SiteKind) -> Remote<Vec<(String, String)>>;

    /// [`Change::Insert`].
    async fn insert(&self, record: &ClusterRecord, secrets: &Secrets, events: &[Event]) -> Remote<()> {
        self.write(Change::Insert { record, secrets, events }).await
    }

    /// [`Change::Want`].
    async fn want(&self, key: &ClusterKey, seen: &OperationId, goal: Goal, operation: &OperationRequest) -> Remote<()> {
        self.write(Change::Want { key, seen, goal, operation }).await
    }

    /// [`Change::Save`].
    async fn save(&self, key: &ClusterKey, state: &ClusterState, events: &[Event]) -> Remote<()> {
        self.write(Change::Save { key, state, events }).await
    }

    /// [`Change::AddEvents`].
    async fn add_events(&self, key: &ClusterKey, events: &[Event]) -> Remote<()> {
        self.write(Change::AddEvents { key, events }).await
    }

    /// [`Change::Remove`].
    async fn remove(&self, key: &ClusterKey, events: &[Event]) -> Remote<()> {
        self.write(Change::Remove { key, events }).await
    }

    /// [`Change::ForgetSecrets`].
    async fn forget_secrets(&self, key: &ClusterKey) -> Remote<()> {
        self.write(Change::ForgetSecrets { key }).await
    }

    /// [`Change::PutCapability`].
    async fn put_capability(&self, key: &ClusterKey, hash: &[u8; 32]) -> Remote<()> {
        self.write(Change::PutCapability { key, hash }).await
    }

    /// [`Change::Try`].
    async fn try_write(&self) -> Remote<()> {
        self.write(Change::Try).await
    }

    /// Network registrations in a site's cluster manager that we made, or are about to make.
    async fn registrations(&self, site: &SiteName) -> Remote<Vec<Registration>> {
        let found = self.site_documents(site, &document::REGISTRATION).await?;
        Ok(found.iter().filter_map(|(name, text)| document::read_registration(name, text)).collect())
    }

    /// Writes a registration down, in place of the one of its name.
    async fn save_registration(&self, site: &SiteName, registration: &Registration) -> Remote<()> {
        let text = document::write(registration).map_err(|e| {
            let message = format!("cannot write the registration {} as JSON", registration.name);
            RemoteError::new(System::Store, ErrorKind::Invalid, "store_document", message).caused_by(e)
        })?;
        let (name, text) = (registration.name.as_str(), Some(text.as_str()));
        self.write(Change::SiteDocument { site, kind: &document::REGISTRATION, name, text }).await
    }

    /// Forgets a registration; fine if it is not there.
    async fn remove_registration(&self, site: &SiteName, name: &str) -> Remote<()> {
        self.write(Change::SiteDocument { site, kind: &document::REGISTRATION, name, text: None }).await
    }
}
