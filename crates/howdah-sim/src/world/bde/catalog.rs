//! What is registered in the cluster manager: networks, pools, datastores, distributions.

use std::net::IpAddr;

use crate::world::actor::Origin;

/// `dnsType` of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DnsType {
    /// Names are in DNS, or none are used.
    #[default]
    Normal,
    /// Nodes register by dynamic DNS.
    Dynamic,
    /// The manager makes the names.
    Others,
}

impl DnsType {
    /// As the manager spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Dynamic => "DYNAMIC",
            Self::Others => "OTHERS",
        }
    }

    /// From the manager's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Normal, Self::Dynamic, Self::Others].into_iter().find(|d| d.as_str() == text)
    }
}

/// Static addressing of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticAddresses {
    /// Netmask.
    pub netmask: String,
    /// Gateway.
    pub gateway: Option<String>,
    /// First DNS server.
    pub dns1: Option<String>,
    /// Second DNS server.
    pub dns2: Option<String>,
    /// Blocks: first and last address.
    pub blocks: Vec<(IpAddr, IpAddr)>,
}

/// A registered network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BdeNetwork {
    /// Registered name.
    pub name: String,
    /// Port group's name in vCenter.
    pub port_group: String,
    /// `dnsType`.
    pub dns_type: DnsType,
    /// `isGenerateHostname`.
    pub generate_hostname: bool,
    /// Absent: DHCP.
    pub fixed: Option<StaticAddresses>,
    /// Who registered it; noted when it is.
    pub origin: Origin,
}

impl BdeNetwork {
    /// A DHCP network.
    pub fn dhcp(name: &str, port_group: &str) -> Self {
        Self {
            name: name.to_owned(),
            port_group: port_group.to_owned(),
            dns_type: DnsType::Normal,
            generate_hostname: false,
            fixed: None,
            origin: Origin::default(),
        }
    }
}

/// A registered resource pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BdePool {
    /// Registered name.
    pub name: String,
    /// vCenter cluster.
    pub vc_cluster: String,
    /// vCenter pool; empty: the cluster's root pool.
    pub vc_pool: String,
}

/// A registered datastore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BdeDatastore {
    /// Registered name.
    pub name: String,
    /// `SHARED`, `LOCAL`, ...
    pub kind: String,
    /// vCenter names or patterns.
    pub spec: Vec<String>,
    /// Whether `spec` holds regular expressions.
    pub regex: bool,
}

/// A distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distro {
    /// Name.
    pub name: String,
    /// Vendor.
    pub vendor: String,
    /// Version.
    pub version: String,
    /// Whether it knows virtualisation's extra topology.
    pub hve: bool,
    /// Roles.
    pub roles: Vec<String>,
}

/// An application manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppManager {
    /// Name; the built-in one is `Default`.
    pub name: String,
    /// Type.
    pub kind: String,
    /// Free text.
    pub description: String,
    /// URL, empty for the built-in one.
    pub url: String,
    /// User, empty for the built-in one.
    pub username: String,
    /// Version.
    pub version: String,
    /// Distributions.
    pub distros: Vec<Distro>,
}
