//! What Neutron is asked for.

use std::net::IpAddr;

use howdah_core::ids::Mac;

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
