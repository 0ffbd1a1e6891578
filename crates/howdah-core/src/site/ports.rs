//! The ports of the site's networks: one list of a network for all clusters on it.
//!
//! A list of a whole network costs Neutron the same for every caller, and a thousand clusters on one
//! network would ask a thousand times for the same. Invariants: see [`keeper`](super::keeper).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::keeper::{Fresh, Keeper, Told};
use crate::ids::NetworkId;
use crate::systems::Remote;
use crate::systems::networking::{Networking, NetworkingFeatures, Port, PortQuery};
use crate::time::{Clock, Ticker};

/// What Neutron can do, and all ports on a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// Neutron's optional features, asked for with the first list.
    pub features: NetworkingFeatures,
    /// The ports of all owners.
    pub ports: Vec<Port>,
}

/// Lists the ports of the site's networks. One for each site, shared by all its clusters.
#[derive(Default)]
pub struct PortLists {
    networks: Mutex<BTreeMap<NetworkId, Arc<Keeper<Ports>>>>,
}

impl PortLists {
    /// All ports on the network.
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
    ) -> Remote<Told<Ports>> {
        let keeper = self.keeper(network);
        let known = keeper.newest().map(|told| told.answer.features);
        let query = || {
            let (networking, network) = (Arc::clone(networking), network.clone());
            async move {
                let features = match known {
                    Some(features) => features,
                    None => networking.features().await?,
                };
                let ports = networking.ports(&PortQuery { network: Some(network), macs: vec![] }).await?;
                Ok(Ports { features, ports })
            }
        };
        keeper.ask(fresh, clock, ticker, query).await
    }

    fn keeper(&self, network: &NetworkId) -> Arc<Keeper<Ports>> {
        let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(networks.entry(network.clone()).or_default())
    }
}
