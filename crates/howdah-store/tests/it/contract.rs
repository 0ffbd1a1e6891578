//! What every store does: each test runs on every kind of store there is.

use std::ops::Deref;

use howdah_core::document::{Row, Unreadable};
use howdah_core::failure::{ErrorKind, RemoteError};
use howdah_core::ids::{ClusterId, ClusterKey};
use howdah_core::known::{ClusterState, ClusterStatus};
use howdah_core::site::registrar::Registration;
use howdah_core::specification::Specification;
use howdah_core::store::{Page, Store, Trace};
use howdah_core::usage::Usage;
use howdah_core::wanted::{ClusterRecord, Goal, OperationKind, Secrets};
use howdah_sim::crashing::Crashing;
use howdah_store::{MemoryStore, SqliteStore};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

use crate::sample::{event, id, key, key_in, operation, options, raw, record};

/// A store of some kind, that can also be damaged.
enum Subject {
    Memory(MemoryStore),
    Crashing(Crashing<MemoryStore>),
    File(Box<SqliteStore>, TempDir),
}

impl Deref for Subject {
    type Target = dyn Store;
    fn deref(&self) -> &Self::Target {
        match self {
            Self::Memory(store) => store,
            Self::Crashing(store) => store,
            Self::File(store, _) => store.as_ref(),
        }
    }
}

impl Subject {
    /// Makes a cluster unreadable, as a newer version would, and says how it is shown then.
    async fn spoil(&self, record: &ClusterRecord) -> Unreadable {
        let (key, name) = (record.key(), record.name.to_string());
        match self {
            Self::Memory(store) => store.insert_unreadable(&key, &name),
            Self::Crashing(store) => store.inner().insert_unreadable(&key, &name),
            Self::File(_, folder) => {
                let spoiled = "UPDATE clusters SET record = json_set(record, '$.shape.goal', 'hibernated') \
                     WHERE id = ? AND project = ?";
                run(folder, spoiled, &key).await;
                let why = "its record has an unknown value at `shape.goal`".to_owned();
                Unreadable { key, site: record.site.clone(), name, why }
            }
        }
    }

    /// What a second service opens, although this one still runs.
    async fn taken_over(&self) -> Box<dyn Store> {
        match self {
            Self::Memory(store) => Box::new(store.taken_over()),
            Self::Crashing(store) => Box::new(store.inner().taken_over()),
            Self::File(_, folder) => {
                // As on a file system without locks, or by an operator who removed what he took for a leftover.
                std::fs::remove_file(folder.path().join("db/howdah.db.lock")).unwrap();
                Box::new(SqliteStore::open(&options(folder)).await.unwrap())
            }
        }
    }

    /// Which clusters of this ID are there, in whichever projects.
    async fn present(&self, id: &ClusterId) -> Vec<ClusterKey> {
        let traces = self.traces(id).await.unwrap();
        traces.into_iter().filter(|trace| !trace.removed).map(|trace| trace.key).collect()
    }

    /// Makes a cluster's secrets unreadable.
    async fn spoil_secrets(&self, key: &ClusterKey) {
        match self {
            Self::Memory(store) => store.set_secrets_unreadable(key, true),
            Self::Crashing(store) => store.inner().set_secrets_unreadable(key, true),
            Self::File(_, folder) => {
                let spoiled = "UPDATE documents SET text = '00' WHERE kind = 'secrets' \
                     AND owner = 'cluster/' || ? || '/' || ?";
                run(folder, spoiled, key).await;
            }
        }
    }
}

async fn run(folder: &TempDir, statement: &'static str, key: &ClusterKey) {
    let done = sqlx::query(statement)
        .bind(key.id.to_string())
        .bind(key.project.as_str())
        .execute(&mut raw(folder).await)
        .await
        .unwrap();
    assert_eq!(done.rows_affected(), 1);
}

macro_rules! for_each {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use super::{Crashing, MemoryStore, SqliteStore, Subject, options};
            #[tokio::test]
            async fn in_memory() {
                super::$name(&Subject::Memory(MemoryStore::new())).await;
            }
            #[tokio::test]
            async fn in_one_that_could_crash() {
                super::$name(&Subject::Crashing(Crashing::new(MemoryStore::new()))).await;
            }
            #[tokio::test]
            async fn in_a_file() {
                let folder = tempfile::tempdir().unwrap();
                let store = SqliteStore::open(&options(&folder)).await.unwrap();
                super::$name(&Subject::File(Box::new(store), folder)).await;
            }
        }
    )*};
}

