//! A cluster in the service's answers, with its groups and nodes.
//!
//! It has no MAC addresses, and no status of a group. The order of `instances` is not guaranteed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::Storage;
use super::lenient;
use super::resource::ResourcePoolRead;
use crate::release::{Release, Shaped};

/// The status of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClusterStatus {
    /// A create or resume is running.
    Provisioning,
    /// A create or expansion failed.
    ProvisionError,
    /// Everything is healthy.
    Running,
    /// Some service is unhealthy.
    ServiceWarning,
    /// VMs run, services are stopped.
    ServiceStopped,
    /// A stop is running.
    Stopping,
    /// VMs are off.
    Stopped,
    /// A start is running.
    Starting,
    /// A scale-out is running.
    Updating,
    /// Groups are being added.
    Expanding,
    /// A configuration is being applied.
    Configuring,
    /// That failed.
    ConfigureError,
    /// A shrink, scale or disk repair is running.
    Maintenance,
    /// Agents in the nodes are being updated.
    Upgrading,
    /// That failed.
    UpgradeError,
    /// A delete is running.
    Deleting,
    /// A start, stop or delete failed.
    Error,
    /// Of older releases.
    VhmRunning,
    /// Of older releases.
    #[serde(rename = "VMRECONFIGURING")]
    VmReconfiguring,
    /// Of older releases.
    Na,
    /// An unknown word.
    #[serde(other)]
    Unknown,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRead {
    /// Name.
    pub name: String,
    /// Distribution.
    #[serde(default)]
    pub distro: Option<String>,
    /// Its vendor.
    #[serde(default)]
    pub distro_vendor: Option<String>,
    /// Application manager.
    #[serde(default)]
    pub app_manager: Option<String>,
    /// Where it is.
    pub status: ClusterStatus,
    /// Nodes defined, over all groups.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub instance_num: u32,
    /// Groups.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub node_groups: Vec<NodeGroupRead>,
    /// Resource pools in use.
    #[serde(default)]
    pub resource_pools: Option<Vec<ResourcePoolRead>>,
    /// The release that made it.
    #[serde(default)]
    pub version: Option<String>,
    /// `fast` if unknown.
    #[serde(default)]
    pub cluster_clone_type: Option<String>,
    /// Node template.
    #[serde(default)]
    pub template_name: Option<String>,
    /// `NONE`, ...
    #[serde(default)]
    pub topology_policy: Option<String>,
    /// `LOW`, `NORMAL`, `HIGH`.
    #[serde(default)]
    pub io_shares: Option<String>,
    /// Elasticity; null if not applicable.
    #[serde(default)]
    pub automation_enable: Option<bool>,
    /// Elasticity; -1 if not set.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub vhm_min_num: i32,
    /// Elasticity; -1 if not set.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub vhm_max_num: i32,
    /// Elasticity.
    #[serde(default)]
    pub vhm_target_num: Option<i32>,
    /// Whether data and compute are apart. The name is misspelt on the wire.
    #[serde(default, deserialize_with = "lenient::or_default", rename = "dcSeperation")]
    pub dc_separation: bool,
    /// HDFS elsewhere.
    #[serde(default, rename = "externalHDFS")]
    pub external_hdfs: Option<String>,
    /// MapReduce elsewhere.
    #[serde(default)]
    pub external_map_reduce: Option<String>,
    /// Name node elsewhere.
    #[serde(default)]
    pub external_namenode: Option<String>,
    /// Secondary name node elsewhere.
    #[serde(default)]
    pub external_secondary_namenode: Option<String>,
    /// Data nodes elsewhere.
    #[serde(default)]
    pub external_datanodes: Option<Vec<String>>,
    /// Repository.
    #[serde(default, rename = "localRepoURL")]
    pub local_repo_url: Option<String>,
    /// LDAP.
    #[serde(default, rename = "infrastructure_config")]
    pub infrastructure_config: Option<Value>,
}

