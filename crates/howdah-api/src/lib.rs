//! The types of Howdah's native API, `/v1`: what a client sends and what it is answered.
//!
//! | module | nouns |
//! |---|---|
//! | [`request`] | the bodies of `PUT` |
//! | [`cluster`], [`list`] | a cluster; a list of them |
//! | [`node`] | a node and its conditions |
//! | [`operation`] | an operation; the answer to a write |
//! | [`event`] | what happened |
//! | [`service`] | sites and their systems |
//! | [`error`] | a refusal |
//! | [`words`] | the enumerations |
//!
//! Invariants: nothing that is answered can hold a secret; in a request a secret is a
//! [`SecretString`](secrecy::SecretString) from the first moment. A field may be added, never renamed:
//! clients of other versions read this. A word that may get company in a later version (a status, what a
//! condition is about) is a plain string in the documents, so that a client can show it; the type of
//! [`words`] lists those that this version knows.
//!
//! The crate does no I/O and depends on no other crate of Howdah: the service converts its own types into
//! these, so that neither a stored document nor a client changes with the other. With the feature
//! `openapi` the types have schemas.
//!
//! `examples/list.rs` prints a page of clusters.
//!
//! ```
//! use howdah_api::{Event, Level};
//!
//! let line = r#"{"id": 7, "at": "2026-01-02T03:04:05Z", "level": "info", "reason": "port_created",
//!                "node": "c-worker-0", "message": "Its port is there."}"#;
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
