//! The JSON bodies of the service.
//!
//! Names are those of the service's own classes, oddities and misspellings included. Invariant:
//! every field of the newest release is there and nulls are sent, because the service's own
//! command line fails on a field that is missing or unknown; what older releases lack is listed
//! per type and taken out by [`crate::release::answer`]. Request types refuse unknown fields, as
//! the service does; types that only a server sends ignore them.

mod cluster;
mod error;
mod lenient;
mod network;
mod read;
mod resource;

pub use cluster::{
    ClusterCreate, ClusterType, GroupAssociation, GroupRacks, NodeGroupCreate, Password, PlacementPolicies, Storage,
    VcCluster,
};
pub use error::{ErrorBody, code};
pub use network::{DnsType, IpAllocation, IpBlock, NetworkAdd, NetworkRead};
pub use read::{ClusterRead, ClusterStatus, IpConfig, NodeGroupRead, NodeRead};
pub use resource::{
    AppManagerRead, DatastoreDetail, DatastoreRead, DistroRead, Hello, ResourcePoolRead, TaskNode, TaskRead, TaskStatus,
};