impl ClusterRead {
    /// A cluster with only this data.
    pub fn new(name: impl Into<String>, status: ClusterStatus) -> Self {
        Self {
            name: name.into(),
            distro: None,
            distro_vendor: None,
            app_manager: Some("Default".to_owned()),
            status,
            instance_num: 0,
            node_groups: Vec::new(),
            resource_pools: Some(Vec::new()),
            version: None,
            cluster_clone_type: Some("fast".to_owned()),
            template_name: None,
            topology_policy: Some("NONE".to_owned()),
            io_shares: Some("NORMAL".to_owned()),
            automation_enable: None,
            vhm_min_num: -1,
            vhm_max_num: -1,
            vhm_target_num: None,
            dc_separation: false,
            external_hdfs: None,
            external_map_reduce: None,
            external_namenode: None,
            external_secondary_namenode: None,
            external_datanodes: None,
            local_repo_url: None,
            infrastructure_config: None,
        }
    }
}

impl Shaped for ClusterRead {
    const SINCE: &'static [(&'static str, Release)] = &[
        ("templateName", Release::V2_3),
        ("externalNamenode", Release::V2_2),
        ("externalSecondaryNamenode", Release::V2_2),
        ("externalDatanodes", Release::V2_2),
        ("infrastructure_config", Release::V2_2),
        ("clusterCloneType", Release::V2_2),
        ("nodeGroups.*.storage.diskNum", Release::V2_3),
    ];
}

/// A node group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupRead {
    /// Name.
    pub name: String,
    /// Roles.
    #[serde(default)]
    pub roles: Option<Vec<String>>,
    /// CPUs.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub cpu_num: i32,
    /// Memory in MiB.
    #[serde(default, deserialize_with = "lenient::or_default", rename = "memCapacityMB")]
    pub mem_capacity_mb: i32,
    /// Swap, as a part of memory.
    #[serde(default)]
    pub swap_ratio: Option<f64>,
    /// Null.
    #[serde(default)]
    pub networking: Option<Value>,
    /// Disks.
    #[serde(default)]
    pub storage: Option<Storage>,
    /// Nodes defined.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub instance_num: u32,
    /// Nodes planned; null since 2.3 unless details are asked for.
    #[serde(default)]
    pub instances: Option<Vec<NodeRead>>,
    /// Nodes per host, racks, other groups.
    #[serde(default)]
    pub placement_policies: Option<Value>,
    /// Whether its nodes hold no data.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub compute_only: bool,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRead {
    /// `<cluster>-<group>-<index>`.
    pub name: String,
    /// `null:VirtualMachine:vm-123`; null until the VM is cloned.
    #[serde(default)]
    pub mo_id: Option<String>,
    /// Where it is, as a description. In rising order: `Not Exist`, `Unavailable` (disconnected),
    /// `Powered Off`, `Powered On` (no address yet), `VM Ready`, `Bootstrap Failed`,
    /// `Service Alert`, `Service Unhealthy`, `Service Ready`, `Unknown Status`.
    #[serde(default)]
    pub status: Option<String>,
    /// The action on it, for display.
    #[serde(default)]
    pub action: Option<String>,
    /// Whether that failed.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub action_failed: bool,
    /// Why; begins with a time in brackets.
    #[serde(default)]
    pub err_message: Option<String>,
    /// The ESXi host, not the guest.
    #[serde(default)]
    pub host_name: Option<String>,
    /// Rack.
    #[serde(default)]
    pub rack: Option<String>,
    /// Traffic type to addresses.
    #[serde(default)]
    pub ip_configs: Option<BTreeMap<String, Vec<IpConfig>>>,
    /// Roles.
    #[serde(default)]
    pub roles: Option<Vec<String>>,
    /// CPUs; 0 before the VM is there.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub cpu_number: i32,
    /// Memory in MiB; 0 before the VM is there.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub memory: i64,
    /// Null.
    #[serde(default)]
    pub volumes: Option<Value>,
    /// The release that made it.
    #[serde(default)]
    pub version: Option<String>,
}

/// An address of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpConfig {
    /// Port group.
    #[serde(default)]
    pub port_group_name: Option<String>,
    /// Registered network.
    #[serde(default)]
    pub network_name: Option<String>,
    /// Traffic type.
    #[serde(default)]
    pub traffic_type: Option<String>,
    /// `0.0.0.0` until it is known.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub ip_address: String,
    /// Full name.
    #[serde(default)]
    pub fqdn: Option<String>,
}
