//! Events: what happened to a cluster, for people. No decision reads them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::NodeName;

/// How grave an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As expected.
    Info,
    /// Not as expected; work goes on.
    Warning,
    /// Something failed.
    Error,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// How grave.
    pub level: Level,
    /// A stable word: `port_created`, `operation_failed`, ...
    pub reason: String,
    /// To which node, if to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeName>,
    /// A sentence.
    pub message: String,
}
