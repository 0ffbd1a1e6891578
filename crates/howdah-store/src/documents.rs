//! The store over any [`Backend`]: reads, plans a change, and commits it.
//!
//! ```text
//!   change --> read the row --> plan (rules) --> commit, if epoch and version are still those
//!                ^                                  |
//!                +------------- stale --------------+
//! ```
//!
//! Invariants: one row that cannot be read never fails the reading of others, and is never written over: a change
//! reads the record and the state first, but for a save after a change that this service made itself.
//! A refusal counts only if this service is still the newest: one that was taken over says so, and nothing
//! about clusters that another service works on.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use howdah_core::document::{Row, SiteKind};
use howdah_core::event::{Event, Level};
use howdah_core::ids::{ClusterId, ClusterKey, ProjectId, SiteName};
use howdah_core::store::{Change, Page, Store, Trace};
use howdah_core::systems::Remote;
use howdah_core::usage::Usage;
use howdah_core::wanted::{ClusterRecord, Secrets};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::watch;

use crate::StoreError;
use crate::backend::{Backend, Batch, Condition, Entry, Found, Outcome, Place, Query, Write};
use crate::plan::{Before, CAPABILITY, Plan, SECRETS, plan, record, row};
use crate::seal::{Sealer, hex};
use crate::secrets::unseal;

/// How often a change is planned again after concurrent ones. Of two that meet one always succeeds.
const TRIES: usize = 50;

/// A store: the rules over a database.
pub struct Documents<B> {
    pub(crate) backend: B,
    pub(crate) sealer: Sealer,
    /// What the database is called in messages.
    name: String,
    epoch: u64,
    fenced: watch::Sender<bool>,
    /// Versions of rows that this service wrote itself: their states need not be read to know that they can be.
    own: Mutex<HashMap<ClusterKey, u64>>,
}

impl<B> std::fmt::Debug for Documents<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Documents").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<B: Backend> Documents<B> {
    /// Over a database that was opened with this epoch.
    pub(crate) fn over(backend: B, name: String, epoch: u64, sealer: Sealer) -> Self {
        let (fenced, own) = (watch::Sender::new(false), Mutex::default());
        Self { backend, sealer, name, epoch, fenced, own }
    }

    /// Waits until a change is refused because another service has opened the database since. This store
    /// can never write again. Only a change finds that out: without changes this does not end.
    pub async fn fenced(&self) -> StoreError {
        // The sender lives as long as `self`: it cannot be closed.
        let _ = self.fenced.subscribe().wait_for(|fenced| *fenced).await;
        self.is_fenced()
    }

    /// Forgets clusters that were removed before this time, with their events and capabilities;
    /// says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        for Found { entry, .. } in self.backend.clusters(Query::RemovedBefore(before), false).await? {
            let conditions = vec![Condition::Version(entry.key.clone(), Some(entry.version))];
            // One whose ID is used again in the meantime stays.
            let plan = Plan { conditions, writes: vec![Write::Forget(entry.key)] };
            if self.commit(plan).await? == Outcome::Done {
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }

    /// Makes a plan; or says that this service is no longer the newest.
    pub(crate) async fn commit(&self, Plan { conditions, writes }: Plan) -> Result<Outcome, StoreError> {
        let outcome = self.backend.commit(&Batch { epoch: self.epoch, conditions, writes }).await?;
        if outcome == Outcome::Fenced {
            self.fenced.send_replace(true);
            return Err(self.is_fenced());
        }
        Ok(outcome)
    }

    fn is_fenced(&self) -> StoreError {
        StoreError::Fenced { database: self.name.clone() }
    }

    async fn found(&self, key: &ClusterKey, states: bool) -> Result<Option<Found>, StoreError> {
        Ok(self.backend.clusters(Query::Key(key), states).await?.pop())
    }

    async fn present(&self, key: &ClusterKey, states: bool) -> Result<Option<Found>, StoreError> {
        Ok(self.found(key, states).await?.filter(|found| found.entry.removed.is_none()))
    }

    async fn document(&self, place: &Place) -> Result<Option<String>, StoreError> {
        let found = self.backend.documents(&place.owner, &place.kind, Some(&place.name)).await?;
        Ok(found.into_iter().map(|(_, text)| text).next())
    }

    /// What a change is decided on. States are large, and most changes are saves of one after the other.
    async fn before(&self, change: Change<'_>, key: &ClusterKey) -> Result<Before, StoreError> {
        if matches!(change, Change::Save { .. }) {
            let found = self.found(key, false).await?;
            if found.as_ref().is_some_and(|found| self.own().get(key) == Some(&found.entry.version)) {
                return Ok(Before { found, is_own: true });
            }
        }
        Ok(Before { found: self.found(key, true).await?, is_own: false })
    }

    fn own(&self) -> MutexGuard<'_, HashMap<ClusterKey, u64>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the row that a plan wrote.
    fn wrote(&self, entry: Entry) {
        match entry.removed {
            None => self.own().insert(entry.key, entry.version),
            Some(_) => self.own().remove(&entry.key),
        };
    }

    async fn plan(&self, change: Change<'_>) -> Result<Plan, StoreError> {
        if let Some(key) = change.key() {
            return plan(change, &key, self.before(change, &key).await?, &self.sealer);
        }
        let write = match change {
            Change::SiteDocument { site, kind, name, text } => {
                let place = Place { name: name.to_owned(), ..of_site(site, kind) };
                if self.document(&place).await?.is_some_and(|there| !(kind.reads)(name, &there)) {
                    let (site, name) = (site.clone(), name.to_owned());
                    return Err(StoreError::SiteDocumentUnreadable { site, kind: kind.name, name });
                }
                Write::Document(place, text.map(str::to_owned))
            }
            _ => {
                let place = Place { owner: "store".to_owned(), kind: "health".to_owned(), name: String::new() };
                Write::Document(place, Some(Timestamp::now().to_string()))
            }
        };
        Ok(Plan { conditions: vec![], writes: vec![write] })
    }

    async fn change(&self, change: Change<'_>) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let plan = match self.plan(change).await {
                Ok(plan) => plan,
                Err(e) => {
                    self.commit(Plan::default()).await?;
                    return Err(e);
                }
            };
            let row = plan.writes.iter().find_map(|write| match write {
                Write::Row(entry, _) => Some(entry.clone()),
                _ => None,
            });
            match self.commit(plan).await? {
                Outcome::Untrue(Condition::NameFree(_, site, name)) => {
                    return Err(StoreError::NameTaken { site, name });
                }
                Outcome::Untrue(Condition::Version(..)) => {}
                // Where there is room for so little, there may be none for a cluster.
                _ if matches!(change, Change::Try) => return self.backend.has_room(),
                _ => {
                    row.into_iter().for_each(|entry| self.wrote(entry));
                    return Ok(());
                }
            }
        }
        Err(StoreError::Busy { database: self.name.clone() })
    }
}

