//! An operation, and the answer to the request that starts it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;
use uuid::Uuid;

use crate::cluster::Cluster;
use crate::words::{OperationKind, OperationState};

/// An operation that is in progress or has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Operation {
    /// Chosen by the service.
    pub id: Uuid,
    /// Its kind.
    pub kind: OperationKind,
    /// Its state.
    pub state: OperationState,
    /// When the API accepted it.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub requested: Timestamp,
    /// When the service started it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub ended: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Reason>,
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Reason {
    /// A stable code.
    pub code: String,
    /// The message.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The nodes that it is about, all of them. Left out if it is not about nodes, and in the short form of a
    /// cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
}

/// The answer to a write request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Accepted {
    /// The cluster after the request.
    pub cluster: Cluster,
    /// The operation that carries out the request.
    pub operation: Operation,
    /// A capability for the header `X-Howdah-Capability`. It permits reading this cluster and its events
    /// without a token, as long as the cluster exists and some days longer.
    pub capability: String,
}
