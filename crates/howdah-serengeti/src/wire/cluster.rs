//! The specification of a cluster: the body of a create, and of `/spec`.
//!
//! Null means "the service's choice" nearly everywhere. The internal fields at the end are
//! filled by the service and never by a client; they are here because nulls are sent.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::lenient;
use crate::release::{Release, Shaped};

/// Which default template to expand when there are no node groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClusterType {
    /// The vendor's own template; since 2.2, and only Mesos has one.
    Default,
    /// HDFS only.
    Hdfs,
    /// HDFS with MapReduce or YARN.
    HdfsMapred,
    /// HDFS with HBase.
    HdfsHbase,
}

/// The nodes' root password on its way into a body. Not shown by `Debug`.
#[derive(Clone)]
pub struct Password(pub SecretString);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Serialize for Password {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.expose_secret())
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(SecretString::from(String::deserialize(from)?)))
    }
}

/// A requested cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClusterCreate {
    /// Name.
    pub name: Option<String>,
    /// Application manager; none is the built-in one.
    pub app_manager: Option<String>,
    /// Template, when there are no groups.
    #[serde(rename = "type", deserialize_with = "lenient::word")]
    pub kind: Option<ClusterType>,
    /// Distribution; none is the manager's default.
    pub distro: Option<String>,
    /// Overwritten by the service.
    pub distro_vendor: Option<String>,
    /// Overwritten by the service.
    pub distro_version: Option<String>,
    /// Node template; none is the only one.
    pub template_name: Option<String>,
    /// Resource pools; none is all.
    pub rp_names: Option<Vec<String>>,
    /// Datastores; none is all.
    pub ds_names: Option<Vec<String>>,
    /// Traffic type to registered networks.
    pub network_config: Option<BTreeMap<String, Vec<String>>>,
    /// Groups; none is a default template.
    pub node_groups: Option<Vec<NodeGroupCreate>>,
    /// Whether the groups come from a file; set by the service when there are any.
    #[serde(deserialize_with = "lenient::boolean")]
    pub spec_file: bool,
    /// Whether to validate the configuration; only the command line uses it.
    #[serde(deserialize_with = "lenient::optional_boolean")]
    pub validate_config: Option<bool>,
    /// Hadoop configuration.
    pub configuration: Option<Value>,
    /// The nodes' root password; none is random.
    pub password: Option<Password>,
    /// Repository for Cloudera and Ambari.
    #[serde(rename = "localRepoURL")]
    pub local_repo_url: Option<String>,
    /// Front of generated host names.
    pub hostname_prefix: Option<String>,
    /// `NONE`, `RACK_AS_RACK`, `HOST_AS_RACK`, `HVE`.
    pub topology_policy: Option<String>,
    /// HDFS elsewhere.
    #[serde(rename = "externalHDFS")]
    pub external_hdfs: Option<String>,
    /// MapReduce elsewhere.
    pub external_map_reduce: Option<String>,
    /// Name node elsewhere.
    pub external_namenode: Option<String>,
    /// Secondary name node elsewhere.
    pub external_secondary_namenode: Option<String>,
    /// Data nodes elsewhere.
    pub external_datanodes: Option<Vec<String>>,
    /// LDAP. Snake case is right here.
    #[serde(rename = "infrastructure_config")]
    pub infrastructure_config: Option<Value>,
    /// vCenter clusters with their pools, instead of registered pools.
    pub vc_clusters: Option<Vec<VcCluster>>,
    /// Overwritten by the service.
    pub cluster_clone_type: Option<String>,
    /// Internal.
    pub networkings: Option<Value>,
    /// Internal.
    pub package_repos: Option<Value>,
    /// Internal.
    pub packages_exist_status: Option<Value>,
    /// Internal.
    pub distro_map: Option<Value>,
    /// Internal.
    pub host_to_rack_map: Option<Value>,
    /// Internal.
    pub http_proxy: Option<String>,
    /// Internal.
    pub no_proxy: Option<String>,
    /// Internal.
    pub deploy_policy: Option<Value>,
    /// Internal.
    pub shared_datastore_pattern: Option<Value>,
    /// Internal.
    pub local_datastore_pattern: Option<Value>,
}

impl Shaped for ClusterCreate {
    const SINCE: &'static [(&'static str, Release)] = &[
        ("templateName", Release::V2_3),
        ("externalNamenode", Release::V2_2),
        ("externalSecondaryNamenode", Release::V2_2),
        ("externalDatanodes", Release::V2_2),
        ("infrastructure_config", Release::V2_2),
        ("clusterCloneType", Release::V2_2),
        ("nodeGroups.*.latencySensitivity", Release::V2_3),
        ("nodeGroups.*.reservedCpuRatio", Release::V2_3),
        ("nodeGroups.*.reservedMemRatio", Release::V2_3),
        ("nodeGroups.*.storage.diskNum", Release::V2_3),
    ];
}

