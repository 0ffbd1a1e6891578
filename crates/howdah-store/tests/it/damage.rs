//! Damaged documents, and documents of a newer version: they are shown, are not changed, and do not
//! block others.

use howdah_core::document::Row;
use howdah_core::event::Level;
use howdah_core::failure::ErrorKind;
use howdah_core::known::ClusterState;
use howdah_core::site::registrar::Registration;
use howdah_core::store::{Page, Store};
use howdah_core::wanted::Secrets;
use howdah_store::SqliteStore;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::fixture::copy;
use crate::sample::{event, key, options, raw, record};

async fn run(db: &mut SqliteConnection, statement: &'static str) {
    let done = sqlx::query(statement).execute(db).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{statement}");
}

/// Why each cluster cannot be read, by name; nothing for those that can.
async fn shown(store: &SqliteStore) -> Vec<String> {
    let told = |row| match row {
        Row::Cluster(cluster) => format!("{}: fine", cluster.0.name),
        Row::Unreadable(row) => format!("{}: {}", row.name, row.why),
    };
    store.list(None, Page::WHOLE).await.unwrap().into_iter().map(told).collect()
}

#[tokio::test]
async fn whatever_is_wrong_with_a_row_is_that_rows_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    for (n, name) in ["word", "newer", "json", "text", "other", "state", "good"].iter().enumerate() {
        store.insert(&record(n as u128, name), &Secrets::default(), &[]).await.unwrap();
    }
    drop(store);
    let mut db = raw(&folder).await;
    for damage in [
        "UPDATE clusters SET record = json_set(record, '$.shape.goal', 'hibernated') WHERE name = 'word'",
        "UPDATE clusters SET record = json_set(record, '$.v', 9) WHERE name = 'newer'",
        "UPDATE clusters SET record = substr(record, 1, 100) WHERE name = 'json'",
        "UPDATE clusters SET record = CAST(x'ff7b7d' AS TEXT) WHERE name = 'text'",
        "UPDATE clusters SET record = (SELECT record FROM clusters WHERE name = 'good') WHERE name = 'other'",
        "UPDATE documents SET text = json_set(text, '$.status', 'hibernated') WHERE kind = 'state' \
         AND owner = (SELECT 'cluster/' || id || '/' || project FROM clusters WHERE name = 'state')",
    ] {
        run(&mut db, damage).await;
    }
    let rows = "SELECT id, record, (SELECT text FROM documents WHERE kind = 'state' \
         AND owner = 'cluster/' || id || '/' || project), last_event FROM clusters WHERE name <> 'good' ORDER BY id";
    let kept = async |db: &mut SqliteConnection| -> Vec<(String, Vec<u8>, Vec<u8>, i64)> {
        sqlx::query_as(rows).fetch_all(db).await.unwrap()
    };
    let before = kept(&mut db).await;

    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    insta::assert_snapshot!(shown(&store).await.join("\n"), @"
    word: its record has an unknown value at `shape.goal`
    newer: its record has version 9, but this Howdah supports versions 1 to 4
    json: its record is not JSON
    text: its record is not text
    other: its record is that of another cluster
    state: its state has an unknown value at `status`
    good: fine
    ");
    for n in 0..6 {
        let e = store.save(&key(n), &ClusterState::default(), &[event("late")]).await.unwrap_err();
        assert_eq!((e.code, e.kind), ("cluster_unreadable", ErrorKind::Invalid));
        store.remove(&key(n), &[event("late")]).await.unwrap_err();
        assert!(matches!(store.load(&key(n)).await.unwrap(), Some(Row::Unreadable(_))));
    }
    store.save(&key(6), &ClusterState::default(), &[event("saved")]).await.unwrap();
    assert_eq!(kept(&mut db).await, before);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    let events = [event("a"), event("b"), event("c"), event("d"), event("e")];
    store.insert(&record(1, "one"), &Secrets::default(), &events).await.unwrap();
    let mut db = raw(&folder).await;
    run(&mut db, "UPDATE events SET event = json_set(event, '$.level', 'dire') WHERE number = 2").await;
    run(&mut db, "UPDATE events SET event = '{' WHERE number = 3").await;
    run(&mut db, "UPDATE events SET event = CAST(x'ff' AS TEXT) WHERE number = 4").await;
    let read = store.events(&key(1), 0, 10).await.unwrap();
    let told: Vec<_> = read.iter().map(|(n, e)| (*n, e.reason.as_str(), e.level, e.at)).collect();
    let (at, never) = (event("a").at, Timestamp::UNIX_EPOCH);
    assert_eq!(
        told,
        [
            (1, "a", Level::Info, at),
            (2, "event_unreadable", Level::Warning, at),
            (3, "event_unreadable", Level::Warning, never),
            (4, "event_unreadable", Level::Warning, never),
            (5, "e", Level::Info, at),
        ]
    );
}

#[tokio::test]
async fn a_registration_that_cannot_be_read_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    let of =
        |name: &str| Registration { name: name.into(), port_group: "pg".into(), users: [key(1)].into(), open: false };
    let site = "main".into();
    for name in ["damaged", "good", "newer"] {
        store.save_registration(&site, &of(name)).await.unwrap();
    }
    let mut db = raw(&folder).await;
    run(&mut db, "UPDATE documents SET text = '{' WHERE kind = 'registration' AND name = 'damaged'").await;
    let newer = "UPDATE documents SET text = json_set(text, '$.v', 9) WHERE kind = 'registration' AND name = 'newer'";
    run(&mut db, newer).await;
    assert_eq!(store.registrations(&site).await.unwrap(), [of("good")]);
    for name in ["damaged", "newer"] {
        let e = store.save_registration(&site, &of(name)).await.unwrap_err();
        assert_eq!((e.code, e.kind), ("site_document_unreadable", ErrorKind::Invalid));
        let e = store.remove_registration(&site, name).await.unwrap_err();
        assert_eq!(e.message, format!("cannot read the stored registration {name} of site main"));
    }
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM documents WHERE owner = 'site/main'")
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert_eq!(left, 3);
}

#[tokio::test]
async fn damage_in_the_first_schema_does_not_stop_its_migration() {
    let folder = copy("v1");
    let mut db = raw(&folder).await;
    run(&mut db, "UPDATE clusters SET state = '{' WHERE name = 'shared_a'").await;
    run(&mut db, "UPDATE clusters SET state = CAST(x'ff' AS TEXT) WHERE name = 'stopped' AND site = 'v-stopped'").await;
    let hibernated = "UPDATE clusters SET state = json_set(state, '$.status', 'hibernated') WHERE name = 'shared_b'";
    run(&mut db, hibernated).await;
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    let shown = shown(&store).await;
    assert_eq!(shown.len(), 48);
    let odd: Vec<_> = shown.into_iter().filter(|line| !line.ends_with(": fine")).collect();
    insta::assert_snapshot!(odd.join("\n"), @"
    stopped: its state is not text
    shared_a: its state is not JSON
    shared_b: its state has an unknown value at `status`
    ");
    // Who cannot be read at all is no user; who is only odd is one.
    let registrations = store.registrations(&"v-shared".into()).await.unwrap();
    let users: Vec<_> = registrations[0].users.iter().map(|user| user.id.to_string()).collect();
    assert_eq!(users, ["33484c6b-a865-452f-afc2-7e625139e9d2"]);
}
