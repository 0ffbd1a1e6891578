//! The timeouts of each DHCP client: when it sends a request, when it gives up, what restarts it.
//!
//! A pure schedule: [`Patience::next`] returns the client's next step if no answer has arrived. It is
//! independent of networks and clocks.

use std::time::Duration;

use crate::world::settings::GuestProfile;

/// What a client does next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Waits this long, then asks.
    Ask(Duration),
    /// Pauses this long, then starts again.
    Rest(Duration),
    /// Never asks again.
    GiveUp,
}

/// A client that is trying.
#[derive(Debug, Clone)]
pub struct Patience {
    profile: GuestProfile,
    asked: u32,
    round: u32,
    elapsed: f64,
}

impl Patience {
    /// A client that begins to try.
    pub const fn new(profile: GuestProfile) -> Self {
        Self { profile, asked: 0, round: 0, elapsed: 0.0 }
    }

    /// How long the guest's boot waits for an address before the tools start.
    pub const fn boot_wait(profile: GuestProfile) -> Duration {
        Duration::from_secs(match profile {
            GuestProfile::Networkd => 120,
            _ => 60,
        })
    }

    /// How long the link must be down for the client to start again when it is back; `None`
    /// if nothing in the guest watches the link.
    pub const fn link_loss(profile: GuestProfile) -> Option<Duration> {
        match profile {
            GuestProfile::Initscripts | GuestProfile::Ifupdown => None,
            GuestProfile::NetworkManager => Some(Duration::from_secs(5)),
            GuestProfile::Networkd => Some(Duration::ZERO),
        }
    }

    /// What it does next. `fraction` is random, from 0.0 to 1.0.
    pub fn next(&mut self, fraction: f64) -> Step {
        let (gap, limit) = match self.profile {
            GuestProfile::Initscripts | GuestProfile::Ifupdown => (self.dhclient_gap(fraction), 60.0),
            GuestProfile::NetworkManager => (self.doubling(16.0), 45.0),
            GuestProfile::Networkd => (self.doubling(64.0), f64::INFINITY),
        };
        if self.elapsed + gap < limit {
            self.elapsed += gap;
            self.asked += 1;
            return Step::Ask(Duration::from_secs_f64(gap));
        }
        let rest = limit - self.elapsed;
        self.asked = 0;
        self.elapsed = 0.0;
        self.round += 1;
        match self.profile {
            GuestProfile::Initscripts => Step::GiveUp,
            GuestProfile::NetworkManager if !self.round.is_multiple_of(4) => Step::Rest(Duration::from_secs_f64(rest)),
            _ => Step::Rest(Duration::from_secs_f64(rest + 300.0)),
        }
    }

    /// First gap up to 10 s, later ones 15 s give or take a half.
    fn dhclient_gap(&self, fraction: f64) -> f64 {
        match self.asked {
            0 => 0.0,
            1 => 3.0 + 7.0 * fraction,
            _ => 7.5 + 15.0 * fraction,
        }
    }

    /// 2, 4, 8, ... seconds up to a limit.
    fn doubling(&self, limit: f64) -> f64 {
        match self.asked {
            0 => 0.0,
            n => f64::from(1_u32 << n.min(10)).min(limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times of the asks within a span, in whole seconds, and whether it gave up.
    fn asks(profile: GuestProfile, until: f64) -> (Vec<u64>, bool) {
        let mut patience = Patience::new(profile);
        let (mut at, mut seen) = (0.0, Vec::new());
        loop {
            match patience.next(0.5) {
                Step::Ask(gap) => at += gap.as_secs_f64(),
                Step::Rest(rest) => {
                    at += rest.as_secs_f64();
                    continue;
                }
                Step::GiveUp => return (seen, true),
            }
            if at > until {
                return (seen, false);
            }
            seen.push(at as u64);
        }
    }

    #[test]
    fn each_client_has_its_own() {
        assert_eq!(asks(GuestProfile::Initscripts, 1000.0), (vec![0, 6, 21, 36, 51], true));
        assert_eq!(asks(GuestProfile::Ifupdown, 400.0), (vec![0, 6, 21, 36, 51, 360, 366, 381, 396], false));
        let (nm, _) = asks(GuestProfile::NetworkManager, 500.0);
        assert_eq!(nm[..8], [0, 2, 6, 14, 30, 45, 47, 51]);
        assert!(nm.iter().all(|t| *t < 180 || *t >= 480), "it rests 300 s after four tries: {nm:?}");
        assert_eq!(asks(GuestProfile::Networkd, 300.0), (vec![0, 2, 6, 14, 30, 62, 126, 190, 254], false));
    }
}
