//! What a cluster is wanted to be. Its one writer is the API.
//!
//! The controller reads it at every pass, so a signal between the two carries no data. It is stored
//! as JSON, in the version that [`crate::document`] writes.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::ids::{ClusterId, ClusterKey, ClusterName, GroupName, OperationId, ProjectId, SecurityGroupId, SiteName};
use crate::sealed::SealedSecrets;
use crate::specification::{SealedSpecification, Specification};
use crate::systems::networking::{Network, Subnet};

/// What a cluster should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Up, with an address on every node.
    Running,
    /// There, switched off.
    Stopped,
    /// Gone, with everything that was made for it.
    Deleted,
}

/// What has to be true for a create to count as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// Every node has the address that its port promises.
    #[default]
    Addresses,
    /// Besides, the cluster manager says that the software runs.
    Services,
}

/// What may be done to a node that missed its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemedyPolicy {
    /// Whatever the decision table allows.
    #[default]
    Auto,
    /// At most a bounce of the card.
    Bounce,
    /// Nothing.
    Off,
}

/// A node group as asked for. Sizes left out are the cluster manager's choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeGroup {
    /// Its name.
    pub name: GroupName,
    /// Roles, as the distribution names them.
    pub roles: Vec<String>,
    /// How many nodes.
    pub count: u32,
    /// CPUs of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Memory of a node, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// Data disks of a node together, in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_gb: Option<u32>,
}

/// The part of a cluster that cannot be changed after it was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// Distribution.
    pub distro: String,
    /// Application manager; the cluster manager's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_manager: Option<String>,
    /// The network, as the requester was allowed to see it.
    pub network: Network,
    /// The subnet, likewise.
    pub subnet: Subnet,
    /// Security groups; none is the project's default.
    #[serde(default)]
    pub security_groups: Vec<SecurityGroupId>,
    /// Resource pools by their registered names; all if empty.
    #[serde(default)]
    pub resource_pools: Vec<String>,
    /// Datastores by their registered names; all if empty.
    #[serde(default)]
    pub datastores: Vec<String>,
    /// Further fields of the cluster manager's own specification: that there are some. The fields
    /// are among the [`Secrets`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specification: Option<SealedSpecification>,
    /// The passwords of the request, by their digests; `None` if a version that kept none wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SealedSecrets>,
    /// When a create counts as done.
    #[serde(default)]
    pub wait_for: WaitFor,
    /// What may be done to a node that missed its lease.
    #[serde(default)]
    pub remedy: RemedyPolicy,
}

/// The part of a cluster that can be changed after it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Counts up with each change, from 1. The controller writes down the newest that it has taken up
    /// ([`observed_generation`](crate::known::ClusterState::observed_generation)).
    pub generation: u64,
    /// What the cluster should be.
    pub goal: Goal,
    /// Node groups; the distribution's default template if empty.
    #[serde(default)]
    pub node_groups: Vec<NodeGroup>,
}

impl Shape {
    /// That of a cluster that is asked for.
    pub const fn first(node_groups: Vec<NodeGroup>) -> Self {
        Self { generation: 1, goal: Goal::Running, node_groups }
    }

    /// The next generation, with another goal.
    #[must_use]
    pub fn with_goal(&self, goal: Goal) -> Self {
        Self { generation: self.generation.saturating_add(1), goal, ..self.clone() }
    }
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Bring it up for the first time, or finish that.
    Create,
    /// Switch it on.
    Start,
    /// Switch it off.
    Stop,
    /// Remove it.
    Delete,
}

/// An operation as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRequest {
    /// Chosen by the service when it accepted the request.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// When it was accepted.
    pub requested: Timestamp,
    /// The id of the Keystone user who asked; none for the operator on the service's own host, and for
    /// what was asked before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A cluster as it is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// Chosen by the caller.
    pub id: ClusterId,
    /// Where it lives.
    pub site: SiteName,
    /// Whose it is.
    pub project: ProjectId,
    /// Unique in the site.
    pub name: ClusterName,
    /// The unchangeable part.
    pub spec: ClusterSpec,
    /// The changeable part.
    pub shape: Shape,
    /// The newest operation.
    pub operation: OperationRequest,
    /// When it was asked for first.
    pub created: Timestamp,
}

impl ClusterRecord {
    /// What it is kept under.
    pub fn key(&self) -> ClusterKey {
        ClusterKey { project: self.project.clone(), id: self.id }
    }

    /// The Keystone project that its ports belong to, and whose quota they use: the cluster's own,
    /// or the network's where the cluster's is none of Keystone's.
    pub fn port_project(&self) -> &ProjectId {
        if self.project.as_str() == LOCAL_PROJECT { &self.spec.network.project } else { &self.project }
    }
}

/// The project of clusters that a local user of the service's own host asked for without naming
/// one. It is none of Keystone's.
pub const LOCAL_PROJECT: &str = "local";

/// What must never be shown: kept sealed, and only for as long as it is needed.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// The nodes' root password.
    pub cluster_password: Option<SecretString>,
    /// Cluster manager credentials of the template, where the operator allows them: user, password.
    pub credentials: Option<(String, SecretString)>,
    /// Further fields of the cluster manager's own specification.
    pub specification: Option<Specification>,
}
