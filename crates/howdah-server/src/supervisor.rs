//! Keeps one controller running for each cluster.
//!
//! ```text
//!   wake(key) --> none yet: start one --> runs --> removed, unreadable: dropped
//!   sweep     /-> one runs: its Notify     \-> ended otherwise: restarted after a pause
//! ```
//!
//! Invariant: at most one controller runs per cluster. While the cluster is in the store and readable, and
//! the service is not stopping, one runs: at the latest after the next sweep, whatever was lost before. A
//! wake carries no data; a lost one costs only time, because controllers also run on timers. A controller
//! that ends repeatedly is restarted after a growing pause, or immediately on a request.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use howdah_core::controller::Ended;
use howdah_core::document::Row;
use howdah_core::entropy::Entropy;
use howdah_core::failure::chain;
use howdah_core::ids::ClusterKey;
use howdah_core::known::{ClusterState, OperationState};
use howdah_core::policy::Policy;
use howdah_core::store::{Page, Store};
use howdah_core::systems::Remote;
use howdah_core::wanted::ClusterRecord;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Runs the controller of one cluster.
pub trait RunController: Send + Sync {
    /// Runs the controller until it has nothing left to do, or `stop` becomes true.
    fn run(&self, key: ClusterKey, wake: Arc<Notify>, stop: watch::Receiver<bool>)
    -> BoxFuture<'static, Remote<Ended>>;
}

/// How often the supervisor looks for clusters without a controller.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// How many controllers start at once: each begins with calls to every system of its site.
const STARTS_AT_ONCE: usize = 50;
/// The pause between two such groups.
const STARTS_EVERY: Duration = Duration::from_secs(1);
/// A controller that ran for this long has ended for a new reason.
const LONG_LIFE: Duration = Duration::from_secs(600);

/// Keeps the controllers.
#[derive(Clone)]
pub struct Supervisor {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    run: Arc<dyn RunController>,
    entropy: Arc<dyn Entropy>,
    policy: Policy,
    stop: watch::Sender<bool>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    kept: HashMap<ClusterKey, Kept>,
    tasks: JoinSet<()>,
}

/// A supervised controller.
struct Kept {
    wake: Arc<Notify>,
    /// The number of wakes: a wake after its end must not be lost.
    woken: u64,
}

impl Supervisor {
    /// Creates a supervisor without controllers. `policy` has the pauses.
    pub fn new(store: Arc<dyn Store>, run: Arc<dyn RunController>, entropy: Arc<dyn Entropy>, policy: Policy) -> Self {
        let stop = watch::Sender::new(false);
        Self { shared: Arc::new(Shared { store, run, entropy, policy, stop, table: Mutex::default() }) }
    }

    /// Starts a controller for every cluster in the store, now and at every sweep. Returns their number; if
    /// there are many, the last ones start some seconds later.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn take_up_all(&self) -> Remote<usize> {
        let mut idle = self.idle().await?;
        let count = idle.len();
        let later = idle.split_off(count.min(STARTS_AT_ONCE));
        idle.iter().for_each(|key| self.wake(key));
        let sweeper = self.clone();
        self.shared.spawn(async move {
            let mut stop = sweeper.shared.stop.subscribe();
            tokio::select! {
                () = sweeper.sweep(later) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        });
        Ok(count)
    }

    /// Makes the cluster's controller look, and starts one if there is none.
    pub fn wake(&self, key: &ClusterKey) {
        let notify = {
            let mut table = self.shared.table();
            if let Some(kept) = table.kept.get_mut(key) {
                kept.woken += 1;
                return kept.wake.notify_one();
            }
            if *self.shared.stop.borrow() {
                return;
            }
            let wake = Arc::new(Notify::new());
            table.kept.insert(key.clone(), Kept { wake: Arc::clone(&wake), woken: 1 });
            wake
        };
        self.shared.spawn(keep(Arc::clone(&self.shared), key.clone(), notify));
    }

    /// The number of running controllers.
    pub fn count(&self) -> usize {
        self.shared.table().kept.len()
    }

