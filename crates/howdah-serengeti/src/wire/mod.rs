//! The JSON bodies of the service.
//!
//! Names are those of the service's classes, including oddities and misspellings. Invariant: the types have
//! every field of the newest release and send nulls, because the service's command line fails on missing or
//! unknown fields; each type lists the fields that older releases lack, and [`crate::release::answer`]
//! removes them. Request types refuse unknown fields, like the service; types that only a server sends
//! ignore them.

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
