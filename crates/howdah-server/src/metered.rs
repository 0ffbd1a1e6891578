//! Adapters around adapters that count calls and remember how the last one ended. They change
//! nothing: arguments, answers and errors pass through as they are.
//!
//! Invariant: every call has an owner, and only the service's own calls report a system's health.
//! What a requester brings along (a token, a password, words to look up) can make any call fail;
//! whether the system can be worked with is not theirs to say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures::stream::BoxStream;
use howdah_core::failure::System;
use howdah_core::ids::{ClusterName, NetworkId, PortId, ProjectId, SubnetId, TaskId, VmRef};
use howdah_core::rights::Standing;
use howdah_core::systems::Remote;
use howdah_core::systems::identity::Principal;
use howdah_core::systems::identity::{Identity, NetworkGrant, NetworkWish, TOKEN_REFUSED};
use howdah_core::systems::manager::ClusterManager;
use howdah_core::systems::manager::{
    Catalog, Demand, ManagedChange, ManagedCluster, ManagedSpec, ManagedTask, RegisteredNetwork, Unregistered,
};
use howdah_core::systems::networking::Networking;
use howdah_core::systems::networking::{
    Network, NetworkingFeatures, Port, PortChange, PortQuery, PortRequest, Quota, Subnet,
};
use howdah_core::systems::vcenter::VCenter;
use howdah_core::systems::vcenter::{Segment, VmFacts, WatchEvent};
use howdah_core::time::Clock;
use secrecy::SecretString;

use crate::metrics::Metrics;

/// Whose a call is, by the credentials and words that it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The operator's credentials, for the service's own work.
    Service,
    /// Somebody's who asked for something.
    Requester,
}

/// Counts the calls to the systems of one site.
#[derive(Clone)]
pub struct Metered {
    site: String,
    whose: Whose,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
}

struct Around<T: ?Sized> {
    meter: Metered,
    inner: Arc<T>,
}

/// Puts a counting adapter around an adapter.
pub trait Wrap<T: ?Sized> {
    /// The same adapter, counted.
    fn around(&self, inner: Arc<T>) -> Arc<T>;
}

impl Metered {
    /// For a site.
    pub fn new(site: String, metrics: Arc<Metrics>, clock: Arc<dyn Clock>) -> Self {
        Self { site, whose: Whose::Service, metrics, clock }
    }

    /// For adapters with credentials that a requester brought along.
    #[must_use]
    pub fn of_requesters(&self) -> Self {
        Self { whose: Whose::Requester, ..self.clone() }
    }

    async fn count<T>(&self, system: System, method: &'static str, call: impl Future<Output = Remote<T>>) -> Remote<T> {
        self.count_of(self.whose, system, method, call).await
    }

    async fn count_of<T>(
        &self,
        whose: Whose,
        system: System,
        method: &'static str,
        call: impl Future<Output = Remote<T>>,
    ) -> Remote<T> {
        let begun = Instant::now();
        let result = call.await;
        // That a token is bad is an answer to the question whether it is good.
        let error = result.as_ref().err().filter(|e| e.code != TOKEN_REFUSED);
        self.metrics.call(&self.site, system, method, begun.elapsed(), error);
        if whose == Whose::Service {
            self.metrics.heard(&self.site, system, self.clock.now(), error);
        }
        result
    }
}

macro_rules! wraps {
    ($($name:ident),*) => {$(
        impl Wrap<dyn $name> for Metered {
            fn around(&self, inner: Arc<dyn $name>) -> Arc<dyn $name> {
                Arc::new(Around { meter: self.clone(), inner })
            }
        }
    )*};
}

wraps!(ClusterManager, VCenter, Networking, Identity);

#[async_trait]
impl ClusterManager for Around<dyn ClusterManager> {
    async fn version(&self) -> Remote<String> {
        self.meter.count(System::Bde, "version", self.inner.version()).await
    }

    async fn catalog(&self, app_manager: Option<&str>) -> Remote<Catalog> {
        self.meter.count(System::Bde, "catalog", self.inner.catalog(app_manager)).await
    }

    fn demand(&self, spec: &ManagedSpec) -> Remote<Demand> {
        self.inner.demand(spec)
    }

    async fn networks(&self) -> Remote<Vec<RegisteredNetwork>> {
        self.meter.count(System::Bde, "networks", self.inner.networks()).await
    }

    async fn register_network(&self, network: &RegisteredNetwork) -> Remote<()> {
        self.meter.count(System::Bde, "register_network", self.inner.register_network(network)).await
    }

    async fn unregister_network(&self, name: &str) -> Remote<Unregistered> {
        self.meter.count(System::Bde, "unregister_network", self.inner.unregister_network(name)).await
    }

    async fn cluster(&self, name: &ClusterName) -> Remote<Option<ManagedCluster>> {
        self.meter.count(System::Bde, "cluster", self.inner.cluster(name)).await
    }

    async fn clusters(&self) -> Remote<BTreeMap<String, ManagedCluster>> {
        self.meter.count(System::Bde, "clusters", self.inner.clusters()).await
    }

    async fn create_cluster(&self, spec: &ManagedSpec) -> Remote<TaskId> {
        self.meter.count(System::Bde, "create_cluster", self.inner.create_cluster(spec)).await
    }

