//! The service: configuration, native API, controllers, and how they start and stop together.
//!
//! * [`config`]: the TOML file and the environment;
//! * [`api`]: routes, documents, errors, auth;
//! * [`sites`]: the adapters of each site behind the core's traits, [`metered`] ones;
//! * [`wiring`]: real adapters from a configuration;
//! * [`supervisor`]: one controller for each cluster;
//! * [`limits`]: what a project may have at a time;
//! * [`changes`]: who waits for a cluster to change;
//! * [`metrics`]: what is counted;
//! * [`listener`]: connections, how many and for how long; [`tls`], [`unix`]: what they come over;
//! * [`serve`](mod@serve): all of it together;
//! * [`runtime`]: time and randomness.
//!
//! What it does not do: decide what happens to a cluster. That is `howdah-core`'s.
//!
//! `examples/serve.rs` runs all of it over a simulated site.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod api;
pub mod changes;
pub mod config;
mod controllers;
mod credentials;
mod descriptors;
mod error;
pub mod limits;
pub mod listener;
pub mod metered;
pub mod metrics;
pub mod runtime;
pub mod serve;
pub mod sites;
pub mod supervisor;
mod tally;
pub mod tls;
pub mod unix;
pub mod wiring;

pub use config::Config;
pub use error::ServerError;
pub use serve::{Running, serve};
