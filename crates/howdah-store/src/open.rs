//! Opening the database: folder, lock, file, schema, key, epoch, clear text; in this order, so that
//! nothing is changed that another service uses, no key is made for a database that has one, and nobody
//! takes the database over who cannot read it.
//!
//! One connection writes, see [`crate::writer`], and a few read.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::StoreError;
use crate::clear::unclear;
use crate::lock::Lock;
use crate::seal::Sealer;
use crate::sqlite::failed;
use crate::writer::Writer;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// What is sealed once, to recognise the key by.
const KEY_CHECK: &[u8] = b"howdah";
const KEY_CHECK_CONTEXT: &str = "key check";

/// Another process may look into the file (a backup, a curious operator): wait this long for it.
const BUSY: Duration = Duration::from_secs(10);
/// How long a look waits for its turn.
const TURN: Duration = Duration::from_secs(30);
const READERS: u32 = 4;
/// Lists take long: they have connections of their own, so that they hold up no change and no short look.
const LISTERS: u32 = 2;

/// Where the store is.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database file; made if absent, with its folder.
    pub path: PathBuf,
    /// The key file that secrets are sealed with; made at first start.
    pub key_file: PathBuf,
}

pub(crate) struct Opened {
    pub(crate) writer: Writer,
    pub(crate) readers: SqlitePool,
    pub(crate) listers: SqlitePool,
    pub(crate) sealer: Sealer,
    pub(crate) epoch: i64,
    pub(crate) lock: Lock,
}

pub(crate) async fn open(options: &Options) -> Result<Opened, StoreError> {
    let path = &options.path;
    make_folder_of(path)?;
    make_folder_of(&options.key_file)?;
    let lock = Lock::take(path)?;
    let fail = |source| StoreError::Open { path: path.clone(), source };
    // Created here and not by SQLite, for its mode; SQLite's other files get the same mode.
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| fail(sqlx::Error::Io(e)))?;

    let connect = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // Each answer given must survive a power cut: a create call is noted before it is sent.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY);
    let mut db = connect.connect().await.map_err(fail)?;
    migrate(path, &mut db).await?;
    let sealer = open_key(options, &mut db).await?;
    let epoch = take_over(&mut db).await?;
    unclear(path, &mut db, &sealer).await?;
    let writer = Writer::new(path, connect.clone(), db);
    let pool = |size| SqlitePoolOptions::new().acquire_timeout(TURN).test_before_acquire(false).max_connections(size);
    let connect = connect.read_only(true);
    let readers = pool(READERS).connect_with(connect.clone()).await.map_err(fail)?;
    let listers = pool(LISTERS).connect_with(connect).await.map_err(fail)?;
    Ok(Opened { writer, readers, listers, sealer, epoch, lock })
}

fn make_folder_of(file: &Path) -> Result<(), StoreError> {
    match file.parent().filter(|p| !p.as_os_str().is_empty()) {
        Some(folder) => DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| StoreError::MakeFolder { path: folder.to_owned(), source }),
        None => Ok(()),
    }
}

async fn migrate(path: &Path, db: &mut SqliteConnection) -> Result<(), StoreError> {
    // `run` itself makes a future that cannot be proved to be `Send`.
    MIGRATIONS.run_direct(None, db, false).await.map_err(|source| match source {
        MigrateError::VersionMissing(found) => StoreError::Newer {
            path: path.to_owned(),
            found,
            known: MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0),
        },
        source => StoreError::Migrate { path: path.to_owned(), source },
    })
}

/// Takes the next epoch: the holder of the previous one can no longer write.
async fn take_over(db: &mut SqliteConnection) -> Result<i64, StoreError> {
    sqlx::query_scalar("UPDATE writer SET epoch = epoch + 1 RETURNING epoch")
        .fetch_one(db)
        .await
        .map_err(failed("take over the database"))
}

async fn open_key(options: &Options, db: &mut SqliteConnection) -> Result<Sealer, StoreError> {
    let fail = |source| StoreError::Query { step: "read the key check", source };
    let check: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT sealed FROM key_check").fetch_optional(&mut *db).await.map_err(fail)?;
    let Some(sealer) = Sealer::open(&options.key_file, check.is_none())? else {
        return Err(StoreError::KeyMissing { key: options.key_file.clone(), path: options.path.clone() });
    };
    match check {
        Some(sealed) if sealer.unseal(KEY_CHECK_CONTEXT, &sealed).is_some_and(|p| p.as_slice() == KEY_CHECK) => {}
        Some(_) => {
            return Err(StoreError::WrongKey { key: options.key_file.clone(), path: options.path.clone() });
        }
        None => {
            let sealed = sealer.seal(KEY_CHECK_CONTEXT, KEY_CHECK)?;
            sqlx::query("INSERT INTO key_check (one, sealed) VALUES (1, ?)")
                .bind(sealed)
                .execute(db)
                .await
                .map_err(fail)?;
        }
    }
    Ok(sealer)
}
