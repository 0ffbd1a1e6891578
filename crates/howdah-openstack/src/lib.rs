//! Howdah's client of OpenStack Identity and Networking, over HTTP.
//!
//! [`OpenStack`] implements [`Networking`](howdah_core::systems::networking::Networking) with the service's
//! credentials and [`Identity`](howdah_core::systems::identity::Identity) for requesters. It is a thin
//! client of our own; `docs/decisions/openstack-client.md` has the reasons.
//!
//! * [`Settings`], [`Keys`]: address and credentials: explicit keys, `clouds.yaml`, or the
//!   `vio.config` file of 2015;
//! * [`OpenStack`]: the client;
//! * [`Error`], [`Refusal`]: errors, with Neutron's error types as types.
//!
//! Invariants: one token at a time, which one caller renews while the others wait; only idempotent requests
//! are repeated; no secret is part of a `Debug` output, a log line or an error.
//!
//! `examples/port.rs` creates a port on a simulated site.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answer;
mod clouds;
mod endpoint;
mod error;
mod identity;
mod keys;
mod keystone;
mod networking;
mod pools;
mod refusal;
mod seen;
mod session;
mod settings;
mod standing;
mod vio;
mod wire;

pub use clouds::clouds_files;
pub use error::{Error, What};
pub use keys::Keys;
pub use refusal::Refusal;
pub use session::OpenStack;
pub use settings::{ApplicationCredential, Credentials, Domain, Interface, Named, Settings};
