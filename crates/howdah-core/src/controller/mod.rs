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
//! * a store that fails ends nothing: nothing is started, and the pass is made again;
//! * dropping the future at any point is a crash, and is survived like one.
//!
//! What it does not do: decide ([`crate::decide`]) or speak to a remote system itself.

mod absorb;
mod act;
mod operation;
mod pass;
mod saving;
mod session;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::entropy::Entropy;
use crate::ids::{ClusterKey, SiteName};
use crate::mark::MarkKey;
use crate::policy::{NetworkBackend, Policy};
use crate::provision::Provision;
use crate::site::ports::PortLists;
use crate::site::registrar::Registrar;
use crate::site::turns::Turns;
use crate::store::Store;
use crate::systems::Remote;
use crate::systems::identity::Identity;
use crate::systems::manager::ClusterManager;
use crate::systems::networking::Networking;
use crate::systems::vcenter::VCenter;
use crate::time::Clock;
use crate::time::Ticker;
use session::{Passed, Session};

/// A site's systems.
#[derive(Clone)]
pub struct Site {
    /// Its name.
    pub name: SiteName,
    /// The kind of network.
    pub backend: NetworkBackend,
    /// How nodes come to have VMs.
    pub provision: Arc<dyn Provision>,
    /// Who makes the VMs.
    pub manager: Arc<dyn ClusterManager>,
    /// vCenter.
    pub vcenter: Arc<dyn VCenter>,
    /// Neutron.
    pub networking: Arc<dyn Networking>,
    /// Keystone.
    pub identity: Arc<dyn Identity>,
    /// The one who decides about the site's registrations; shared by all its clusters.
    pub registrar: Arc<Registrar>,
    /// Whose turn it is at the manager; shared by all its clusters.
    pub turns: Arc<Turns>,
    /// The lists of its networks' ports; shared by all its clusters.
    pub ports: Arc<PortLists>,
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
    /// The order of everything that the process sends and hears; shared by all its controllers.
    pub ticker: Ticker,
    /// The key of this installation's marks.
    pub marks: MarkKey,
    /// The figures.
    pub policy: Policy,
}

/// Why a controller ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The cluster is gone everywhere.
    Removed,
    /// Its documents cannot be read, by this version at least: nothing is done about it.
    Unreadable,
    /// It was told to stop.
    Stopped,
}

/// How long a stop waits for answers that are under way.
const DRAIN: Duration = Duration::from_secs(10);

impl Controller {
    /// Works on one cluster until it is removed or `stop` becomes true. `wake` says that the
    /// wanted state may have changed; it is read at every pass in any case.
    ///
    /// # Errors
    /// If the cluster cannot be read from the store at the beginning, or not be written down at
    /// the end.
    pub async fn run(&self, key: ClusterKey, wake: Arc<Notify>, mut stop: watch::Receiver<bool>) -> Remote<Ended> {
        let mut session = match Session::begin(self, &key, &wake).await? {
            Ok(session) => session,
            Err(Passed::Unreadable) => return Ok(Ended::Unreadable),
            Err(_) => return Ok(Ended::Removed),
        };
        loop {
            let begun = self.clock.mono();
            let again = match session.pass().await {
                Passed::Again(again) => again,
                Passed::Removed => return Ok(Ended::Removed),
                Passed::Unreadable => return Ok(Ended::Unreadable),
            };
            tokio::select! {
                // Told to stop: in order, so that a stop is not put off by a busy cluster.
                biased;
                // The guard that it gives must not be held over the drain: it is not `Send`.
                () = async { drop(stop.wait_for(|s| *s).await) } => {
                    session.drain(DRAIN).await?;
                    return Ok(Ended::Stopped);
                }
                () = wake.notified() => {}
                () = session.something_happens() => {}
                () = self.clock.sleep(again) => {}
            }
            // A pass goes over all nodes, so it is not made for each answer and each update by itself.
            let rest = self.policy.pass_every.saturating_sub(self.clock.mono().since(begun));
            if !rest.is_zero() {
                let more = async {
                    loop {
                        session.something_happens().await;
                    }
                };
                tokio::select! { () = more => {} () = self.clock.sleep(rest) => {} }
            }
        }
    }
}

/// The service runs controllers on a runtime with several threads; this does not compile if one
/// could not be moved between them.
#[cfg(test)]
fn _a_controller_can_be_spawned(controller: Controller, key: ClusterKey, stop: watch::Receiver<bool>) -> impl Send {
    async move { controller.run(key, Arc::default(), stop).await }
}
