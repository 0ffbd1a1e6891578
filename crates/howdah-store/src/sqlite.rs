//! The store in SQLite. Invariant: every change is one transaction that takes the write lock at
//! its begin, so it happens as a whole or not at all, and never fails half-way for want of the lock.

use async_trait::async_trait;
use howdah_core::cluster::{ClusterRecord, ClusterState, Event, OperationRequest, Registration, Secrets, Wanted};
use howdah_core::ids::{ClusterId, ProjectId, SiteName};
use howdah_core::traits::{Remote, Store};
use jiff::Timestamp;
use sqlx::Transaction;
use sqlx::sqlite::{Sqlite, SqlitePool};

use crate::lock::Lock;
use crate::open::{Opened, Options, open};
use crate::rows::{append, commit, decode, encode, failed, is_present, pair, seal, unseal};
use crate::seal::Sealer;
use crate::{CAPABILITIES_KEPT, StoreError};

/// The store in one SQLite file, used by one service at a time.
pub struct SqliteStore {
    writer: SqlitePool,
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
        let Opened { writer, readers, sealer, lock } = open(options).await?;
        Ok(Self { writer, readers, sealer, _lock: lock })
    }

    /// Forgets clusters that were removed before this time, with their events and capabilities;
    /// says how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune(&self, before: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM clusters WHERE removed < ?")
            .bind(before.as_microsecond())
            .execute(&self.writer)
            .await
            .map_err(failed("forget removed clusters"))?;
        Ok(done.rows_affected())
    }

    /// Ends all connections. What was answered is on disk without it; this only tidies up.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn change(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed("begin a change"))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn insert(&self, record: &ClusterRecord, secrets: &Secrets) -> Remote<()> {
        let id = record.id.to_string();
        let step = "add a cluster";
        let sealed = seal(&self.sealer, &record.id, secrets)?;
        let mut change = self.change().await?;
        match is_present(&mut *change, &record.id).await {
            Ok(()) => return Err(StoreError::IdTaken { id: record.id }.into()),
            Err(StoreError::Gone { .. }) => {}
            Err(e) => return Err(e.into()),
        }
        let named: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM clusters WHERE site = ? AND name = ? AND removed IS NULL")
                .bind(record.site.as_str())
                .bind(record.name.as_str())
                .fetch_optional(&mut *change)
                .await
                .map_err(failed(step))?;
        if named.is_some() {
            return Err(StoreError::NameTaken { site: record.site.clone(), name: record.name.clone() }.into());
        }
        // An id may be used again once its cluster is gone, perhaps by another project: who could
        // read the old one must not read the new one. Numbers go on, for those who follow.
        for old in ["DELETE FROM capabilities WHERE cluster = ?", "DELETE FROM events WHERE cluster = ?"] {
            sqlx::query(old).bind(&id).execute(&mut *change).await.map_err(failed(step))?;
        }
        sqlx::query(
            "INSERT INTO clusters (id, site, project, name, created, record, state) VALUES (?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (id) DO UPDATE SET site = excluded.site, project = excluded.project, name = excluded.name, \
             created = excluded.created, removed = NULL, record = excluded.record, state = excluded.state",
        )
        .bind(&id)
        .bind(record.site.as_str())
        .bind(record.project.as_str())
        .bind(record.name.as_str())
        .bind(record.created.as_microsecond())
        .bind(encode("record", record)?)
        .bind(encode("state", &ClusterState::default())?)
        .execute(&mut *change)
        .await
        .map_err(failed(step))?;
        if let Some(sealed) = sealed {
            sqlx::query("INSERT INTO secrets (cluster, sealed) VALUES (?, ?)")
                .bind(&id)
                .bind(sealed)
                .execute(&mut *change)
                .await
                .map_err(failed("keep secrets"))?;
        }
        Ok(commit(change).await?)
    }

    async fn load(&self, id: &ClusterId) -> Remote<Option<(ClusterRecord, ClusterState)>> {
        let id = id.to_string();
        let row: Option<(String, String)> =
            sqlx::query_as("SELECT record, state FROM clusters WHERE id = ? AND removed IS NULL")
                .bind(&id)
                .fetch_optional(&self.readers)
                .await
                .map_err(failed("read a cluster"))?;
        Ok(row.map(|(record, state)| pair(&id, &record, &state)).transpose()?)
    }

    async fn list(&self, project: Option<&ProjectId>) -> Remote<Vec<(ClusterRecord, ClusterState)>> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT id, record, state FROM clusters WHERE removed IS NULL AND (?1 IS NULL OR project = ?1) \
             ORDER BY created, id",
        )
        .bind(project.map(ProjectId::as_str))
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list clusters"))?;
        let read = |(id, record, state): (String, String, String)| pair(&id, &record, &state);
        Ok(rows.into_iter().map(read).collect::<Result<_, _>>()?)
    }

    async fn want(&self, id: &ClusterId, wanted: Wanted, operation: &OperationRequest) -> Remote<()> {
        let key = id.to_string();
        let step = "write a wanted state";
        let mut change = self.change().await?;
        let text: Option<String> = sqlx::query_scalar("SELECT record FROM clusters WHERE id = ? AND removed IS NULL")
            .bind(&key)
            .fetch_optional(&mut *change)
            .await
            .map_err(failed(step))?;
        let mut record: ClusterRecord = decode("record", &key, &text.ok_or(StoreError::Gone { id: *id })?)?;
        record.wanted = wanted;
        record.operation = operation.clone();
        sqlx::query("UPDATE clusters SET record = ? WHERE id = ?")
            .bind(encode("record", &record)?)
            .bind(&key)
            .execute(&mut *change)
            .await
            .map_err(failed(step))?;
        Ok(commit(change).await?)
    }

    async fn save(&self, id: &ClusterId, state: &ClusterState, events: &[Event]) -> Remote<()> {
        let key = id.to_string();
        let mut change = self.change().await?;
        let done = sqlx::query("UPDATE clusters SET state = ? WHERE id = ? AND removed IS NULL")
            .bind(encode("state", state)?)
            .bind(&key)
            .execute(&mut *change)
            .await
            .map_err(failed("write a state"))?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Gone { id: *id }.into());
        }
        append(&mut change, &key, events).await?;
        Ok(commit(change).await?)
    }

    async fn add_events(&self, id: &ClusterId, events: &[Event]) -> Remote<()> {
        let mut change = self.change().await?;
        is_present(&mut *change, id).await?;
        append(&mut change, &id.to_string(), events).await?;
        Ok(commit(change).await?)
    }

    async fn remove(&self, id: &ClusterId, events: &[Event]) -> Remote<()> {
        let key = id.to_string();
        let step = "remove a cluster";
        let mut change = self.change().await?;
        let done = sqlx::query("UPDATE clusters SET removed = ? WHERE id = ? AND removed IS NULL")
            .bind(Timestamp::now().as_microsecond())
            .bind(&key)
            .execute(&mut *change)
            .await
            .map_err(failed(step))?;
        // Done before and the answer got lost: its events are there already.
        if done.rows_affected() == 0 {
            return Ok(());
        }
        sqlx::query("DELETE FROM secrets WHERE cluster = ?")
            .bind(&key)
            .execute(&mut *change)
            .await
            .map_err(failed(step))?;
        append(&mut change, &key, events).await?;
        Ok(commit(change).await?)
    }

    async fn secrets(&self, id: &ClusterId) -> Remote<Secrets> {
        let sealed: Option<Vec<u8>> = sqlx::query_scalar("SELECT sealed FROM secrets WHERE cluster = ?")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(failed("read secrets"))?;
        Ok(match sealed {
            Some(sealed) => unseal(&self.sealer, id, &sealed)?,
            None => Secrets::default(),
        })
    }

    async fn forget_secrets(&self, id: &ClusterId) -> Remote<()> {
        sqlx::query("DELETE FROM secrets WHERE cluster = ?")
            .bind(id.to_string())
            .execute(&self.writer)
            .await
            .map_err(failed("forget secrets"))?;
        Ok(())
    }

    async fn events(&self, id: &ClusterId, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>> {
        let key = id.to_string();
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT number, event FROM events WHERE cluster = ? AND number > ? ORDER BY number LIMIT ?")
                .bind(&key)
                .bind(i64::try_from(after).unwrap_or(i64::MAX))
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&self.readers)
                .await
                .map_err(failed("read events"))?;
        let read = |(number, event): (i64, String)| Ok((number.unsigned_abs(), decode("event", &key, &event)?));
        Ok(rows.into_iter().map(read).collect::<Result<_, StoreError>>()?)
    }

    async fn registrations(&self, site: &SiteName) -> Remote<Vec<Registration>> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT name, port_group FROM registrations WHERE site = ? ORDER BY name")
                .bind(site.as_str())
                .fetch_all(&self.readers)
                .await
                .map_err(failed("read registrations"))?;
        Ok(rows.into_iter().map(|(name, port_group)| Registration { name, port_group }).collect())
    }

    async fn own_registration(&self, site: &SiteName, registration: &Registration) -> Remote<()> {
        sqlx::query(
            "INSERT INTO registrations (site, name, port_group) VALUES (?, ?, ?) \
             ON CONFLICT (site, name) DO UPDATE SET port_group = excluded.port_group",
        )
        .bind(site.as_str())
        .bind(&registration.name)
        .bind(&registration.port_group)
        .execute(&self.writer)
        .await
        .map_err(failed("write down a registration"))?;
        Ok(())
    }

    async fn disown_registration(&self, site: &SiteName, name: &str) -> Remote<()> {
        sqlx::query("DELETE FROM registrations WHERE site = ? AND name = ?")
            .bind(site.as_str())
            .bind(name)
            .execute(&self.writer)
            .await
            .map_err(failed("forget a registration"))?;
        Ok(())
    }

    async fn put_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<()> {
        let key = id.to_string();
        let step = "keep a capability";
        let mut change = self.change().await?;
        is_present(&mut *change, id).await?;
        sqlx::query("INSERT OR REPLACE INTO capabilities (cluster, hash, created) VALUES (?, ?, ?)")
            .bind(&key)
            .bind(hash.as_slice())
            .bind(Timestamp::now().as_microsecond())
            .execute(&mut *change)
            .await
            .map_err(failed(step))?;
        sqlx::query(
            "DELETE FROM capabilities WHERE cluster = ?1 AND hash NOT IN \
             (SELECT hash FROM capabilities WHERE cluster = ?1 ORDER BY created DESC LIMIT ?2)",
        )
        .bind(&key)
        .bind(CAPABILITIES_KEPT as i64)
        .execute(&mut *change)
        .await
        .map_err(failed(step))?;
        Ok(commit(change).await?)
    }

    async fn has_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<bool> {
        let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM capabilities WHERE cluster = ? AND hash = ?")
            .bind(id.to_string())
            .bind(hash.as_slice())
            .fetch_optional(&self.readers)
            .await
            .map_err(failed("look up a capability"))?;
        Ok(found.is_some())
    }
}
