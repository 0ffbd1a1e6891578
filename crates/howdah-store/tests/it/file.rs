//! What only a file can do: be opened twice, be of another version, have the wrong key, be written
//! to by many.

use std::fs;
use std::future::poll_fn;
use std::os::unix::fs::PermissionsExt;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use howdah_core::failure::{ErrorKind, chain};
use howdah_core::ids::ClusterKey;
use howdah_core::known::ClusterState;
use howdah_core::store::{Page, Store};
use howdah_core::wanted::{Goal, OperationKind, Secrets};
use howdah_store::{SqliteStore, StoreError};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, Row, SqliteConnection};
use tempfile::TempDir;

use crate::sample::{event, key, operation, options, raw, record};

/// The message and hint of the refusal to open, with the folder's name left out.
async fn refusal(folder: &TempDir) -> String {
    let e: StoreError = SqliteStore::open(&options(folder)).await.unwrap_err();
    format!("{}\n{}: {}", e.code(), chain(&e), e.hint().unwrap_or_default())
        .replace(folder.path().to_str().unwrap(), "/var/lib/howdah")
}

#[tokio::test]
async fn from_empty_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    store.insert(&record(1, "one"), &Secrets::default(), &[]).await.unwrap();
    store.close().await;
    drop(store);
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(options(&folder).path), mode(options(&folder).key_file)), (0o600, 0o600));
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    assert_eq!(store.list(None, Page::WHOLE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_second_service_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = SqliteStore::open(&options(&folder)).await.unwrap();
    insta::assert_snapshot!(refusal(&folder).await, @"
    store_in_use
    /var/lib/howdah/db/howdah.db is in use by another howdah service: Stop the other service, or give this one its own store.path.
    ");
    drop(first);
    SqliteStore::open(&options(&folder)).await.unwrap();
}

#[tokio::test]
async fn who_was_taken_over_is_the_newest_again_when_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let old = SqliteStore::open(&options(&folder)).await.unwrap();
    old.insert(&record(1, "one"), &Secrets::default(), &[]).await.unwrap();
    fs::remove_file(folder.path().join("db/howdah.db.lock")).unwrap();
    let new = SqliteStore::open(&options(&folder)).await.unwrap();
    let e = old.try_write().await.unwrap_err();
    assert_eq!((e.code, e.kind), ("fenced", ErrorKind::Unavailable), "{}", chain(&e));
    assert_eq!(old.fenced().await.code(), "fenced");
    // It is no lock: who comes up again is the newest, and writes.
    drop((old, new));
    let again = SqliteStore::open(&options(&folder)).await.unwrap();
    again.save(&key(1), &ClusterState::default(), &[]).await.unwrap();
}

#[tokio::test]
async fn a_newer_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(&options(&folder)).await.unwrap());
    let mut db = raw(&folder).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (7, 'later', TRUE, x'00', 0)",
    )
    .execute(&mut db)
    .await
    .unwrap();
    db.close().await.unwrap();
    insta::assert_snapshot!(refusal(&folder).await, @"
    store_newer
    a newer howdah wrote /var/lib/howdah/db/howdah.db (schema 7; this one supports 6): Install the newer howdah again, or restore a backup from before the upgrade.
    ");
}

#[tokio::test]
async fn something_else_than_a_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("db")).unwrap();
    fs::write(options(&folder).path, "Dear diary, today I have been mistaken for a database.".repeat(100)).unwrap();
    insta::assert_snapshot!(refusal(&folder).await, @"
    store_open
    cannot open the database /var/lib/howdah/db/howdah.db: error returned from database: (code: 26) file is not a database: Check store.path: the service's user must be able to write the file and its folder.
    ");
}