for_each! {
    a_cluster_reads_back,
    a_list_is_read_by_pages,
    ids_and_names_are_taken_once,
    one_id_in_two_projects_is_two_clusters,
    a_removed_cluster_leaves_its_events,
    an_id_can_be_used_again,
    events_are_numbered,
    wanted_and_known_do_not_touch_each_other,
    a_want_from_older_knowledge_is_refused,
    what_is_gone_cannot_be_changed,
    what_cannot_be_read_is_shown_and_left_alone,
    secrets_come_back_until_forgotten,
    secrets_that_do_not_open_say_so_until_forgotten,
    registrations_belong_to_a_site,
    capabilities_stay_and_old_events_go,
    what_was_removed_leaves_a_trace,
    a_write_can_be_tried,
    a_failed_create_of_which_nothing_exists_frees_its_name,
    a_name_that_was_taken_again_is_held,
    a_service_that_was_taken_over_writes_no_more,
    usage_adds_up_the_other_clusters_of_a_project,
}

fn row(record: &ClusterRecord, state: &ClusterState) -> Row {
    Row::Cluster(Box::new((record.clone(), state.clone())))
}

fn no_secrets() -> Secrets {
    Secrets::default()
}

fn told(e: &RemoteError) -> (&str, ErrorKind) {
    (e.code, e.kind)
}

async fn a_cluster_reads_back(store: &Subject) {
    let (one, mut two) = (record(1, "one"), record(2, "two"));
    two.project = "p2".into();
    // Listed by creation, whatever the order of insertion.
    store.insert(&two, &no_secrets(), &[]).await.unwrap();
    store.insert(&one, &no_secrets(), &[event("accepted")]).await.unwrap();
    let state = ClusterState::default();
    assert_eq!(store.load(&one.key()).await.unwrap(), Some(row(&one, &state)));
    assert_eq!(store.wanted(&one.key()).await.unwrap(), Some(one.clone()));
    assert_eq!(store.events(&one.key(), 0, 10).await.unwrap(), [(1, event("accepted"))]);
    for nobody in [key(9), key_in("p2", 1)] {
        assert_eq!(store.load(&nobody).await.unwrap(), None);
        assert_eq!(store.wanted(&nobody).await.unwrap(), None);
    }
    assert_eq!(store.list(None, Page::WHOLE).await.unwrap(), [row(&one, &state), row(&two, &state)]);
    assert_eq!(store.list(Some(&"p2".into()), Page::WHOLE).await.unwrap(), [row(&two, &state)]);
}

async fn a_list_is_read_by_pages(store: &Subject) {
    let records = [1, 2, 3, 4].map(|n| record(n, &format!("c{n}")));
    for record in records.iter().rev() {
        store.insert(record, &no_secrets(), &[]).await.unwrap();
    }
    let elsewhere = ClusterRecord { project: "p2".into(), ..record(2, "elsewhere") };
    store.insert(&elsewhere, &no_secrets(), &[]).await.unwrap();
    let of = &records[0].project;
    let page = async |project, after: Option<&ClusterKey>, limit| {
        let rows = store.list(project, Page { after, limit }).await.unwrap();
        rows.iter().map(|row| row.key().clone()).collect::<Vec<_>>()
    };
    let [one, two, three, four] = records.each_ref().map(ClusterRecord::key);
    assert_eq!(page(Some(of), None, Some(2)).await, [one.clone(), two.clone()]);
    assert_eq!(page(Some(of), Some(&two), Some(2)).await, [three.clone(), four.clone()]);
    assert_eq!(page(Some(of), Some(&four), Some(2)).await, []);
    // Those of one id, made at the same moment, come one after the other.
    assert_eq!(page(None, Some(&two), None).await, [elsewhere.key(), three.clone(), four.clone()]);
    // A page goes on after a cluster that was removed in the meantime, and after nobody's not at all.
    store.remove(&two, &[]).await.unwrap();
    assert_eq!(page(Some(of), Some(&two), Some(1)).await, [three]);
    assert_eq!(page(None, Some(&key(9)), None).await, []);
}

