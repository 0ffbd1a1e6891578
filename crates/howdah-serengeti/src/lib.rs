//! The Serengeti web service: the REST API of VMware Big Data Extensions (BDE), releases 2.1 to
//! 2.3, client and server.
//!
//! * [`wire`]: the JSON bodies, with every oddity of their names; no I/O;
//! * [`release`]: the differences between releases, and how to detect a server's release;
//! * [`names`]: valid names and passwords, and names in paths;
//! * [`body`]: the body of a create, and its allowed fields;
//! * [`client`]: a [`ClusterManager`](howdah_core::systems::manager::ClusterManager) over an appliance;
//! * [`routes`]: the service over any [`Backend`](routes::Backend): the simulated appliance now,
//!   Howdah's own Serengeti face later.
//!
//! Client and routes share the wire types, nothing else, so that a mistake in one is not
//! mirrored by the other.
//!
//! `examples/create.rs` has a simulated appliance create a cluster, which fails without ports, and delete it.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod body;
pub mod client;
pub mod error;
pub mod names;
pub mod release;
pub mod routes;
pub mod wire;

pub use body::{Body, Refusal, Rules};
pub use client::{Client, Settings, Timeouts};
pub use error::Error;
pub use release::Release;
