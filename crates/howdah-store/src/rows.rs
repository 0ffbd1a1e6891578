//! Rows and documents: what stands in the columns, and how it is read back.
//!
//! Invariant: one row that cannot be read never fails the reading of others, and is never
//! written over: every change of a cluster starts with [`readable`].

use howdah_core::document::{self, Row, Unreadable};
use howdah_core::event::{Event, Level};
use howdah_core::ids::{ClusterKey, SiteName};
use howdah_core::known::ClusterState;
use howdah_core::site::registrar::Registration;
use howdah_core::specification::Specification;
use howdah_core::wanted::{ClusterRecord, Secrets};
use jiff::Timestamp;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection, SqliteRow};

use crate::seal::Sealer;
use crate::{EVENTS_KEPT, StoreError};

/// `map_err` with the step's name.
pub(crate) fn failed(step: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| StoreError::Query { step, source }
}

/// A statement whose first two parameters, `?1` and `?2`, are the id and the project of a cluster.
pub(crate) fn keyed(statement: &'static str, key: &ClusterKey) -> Query<'static, Sqlite, SqliteArguments> {
    sqlx::query(statement).bind(key.id.to_string()).bind(key.project.as_str().to_owned())
}

pub(crate) fn encode<T: Serialize>(what: &'static str, document: &T) -> Result<String, StoreError> {
    document::write(document).map_err(|source| StoreError::Encode { what, source })
}

// ---------------------------------------------------------------- clusters

/// A cluster from the columns `id, project, site, name, record, state`. `None`, and a word in the
/// log, if not even the columns beside the documents can be read.
pub(crate) fn cluster(row: &SqliteRow) -> Option<Row> {
    let column = |name| row.try_get::<String, _>(name);
    let key =
        || Some(ClusterKey { project: column("project").ok()?.as_str().into(), id: column("id").ok()?.parse().ok()? });
    let Some(key) = key() else {
        tracing::error!("cannot read the key of a row in the table of clusters; not changing it");
        return None;
    };
    let (site, name) = (column("site").unwrap_or_default(), column("name").unwrap_or_default());
    let read = || {
        let text = |what| column(what).map_err(|_| format!("its {what} is not text"));
        let (record, state) = document::read(&text("record")?, &text("state")?)?;
        if record.key() == key && record.site.as_str() == site && record.name.as_str() == name {
            Ok(Row::Cluster(Box::new((record, state))))
        } else {
            Err("its record is that of another cluster".to_owned())
        }
    };
    Some(read().unwrap_or_else(|why| Row::Unreadable(Unreadable { key, site: site.as_str().into(), name, why })))
}

/// The cluster of a key, if it is there.
pub(crate) const CLUSTER: &str = "SELECT id, project, site, name, record, state FROM clusters \
     WHERE id = ?1 AND project = ?2 AND removed IS NULL";

/// A cluster that is going to be changed: it is there, and it can be read.
pub(crate) async fn readable(
    db: &mut SqliteConnection,
    key: &ClusterKey,
) -> Result<(ClusterRecord, ClusterState), StoreError> {
    let row = keyed(CLUSTER, key).fetch_optional(db).await.map_err(failed("look up a cluster"))?;
    match row.as_ref().and_then(cluster) {
        Some(Row::Cluster(cluster)) => Ok(*cluster),
        Some(Row::Unreadable(row)) => Err(StoreError::Unreadable { key: row.key, why: row.why }),
        None => Err(StoreError::Gone { key: key.clone() }),
    }
}

/// Whether it is there, and can be read; `false` if there is no such cluster.
pub(crate) async fn is_there(db: &mut SqliteConnection, key: &ClusterKey) -> Result<bool, StoreError> {
    match readable(db, key).await {
        Ok(_) => Ok(true),
        Err(StoreError::Gone { .. }) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Whether it was removed, and is still remembered.
pub(crate) async fn was_removed(db: &mut SqliteConnection, key: &ClusterKey) -> Result<bool, StoreError> {
    let found = keyed("SELECT 1 FROM clusters WHERE id = ?1 AND project = ?2 AND removed IS NOT NULL", key)
        .fetch_optional(db)
        .await
        .map_err(failed("look for traces of a cluster"))?;
    Ok(found.is_some())
}

/// Fails if another cluster that is there holds this one's name in its site, readable or not.
pub(crate) async fn name_is_free(db: &mut SqliteConnection, record: &ClusterRecord) -> Result<(), StoreError> {
    let found = keyed(
        "SELECT 1 FROM clusters WHERE NOT (id = ?1 AND project = ?2) AND site = ?3 AND name = ?4 \
         AND removed IS NULL AND holds_name = 1",
        &record.key(),
    )
    .bind(record.site.as_str())
    .bind(record.name.as_str())
    .fetch_optional(db)
    .await
    .map_err(failed("look up a name"))?;
    match found {
        Some(_) => Err(StoreError::NameTaken { site: record.site.clone(), name: record.name.clone() }),
        None => Ok(()),
    }
}

// ---------------------------------------------------------------- secrets

#[derive(Serialize, Deserialize)]
struct Plain<T> {
    #[serde(default)]
    cluster_password: Option<T>,
    #[serde(default)]
    credentials: Option<(T, T)>,
    #[serde(default)]
    specification: Option<T>,
}

fn context(key: &ClusterKey) -> String {
    format!("secrets of {} of project {}", key.id, key.project)
}

/// What the first release bound secrets to.
fn first_context(key: &ClusterKey) -> String {
    format!("secrets of {}", key.id)
}

pub(crate) fn seal(sealer: &Sealer, key: &ClusterKey, secrets: &Secrets) -> Result<Option<Vec<u8>>, StoreError> {
    let Secrets { cluster_password, credentials, specification } = secrets;
    if cluster_password.is_none() && credentials.is_none() && specification.is_none() {
        return Ok(None);
    }
    let plain = Plain {
        cluster_password: cluster_password.as_ref().map(|p| p.expose_secret()),
        credentials: credentials.as_ref().map(|(user, password)| (user.as_str(), password.expose_secret())),
        specification: specification.as_ref().map(Specification::expose),
    };
    let text = serde_json::to_vec(&plain)
        .map(Zeroizing::new)
        .map_err(|source| StoreError::Encode { what: "secrets", source })?;
    sealer.seal(&context(key), &text).map(Some)
}

pub(crate) fn unseal(sealer: &Sealer, key: &ClusterKey, sealed: &[u8]) -> Result<Secrets, StoreError> {
    let unreadable = || StoreError::Unseal { key: key.clone() };
    let open = |context: String| sealer.unseal(&context, sealed);
    let text = open(context(key)).or_else(|| open(first_context(key))).ok_or_else(unreadable)?;
    // A parse error could quote what it read.
    let plain: Plain<String> = serde_json::from_slice(&text).map_err(|_| unreadable())?;
    Ok(Secrets {
        cluster_password: plain.cluster_password.map(SecretString::from),
        credentials: plain.credentials.map(|(user, password)| (user, SecretString::from(password))),
        specification: match plain.specification {
            Some(text) => Some(Specification::parse(SecretString::from(text)).ok_or_else(unreadable)?),
            None => None,
        },
    })
}

/// Forgets the secrets of a cluster; fine if there are none.
pub(crate) async fn forget_secrets(db: &mut SqliteConnection, key: &ClusterKey) -> Result<(), StoreError> {
    keyed("DELETE FROM secrets WHERE id = ?1 AND project = ?2", key)
        .execute(db)
        .await
        .map_err(failed("forget secrets"))?;
    Ok(())
}

// ---------------------------------------------------------------- registrations

/// A registration from its document; `None` if a newer version wrote it, or it is damaged.
pub(crate) fn registration(name: &str, text: &str) -> Option<Registration> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u64,
        #[serde(flatten)]
        registration: Registration,
    }
    let read: Versioned = serde_json::from_str(text).ok()?;
    (read.v <= document::VERSION && read.registration.name == name).then_some(read.registration)
}

/// Fails if the registration of this name cannot be read: it is not written over.
pub(crate) async fn registration_is_readable(
    db: &mut SqliteConnection,
    site: &SiteName,
    name: &str,
) -> Result<(), StoreError> {
    let text: Option<String> = sqlx::query_scalar("SELECT document FROM registrations WHERE site = ? AND name = ?")
        .bind(site.as_str())
        .bind(name)
        .fetch_optional(db)
        .await
        .map_err(failed("look up a registration"))?;
    match text {
        Some(text) if registration(name, &text).is_none() => {
            Err(StoreError::RegistrationUnreadable { site: site.clone(), name: name.to_owned() })
        }
        _ => Ok(()),
    }
}

// ---------------------------------------------------------------- events

/// An event; one that a newer version wrote, or that is damaged, becomes one that says so.
pub(crate) fn event(text: &str) -> Event {
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

/// Appends events and gives them the next numbers. Expects the row to be there.
pub(crate) async fn append(db: &mut SqliteConnection, key: &ClusterKey, events: &[Event]) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let fail = failed("add events");
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let counted =
        "UPDATE clusters SET last_event = last_event + ?3 WHERE id = ?1 AND project = ?2 RETURNING last_event";
    let row = keyed(counted, key).bind(count).fetch_one(&mut *db).await.map_err(&fail)?;
    let last: i64 = row.try_get(0).map_err(&fail)?;
    for (number, event) in (last - count + 1..).zip(events) {
        let text = serde_json::to_string(event).map_err(|source| StoreError::Encode { what: "event", source })?;
        keyed("INSERT INTO events (id, project, number, event) VALUES (?1, ?2, ?3, ?4)", key)
            .bind(number)
            .bind(text)
            .execute(&mut *db)
            .await
            .map_err(&fail)?;
    }
    keyed("DELETE FROM events WHERE id = ?1 AND project = ?2 AND number <= ?3", key)
        .bind(last.saturating_sub(EVENTS_KEPT as i64))
        .execute(db)
        .await
        .map_err(fail)?;
    Ok(())
}
