//! Lists of clusters, a page at a time.

use serde::{Deserialize, Serialize};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;
use uuid::Uuid;

use crate::cluster::{Cluster, ClusterSummary};
#[cfg(feature = "openapi")]
use crate::words::Unreadable;

/// A page of the clusters that the requester may see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Clusters<C = ClusterSummary> {
    /// By time of creation.
    pub clusters: Vec<C>,
    /// Those whose stored documents cannot be read; left out if there are none.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<UnreadableCluster>,
    /// What to give as `marker` for the page after this one; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An entry of a list: the long form where the request has `detail=true`, else the short one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(untagged)]
pub enum ListedCluster {
    /// In full.
    Detail(Box<Cluster>),
    /// In short.
    Summary(Box<ClusterSummary>),
}

/// A cluster whose stored documents cannot be read: a newer version wrote them, or they are damaged.
/// Nothing is done about it, and nothing can be asked of it (409 `cluster_unreadable`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct UnreadableCluster {
    /// Chosen by whoever asked for it.
    pub id: Uuid,
    /// Where it lives.
    pub site: String,
    /// The Keystone project it belongs to.
    pub project: String,
    /// Unique in the site.
    pub name: String,
    /// Always `unreadable`.
    #[cfg_attr(feature = "openapi", schema(value_type = Unreadable))]
    pub status: String,
    /// What was found in place of a document.
    pub status_reason: String,
}

impl<C> Default for Clusters<C> {
    fn default() -> Self {
        Self { clusters: Vec::new(), unreadable: Vec::new(), next: None }
    }
}
