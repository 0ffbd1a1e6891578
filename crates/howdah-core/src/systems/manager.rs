//! The cluster manager (BDE): what it is asked, and what it says.
//!
//! Invariant: what it says is what was *seen*, never what was concluded from it; anything that may be
//! absent there is an `Option` here. No wire words: the adapter (`howdah-serengeti`) translates.

use std::collections::BTreeSet;

use async_trait::async_trait;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::ids::{ClusterName, GroupName, NodeName, TaskId, VmRef};
use crate::known::Likeness;
use crate::specification::Specification;
use crate::systems::Remote;
use crate::wanted::NodeGroup;

/// Who makes the VMs: BDE.
#[async_trait]
pub trait ClusterManager: Send + Sync {
    /// The manager's version as it says itself; for people and for the log.
    async fn version(&self) -> Remote<String>;

    /// What can be asked for, of this application manager or of the manager's default. One that there
    /// is not is missing in the catalogue, and has no distributions.
    async fn catalog(&self, app_manager: Option<&str>) -> Remote<Catalog>;

    /// What the request for this cluster claims: the checks before a create look at it. Asks nobody.
    /// `Invalid` if the site takes no such request.
    fn demand(&self, spec: &ManagedSpec) -> Remote<Demand>;

    /// All registered networks.
    async fn networks(&self) -> Remote<Vec<RegisteredNetwork>>;

    /// Registers a network. `Conflict` if the name is taken.
    async fn register_network(&self, network: &RegisteredNetwork) -> Remote<()>;

    /// Removes a registration.
    async fn unregister_network(&self, name: &str) -> Remote<Unregistered>;

    /// A cluster and its nodes; `None` if there is none of that name.
    async fn cluster(&self, name: &ClusterName) -> Remote<Option<ManagedCluster>>;

    /// Starts a create. `Conflict` if the name is taken.
    async fn create_cluster(&self, spec: &ManagedSpec) -> Remote<TaskId>;

    /// Starts a start, stop or resume.
    async fn change_cluster(&self, name: &ClusterName, change: ManagedChange) -> Remote<TaskId>;

    /// Starts a delete; `None` if there is nothing to delete.
    async fn delete_cluster(&self, name: &ClusterName) -> Remote<Option<TaskId>>;

    /// A task; `None` if the manager does not know it.
    async fn task(&self, task: &TaskId) -> Remote<Option<ManagedTask>>;

    /// The newest task of each cluster that is there, whoever asked for it.
    async fn tasks(&self) -> Remote<Vec<ManagedTask>>;
}

/// A network as it is registered in the cluster manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredNetwork {
    /// The name under which clusters refer to it.
    pub name: String,
    /// The port group's name in vCenter, exactly.
    pub port_group: String,
    /// Whether nodes on it ask for their addresses.
    pub dhcp: bool,
}

/// What became of the wish to remove a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unregistered {
    /// It is gone.
    Removed,
    /// It was not there.
    Absent,
    /// A cluster still uses it.
    InUse,
}

/// What the cluster manager can offer: names for the checks before a create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Distributions of the application manager that was asked for.
    pub distros: Vec<String>,
    /// Registered resource pools.
    pub resource_pools: Vec<String>,
    /// Registered datastores.
    pub datastores: Vec<String>,
    /// Application managers; where none was asked for, perhaps not all of them.
    pub app_managers: Vec<String>,
}

/// What a request claims, read off the very body that is sent for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    /// How many nodes; `None` if that is left to the distribution's template.
    pub nodes: Option<u64>,
    /// Resource pools by their registered names, wherever the body has them.
    pub resource_pools: BTreeSet<String>,
    /// Datastores likewise.
    pub datastores: BTreeSet<String>,
    /// Application manager; the manager's default if absent.
    pub app_manager: Option<String>,
}

/// A cluster as the manager is asked for it.
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
    /// Further fields of the manager's own cluster specification, laid under the ones above.
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
    /// Take up a create that failed.
    Resume,
}

/// Where the manager says that a cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum ManagedStatus {
    /// A create or resume is running.
    Provisioning,
    /// A create failed; it can be resumed or deleted.
    ProvisionError,
    /// All is well.
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

    /// Whether its VMs are up and nothing is being done to them.
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Running | Self::ServiceWarning | Self::ServiceStopped)
    }
}

/// A cluster as the manager shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct ManagedCluster {
    /// Its status.
    pub status: ManagedStatus,
    /// The manager's own word for that, for people.
    pub status_text: String,
    /// How many nodes are defined, over all groups.
    pub node_count: usize,
    /// What it was made from, as far as the manager shows it.
    pub likeness: Likeness,
    /// Its nodes, as far as the manager has planned them; sorted by group, then index.
    pub nodes: Vec<ManagedNode>,
}

/// A node as the manager shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ManagedNode {
    /// `<cluster>-<group>-<index>`.
    pub name: NodeName,
    /// The node group's name.
    pub group: GroupName,
    /// Roles.
    pub roles: Vec<String>,
    /// The VM, once it is cloned.
    pub vm: Option<VmRef>,
    /// The manager's words for status and action, for people: not to be decided on.
    pub status_text: String,
    /// What went wrong with this node, if anything.
    pub error: Option<String>,
}

/// A task of the manager.
#[derive(Debug, Clone, PartialEq)]
pub struct ManagedTask {
    /// Its id; a later task has a larger number.
    pub id: TaskId,
    /// The name of the cluster it is about.
    pub target: String,
    /// Where it is.
    pub state: TaskState,
    /// 0.0 to 1.0.
    pub progress: f64,
    /// What it says of its failure.
    pub error: Option<String>,
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Not ended.
    Running,
    /// Ended well.
    Completed,
    /// Ended badly, or given up.
    Failed,
}
