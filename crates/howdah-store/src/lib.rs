//! Howdah's memory: clusters, events, capabilities and sealed secrets.
//!
//! * [`SqliteStore`]: one SQLite file, for production. What a call has answered survives a
//!   `kill -9` and a power cut; what was cut off in the middle never happened.
//! * [`MemoryStore`]: the same behaviour without a file, for simulations in virtual time (where
//!   a database thread would make the clock jump) and for the demo.
//!
//! Both pass the same contract tests. Nothing here decides anything about a cluster.
//!
//! `examples/restart.rs` writes a cluster down and finds it again.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clear;
mod error;
mod lock;
mod memory;
mod open;
mod rows;
mod seal;
mod sqlite;
mod writer;

pub use error::StoreError;
pub use memory::MemoryStore;
pub use open::Options;
pub use sqlite::SqliteStore;

/// Events kept of one cluster; older ones go first. A cluster that flaps for months must not
/// fill the disk.
const EVENTS_KEPT: u64 = 10_000;
