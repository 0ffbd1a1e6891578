//! Signals to guests, and the hand-over of leases to and from outside.

use std::net::IpAddr;
use std::time::Duration;

use howdah_core::ids::VmRef;
use howdah_core::systems::vcenter::{Power, Tools};
use tokio::sync::watch;

use crate::world::World;
use crate::world::guest::external::{GuestChange, GuestEvent};
use crate::world::settings::GuestMode;
use crate::world::state::State;

impl World {
    /// A VM's signal: it moves when its boot ends, a link changes or a lease comes.
    pub(crate) fn listen(&self, vm: &VmRef) -> watch::Receiver<u64> {
        self.signals().entry(vm.clone()).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// Moves a VM's signal.
    pub(crate) fn signal(&self, vm: &VmRef) {
        let mut signals = self.signals();
        if let Some(sender) = signals.get(vm) {
            if sender.receiver_count() == 0 {
                signals.remove(vm);
            } else {
                sender.send_modify(|n| *n += 1);
            }
        }
    }

    /// Notifies the runner of the DHCP clients that a guest boots.
    pub(crate) fn announce_boot(&self, vm: &VmRef, firmware: Duration) {
        let real = firmware.div_f64(self.clock().speed());
        self.write(|s| s.announce(vm, GuestChange::On, real.as_secs_f64()));
    }

    /// An address that a real DHCP client got for a guest; none: it lost what it had. vCenter
    /// shows it with the tools' next report. False if that boot is over.
    pub fn report_lease(&self, vm: &VmRef, boot: u64, nic: i32, address: Option<IpAddr>) -> bool {
        let taken = self.write(|s| {
            let alive = s.vm(vm).is_some_and(|v| v.boot == boot && v.power == Power::On);
            match address {
                Some(address) if alive => s.lease(vm, nic, address),
                None if alive => {
                    s.change_vm(vm, |v| v.nic_mut(nic).map(|n| n.address = None));
                }
                _ => {}
            }
            alive
        });
        self.signal(vm);
        taken
    }

    /// Events after a number, oldest first; waits for one if there is none yet.
    pub async fn guest_events(&self, after: u64) -> Vec<GuestEvent> {
        let newer = |s: &State| {
            let from = usize::try_from(after).unwrap_or(usize::MAX).min(s.external.events.len());
            s.external.events[from..].to_vec()
        };
        self.wait_until(|s| s.external.events.len() as u64 > after).await;
        self.read(newer)
    }
}

impl State {
    /// Adds an event for each card of a VM.
    pub(crate) fn announce(&mut self, vm: &VmRef, change: GuestChange, discover_after: f64) {
        let nics: Vec<_> = self.vm(vm).into_iter().flat_map(|v| v.nics.iter().map(|n| n.key)).collect();
        for nic in nics {
            self.announce_nic(vm, nic, change, discover_after);
        }
    }

    /// Adds an event for one card.
    pub(crate) fn announce_nic(&mut self, vm: &VmRef, nic: i32, change: GuestChange, discover_after: f64) {
        if self.settings.guest_mode != GuestMode::External {
            return;
        }
        let Some((found, card)) = self.vm(vm).and_then(|v| Some((v, v.nic(nic)?))) else {
            return;
        };
        let event = GuestEvent {
            number: self.external.events.len() as u64 + 1,
            at: self.now,
            change,
            vm: vm.clone(),
            name: found.name.clone(),
            boot: found.boot,
            nic,
            mac: card.mac,
            port_group: self.vc.network_name(&card.backing),
            network: self.vc.neutron_network(&card.backing).map(str::to_owned),
            profile: found.profile,
            discover_after,
        };
        self.external.events.push(event);
    }

    /// Whether a VM's tools say that it runs.
    pub fn tools_run(&self, vm: &VmRef) -> bool {
        self.vm(vm).is_some_and(|v| v.tools == Tools::Running)
    }
}
