//! The vCenter client: SOAP to `/sdk`, about twenty methods, behind [`howdah_core::systems::vcenter::VCenter`].
//!
//! * [`Client`], [`Settings`]: the public client;
//! * [`Error`], [`Fault`]: errors;
//! * [`xml`], [`schema`]: the XML tree and the table of element orders, which the simulated
//!   vCenter shares.
//!
//! The crate hides the protocol: views, collectors, filters and tasks are internal. It decides nothing:
//! the controller decides which VM to power on, and when.
//!
//! Inside, from the bottom: `wire` (one call), `session` (logins), `retrieve` and `update` (the
//! property collector), `together` (one call for many callers' queries), `segments`, `act` and `watch` (the
//! methods of the trait).
//!
//! `examples/watch.rs` watches a cluster on a simulated vCenter and powers a VM on.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod act;
mod client;
mod error;
mod fault;
mod request;
mod retrieve;
pub mod schema;
mod segments;
mod session;
mod together;
mod update;
mod vm;
mod watch;
mod wire;
pub mod xml;

pub use client::{Client, DEFAULT_FOLDER_PREFIX, Settings, Timeouts};
pub use error::Error;
pub use fault::{Fault, FaultKind};
