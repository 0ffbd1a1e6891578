//! A node of a cluster, and its conditions.

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
    /// The stage of its boot.
    pub stage: Stage,
    /// Its IP address.
    pub address: Option<String>,
    /// The MAC address of its card.
    pub mac: Option<String>,
    /// The Neutron port of its card.
    pub port_id: Option<String>,
    /// Its VM in vCenter.
    pub vm_id: Option<String>,
    /// Its VM's instance UUID.
    pub instance_uuid: Option<Uuid>,
    /// The status that the cluster manager reports.
    pub manager_says: String,
    /// Its conditions.
    pub conditions: Vec<Condition>,
}

/// A condition of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Condition {
    /// The condition's type.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", schema(value_type = ConditionType))]
    pub kind: String,
    /// True, false or unknown.
    pub status: ConditionStatus,
    /// The reason, in one word.
    pub reason: String,
    /// The message.
    pub message: String,
    /// Since when it has this status.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: Timestamp,
}