async fn ids_and_names_are_taken_once(store: &Subject) {
    store.insert(&record(1, "one"), &no_secrets(), &[]).await.unwrap();
    let same_id = store.insert(&record(1, "other"), &no_secrets(), &[event("lost")]).await.unwrap_err();
    assert_eq!(told(&same_id), ("cluster_id_taken", ErrorKind::Conflict));
    let same_name = store.insert(&record(2, "one"), &no_secrets(), &[event("lost")]).await.unwrap_err();
    assert_eq!(told(&same_name), ("cluster_name_taken", ErrorKind::Conflict));
    assert_eq!(same_name.message, "site main already has a cluster named one");
    let mut elsewhere = record(2, "one");
    elsewhere.site = "lab".into();
    store.insert(&elsewhere, &no_secrets(), &[]).await.unwrap();
    for n in [1, 2] {
        assert_eq!(store.events(&key(n), 0, 10).await.unwrap(), [], "of what was refused nothing stays");
    }
}

async fn one_id_in_two_projects_is_two_clusters(store: &Subject) {
    let (mine, mut theirs) = (record(1, "mine"), record(1, "theirs"));
    theirs.project = "p2".into();
    let secrets = |text: &str| Secrets { cluster_password: Some(SecretString::from(text)), ..Secrets::default() };
    store.insert(&theirs, &secrets("theirs"), &[event("theirs")]).await.unwrap();
    store.insert(&mine, &secrets("mine"), &[event("mine")]).await.unwrap();
    store.put_capability(&mine.key(), &[1; 32]).await.unwrap();
    store.put_capability(&theirs.key(), &[2; 32]).await.unwrap();
    assert_eq!(store.present(&id(1)).await, [mine.key(), theirs.key()]);
    assert_eq!(store.present(&id(2)).await, []);
    assert_eq!(store.by_capability(&id(1), &[1; 32]).await.unwrap(), Some(mine.key()));
    assert_eq!(store.by_capability(&id(1), &[2; 32]).await.unwrap(), Some(theirs.key()));

    let state = ClusterState { progress: 0.5, ..ClusterState::default() };
    store.save(&mine.key(), &state, &[event("saved")]).await.unwrap();
    let delete = operation(200, OperationKind::Delete);
    store.want(&mine.key(), &mine.operation.id, Goal::Deleted, &delete).await.unwrap();
    store.forget_secrets(&mine.key()).await.unwrap();
    store.remove(&mine.key(), &[event("removed")]).await.unwrap();

    assert_eq!(store.load(&mine.key()).await.unwrap(), None);
    assert_eq!(store.load(&theirs.key()).await.unwrap(), Some(row(&theirs, &ClusterState::default())));
    assert_eq!(store.events(&theirs.key(), 0, 10).await.unwrap(), [(1, event("theirs"))]);
    let password = store.secrets(&theirs.key()).await.unwrap().cluster_password.unwrap();
    assert_eq!(password.expose_secret(), "theirs");
    assert_eq!(store.present(&id(1)).await, [theirs.key()]);
}

async fn a_removed_cluster_leaves_its_events(store: &Subject) {
    let one = record(1, "one");
    store.insert(&one, &no_secrets(), &[event("accepted")]).await.unwrap();
    store.put_capability(&one.key(), &[7; 32]).await.unwrap();
    store.save(&one.key(), &ClusterState::default(), &[event("begun")]).await.unwrap();
    for _ in 0..2 {
        store.remove(&one.key(), &[event("removed")]).await.unwrap();
    }
    assert_eq!(store.load(&one.key()).await.unwrap(), None);
    assert_eq!(store.wanted(&one.key()).await.unwrap(), None);
    assert_eq!(store.list(None, Page::WHOLE).await.unwrap(), []);
    let events = store.events(&one.key(), 0, 10).await.unwrap();
    assert_eq!(events, [(1, event("accepted")), (2, event("begun")), (3, event("removed"))]);
    assert_eq!(store.by_capability(&one.id, &[7; 32]).await.unwrap(), Some(one.key()));
    store.insert(&record(2, "one"), &no_secrets(), &[]).await.unwrap();
}