#[tokio::test]
async fn keys_are_checked_before_use() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(&options(&folder)).await.unwrap());
    let key = options(&folder).key_file;
    let good = fs::read(&key).unwrap();
    let put = |text: &[u8]| {
        fs::write(&key, text).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    };

    put("0".repeat(64).as_bytes());
    insta::assert_snapshot!(refusal(&folder).await, @"
    store_key_wrong
    the key in /var/lib/howdah/secret.key does not belong to /var/lib/howdah/db/howdah.db: Restore the key file that belongs to this database; store.key_file names it.
    ");
    put(b"");
    insta::assert_snapshot!(refusal(&folder).await, @"
    store_key_malformed
    the key file /var/lib/howdah/secret.key does not contain a key (64 hexadecimal digits): Restore /var/lib/howdah/secret.key from its backup.
    ");
    put(&good);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(refusal(&folder).await, @"
    store_key_exposed
    the key file /var/lib/howdah/secret.key has mode 0644, but only its owner may have access: Run: chmod 600 /var/lib/howdah/secret.key
    ");
    fs::remove_file(&key).unwrap();
    insta::assert_snapshot!(refusal(&folder).await, @"
    store_key_missing
    the key file /var/lib/howdah/secret.key is missing, but /var/lib/howdah/db/howdah.db needs it: Restore the key file that belongs to this database; store.key_file names it.
    ");
    assert!(!key.exists(), "a second key would make the first one's secrets unreadable for good");
    put(&good);
    SqliteStore::open(&options(&folder)).await.unwrap();
}

#[tokio::test]
async fn secrets_are_sealed_for_their_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    let hush = "correct horse battery staple";
    let secrets = |text: &str| Secrets { cluster_password: Some(SecretString::from(text)), ..Secrets::default() };
    store.insert(&record(1, "one"), &secrets(hush), &[]).await.unwrap();
    store.insert(&record(2, "two"), &secrets("other"), &[]).await.unwrap();
    let mut db = raw(&folder).await;
    copy_secrets(&mut db, &key(1), &key(2)).await;
    let e = store.secrets(&key(2)).await.unwrap_err();
    assert_eq!(e.code, "secrets_unreadable");
    assert_eq!(e.to_string(), format!("the store: cannot decrypt the secrets of cluster {}", key(2)));
    assert_eq!(store.secrets(&key(1)).await.unwrap().cluster_password.unwrap().expose_secret(), hush);
    // Nor in the same id's cluster of another project.
    let mut theirs = record(1, "theirs");
    theirs.project = "p2".into();
    store.insert(&theirs, &secrets("theirs"), &[]).await.unwrap();
    copy_secrets(&mut db, &key(1), &theirs.key()).await;
    assert_eq!(store.secrets(&theirs.key()).await.unwrap_err().code, "secrets_unreadable");
    for file in fs::read_dir(options(&folder).path.parent().unwrap()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(hush.len()).any(|w| w == hush.as_bytes()));
    }
}

async fn copy_secrets(db: &mut SqliteConnection, from: &ClusterKey, to: &ClusterKey) {
    let owner = |key: &ClusterKey| format!("cluster/{}/{}", key.id, key.project);
    let copy = "UPDATE documents SET text = (SELECT text FROM documents WHERE kind = 'secrets' AND owner = ?) \
         WHERE kind = 'secrets' AND owner = ?";
    let done = sqlx::query(copy).bind(owner(from)).bind(owner(to)).execute(db).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
}

#[tokio::test]
async fn limits_are_counted_in_an_index() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(&options(&folder)).await.unwrap());
    let plan = "EXPLAIN QUERY PLAN SELECT count(*), sum(nodes), sum(creates) FROM clusters \
         WHERE id <> ?1 AND project = ?2 AND removed IS NULL";
    let steps = sqlx::query(plan).bind("a").bind("b").fetch_all(&mut raw(&folder).await).await.unwrap();
    let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
    assert_eq!(steps, ["SEARCH clusters USING COVERING INDEX clusters_project (project=?)"]);
}

