//! What every store does: each test runs on the file and in memory.

use howdah_core::cluster::{ClusterState, ClusterStatus, OperationKind, Registration, Secrets, Wanted};
use howdah_core::failure::ErrorKind;
use howdah_core::traits::Store;
use howdah_store::{MemoryStore, SqliteStore};
use secrecy::{ExposeSecret, SecretString};

use crate::sample::{event, id, operation, options, record};

macro_rules! for_both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn in_memory() {
                super::$name(&super::MemoryStore::new()).await;
            }
            #[tokio::test]
            async fn in_a_file() {
                let folder = tempfile::tempdir().unwrap();
                super::$name(&super::SqliteStore::open(&super::options(&folder)).await.unwrap()).await;
            }
        }
    )*};
}

for_both! {
    a_cluster_reads_back,
    ids_and_names_are_taken_once,
    a_removed_cluster_leaves_its_events,
    an_id_can_be_used_again,
    events_are_numbered,
    wanted_and_known_do_not_touch_each_other,
    what_is_gone_cannot_be_changed,
    secrets_come_back_until_forgotten,
    registrations_belong_to_a_site,
    old_capabilities_and_events_go,
}

async fn a_cluster_reads_back(store: &dyn Store) {
    let (one, mut two) = (record(1, "one"), record(2, "two"));
    two.project = "p2".into();
    // Listed by creation, whatever the order of insertion.
    store.insert(&two, &Secrets::default()).await.unwrap();
    store.insert(&one, &Secrets::default()).await.unwrap();
    assert_eq!(store.load(&one.id).await.unwrap(), Some((one.clone(), ClusterState::default())));
    assert_eq!(store.load(&id(9)).await.unwrap(), None);
    let names = |rows: Vec<(howdah_core::cluster::ClusterRecord, ClusterState)>| {
        rows.into_iter().map(|(r, _)| r.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(store.list(None).await.unwrap()), ["one", "two"]);
    assert_eq!(names(store.list(Some(&"p2".into())).await.unwrap()), ["two"]);
}

async fn ids_and_names_are_taken_once(store: &dyn Store) {
    store.insert(&record(1, "one"), &Secrets::default()).await.unwrap();
    let same_id = store.insert(&record(1, "other"), &Secrets::default()).await.unwrap_err();
    assert_eq!((same_id.code, same_id.kind), ("cluster_id_taken", ErrorKind::Conflict));
    let same_name = store.insert(&record(2, "one"), &Secrets::default()).await.unwrap_err();
    assert_eq!((same_name.code, same_name.kind), ("cluster_name_taken", ErrorKind::Conflict));
    assert_eq!(same_name.message, "site main has a cluster named one already");
    let mut elsewhere = record(2, "one");
    elsewhere.site = "lab".into();
    store.insert(&elsewhere, &Secrets::default()).await.unwrap();
}

async fn a_removed_cluster_leaves_its_events(store: &dyn Store) {
    let one = record(1, "one");
    store.insert(&one, &Secrets::default()).await.unwrap();
    store.put_capability(&one.id, &[7; 32]).await.unwrap();
    store.save(&one.id, &ClusterState::default(), &[event("begun")]).await.unwrap();
    for _ in 0..2 {
        store.remove(&one.id, &[event("removed")]).await.unwrap();
    }
    assert_eq!(store.load(&one.id).await.unwrap(), None);
    assert!(store.list(None).await.unwrap().is_empty());
    let events = store.events(&one.id, 0, 10).await.unwrap();
    assert_eq!(events, [(1, event("begun")), (2, event("removed"))]);
    assert!(store.has_capability(&one.id, &[7; 32]).await.unwrap());
    store.insert(&record(2, "one"), &Secrets::default()).await.unwrap();
}

async fn an_id_can_be_used_again(store: &dyn Store) {
    let mut one = record(1, "one");
    store.insert(&one, &Secrets::default()).await.unwrap();
    store.put_capability(&one.id, &[7; 32]).await.unwrap();
    store.save(&one.id, &ClusterState { progress: 0.5, ..ClusterState::default() }, &[event("begun")]).await.unwrap();
    store.remove(&one.id, &[]).await.unwrap();
    one.project = "p2".into();
    store.insert(&one, &Secrets::default()).await.unwrap();
    assert_eq!(store.load(&one.id).await.unwrap(), Some((one.clone(), ClusterState::default())));
    assert!(!store.has_capability(&one.id, &[7; 32]).await.unwrap(), "who could read the old one cannot read this one");
    assert!(store.events(&one.id, 0, 10).await.unwrap().is_empty());
    store.add_events(&one.id, &[event("again")]).await.unwrap();
    assert_eq!(store.events(&one.id, 0, 10).await.unwrap(), [(2, event("again"))]);
}

async fn events_are_numbered(store: &dyn Store) {
    let one = record(1, "one");
    store.insert(&one, &Secrets::default()).await.unwrap();
    store.save(&one.id, &ClusterState::default(), &[event("a"), event("b")]).await.unwrap();
    store.add_events(&one.id, &[]).await.unwrap();
    store.add_events(&one.id, &[event("c")]).await.unwrap();
    assert_eq!(store.events(&one.id, 1, 10).await.unwrap(), [(2, event("b")), (3, event("c"))]);
    assert_eq!(store.events(&one.id, 0, 1).await.unwrap(), [(1, event("a"))]);
    assert!(store.events(&one.id, 3, 10).await.unwrap().is_empty());
    assert!(store.events(&one.id, u64::MAX, usize::MAX).await.unwrap().is_empty());
}

async fn wanted_and_known_do_not_touch_each_other(store: &dyn Store) {
    let one = record(1, "one");
    store.insert(&one, &Secrets::default()).await.unwrap();
    let state = ClusterState { status: ClusterStatus::Creating, progress: 0.25, ..ClusterState::default() };
    let stop = operation(200, OperationKind::Stop);
    store.save(&one.id, &state, &[]).await.unwrap();
    store.want(&one.id, Wanted::Stopped, &stop).await.unwrap();
    let (record, known) = store.load(&one.id).await.unwrap().unwrap();
    assert_eq!((record.wanted, &record.operation, &known), (Wanted::Stopped, &stop, &state));
    store.save(&one.id, &ClusterState::default(), &[]).await.unwrap();
    assert_eq!(store.load(&one.id).await.unwrap().unwrap().0.wanted, Wanted::Stopped);
}

async fn what_is_gone_cannot_be_changed(store: &dyn Store) {
    let one = record(1, "one");
    store.insert(&one, &Secrets::default()).await.unwrap();
    store.remove(&one.id, &[]).await.unwrap();
    for gone in [one.id, id(9)] {
        let stop = operation(200, OperationKind::Stop);
        let errors = [
            store.want(&gone, Wanted::Stopped, &stop).await.unwrap_err(),
            store.save(&gone, &ClusterState::default(), &[event("late")]).await.unwrap_err(),
            store.add_events(&gone, &[event("late")]).await.unwrap_err(),
            store.put_capability(&gone, &[7; 32]).await.unwrap_err(),
        ];
        for e in errors {
            assert_eq!((e.code, e.kind), ("cluster_not_found", ErrorKind::NotFound));
            assert_eq!(e.message, format!("there is no cluster {gone}"));
        }
        store.remove(&gone, &[]).await.unwrap();
        assert!(store.events(&gone, 0, 10).await.unwrap().is_empty());
    }
}

async fn secrets_come_back_until_forgotten(store: &dyn Store) {
    let secrets = Secrets {
        cluster_password: Some(SecretString::from("hush")),
        credentials: Some(("admin".into(), SecretString::from("hush too"))),
    };
    let plain = |s: Secrets| {
        let credentials = s.credentials.map(|(user, p)| (user, p.expose_secret().to_owned()));
        (s.cluster_password.map(|p| p.expose_secret().to_owned()), credentials)
    };
    store.insert(&record(1, "one"), &secrets).await.unwrap();
    store.insert(&record(2, "two"), &secrets).await.unwrap();
    let expected = (Some("hush".to_owned()), Some(("admin".to_owned(), "hush too".to_owned())));
    assert_eq!(plain(store.secrets(&id(1)).await.unwrap()), expected);
    store.forget_secrets(&id(1)).await.unwrap();
    assert_eq!(plain(store.secrets(&id(1)).await.unwrap()), (None, None));
    assert_eq!(plain(store.secrets(&id(2)).await.unwrap()), expected);
    store.remove(&id(2), &[]).await.unwrap();
    assert_eq!(plain(store.secrets(&id(2)).await.unwrap()), (None, None));
    assert_eq!(plain(store.secrets(&id(9)).await.unwrap()), (None, None));
}

async fn registrations_belong_to_a_site(store: &dyn Store) {
    let (main, lab) = ("main".into(), "lab".into());
    let of = |name: &str, port_group: &str| Registration { name: name.into(), port_group: port_group.into() };
    store.own_registration(&main, &of("b", "pg-1")).await.unwrap();
    store.own_registration(&main, &of("a", "pg-2")).await.unwrap();
    store.own_registration(&lab, &of("a", "pg-3")).await.unwrap();
    store.own_registration(&main, &of("b", "pg-4")).await.unwrap();
    assert_eq!(store.registrations(&main).await.unwrap(), [of("a", "pg-2"), of("b", "pg-4")]);
    store.disown_registration(&main, "a").await.unwrap();
    store.disown_registration(&main, "never").await.unwrap();
    assert_eq!(store.registrations(&main).await.unwrap(), [of("b", "pg-4")]);
    assert_eq!(store.registrations(&lab).await.unwrap(), [of("a", "pg-3")]);
}

async fn old_capabilities_and_events_go(store: &dyn Store) {
    let one = record(1, "one");
    store.insert(&one, &Secrets::default()).await.unwrap();
    for n in 0..70 {
        store.put_capability(&one.id, &[n; 32]).await.unwrap();
    }
    assert!(!store.has_capability(&one.id, &[0; 32]).await.unwrap());
    assert!(store.has_capability(&one.id, &[69; 32]).await.unwrap());
    assert!(!store.has_capability(&id(2), &[69; 32]).await.unwrap());
    let many: Vec<_> = (0..5_001).map(|_| event("flap")).collect();
    store.add_events(&one.id, &many).await.unwrap();
    store.add_events(&one.id, &many).await.unwrap();
    let kept = store.events(&one.id, 0, usize::MAX).await.unwrap();
    assert_eq!((kept.len(), kept[0].0, kept.last().unwrap().0), (10_000, 3, 10_002));
}
