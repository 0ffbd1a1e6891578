//! Address ranges: parsing, counting, and finding a free address in a subnet's pools.

use std::net::IpAddr;

use crate::world::neutron::{Cidr, Neutron, NeutronSubnet};

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(u32::from(a)),
        IpAddr::V6(a) => u128::from(a),
    }
}

fn address(like: IpAddr, number: u128) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::from(u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes()),
        IpAddr::V6(_) => IpAddr::from(number.to_be_bytes()),
    }
}

impl std::str::FromStr for Cidr {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (base, prefix) = text.split_once('/').ok_or(())?;
        let base: IpAddr = base.parse().map_err(|_| ())?;
        let prefix: u8 = prefix.parse().map_err(|_| ())?;
        let bits = if base.is_ipv4() { 32 } else { 128 };
        if prefix > bits {
            return Err(());
        }
        let host = host_mask(bits - prefix);
        Ok(Self { base: address(base, number(base) & !host), prefix })
    }
}

fn host_mask(bits: u8) -> u128 {
    1_u128.checked_shl(u32::from(bits)).map_or(u128::MAX, |m| m - 1)
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl Cidr {
    /// 4 or 6.
    pub const fn version(&self) -> u8 {
        if self.base.is_ipv4() { 4 } else { 6 }
    }

    fn mask(&self) -> u128 {
        host_mask(if self.base.is_ipv4() { 32 } else { 128 } - self.prefix)
    }

    /// The address that many places after the base.
    pub fn nth(&self, n: u128) -> IpAddr {
        address(self.base, number(self.base) + n)
    }

    /// The last address that a host may have.
    pub fn last(&self) -> IpAddr {
        let end = self.mask();
        // The broadcast address of IPv4 is nobody's.
        self.nth(if self.base.is_ipv4() && end > 1 { end - 1 } else { end })
    }

    /// Whether an address is in the range.
    pub fn contains(&self, other: IpAddr) -> bool {
        self.base.is_ipv4() == other.is_ipv4() && number(other) & !self.mask() == number(self.base)
    }

    /// All addresses of hosts but the gateway, as pools.
    pub fn pools(&self, gateway: Option<IpAddr>) -> Vec<(IpAddr, IpAddr)> {
        let (first, last) = (number(self.nth(1)), number(self.last()));
        let ranges = match gateway.filter(|g| self.contains(*g)).map(number) {
            Some(g) => vec![(first, g - 1), (g + 1, last)],
            None => vec![(first, last)],
        };
        let shown = ranges.into_iter().filter(|(a, b)| a <= b);
        shown.map(|(a, b)| (address(self.base, a), address(self.base, b))).collect()
    }
}

impl NeutronSubnet {
    /// Addresses in its pools.
    pub fn capacity(&self) -> u64 {
        let sizes = self.pools.iter().map(|(a, b)| number(*b) - number(*a) + 1);
        u64::try_from(sizes.sum::<u128>()).unwrap_or(u64::MAX)
    }
}

impl Neutron {
    /// Of a subnet's pool addresses, how many ports hold.
    pub fn used(&self, subnet: &NeutronSubnet) -> u64 {
        let held =
            self.by_address.range((subnet.id.clone(), subnet.cidr.base)..).take_while(|((s, _), _)| *s == subnet.id);
        held.filter(|((_, a), _)| subnet.pools.iter().any(|(from, to)| from <= a && a <= to)).count() as u64
    }

    /// The lowest address of a subnet's pools that nobody holds.
    pub(crate) fn free_address(&self, subnet: &NeutronSubnet) -> Option<IpAddr> {
        for (from, to) in &subnet.pools {
            let mut next = number(*from);
            let taken = self.by_address.range((subnet.id.clone(), *from)..=(subnet.id.clone(), *to));
            for ((_, held), _) in taken {
                if number(*held) > next {
                    break;
                }
                next = number(*held) + 1;
            }
            if next <= number(*to) {
                return Some(address(*from, next));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let cidr: Cidr = "10.0.0.77/24".parse().unwrap();
        assert_eq!(cidr.to_string(), "10.0.0.0/24");
        assert_eq!(cidr.last().to_string(), "10.0.0.254");
        assert!(cidr.contains("10.0.0.9".parse().unwrap()) && !cidr.contains("10.0.1.9".parse().unwrap()));
        let pools = cidr.pools(Some("10.0.0.1".parse().unwrap()));
        assert_eq!(pools, [("10.0.0.2".parse().unwrap(), "10.0.0.254".parse().unwrap())]);
        let middle = cidr.pools(Some("10.0.0.100".parse().unwrap()));
        assert_eq!(middle.len(), 2);
        assert!("10.0.0.0/33".parse::<Cidr>().is_err() && "10.0.0.0".parse::<Cidr>().is_err());
        assert_eq!("fd00::5/64".parse::<Cidr>().unwrap().to_string(), "fd00::/64");
    }
}