    async fn change_cluster(&self, name: &ClusterName, change: ManagedChange) -> Remote<TaskId> {
        self.meter.count(System::Bde, "change_cluster", self.inner.change_cluster(name, change)).await
    }

    async fn delete_cluster(&self, name: &ClusterName) -> Remote<Option<TaskId>> {
        self.meter.count(System::Bde, "delete_cluster", self.inner.delete_cluster(name)).await
    }

    async fn task(&self, task: &TaskId) -> Remote<Option<ManagedTask>> {
        self.meter.count(System::Bde, "task", self.inner.task(task)).await
    }

    async fn tasks(&self) -> Remote<Vec<ManagedTask>> {
        self.meter.count(System::Bde, "tasks", self.inner.tasks()).await
    }
}

#[async_trait]
impl VCenter for Around<dyn VCenter> {
    async fn version(&self) -> Remote<String> {
        self.meter.count(System::VCenter, "version", self.inner.version()).await
    }

    async fn segments(&self) -> Remote<Vec<Segment>> {
        self.meter.count(System::VCenter, "segments", self.inner.segments()).await
    }

    async fn vms(&self, vms: &[VmRef]) -> Remote<Vec<VmFacts>> {
        self.meter.count(System::VCenter, "vms", self.inner.vms(vms)).await
    }

    async fn watch(&self, cluster: &ClusterName) -> Remote<BoxStream<'static, Remote<WatchEvent>>> {
        self.meter.count(System::VCenter, "watch", self.inner.watch(cluster)).await
    }

    async fn power_on(&self, vm: &VmRef) -> Remote<()> {
        self.meter.count(System::VCenter, "power_on", self.inner.power_on(vm)).await
    }

    async fn power_off(&self, vm: &VmRef) -> Remote<()> {
        self.meter.count(System::VCenter, "power_off", self.inner.power_off(vm)).await
    }

    async fn reset(&self, vm: &VmRef) -> Remote<()> {
        self.meter.count(System::VCenter, "reset", self.inner.reset(vm)).await
    }

    async fn set_external_id(&self, vm: &VmRef, nic_key: i32, port: &PortId) -> Remote<()> {
        self.meter.count(System::VCenter, "set_external_id", self.inner.set_external_id(vm, nic_key, port)).await
    }
}

#[async_trait]
impl Networking for Around<dyn Networking> {
    async fn features(&self) -> Remote<NetworkingFeatures> {
        self.meter.count(System::Neutron, "features", self.inner.features()).await
    }

    async fn network(&self, id: &NetworkId) -> Remote<Option<Network>> {
        self.meter.count(System::Neutron, "network", self.inner.network(id)).await
    }

    async fn subnet(&self, id: &SubnetId) -> Remote<Option<Subnet>> {
        self.meter.count(System::Neutron, "subnet", self.inner.subnet(id)).await
    }

    async fn port_quota(&self, project: &ProjectId) -> Remote<Option<Quota>> {
        self.meter.count(System::Neutron, "port_quota", self.inner.port_quota(project)).await
    }

    async fn ports(&self, query: &PortQuery) -> Remote<Vec<Port>> {
        self.meter.count(System::Neutron, "ports", self.inner.ports(query)).await
    }

    async fn create_ports(&self, requests: &[PortRequest]) -> Remote<Vec<Port>> {
        self.meter.count(System::Neutron, "create_ports", self.inner.create_ports(requests)).await
    }

    async fn update_port(&self, id: &PortId, change: &PortChange) -> Remote<Port> {
        self.meter.count(System::Neutron, "update_port", self.inner.update_port(id, change)).await
    }

    async fn set_vnic_index(&self, id: &PortId, index: u32) -> Remote<Option<u32>> {
        self.meter.count(System::Neutron, "set_vnic_index", self.inner.set_vnic_index(id, index)).await
    }

    async fn delete_port(&self, id: &PortId) -> Remote<()> {
        self.meter.count(System::Neutron, "delete_port", self.inner.delete_port(id)).await
    }
}

#[async_trait]
impl Identity for Around<dyn Identity> {
    async fn authenticate(&self, token: &SecretString) -> Remote<Principal> {
        let call = self.inner.authenticate(token);
        self.meter.count_of(Whose::Requester, System::Keystone, "authenticate", call).await
    }

    fn recall(&self, token: &SecretString) -> Option<Principal> {
        self.inner.recall(token)
    }

    async fn own_login(&self) -> Remote<()> {
        self.meter.count(System::Keystone, "own_login", self.inner.own_login()).await
    }

    async fn authenticate_anew(&self, token: &SecretString) -> Remote<Principal> {
        let call = self.inner.authenticate_anew(token);
        self.meter.count_of(Whose::Requester, System::Keystone, "authenticate", call).await
    }

    async fn still_may(&self, user: &str, project: &ProjectId) -> Remote<Standing> {
        self.meter.count(System::Keystone, "role_assignments", self.inner.still_may(user, project)).await
    }

    async fn grant(&self, token: Option<&SecretString>, wish: &NetworkWish) -> Remote<NetworkGrant> {
        let call = self.inner.grant(token, wish);
        self.meter.count_of(Whose::Requester, System::Neutron, "grant", call).await
    }
}
