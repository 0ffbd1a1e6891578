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
    /// Sorted by time of creation.
    pub clusters: Vec<C>,
    /// Clusters whose stored documents cannot be read; absent if there are none.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<UnreadableCluster>,
    /// The `marker` of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An entry of a list: the long form if the request has `detail=true`, else the short form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(untagged)]
pub enum ListedCluster {
    /// The long form.
    Detail(Box<Cluster>),
    /// The short form.
    Summary(Box<ClusterSummary>),
}

/// A cluster whose stored documents cannot be read: a newer version wrote them, or they are damaged.
/// Howdah leaves it unchanged and refuses requests for it (409 `cluster_unreadable`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct UnreadableCluster {
    /// Its ID, chosen by the client.
    pub id: Uuid,
    /// Its site.
    pub site: String,
    /// The Keystone project it belongs to.
    pub project: String,
    /// Its name, unique in the site.
    pub name: String,
    /// Always `unreadable`.
    #[cfg_attr(feature = "openapi", schema(value_type = Unreadable))]
    pub status: String,
    /// Why the document cannot be read.
    pub status_reason: String,
}

impl<C> Default for Clusters<C> {
    fn default() -> Self {
        Self { clusters: Vec::new(), unreadable: Vec::new(), next: None }
    }
}
