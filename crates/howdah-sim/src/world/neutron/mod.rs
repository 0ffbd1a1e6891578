//! Neutron: its tables as plain data. What a request does stands in `networks`, `ports` and
//! `port_update`; who is answered by DHCP in `guest::lease`.

mod address;
mod allocation;
mod backing;
mod body;
mod error;
mod networks;
mod port_update;
mod ports;

pub use body::{NetworkBody, PortBody, PortUpdate, SubnetBody};
pub use error::NeutronError;

use std::collections::BTreeMap;
use std::net::IpAddr;

use howdah_core::ids::Mac;
use jiff::Timestamp;

use crate::world::actor::Origin;

/// Who calls Neutron: what the token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Project id.
    pub project: String,
    /// Admin, or the service role: may name MACs on others' networks and ports for others.
    pub admin: bool,
}

/// A network.
#[derive(Debug, Clone)]
pub struct NeutronNetwork {
    /// UUID.
    pub id: String,
    /// Name.
    pub name: String,
    /// Owner.
    pub project: String,
    /// Usable by all projects.
    pub shared: bool,
    /// `router:external`.
    pub external: bool,
    /// `admin_state_up`.
    pub admin_up: bool,
    /// `provider:segmentation_id`.
    pub segmentation: u32,
    /// Free text.
    pub description: String,
    /// Moves with each change.
    pub revision: u64,
    /// When it was made.
    pub created: Timestamp,
}

/// A subnet.
#[derive(Debug, Clone)]
pub struct NeutronSubnet {
    /// UUID.
    pub id: String,
    /// Name.
    pub name: String,
    /// Network.
    pub network: String,
    /// Owner.
    pub project: String,
    /// `10.0.0.0/24`.
    pub cidr: Cidr,
    /// Gateway.
    pub gateway: Option<IpAddr>,
    /// Whether it hands out leases.
    pub dhcp: bool,
    /// Allocation pools: first and last address of each.
    pub pools: Vec<(IpAddr, IpAddr)>,
    /// DNS servers.
    pub dns: Vec<IpAddr>,
    /// Free text.
    pub description: String,
    /// Moves with each change.
    pub revision: u64,
    /// When it was made.
    pub created: Timestamp,
}

/// An address range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    /// Lowest address.
    pub base: IpAddr,
    /// Prefix length.
    pub prefix: u8,
}

/// A port.
#[derive(Debug, Clone, PartialEq)]
pub struct NeutronPort {
    /// UUID.
    pub id: String,
    /// Name.
    pub name: String,
    /// Owner.
    pub project: String,
    /// Network.
    pub network: String,
    /// MAC address.
    pub mac: Mac,
    /// Subnet and address of each fixed address.
    pub fixed_ips: Vec<(String, IpAddr)>,
    /// `device_owner`.
    pub device_owner: String,
    /// `device_id`.
    pub device_id: String,
    /// Free text.
    pub description: String,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// `admin_state_up`.
    pub admin_up: bool,
    /// `port_security_enabled`.
    pub port_security: bool,
    /// `binding:host_id`.
    pub host: String,
    /// `status`.
    pub status: &'static str,
    /// NSX-v's card index, once it took.
    pub vnic_index: Option<u32>,
    /// From when DHCP answers for it; none: never.
    pub binding: Option<Timestamp>,
    /// Tags.
    pub tags: Vec<String>,
    /// Moves with each change.
    pub revision: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
    /// Who made it.
    pub origin: Origin,
}

/// A security group.
#[derive(Debug, Clone)]
pub struct SecurityGroup {
    /// UUID.
    pub id: String,
    /// Name.
    pub name: String,
    /// Owner.
    pub project: String,
    /// Free text.
    pub description: String,
}

/// Neutron.
#[derive(Debug, Default)]
pub struct Neutron {
    /// Networks by id.
    pub networks: BTreeMap<String, NeutronNetwork>,
    /// Subnets by id.
    pub subnets: BTreeMap<String, NeutronSubnet>,
    /// Ports by id.
    pub ports: BTreeMap<String, NeutronPort>,
    /// Security groups by id.
    pub groups: BTreeMap<String, SecurityGroup>,
    /// Port quota by project id; absent: unlimited.
    pub port_quota: BTreeMap<String, u64>,
    /// Ids of ports by MAC.
    pub by_mac: BTreeMap<Mac, Vec<String>>,
    /// Ids of ports by subnet and address.
    pub by_address: BTreeMap<(String, IpAddr), String>,
    /// Counts ids and VLANs.
    pub next: u64,
}
