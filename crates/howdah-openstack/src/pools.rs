//! The number of addresses of a subnet, and the used ones. Pure arithmetic on
//! Neutron's allocation pools; an IPv6 pool saturates instead of overflowing.

use std::net::IpAddr;

use serde::Deserialize;

/// An allocation pool, including both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Pool {
    start: IpAddr,
    end: IpAddr,
}

impl Pool {
    /// How many addresses it has.
    pub(crate) fn size(&self) -> u64 {
        let size = number(self.end).saturating_sub(number(self.start)).saturating_add(1);
        u64::try_from(size).unwrap_or(u64::MAX)
    }

    /// Whether an address is in the pool.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.start.is_ipv4() && address >= self.start && address <= self.end
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(u32::from(a)),
        IpAddr::V6(a) => u128::from(a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(start: &str, end: &str) -> Pool {
        Pool { start: start.parse().unwrap(), end: end.parse().unwrap() }
    }

    #[test]
    fn both_ends_count() {
        assert_eq!(pool("10.0.0.2", "10.0.0.254").size(), 253);
        assert_eq!(pool("10.0.0.2", "10.0.0.2").size(), 1);
        assert_eq!(pool("fd00::", "fd00:ffff::").size(), u64::MAX);
        let p = pool("10.0.0.2", "10.0.0.5");
        let held = ["10.0.0.1", "10.0.0.2", "10.0.0.5", "10.0.0.6", "fd00::2"].map(|a| p.holds(a.parse().unwrap()));
        assert_eq!(held, [false, true, true, false, false]);
    }
}
