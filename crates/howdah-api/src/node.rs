//! A node of a cluster, and what is true of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;
use uuid::Uuid;

#[cfg(feature = "openapi")]
use crate::words::ConditionType;
use crate::words::{ConditionStatus, Stage};

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Node {
    /// `<cluster>-<group>-<index>`.
    pub name: String,
    /// Its group.
    pub group: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// Where it is in its boot.
    pub stage: Stage,
    /// The address that it has.
    pub address: Option<String>,
    /// Its card's address on the wire.
    pub mac: Option<String>,
    /// Its card's Neutron port.
    pub port_id: Option<String>,
    /// Its VM in vCenter.
    pub vm_id: Option<String>,
    /// Its VM's instance UUID.
    pub instance_uuid: Option<Uuid>,
    /// What the cluster manager says of it.
    pub manager_says: String,
    /// What is true of it.
    pub conditions: Vec<Condition>,
}

/// Something that is true of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = ConditionType))]
    pub kind: String,
    /// Yes, no, or not known.
    pub status: ConditionStatus,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Since when it has this status.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: Timestamp,
}
