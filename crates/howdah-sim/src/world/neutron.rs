//! Neutron's tables as plain data, and its errors. The rules are in `neutron_ops` (what a
//! request does) and `lease` (who is answered by DHCP).

use std::collections::BTreeMap;
use std::net::IpAddr;

use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::Mac;
use jiff::Timestamp;

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
#[derive(Debug, Clone)]
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

/// A port as asked for. What is left out is Neutron's choice.
#[derive(Debug, Clone, Default)]
pub struct PortBody {
    /// `network_id`.
    pub network: String,
    /// `name`.
    pub name: String,
    /// `project_id`; the caller's if absent.
    pub project: Option<String>,
    /// `mac_address`.
    pub mac: Option<Mac>,
    /// `fixed_ips`: subnet and, perhaps, address. None: one of the network's first subnet.
    pub fixed_ips: Option<Vec<(Option<String>, Option<IpAddr>)>>,
    /// `device_owner`.
    pub device_owner: String,
    /// `device_id`.
    pub device_id: String,
    /// `description`.
    pub description: String,
    /// `security_groups`; none: the project's default.
    pub security_groups: Option<Vec<String>>,
    /// `port_security_enabled`.
    pub port_security: Option<bool>,
    /// `admin_state_up`.
    pub admin_up: Option<bool>,
    /// `binding:host_id`: admins only.
    pub host: Option<String>,
}

/// What to change of a port: fields left `None` stay.
#[derive(Debug, Clone, Default)]
pub struct PortUpdate {
    /// `name`.
    pub name: Option<String>,
    /// `mac_address`.
    pub mac: Option<Mac>,
    /// `fixed_ips`.
    pub fixed_ips: Option<Vec<(Option<String>, Option<IpAddr>)>>,
    /// `device_owner`.
    pub device_owner: Option<String>,
    /// `device_id`.
    pub device_id: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `security_groups`.
    pub security_groups: Option<Vec<String>>,
    /// `port_security_enabled`.
    pub port_security: Option<bool>,
    /// `admin_state_up`.
    pub admin_up: Option<bool>,
    /// `binding:host_id`.
    pub host: Option<String>,
    /// NSX-v's `vnic_index`; `Some(None)` clears it.
    pub vnic_index: Option<Option<u32>>,
    /// The revision that the caller has seen, of `If-Match`.
    pub if_revision: Option<u64>,
}

/// A network as asked for.
#[derive(Debug, Clone, Default)]
pub struct NetworkBody {
    /// `name`.
    pub name: String,
    /// `project_id`; the caller's if absent.
    pub project: Option<String>,
    /// `shared`.
    pub shared: bool,
    /// `router:external`.
    pub external: bool,
    /// `description`.
    pub description: String,
}

/// A subnet as asked for.
#[derive(Debug, Clone, Default)]
pub struct SubnetBody {
    /// `network_id`.
    pub network: String,
    /// `name`.
    pub name: String,
    /// `project_id`; the network's if absent.
    pub project: Option<String>,
    /// `cidr`.
    pub cidr: String,
    /// `gateway_ip`: `Some(None)` is none at all; `None` is the first address.
    pub gateway: Option<Option<IpAddr>>,
    /// `enable_dhcp`; true if absent.
    pub dhcp: Option<bool>,
    /// `allocation_pools`; all but the gateway if absent.
    pub pools: Option<Vec<(IpAddr, IpAddr)>>,
    /// `dns_nameservers`.
    pub dns: Vec<IpAddr>,
    /// `description`.
    pub description: String,
}

/// An error of Neutron: its `type`, its HTTP status, its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NeutronError {
    /// `MacAddressInUse`, `OverQuota`, ...
    pub kind: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What it says.
    pub message: String,
}

impl NeutronError {
    /// From its three parts.
    pub fn new(kind: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self { kind, status, message: message.into() }
    }

    /// 404 of a network, subnet, port or security group.
    pub fn not_found(what: &'static str, id: &str) -> Self {
        let kind = match what {
            "Network" => "NetworkNotFound",
            "Subnet" => "SubnetNotFound",
            "Port" => "PortNotFound",
            "Security group" => "SecurityGroupNotFound",
            _ => "NotFound",
        };
        let message = if what == "Security group" {
            format!("Security group {id} does not exist")
        } else {
            format!("{what} {id} could not be found.")
        };
        Self::new(kind, 404, message)
    }

    /// 409: the MAC is taken.
    pub fn mac_in_use(network: &str, mac: Mac) -> Self {
        let message = format!("Unable to complete operation for network {network}. The mac address {mac} is in use.");
        Self::new("MacAddressInUse", 409, message)
    }

    /// 403 of a policy rule.
    pub fn policy(rule: &str) -> Self {
        Self::new("PolicyNotAuthorized", 403, format!("rule:{rule} is disallowed by policy"))
    }

    /// 400.
    pub fn bad_request(resource: &str, why: &str) -> Self {
        Self::new("BadRequest", 400, format!("Bad {resource} request: {why}"))
    }
}

impl From<NeutronError> for RemoteError {
    fn from(e: NeutronError) -> Self {
        let (kind, code) = match (e.kind, e.status) {
            ("MacAddressInUse", _) => (ErrorKind::Conflict, "neutron_mac_in_use"),
            ("IpAddressAlreadyAllocated" | "IpAddressInUse", _) => (ErrorKind::Conflict, "neutron_address_in_use"),
            ("OverQuota", _) => (ErrorKind::Exhausted, "neutron_over_quota"),
            ("IpAddressGenerationFailure", _) => (ErrorKind::Exhausted, "neutron_no_address_left"),
            (_, 404) => (ErrorKind::NotFound, "neutron_not_found"),
            (_, 401) => (ErrorKind::Credentials, "neutron_credentials"),
            (_, 403) => (ErrorKind::Forbidden, "neutron_forbidden"),
            (_, 409 | 412) => (ErrorKind::Conflict, "neutron_conflict"),
            (_, 400) => (ErrorKind::Invalid, "neutron_invalid"),
            (_, 503) => (ErrorKind::Unavailable, "neutron_unavailable"),
            _ => (ErrorKind::Internal, "neutron_internal"),
        };
        Self::new(System::Neutron, kind, code, e.message)
    }
}
