//! OpenStack Identity and Networking: what Howdah needs of them, over HTTP.
//!
//! [`OpenStack`] implements [`Networking`](howdah_core::systems::networking::Networking) with the service's
//! own credentials and [`Identity`](howdah_core::systems::identity::Identity) for those who ask. It is a
//! thin client of our own; `docs/decisions/openstack-client.md` says why.
//!
//! * [`Settings`], [`Keys`]: where and as whom to log in: explicit keys, `clouds.yaml`, or the
//!   `vio.config` file of 2015;
//! * [`OpenStack`]: the client;
//! * [`Error`], [`Refusal`]: what went wrong, with Neutron's own error types as types.
//!
//! Invariants: one token at a time, renewed by one caller while the others wait; nothing that is
//! not safe to repeat is repeated; no secret is ever part of a `Debug` output, a log line or an error.
//!
//! `examples/port.rs` makes a port on a simulated site.

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
