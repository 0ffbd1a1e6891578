//! Events of a cluster. The stream of `GET /v1/clusters/{id}/events` has the same documents.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;

use crate::words::Level;

/// An event of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Event {
    /// Its number in the cluster, from 1.
    pub id: u64,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// Severity.
    pub level: Level,
    /// The reason: a stable word.
    pub reason: String,
    /// The node, if the event concerns one.
    pub node: Option<String>,
    /// The message.
    pub message: String,
}

/// Events of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Events {
    /// Oldest first, at most 1000; for more, repeat the request with the last event's ID.
    pub events: Vec<Event>,
}
