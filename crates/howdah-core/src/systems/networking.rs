//! OpenStack Networking (Neutron), with the service's credentials: networks, subnets and ports.
//!
//! Invariant: answers contain *observations*, never conclusions; every value that may be absent is an
//! `Option`. No wire formats: the adapter (`howdah-openstack`) translates.

use std::net::IpAddr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{Mac, NetworkId, PortId, ProjectId, SecurityGroupId, SubnetId};
use crate::systems::Remote;

/// OpenStack Networking, with the service's credentials.
#[async_trait]
pub trait Networking: Send + Sync {
    /// Optional features.
    async fn features(&self) -> Remote<NetworkingFeatures>;

    /// A network by id.
    async fn network(&self, id: &NetworkId) -> Remote<Option<Network>>;

    /// A subnet by id, with its use.
    async fn subnet(&self, id: &SubnetId) -> Remote<Option<Subnet>>;

    /// Port quota of a project; `None` if the service may not see it.
    async fn port_quota(&self, project: &ProjectId) -> Remote<Option<Quota>>;

    /// The ports that match.
    async fn ports(&self, query: &PortQuery) -> Remote<Vec<Port>>;

    /// Creates ports in one request: all of them or none. With NSX that holds for one port only, see
    /// [`waves_on`](crate::policy::Policy::waves_on). `Conflict` if a MAC is in use. The MACs must differ: ML2 needs
    /// 90 s to refuse a request with a repeated MAC.
    async fn create_ports(&self, requests: &[PortRequest]) -> Remote<Vec<Port>>;

    /// Changes a port.
    async fn update_port(&self, id: &PortId, change: &PortChange) -> Remote<Port>;

    /// Sets NSX-v's card index and returns the value that Neutron has afterwards.
    async fn set_vnic_index(&self, id: &PortId, index: u32) -> Remote<Option<u32>>;

    /// Deletes a port; succeeds if it does not exist.
    async fn delete_port(&self, id: &PortId) -> Remote<()>;
}

/// A Neutron network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// UUID.
    pub id: NetworkId,
    /// Name, for display.
    pub name: String,
    /// The project that owns it.
    pub project: ProjectId,
    /// Whether it is router:external.
    pub external: bool,
}

/// A Neutron subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// UUID.
    pub id: SubnetId,
    /// Name, for display.
    pub name: String,
    /// The network it belongs to.
    pub network: NetworkId,
    /// `10.0.0.0/24`.
    pub cidr: String,
    /// 4 or 6.
    pub ip_version: u8,
    /// Whether DHCP is on.
    pub dhcp: bool,
    /// Addresses in its allocation pools.
    pub capacity: u64,
    /// How many of them ports use already.
    pub used: u64,
}

/// A quota and its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The limit; `None` is unlimited.
    pub limit: Option<u64>,
    /// In use.
    pub used: u64,
}

/// Optional features of a Neutron.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NetworkingFeatures {
    /// `vnic_index` on ports (NSX-v).
    pub vnic_index: bool,
}

/// A port in Neutron.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Port {
    /// UUID.
    pub id: PortId,
    /// Name.
    pub name: String,
    /// Project that owns it.
    pub project: ProjectId,
    /// Network.
    pub network: NetworkId,
    /// MAC address.
    pub mac: Mac,
    /// Fixed addresses.
    pub fixed_ips: Vec<FixedIp>,
    /// Its kind of user: `compute:...`, `network:dhcp`, empty.
    pub device_owner: String,
    /// Its user: our instance UUID, or a VM's name with the 2015 plugin.
    pub device_id: String,
    /// Free text with the mark, see [`crate::mark`].
    pub description: String,
    /// Security groups.
    pub security_groups: Vec<SecurityGroupId>,
    /// NSX-v's card index, if the extension exists and the value is set.
    pub vnic_index: Option<u32>,
    /// `ACTIVE`, `DOWN`, ... For display: it is not meaningful for an unbound port.
    pub status: String,
    /// The ID that NSX-T gave the network's switch (`nsx-logical-switch-id` in `binding:vif_details`), if Neutron
    /// shows it.
    #[serde(default)]
    pub logical_switch: Option<String>,
    /// Its binding to a host; `None` if Neutron does not show it to the service.
    #[serde(default)]
    pub binding: Option<Binding>,
}

/// The binding of a port (extension `binding`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Binding {
    /// `binding:host_id`; empty if there is none.
    pub host: String,
    /// `binding:vif_type`: `unbound`, `binding_failed`, or the kind of interface.
    pub vif_type: String,
}

/// An address of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub struct FixedIp {
    /// The subnet.
    pub subnet: SubnetId,
    /// The address.
    pub address: IpAddr,
}

/// A port to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRequest {
    /// Network.
    pub network: NetworkId,
    /// Subnet of its one fixed address.
    pub subnet: SubnetId,
    /// The card's MAC address.
    pub mac: Mac,
    /// The wanted fixed address; Neutron chooses if absent.
    pub address: Option<IpAddr>,
    /// `<vm>-port<n>`.
    pub name: String,
    /// The project that owns it.
    pub project: ProjectId,
    /// Starts with `compute:`.
    pub device_owner: String,
    /// The VM's instance UUID.
    pub device_id: Uuid,
    /// Security groups; an empty list means the project's default.
    pub security_groups: Vec<SecurityGroupId>,
    /// The mark.
    pub description: String,
    /// The host that the port is bound to (ML2).
    pub host: Option<String>,
}

/// The change of a port: `None` leaves a field unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortChange {
    /// See [`PortRequest::device_owner`].
    pub device_owner: Option<String>,
    /// See [`PortRequest::device_id`].
    pub device_id: Option<Uuid>,
    /// See [`PortRequest::name`].
    pub name: Option<String>,
    /// See [`PortRequest::description`].
    pub description: Option<String>,
    /// See [`PortRequest::security_groups`].
    pub security_groups: Option<Vec<SecurityGroupId>>,
    /// See [`PortRequest::host`].
    pub host: Option<String>,
}

/// Which ports to list. All conditions must hold; within one condition, any value matches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortQuery {
    /// On this network.
    pub network: Option<NetworkId>,
    /// With one of these addresses.
    pub macs: Vec<Mac>,
}
