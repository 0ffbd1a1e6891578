//! Databases of older schemas, as real services left them: each must open, and show its clusters.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use howdah_core::ids::{ClusterKey, ProjectId};
use howdah_core::known::ClusterState;
use howdah_core::site::registrar::Registration;
use howdah_core::store::{Page, Store};
use howdah_core::usage::Usage;
use howdah_core::wanted::{ClusterRecord, Secrets};
use howdah_store::SqliteStore;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::sample::{event, key, options, record};

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

/// What the limits add up, counted from the documents.
async fn counted(store: &SqliteStore, project: &ProjectId) -> Usage {
    let of_project = clusters(store).await.into_iter().filter(|(record, _)| record.project == *project);
    of_project.map(|(record, state)| Usage::of(&record, &state)).fold(Usage::default(), |sum, one| Usage {
        clusters: sum.clusters + one.clusters,
        nodes: sum.nodes + one.nodes,
        creates: sum.creates + one.creates,
    })
}

#[tokio::test]
async fn clusters_of_older_schemas_count_for_their_projects() {
    for version in ["v1", "v5"] {
        let folder = copy(version);
        let store = SqliteStore::open(&options(&folder)).await.unwrap();
        let projects: BTreeSet<_> = clusters(&store).await.into_iter().map(|(record, _)| record.project).collect();
        let (mut nodes, mut creates) = (0, 0);
        for project in projects {
            let nobody = ClusterKey { project, id: "00000000-0000-0000-0000-0000000000ff".parse().unwrap() };
            let usage = store.usage_beside(&nobody).await.unwrap();
            assert_eq!(usage, counted(&store, &nobody.project).await, "{version}, project {}", nobody.project);
            (nodes, creates) = (nodes + usage.nodes, creates + usage.creates);
        }
        assert!(nodes > 10 && creates > 1, "{version}: {nodes} nodes, {creates} creates");
    }
}

#[tokio::test]
async fn the_fifth_schema_opens_with_all_that_belongs_to_a_cluster() {
    let folder = copy("v5");
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    let clusters = clusters(&store).await;
    let told: Vec<_> =
        clusters.iter().map(|(r, s)| format!("{} {}: {} nodes", r.site, r.name, s.nodes.len())).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    v-running mine: 0 nodes
    v-pending pending: 0 nodes
    v-create-half create_half: 4 nodes
    m-create-half create_half: 4 nodes
    v-running running: 2 nodes
    t-running running: 2 nodes
    m-running running: 2 nodes
    v-stopping stopping: 2 nodes
    v-delete-ports delete_ports: 0 nodes
    t-delete-ports delete_ports: 0 nodes
    m-delete-ports delete_ports: 0 nodes
    v-error-clone error_clone: 2 nodes
    v-error-refused error_refused: 0 nodes
    ");
    for (record, _) in &clusters {
        let mut hash = [0; 32];
        hash[..16].copy_from_slice(record.id.0.as_bytes());
        let expected = if record.name.as_str() == "mine" { [1; 32] } else { hash };
        assert_eq!(store.by_capability(&record.id, &expected).await.unwrap(), Some(record.key()), "{}", record.name);
    }
    let mine = key(1);
    assert_eq!(store.events(&mine, 0, 10).await.unwrap(), [(1, event("accepted"))]);
    let secrets = store.secrets(&mine).await.unwrap();
    assert_eq!(secrets.cluster_password.unwrap().expose_secret(), "sealed password of mine");
    assert_eq!(secrets.credentials.unwrap().1.expose_secret(), "sealed credentials of mine");
    assert_eq!(secrets.specification.unwrap().expose(), r#"{"topologyPolicy":"sealed"}"#);
    let open = Registration { name: "net".into(), port_group: "pg".into(), users: [mine].into(), open: true };
    assert!(store.registrations(&"v-running".into()).await.unwrap().contains(&open));

    // A tombstone: its events, its capability, no secrets, and a free name.
    let gone = key(2);
    assert_eq!(store.load(&gone).await.unwrap(), None);
    assert_eq!(store.by_capability(&gone.id, &[2; 32]).await.unwrap(), Some(gone.clone()));
    assert!(store.secrets(&gone).await.unwrap().cluster_password.is_none());
    assert_eq!(store.events(&gone, 0, 10).await.unwrap().len(), 3);
    let again = ClusterRecord { site: "v-running".into(), ..record(2, "gone") };
    store.insert(&again, &Secrets::default(), &[event("accepted")]).await.unwrap();
    assert_eq!(store.events(&gone, 0, 10).await.unwrap(), [(4, event("accepted"))]);
    // A failed create of which nothing exists has freed its name; the others hold theirs.
    for (name, is_free) in [("error_refused", true), ("error_clone", false)] {
        let (held, _) = clusters.iter().find(|(r, _)| r.name.as_str() == name).unwrap();
        let other = ClusterRecord { site: held.site.clone(), ..record(50, name) };
        assert_eq!(store.insert(&other, &Secrets::default(), &[]).await.is_ok(), is_free, "{name}");
        store.remove(&other.key(), &[]).await.unwrap();
    }
}
