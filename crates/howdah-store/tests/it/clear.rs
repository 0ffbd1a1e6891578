//! What older versions kept in clear is sealed when their database is opened, and leaves no trace in
//! the files.

use std::fs;

use howdah_core::ids::ClusterKey;
use howdah_core::specification::Specification;
use howdah_core::store::Store;
use howdah_store::SqliteStore;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::fixture::copy;
use crate::sample::{options, raw};

const CANARY: &str = "canary-7f3a";

/// Whether the text is in the database or another file in its directory.
fn is_there(folder: &tempfile::TempDir, text: &str) -> bool {
    let files = fs::read_dir(options(folder).path.parent().unwrap()).unwrap();
    files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

/// The first schema's fixture, in which every cluster has a specification as that version kept it:
/// some still there, some written over, some in the log only.
async fn planted(folder: &tempfile::TempDir) -> (Vec<ClusterKey>, sqlx::sqlite::SqliteConnection) {
    let mut db = raw(folder).await;
    sqlx::query("PRAGMA journal_mode = WAL").execute(&mut db).await.unwrap();
    let mut keys = Vec::new();
    for row in sqlx::query("SELECT id, project, record FROM clusters").fetch_all(&mut db).await.unwrap() {
        let (id, project): (String, String) = (row.get(0), row.get(1));
        let mut record: Value = serde_json::from_str(row.get(2)).unwrap();
        for round in 0..2 {
            let filler = format!("{CANARY} {round} ").repeat(400);
            record["spec"]["specification"] =
                json!({"configuration": {"ldap": {"bind_password": format!("{CANARY}-{id}")}, "filler": filler}});
            let update = sqlx::query("UPDATE clusters SET record = ? WHERE id = ?");
            update.bind(record.to_string()).bind(&id).execute(&mut db).await.unwrap();
        }
        keys.push(ClusterKey { project: project.as_str().into(), id: id.parse().unwrap() });
    }
    // One that is gone altogether, and lies in free pages.
    sqlx::query("DELETE FROM clusters WHERE rowid = (SELECT max(rowid) FROM clusters)").execute(&mut db).await.unwrap();
    keys.pop();
    (keys, db)
}

#[tokio::test]
async fn specifications_of_the_first_schema_are_sealed_and_gone_from_the_files() {
    let folder = copy("v1");
    let (keys, killed) = planted(&folder).await;
    // The service that wrote it was killed: its log is still there.
    drop(killed);
    assert!(is_there(&folder, CANARY), "it was planted");

    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    assert!(!is_there(&folder, CANARY), "nothing is left in the files");
    let mut seen = 0;
    for key in &keys {
        let Some(row) = store.load(key).await.unwrap() else { continue };
        let (record, _) = row.cluster().expect("every cluster can be read");
        let secrets = store.secrets(key).await.unwrap();
        let specification: Specification = secrets.specification.expect("it is among the secrets");
        assert!(specification.expose().contains(&format!("{CANARY}-{}", key.id)));
        let kept = record.spec.specification.unwrap();
        assert_eq!(kept.digest, specification.digest(&store.mark_key(), key), "a repeated request is known again");
        seen += 1;
    }
    assert!(seen > 40, "{seen}");
    // What was sealed before is still there.
    let with_password = keys.iter().map(|key| store.secrets(key));
    let all = futures_of(with_password).await;
    assert_eq!(all.iter().filter(|s| s.cluster_password.is_some()).count(), 3);
    let password = all.iter().find_map(|s| s.cluster_password.as_ref()).unwrap();
    assert!(password.expose_secret().starts_with("sealed password of"));
    store.close().await;
    drop(store);

    // Nothing is done a second time, and nothing comes back.
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    assert!(store.secrets(&keys[0]).await.unwrap().specification.is_some());
    store.close().await;
    assert!(!is_there(&folder, CANARY));
}

async fn futures_of<T>(all: impl Iterator<Item = impl Future<Output = howdah_core::systems::Remote<T>>>) -> Vec<T> {
    let mut done = Vec::new();
    for one in all {
        done.push(one.await.unwrap());
    }
    done
}

#[tokio::test]
async fn a_record_of_a_newer_version_is_left_alone() {
    let folder = copy("v1");
    let mut db = raw(&folder).await;
    let newer = r#"{"v": 9, "spec": {"specification": {"a": "as it is"}}}"#;
    let update = "UPDATE clusters SET record = ? WHERE json_extract(record, '$.name') = 'pending'";
    sqlx::query(update).bind(newer).execute(&mut db).await.unwrap();
    drop(db);
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    store.close().await;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM clusters WHERE record = ?")
        .bind(newer)
        .fetch_one(&mut raw(&folder).await)
        .await
        .unwrap();
    assert_eq!(kept, 1);
}
