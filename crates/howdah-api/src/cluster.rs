//! A cluster, in its long and its short form. The short one has fields of the long one, under the same
//! names, and none whose size grows with the number of nodes.

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
    /// Chosen by whoever asked for it.
    pub id: Uuid,
    /// Where it lives.
    pub site: String,
    /// The Keystone project it belongs to.
    pub project: String,
    /// Unique in the site.
    pub name: String,
    /// The distribution.
    pub cluster_type: String,
    /// What it shall be.
    pub wanted: Wanted,
    /// What it is, in one word.
    #[cfg_attr(feature = "openapi", schema(value_type = Status))]
    pub status: String,
    /// The same in a sentence.
    pub status_reason: String,
    /// What is true of the cluster as a whole.
    #[serde(default)]
    pub conditions: Vec<ClusterCondition>,
    /// Of the operation, 0.0 to 1.0.
    pub progress: f64,
    /// Its network.
    pub network: Named,
    /// Its subnet.
    pub subnet: SubnetView,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// How many nodes it has, as far as that is known.
    pub node_count: usize,
    /// How many nodes are at each stage of their boot.
    pub stages: Stages,
    /// The newest operation.
    pub operation: Operation,
    /// Its nodes, by group and number.
    pub nodes: Vec<Node>,
    /// Addresses by node group.
    pub addresses: BTreeMap<String, Vec<String>>,
    /// The address of the node that clients of the cluster talk to, where one can be told.
    pub master_address: Option<String>,
    /// When it was asked for.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created: Timestamp,
}

/// A cluster in short, as lists show it: counts in place of the nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct ClusterSummary {
    /// Chosen by whoever asked for it.
    pub id: Uuid,
    /// Where it lives.
    pub site: String,
    /// The Keystone project it belongs to.
    pub project: String,
    /// Unique in the site.
    pub name: String,
    /// The distribution.
    pub cluster_type: String,
    /// What it shall be.
    pub wanted: Wanted,
    /// What it is, in one word.
    #[cfg_attr(feature = "openapi", schema(value_type = Status))]
    pub status: String,
    /// The same in a sentence.
    pub status_reason: String,
    /// Of the operation, 0.0 to 1.0.
    pub progress: f64,
    /// Its network.
    pub network: Named,
    /// How many nodes it has, as far as that is known.
    pub node_count: usize,
    /// How many nodes are at each stage of their boot.
    pub stages: Stages,
    /// The newest operation.
    pub operation: Operation,
    /// When it was asked for.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created: Timestamp,
}

/// An id with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Named {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct SubnetView {
    /// Id.
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
    /// Planned; there is no VM yet.
    pub planned: usize,
    /// The VM exists and is off.
    pub cloned: usize,
    /// The VM is on and its user space has not reported.
    pub booting: usize,
    /// User space is up, without a usable address.
    pub no_address: usize,
    /// It has the address that its port promises.
    pub addressed: usize,
}

/// Something that is true of a cluster as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct ClusterCondition {
    /// What it is about.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = ClusterConditionType))]
    pub kind: String,
    /// Yes, no, or not known.
    pub status: ConditionStatus,
    /// One word, or the code of an error.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Since when it has this status.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: Timestamp,
}
