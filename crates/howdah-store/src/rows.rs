//! Rows and documents: what stands in the columns, and how it is read back.

use howdah_core::cluster::{ClusterRecord, ClusterState, Event, Secrets};
use howdah_core::ids::ClusterId;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::Sqlite;
use sqlx::{Executor, Transaction};

use crate::seal::Sealer;
use crate::{EVENTS_KEPT, StoreError};

/// `map_err` with the step's name.
pub(crate) fn failed(step: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| StoreError::Query { step, source }
}

pub(crate) fn encode<T: Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Encode { what, source })
}

pub(crate) fn decode<T: DeserializeOwned>(what: &'static str, cluster: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Decode { what, cluster: cluster.to_owned(), source })
}

pub(crate) fn pair(id: &str, record: &str, state: &str) -> Result<(ClusterRecord, ClusterState), StoreError> {
    Ok((decode("record", id, record)?, decode("state", id, state)?))
}

#[derive(Serialize, Deserialize)]
struct Plain<T> {
    #[serde(default)]
    cluster_password: Option<T>,
    #[serde(default)]
    credentials: Option<(T, T)>,
}

pub(crate) fn seal_context(id: &ClusterId) -> String {
    format!("secrets of {id}")
}

pub(crate) fn seal(sealer: &Sealer, id: &ClusterId, secrets: &Secrets) -> Result<Option<Vec<u8>>, StoreError> {
    if secrets.cluster_password.is_none() && secrets.credentials.is_none() {
        return Ok(None);
    }
    let plain = Plain {
        cluster_password: secrets.cluster_password.as_ref().map(|p| p.expose_secret()),
        credentials: secrets.credentials.as_ref().map(|(user, password)| (user.as_str(), password.expose_secret())),
    };
    let text = serde_json::to_vec(&plain)
        .map(Zeroizing::new)
        .map_err(|source| StoreError::Encode { what: "secrets", source })?;
    sealer.seal(&seal_context(id), &text).map(Some)
}

pub(crate) fn unseal(sealer: &Sealer, id: &ClusterId, sealed: &[u8]) -> Result<Secrets, StoreError> {
    let unreadable = || StoreError::Unseal { cluster: *id };
    let text = sealer.unseal(&seal_context(id), sealed).ok_or_else(unreadable)?;
    // A parse error could quote what it read.
    let plain: Plain<String> = serde_json::from_slice(&text).map_err(|_| unreadable())?;
    Ok(Secrets {
        cluster_password: plain.cluster_password.map(SecretString::from),
        credentials: plain.credentials.map(|(user, password)| (user, SecretString::from(password))),
    })
}

/// Appends events and gives them the next numbers. Expects the row to be there.
pub(crate) async fn append(change: &mut Transaction<'_, Sqlite>, id: &str, events: &[Event]) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let step = "add events";
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let last: i64 =
        sqlx::query_scalar("UPDATE clusters SET last_event = last_event + ? WHERE id = ? RETURNING last_event")
            .bind(count)
            .bind(id)
            .fetch_one(&mut **change)
            .await
            .map_err(failed(step))?;
    for (number, event) in (last - count + 1..).zip(events) {
        sqlx::query("INSERT INTO events (cluster, number, event) VALUES (?, ?, ?)")
            .bind(id)
            .bind(number)
            .bind(encode("event", event)?)
            .execute(&mut **change)
            .await
            .map_err(failed(step))?;
    }
    let oldest = last.saturating_sub(EVENTS_KEPT as i64);
    sqlx::query("DELETE FROM events WHERE cluster = ? AND number <= ?")
        .bind(id)
        .bind(oldest)
        .execute(&mut **change)
        .await
        .map_err(failed(step))?;
    Ok(())
}

pub(crate) async fn is_present<'e>(db: impl Executor<'e, Database = Sqlite>, id: &ClusterId) -> Result<(), StoreError> {
    let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM clusters WHERE id = ? AND removed IS NULL")
        .bind(id.to_string())
        .fetch_optional(db)
        .await
        .map_err(failed("look up a cluster"))?;
    found.map(|_| ()).ok_or(StoreError::Gone { id: *id })
}

pub(crate) async fn commit(change: Transaction<'_, Sqlite>) -> Result<(), StoreError> {
    change.commit().await.map_err(failed("commit a change"))
}
