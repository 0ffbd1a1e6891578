//! What exists once for each site, however many clusters live there.
//!
//! * [`ports`], [`looks`], [`segments`]: lists of ports, of the manager's clusters and tasks, and of port groups,
//!   each requested once for all clusters (by a [`keeper`]);
//! * [`registrar`]: the network registrations in the cluster manager, and their users;
//! * [`turns`]: fair turns between projects at the cluster manager.

pub mod keeper;
pub mod looks;
pub mod ports;
pub mod registrar;
pub mod segments;
pub mod turns;