async fn an_id_can_be_used_again(store: &Subject) {
    let one = record(1, "one");
    store.insert(&one, &no_secrets(), &[]).await.unwrap();
    store.put_capability(&one.key(), &[7; 32]).await.unwrap();
    let state = ClusterState { progress: 0.5, ..ClusterState::default() };
    store.save(&one.key(), &state, &[event("begun")]).await.unwrap();
    store.remove(&one.key(), &[]).await.unwrap();
    let again = record(1, "again");
    store.insert(&again, &no_secrets(), &[event("accepted")]).await.unwrap();
    assert_eq!(store.load(&one.key()).await.unwrap(), Some(row(&again, &ClusterState::default())));
    let reader = store.by_capability(&one.id, &[7; 32]).await.unwrap();
    assert_eq!(reader, None, "who could read the old one cannot read this one");
    assert_eq!(store.events(&one.key(), 0, 10).await.unwrap(), [(2, event("accepted"))]);
}

async fn events_are_numbered(store: &Subject) {
    let one = record(1, "one");
    store.insert(&one, &no_secrets(), &[event("a")]).await.unwrap();
    store.save(&one.key(), &ClusterState::default(), &[event("b")]).await.unwrap();
    store.add_events(&one.key(), &[]).await.unwrap();
    store.add_events(&one.key(), &[event("c")]).await.unwrap();
    assert_eq!(store.events(&one.key(), 1, 10).await.unwrap(), [(2, event("b")), (3, event("c"))]);
    assert_eq!(store.events(&one.key(), 0, 1).await.unwrap(), [(1, event("a"))]);
    assert_eq!(store.events(&one.key(), 3, 10).await.unwrap(), []);
    assert_eq!(store.events(&one.key(), u64::MAX, usize::MAX).await.unwrap(), []);
}

async fn wanted_and_known_do_not_touch_each_other(store: &Subject) {
    let one = record(1, "one");
    store.insert(&one, &no_secrets(), &[]).await.unwrap();
    let state = ClusterState { status: ClusterStatus::Creating, progress: 0.25, ..ClusterState::default() };
    let stop = operation(200, OperationKind::Stop);
    store.save(&one.key(), &state, &[]).await.unwrap();
    store.want(&one.key(), &one.operation.id, Goal::Stopped, &stop).await.unwrap();
    let wanted = ClusterRecord { shape: one.shape.with_goal(Goal::Stopped), operation: stop, ..one.clone() };
    assert_eq!(store.load(&one.key()).await.unwrap(), Some(row(&wanted, &state)));
    store.save(&one.key(), &ClusterState::default(), &[]).await.unwrap();
    assert_eq!(store.wanted(&one.key()).await.unwrap(), Some(wanted));
}

async fn a_want_from_older_knowledge_is_refused(store: &Subject) {
    let one = record(1, "one");
    store.insert(&one, &no_secrets(), &[]).await.unwrap();
    let (stop, delete) = (operation(200, OperationKind::Stop), operation(201, OperationKind::Delete));
    store.want(&one.key(), &one.operation.id, Goal::Deleted, &delete).await.unwrap();
    let late = store.want(&one.key(), &one.operation.id, Goal::Stopped, &stop).await.unwrap_err();
    assert_eq!(told(&late), ("cluster_changed", ErrorKind::Conflict));
    let record = store.wanted(&one.key()).await.unwrap().unwrap();
    assert_eq!((record.shape.goal, &record.operation), (Goal::Deleted, &delete));
    store.want(&one.key(), &delete.id, Goal::Stopped, &stop).await.unwrap();
    assert_eq!(store.wanted(&one.key()).await.unwrap().unwrap().operation, stop);
}

