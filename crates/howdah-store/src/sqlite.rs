//! The database in SQLite. Invariant: every batch is one [`Writer::change`]; looks have connections
//! of their own, which cannot write.

use async_trait::async_trait;
use howdah_core::ids::ClusterKey;
use howdah_core::mark::MarkKey;
use howdah_core::usage::Usage;
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::query::Query as Statement;
use sqlx::sqlite::{Sqlite as Db, SqliteArguments, SqliteConnection, SqlitePool, SqliteRow};

use crate::StoreError;
use crate::backend::{Backend, Batch, Condition, Entry, Found, Outcome, Place, Query, Write};
use crate::documents::Documents;
use crate::lock::Lock;
use crate::open::{Opened, Options, open};
use crate::writer::Writer;

/// The store in one SQLite file, used by one service at a time.
pub type SqliteStore = Documents<Sqlite>;

/// A SQLite file.
pub struct Sqlite {
    writer: Writer,
    readers: SqlitePool,
    listers: SqlitePool,
    _lock: Lock,
}

impl SqliteStore {
    /// Opens the database, makes it if there is none, and brings it to the present schema.
    ///
    /// # Errors
    /// See [`StoreError`]; a database of a newer version, or in use, is left as it is.
    pub async fn open(options: &Options) -> Result<Self, StoreError> {
        let opened = open(options).await.map_err(|e| e.or_full(&options.path))?;
        let Opened { writer, readers, listers, sealer, epoch, lock } = opened;
        let backend = Sqlite { writer, readers, listers, _lock: lock };
        Ok(Self::over(backend, options.path.display().to_string(), epoch.unsigned_abs(), sealer))
    }

    /// The key of this installation's port marks: derived from the key file, and the same for as
    /// long as that is.
    pub fn mark_key(&self) -> MarkKey {
        self.sealer.mark_key()
    }

    /// Ends all connections. What was answered is on disk without it; this only tidies up.
    pub async fn close(&self) {
        self.backend.readers.close().await;
        self.backend.listers.close().await;
        self.backend.writer.close().await;
    }
}

/// `map_err` with the step's name.
pub(crate) fn failed(step: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| StoreError::Query { step, source }
}

