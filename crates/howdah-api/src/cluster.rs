//! A cluster, in its long and its short form. The short form has a part of the long form's fields, under the
//! same names, and none whose size grows with the number of nodes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;
use uuid::Uuid;

use crate::node::Node;
use crate::operation::Operation;
#[cfg(feature = "openapi")]
use crate::words::{ClusterConditionType, Status};
use crate::words::{ConditionStatus, Wanted};

/// A cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Cluster {
    /// Its ID, chosen by the client.
    pub id: Uuid,
    /// Its site.
    pub site: String,
    /// The Keystone project it belongs to.
    pub project: String,
    /// Its name, unique in the site.
    pub name: String,
    /// The distribution.
    pub cluster_type: String,
    /// The requested state.
    pub wanted: Wanted,
    /// Its status, in one word.
    #[cfg_attr(feature = "openapi", schema(value_type = Status))]
    pub status: String,
    /// The reason for the status, in a sentence.
    pub status_reason: String,
    /// Conditions of the cluster as a whole.
    #[serde(default)]
    pub conditions: Vec<ClusterCondition>,
    /// Progress of the operation, 0.0 to 1.0.
    pub progress: f64,
    /// Its network.
    pub network: Named,
    /// Its subnet.
    pub subnet: SubnetView,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// Number of nodes, as far as known.
    pub node_count: usize,
    /// Number of nodes at each stage of their boot.
    pub stages: Stages,
    /// The newest operation.
    pub operation: Operation,
    /// Its nodes, by group and number.
    pub nodes: Vec<Node>,
    /// Addresses by node group.
    pub addresses: BTreeMap<String, Vec<String>>,
    /// The address of the node that the cluster's clients connect to, if one stands out.
    pub master_address: Option<String>,
    /// When the API accepted the request.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created: Timestamp,
}

/// The short form of a cluster, as lists show it: counts instead of nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct ClusterSummary {
    /// Its ID, chosen by the client.
    pub id: Uuid,
    /// Its site.
    pub site: String,
    /// The Keystone project it belongs to.
    pub project: String,
    /// Its name, unique in the site.
    pub name: String,
    /// The distribution.
    pub cluster_type: String,
    /// The requested state.
    pub wanted: Wanted,
    /// Its status, in one word.
    #[cfg_attr(feature = "openapi", schema(value_type = Status))]
    pub status: String,
    /// The reason for the status, in a sentence.
    pub status_reason: String,
    /// Progress of the operation, 0.0 to 1.0.
    pub progress: f64,
    /// Its network.
    pub network: Named,
    /// Number of nodes, as far as known.
    pub node_count: usize,
    /// Number of nodes at each stage of their boot.
    pub stages: Stages,
    /// The newest operation.
    pub operation: Operation,
    /// When the API accepted the request.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created: Timestamp,
}

/// An object's ID and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Named {
    /// ID.
    pub id: String,
    /// Name.
    pub name: String,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct SubnetView {
    /// ID.
    pub id: String,
    /// Name.
    pub name: String,
    /// `10.0.0.0/24`.
    pub cidr: String,
}

/// Nodes by stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Stages {
    /// Planned; the VM does not exist yet.
    pub planned: usize,
    /// The VM exists and is off.
    pub cloned: usize,
    /// The VM is on; VMware Tools has not reported yet.
    pub booting: usize,
    /// VMware Tools runs, but reports no usable address.
    pub no_address: usize,
    /// The node has its port's address.
    pub addressed: usize,
}

impl Stages {
    /// Number of nodes whose VM exists.
    pub const fn existing(&self) -> usize {
        self.cloned + self.booting + self.no_address + self.addressed
    }
}

/// A condition of a cluster as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct ClusterCondition {
    /// The condition's type.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = ClusterConditionType))]
    pub kind: String,
    /// True, false or unknown.
    pub status: ConditionStatus,
    /// The reason: one word, or an error code.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Since when it has this status.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: Timestamp,
}
