//! One controller for each cluster, kept alive.
//!
//! ```text
//!   wake(key) --> none yet: start one --> runs --> removed, unreadable: forgotten
//!   sweep     /-> one runs: its Notify     \-> ended otherwise: started again after a pause
//! ```
//!
//! Invariant: at most one controller runs for a cluster, and while the cluster is in the store, can
//! be read, and the service is not stopping, one does: at the latest after the next sweep, whatever
//! was lost before. A wake carries no data; a lost one costs nothing but time, because controllers
//! also look by themselves. A controller that keeps ending is started again after a growing pause, or
//! at once when somebody asks for something.

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
    /// The controller's life: until there is nothing to be done, or `stop` becomes true.
    fn run(&self, key: ClusterKey, wake: Arc<Notify>, stop: watch::Receiver<bool>)
    -> BoxFuture<'static, Remote<Ended>>;
}

/// How often all clusters are looked through for one that nobody works on.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// How many controllers are started at once: each begins with questions to every system of its site.
const STARTS_AT_ONCE: usize = 50;
/// Between such a number and the next.
const STARTS_EVERY: Duration = Duration::from_secs(1);
/// A controller that has lived for so long has ended for a new reason.
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

/// A controller that is kept alive.
struct Kept {
    wake: Arc<Notify>,
    /// How often it was woken: a wake after its end must not be forgotten with it.
    woken: u64,
}

impl Supervisor {
    /// Without any controllers yet. `policy` says how long to pause.
    pub fn new(store: Arc<dyn Store>, run: Arc<dyn RunController>, entropy: Arc<dyn Entropy>, policy: Policy) -> Self {
        let stop = watch::Sender::new(false);
        Self { shared: Arc::new(Shared { store, run, entropy, policy, stop, table: Mutex::default() }) }
    }

    /// Takes up every cluster in the store, and from now on what nobody works on. Says how many there
    /// are to be taken up; where there are many, the last ones begin some seconds later.
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

    /// How many controllers are at work.
    pub fn count(&self) -> usize {
        self.shared.table().kept.len()
    }

    /// Lets every controller finish its present step; those that take longer than the deadline
    /// are cut off, which is safe: what they have begun is looked up at the next start.
    pub async fn stop(&self, deadline: Duration) {
        self.shared.stop.send_replace(true);
        let mut tasks = std::mem::take(&mut self.shared.table().tasks);
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, all).await.is_err() {
            tracing::warn!(left = tasks.len(), "controllers did not stop in time; aborting them");
            tasks.shutdown().await;
        }
    }

    /// Starts these, and then for ever what nobody works on.
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

    /// The clusters in the store that can be read and have no controller; those with an operation
    /// under way first: a guest asks for its address only for so long.
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
        // In here, so that nothing is started after `stop` has taken the tasks.
        if !*self.stop.borrow() {
            while table.tasks.try_join_next().is_some() {}
            table.tasks.spawn(task);
        }
    }

    fn woken(&self, key: &ClusterKey) -> u64 {
        self.table().kept.get(key).map_or(0, |kept| kept.woken)
    }

    /// Whether there is nothing to be done about a cluster; then it is forgotten. Not if somebody
    /// asked for it anew under the same key meanwhile.
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
            Ok(Ok(Ended::Stopped)) => "nobody has stopped it".to_owned(),
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