#[tokio::test]
async fn a_change_cut_off_in_the_middle_never_happened() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    let one = record(1, "one");
    store.insert(&one, &Secrets::default(), &[]).await.unwrap();
    // The second statement of the transaction fails: the first must not stay.
    let mut db = raw(&folder).await;
    sqlx::query("CREATE TRIGGER trip BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'tripped'); END")
        .execute(&mut db)
        .await
        .unwrap();
    let state = ClusterState { progress: 0.5, ..ClusterState::default() };
    let e = store.save(&one.key(), &state, &[event("lost")]).await.unwrap_err();
    assert_eq!(
        chain(&e),
        "the store: the database failed to add events: error returned from database: (code: 1811) tripped"
    );
    assert!(e.kind.is_transient());
    assert_eq!(store.load(&one.key()).await.unwrap().unwrap().cluster().unwrap().1, ClusterState::default());
    sqlx::query("DROP TRIGGER trip").execute(&mut db).await.unwrap();
    store.save(&one.key(), &state, &[event("kept")]).await.unwrap();
    assert_eq!(store.events(&one.key(), 0, 10).await.unwrap(), [(1, event("kept"))]);
}

#[tokio::test]
async fn a_caller_that_goes_away_blocks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    store.insert(&record(1, "one"), &Secrets::default(), &[]).await.unwrap();
    let mut state = ClusterState::default();
    let mut ended = 0;
    // Given up after each number of polls, so at each step of a change.
    for polls in (1..60).cycle().take(240) {
        state.progress += 1.0;
        if let Some(saved) = polled(store.save(&key(1), &state, &[event("a"), event("b")]), polls).await {
            saved.unwrap();
            ended += 1;
        }
    }
    assert!((20..220).contains(&ended), "{ended} of 240 saves came to their end");
    store.save(&key(1), &state, &[event("a"), event("b")]).await.unwrap();
    store.try_write().await.unwrap();
    let events = store.events(&key(1), 0, usize::MAX).await.unwrap();
    assert_eq!(events.len() % 2, 0, "a save is there with its events, or not at all");
    assert!(events.len() / 2 > ended);
}

/// What a call answers, unless it wants to be polled more than so many times: then it is dropped.
async fn polled<T>(call: impl Future<Output = T>, polls: usize) -> Option<T> {
    let (mut call, mut left) = (pin!(call), polls);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        call.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(&options(&folder)).await.unwrap());
    let one = record(1, "one");
    store.insert(&one, &Secrets::default(), &[]).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..16_u128 {
        let (store, seen) = (Arc::clone(&store), one.operation.id);
        tasks.spawn(async move {
            // All want the same name: one gets it.
            let mine = store.insert(&record(10 + task, "contended"), &Secrets::default(), &[]).await.is_ok();
            // All want something else of what they have seen: one gets it.
            let stop = operation(200 + task, OperationKind::Stop);
            let first = store.want(&key(1), &seen, Goal::Stopped, &stop).await.is_ok();
            for _ in 0..10 {
                store.add_events(&key(1), &[event("a"), event("b")]).await.unwrap();
                store.load(&key(1)).await.unwrap();
            }
            (mine, first)
        });
    }
    let won = tasks.join_all().await;
    assert_eq!(won.iter().filter(|(mine, _)| *mine).count(), 1);
    assert_eq!(won.iter().filter(|(_, first)| *first).count(), 1);
    let numbers: Vec<u64> = store.events(&key(1), 0, 1000).await.unwrap().into_iter().map(|(n, _)| n).collect();
    assert_eq!(numbers, (1..=320).collect::<Vec<_>>());
}

#[tokio::test]
async fn tombstones_go_when_their_time_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&options(&folder)).await.unwrap();
    for (n, name) in [(1, "gone"), (2, "here")] {
        store.insert(&record(n, name), &Secrets::default(), &[]).await.unwrap();
        store.add_events(&key(n), &[event("begun")]).await.unwrap();
        store.put_capability(&key(n), &[7; 32]).await.unwrap();
    }
    let before = Timestamp::now();
    store.remove(&key(1), &[]).await.unwrap();
    assert_eq!(store.prune(before).await.unwrap(), 0);
    assert_eq!(store.events(&key(1), 0, 10).await.unwrap().len(), 1);
    assert_eq!(store.prune(Timestamp::MAX).await.unwrap(), 1);
    assert!(store.events(&key(1), 0, 10).await.unwrap().is_empty());
    assert_eq!(store.by_capability(&key(1).id, &[7; 32]).await.unwrap(), None);
    assert_eq!(store.events(&key(2), 0, 10).await.unwrap().len(), 1);
}
