//! Guests whose leases come from outside the world: somebody runs a real DHCP client for every
//! VM that is on, and reports the address that it got.

use howdah_core::ids::{Mac, VmRef};
use jiff::Timestamp;
use serde::Serialize;

use crate::world::settings::GuestProfile;

/// What happened to a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestChange {
    /// It was powered on, reset or restarted: start its client after `discover_after` seconds.
    On,
    /// It is off or gone: stop its client.
    Off,
    /// Its link went down.
    LinkDown,
    /// Its link came back.
    LinkUp,
}

/// An event for the runner of the clients.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GuestEvent {
    /// Counts from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub change: GuestChange,
    /// The VM.
    pub vm: VmRef,
    /// Its name.
    pub name: String,
    /// Its boot's number: an address is reported for one boot.
    pub boot: u64,
    /// The card.
    pub nic: i32,
    /// Its address on the wire.
    pub mac: Mac,
    /// The port group's name.
    pub port_group: String,
    /// The Neutron network behind it, where the world knows it.
    pub network: Option<String>,
    /// What asks in the guest.
    pub profile: GuestProfile,
    /// Real seconds from the event to the client's first DISCOVER.
    pub discover_after: f64,
}

/// Events so far.
#[derive(Debug, Default)]
pub struct External {
    /// All of them, oldest first.
    pub events: Vec<GuestEvent>,
}
