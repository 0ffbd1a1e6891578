//! Where the tests have their databases.

use howdah_store::Options;
pub use howdah_testkit::sample::{event, id, key, key_in, operation, record};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

pub fn options(folder: &tempfile::TempDir) -> Options {
    Options { path: folder.path().join("db/howdah.db"), key_file: folder.path().join("secret.key") }
}

/// A connection beside the store's own.
pub async fn raw(folder: &tempfile::TempDir) -> SqliteConnection {
    SqliteConnectOptions::new().filename(options(folder).path).connect().await.unwrap()
}
