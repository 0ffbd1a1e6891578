//! What a reconfiguration does to a VM's cards.

use howdah_core::ids::{Mac, VmRef};
use howdah_core::systems::vcenter::Power;

use crate::world::guest::external::GuestChange;
use crate::world::state::State;
use crate::world::vcenter::inventory::{Backing, FIRST_NIC, Nic, Vm};
use crate::world::vcenter::vctask::VcFault;

type Done<T = ()> = Result<T, VcFault>;

/// What is done to a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NicOperation {
    /// A new card; its key is vCenter's choice.
    Add,
    /// Changes the card with the key.
    Edit,
    /// Takes it away.
    Remove,
}

/// A change of a card: fields left `None` stay.
#[derive(Debug, Clone)]
pub struct NicChange {
    /// What is done.
    pub operation: NicOperation,
    /// Device key.
    pub key: i32,
    /// `macAddress`, with `addressType` manual.
    pub mac: Option<Mac>,
    /// Backing.
    pub backing: Option<Backing>,
    /// `connectable.connected`.
    pub connected: Option<bool>,
    /// `connectable.startConnected`.
    pub start_connected: Option<bool>,
    /// `connectable.allowGuestControl`.
    pub allow_guest_control: Option<bool>,
    /// `externalId`.
    pub external_id: Option<String>,
}

impl NicChange {
    /// A change of the card with this key that changes nothing yet.
    pub const fn edit(key: i32) -> Self {
        Self {
            operation: NicOperation::Edit,
            key,
            mac: None,
            backing: None,
            connected: None,
            start_connected: None,
            allow_guest_control: None,
            external_id: None,
        }
    }
}

impl State {
    pub(super) fn change_nic(&mut self, vm: &mut Vm, change: &NicChange) -> Done<Option<(i32, bool)>> {
        match change.operation {
            NicOperation::Remove => {
                let before = vm.nics.len();
                vm.nics.retain(|n| n.key != change.key);
                if vm.nics.len() == before {
                    return Err(VcFault::invalid_argument("configSpec.deviceChange"));
                }
                return Ok(None);
            }
            NicOperation::Add => {
                let index = (0..10).find(|i| vm.nic(FIRST_NIC + i).is_none());
                let index = index.ok_or_else(|| VcFault::invalid_argument("configSpec.deviceChange"))?;
                let mac = self.generated_mac(&format!("{}/{index}/{}", vm.instance_uuid, vm.change_version));
                let backing = change.backing.clone().ok_or_else(|| VcFault::invalid_argument("device.backing"))?;
                let mut nic = Nic::new(index, mac, backing);
                nic.connected = vm.power == Power::On;
                vm.nics.push(nic);
            }
            NicOperation::Edit => {}
        }
        let key = if change.operation == NicOperation::Add { vm.nics.last().map_or(0, |n| n.key) } else { change.key };
        let on = vm.power == Power::On;
        if let Some(backing) = &change.backing {
            self.check_backing(backing)?;
        }
        let nic = vm.nic_mut(key).ok_or_else(|| VcFault::invalid_argument("configSpec.deviceChange"))?;
        if let Some(mac) = change.mac {
            nic.mac_manual |= mac != nic.mac;
            nic.mac = mac;
        }
        if let Some(backing) = &change.backing {
            nic.backing = backing.clone();
        }
        nic.start_connected = change.start_connected.unwrap_or(nic.start_connected);
        nic.allow_guest_control = change.allow_guest_control.unwrap_or(nic.allow_guest_control);
        if let Some(id) = &change.external_id {
            nic.external_id = Some(id.clone()).filter(|i| !i.is_empty());
        }
        match change.connected {
            Some(link) if on && link != nic.connected => {
                nic.connected = link;
                Ok(Some((key, link)))
            }
            _ => Ok(None),
        }
    }

    fn check_backing(&self, backing: &Backing) -> Done {
        let known = match backing {
            Backing::PortGroup { key, .. } => self.vc.port_groups.contains_key(key),
            Backing::Opaque(id) => self.vc.opaque.values().any(|o| o.opaque_id == *id),
            Backing::Standard(_) => true,
        };
        if known { Ok(()) } else { Err(VcFault::invalid_argument("deviceChange.device.backing")) }
    }

    /// Notifies the runner of the DHCP clients that a link changed.
    pub(super) fn announce_link(&mut self, vm: &VmRef, nic: i32, up: bool) {
        self.announce_nic(vm, nic, if up { GuestChange::LinkUp } else { GuestChange::LinkDown }, 0.0);
    }
}
