//! Builds the core's controller for a cluster from the parts of its site.
//!
//! Invariant: there are one registrar and one set of turns per site, and one ticker in the
//! process; only this module creates them.

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use howdah_core::controller::{Controller, Ended, Site};
use howdah_core::document::Row;
use howdah_core::entropy::Entropy;
use howdah_core::ids::{ClusterKey, SiteName};
use howdah_core::mark::MarkKey;
use howdah_core::policy::Policy;
use howdah_core::provision::Bde;
use howdah_core::site::looks::Looks;
use howdah_core::site::ports::PortLists;
use howdah_core::site::registrar::Registrar;
use howdah_core::site::segments::Segments;
use howdah_core::site::turns::Turns;
use howdah_core::store::Store;
use howdah_core::systems::Remote;
use howdah_core::systems::manager::ClusterManager;
use howdah_core::time::Clock;
use howdah_core::time::Ticker;
use tokio::sync::{Notify, watch};

use crate::credentials::OwnCredentials;
use crate::sites::{SiteHandles, Sites};
use crate::supervisor::RunController;

/// The parts of every controller.
pub(crate) struct Parts {
    pub(crate) sites: Sites,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) policy: Policy,
    pub(crate) marks: MarkKey,
}

/// The parts that all clusters of a site share.
struct Shared {
    registrar: Arc<Registrar>,
    turns: Arc<Turns>,
    looks: Arc<Looks>,
    segments: Arc<Segments>,
    ports: Arc<PortLists>,
}

/// Makes controllers.
#[derive(Clone)]
pub(crate) struct Controllers {
    parts: Arc<Parts>,
    shared: Arc<HashMap<SiteName, Shared>>,
    ticker: Ticker,
}

impl Controllers {
    pub(crate) fn new(parts: Parts) -> Self {
        let shared = |site: &SiteHandles| {
            let (store, clock) = (Arc::clone(&parts.store), Arc::clone(&parts.clock));
            let turns = Turns::new(site.name.clone(), Arc::clone(&store), parts.policy.creates_at_once);
            let registrar = Registrar::new(site.name.clone(), store, clock, parts.policy.manager_settles);
            (
                site.name.clone(),
                Shared {
                    registrar: Arc::new(registrar),
                    turns: Arc::new(turns),
                    looks: Arc::default(),
                    segments: Arc::default(),
                    ports: Arc::default(),
                },
            )
        };
        let shared = parts.sites.all().iter().map(shared).collect();
        Self { parts: Arc::new(parts), shared: Arc::new(shared), ticker: Ticker::default() }
    }

    async fn work(self, key: ClusterKey, wake: Arc<Notify>, mut stop: watch::Receiver<bool>) -> Remote<Ended> {
        let parts = &self.parts;
        let name = match parts.store.load(&key).await? {
            Some(Row::Cluster(cluster)) => cluster.0.site,
            Some(Row::Unreadable(row)) => {
                tracing::error!(cluster = %key, name = row.name, "not changing this cluster: {}", row.why);
                return Ok(Ended::Unreadable);
            }
            None => return Ok(Ended::Removed),
        };
        let (Some(site), Some(shared)) = (parts.sites.get(&name), self.shared.get(&name)) else {
            // The operator has removed the site from the configuration. The cluster keeps its state and
            // waits until the site is back.
            tracing::error!(cluster = %key, site = %name, "its site is no longer configured");
            let _ = stop.wait_for(|stop| *stop).await;
            return Ok(Ended::Stopped);
        };
        let controller = Controller {
            site: Site {
                name: site.name.clone(),
                networks: site.networks.clone(),
                provision: Arc::new(Bde),
                manager: self.manager(&key, site),
                vcenter: Arc::clone(&site.vcenter),
                networking: Arc::clone(&site.networking),
                identity: Arc::clone(&site.identity),
                registrar: Arc::clone(&shared.registrar),
                turns: Arc::clone(&shared.turns),
                looks: (!self.may_have_own_account(&key, site).await).then(|| Arc::clone(&shared.looks)),
                segments: Arc::clone(&shared.segments),
                ports: Arc::clone(&shared.ports),
            },
            store: Arc::clone(&parts.store),
            clock: Arc::clone(&parts.clock),
            entropy: Arc::clone(&parts.entropy),
            ticker: self.ticker.clone(),
            marks: parts.marks.clone(),
            policy: parts.policy,
        };
        let ended = controller.run(key.clone(), wake, stop).await;
        tracing::debug!(cluster = %key, ?ended, "the controller ended");
        ended
    }

    /// Whether the template may have credentials of its own: one account's failure must not affect other clusters,
    /// and an account sees what it may see.
    async fn may_have_own_account(&self, key: &ClusterKey, site: &SiteHandles) -> bool {
        site.manager_as.is_some() && !self.parts.store.secrets(key).await.is_ok_and(|s| s.credentials.is_none())
    }

    /// The operator's manager, or one with the template's credentials if there are any.
    fn manager(&self, key: &ClusterKey, site: &SiteHandles) -> Arc<dyn ClusterManager> {
        match &site.manager_as {
            Some(make) => {
                let store = Arc::clone(&self.parts.store);
                Arc::new(OwnCredentials::new(key.clone(), store, Arc::clone(&site.manager), Arc::clone(make)))
            }
            None => Arc::clone(&site.manager),
        }
    }
}

impl RunController for Controllers {
    fn run(
        &self,
        key: ClusterKey,
        wake: Arc<Notify>,
        stop: watch::Receiver<bool>,
    ) -> BoxFuture<'static, Remote<Ended>> {
        self.clone().work(key, wake, stop).boxed()
    }
}
