//! Conditions: the current state of a node or a cluster, since when, and why.
//!
//! Invariant: a condition keeps its date as long as its status does not change. Events report
//! that a condition changed, never that a call failed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::System;

/// A condition of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// The condition's type.
    #[serde(rename = "type")]
    pub kind: ConditionKind,
    /// Yes, no, or not known.
    pub status: ConditionStatus,
    /// One word, `CamelCase`.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Since when it has this status.
    pub since: Timestamp,
}

/// The type of a node's condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConditionKind {
    /// The VM exists.
    VmExists,
    /// Its card has a complete Neutron port of ours.
    PortReady,
    /// NSX has attached the card: index set and read back, or external ID set. Not used for ML2.
    Attached,
    /// A driver of Neutron has bound the port to its host. Used for ML2 only, where the site names a host.
    Bound,
    /// The guest has its port's address.
    Addressed,
}

/// The status of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// The condition holds.
    True,
    /// The condition does not hold.
    False,
    /// Unknown.
    Unknown,
}

/// A condition of a cluster as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterCondition {
    /// The condition's type.
    #[serde(rename = "type")]
    pub kind: ClusterConditionKind,
    /// Yes, no, or not known.
    pub status: ConditionStatus,
    /// One word, `CamelCase` or a stable error code.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Since when it has this status.
    pub since: Timestamp,
}

/// The type of a cluster's condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ClusterConditionKind {
    /// The cluster manager's cluster of this name is this one.
    Owned,
    /// The cluster manager answers.
    BdeReachable,
    /// vCenter answers, and its watch is open.
    VcenterReachable,
    /// Neutron answers.
    NeutronReachable,
    /// The cluster manager can start the requested work: `False` while the request waits in a queue,
    /// or while the cluster is stuck in a busy status without a task.
    BdeReady,
    /// Howdah can create and keep every port.
    PortsReady,
    /// The cluster's secrets are readable.
    SecretsReadable,
}

impl ClusterConditionKind {
    /// The condition for the health of a system.
    pub const fn reachable(system: System) -> Self {
        match system {
            System::Bde => Self::BdeReachable,
            System::VCenter => Self::VcenterReachable,
            System::Neutron | System::Keystone => Self::NeutronReachable,
            System::Store => Self::SecretsReadable,
        }
    }
}
