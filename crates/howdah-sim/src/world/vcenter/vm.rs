//! A virtual machine and its cards as plain data.

use std::collections::BTreeMap;
use std::net::IpAddr;

use howdah_core::ids::{Mac, VmRef};
use howdah_core::systems::vcenter::{Power, Tools};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::world::actor::Origin;
use crate::world::settings::GuestProfile;
use crate::world::vcenter::inventory::MoRef;

/// Key of the first card of a VM.
pub const FIRST_NIC: i32 = 4000;

/// What a card is plugged into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backing {
    /// A distributed port group.
    PortGroup {
        /// The port group.
        key: MoRef,
        /// A new one at each connection.
        port_key: String,
    },
    /// An opaque network, by its logical switch UUID.
    Opaque(String),
    /// A network of a standard switch, by name.
    Standard(String),
}

/// A card.
#[derive(Debug, Clone)]
pub struct Nic {
    /// Device key.
    pub key: i32,
    /// `Network adapter 1`.
    pub label: String,
    /// Address on the wire.
    pub mac: Mac,
    /// Whether the address was given rather than generated.
    pub mac_manual: bool,
    /// What it is plugged into.
    pub backing: Backing,
    /// Link as the guest sees it.
    pub connected: bool,
    /// Connect at power on.
    pub start_connected: bool,
    /// The guest may connect and disconnect it.
    pub allow_guest_control: bool,
    /// NSX-T attachment.
    pub external_id: Option<String>,
    /// The address that the guest has.
    pub address: Option<IpAddr>,
    /// The addresses that the tools have reported.
    pub reported: Vec<IpAddr>,
}

impl Nic {
    /// The first card, as a clone of the template has it.
    pub fn new(index: i32, mac: Mac, backing: Backing) -> Self {
        Self {
            key: FIRST_NIC + index,
            label: format!("Network adapter {}", index + 1),
            mac,
            mac_manual: false,
            backing,
            connected: false,
            start_connected: true,
            allow_guest_control: true,
            external_id: None,
            address: None,
            reported: Vec::new(),
        }
    }
}

/// `guest.guestState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GuestState {
    /// Tools say that it runs.
    Running,
    /// Off, or not yet known.
    NotRunning,
    /// Going down in order.
    ShuttingDown,
    /// Being reset.
    Resetting,
}

impl GuestState {
    /// As vCenter spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::NotRunning => "notRunning",
            Self::ShuttingDown => "shuttingDown",
            Self::Resetting => "resetting",
        }
    }
}

/// A virtual machine.
#[derive(Debug, Clone)]
pub struct Vm {
    /// Reference.
    pub moref: VmRef,
    /// Name.
    pub name: String,
    /// Folder.
    pub folder: MoRef,
    /// Host.
    pub host: MoRef,
    /// Resource pool.
    pub pool: MoRef,
    /// Datastore.
    pub datastore: MoRef,
    /// Nova's and NSX's handle.
    pub instance_uuid: Uuid,
    /// BIOS UUID.
    pub uuid: Uuid,
    /// Whether it is a template.
    pub template: bool,
    /// False while it is being cloned: no name, no `config` are to be seen yet.
    pub configured: bool,
    /// Moves with each reconfiguration.
    pub change_version: u64,
    /// The world's revision in which anything of it changed last.
    pub revision: u64,
    /// Power state.
    pub power: Power,
    /// Time of the last power on; a reset leaves it alone.
    pub boot_time: Option<Timestamp>,
    /// Counts power ons, resets and guest restarts: a guest of an older boot is dead.
    pub boot: u64,
    /// Cards by key.
    pub nics: Vec<Nic>,
    /// Tools as vCenter sees them.
    pub tools: Tools,
    /// Guest state.
    pub guest_state: GuestState,
    /// DHCP client of its guest.
    pub profile: GuestProfile,
    /// Extra configuration.
    pub extra_config: BTreeMap<String, String>,
    /// CPUs.
    pub cpus: u32,
    /// Memory.
    pub memory_mb: u32,
    /// Disks.
    pub disks_gb: Vec<u32>,
    /// The cluster manager's cluster, if it made this VM.
    pub cluster: Option<String>,
    /// Its owner: its cluster's, or its creator.
    pub origin: Origin,
}

impl Vm {
    /// A card by key.
    pub fn nic(&self, key: i32) -> Option<&Nic> {
        self.nics.iter().find(|n| n.key == key)
    }

    /// A card by key, to change it.
    pub fn nic_mut(&mut self, key: i32) -> Option<&mut Nic> {
        self.nics.iter_mut().find(|n| n.key == key)
    }

    /// When the VM that runs now was powered on: one that is off has no such time.
    pub fn running_since(&self) -> Option<Timestamp> {
        self.boot_time.filter(|_| self.power == Power::On)
    }

    /// Whether any card's reported addresses include one.
    pub fn has_reported_address(&self) -> bool {
        self.nics.iter().any(|n| !n.reported.is_empty())
    }
}