/// A statement whose first two parameters, `?1` and `?2`, are the id and the project of a cluster.
pub(crate) fn keyed(statement: &'static str, key: &ClusterKey) -> Statement<'static, Db, SqliteArguments> {
    sqlx::query(statement).bind(key.id.to_string()).bind(key.project.as_str().to_owned())
}

/// A query for clusters; its first parameter says whether to read their states.
macro_rules! clusters {
    ($which:literal) => {
        concat!(
            "SELECT c.id, c.project, c.site, c.name, c.created, c.removed, c.holds_name, c.nodes, c.creates, c.version, \
             c.record, d.text AS state FROM clusters c LEFT JOIN documents d \
             ON ?1 AND d.owner = 'cluster/' || c.id || '/' || c.project AND d.kind = 'state' AND d.name = '' ",
            $which
        )
    };
}

#[async_trait]
impl Backend for Sqlite {
    async fn clusters(&self, query: Query<'_>, states: bool) -> Result<Vec<Found>, StoreError> {
        let statement = match query {
            Query::Key(key) => sqlx::query(clusters!("WHERE c.id = ?2 AND c.project = ?3"))
                .bind(states)
                .bind(key.id.to_string())
                .bind(key.project.as_str()),
            Query::Id(id) => sqlx::query(clusters!("WHERE c.id = ?2 ORDER BY c.project")).bind(states).bind(id.to_string()),
            Query::Page(project, page) => sqlx::query(clusters!(
                "WHERE c.removed IS NULL AND (?2 IS NULL OR c.project = ?2) AND (?3 IS NULL OR (c.created, c.id, c.project) > \
                 (SELECT created, id, project FROM clusters WHERE id = ?3 AND project = ?4)) \
                 ORDER BY c.created, c.id, c.project LIMIT ?5"
            ))
            .bind(states)
            .bind(project.map(|project| project.as_str()))
            .bind(page.after.map(|key| key.id.to_string()))
            .bind(page.after.map(|key| key.project.as_str()))
            // SQLite takes a negative limit for none.
            .bind(page.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX))),
            Query::RemovedBefore(time) => {
                sqlx::query(clusters!("WHERE c.removed < ?2")).bind(states).bind(time.as_microsecond())
            }
        };
        let pool = if matches!(query, Query::Page(..)) { &self.listers } else { &self.readers };
        let rows = statement.fetch_all(pool).await.map_err(failed("read clusters"))?;
        Ok(rows.iter().filter_map(found).collect())
    }

    async fn documents(
        &self,
        owner: &str,
        kind: &str,
        name: Option<&str>,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let rows = sqlx::query(
            "SELECT name, text FROM documents WHERE owner = ?1 AND kind = ?2 AND (?3 IS NULL OR name = ?3) \
             ORDER BY name",
        )
        .bind(owner)
        .bind(kind)
        .bind(name)
        .fetch_all(&self.readers)
        .await
        .map_err(failed("read documents"))?;
        Ok(rows.iter().map(|row| (text(row, "name"), text(row, "text"))).collect())
    }

    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError> {
        let rows = keyed(
            "SELECT number, event FROM events WHERE id = ?1 AND project = ?2 AND number > ?3 ORDER BY number LIMIT ?4",
            key,
        )
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await
        .map_err(failed("read events"))?;
        Ok(rows.iter().map(|row| (number(row, "number"), text(row, "event"))).collect())
    }

    async fn usage_beside(&self, key: &ClusterKey) -> Result<Usage, StoreError> {
        let row = keyed(
            "SELECT count(*) AS clusters, coalesce(sum(nodes), 0) AS nodes, coalesce(sum(creates), 0) AS creates FROM clusters \
             WHERE id <> ?1 AND project = ?2 AND removed IS NULL",
            key,
        )
        .fetch_one(&self.readers)
        .await
        .map_err(failed("count clusters"))?;
        Ok(Usage { clusters: number(&row, "clusters"), nodes: number(&row, "nodes"), creates: number(&row, "creates") })
    }

    async fn commit(&self, batch: &Batch) -> Result<Outcome, StoreError> {
        let change = async |db: &mut SqliteConnection| {
            let newest: i64 = sqlx::query_scalar("SELECT epoch FROM writer")
                .fetch_one(&mut *db)
                .await
                .map_err(failed("read the epoch"))?;
            if newest.unsigned_abs() != batch.epoch {
                return Ok(Outcome::Fenced);
            }
            for condition in &batch.conditions {
                if !is_true(db, condition).await? {
                    return Ok(Outcome::Untrue(condition.clone()));
                }
            }
            for write in &batch.writes {
                self::write(db, write).await?;
            }
            Ok(Outcome::Done)
        };
        self.writer.change(change).await
    }

    fn has_room(&self) -> Result<(), StoreError> {
        self.writer.has_room()
    }
}

async fn is_true(db: &mut SqliteConnection, condition: &Condition) -> Result<bool, StoreError> {
    match condition {
        Condition::Version(key, version) => {
            let row = keyed("SELECT version FROM clusters WHERE id = ?1 AND project = ?2", key)
                .fetch_optional(db)
                .await
                .map_err(failed("compare versions"))?;
            Ok(row.map(|row| number(&row, "version")) == *version)
        }
        Condition::NameFree(key, site, name) => {
            let other = keyed(
                "SELECT 1 FROM clusters WHERE NOT (id = ?1 AND project = ?2) AND site = ?3 AND name = ?4 \
                 AND removed IS NULL AND holds_name = 1",
                key,
            )
            .bind(site.as_str())
            .bind(name.as_str())
            .fetch_optional(db)
            .await
            .map_err(failed("look up a name"))?;
            Ok(other.is_none())
        }
    }
}

