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
    /// What it went through.
    #[serde(default)]
    pub history: NodeHistory,
}

/// What a node went through: when the service first saw each of these. A boot before `port_ready` had no port
/// to get its address from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct NodeHistory {
    /// How many VMs it has had, the present one included.
    pub incarnations: u32,
    /// When the present VM was first seen.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub vm_seen: Option<Timestamp>,
    /// When the present VM's card first had its port.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub port_ready: Option<Timestamp>,
    /// How often the present VM was seen to boot.
    pub boots: u32,
    /// The newest of these boots, at most four, oldest first.
    pub recent_boots: Vec<Boot>,
}

/// A boot of a node's VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Boot {
    /// When the VM was first seen to be on.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub seen: Timestamp,
    /// When vCenter says that it was powered on, by vCenter's clock.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub vcenter: Option<Timestamp>,
    /// When the guest first had the address that its port promises.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub addressed: Option<Timestamp>,
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
