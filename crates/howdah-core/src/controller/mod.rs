//! The control loop: one per cluster, level-triggered.
//!
//! ```text
//!        +--> take up the wanted state --> observe --> decide --> save --> start actions --+
//!        |                                                                                |
//!        +---- signal | answer of an action | vCenter update | timer <---- wait ----------+
//! ```
//!
//! Invariants:
//!
//! * a signal carries no data: each pass reads the wanted state from the store, so a lost or repeated
//!   signal changes nothing;
//! * before an action that must not happen twice starts, the intent is in the store;
//! * an action that failed for a transient reason is retried after a growing pause, and the operation
//!   fails when the same call has failed for too long: every operation ends and reports the reason;
//! * a failure of the store ends nothing: the pass starts no action and is repeated;
//! * dropping the future at any point is equivalent to a crash, and recovery is the same.
//!
//! It neither decides ([`crate::decide`]) nor calls remote systems directly.

mod absorb;
mod act;
mod operation;
mod pass;
mod saving;
mod session;
mod waiting;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::action::Kind;
use crate::entropy::Entropy;
use crate::ids::{ClusterKey, SiteName};
use crate::mark::MarkKey;
use crate::policy::{Networks, Policy};
use crate::provision::Provision;
use crate::site::looks::Looks;
use crate::site::ports::PortLists;
use crate::site::registrar::Registrar;
use crate::site::segments::Segments;
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
    /// Its networks.
    pub networks: Networks,
    /// The provisioning strategy.
    pub provision: Arc<dyn Provision>,
    /// The cluster manager, which creates the VMs.
    pub manager: Arc<dyn ClusterManager>,
    /// vCenter.
    pub vcenter: Arc<dyn VCenter>,
    /// Neutron.
    pub networking: Arc<dyn Networking>,
    /// Keystone.
    pub identity: Arc<dyn Identity>,
    /// The registrar of the site's networks; shared by all its clusters.
    pub registrar: Arc<Registrar>,
    /// The turns at the manager; shared by all its clusters.
    pub turns: Arc<Turns>,
    /// The lists of the manager's clusters and tasks; shared by all its clusters that use the operator's account.
    /// `None` for a cluster with an account of its own: it is read by name.
    pub looks: Option<Arc<Looks>>,
    /// The list of its port groups; shared by all its clusters.
    pub segments: Arc<Segments>,
    /// The lists of its networks' ports; shared by all its clusters.
    pub ports: Arc<PortLists>,
}

/// The context of a controller.
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
    /// The counter that orders all calls and answers of the process; shared by all its controllers.
    pub ticker: Ticker,
    /// The key of this installation's marks.
    pub marks: MarkKey,
    /// The figures.
    pub policy: Policy,
}

/// Why a controller ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The cluster is deleted everywhere.
    Removed,
    /// This version cannot read its documents, so the controller does nothing.
    Unreadable,
    /// A stop was requested.
    Stopped,
}

/// Why a pass is made: what came first since the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The controller has just started.
    Start,
    /// Somebody signalled that the wanted state may have changed.
    Signal,
    /// An action ended.
    Answer(Kind),
    /// The watch on the VMs was opened, failed, or reported something.
    Watch,
    /// A pause, a deadline or a poll is due.
    Timer,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Signal => f.write_str("signal"),
            Self::Answer(kind) => write!(f, "answer of {kind:?}"),
            Self::Watch => f.write_str("vCenter watch"),
            Self::Timer => f.write_str("timer"),
        }
    }
}

/// How long a stop waits for answers that are in flight.
const DRAIN: Duration = Duration::from_secs(10);

impl Controller {
    /// Runs the control loop of one cluster until it is removed or `stop` becomes true. `wake` signals that
    /// the wanted state may have changed; every pass reads it in any case.
    ///
    /// # Errors
    /// If the cluster cannot be read from the store at the start, or cannot be saved at the end.
    pub async fn run(&self, key: ClusterKey, wake: Arc<Notify>, mut stop: watch::Receiver<bool>) -> Remote<Ended> {
        let own = Self { policy: self.policy.spread(self.entropy.as_ref()), ..self.clone() };
        let mut session = match Session::begin(&own, &key, &wake).await? {
            Ok(session) => session,
            Err(Passed::Unreadable) => return Ok(Ended::Unreadable),
            Err(_) => return Ok(Ended::Removed),
        };
        let mut why = Why::Start;
        loop {
            let begun = self.clock.mono();
            tracing::debug!(cluster = %key.id, %why, "pass");
            let again = match session.pass().await {
                Passed::Again(again) => again,
                Passed::Removed => return Ok(Ended::Removed),
                Passed::Unreadable => return Ok(Ended::Unreadable),
            };
            why = tokio::select! {
                // A stop has priority, so that a busy cluster cannot delay it.
                biased;
                // The guard must not be held across the drain: it is not `Send`.
                () = async { drop(stop.wait_for(|s| *s).await) } => {
                    session.drain(DRAIN).await?;
                    return Ok(Ended::Stopped);
                }
                () = wake.notified() => Why::Signal,
                news = session.something_happens() => news,
                () = self.clock.sleep(again) => Why::Timer,
            };
            // A pass visits all nodes, so it handles several answers and updates together.
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

/// The service runs controllers on a multi-threaded runtime; this fails to compile if a controller is
/// not `Send`.
#[cfg(test)]
fn _a_controller_can_be_spawned(controller: Controller, key: ClusterKey, stop: watch::Receiver<bool>) -> impl Send {
    async move { controller.run(key, Arc::default(), stop).await }
}
