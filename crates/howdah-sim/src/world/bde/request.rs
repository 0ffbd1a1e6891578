//! A cluster as it is asked for.

use std::collections::BTreeMap;

/// A node group as it is asked for, with everything filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupRequest {
    /// Name.
    pub name: String,
    /// Roles.
    pub roles: Vec<String>,
    /// Nodes.
    pub count: u32,
    /// `SMALL`, ...
    pub instance_type: Option<String>,
    /// CPUs.
    pub cpu: Option<u32>,
    /// Memory.
    pub memory_mb: Option<u32>,
    /// Data disks together.
    pub disk_gb: Option<u32>,
    /// `SHARED`, `LOCAL`, `TEMPFS`.
    pub storage: Option<String>,
    /// `off`, `on`, `ft`.
    pub ha: Option<String>,
    /// Pools of its own.
    pub rp_names: Vec<String>,
}

impl GroupRequest {
    /// A group with default sizes.
    pub fn new(name: &str, roles: &[&str], count: u32) -> Self {
        Self {
            name: name.to_owned(),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            count,
            instance_type: None,
            cpu: None,
            memory_mb: None,
            disk_gb: None,
            storage: None,
            ha: None,
            rp_names: Vec::new(),
        }
    }
}

/// A cluster as it is asked for.
#[derive(Debug, Clone, Default)]
pub struct ClusterRequest {
    /// Name.
    pub name: String,
    /// Application manager; `Default` if absent or blank.
    pub app_manager: Option<String>,
    /// Distribution; the manager's default if absent or blank.
    pub distro: Option<String>,
    /// `DEFAULT`, `HDFS`, ...
    pub kind: Option<String>,
    /// Registered networks by traffic type.
    pub networks: BTreeMap<String, Vec<String>>,
    /// Registered pools; all if empty.
    pub rp_names: Vec<String>,
    /// Registered datastores; all if empty.
    pub ds_names: Vec<String>,
    /// Groups; the distribution's template if empty.
    pub groups: Vec<GroupRequest>,
    /// Nodes' root password. Never shown.
    pub password: Option<secrecy::SecretString>,
    /// `topologyPolicy`.
    pub topology: Option<String>,
    /// The request as it came, without the password, for `GET spec`.
    pub raw: serde_json::Value,
}