    /// Lets every controller finish its current step and aborts those that exceed the deadline. That is safe:
    /// the next start looks up the effects of their calls.
    pub async fn stop(&self, deadline: Duration) {
        self.shared.stop.send_replace(true);
        let mut tasks = std::mem::take(&mut self.shared.table().tasks);
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, all).await.is_err() {
            tracing::warn!(left = tasks.len(), "controllers did not stop in time; aborting them");
            tasks.shutdown().await;
        }
    }

    /// Starts these controllers, and then those that the sweeps find.
    async fn sweep(&self, mut idle: Vec<ClusterKey>) {
        loop {
            for some in idle.chunks(STARTS_AT_ONCE) {
                sleep(STARTS_EVERY).await;
                some.iter().for_each(|key| self.wake(key));
            }
            sleep(SWEEP_EVERY.mul_f64(0.75 + self.shared.entropy.fraction() / 2.0)).await;
            idle = self.idle().await.unwrap_or_else(|e| {
                tracing::warn!("cannot look for clusters without a controller: {}", chain(&e));
                vec![]
            });
            if !idle.is_empty() {
                tracing::warn!(clusters = idle.len(), "starting controllers for clusters that have none");
            }
        }
    }

    /// The readable clusters in the store without a controller. Those with an operation in progress come
    /// first, because a guest requests its address only for a limited time.
    async fn idle(&self) -> Remote<Vec<ClusterKey>> {
        let rows = self.shared.store.list(None, Page::WHOLE).await?;
        let mut idle: Vec<_> = rows
            .into_iter()
            .filter_map(Row::cluster)
            .map(|(record, state)| (is_at_rest(&record, &state), record.key()))
            .collect();
        let table = self.shared.table();
        idle.retain(|(_, key)| !table.kept.contains_key(key));
        idle.sort_by_key(|(at_rest, _)| *at_rest);
        Ok(idle.into_iter().map(|(_, key)| key).collect())
    }
}

fn is_at_rest(record: &ClusterRecord, state: &ClusterState) -> bool {
    state.operation.as_ref().is_some_and(|o| o.id == record.operation.id && o.state != OperationState::Running)
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut table = self.table();
        // Under the lock, so that nothing starts after `stop` has taken the tasks.
        if !*self.stop.borrow() {
            while table.tasks.try_join_next().is_some() {}
            table.tasks.spawn(task);
        }
    }

    fn woken(&self, key: &ClusterKey) -> u64 {
        self.table().kept.get(key).map_or(0, |kept| kept.woken)
    }

    /// Whether a cluster needs no controller; it is then dropped, unless it was created again under the same
    /// key meanwhile.
    async fn rests(&self, key: &ClusterKey) -> Remote<bool> {
        let seen = self.woken(key);
        if let Some(Row::Cluster(_)) = self.store.load(key).await? {
            return Ok(false);
        }
        let mut table = self.table();
        let rests = table.kept.get(key).is_none_or(|kept| kept.woken == seen);
        if rests {
            table.kept.remove(key);
        }
        Ok(rests)
    }
}

async fn keep(shared: Arc<Shared>, key: ClusterKey, wake: Arc<Notify>) {
    let mut stop = shared.stop.subscribe();
    let mut tries = 0;
    loop {
        let begun = Instant::now();
        let life = shared.run.run(key.clone(), Arc::clone(&wake), shared.stop.subscribe());
        let ended = AssertUnwindSafe(life).catch_unwind().await;
        if *stop.borrow() {
            return;
        }
        let ended = match ended {
            Ok(Ok(Ended::Removed | Ended::Unreadable)) => match shared.rests(&key).await {
                Ok(true) => return,
                Ok(false) => "its cluster is there".to_owned(),
                Err(e) => chain(&e),
            },
            Ok(Ok(Ended::Stopped)) => "it ended without a stop".to_owned(),
            Ok(Err(e)) => chain(&e),
            Err(_) => "it panicked".to_owned(),
        };
        tries = if begun.elapsed() < LONG_LIFE { tries + 1 } else { 1 };
        let pause = shared.policy.pause(tries, shared.entropy.as_ref());
        tracing::warn!(cluster = %key, tries, ?pause, "restarting a controller that ended: {ended}");
        tokio::select! {
            () = sleep(pause) => {}
            () = wake.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
