//! The store in SQLite. Invariant: every change is a [`Writer::change`]; looks have connections
//! of their own, which cannot write.

use async_trait::async_trait;
use howdah_core::document::{Row, read_record};
use howdah_core::event::Event;
use howdah_core::ids::{ClusterId, ClusterKey, OperationId, ProjectId, SiteName};
use howdah_core::known::ClusterState;
use howdah_core::mark::MarkKey;
use howdah_core::naming::{holds_name, takes_name};
use howdah_core::site::registrar::Registration;
use howdah_core::store::{Page, Store, Trace};
use howdah_core::systems::Remote;
use howdah_core::wanted::{ClusterRecord, Goal, OperationRequest, Secrets};
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

use crate::StoreError;
use crate::lock::Lock;
use crate::open::{Opened, Options, open};
use crate::rows::{
    CLUSTER, append, cluster, encode, event, failed, forget_secrets, is_there, keyed, name_is_free, readable,
    registration, registration_is_readable, seal, unseal, was_removed,
};
use crate::seal::Sealer;
use crate::writer::Writer;

/// The store in one SQLite file, used by one service at a time.
pub struct SqliteStore {
    writer: Writer,
    readers: SqlitePool,
    sealer: Sealer,
    _lock: Lock,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the database, makes it if there is none, and brings it to the present schema.
    ///
    /// # Errors
    /// See [`StoreError`]; a database of a newer version, or in use, is left as it is.
    pub async fn open(options: &Options) -> Result<Self, StoreError> {
        let Opened { writer, readers, sealer, lock } = open(options).await.map_err(|e| e.or_full(&options.path))?;
        Ok(Self { writer, readers, sealer, _lock: lock })
    }

    /// The key of this installation's port marks: derived from the key file, and the same for as
    /// long as that is.
    pub fn mark_key(&self) -> MarkKey {
        self.sealer.mark_key()
    }

