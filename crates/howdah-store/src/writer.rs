//! The one connection that writes, and the one function that every change passes.
//!
//! ```text
//!   turn -> connection: kept or new -> BEGIN -> epoch, work -+-> COMMIT   -+-> went well: kept
//!                                                            +-> ROLLBACK -+
//!                                        anything else: closed, the next change opens another
//! ```
//!
//! SQLite has one writer at a time anyway; waiting for it here is fair and bounded, while
//! SQLite's own busy handler polls and starves.
//!
//! Invariants: a change takes the write lock at its begin, so it happens as a whole or not at
//! all, and never fails half-way because it cannot get the lock. A connection is kept only after a
//! successful commit or rollback: SQLite ends a transaction on its own when the disk is full, and a
//! connection that does not know it can never begin another. A change is refused if another service has
//! opened the database since: its epoch is newer. If the caller of a change is dropped, its
//! connection is closed, which undoes the change unless its commit was in progress.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Mutex, watch};

use crate::StoreError;
use crate::rows::failed;

/// The number of a service that opened the database: the newest one writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch(i64);

impl Epoch {
    /// Takes the next one. The holder of the previous one can no longer write.
    pub(crate) async fn take(db: &mut SqliteConnection) -> Result<Self, StoreError> {
        let fail = failed("take over the database");
        let mut change = db.begin().await.map_err(&fail)?;
        sqlx::query("UPDATE writer SET epoch = epoch + 1").execute(&mut *change).await.map_err(&fail)?;
        let taken = Self::newest(&mut change).await?;
        change.commit().await.map_err(fail)?;
        Ok(taken)
    }

    async fn newest(db: &mut SqliteConnection) -> Result<Self, StoreError> {
        let fail = failed("read the epoch");
        sqlx::query_scalar("SELECT epoch FROM writer").fetch_one(db).await.map(Self).map_err(fail)
    }
}

/// How long a change waits for its turn.
const TURN: Duration = Duration::from_secs(30);

/// Less space than this is none: the document of a large cluster may need as much.
const ROOM: u64 = 1 << 20;

/// The writer.
pub(crate) struct Writer {
    path: PathBuf,
    connect: SqliteConnectOptions,
    epoch: Epoch,
    fenced: watch::Sender<bool>,
    kept: Mutex<Option<SqliteConnection>>,
}

impl Writer {
    /// Starts with a connection that works already.
    pub(crate) fn new(path: &Path, connect: SqliteConnectOptions, epoch: Epoch, connection: SqliteConnection) -> Self {
        let (path, fenced) = (path.to_owned(), watch::Sender::new(false));
        Self { path, connect, epoch, fenced, kept: Mutex::new(Some(connection)) }
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
        let mut kept = turn.map_err(|_| StoreError::Busy { path: self.path.clone() })?;
        let mut db = match kept.take() {
            Some(db) => db,
            None => {
                let fail = |source| StoreError::Connect { path: self.path.clone(), source };
                self.connect.connect().await.map_err(fail)?
            }
        };
        execute(&mut db, "BEGIN IMMEDIATE").await.map_err(failed("begin a change"))?;
        let done = match self.is_newest(&mut db).await {
            Ok(()) => work(&mut db).await,
            Err(e) => Err(e),
        };
        match done {
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

    /// Fails if another service has opened the database since. The write lock is held, so the answer
    /// is true until the change is committed.
    async fn is_newest(&self, db: &mut SqliteConnection) -> Result<(), StoreError> {
        match Epoch::newest(db).await? == self.epoch {
            true => Ok(()),
            false => {
                self.fenced.send_replace(true);
                Err(self.is_fenced())
            }
        }
    }

    /// Waits until a change is refused because another service has opened the database since.
    pub(crate) async fn fenced(&self) -> StoreError {
        // The sender lives as long as `self`: it cannot be closed.
        let _ = self.fenced.subscribe().wait_for(|fenced| *fenced).await;
        self.is_fenced()
    }

    fn is_fenced(&self) -> StoreError {
        StoreError::Fenced { path: self.path.clone() }
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
