//! The simulated vCenter: its inventory, and what its operations do.

pub mod inventory;
pub mod nic;
pub mod power;
pub mod sso;
mod tasks;
pub mod vctask;
mod vm;
pub mod vm_ops;
