//! A guest: from power on to its first DISCOVER, its DHCP clients, and its tools.
//!
//! Each boot of each VM is a few tasks on the world's clock. They watch the VM's signal, which changes
//! when the boot ends, a link changes or a lease arrives; a boot with an outdated number has ended and
//! does nothing.

use std::time::Duration;

use howdah_core::ids::VmRef;
use howdah_core::systems::vcenter::{Power, Tools};
use tokio::sync::watch;

use crate::world::World;
use crate::world::faults::Inner;
use crate::world::guest::patience::Patience;
use crate::world::settings::{GuestMode, GuestProfile};
use crate::world::state::State;
use crate::world::vcenter::inventory::{GuestState, Vm};

/// One boot of one VM.
#[derive(Clone)]
pub(super) struct Boot {
    pub(super) world: World,
    pub(super) vm: VmRef,
    number: u64,
    pub(super) profile: GuestProfile,
    /// What this boot's randomness goes by: the same whatever else happens in the world.
    subject: String,
}

/// How a wait ended.
pub(super) enum Woken {
    Time,
    Signal,
    Dead,
}

impl World {
    /// Starts the guest of a VM that has just been powered on, reset or restarted.
    pub(crate) fn boot_guest(&self, vm: &VmRef) {
        let Some((boot, nics, mode)) = self.write(|s| {
            let mode = s.settings.guest_mode;
            let found = s.vm(vm)?;
            let subject = format!("{}/{}", found.instance_uuid, found.boot);
            let boot =
                Boot { world: self.clone(), vm: vm.clone(), number: found.boot, profile: found.profile, subject };
            let nics: Vec<_> = found.nics.iter().map(|n| n.key).collect();
            let name = found.name.clone();
            (!s.fails(Inner::Boot, &name)).then_some((boot, nics, mode))
        }) else {
            return;
        };
        self.signal(vm);
        let delay = boot.firmware();
        match mode {
            GuestMode::Simulated => {
                for nic in nics {
                    self.spawn(boot.clone().client(delay, nic));
                }
            }
            GuestMode::External => self.announce_boot(vm, delay),
        }
        self.spawn(boot.tools(delay));
    }
}

impl Boot {
    pub(super) fn draw(&self, what: &str, n: u32) -> f64 {
        self.world.dice().fraction(what, &format!("{}/{n}", self.subject))
    }

    /// Power on to the first DISCOVER.
    fn firmware(&self) -> Duration {
        self.world.read(|s| s.settings.timings.boot).at(self.draw("boot", 0))
    }

    /// Looks at the VM if this boot is still the one that runs.
    pub(super) fn alive<R>(&self, look: impl FnOnce(&State, &Vm) -> R) -> Option<R> {
        self.world.read(|s| {
            let vm = s.vm(&self.vm).filter(|v| v.boot == self.number && v.power == Power::On)?;
            Some(look(s, vm))
        })
    }

    /// Changes the VM if this boot is still the one that runs.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> Option<R> {
        self.world.write(|s| {
            s.vm(&self.vm).filter(|v| v.boot == self.number && v.power == Power::On)?;
            Some(change(s))
        })
    }

    pub(super) async fn wait(&self, time: Duration, signal: &mut watch::Receiver<u64>) -> Woken {
        let woken = tokio::select! {
            () = self.world.sleep(time) => Woken::Time,
            changed = signal.changed() => if changed.is_ok() { Woken::Signal } else { Woken::Dead },
        };
        if self.alive(|_, _| ()).is_some() { woken } else { Woken::Dead }
    }

    /// Waits to the end whatever the signal says; false if the boot died.
    pub(super) async fn sleep(&self, time: Duration, signal: &mut watch::Receiver<u64>) -> bool {
        let until = tokio::time::Instant::now() + time.div_f64(self.world.clock().speed());
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            match self.wait(left.mul_f64(self.world.clock().speed()), signal).await {
                Woken::Time => return true,
                Woken::Signal => {}
                Woken::Dead => return false,
            }
        }
    }

    /// The tools: start once the network is up or has been waited for, then report now and again.
    async fn tools(self, firmware: Duration) {
        let mut signal = self.world.listen(&self.vm);
        if !self.sleep(firmware, &mut signal).await {
            return;
        }
        let patience = Patience::boot_wait(self.profile);
        let until = tokio::time::Instant::now() + patience.div_f64(self.world.clock().speed());
        while self.alive(|_, vm| vm.nics.iter().any(|n| n.connected && n.address.is_none())) == Some(true) {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            match self.wait(left.mul_f64(self.world.clock().speed()), &mut signal).await {
                Woken::Time => break,
                Woken::Signal => {}
                Woken::Dead => return,
            }
        }
        let timings = self.world.read(|s| (s.settings.timings.tools_start, s.settings.timings.tools_report));
        if !self.sleep(timings.0.at(self.draw("tools_start", 0)), &mut signal).await {
            return;
        }
        if self.alive(|_, vm| vm.tools == Tools::NotInstalled) != Some(false) {
            return;
        }
        self.change(|s| {
            s.change_vm(&self.vm, |v| {
                v.tools = Tools::Running;
                v.guest_state = GuestState::Running;
            });
            s.report_addresses(&self.vm);
        });
        let period = timings.1.at(self.draw("tools_report", 0)).max(Duration::from_millis(100));
        let started = tokio::time::Instant::now();
        loop {
            // Nothing to report until something has changed; then at the next of the regular times.
            if signal.changed().await.is_err() || self.alive(|_, _| ()).is_none() {
                return;
            }
            let since = started.elapsed().mul_f64(self.world.clock().speed()).as_secs_f64();
            let rest = period.as_secs_f64() - since % period.as_secs_f64();
            if !self.sleep(Duration::from_secs_f64(rest), &mut signal).await {
                return;
            }
            self.change(|s| s.report_addresses(&self.vm));
        }
    }
}

impl State {
    /// A guest has a lease.
    pub(crate) fn lease(&mut self, vm: &VmRef, nic: i32, address: std::net::IpAddr) {
        let now = self.now;
        self.change_vm(vm, |v| v.nic_mut(nic).map(|n| n.address = Some(address)));
        self.journal.of(vm).lease.get_or_insert(now);
    }

    /// The tools tell vCenter what addresses the guest has.
    pub(crate) fn report_addresses(&mut self, vm: &VmRef) {
        let now = self.now;
        let changed = self
            .vm(vm)
            .is_some_and(|v| v.nics.iter().any(|n| n.reported.first().copied() != n.address || n.reported.len() > 1));
        if !changed {
            return;
        }
        let seen = self.change_vm(vm, |v| {
            for nic in &mut v.nics {
                nic.reported = nic.address.into_iter().collect();
            }
            v.has_reported_address()
        });
        if seen == Some(true) {
            self.journal.of(vm).visible.get_or_insert(now);
        }
    }

    /// When vCenter would show this boot's address if its first DISCOVER were answered.
    pub(crate) fn floor_of(&self, vm: &Vm) -> Option<jiff::Timestamp> {
        if self.settings.guest_mode == GuestMode::External || vm.tools == Tools::NotInstalled {
            return None;
        }
        let subject = format!("{}/{}", vm.instance_uuid, vm.boot);
        let t = &self.settings.timings;
        let draw = |what: &str, n: u32| self.dice.fraction(what, &format!("{subject}/{n}"));
        let spans =
            [t.boot.at(draw("boot", 0)), t.lease.at(draw("lease", 1)), t.tools_start.at(draw("tools_start", 0))];
        Some(self.now + spans.iter().sum::<Duration>())
    }
}
