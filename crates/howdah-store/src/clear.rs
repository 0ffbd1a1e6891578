//! Clear text from older versions in the database: the fields of specifications in the records. Opening a
//! database moves them to the encrypted secrets.
//!
//! Invariant: when [`unclear`] has marked the file as done, neither the file nor its log contains a byte of
//! such a field: a freed page keeps its text, so the file is rewritten. A row that this version cannot read
//! is not changed.

use std::path::Path;

use howdah_core::document::take_specification;
use howdah_core::ids::ClusterKey;
use howdah_core::wanted::Secrets;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row as _};

use crate::StoreError;
use crate::backend::{Place, Write};
use crate::plan::SECRETS;
use crate::seal::Sealer;
use crate::secrets::{seal, unseal};
use crate::sqlite::{failed, keyed, write};

/// Seals what stands in clear, once for each file.
pub(crate) async fn unclear(path: &Path, db: &mut SqliteConnection, sealer: &Sealer) -> Result<(), StoreError> {
    let fail = failed("look for clear text");
    let done = sqlx::query("SELECT 1 FROM specifications_sealed").fetch_optional(&mut *db).await.map_err(&fail)?;
    if done.is_some() {
        return Ok(());
    }
    let moved = seal_all(db, sealer).await?;
    if let Err(source) = write_anew(db).await {
        // Nothing is lost but the certainty; the next start makes it up.
        tracing::warn!(
            path = %path.display(),
            "cannot rewrite the database; it may still contain specifications in clear text: {source}"
        );
        return Ok(());
    }
    if moved > 0 {
        tracing::info!(clusters = moved, "encrypted the specifications that the database had in clear text");
    }
    Ok(())
}

/// In one transaction: a specification is never in neither place.
async fn seal_all(db: &mut SqliteConnection, sealer: &Sealer) -> Result<usize, StoreError> {
    let fail = failed("seal specifications");
    let marks = sealer.mark_key();
    let mut change = db.begin().await.map_err(&fail)?;
    let rows = sqlx::query("SELECT id, project, removed IS NOT NULL, record FROM clusters ORDER BY id, project")
        .fetch_all(&mut *change)
        .await
        .map_err(&fail)?;
    let mut moved = 0;
    for row in rows {
        let text = |at: usize| row.try_get::<String, _>(at).unwrap_or_default();
        let Ok(id) = text(0).parse() else { continue };
        let key = ClusterKey { project: text(1).as_str().into(), id };
        let Some((specification, record)) = take_specification(&text(3), &marks, &key) else { continue };
        keyed("UPDATE clusters SET record = ?3 WHERE id = ?1 AND project = ?2", &key)
            .bind(record)
            .execute(&mut *change)
            .await
            .map_err(&fail)?;
        moved += 1;
        if row.try_get::<bool, _>(2).unwrap_or(false) {
            // Its secrets were forgotten when it was removed.
            continue;
        }
        let place = Place::of(&key, SECRETS, "");
        let known: Option<String> = sqlx::query_scalar("SELECT text FROM documents WHERE owner = ? AND kind = ?")
            .bind(&place.owner)
            .bind(&place.kind)
            .fetch_optional(&mut *change)
            .await
            .map_err(&fail)?;
        let secrets = match known {
            Some(sealed) => unseal(sealer, &key, &sealed),
            None => Ok(Secrets::default()),
        };
        // Secrets that do not open stay as they are: nothing is created without them, so the fields
        // are not needed either.
        let Ok(secrets) = secrets else { continue };
        let secrets = Secrets { specification: Some(specification), ..secrets };
        let sealed = seal(sealer, &key, &secrets)?;
        write(&mut change, &Write::Document(place, sealed)).await?;
    }
    change.commit().await.map_err(&fail)?;
    Ok(moved)
}

/// Writes the file from what is in it now, and empties the log.
async fn write_anew(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    for statement in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
        sqlx::query(statement).execute(&mut *db).await?;
    }
    sqlx::query("INSERT INTO specifications_sealed (one, done) VALUES (1, ?)")
        .bind(Timestamp::now().as_microsecond())
        .execute(db)
        .await?;
    Ok(())
}
