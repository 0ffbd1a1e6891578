//! Conditions: what is true of a node or a cluster now, since when, and why.
//!
//! Invariant: a condition keeps its date for as long as its status does not change. Events tell
//! that a condition changed, never that a call failed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::System;

/// Something that is true of a node now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What it is about.
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

/// What a condition of a node is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConditionKind {
    /// The VM exists.
    VmExists,
    /// Its card has a Neutron port, complete and ours.
    PortReady,
    /// NSX knows the card: index set and read back, or attachment set. Not asked of ML2.
    Attached,
    /// The guest has the address that its port promises.
    Addressed,
}

/// Yes, no, or not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConditionStatus {
    /// Yes.
    True,
    /// No.
    False,
    /// Not known.
    Unknown,
}

/// Something that is true of a cluster as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterCondition {
    /// What it is about.
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

/// What a condition of a cluster is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ClusterConditionKind {
    /// The cluster in the cluster manager is this one.
    Owned,
    /// The cluster manager answers.
    BdeReachable,
    /// vCenter answers, and its watch is open.
    VcenterReachable,
    /// Neutron answers.
    NeutronReachable,
    /// The cluster manager can begin what it was asked for: `False` while it waits in its queue,
    /// or while it is stuck in a status without a task.
    BdeReady,
    /// Every port can be made and kept as it should be.
    PortsReady,
    /// The cluster's secrets are readable.
    SecretsReadable,
}

impl ClusterConditionKind {
    /// The condition that says whether a system answers.
    pub const fn reachable(system: System) -> Self {
        match system {
            System::Bde => Self::BdeReachable,
            System::VCenter => Self::VcenterReachable,
            System::Neutron | System::Keystone => Self::NeutronReachable,
            System::Store => Self::SecretsReadable,
        }
    }
}
