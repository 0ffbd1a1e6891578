//! Registered networks. The one flag has two names: `isDhcp` when sent, `dhcp` when read.

use serde::{Deserialize, Serialize};

use super::lenient;
use crate::release::{Release, Shaped};

/// The source of the nodes' host names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DnsType {
    /// The names are in DNS, or none are used.
    Normal,
    /// Nodes register themselves.
    Dynamic,
    /// The service generates names and writes them to every node's `/etc/hosts`.
    Others,
}

/// A range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IpBlock {
    /// First address.
    pub begin_ip: String,
    /// Last address.
    pub end_ip: String,
}

/// The request to register a network (POST) or to change one (PUT).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkAdd {
    /// Registered name.
    #[serde(default)]
    pub name: Option<String>,
    /// Port group, exactly as vCenter has it.
    #[serde(default)]
    pub port_group: Option<String>,
    /// Whether nodes use DHCP.
    #[serde(default, alias = "dhcp", deserialize_with = "lenient::boolean")]
    pub is_dhcp: bool,
    /// The source of host names; required since 2.2.
    #[serde(default, deserialize_with = "lenient::word")]
    pub dns_type: Option<DnsType>,
    /// Required by 2.2.0, derived since 2.3.
    #[serde(default, deserialize_with = "lenient::optional_boolean")]
    pub is_generate_hostname: Option<bool>,
    /// Static networks.
    #[serde(default)]
    pub netmask: Option<String>,
    /// Static networks.
    #[serde(default)]
    pub gateway: Option<String>,
    /// Static networks.
    #[serde(default)]
    pub dns1: Option<String>,
    /// Static networks.
    #[serde(default)]
    pub dns2: Option<String>,
    /// Static networks.
    #[serde(default)]
    pub ip_blocks: Option<Vec<IpBlock>>,
    /// `dhcp` or `static`: the command line sends it, the service ignores it.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Ignored.
    #[serde(default)]
    pub dns_list: Option<Vec<String>>,
}

impl Shaped for NetworkAdd {
    const SINCE: &'static [(&'static str, Release)] =
        &[("dnsType", Release::V2_2), ("isGenerateHostname", Release::V2_2)];
}

/// A registered network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkRead {
    /// Registered name.
    pub name: String,
    /// Port group.
    pub port_group: String,
    /// Whether nodes use DHCP.
    #[serde(default, alias = "isDhcp", deserialize_with = "lenient::boolean")]
    pub dhcp: bool,
    /// Static networks.
    #[serde(default)]
    pub dns1: Option<String>,
    /// Static networks.
    #[serde(default)]
    pub dns2: Option<String>,
    /// Static networks.
    #[serde(default)]
    pub all_ip_blocks: Option<Vec<IpBlock>>,
    /// Static networks.
    #[serde(default)]
    pub free_ip_blocks: Option<Vec<IpBlock>>,
    /// Static networks.
    #[serde(default)]
    pub assigned_ip_blocks: Option<Vec<IpBlock>>,
    /// Static networks.
    #[serde(default)]
    pub gateway: Option<String>,
    /// Static networks.
    #[serde(default)]
    pub netmask: Option<String>,
    /// The source of host names.
    #[serde(default)]
    pub dns_type: Option<DnsType>,
    /// Whether the service generates host names.
    #[serde(default)]
    pub is_generate_hostname: Option<bool>,
    /// The users of addresses; only with details.
    #[serde(default)]
    pub ip_alloc_entries: Option<Vec<IpAllocation>>,
}

impl Shaped for NetworkRead {
    const SINCE: &'static [(&'static str, Release)] = NetworkAdd::SINCE;
}

impl NetworkRead {
    /// A network whose nodes use DHCP.
    pub fn dhcp(name: impl Into<String>, port_group: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            port_group: port_group.into(),
            dhcp: true,
            dns1: None,
            dns2: None,
            all_ip_blocks: None,
            free_ip_blocks: None,
            assigned_ip_blocks: None,
            gateway: None,
            netmask: None,
            dns_type: Some(DnsType::Normal),
            is_generate_hostname: Some(false),
            ip_alloc_entries: None,
        }
    }
}

/// The user of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpAllocation {
    /// The address.
    pub ip_address: String,
    /// Cluster number in the service's database.
    pub cluster_id: i64,
    /// Cluster.
    pub cluster_name: String,
    /// Group number in the service's database.
    pub node_group_id: i64,
    /// Node group.
    pub node_group_name: String,
    /// Node number in the service's database.
    pub node_id: i64,
    /// Node.
    pub node_name: String,
}
