//! The ports of the site's networks: one list of a network for all clusters on it.
//!
//! A list of a whole network costs Neutron the same for every caller, and a thousand clusters on one network
//! would request the same list a thousand times. Invariants: see [`keeper`](super::keeper). A network that no cluster
//! has asked about for a while is forgotten. Neutron's features are asked for again when they are old, because an
//! upgrade may change them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::keeper::{Fresh, Keeper, Told};
use crate::ids::NetworkId;
use crate::systems::Remote;
use crate::systems::networking::{Networking, NetworkingFeatures, Port, PortQuery};
use crate::time::{Clock, Mono, Ticker};

/// How old Neutron's features may be.
const FEATURES_LAST: Duration = Duration::from_secs(600);
/// How long a network's list is kept after its last query.
const KEPT: Duration = Duration::from_secs(600);

/// Lists the ports of the site's networks. One for each site, shared by all its clusters.
#[derive(Default)]
pub struct PortLists {
    features: Keeper<NetworkingFeatures>,
    networks: Mutex<BTreeMap<NetworkId, Arc<Keeper<Vec<Port>>>>>,
}

impl PortLists {
    /// Neutron's features, and all ports on the network, of all owners.
    ///
    /// # Errors
    /// If Neutron cannot be asked.
    pub async fn list(
        &self,
        network: &NetworkId,
        fresh: Fresh,
        networking: &Arc<dyn Networking>,
        clock: &dyn Clock,
        ticker: &Ticker,
    ) -> Remote<(NetworkingFeatures, Told<Vec<Port>>)> {
        let query = || {
            let networking = Arc::clone(networking);
            async move { networking.features().await }
        };
        let features = self.features.ask(Fresh::Within(FEATURES_LAST), clock, ticker, query).await?;
        let query = || {
            let (networking, network) = (Arc::clone(networking), network.clone());
            async move { networking.ports(&PortQuery { network: Some(network), macs: vec![] }).await }
        };
        let ports = self.keeper(network, clock.mono()).ask(fresh, clock, ticker, query).await?;
        Ok((*features.answer, ports))
    }

    fn keeper(&self, network: &NetworkId, now: Mono) -> Arc<Keeper<Vec<Port>>> {
        let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        // Only callers hold a second reference, and they take it under this lock.
        let in_use = |keeper: &Arc<Keeper<_>>| {
            Arc::strong_count(keeper) > 1 || keeper.newest().is_some_and(|told| now.since(told.asked_at) <= KEPT)
        };
        networks.retain(|id, keeper| id == network || in_use(keeper));
        Arc::clone(networks.entry(network.clone()).or_default())
    }
}

#[cfg(test)]
#[path = "ports_tests.rs"]
mod tests;
