//! What exists once for each site, however many clusters live there.
//!
//! * [`ports`]: lists of the networks' ports, each asked for once for all clusters (by a [`keeper`]);
//! * [`registrar`]: the network registrations in the cluster manager, and who uses them;
//! * [`turns`]: fair turns between projects in front of the cluster manager.

pub mod keeper;
pub mod ports;
pub mod registrar;
pub mod turns;