/// A vCenter cluster with pools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VcCluster {
    /// vCenter cluster.
    pub name: String,
    /// Pools in it.
    #[serde(default)]
    pub vc_rps: Option<Vec<String>>,
}

/// A requested node group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NodeGroupCreate {
    /// Name.
    pub name: Option<String>,
    /// Roles.
    pub roles: Option<Vec<String>>,
    /// How many nodes; a group of none is dropped.
    #[serde(deserialize_with = "lenient::integer")]
    pub instance_num: i32,
    /// `SMALL`, `MEDIUM`, `LARGE` or `EXTRA_LARGE`: fills the next two.
    pub instance_type: Option<String>,
    /// CPUs.
    #[serde(deserialize_with = "lenient::optional_integer")]
    pub cpu_num: Option<i32>,
    /// Memory in MiB.
    #[serde(rename = "memCapacityMB", deserialize_with = "lenient::optional_integer")]
    pub mem_capacity_mb: Option<i32>,
    /// Disks.
    pub storage: Option<Storage>,
    /// Swap, as a part of memory.
    pub swap_ratio: Option<f64>,
    /// `off`, `on` or `ft`.
    pub ha_flag: Option<String>,
    /// `LOW`, `NORMAL`, `MEDIUM`, `HIGH`.
    pub latency_sensitivity: Option<String>,
    /// 0 to 1.
    pub reserved_cpu_ratio: Option<f64>,
    /// 0 to 1.
    pub reserved_mem_ratio: Option<f64>,
    /// Nodes per host, racks, other groups.
    pub placement_policies: Option<PlacementPolicies>,
    /// Resource pools; none is the cluster's.
    pub rp_names: Option<Vec<String>>,
    /// Hadoop configuration.
    pub configuration: Option<Value>,
    /// Set by the service.
    pub vm_folder_path: Option<String>,
    /// Accepted, never sent.
    #[serde(skip_serializing)]
    pub vc_clusters: Option<Value>,
}

impl Default for NodeGroupCreate {
    fn default() -> Self {
        Self {
            name: None,
            roles: None,
            instance_num: 0,
            instance_type: None,
            cpu_num: None,
            mem_capacity_mb: None,
            storage: None,
            swap_ratio: Some(1.0),
            ha_flag: Some("off".to_owned()),
            latency_sensitivity: None,
            reserved_cpu_ratio: Some(0.0),
            reserved_mem_ratio: Some(0.0),
            placement_policies: None,
            rp_names: None,
            configuration: None,
            vm_folder_path: None,
            vc_clusters: None,
        }
    }
}

/// The placement of a group's nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlacementPolicies {
    /// Nodes per host; the group's number has to be a multiple of it.
    #[serde(deserialize_with = "lenient::optional_integer")]
    pub instance_per_host: Option<i32>,
    /// Racks.
    pub group_racks: Option<GroupRacks>,
    /// Other groups.
    pub group_associations: Option<Vec<GroupAssociation>>,
}

/// A choice of racks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GroupRacks {
    /// `ROUNDROBIN`, `SAMERACK`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Racks by their registered names; none is all.
    pub racks: Option<Vec<String>>,
}

/// An association with another group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GroupAssociation {
    /// The other group.
    pub reference: Option<String>,
    /// `WEAK`, `STRICT`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// Disks of a node, in requests and answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Storage {
    /// `SHARED`, `LOCAL`, `TEMPFS`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// All data disks of a node together, in GiB.
    #[serde(rename = "sizeGB", deserialize_with = "lenient::integer")]
    pub size_gb: i32,
    /// Datastores.
    pub ds_names: Option<Vec<String>>,
    /// Datastores of system disks.
    #[serde(rename = "dsNames4System")]
    pub ds_names_4_system: Option<Vec<String>>,
    /// Datastores of data disks.
    #[serde(rename = "dsNames4Data")]
    pub ds_names_4_data: Option<Vec<String>>,
    /// How many; none or 0 is the service's choice.
    #[serde(deserialize_with = "lenient::optional_integer")]
    pub disk_num: Option<i32>,
    /// Whether the datastore is shared.
    #[serde(deserialize_with = "lenient::boolean")]
    pub share_datastore: bool,
    /// Internal.
    pub diskstore_name_pattern: Option<Value>,
    /// Internal.
    pub imagestore_name_pattern: Option<Value>,
    /// `EVEN_SPLIT`, `AGGREGATE`, `BI_SECTOR`.
    pub split_policy: Option<String>,
    /// `LSI_CONTROLLER`, `PARA_VIRTUAL_CONTROLLER`.
    pub controller_type: Option<String>,
    /// Internal.
    pub alloc_type: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let spec = ClusterCreate { password: Some(Password("Passw0rd_".into())), ..ClusterCreate::default() };
        assert!(!format!("{spec:?}").contains("Passw0rd"), "{spec:?}");
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let error = serde_json::from_str::<ClusterCreate>(r#"{"name": "x", "nodegroups": []}"#).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `nodegroups`"), "{error}");
    }
}
