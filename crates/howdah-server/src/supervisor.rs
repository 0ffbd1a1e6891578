//! One controller for each cluster, kept alive.
//!
//! ```text
//!   wake(id) --> none yet: start one --> runs --> cluster gone: forgotten
//!            \-> one runs: its Notify     \-> ended otherwise: started again after a pause
//! ```
//!
//! Invariant: at most one controller runs for a cluster, and while the cluster is in the store
//! and the service is not stopping, one does. A wake carries no data; a lost one costs nothing but
//! time, because controllers also look by themselves.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use howdah_core::failure::chain;
use howdah_core::ids::ClusterId;
use howdah_core::traits::{Remote, Store};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// Runs the controller of one cluster until the cluster is gone or `stop` becomes true.
pub trait RunController: Send + Sync {
    /// The controller's life.
    fn run(&self, id: ClusterId, wake: Arc<Notify>, stop: watch::Receiver<bool>) -> BoxFuture<'static, ()>;
}

/// How long to wait before a controller that ended without reason is started again.
const PAUSE: Duration = Duration::from_secs(5);

/// Keeps the controllers.
#[derive(Clone)]
pub struct Supervisor {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    run: Arc<dyn RunController>,
    stop: watch::Sender<bool>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    by_cluster: HashMap<ClusterId, Arc<Notify>>,
    /// Woken since its controller ended last: it must be looked at once more before it is forgotten.
    woken: HashMap<ClusterId, u64>,
    tasks: JoinSet<()>,
}

impl Supervisor {
    /// Without any controllers yet.
    pub fn new(store: Arc<dyn Store>, run: Arc<dyn RunController>) -> Self {
        let stop = watch::Sender::new(false);
        Self { shared: Arc::new(Shared { store, run, stop, table: Mutex::default() }) }
    }

    /// Takes up every cluster in the store; says how many.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn take_up_all(&self) -> Remote<usize> {
        let all = self.shared.store.list(None).await?;
        for (record, _) in &all {
            self.wake(record.id);
        }
        Ok(all.len())
    }

    /// Makes the cluster's controller look, and starts one if there is none.
    pub fn wake(&self, id: ClusterId) {
        let mut table = self.shared.table();
        // In here, so that none is started after `stop` has taken the tasks.
        if *self.shared.stop.borrow() {
            return;
        }
        *table.woken.entry(id).or_default() += 1;
        if let Some(notify) = table.by_cluster.get(&id) {
            notify.notify_one();
            return;
        }
        let notify = Arc::new(Notify::new());
        table.by_cluster.insert(id, Arc::clone(&notify));
        while table.tasks.try_join_next().is_some() {}
        table.tasks.spawn(keep(Arc::clone(&self.shared), id, notify));
    }

    /// How many controllers are at work.
    pub fn count(&self) -> usize {
        self.shared.table().by_cluster.len()
    }

    /// Lets every controller finish its present step; those that take longer than the deadline
    /// are cut off, which is safe: what they have begun is looked up at the next start.
    pub async fn stop(&self, deadline: Duration) {
        self.shared.stop.send_replace(true);
        let mut tasks = std::mem::take(&mut self.shared.table().tasks);
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, all).await.is_err() {
            tracing::warn!(left = tasks.len(), "controllers did not stop in time and are cut off");
            tasks.shutdown().await;
        }
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn keep(shared: Arc<Shared>, id: ClusterId, notify: Arc<Notify>) {
    let mut stop = shared.stop.subscribe();
    loop {
        let life = shared.run.run(id, Arc::clone(&notify), shared.stop.subscribe());
        if AssertUnwindSafe(life).catch_unwind().await.is_err() {
            tracing::error!(cluster = %id, "the controller panicked");
        }
        if *stop.borrow() {
            return;
        }
        let seen = shared.table().woken.get(&id).copied();
        match shared.store.load(&id).await {
            Ok(None) => {
                let mut table = shared.table();
                // Asked for anew under the same id between the look and here: go on with that one.
                if table.woken.get(&id).copied() == seen {
                    table.by_cluster.remove(&id);
                    table.woken.remove(&id);
                    return;
                }
                continue;
            }
            Ok(Some(_)) => tracing::warn!(cluster = %id, "the controller ended, and its cluster is there"),
            Err(e) => tracing::warn!(cluster = %id, "the controller ended: {}", chain(&e)),
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
