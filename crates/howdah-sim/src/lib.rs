//! A simulated site: one world with hosts, VMs that boot, a cluster manager, a vCenter, a
//! Neutron and a Keystone, on a clock that is real, fast or virtual.
//!
//! The world is a product, not a mock: it follows the documented order of steps (clone,
//! reconfigure, power on, wait for an address), the rules of each network backend for leases, and the
//! timeouts of each kind of DHCP client; its randomness is seeded and its faults follow rules. It has two
//! kinds of faces:
//!
//! * [`inprocess`]: the traits of `howdah-core`, for deterministic tests in virtual time;
//! * [`face`]: the real protocols over HTTP, started by [`site`].
//!
//! ```text
//!   site (HTTP, control API)      inprocess (traits)
//!             \                    /
//!              +---- world -------+---- invariants, report
//! ```
//!
//! [`crashing`] goes around the store that a simulated controller keeps its clusters in, and can be made
//! to fail as if the service were killed.
//!
//! `examples/virtual_time.rs` creates a cluster in virtual time, past a fault.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod crashing;
pub mod ending;
pub mod face;
pub mod inprocess;
pub mod invariants;
pub mod service;
pub mod site;
pub mod world;

pub use site::{Listen, Site};
pub use world::World;
pub use world::settings::SiteSettings;
