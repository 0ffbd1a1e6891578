//! The one connection that writes, and the one function that every change passes.
//!
//! ```text
//!   turn -> connection: kept or new -> BEGIN -> work -+-> COMMIT   -+-> went well: kept
//!                                                     +-> ROLLBACK -+
//!                                 anything else: closed, the next change opens another
//! ```
//!
//! SQLite has one writer at a time anyway; waiting for it here is fair and bounded, while
//! SQLite's own busy handler polls and starves.
//!
//! Invariants: a change takes the write lock at its begin, so it happens as a whole or not at
//! all, and never fails half-way because it cannot get the lock. A connection is kept only after a
//! successful commit or rollback: SQLite ends a transaction on its own when the disk is full, and a
//! connection that does not know it can never begin another. If the caller of a change is dropped, its
//! connection is closed, which undoes the change unless its commit was in progress.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Mutex;

use crate::StoreError;
use crate::sqlite::failed;

/// How long a change waits for its turn.
const TURN: Duration = Duration::from_secs(30);

/// Less space than this is none: the document of a large cluster may need as much.
const ROOM: u64 = 1 << 20;

/// The writer.
pub(crate) struct Writer {
    path: PathBuf,
    connect: SqliteConnectOptions,
    kept: Mutex<Option<SqliteConnection>>,
}

impl Writer {
    /// Starts with a connection that works already.
    pub(crate) fn new(path: &Path, connect: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        Self { path: path.to_owned(), connect, kept: Mutex::new(Some(connection)) }
    }

    /// Makes one change: all that `work` does, or nothing if it fails.
    pub(crate) async fn change<T>(
        &self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.transaction(work).await.map_err(|e| e.or_full(&self.path))
    }

    async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let turn = tokio::time::timeout(TURN, self.kept.lock()).await;
        let mut kept = turn.map_err(|_| StoreError::Busy { database: self.path.display().to_string() })?;
        let mut db = match kept.take() {
            Some(db) => db,
            None => {
                let fail = |source| StoreError::Connect { path: self.path.clone(), source };
                self.connect.connect().await.map_err(fail)?
            }
        };
        execute(&mut db, "BEGIN IMMEDIATE").await.map_err(failed("begin a change"))?;
        match work(&mut db).await {
            Ok(done) => {
                execute(&mut db, "COMMIT").await.map_err(failed("commit a change"))?;
                *kept = Some(db);
                Ok(done)
            }
            Err(e) => {
                if execute(&mut db, "ROLLBACK").await.is_ok() {
                    *kept = Some(db);
                }
                Err(e)
            }
        }
    }

    /// Fails if so little space is left that a change would soon fail.
    pub(crate) fn has_room(&self) -> Result<(), StoreError> {
        match rustix::fs::statvfs(&self.path) {
            Ok(space) if space.f_bavail.saturating_mul(space.f_frsize) < ROOM => {
                Err(StoreError::Full { path: self.path.clone(), source: None })
            }
            // Not every file system can tell.
            _ => Ok(()),
        }
    }

    /// Ends the connection.
    pub(crate) async fn close(&self) {
        if let Some(db) = self.kept.lock().await.take()
            && let Err(e) = db.close().await
        {
            tracing::warn!(error = %e, "the database was not closed cleanly; its content is complete");
        }
    }
}

// Not with sqlx's transactions: their count is wrong after SQLite has ended one on its own.
async fn execute(db: &mut SqliteConnection, statement: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(statement).execute(db).await.map(|_| ())
}
