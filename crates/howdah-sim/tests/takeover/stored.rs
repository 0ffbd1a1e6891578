//! What a database of the first schema holds, once it was opened by this version.
//!
//! A database has threads of its own, which a paused clock does not wait for; so it is read here,
//! in real time, and copied into a store in memory where a service works in virtual time.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use howdah_core::document::Row;
use howdah_core::known::ClusterState;
use howdah_core::mark::MarkKey;
use howdah_core::site::registrar::Registration;
use howdah_core::store::{Page, Store};
use howdah_core::wanted::{ClusterRecord, Secrets};
use howdah_store::{Options, SqliteStore};

/// Everything in it.
pub struct Stored {
    /// The key of its installation's marks.
    pub marks: MarkKey,
    /// By the site's name.
    pub sites: BTreeMap<String, Shelf>,
}

/// What belongs to a site.
#[derive(Default)]
pub struct Shelf {
    pub clusters: Vec<(ClusterRecord, ClusterState, Secrets)>,
    pub registrations: Vec<Registration>,
}

/// The fixture's folder.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../howdah-store/tests/fixtures/v1")
}

/// The fixture, opened once.
pub static STORED: LazyLock<Stored> = LazyLock::new(|| {
    let real_time = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    real_time.block_on(open())
});

async fn open() -> Stored {
    // Opening changes it, and git keeps no mode of a key.
    let copy = tempfile::tempdir().unwrap();
    let options = Options { path: copy.path().join("howdah.db"), key_file: copy.path().join("howdah.key") };
    fs::copy(folder().join("howdah.db"), &options.path).unwrap();
    fs::copy(folder().join("howdah.key"), &options.key_file).unwrap();
    fs::set_permissions(&options.key_file, fs::Permissions::from_mode(0o600)).unwrap();
    let store = SqliteStore::open(&options).await.unwrap();
    let mut sites = BTreeMap::<String, Shelf>::new();
    for row in store.list(None, Page::WHOLE).await.unwrap() {
        let key = row.key();
        let Row::Cluster(cluster) = row else { panic!("{key} cannot be read: {row:?}") };
        let (record, state) = *cluster;
        let secrets = store.secrets(&key).await.unwrap();
        sites.entry(record.site.to_string()).or_default().clusters.push((record, state, secrets));
    }
    for (site, shelf) in &mut sites {
        shelf.registrations = store.registrations(&site.as_str().into()).await.unwrap();
    }
    Stored { marks: store.mark_key(), sites }
}

impl Shelf {
    /// Puts it into a store.
    pub async fn fill(&self, store: &dyn Store) {
        for (record, state, secrets) in &self.clusters {
            store.insert(record, secrets, &[]).await.unwrap();
            store.save(&record.key(), state, &[]).await.unwrap();
        }
        let site = &self.clusters[0].0.site;
        for registration in &self.registrations {
            store.save_registration(site, registration).await.unwrap();
        }
    }
}
