//! The cluster manager (BDE): its requests and answers.
//!
//! Invariant: answers contain *observations*, never conclusions; every value that may be absent is an
//! `Option`. No wire formats: the adapter (`howdah-serengeti`) translates.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::ids::{ClusterName, GroupName, NodeName, TaskId, VmRef};
use crate::known::Likeness;
use crate::specification::Specification;
use crate::systems::Remote;
use crate::wanted::NodeGroup;

/// The cluster manager, which creates the VMs: BDE.
#[async_trait]
pub trait ClusterManager: Send + Sync {
    /// The version that the manager reports, for display and the log.
    async fn version(&self) -> Remote<String>;

    /// The offer of this application manager, or of the manager's default one. An unknown application
    /// manager is missing in the catalogue and has no distributions.
    async fn catalog(&self, app_manager: Option<&str>) -> Remote<Catalog>;

    /// The demand of the request for this cluster, for the checks before a create. Makes no call.
    /// `Invalid` if the site does not support such a request.
    fn demand(&self, spec: &ManagedSpec) -> Remote<Demand>;

    /// All registered networks.
    async fn networks(&self) -> Remote<Vec<RegisteredNetwork>>;

    /// Registers a network. `Conflict` if the name is taken.
    async fn register_network(&self, network: &RegisteredNetwork) -> Remote<()>;

    /// Removes a registration.
    async fn unregister_network(&self, name: &str) -> Remote<Unregistered>;

    /// A cluster and its nodes; `None` if no cluster has that name.
    async fn cluster(&self, name: &ClusterName) -> Remote<Option<ManagedCluster>>;

    /// All clusters and their nodes, by name. One that cannot be read is left out.
    async fn clusters(&self) -> Remote<BTreeMap<String, ManagedCluster>>;

    /// Starts a create. `Conflict` if the name is taken.
    async fn create_cluster(&self, spec: &ManagedSpec) -> Remote<TaskId>;

    /// Starts a start, stop or resume.
    async fn change_cluster(&self, name: &ClusterName, change: ManagedChange) -> Remote<TaskId>;

    /// Starts a delete; `None` if there is nothing to delete.
    async fn delete_cluster(&self, name: &ClusterName) -> Remote<Option<TaskId>>;

    /// A task; `None` if the manager does not know it.
    async fn task(&self, task: &TaskId) -> Remote<Option<ManagedTask>>;

    /// The newest task of each existing cluster, including those of others.
    async fn tasks(&self) -> Remote<Vec<ManagedTask>>;
}

/// A network as it is registered in the cluster manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredNetwork {
    /// The name under which clusters refer to it.
    pub name: String,
    /// The port group's name in vCenter, exactly.
    pub port_group: String,
    /// Whether nodes on it use DHCP.
    pub dhcp: bool,
}

/// The result of removing a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unregistered {
    /// It is removed.
    Removed,
    /// It did not exist.
    Absent,
    /// A cluster still uses it.
    InUse,
}

/// The offer of the cluster manager: names for the checks before a create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Distributions of the requested application manager.
    pub distros: Vec<String>,
    /// Registered resource pools.
    pub resource_pools: Vec<ResourcePool>,
    /// Registered datastores.
    pub datastores: Vec<String>,
    /// Application managers; possibly incomplete if the query named none.
    pub app_managers: Vec<String>,
}

/// A resource pool that the cluster manager may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourcePool {
    /// Its name in the cluster manager.
    pub name: String,
    /// The name of its compute cluster in vCenter.
    pub cluster: String,
}

/// The demand of a request, read from the body that is sent for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    /// Number of nodes; `None` if the distribution's template decides.
    pub nodes: Option<u64>,
    /// All resource pools in the body, by their registered names.
    pub resource_pools: BTreeSet<String>,
    /// Datastores likewise.
    pub datastores: BTreeSet<String>,
    /// Application manager; the manager's default if absent.
    pub app_manager: Option<String>,
}

/// A request for a cluster.
#[derive(Debug, Clone)]
pub struct ManagedSpec {
    /// Name, unique in the manager.
    pub name: ClusterName,
    /// Distribution.
    pub distro: String,
    /// Application manager; the manager's default if absent.
    pub app_manager: Option<String>,
    /// Resource pools by their registered names; all if empty.
    pub resource_pools: Vec<String>,
    /// Datastores by their registered names; all if empty.
    pub datastores: Vec<String>,
    /// Registered network for all traffic.
    pub network: String,
    /// Node groups; the distribution's default template if empty.
    pub node_groups: Vec<NodeGroup>,
    /// The nodes' root password; random if absent.
    pub password: Option<SecretString>,
    /// More fields of the manager's cluster specification; the fields above have priority.
    pub specification: Option<Specification>,
}

/// A change of a cluster's running state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagedChange {
    /// Power on and start services.
    Start,
    /// Stop services and power off.
    Stop,
    /// Resume a failed create.
    Resume,
}

/// The status of a cluster in the manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagedStatus {
    /// A create or resume is running.
    Provisioning,
    /// A create failed; it can be resumed or deleted.
    ProvisionError,
    /// Everything is healthy.
    Running,
    /// VMs run; some service is unhealthy.
    ServiceWarning,
    /// VMs run; services are stopped.
    ServiceStopped,
    /// A stop is running.
    Stopping,
    /// VMs are off.
    Stopped,
    /// A start is running.
    Starting,
    /// A delete is running.
    Deleting,
    /// A start, stop or delete failed.
    Error,
    /// Any other work in progress: resize, configuration, upgrade, maintenance.
    Busy,
}

impl ManagedStatus {
    /// Whether the manager would accept a delete.
    pub const fn is_stable(self) -> bool {
        matches!(
            self,
            Self::ProvisionError
                | Self::Running
                | Self::ServiceWarning
                | Self::ServiceStopped
                | Self::Stopped
                | Self::Error
        )
    }

    /// Whether its VMs are running and no work on them is in progress.
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Running | Self::ServiceWarning | Self::ServiceStopped)
    }
}

/// A cluster in the manager.
#[derive(Debug, Clone, PartialEq)]
pub struct ManagedCluster {
    /// Its status.
    pub status: ManagedStatus,
    /// The manager's word for it, for display.
    pub status_text: String,
    /// The defined number of nodes over all groups.
    pub node_count: usize,
    /// The features of its request, as far as the manager shows them.
    pub likeness: Likeness,
    /// The planned nodes, sorted by group, then index.
    pub nodes: Vec<ManagedNode>,
}

/// A node in the manager.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ManagedNode {
    /// `<cluster>-<group>-<index>`.
    pub name: NodeName,
    /// The node group's name.
    pub group: GroupName,
    /// Roles.
    pub roles: Vec<String>,
    /// The VM, after its clone.
    pub vm: Option<VmRef>,
    /// The manager's words for status and action, for display only.
    pub status_text: String,
    /// The error of this node, if any.
    pub error: Option<String>,
}

/// A task of the manager.
#[derive(Debug, Clone, PartialEq)]
pub struct ManagedTask {
    /// Its ID; a later task has a larger number.
    pub id: TaskId,
    /// The name of its cluster.
    pub target: String,
    /// Its state.
    pub state: TaskState,
    /// 0.0 to 1.0.
    pub progress: f64,
    /// The error message.
    pub error: Option<String>,
}

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// In progress.
    Running,
    /// It succeeded.
    Completed,
    /// It failed or was abandoned.
    Failed,
}
