//! One controller for each cluster, kept alive.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use howdah_core::controller::Ended;
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{ClusterKey, OperationId};
use howdah_core::known::{ClusterState, OperationProgress, OperationState};
use howdah_core::policy::Policy;
use howdah_core::store::Store;
use howdah_core::systems::Remote;
use howdah_core::wanted::OperationKind;
use howdah_server::supervisor::{RunController, Supervisor};
use howdah_store::MemoryStore;
use howdah_testkit::sample::record;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::fakes::{Idle, Ordered, now};
use crate::harness::{id, key};

fn supervisor(store: &Arc<MemoryStore>, run: Arc<dyn RunController>) -> Supervisor {
    Supervisor::new(store.clone(), run, Arc::new(Ordered::default()), Policy::default())
}

async fn insert(store: &MemoryStore, n: u128) {
    store.insert(&record(n, &format!("c{n}")), &Default::default(), &[]).await.unwrap();
}

/// A controller that ends in a way of its own each time it is run.
struct Odd {
    runs: AtomicUsize,
    at_once: Arc<AtomicUsize>,
    store: Arc<MemoryStore>,
}

impl RunController for Odd {
    fn run(
        &self,
        key: ClusterKey,
        wake: Arc<Notify>,
        mut stop: watch::Receiver<bool>,
    ) -> BoxFuture<'static, Remote<Ended>> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst);
        let (at_once, store) = (Arc::clone(&self.at_once), Arc::clone(&self.store));
        async move {
            assert_eq!(at_once.fetch_add(1, Ordering::SeqCst), 0, "two controllers for one cluster");
            let ended = match run {
                0 => {
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    panic!("the first dies");
                }
                1 => Err(RemoteError::new(System::Store, ErrorKind::Internal, "store_failed", "no")),
                _ => tokio::select! {
                    () = wake.notified() => store.remove(&key, &[]).await.map(|()| Ended::Removed),
                    () = async { drop(stop.wait_for(|s| *s).await) } => Ok(Ended::Stopped),
                },
            };
            at_once.fetch_sub(1, Ordering::SeqCst);
            ended
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
    let store = Arc::new(MemoryStore::new());
    insert(&store, 1).await;
    let odd = Arc::new(Odd { runs: AtomicUsize::new(0), at_once: Arc::default(), store: store.clone() });
    let supervisor = supervisor(&store, odd.clone());
    assert_eq!(supervisor.take_up_all().await.unwrap(), 1);
    until("started three times", || odd.runs.load(Ordering::SeqCst) == 3).await;
    assert_eq!(supervisor.count(), 1);
    supervisor.wake(&key(1));
    until("forgotten", || supervisor.count() == 0).await;
    // The same id again.
    insert(&store, 1).await;
    supervisor.wake(&key(1));
    supervisor.wake(&key(1));
    until("taken up again", || odd.runs.load(Ordering::SeqCst) >= 4).await;
    supervisor.stop(Duration::from_secs(1)).await;
    let after = odd.runs.load(Ordering::SeqCst);
    supervisor.wake(&key(1));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(odd.runs.load(Ordering::SeqCst), after, "nothing is started after the stop");
}

/// Ends at once, always in the same way; says when it was run.
struct Brief {
    ends: fn() -> Remote<Ended>,
    runs: Mutex<Vec<Instant>>,
}

impl Brief {
    fn new(ends: fn() -> Remote<Ended>) -> Arc<Self> {
        Arc::new(Self { ends, runs: Mutex::default() })
    }

    fn runs(&self) -> usize {
        self.runs.lock().unwrap().len()
    }
}

impl RunController for Brief {
    fn run(&self, _: ClusterKey, _: Arc<Notify>, _: watch::Receiver<bool>) -> BoxFuture<'static, Remote<Ended>> {
        self.runs.lock().unwrap().push(Instant::now());
        std::future::ready((self.ends)()).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_keeps_ending_is_started_after_growing_pauses_or_when_somebody_asks() {
    let store = Arc::new(MemoryStore::new());
    insert(&store, 1).await;
    let brief = Brief::new(|| Err(RemoteError::new(System::Store, ErrorKind::Unavailable, "store_full", "is full")));
    let supervisor = supervisor(&store, brief.clone());
    supervisor.take_up_all().await.unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let runs = brief.runs.lock().unwrap().clone();
    assert!(runs.len() < 180, "{} runs in an hour", runs.len());
    let pauses: Vec<_> = runs.windows(2).map(|w| (w[1] - w[0]).as_millis()).take(8).collect();
    assert_eq!(pauses, [375, 750, 1500, 3000, 6000, 12_000, 22_500, 22_500]);
    supervisor.wake(&key(1));
    until("started for the request", || brief.runs() > runs.len()).await;
    assert!(brief.runs.lock().unwrap()[runs.len()].elapsed() < Duration::from_secs(1));
    assert_eq!(supervisor.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_works_on_is_found_by_the_next_sweep() {
    let (store, idle) = (Arc::new(MemoryStore::new()), Arc::new(Idle::default()));
    let supervisor = supervisor(&store, idle.clone());
    assert_eq!(supervisor.take_up_all().await.unwrap(), 0);
    // Stored, and its wake was lost.
    insert(&store, 1).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(*idle.started.lock().unwrap(), [key(1)]);
    // Once: it has its controller.
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(idle.started.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_cannot_be_read_is_left_alone_until_it_can() {
    let store = Arc::new(MemoryStore::new());
    store.insert_unreadable(&key(1), "c1");
    let brief = Brief::new(|| Ok(Ended::Unreadable));
    let supervisor = supervisor(&store, brief.clone());
    assert_eq!(supervisor.take_up_all().await.unwrap(), 0);
    // Somebody asks for it all the same.
    supervisor.wake(&key(1));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!((brief.runs(), supervisor.count()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn many_clusters_are_taken_up_some_at_a_time_and_those_at_work_first() {
    let (store, idle) = (Arc::new(MemoryStore::new()), Arc::new(Idle::default()));
    for n in 1..=120 {
        insert(&store, n).await;
        if n <= 100 {
            let operation = OperationProgress {
                state: OperationState::Succeeded,
                ended: Some(now()),
                ..OperationProgress::begun(OperationId(id(100 + n)), OperationKind::Create, now())
            };
            let state = ClusterState { operation: Some(operation), ..ClusterState::default() };
            store.save(&key(n), &state, &[]).await.unwrap();
        }
    }
    let supervisor = supervisor(&store, idle.clone());
    assert_eq!(supervisor.take_up_all().await.unwrap(), 120);
    let started = || idle.started.lock().unwrap().clone();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(started().len(), 50);
    assert!((101..=120).all(|n| started().contains(&key(n))), "their guests wait for ports");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(started().len(), 100);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(started().len(), 120);
}

#[tokio::test(start_paused = true)]
async fn a_stop_cuts_off_what_does_not_end() {
    struct Deaf;
    impl RunController for Deaf {
        fn run(&self, _: ClusterKey, _: Arc<Notify>, _: watch::Receiver<bool>) -> BoxFuture<'static, Remote<Ended>> {
            std::future::pending().boxed()
        }
    }
    let supervisor = supervisor(&Arc::new(MemoryStore::new()), Arc::new(Deaf));
    supervisor.wake(&key(1));
    let begun = Instant::now();
    supervisor.stop(Duration::from_secs(3)).await;
    assert_eq!(begun.elapsed().as_secs(), 3);
}
