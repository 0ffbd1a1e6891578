//! The cluster manager's clusters and tasks: one list of each for all clusters of the site.
//!
//! A cluster without a running operation takes its facts from the shared list. One with a running
//! operation is read by name: that costs the manager less than the whole list, and it needs the newest facts.
//! Invariants: see [`keeper`](super::keeper). The list never proves absence, because an adapter leaves out what
//! it cannot read: a cluster that is missing in it is read by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::keeper::{Fresh, Keeper, Told};
use crate::systems::Remote;
use crate::systems::manager::{ClusterManager, ManagedCluster, ManagedTask};
use crate::time::{Clock, Ticker};

/// Lists the manager's clusters and tasks. One for each site, shared by all clusters that use the same account.
#[derive(Default)]
pub struct Looks {
    clusters: Keeper<BTreeMap<String, ManagedCluster>>,
    tasks: Keeper<Vec<ManagedTask>>,
}

impl Looks {
    /// All readable clusters, by name.
    ///
    /// # Errors
    /// If the manager cannot be asked.
    pub async fn clusters(
        &self,
        fresh: Fresh,
        manager: &Arc<dyn ClusterManager>,
        clock: &dyn Clock,
        ticker: &Ticker,
    ) -> Remote<Told<BTreeMap<String, ManagedCluster>>> {
        let query = || {
            let manager = Arc::clone(manager);
            async move { manager.clusters().await }
        };
        self.clusters.ask(fresh, clock, ticker, query).await
    }

    /// The newest task of each existing cluster.
    ///
    /// # Errors
    /// If the manager cannot be asked.
    pub async fn tasks(
        &self,
        fresh: Fresh,
        manager: &Arc<dyn ClusterManager>,
        clock: &dyn Clock,
        ticker: &Ticker,
    ) -> Remote<Told<Vec<ManagedTask>>> {
        let query = || {
            let manager = Arc::clone(manager);
            async move { manager.tasks().await }
        };
        self.tasks.ask(fresh, clock, ticker, query).await
    }
}