async fn what_is_gone_cannot_be_changed(store: &Subject) {
    let one = record(1, "one");
    store.insert(&one, &no_secrets(), &[]).await.unwrap();
    store.remove(&one.key(), &[]).await.unwrap();
    for gone in [one.key(), key(9), key_in("p2", 1)] {
        let stop = operation(200, OperationKind::Stop);
        let errors = [
            store.want(&gone, &one.operation.id, Goal::Stopped, &stop).await.unwrap_err(),
            store.save(&gone, &ClusterState::default(), &[event("late")]).await.unwrap_err(),
            store.add_events(&gone, &[event("late")]).await.unwrap_err(),
        ];
        for e in errors {
            assert_eq!(told(&e), ("cluster_not_found", ErrorKind::NotFound));
            assert_eq!(e.message, format!("cluster {gone} does not exist"));
        }
        store.remove(&gone, &[event("late")]).await.unwrap();
        store.forget_secrets(&gone).await.unwrap();
        assert_eq!(store.events(&gone, 0, 10).await.unwrap(), []);
    }
    // Its end can be read by who asked for it, also if it came before the answer.
    store.put_capability(&one.key(), &[7; 32]).await.unwrap();
    assert_eq!(store.by_capability(&one.id, &[7; 32]).await.unwrap(), Some(one.key()));
    for never in [key(9), key_in("p2", 1)] {
        let e = store.put_capability(&never, &[7; 32]).await.unwrap_err();
        assert_eq!(told(&e), ("cluster_not_found", ErrorKind::NotFound));
        assert_eq!(store.by_capability(&never.id, &[8; 32]).await.unwrap(), None);
    }
}

async fn what_was_removed_leaves_a_trace(store: &Subject) {
    let (mine, mut theirs) = (record(1, "mine"), record(1, "theirs"));
    theirs.project = "p2".into();
    theirs.site = "lab".into();
    for one in [&mine, &theirs, &record(2, "other")] {
        store.insert(one, &no_secrets(), &[]).await.unwrap();
    }
    let trace = |of: &ClusterRecord, removed| Trace { key: of.key(), site: of.site.clone(), removed };
    assert_eq!(store.traces(&id(1)).await.unwrap(), [trace(&mine, false), trace(&theirs, false)]);
    store.remove(&theirs.key(), &[]).await.unwrap();
    store.spoil(&mine).await;
    assert_eq!(store.traces(&id(1)).await.unwrap(), [trace(&mine, false), trace(&theirs, true)]);
    assert_eq!(store.traces(&id(9)).await.unwrap(), []);
}

async fn what_cannot_be_read_is_shown_and_left_alone(store: &Subject) {
    let (odd, good) = (record(1, "odd"), record(2, "good"));
    let secrets = Secrets { cluster_password: Some(SecretString::from("hush")), ..Secrets::default() };
    store.insert(&odd, &secrets, &[event("accepted")]).await.unwrap();
    store.insert(&good, &no_secrets(), &[]).await.unwrap();
    store.put_capability(&odd.key(), &[7; 32]).await.unwrap();
    let shown = store.spoil(&odd).await;

    let all = [Row::Unreadable(shown.clone()), row(&good, &ClusterState::default())];
    assert_eq!(store.list(None, Page::WHOLE).await.unwrap().len(), 2);
    for row in store.list(None, Page::WHOLE).await.unwrap() {
        assert!(all.contains(&row), "{row:?}");
    }
    assert_eq!(store.load(&odd.key()).await.unwrap(), Some(Row::Unreadable(shown.clone())));
    assert_eq!(store.present(&odd.id).await, [odd.key()]);

    let stop = operation(200, OperationKind::Stop);
    let state = ClusterState { progress: 0.5, ..ClusterState::default() };
    let errors = [
        store.wanted(&odd.key()).await.unwrap_err(),
        store.want(&odd.key(), &odd.operation.id, Goal::Stopped, &stop).await.unwrap_err(),
        store.save(&odd.key(), &state, &[event("late")]).await.unwrap_err(),
        store.add_events(&odd.key(), &[event("late")]).await.unwrap_err(),
        store.put_capability(&odd.key(), &[8; 32]).await.unwrap_err(),
        store.forget_secrets(&odd.key()).await.unwrap_err(),
        store.remove(&odd.key(), &[event("late")]).await.unwrap_err(),
    ];
    for e in errors {
        assert_eq!(told(&e), ("cluster_unreadable", ErrorKind::Invalid));
        assert_eq!(e.message, format!("the stored cluster {} cannot be read: {}", odd.key(), shown.why));
    }
    let e = store.insert(&record(1, "other"), &no_secrets(), &[]).await.unwrap_err();
    assert_eq!(e.code, "cluster_id_taken");
    let e = store.insert(&record(3, "odd"), &no_secrets(), &[]).await.unwrap_err();
    assert_eq!(e.code, "cluster_name_taken");

    assert_eq!(store.load(&odd.key()).await.unwrap(), Some(Row::Unreadable(shown)));
    assert_eq!(store.events(&odd.key(), 0, 10).await.unwrap(), [(1, event("accepted"))]);
    assert!(store.secrets(&odd.key()).await.unwrap().cluster_password.is_some());
    assert_eq!(store.by_capability(&odd.id, &[7; 32]).await.unwrap(), Some(odd.key()));
    // It does not block others.
    store.want(&good.key(), &good.operation.id, Goal::Stopped, &stop).await.unwrap();
    store.save(&good.key(), &state, &[event("saved")]).await.unwrap();
    store.remove(&good.key(), &[]).await.unwrap();
}