fn of_site(site: &SiteName, kind: &SiteKind) -> Place {
    Place { owner: format!("site/{site}"), kind: kind.name.to_owned(), name: String::new() }
}

/// An event; one that a newer version wrote, or that is damaged, becomes one that says so.
fn event(text: &str) -> Event {
    #[derive(Deserialize)]
    struct When {
        at: Timestamp,
    }
    serde_json::from_str(text).unwrap_or_else(|_| Event {
        at: serde_json::from_str(text).map_or(Timestamp::UNIX_EPOCH, |When { at }| at),
        level: Level::Warning,
        reason: "event_unreadable".to_owned(),
        node: None,
        message: "This version of Howdah cannot read an event.".to_owned(),
    })
}

#[async_trait]
impl<B: Backend> Store for Documents<B> {
    async fn write(&self, change: Change<'_>) -> Remote<()> {
        Ok(self.change(change).await?)
    }

    async fn load(&self, key: &ClusterKey) -> Remote<Option<Row>> {
        Ok(self.present(key, true).await?.as_ref().map(row))
    }

    async fn wanted(&self, key: &ClusterKey) -> Remote<Option<ClusterRecord>> {
        let Some(found) = self.present(key, false).await? else { return Ok(None) };
        Ok(Some(record(&found).map_err(|why| StoreError::Unreadable { key: key.clone(), why })?))
    }

    async fn list(&self, project: Option<&ProjectId>, page: Page<'_>) -> Remote<Vec<Row>> {
        Ok(self.backend.clusters(Query::Page(project, page), true).await?.iter().map(row).collect())
    }

    async fn traces(&self, id: &ClusterId) -> Remote<Vec<Trace>> {
        let found = self.backend.clusters(Query::Id(id), false).await?.into_iter();
        let trace = |f: Found| Trace { key: f.entry.key, site: f.entry.site, removed: f.entry.removed.is_some() };
        Ok(found.map(trace).collect())
    }

    async fn usage_beside(&self, key: &ClusterKey) -> Remote<Usage> {
        Ok(self.backend.usage_beside(key).await?)
    }

    async fn secrets(&self, key: &ClusterKey) -> Remote<Secrets> {
        match self.document(&Place::of(key, SECRETS, "")).await? {
            Some(sealed) => Ok(unseal(&self.sealer, key, &sealed)?),
            None => Ok(Secrets::default()),
        }
    }

    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>> {
        let found = self.backend.events(key, after, limit).await?;
        Ok(found.into_iter().map(|(number, text)| (number, event(&text))).collect())
    }

    async fn by_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<Option<ClusterKey>> {
        for found in self.backend.clusters(Query::Id(id), false).await? {
            let key = found.entry.key;
            if self.document(&Place::of(&key, CAPABILITY, &hex(hash))).await?.is_some() {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    async fn site_documents(&self, site: &SiteName, kind: &SiteKind) -> Remote<Vec<(String, String)>> {
        let mut found = self.backend.documents(&of_site(site, kind).owner, kind.name, None).await?;
        found.retain(|(name, text)| {
            let reads = (kind.reads)(name, text);
            if !reads {
                // Taken for somebody else's, which is used and never removed.
                tracing::warn!(%site, kind = kind.name, name, "cannot read a stored document; not changing it");
            }
            reads
        });
        Ok(found)
    }
}

#[cfg(test)]
#[path = "documents_tests.rs"]
mod tests;
