use std::sync::Mutex as StdMutex;

use async_trait::async_trait;
use futures::FutureExt;

use super::*;
use crate::ids::{PortId, ProjectId, SubnetId};
use crate::systems::networking::{Network, PortChange, PortRequest, Quota, Subnet};
use crate::test_support::Hand;

/// A Neutron without ports, whose features can change.
#[derive(Default)]
struct Neutron {
    vnic_index: StdMutex<bool>,
    calls: StdMutex<Vec<&'static str>>,
}

impl Neutron {
    fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

#[async_trait]
impl Networking for Neutron {
    async fn features(&self) -> Remote<NetworkingFeatures> {
        self.calls.lock().unwrap().push("features");
        Ok(NetworkingFeatures { vnic_index: *self.vnic_index.lock().unwrap() })
    }
    async fn ports(&self, _: &PortQuery) -> Remote<Vec<Port>> {
        self.calls.lock().unwrap().push("ports");
        Ok(vec![])
    }
    async fn network(&self, _: &NetworkId) -> Remote<Option<Network>> {
        unreachable!()
    }
    async fn subnet(&self, _: &SubnetId) -> Remote<Option<Subnet>> {
        unreachable!()
    }
    async fn port_quota(&self, _: &ProjectId) -> Remote<Option<Quota>> {
        unreachable!()
    }
    async fn create_ports(&self, _: &[PortRequest]) -> Remote<Vec<Port>> {
        unreachable!()
    }
    async fn update_port(&self, _: &PortId, _: &PortChange) -> Remote<Port> {
        unreachable!()
    }
    async fn set_vnic_index(&self, _: &PortId, _: u32) -> Remote<Option<u32>> {
        unreachable!()
    }
    async fn delete_port(&self, _: &PortId) -> Remote<()> {
        unreachable!()
    }
}

#[derive(Default)]
struct Site {
    lists: PortLists,
    neutron: Arc<Neutron>,
    clock: Hand,
    ticker: Ticker,
}

impl Site {
    /// Lists a network now, and says whether Neutron has `vnic_index`.
    fn list(&self, network: &str) -> bool {
        let network = NetworkId::new(network);
        let networking: Arc<dyn Networking> = self.neutron.clone();
        let fresh = Fresh::After(self.ticker.tick());
        let listed = self.lists.list(&network, fresh, &networking, &self.clock, &self.ticker);
        listed.now_or_never().unwrap().unwrap().0.vnic_index
    }

    fn pass(&self, time: Duration) {
        *self.clock.0.lock().unwrap() += time;
    }

    fn kept(&self) -> Vec<String> {
        self.lists.networks.lock().unwrap().keys().map(ToString::to_string).collect()
    }
}

#[test]
fn the_features_are_asked_for_again_when_they_are_old() {
    let site = Site::default();
    assert!(!site.list("a") && !site.list("b"));
    assert_eq!(site.neutron.take_calls(), ["features", "ports", "ports"]);
    *site.neutron.vnic_index.lock().unwrap() = true;
    site.pass(FEATURES_LAST);
    assert!(!site.list("a"), "not old yet");
    site.pass(Duration::from_secs(1));
    assert!(site.list("a"), "an upgrade is noticed");
    assert_eq!(site.neutron.take_calls(), ["ports", "features", "ports"]);
}

#[test]
fn a_network_that_nobody_asks_about_is_forgotten() {
    let site = Site::default();
    site.list("a");
    site.pass(KEPT);
    site.list("b");
    assert_eq!(site.kept(), ["a", "b"], "not old yet");
    let held = site.lists.keeper(&"b".into(), site.clock.mono());
    site.pass(KEPT * 2);
    site.list("c");
    assert_eq!(site.kept(), ["b", "c"], "somebody still asks about b");
    drop(held);
    site.list("c");
    assert_eq!(site.kept(), ["c"]);
}