    /// Forgets clusters that were removed before this time, with their events and capabilities;
    /// says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.writer
            .change(async |db| {
                let done = sqlx::query("DELETE FROM clusters WHERE removed < ?")
                    .bind(before.as_microsecond())
                    .execute(db)
                    .await
                    .map_err(failed("remove the records of deleted clusters"))?;
                Ok(done.rows_affected())
            })
            .await
    }

    /// Waits until a change is refused because another service has opened the database since. This store
    /// can never write again. Only a change finds that out: without changes this does not end.
    pub async fn fenced(&self) -> StoreError {
        self.writer.fenced().await
    }

    /// Ends all connections. What was answered is on disk without it; this only tidies up.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn insert(&self, record: &ClusterRecord, secrets: &Secrets, events: &[Event]) -> Remote<()> {
        let key = record.key();
        let fail = failed("add a cluster");
        let sealed = seal(&self.sealer, &key, secrets)?;
        let change = async |db: &mut SqliteConnection| {
            if keyed(CLUSTER, &key).fetch_optional(&mut *db).await.map_err(&fail)?.is_some() {
                return Err(StoreError::IdTaken { key: key.clone() });
            }
            name_is_free(db, record).await?;
            // An id may be used again once its cluster is gone: who could read the old one must
            // not read the new one. Numbers go on, for those who follow.
            for old in [
                "DELETE FROM capabilities WHERE id = ?1 AND project = ?2",
                "DELETE FROM events WHERE id = ?1 AND project = ?2",
            ] {
                keyed(old, &key).execute(&mut *db).await.map_err(&fail)?;
            }
            keyed(
                "INSERT INTO clusters (id, project, site, name, created, record, state) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id, project) DO UPDATE SET site = excluded.site, \
                 name = excluded.name, created = excluded.created, removed = NULL, holds_name = 1, \
                 record = excluded.record, state = excluded.state",
                &key,
            )
            .bind(record.site.as_str())
            .bind(record.name.as_str())
            .bind(record.created.as_microsecond())
            .bind(encode("record", record)?)
            .bind(encode("state", &ClusterState::default())?)
            .execute(&mut *db)
            .await
            .map_err(&fail)?;
            if let Some(sealed) = sealed {
                keyed("INSERT INTO secrets (id, project, sealed) VALUES (?1, ?2, ?3)", &key)
                    .bind(sealed)
                    .execute(&mut *db)
                    .await
                    .map_err(failed("keep secrets"))?;
            }
            append(db, &key, events).await
        };
        Ok(self.writer.change(change).await?)
    }

    async fn load(&self, key: &ClusterKey) -> Remote<Option<Row>> {
        let row = keyed(CLUSTER, key).fetch_optional(&self.readers).await.map_err(failed("read a cluster"))?;
        Ok(row.as_ref().and_then(cluster))
    }

    async fn wanted(&self, key: &ClusterKey) -> Remote<Option<ClusterRecord>> {
        let fail = failed("read a wanted state");
        let row = keyed("SELECT record FROM clusters WHERE id = ?1 AND project = ?2 AND removed IS NULL", key)
            .fetch_optional(&self.readers)
            .await
            .map_err(&fail)?;
        let Some(row) = row else { return Ok(None) };
        let read = read_record(row.try_get(0).map_err(fail)?);
        Ok(Some(read.map_err(|why| StoreError::Unreadable { key: key.clone(), why })?))
    }

    async fn find(&self, id: &ClusterId) -> Remote<Vec<ClusterKey>> {
        let projects: Vec<String> =
            sqlx::query_scalar("SELECT project FROM clusters WHERE id = ? AND removed IS NULL ORDER BY project")
                .bind(id.to_string())
                .fetch_all(&self.readers)
                .await
                .map_err(failed("look up a cluster"))?;
        Ok(projects.iter().map(|project| ClusterKey { project: project.as_str().into(), id: *id }).collect())
    }

    async fn traces(&self, id: &ClusterId) -> Remote<Vec<Trace>> {
        let rows: Vec<(String, String, bool)> =
            sqlx::query_as("SELECT project, site, removed IS NOT NULL FROM clusters WHERE id = ? ORDER BY project")
                .bind(id.to_string())
                .fetch_all(&self.readers)
                .await
                .map_err(failed("look for traces of a cluster"))?;
        let trace = |(project, site, removed): (String, String, bool)| {
            let key = ClusterKey { project: project.as_str().into(), id: *id };
            Trace { key, site: site.as_str().into(), removed }
        };
        Ok(rows.into_iter().map(trace).collect())
    }

    async fn list(&self, project: Option<&ProjectId>, page: Page<'_>) -> Remote<Vec<Row>> {
        let rows = sqlx::query(
            "SELECT id, project, site, name, record, state FROM clusters \
             WHERE removed IS NULL AND (?1 IS NULL OR project = ?1) \
             AND (?2 IS NULL OR (created, id, project) > \
             (SELECT created, id, project FROM clusters WHERE id = ?2 AND project = ?3)) \
             ORDER BY created, id, project LIMIT ?4",
        )
        .bind(project.map(ProjectId::as_str))
        .bind(page.after.map(|key| key.id.to_string()))
        .bind(page.after.map(|key| key.project.as_str()))
        // SQLite takes a negative limit for none.
        .bind(page.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX)))
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list clusters"))?;
        Ok(rows.iter().filter_map(cluster).collect())
    }

    async fn want(&self, key: &ClusterKey, seen: &OperationId, goal: Goal, operation: &OperationRequest) -> Remote<()> {
        let change = async |db: &mut SqliteConnection| {
            let (mut record, _) = readable(db, key).await?;
            if record.operation.id != *seen {
                return Err(StoreError::Changed { key: key.clone() });
            }
            record.shape = record.shape.with_goal(goal);
            record.operation = operation.clone();
            let takes = takes_name(goal);
            if takes {
                name_is_free(db, &record).await?;
            }
            keyed(
                "UPDATE clusters SET record = ?3, holds_name = max(holds_name, ?4) WHERE id = ?1 AND project = ?2",
                key,
            )
            .bind(encode("record", &record)?)
            .bind(takes)
            .execute(db)
            .await
            .map_err(failed("write a wanted state"))?;
            Ok(())
        };
        Ok(self.writer.change(change).await?)
    }

    async fn save(&self, key: &ClusterKey, state: &ClusterState, events: &[Event]) -> Remote<()> {
        let text = encode("state", state)?;
        let change = async |db: &mut SqliteConnection| {
            let (record, _) = readable(db, key).await?;
            keyed(
                "UPDATE clusters SET state = ?3, holds_name = min(holds_name, ?4) WHERE id = ?1 AND project = ?2",
                key,
            )
            .bind(text)
            .bind(holds_name(&record, state))
            .execute(&mut *db)
            .await
            .map_err(failed("write a state"))?;
            append(db, key, events).await
        };
        Ok(self.writer.change(change).await?)
    }

    async fn add_events(&self, key: &ClusterKey, events: &[Event]) -> Remote<()> {
        let change = async |db: &mut SqliteConnection| {
            readable(db, key).await?;
            append(db, key, events).await
        };
        Ok(self.writer.change(change).await?)
    }

    async fn remove(&self, key: &ClusterKey, events: &[Event]) -> Remote<()> {
        let change = async |db: &mut SqliteConnection| {
            // Done before and the answer got lost: its events are there already.
            if !is_there(db, key).await? {
                return Ok(());
            }
            keyed("UPDATE clusters SET removed = ?3 WHERE id = ?1 AND project = ?2", key)
                .bind(Timestamp::now().as_microsecond())
                .execute(&mut *db)
                .await
                .map_err(failed("remove a cluster"))?;
            forget_secrets(db, key).await?;
            append(db, key, events).await
        };
        Ok(self.writer.change(change).await?)
    }

    async fn secrets(&self, key: &ClusterKey) -> Remote<Secrets> {
        let fail = failed("read secrets");
        let row = keyed("SELECT sealed FROM secrets WHERE id = ?1 AND project = ?2", key)
            .fetch_optional(&self.readers)
            .await
            .map_err(&fail)?;
        Ok(match row {
            Some(row) => unseal(&self.sealer, key, row.try_get(0).map_err(fail)?)?,
            None => Secrets::default(),
        })
    }

    async fn forget_secrets(&self, key: &ClusterKey) -> Remote<()> {
        let change = async |db: &mut SqliteConnection| {
            if is_there(db, key).await? { forget_secrets(db, key).await } else { Ok(()) }
        };
        Ok(self.writer.change(change).await?)
    }

    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>> {
        let fail = failed("read events");
        let rows = keyed(
            "SELECT number, event FROM events WHERE id = ?1 AND project = ?2 AND number > ?3 ORDER BY number LIMIT ?4",
            key,
        )
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await
        .map_err(&fail)?;
        let read = |row: &sqlx::sqlite::SqliteRow| {
            let number: i64 = row.try_get(0).map_err(&fail)?;
            Ok((number.unsigned_abs(), event(row.try_get(1).unwrap_or_default())))
        };
        Ok(rows.iter().map(read).collect::<Result<_, StoreError>>()?)
    }

    async fn registrations(&self, site: &SiteName) -> Remote<Vec<Registration>> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT name, document FROM registrations WHERE site = ? ORDER BY name")
                .bind(site.as_str())
                .fetch_all(&self.readers)
                .await
                .map_err(failed("read registrations"))?;
        let read = |(name, text): &(String, String)| {
            let read = registration(name, text);
            if read.is_none() {
                // Taken for somebody else's, which is used and never removed.
                tracing::warn!(%site, name, "cannot read a stored registration; not changing it");
            }
            read
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    async fn save_registration(&self, site: &SiteName, registration: &Registration) -> Remote<()> {
        let text = encode("registration", registration)?;
        let change = async |db: &mut SqliteConnection| {
            registration_is_readable(db, site, &registration.name).await?;
            sqlx::query(
                "INSERT INTO registrations (site, name, document) VALUES (?, ?, ?) \
                 ON CONFLICT (site, name) DO UPDATE SET document = excluded.document",
            )
            .bind(site.as_str())
            .bind(&registration.name)
            .bind(text)
            .execute(db)
            .await
            .map_err(failed("save a registration"))?;
            Ok(())
        };
        Ok(self.writer.change(change).await?)
    }

    async fn remove_registration(&self, site: &SiteName, name: &str) -> Remote<()> {
        let change = async |db: &mut SqliteConnection| {
            registration_is_readable(db, site, name).await?;
            sqlx::query("DELETE FROM registrations WHERE site = ? AND name = ?")
                .bind(site.as_str())
                .bind(name)
                .execute(db)
                .await
                .map_err(failed("delete a registration"))?;
            Ok(())
        };
        Ok(self.writer.change(change).await?)
    }

    async fn put_capability(&self, key: &ClusterKey, hash: &[u8; 32]) -> Remote<()> {
        let change = async |db: &mut SqliteConnection| {
            if !was_removed(db, key).await? {
                readable(db, key).await?;
            }
            keyed("INSERT OR IGNORE INTO capabilities (id, project, hash, created) VALUES (?1, ?2, ?3, ?4)", key)
                .bind(hash.as_slice())
                .bind(Timestamp::now().as_microsecond())
                .execute(db)
                .await
                .map_err(failed("save a capability"))?;
            Ok(())
        };
        Ok(self.writer.change(change).await?)
    }

    async fn by_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<Option<ClusterKey>> {
        let project: Option<String> =
            sqlx::query_scalar("SELECT project FROM capabilities WHERE id = ? AND hash = ? ORDER BY project LIMIT 1")
                .bind(id.to_string())
                .bind(hash.as_slice())
                .fetch_optional(&self.readers)
                .await
                .map_err(failed("look up a capability"))?;
        Ok(project.map(|project| ClusterKey { project: project.as_str().into(), id: *id }))
    }

    async fn try_write(&self) -> Remote<()> {
        let change = async |db: &mut SqliteConnection| {
            sqlx::query(
                "INSERT INTO health (one, written) VALUES (1, ?) \
                 ON CONFLICT (one) DO UPDATE SET written = excluded.written",
            )
            .bind(Timestamp::now().as_microsecond())
            .execute(db)
            .await
            .map_err(failed("write the health row"))?;
            Ok(())
        };
        self.writer.change(change).await?;
        // Where the log has room for so little, it may have none for a cluster.
        Ok(self.writer.has_room()?)
    }
}
