//! The resources of clusters, and tasks: resource pools, datastores, distributions, application
//! managers.

use serde::{Deserialize, Serialize};

use super::lenient;
use super::read::NodeRead;
use crate::release::{Release, Shaped};

/// The answer to `hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The release.
    pub version: Option<String>,
}

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TaskStatus {
    /// Accepted.
    Starting,
    /// Running.
    Started,
    /// Being stopped; no call does that.
    Stopping,
    /// Stopped.
    Stopped,
    /// Succeeded.
    Completed,
    /// Failed.
    Failed,
    /// Abandoned.
    Abandoned,
    /// Not known.
    Unknown,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskRead {
    /// Number.
    pub id: i64,
    /// Where it is.
    pub status: TaskStatus,
    /// `INNER`, `VHM`, `DELETE` or `SHRINK`.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// 0.0 to 1.0.
    #[serde(default)]
    pub progress: Option<f64>,
    /// Null in practice.
    #[serde(default)]
    pub progress_message: Option<String>,
    /// The message of the failed step.
    #[serde(default)]
    pub error_message: Option<String>,
    /// A directory on the appliance.
    #[serde(default)]
    pub work_dir: Option<String>,
    /// The cluster.
    #[serde(default)]
    pub target: Option<String>,
    /// Nodes for which a node-by-node job succeeded.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub succeed_nodes: Vec<TaskNode>,
    /// Nodes that it failed for.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub fail_nodes: Vec<TaskNode>,
}

impl Shaped for TaskRead {
    const SINCE: &'static [(&'static str, Release)] = &[];
}

/// A node in a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskNode {
    /// Node.
    pub node_name: String,
    /// Never filled.
    #[serde(default)]
    pub ip: Option<String>,
    /// Never filled.
    #[serde(default)]
    pub status: Option<String>,
    /// Never filled.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub memory: i64,
    /// Never filled.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub cpu_number: i32,
    /// How it ended.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub succeed: bool,
    /// Why it failed.
    #[serde(default)]
    pub error_message: Option<String>,
}

/// A registered resource pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourcePoolRead {
    /// Registered name.
    pub rp_name: String,
    /// vCenter cluster.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub vc_cluster: String,
    /// Pool in it.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub rp_vsphere_name: String,
    /// Always 0.
    #[serde(default, deserialize_with = "lenient::or_default", rename = "totalRAMInMB")]
    pub total_ram_in_mb: i64,
    /// Always 0.
    #[serde(default, deserialize_with = "lenient::or_default", rename = "usedRAMInMB")]
    pub used_ram_in_mb: i64,
    /// Always 0.
    #[serde(default, deserialize_with = "lenient::or_default", rename = "totalCPUInMHz")]
    pub total_cpu_in_mhz: i64,
    /// Always 0.
    #[serde(default, deserialize_with = "lenient::or_default", rename = "usedCPUInMHz")]
    pub used_cpu_in_mhz: i64,
    /// Nodes in it.
    #[serde(default)]
    pub nodes: Option<Vec<NodeRead>>,
}

impl Shaped for ResourcePoolRead {
    const SINCE: &'static [(&'static str, Release)] = &[];
}

/// A registered datastore.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatastoreRead {
    /// Registered name.
    pub name: String,
    /// `SHARED`, `LOCAL`, `TEMPFS` or `IMAGE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Always 0 here.
    #[serde(default, deserialize_with = "lenient::or_default", rename = "totalSpaceGB")]
    pub total_space_gb: f64,
    /// Always 0 here.
    #[serde(default, deserialize_with = "lenient::or_default", rename = "freeSpaceGB")]
    pub free_space_gb: f64,
    /// `TRUE` or `FALSE`, as text.
    #[serde(default)]
    pub regex: Option<String>,
    /// What it stands for in vCenter.
    #[serde(default)]
    pub datastore_read_details: Option<Vec<DatastoreDetail>>,
}

impl Shaped for DatastoreRead {
    const SINCE: &'static [(&'static str, Release)] = &[];
}

/// A datastore of vCenter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatastoreDetail {
    /// Name in vCenter.
    pub vc_datastore_name: String,
    /// Host, for a local one.
    #[serde(default)]
    pub host: Option<String>,
    /// Size.
    #[serde(default, deserialize_with = "lenient::or_default", rename = "totalStorageSizeGB")]
    pub total_storage_size_gb: f64,
    /// Free.
    #[serde(default, deserialize_with = "lenient::or_default", rename = "freeSpaceGB")]
    pub free_space_gb: f64,
}

/// A distribution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DistroRead {
    /// Name.
    pub name: String,
    /// Vendor, such as `MESOS`.
    #[serde(default)]
    pub vendor: Option<String>,
    /// Version.
    #[serde(default)]
    pub version: Option<String>,
    /// Whether it knows virtual topologies.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub hve_supported: bool,
    /// Roles it can install.
    #[serde(default)]
    pub roles: Option<Vec<String>>,
}

impl Shaped for DistroRead {
    const SINCE: &'static [(&'static str, Release)] = &[];
}

/// An application manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppManagerRead {
    /// Name; the built-in one is `Default`.
    pub name: String,
    /// For display.
    #[serde(default)]
    pub description: Option<String>,
    /// `Default`, `ClouderaManager`, `Ambari`.
    #[serde(rename = "type", default)]
    pub kind: Option<String>,
    /// Address; empty for the built-in one.
    #[serde(default)]
    pub url: Option<String>,
    /// User; empty for the built-in one.
    #[serde(default)]
    pub username: Option<String>,
    /// Always stars.
    #[serde(default)]
    pub password: Option<String>,
    /// PEM.
    #[serde(default)]
    pub ssl_certificate: Option<String>,
    /// Clusters that it manages.
    #[serde(default)]
    pub managed_clusters: Option<Vec<String>>,
    /// Version.
    #[serde(default)]
    pub version: Option<String>,
}

impl Shaped for AppManagerRead {
    const SINCE: &'static [(&'static str, Release)] = &[];
}

impl AppManagerRead {
    /// The built-in one.
    pub fn built_in(version: Option<&str>) -> Self {
        Self {
            name: "Default".to_owned(),
            description: Some("Default application manager".to_owned()),
            kind: Some("Default".to_owned()),
            url: Some(String::new()),
            username: Some(String::new()),
            password: Some("*****".to_owned()),
            ssl_certificate: None,
            managed_clusters: Some(Vec::new()),
            version: version.map(str::to_owned),
        }
    }
}