/// Makes one change of a batch, or of an upgrade.
pub(crate) async fn write(db: &mut SqliteConnection, write: &Write) -> Result<(), StoreError> {
    match write {
        Write::Row(entry, record) => {
            keyed(
                "INSERT INTO clusters (id, project, site, name, created, removed, holds_name, nodes, creates, version, \
                 record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id, project) DO UPDATE SET \
                 site = excluded.site, name = excluded.name, created = excluded.created, removed = excluded.removed, \
                 holds_name = excluded.holds_name, nodes = excluded.nodes, creates = excluded.creates, \
                 version = excluded.version, record = excluded.record",
                &entry.key,
            )
            .bind(entry.site.as_str())
            .bind(&entry.name)
            .bind(entry.created.as_microsecond())
            .bind(entry.removed.map(Timestamp::as_microsecond))
            .bind(entry.holds_name)
            .bind(integer(entry.nodes))
            .bind(integer(entry.creates))
            .bind(integer(entry.version))
            .bind(record)
            .execute(db)
            .await
            .map_err(failed("write a cluster"))?;
        }
        Write::Document(Place { owner, kind, name }, text) => {
            let statement = match text {
                Some(_) => {
                    "INSERT INTO documents (owner, kind, name, text) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT (owner, kind, name) DO UPDATE SET text = excluded.text"
                }
                None => "DELETE FROM documents WHERE owner = ?1 AND kind = ?2 AND name = ?3 AND ?4 IS NULL",
            };
            sqlx::query(statement)
                .bind(owner)
                .bind(kind)
                .bind(name)
                .bind(text.as_deref())
                .execute(db)
                .await
                .map_err(failed("write a document"))?;
        }
        Write::Append(key, events, keep) => append(db, key, events, *keep).await?,
        Write::Clear(key) => clear(db, key).await?,
        Write::Forget(key) => {
            clear(db, key).await?;
            keyed("DELETE FROM clusters WHERE id = ?1 AND project = ?2", key)
                .execute(db)
                .await
                .map_err(failed("forget a cluster"))?;
        }
    }
    Ok(())
}

async fn clear(db: &mut SqliteConnection, key: &ClusterKey) -> Result<(), StoreError> {
    let fail = failed("clear a cluster");
    sqlx::query("DELETE FROM documents WHERE owner = ?")
        .bind(Place::owner(key))
        .execute(&mut *db)
        .await
        .map_err(&fail)?;
    keyed("DELETE FROM events WHERE id = ?1 AND project = ?2", key).execute(db).await.map_err(fail)?;
    Ok(())
}

async fn append(db: &mut SqliteConnection, key: &ClusterKey, events: &[String], keep: u64) -> Result<(), StoreError> {
    let (fail, count) = (failed("add events"), integer(events.len() as u64));
    let counted =
        "UPDATE clusters SET last_event = last_event + ?3 WHERE id = ?1 AND project = ?2 RETURNING last_event";
    let row = keyed(counted, key).bind(count).fetch_one(&mut *db).await.map_err(&fail)?;
    let last = integer(number(&row, "last_event"));
    for (number, event) in (last - count + 1..).zip(events) {
        keyed("INSERT INTO events (id, project, number, event) VALUES (?1, ?2, ?3, ?4)", key)
            .bind(number)
            .bind(event)
            .execute(&mut *db)
            .await
            .map_err(&fail)?;
    }
    keyed("DELETE FROM events WHERE id = ?1 AND project = ?2 AND number <= ?3", key)
        .bind(last.saturating_sub(integer(keep)))
        .execute(db)
        .await
        .map_err(fail)?;
    Ok(())
}

// ---------------------------------------------------------------- columns

/// A row of [`clusters!`]. `None`, and a word in the log, if not even its key can be read.
fn found(row: &SqliteRow) -> Option<Found> {
    let column = |name| row.try_get::<Option<String>, _>(name).ok().flatten();
    let key = || Some(ClusterKey { project: column("project")?.as_str().into(), id: column("id")?.parse().ok()? });
    let Some(key) = key() else {
        tracing::error!("cannot read the key of a row in the table of clusters; not changing it");
        return None;
    };
    let time = |name| Timestamp::from_microsecond(row.try_get::<Option<i64>, _>(name).ok()??).ok();
    let entry = Entry {
        key,
        site: text(row, "site").as_str().into(),
        name: text(row, "name"),
        created: time("created").unwrap_or_default(),
        removed: time("removed"),
        holds_name: row.try_get("holds_name").unwrap_or(true),
        nodes: number(row, "nodes"),
        creates: number(row, "creates"),
        version: number(row, "version"),
    };
    Some(Found { entry, record: column("record"), state: column("state") })
}

/// A column of text; empty if it is none.
fn text(row: &SqliteRow, column: &str) -> String {
    row.try_get(column).unwrap_or_default()
}

/// A column that is never negative.
fn number(row: &SqliteRow, column: &str) -> u64 {
    row.try_get::<i64, _>(column).unwrap_or_default().unsigned_abs()
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
