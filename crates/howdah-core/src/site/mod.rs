//! What exists once for each site, however many clusters live there.
//!
//! * [`registrar`]: the network registrations in the cluster manager, and who uses them;
//! * [`turns`]: fair turns between projects in front of the cluster manager.

pub mod registrar;
pub mod turns;
