//! Writes a cluster into a database, closes that, and finds the cluster there again:
//!
//! ```text
//! cargo run -p howdah-store --example restart
//! ```

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use howdah_core::document::Row;
use howdah_core::event::{Event, Level};
use howdah_core::store::{Page, Store};
use howdah_core::wanted::Secrets;
use howdah_sim::service::Service;
use howdah_sim::{SiteSettings, World};
use howdah_store::{Options, SqliteStore};

/// Writes, closes, reads.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let options = Options { path: folder.path().join("howdah.db"), key_file: folder.path().join("secret.key") };
    // What the API would write for a request: a simulated one.
    let record = Service::new(World::new(SiteSettings::default())).record("hadoop", 3).await?;

    let store = SqliteStore::open(&options).await?;
    let event = Event {
        at: record.created,
        level: Level::Info,
        reason: "accepted".to_owned(),
        node: None,
        message: "a create was accepted".to_owned(),
    };
    store.insert(&record, &Secrets::default(), &[event]).await?;
    store.close().await;
    // The file is locked as long as the store is there.
    drop(store);

    let store = SqliteStore::open(&options).await?;
    for row in store.list(Some(&record.project), Page::WHOLE).await? {
        match row {
            Row::Cluster(cluster) => println!("{}: {}", cluster.0.id, cluster.0.name),
            Row::Unreadable(row) => return Err(format!("{} cannot be read", row.key.id).into()),
        }
    }
    for (number, event) in store.events(&record.key(), 0, 10).await? {
        println!("event {number}: {}", event.message);
    }
    Ok(())
}
