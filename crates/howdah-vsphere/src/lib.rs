//! The vCenter client: SOAP to `/sdk`, about twenty methods, behind [`howdah_core::systems::vcenter::VCenter`].
//!
//! * [`Client`], [`Settings`]: what the service uses;
//! * [`Error`], [`Fault`]: what can go wrong;
//! * [`xml`], [`schema`]: the wire's tree and its table of element orders, which the simulated
//!   vCenter shares.
//!
//! The protocol stops here: nothing outside this crate knows of views, collectors, filters or
//! tasks. It does not decide anything: which VM is powered on, and when, is the controller's.
//!
//! Inside, from the bottom: `wire` (one call), `session` (logins), `retrieve` and `update` (the
//! property collector), `together` (many callers' questions in one call), `segments`, `act` and `watch` (what
//! the trait asks for).
//!
//! `examples/watch.rs` follows a cluster on a simulated vCenter and powers a VM on.

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
