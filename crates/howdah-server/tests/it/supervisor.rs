//! One controller for each cluster, kept alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use howdah_core::ids::ClusterId;
use howdah_core::traits::Store;
use howdah_server::supervisor::{RunController, Supervisor};
use howdah_store::MemoryStore;
use tokio::sync::{Notify, watch};

use crate::fakes::FakeCloud;
use crate::harness::id;

/// A controller that ends in a way of its own each time it is run.
struct Odd {
    runs: AtomicUsize,
    at_once: Arc<AtomicUsize>,
    store: Arc<dyn Store>,
}

impl RunController for Odd {
    fn run(&self, id: ClusterId, wake: Arc<Notify>, mut stop: watch::Receiver<bool>) -> BoxFuture<'static, ()> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst);
        let (at_once, store) = (Arc::clone(&self.at_once), Arc::clone(&self.store));
        async move {
            assert_eq!(at_once.fetch_add(1, Ordering::SeqCst), 0, "two controllers for one cluster");
            match run {
                0 => {
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    panic!("the first dies");
                }
                1 => {}
                _ => tokio::select! {
                    () = wake.notified() => store.remove(&id, &[]).await.unwrap(),
                    () = async { drop(stop.wait_for(|s| *s).await) } => {}
                },
            }
            at_once.fetch_sub(1, Ordering::SeqCst);
        }
        .boxed()
    }
}

async fn until(what: &str, mut met: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if met() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_dies_is_started_again_until_its_cluster_is_gone() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let record = record().await;
    store.insert(&record, &Default::default()).await.unwrap();
    let odd = Arc::new(Odd { runs: AtomicUsize::new(0), at_once: Arc::default(), store: store.clone() });
    let supervisor = Supervisor::new(store.clone(), odd.clone());
    assert_eq!(supervisor.take_up_all().await.unwrap(), 1);
    let runs = |n| {
        let odd = odd.clone();
        move || odd.runs.load(Ordering::SeqCst) == n
    };
    until("started three times", runs(3)).await;
    assert_eq!(supervisor.count(), 1);
    supervisor.wake(record.id);
    until("forgotten", || supervisor.count() == 0).await;
    // The same id again.
    store.insert(&record, &Default::default()).await.unwrap();
    supervisor.wake(record.id);
    supervisor.wake(record.id);
    until("taken up again", || odd.runs.load(Ordering::SeqCst) >= 4).await;
    supervisor.stop(Duration::from_secs(1)).await;
    let after = odd.runs.load(Ordering::SeqCst);
    supervisor.wake(record.id);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(odd.runs.load(Ordering::SeqCst), after, "nothing is started after the stop");
}

#[tokio::test(start_paused = true)]
async fn a_stop_cuts_off_what_does_not_end() {
    struct Deaf;
    impl RunController for Deaf {
        fn run(&self, _: ClusterId, _: Arc<Notify>, _: watch::Receiver<bool>) -> BoxFuture<'static, ()> {
            std::future::pending().boxed()
        }
    }
    let supervisor = Supervisor::new(Arc::new(MemoryStore::new()), Arc::new(Deaf));
    supervisor.wake(ClusterId(id(1)));
    let begun = tokio::time::Instant::now();
    supervisor.stop(Duration::from_secs(3)).await;
    assert_eq!(begun.elapsed().as_secs(), 3);
}

async fn record() -> howdah_core::cluster::ClusterRecord {
    use howdah_core::cluster::{ClusterRecord, ClusterSpec, OperationKind, OperationRequest, Wanted};
    use howdah_core::traits::{Identity, NetworkWish};
    let wish = NetworkWish { network: "apps".into(), subnet: "apps-v4".into(), security_groups: vec![] };
    let grant = FakeCloud::default().grant(None, &wish).await.unwrap();
    ClusterRecord {
        id: ClusterId(id(1)),
        site: "main".into(),
        project: "p1".into(),
        name: "c1".parse().unwrap(),
        spec: ClusterSpec {
            distro: "apache".into(),
            app_manager: None,
            network: grant.network,
            subnet: grant.subnet,
            security_groups: vec![],
            resource_pools: vec![],
            datastores: vec![],
            node_groups: vec![],
            specification: None,
            wait_for: Default::default(),
            remedy: Default::default(),
        },
        wanted: Wanted::Running,
        operation: OperationRequest {
            id: howdah_core::ids::OperationId(id(2)),
            kind: OperationKind::Create,
            requested: crate::fakes::now(),
        },
        created: crate::fakes::now(),
    }
}
