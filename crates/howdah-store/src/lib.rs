//! Howdah's memory: clusters, events, capabilities and sealed secrets.
//!
//! ```text
//!   Store (howdah-core) <-- Documents: reads, plans by the rules, commits --> Backend: Sqlite, Memory
//! ```
//!
//! * [`SqliteStore`]: one SQLite file, for production. What a call has answered survives a
//!   `kill -9` and a power cut; what was cut off in the middle never happened.
//! * [`MemoryStore`]: the same rules without a file, for simulations in virtual time (where
//!   a database thread would make the clock jump) and for the demo.
//!
//! The rules are in `plan.rs` and `documents.rs`, once; another database is another [`Backend`]. All pass the
//! same contract tests. Nothing here decides anything about a cluster.
//!
//! `examples/restart.rs` writes a cluster down and finds it again.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod backend;
mod clear;
mod documents;
mod error;
mod lock;
mod memory;
mod open;
mod plan;
mod seal;
mod secrets;
mod sqlite;
mod writer;

pub use backend::Backend;
pub use documents::Documents;
pub use error::StoreError;
pub use memory::{Memory, MemoryStore};
pub use open::Options;
pub use sqlite::{Sqlite, SqliteStore};
