//! From the memory of a run into the database.

use std::path::Path;

use howdah_core::cluster::{ClusterRecord, ClusterState, Event, Registration, Secrets};
use howdah_core::ids::{ClusterId, SiteName};
use howdah_core::traits::Store;
use howdah_store::{Options, SqliteStore};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::site::Run;

/// Everything that was stored, and the world around it, at one moment of one site.
pub struct Taken {
    pub site: SiteName,
    pub clusters: Vec<(ClusterRecord, ClusterState)>,
    pub events: Vec<(ClusterId, Vec<Event>)>,
    pub secrets: Vec<Secrets>,
    pub registrations: Vec<Registration>,
    /// A cluster that is gone, as it was last.
    pub removed: Option<(ClusterRecord, ClusterState)>,
    pub world: Value,
}

impl Taken {
    /// Must not let any time pass.
    pub async fn of(run: &Run, removed: Option<(ClusterRecord, ClusterState)>, world: Value) -> Self {
        let site = run.controller.site.name.clone();
        let clusters = run.store.list(None).await.unwrap();
        let (mut events, mut secrets) = (Vec::new(), Vec::new());
        for (record, _) in clusters.iter().chain(&removed) {
            let told = run.store.events(&record.id, 0, usize::MAX).await.unwrap();
            events.push((record.id, told.into_iter().map(|(_, e)| e).collect()));
            secrets.push(run.store.secrets(&record.id).await.unwrap());
        }
        let registrations = run.store.registrations(&site).await.unwrap();
        Self { site, clusters, events, secrets, registrations, removed, world }
    }

    async fn write(&self, store: &SqliteStore) {
        for ((record, state), ((id, events), secrets)) in
            self.clusters.iter().chain(&self.removed).zip(self.events.iter().zip(&self.secrets))
        {
            store.insert(record, secrets).await.unwrap();
            store.put_capability(id, &Sha256::digest(format!("capability of {}", record.name)).into()).await.unwrap();
            if self.removed.as_ref().is_some_and(|(r, _)| r.id == *id) {
                let (last, before) = events.split_last().unwrap();
                store.save(id, state, before).await.unwrap();
                store.remove(id, std::slice::from_ref(last)).await.unwrap();
            } else {
                store.save(id, state, events).await.unwrap();
            }
        }
        for registration in &self.registrations {
            store.own_registration(&self.site, registration).await.unwrap();
        }
    }
}

/// Writes the database and the key. The lock file that the store leaves is none of the fixture.
pub async fn write(folder: &Path, taken: &[Taken]) {
    let options = Options { path: folder.join("howdah.db"), key_file: folder.join("howdah.key") };
    let store = SqliteStore::open(&options).await.unwrap();
    for one in taken {
        one.write(&store).await;
    }
    // The last connection to close moves the write-ahead log into the file.
    store.close().await;
    drop(store);
    std::fs::remove_file(folder.join("howdah.db.lock")).unwrap();
    assert!(!folder.join("howdah.db-wal").exists(), "the file stands alone");
}
