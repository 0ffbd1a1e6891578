//! The wanted state of a cluster. Only the API writes it.
//!
//! The controller reads it at every pass, so signals between the two carry no data. It is stored
//! as JSON, in the version that [`crate::document`] writes.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::ids::{ClusterId, ClusterKey, ClusterName, GroupName, OperationId, ProjectId, SecurityGroupId, SiteName};
use crate::request::RequestId;
use crate::sealed::SealedSecrets;
use crate::specification::{SealedSpecification, Specification};
use crate::systems::networking::{Network, Subnet};

/// The goal of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Running, with an address on every node.
    Running,
    /// Existing and powered off.
    Stopped,
    /// Deleted, with its VMs, ports and registration.
    Deleted,
}

/// The condition for a create to be complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// Every node has its port's address.
    #[default]
    Addresses,
    /// In addition, the cluster manager reports that the software runs.
    Services,
}

/// The strongest remedy allowed for a node that missed its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemedyPolicy {
    /// Any remedy of the decision table.
    #[default]
    Auto,
    /// At most, disconnect and reconnect the card.
    Bounce,
    /// None.
    Off,
}

/// A requested node group. The cluster manager chooses absent sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeGroup {
    /// Its name.
    pub name: GroupName,
    /// Role names of the distribution.
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

/// The part of a cluster that is fixed after the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// Distribution.
    pub distro: String,
    /// Application manager; the cluster manager's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_manager: Option<String>,
    /// The network, as visible to the requester.
    pub network: Network,
    /// The subnet, likewise.
    pub subnet: Subnet,
    /// Security groups; an empty list means the project's default.
    #[serde(default)]
    pub security_groups: Vec<SecurityGroupId>,
    /// Resource pools by their registered names; all if empty.
    #[serde(default)]
    pub resource_pools: Vec<String>,
    /// Datastores by their registered names; all if empty.
    #[serde(default)]
    pub datastores: Vec<String>,
    /// Set if the request has more fields of the cluster manager's specification. The fields are in the
    /// [`Secrets`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specification: Option<SealedSpecification>,
    /// The digests of the request's passwords; `None` if a version without digests wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SealedSecrets>,
    /// When a create is complete.
    #[serde(default)]
    pub wait_for: WaitFor,
    /// What may be done to a node that missed its lease.
    #[serde(default)]
    pub remedy: RemedyPolicy,
}

/// The part of a cluster that can change after the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Incremented with each change, from 1. The controller saves the newest one that it has observed
    /// ([`observed_generation`](crate::known::ClusterState::observed_generation)).
    pub generation: u64,
    /// The goal.
    pub goal: Goal,
    /// Node groups; the distribution's default template if empty.
    #[serde(default)]
    pub node_groups: Vec<NodeGroup>,
}

impl Shape {
    /// The shape of a new cluster.
    pub const fn first(node_groups: Vec<NodeGroup>) -> Self {
        Self { generation: 1, goal: Goal::Running, node_groups }
    }

    /// The next generation, with another goal.
    #[must_use]
    pub fn with_goal(&self, goal: Goal) -> Self {
        Self { generation: self.generation.saturating_add(1), goal, ..self.clone() }
    }
}

/// The kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Create it, or resume a failed create.
    Create,
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Delete it.
    Delete,
}

/// A requested operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRequest {
    /// Chosen by the service when it accepted the request.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// When it was accepted.
    pub requested: Timestamp,
    /// The ID of the requesting Keystone user; `None` for the operator on the service's host, and for
    /// requests from versions that did not store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The ID of the request; `None` for requests from versions that did not store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
}

/// The record of a cluster: its wanted state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// Chosen by the caller.
    pub id: ClusterId,
    /// Its site.
    pub site: SiteName,
    /// Its project.
    pub project: ProjectId,
    /// Its name, unique in the site.
    pub name: ClusterName,
    /// The fixed part.
    pub spec: ClusterSpec,
    /// The changeable part.
    pub shape: Shape,
    /// The newest operation.
    pub operation: OperationRequest,
    /// When it was first requested.
    pub created: Timestamp,
}

impl ClusterRecord {
    /// Its key.
    pub fn key(&self) -> ClusterKey {
        ClusterKey { project: self.project.clone(), id: self.id }
    }

    /// The Keystone project that owns its ports and whose quota they use: the cluster's, or the network's if
    /// the cluster's project is not in Keystone.
    pub fn port_project(&self) -> &ProjectId {
        if self.project.as_str() == LOCAL_PROJECT { &self.spec.network.project } else { &self.project }
    }
}

/// The project of clusters that a local user of the service's host requested without a project. It is
/// not in Keystone.
pub const LOCAL_PROJECT: &str = "local";

/// The secrets of a request: stored encrypted, and only as long as they are needed.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// The nodes' root password.
    pub cluster_password: Option<SecretString>,
    /// The template's credentials for the cluster manager, if the operator allows them: user, password.
    pub credentials: Option<(String, SecretString)>,
    /// More fields of the cluster manager's specification.
    pub specification: Option<Specification>,
}
