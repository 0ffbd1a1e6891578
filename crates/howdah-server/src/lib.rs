//! The service: configuration, native API, controllers, and how they start and stop together.
//!
//! * [`config`]: the TOML file and the environment;
//! * [`api`]: routes, documents, errors, auth;
//! * [`sites`]: the adapters of each site behind the core's traits, [`metered`];
//! * [`wiring`]: real adapters from a configuration;
//! * [`supervisor`]: one controller per cluster;
//! * [`limits`]: the limits of a project;
//! * [`changes`]: subscriptions to changes of clusters;
//! * [`metrics`]: the counters;
//! * [`listener`]: connections with their limits; [`tls`], [`unix`]: their transports;
//! * [`serve`](mod@serve): the composition;
//! * [`runtime`]: time and randomness.
//!
//! It does not decide what happens to a cluster; `howdah-core` does.
//!
//! `examples/serve.rs` runs the whole service over a simulated site.

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
