//! Guests: how they boot, how their DHCP clients ask and give up, who answers them, and how
//! leases come from outside the world.

mod boot;
mod client;
pub mod external;
mod lease;
pub mod patience;
mod signals;
