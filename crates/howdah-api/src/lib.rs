//! The types of Howdah's native API, `/v1`: requests and answers.
//!
//! | module | nouns |
//! |---|---|
//! | [`request`] | the bodies of `PUT` |
//! | [`cluster`], [`list`] | a cluster; a list of them |
//! | [`node`] | a node and its conditions |
//! | [`operation`] | an operation; the answer to a write |
//! | [`event`] | an event of a cluster |
//! | [`service`] | sites and their systems |
//! | [`error`] | an error answer |
//! | [`words`] | the enumerations |
//!
//! Invariants: no answer can hold a secret; a request's secrets are
//! [`SecretString`](secrecy::SecretString)s from deserialization on. Fields may be added, never renamed:
//! clients of other versions read these documents. An enumeration that later versions may extend (a status,
//! a condition's type) is a plain string in the documents, so that an older client can show it; the types in
//! [`words`] list the values of this version.
//!
//! The crate does no I/O and depends on no other crate of Howdah: the service converts its own types into
//! these, so stored documents and clients can change independently. The feature `openapi` adds schemas to
//! the types.
//!
//! `examples/list.rs` prints a page of clusters.
//!
//! ```
//! use howdah_api::{Event, Level};
//!
//! let line = r#"{"id": 7, "at": "2026-01-02T03:04:05Z", "level": "info", "reason": "port_created",
//!                "node": "c-worker-0", "message": "Its port exists."}"#;
//! let event: Event = serde_json::from_str(line)?;
//! assert_eq!((event.id, event.level), (7, Level::Info));
//! # Ok::<(), serde_json::Error>(())
//! ```

pub mod cluster;
pub mod error;
pub mod event;
pub mod list;
pub mod node;
pub mod operation;
pub mod request;
mod secret;
pub mod service;
pub mod words;

pub use cluster::{Cluster, ClusterCondition, ClusterSummary, Named, Stages, SubnetView};
pub use error::{ErrorBody, ErrorView};
pub use event::{Event, Events};
pub use list::{Clusters, ListedCluster, UnreadableCluster};
pub use node::{Boot, Condition, Node, NodeHistory};
pub use operation::{Accepted, Operation, Reason};
pub use request::{ClusterBody, NodeGroupBody, Specification, StateBody};
pub use service::{Site, SiteList, SystemHealth};
pub use words::{
    ClusterConditionType, ConditionStatus, ConditionType, Level, OperationKind, OperationState, Remedy, Stage, State,
    Status, Unreadable, WaitFor, Wanted,
};
