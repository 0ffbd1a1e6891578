//! Events of a cluster, for users. No decision reads them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::NodeName;

/// The severity of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Expected.
    Info,
    /// Unexpected; the service continues.
    Warning,
    /// Something failed.
    Error,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Severity.
    pub level: Level,
    /// A stable word: `port_created`, `operation_failed`, ...
    pub reason: String,
    /// The node, if the event concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeName>,
    /// The message.
    pub message: String,
}
