//! What happened to a cluster. The stream of `GET /v1/clusters/{id}/events` has the same documents.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;

use crate::words::Level;

/// Something that happened to a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Event {
    /// Its number in the cluster, from 1.
    pub id: u64,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// How grave.
    pub level: Level,
    /// A stable word.
    pub reason: String,
    /// The node it happened to.
    pub node: Option<String>,
    /// A sentence.
    pub message: String,
}

/// Events of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Events {
    /// Oldest first; at most 1000, ask again after the last one's id.
    pub events: Vec<Event>,
}
