//! Databases of older schemas, as real services left them: each must open, and show its clusters.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use howdah_core::known::ClusterState;
use howdah_core::store::{Page, Store};
use howdah_core::wanted::ClusterRecord;
use howdah_store::SqliteStore;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::sample::options;

/// A copy to work on, since opening a database changes it, and git keeps no mode of a key.
pub fn copy(version: &str) -> TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(version);
    let folder = tempfile::tempdir().unwrap();
    let to = options(&folder);
    fs::create_dir(to.path.parent().unwrap()).unwrap();
    fs::copy(from.join("howdah.db"), to.path).unwrap();
    fs::copy(from.join("howdah.key"), &to.key_file).unwrap();
    fs::set_permissions(&to.key_file, fs::Permissions::from_mode(0o600)).unwrap();
    folder
}

fn hash(cluster: &str) -> [u8; 32] {
    Sha256::digest(format!("capability of {cluster}")).into()
}

async fn clusters(store: &SqliteStore) -> Vec<(ClusterRecord, ClusterState)> {
    store
        .list(None, Page::WHOLE)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.cluster().expect("all can be read"))
        .collect()
}

#[tokio::test]
async fn the_first_schema_opens_with_every_cluster() {
    let folder = copy("v1");
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    let word = |value: serde_json::Value| value.as_str().unwrap().to_owned();
    let mut lines = Vec::new();
    for (record, state) in clusters(&store).await {
        let status = word(serde_json::to_value(state.status).unwrap());
        let wanted = word(serde_json::to_value(record.shape.goal).unwrap());
        let nodes = state.nodes.len();
        lines.push(format!("{} {}: {status}, wanted {wanted}, {nodes} nodes", record.site, record.name));
    }
    // `v-error-taken` and its like have lost the nodes that were somebody else's.
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn the_first_schema_opens_with_all_that_belongs_to_a_cluster() {
    let folder = copy("v1");
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    let clusters = clusters(&store).await;
    let key = |name: &str| clusters.iter().find(|(r, _)| r.name.as_str() == name).unwrap().0.key();

    for (name, has_credentials) in [("pending", true), ("create_accepted", false), ("running_sealed", true)] {
        let secrets = store.secrets(&key(name)).await.unwrap();
        let password = secrets.cluster_password.unwrap();
        assert_eq!(password.expose_secret(), format!("sealed password of {name}"));
        let credentials = secrets.credentials.map(|(user, password)| (user, password.expose_secret().to_owned()));
        let expected = has_credentials.then(|| ("root".to_owned(), format!("sealed credentials of {name}")));
        assert_eq!(credentials, expected, "{name}");
    }
    for (record, _) in &clusters {
        assert_eq!(
            store.by_capability(&record.id, &hash(record.name.as_str())).await.unwrap(),
            Some(record.key()),
            "{}",
            record.name
        );
    }
    for (site, expected) in [
        ("v-shared", Some(vec!["shared_a", "shared_b"])),
        ("v-shared-deleting", Some(vec!["shared_deleting_a", "shared_deleting_b"])),
        ("v-create-registered", Some(vec!["create_registered"])),
        // A crash before the cluster's state knew of it: the next release removes it.
        ("v-create-registering", Some(vec![])),
        ("v-running-by-hand", None),
    ] {
        let users = store.registrations(&site.into()).await.unwrap().pop().map(|r| r.users);
        assert_eq!(users, expected.map(|names| names.into_iter().map(key).collect()), "{site}");
    }
    assert_eq!(store.events(&key("shared_b"), 0, 100).await.unwrap().len(), 15);

    // Gone, and its events can still be read.
    let id = "be0c37cf-f718-4b2f-8ae6-f148127296bd".parse().unwrap();
    let removed = store.by_capability(&id, &hash("removed")).await.unwrap().unwrap();
    assert!(store.load(&removed).await.unwrap().is_none());
    let last = store.events(&removed, 0, 100).await.unwrap().pop().unwrap();
    assert_eq!((last.0, last.1.reason.as_str()), (22, "operation_succeeded"));
}
