//! The loop that carries decisions out: one for each cluster, level-triggered.
//!
//! ```text
//!        +--> take up the wanted state --> observe --> decide --> save --> start actions --+
//!        |                                                                                |
//!        +---- signal | answer of an action | vCenter update | timer <---- wait ----------+
//! ```
//!
//! Invariants:
//!
//! * a signal carries no data: what is wanted is read from the store, so a lost or doubled signal
//!   changes nothing;
//! * before an action that must not happen twice starts, the intent is in the store;
//! * an action that failed for a passing reason is tried again after a growing pause, and the
//!   operation fails when the same call has failed for too long: every operation ends and says why;
//! * dropping the future at any point is a crash, and is survived like one.
//!
//! What it does not do: decide ([`crate::decide`]) or speak to a remote system itself.

mod absorb;
mod act;
mod session;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::ids::{ClusterId, SiteName};
use crate::policy::{NetworkBackend, Policy};
use crate::traits::{Clock, ClusterManager, Entropy, Networking, Remote, Store, VCenter};
use session::Session;

/// A site's systems.
#[derive(Clone)]
pub struct Site {
    /// Its name.
    pub name: SiteName,
    /// The kind of network.
    pub backend: NetworkBackend,
    /// Who makes the VMs.
    pub manager: Arc<dyn ClusterManager>,
    /// vCenter.
    pub vcenter: Arc<dyn VCenter>,
    /// Neutron.
    pub networking: Arc<dyn Networking>,
}

/// What a controller works with.
#[derive(Clone)]
pub struct Controller {
    /// The cluster's site.
    pub site: Site,
    /// The database.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The figures.
    pub policy: Policy,
}

/// Why a controller ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The cluster is gone everywhere.
    Removed,
    /// It was told to stop.
    Stopped,
}

/// How long a stop waits for answers that are under way.
const DRAIN: Duration = Duration::from_secs(10);

impl Controller {
    /// Works on one cluster until it is removed or `stop` becomes true. `wake` says that the
    /// wanted state may have changed.
    ///
    /// # Errors
    /// If the store fails: then nothing can be promised, and the caller starts it again later.
    pub async fn run(&self, id: ClusterId, wake: Arc<Notify>, mut stop: watch::Receiver<bool>) -> Remote<Ended> {
        let Some(mut session) = Session::begin(self, id).await? else {
            return Ok(Ended::Removed);
        };
        loop {
            let again = match session.pass().await? {
                Some(again) => again,
                None => return Ok(Ended::Removed),
            };
            tokio::select! {
                // Told to stop: in order, so that a stop is not put off by a busy cluster.
                biased;
                // The guard that it gives must not be held over the drain: it is not `Send`.
                () = async { drop(stop.wait_for(|s| *s).await) } => {
                    session.drain(DRAIN).await?;
                    return Ok(Ended::Stopped);
                }
                () = wake.notified() => session.reload().await?,
                () = session.something_happens() => {}
                () = self.clock.sleep(again) => {}
            }
            if session.is_gone() {
                return Ok(Ended::Removed);
            }
        }
    }
}

/// The service runs controllers on a runtime with several threads; this does not compile if one
/// could not be moved between them.
#[cfg(test)]
fn _a_controller_can_be_spawned(controller: Controller, id: ClusterId, stop: watch::Receiver<bool>) -> impl Send {
    async move { controller.run(id, Arc::default(), stop).await }
}
