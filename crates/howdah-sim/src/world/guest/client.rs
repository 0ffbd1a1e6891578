//! The DHCP client of a guest's card, going by its [`Patience`] and by what happens to the link.

use std::time::Duration;

use tokio::sync::watch;

use crate::world::faults::Inner;
use crate::world::guest::boot::{Boot, Woken};
use crate::world::guest::patience::{Patience, Step};
use crate::world::settings::GuestProfile;

impl Boot {
    /// The DHCP client of one card.
    pub(super) async fn client(self, firmware: Duration, nic: i32) {
        let mut signal = self.world.listen(&self.vm);
        if !self.sleep(firmware, &mut signal).await {
            return;
        }
        let linked = self.alive(|_, vm| vm.nic(nic).is_some_and(|n| n.connected)) == Some(true);
        if !linked && self.profile == GuestProfile::Initscripts {
            // "no link present": these scripts check once and do not come back.
            return;
        }
        let mut round = 0_u32;
        loop {
            let mut patience = Patience::new(self.profile);
            let Some(leased) = self.try_for_lease(nic, &mut patience, &mut round, &mut signal).await else {
                return;
            };
            if Patience::link_loss(self.profile).is_none() {
                // Nothing watches the link: the client is through, or has given up.
                return;
            }
            if leased && !self.link_lost(nic, &mut signal).await {
                return;
            }
        }
    }

    /// Waits until the link was lost for as long as the client minds, and is back. False if the
    /// boot died.
    async fn link_lost(&self, nic: i32, signal: &mut watch::Receiver<u64>) -> bool {
        while signal.changed().await.is_ok() {
            match self.link_back(nic, signal).await {
                None => return false,
                Some(true) => return true,
                Some(false) => {}
            }
        }
        false
    }

    /// Asks until there is a lease (true), the client gives up or its link was lost and is back
    /// (false), or the boot is dead (none).
    async fn try_for_lease(
        &self,
        nic: i32,
        patience: &mut Patience,
        round: &mut u32,
        signal: &mut watch::Receiver<u64>,
    ) -> Option<bool> {
        loop {
            *round += 1;
            let (time, asks) = match patience.next(self.draw("gap", *round)) {
                Step::Ask(time) => (time, true),
                Step::Rest(time) => (time, false),
                Step::GiveUp => return Some(false),
            };
            let until = tokio::time::Instant::now() + time.div_f64(self.world.clock().speed());
            loop {
                let left = until.saturating_duration_since(tokio::time::Instant::now());
                match self.wait(left.mul_f64(self.world.clock().speed()), signal).await {
                    Woken::Dead => return None,
                    Woken::Time => break,
                    Woken::Signal if Patience::link_loss(self.profile).is_none() => {}
                    Woken::Signal => {
                        if self.link_back(nic, signal).await? {
                            return Some(false);
                        }
                    }
                }
            }
            if asks && self.discover(nic, *round).await? {
                return Some(true);
            }
        }
    }

    /// One DISCOVER; true if it ends in a lease.
    async fn discover(&self, nic: i32, round: u32) -> Option<bool> {
        let address = self.change(|s| {
            let now = s.now;
            let (card, name) = s.vm(&self.vm).and_then(|v| Some((v.nic(nic)?.clone(), v.name.clone())))?;
            let times = s.journal.of(&self.vm);
            times.discovers += 1;
            times.first_discover.get_or_insert(now);
            if s.fails(Inner::Discover, &name) {
                return None;
            }
            s.lease_for(&card, now)
        })?;
        let Some(address) = address else {
            return Some(false);
        };
        self.world.sleep(self.world.read(|s| s.settings.timings.lease).at(self.draw("lease", round))).await;
        self.change(|s| s.lease(&self.vm, nic, address))?;
        self.world.signal(&self.vm);
        Some(true)
    }

    /// If the link is down, waits until it is back. True if it was down for as long as the
    /// client minds: what address it had is gone then. None if the boot is dead.
    async fn link_back(&self, nic: i32, signal: &mut watch::Receiver<u64>) -> Option<bool> {
        let up = || self.alive(|_, vm| vm.nic(nic).is_some_and(|n| n.connected));
        if up()? {
            return Some(false);
        }
        let since = self.world.now();
        while !up()? {
            signal.changed().await.ok()?;
        }
        let lost = Patience::link_loss(self.profile)
            .is_some_and(|patience| self.world.now().duration_since(since).unsigned_abs() >= patience);
        if lost {
            self.change(|s| s.change_vm(&self.vm, |v| v.nic_mut(nic).map(|n| n.address = None)));
        }
        Some(lost)
    }
}