async fn secrets_come_back_until_forgotten(store: &Subject) {
    let secrets = Secrets {
        cluster_password: Some(SecretString::from("hush")),
        credentials: Some(("admin".into(), SecretString::from("hush too"))),
        specification: Specification::parse(r#"{"a":{"b":"hush as well"}}"#.into()),
    };
    let plain = |s: Secrets| {
        let credentials = s.credentials.map(|(user, p)| (user, p.expose_secret().to_owned()));
        let specification = s.specification.map(|s| s.expose().to_owned());
        (s.cluster_password.map(|p| p.expose_secret().to_owned()), credentials, specification)
    };
    store.insert(&record(1, "one"), &secrets, &[]).await.unwrap();
    store.insert(&record(2, "two"), &secrets, &[]).await.unwrap();
    let alone = Secrets { specification: secrets.specification.clone(), ..Secrets::default() };
    store.insert(&record(3, "three"), &alone, &[]).await.unwrap();
    let (none, expected) = (plain(Secrets::default()), plain(secrets));
    assert_eq!(plain(store.secrets(&key(1)).await.unwrap()), expected);
    assert_eq!(plain(store.secrets(&key(3)).await.unwrap()), plain(alone));
    store.forget_secrets(&key(1)).await.unwrap();
    assert_eq!(plain(store.secrets(&key(1)).await.unwrap()), none);
    assert_eq!(plain(store.secrets(&key(2)).await.unwrap()), expected);
    store.remove(&key(2), &[]).await.unwrap();
    assert_eq!(plain(store.secrets(&key(2)).await.unwrap()), none);
    assert_eq!(plain(store.secrets(&key(9)).await.unwrap()), none);
}

async fn secrets_that_do_not_open_say_so_until_forgotten(store: &Subject) {
    let secrets = Secrets { cluster_password: Some(SecretString::from("hush")), ..Secrets::default() };
    store.insert(&record(1, "one"), &secrets, &[]).await.unwrap();
    store.spoil_secrets(&key(1)).await;
    let e = store.secrets(&key(1)).await.unwrap_err();
    assert_eq!(told(&e), ("secrets_unreadable", ErrorKind::Unavailable));
    assert_eq!(e.message, format!("cannot decrypt the secrets of cluster {}", key(1)));
    assert!(e.hint.is_some());
    store.save(&key(1), &ClusterState::default(), &[event("goes on")]).await.unwrap();
    store.forget_secrets(&key(1)).await.unwrap();
    assert!(store.secrets(&key(1)).await.unwrap().cluster_password.is_none());
}

async fn registrations_belong_to_a_site(store: &Subject) {
    let (main, lab) = ("main".into(), "lab".into());
    let of = |name: &str, port_group: &str, users: &[u128]| Registration {
        name: name.into(),
        port_group: port_group.into(),
        users: users.iter().map(|n| key(*n)).collect(),
        open: false,
    };
    store.save_registration(&main, &of("b", "pg-1", &[1, 2])).await.unwrap();
    store.save_registration(&main, &of("a", "pg-2", &[])).await.unwrap();
    store.save_registration(&lab, &of("a", "pg-3", &[3])).await.unwrap();
    store.save_registration(&main, &of("b", "pg-4", &[2])).await.unwrap();
    assert_eq!(store.registrations(&main).await.unwrap(), [of("a", "pg-2", &[]), of("b", "pg-4", &[2])]);
    store.remove_registration(&main, "a").await.unwrap();
    store.remove_registration(&main, "never").await.unwrap();
    assert_eq!(store.registrations(&main).await.unwrap(), [of("b", "pg-4", &[2])]);
    assert_eq!(store.registrations(&lab).await.unwrap(), [of("a", "pg-3", &[3])]);
}

async fn capabilities_stay_and_old_events_go(store: &Subject) {
    let one = record(1, "one");
    store.insert(&one, &no_secrets(), &[]).await.unwrap();
    for n in 0..200 {
        store.put_capability(&one.key(), &[n; 32]).await.unwrap();
    }
    store.put_capability(&one.key(), &[0; 32]).await.unwrap();
    for n in 0..200 {
        assert_eq!(store.by_capability(&one.id, &[n; 32]).await.unwrap(), Some(one.key()), "{n}");
    }
    assert_eq!(store.by_capability(&one.id, &[200; 32]).await.unwrap(), None);
    assert_eq!(store.by_capability(&id(2), &[69; 32]).await.unwrap(), None);
    let many: Vec<_> = (0..5_001).map(|_| event("flap")).collect();
    store.add_events(&one.key(), &many).await.unwrap();
    store.add_events(&one.key(), &many).await.unwrap();
    let kept = store.events(&one.key(), 0, usize::MAX).await.unwrap();
    assert_eq!((kept.len(), kept[0].0, kept.last().unwrap().0), (10_000, 3, 10_002));
}

async fn a_write_can_be_tried(store: &Subject) {
    for _ in 0..2 {
        store.try_write().await.unwrap();
    }
}

/// A state in which the newest operation of the record has failed and nothing was asked of the manager.
fn failed_without_trace(record: &ClusterRecord) -> ClusterState {
    let operation = serde_json::json!({
        "id": record.operation.id, "kind": "create", "state": "failed", "started": "2026-01-01T00:00:00Z",
    });
    serde_json::from_value(serde_json::json!({ "operation": operation })).unwrap()
}

async fn a_failed_create_of_which_nothing_exists_frees_its_name(store: &Subject) {
    let (first, second, third) = (record(1, "one"), record(2, "one"), record(3, "one"));
    let taken = |e: RemoteError| assert_eq!(told(&e), ("cluster_name_taken", ErrorKind::Conflict));
    store.insert(&first, &no_secrets(), &[]).await.unwrap();
    taken(store.insert(&second, &no_secrets(), &[]).await.unwrap_err());
    store.save(&first.key(), &failed_without_trace(&first), &[]).await.unwrap();
    store.insert(&second, &no_secrets(), &[]).await.unwrap();
    taken(store.insert(&third, &no_secrets(), &[]).await.unwrap_err());

    // A retry takes its name again: it is refused while another cluster has the name, and changes nothing.
    let create = operation(7, OperationKind::Create);
    taken(store.want(&first.key(), &first.operation.id, Goal::Running, &create).await.unwrap_err());
    assert_eq!(store.wanted(&first.key()).await.unwrap(), Some(first.clone()));
    // A delete needs no name.
    let delete = operation(8, OperationKind::Delete);
    store.want(&first.key(), &first.operation.id, Goal::Deleted, &delete).await.unwrap();
    // Nor does a state take it again.
    store.save(&first.key(), &ClusterState::default(), &[]).await.unwrap();
    let create = operation(9, OperationKind::Create);
    taken(store.want(&first.key(), &delete.id, Goal::Running, &create).await.unwrap_err());
    store.remove(&second.key(), &[]).await.unwrap();
    store.insert(&third, &no_secrets(), &[]).await.unwrap();
    store.remove(&third.key(), &[]).await.unwrap();
    store.insert(&second, &no_secrets(), &[]).await.unwrap();
    store.remove(&first.key(), &[]).await.unwrap();
    taken(store.insert(&third, &no_secrets(), &[]).await.unwrap_err());
    store.remove(&second.key(), &[]).await.unwrap();
    store.insert(&third, &no_secrets(), &[]).await.unwrap();
}

async fn a_name_that_was_taken_again_is_held(store: &Subject) {
    let (first, second) = (record(1, "one"), record(2, "one"));
    store.insert(&first, &no_secrets(), &[]).await.unwrap();
    store.save(&first.key(), &failed_without_trace(&first), &[]).await.unwrap();
    let create = operation(7, OperationKind::Create);
    store.want(&first.key(), &first.operation.id, Goal::Running, &create).await.unwrap();
    let refused = store.insert(&second, &no_secrets(), &[]).await.unwrap_err();
    assert_eq!(refused.code, "cluster_name_taken");
    // What is written of the operation before changes nothing about it.
    store.save(&first.key(), &failed_without_trace(&first), &[]).await.unwrap();
    assert_eq!(store.insert(&second, &no_secrets(), &[]).await.unwrap_err().code, "cluster_name_taken");
    // The same id and name, once it is gone.
    store.remove(&first.key(), &[]).await.unwrap();
    store.insert(&first, &no_secrets(), &[]).await.unwrap();
    assert_eq!(store.insert(&second, &no_secrets(), &[]).await.unwrap_err().code, "cluster_name_taken");
}

async fn a_service_that_was_taken_over_writes_no_more(old: &Subject) {
    let (one, gone) = (record(1, "one"), record(3, "gone"));
    for record in [&one, &gone] {
        old.insert(record, &no_secrets(), &[]).await.unwrap();
    }
    let new = old.taken_over().await;
    let stale = ClusterState { progress: 0.1, ..ClusterState::default() };
    let fresh = ClusterState { progress: 0.9, ..ClusterState::default() };
    new.save(&key(1), &fresh, &[]).await.unwrap();
    new.remove(&gone.key(), &[]).await.unwrap();
    let registration = Registration { name: "net".into(), port_group: "net".into(), users: [].into(), open: false };
    let stop = operation(200, OperationKind::Stop);
    for refused in [
        old.save(&key(1), &stale, &[event("late")]).await,
        old.want(&key(1), &one.operation.id, Goal::Stopped, &stop).await,
        old.add_events(&key(1), &[event("late")]).await,
        old.insert(&record(2, "two"), &no_secrets(), &[]).await,
        old.insert(&record(1, "again"), &no_secrets(), &[]).await,
        old.remove(&key(1), &[]).await,
        old.forget_secrets(&key(1)).await,
        old.put_capability(&key(1), &[7; 32]).await,
        old.save_registration(&"main".into(), &registration).await,
        old.try_write().await,
        // Nor does it say anything about what the newer one did.
        old.save(&gone.key(), &stale, &[]).await,
        old.remove(&gone.key(), &[]).await,
    ] {
        assert_eq!(told(&refused.unwrap_err()), ("fenced", ErrorKind::Unavailable));
    }
    assert_eq!(new.list(None, Page::WHOLE).await.unwrap(), [row(&one, &fresh)]);
    assert!(new.events(&key(1), 0, 10).await.unwrap().is_empty());
}

async fn usage_adds_up_the_other_clusters_of_a_project(store: &Subject) {
    let sized = |n: u128, count: u32| {
        let mut record = record(n, &format!("c{n}"));
        let groups = serde_json::json!([{"name": "worker", "roles": [], "count": count}]);
        record.shape.node_groups = serde_json::from_value(groups).unwrap();
        record
    };
    let of = |clusters, nodes, creates| Usage { clusters, nodes, creates };
    let (one, two) = (sized(1, 2), sized(2, 3));
    let elsewhere = ClusterRecord { project: "p2".into(), ..sized(4, 9) };
    assert_eq!(store.usage_beside(&key(1)).await.unwrap(), of(0, 0, 0));
    for record in [&one, &two, &record(3, "template"), &elsewhere] {
        store.insert(record, &no_secrets(), &[]).await.unwrap();
    }
    assert_eq!(store.usage_beside(&key(9)).await.unwrap(), of(3, 6, 3));
    assert_eq!(store.usage_beside(&key(2)).await.unwrap(), of(2, 3, 2), "all but itself");
    store.save(&one.key(), &failed_without_trace(&one), &[]).await.unwrap();
    assert_eq!(store.usage_beside(&key(9)).await.unwrap(), of(3, 6, 2), "its create has ended");
    let again = operation(200, OperationKind::Create);
    store.want(&one.key(), &one.operation.id, Goal::Running, &again).await.unwrap();
    assert_eq!(store.usage_beside(&key(9)).await.unwrap(), of(3, 6, 3), "and began again");
    store.spoil(&two).await;
    assert_eq!(store.usage_beside(&key(9)).await.unwrap().clusters, 3, "what cannot be read is there");
    store.remove(&one.key(), &[]).await.unwrap();
    assert_eq!(store.usage_beside(&key(9)).await.unwrap(), of(2, 4, 2));
}
