//! Which fixed addresses a port gets.

use std::net::IpAddr;

use crate::world::neutron::{NeutronError, NeutronSubnet};
use crate::world::state::State;

type Answer<T> = Result<T, NeutronError>;

impl State {
    pub(super) fn any_subnet(&self, network: &str) -> Vec<(Option<String>, Option<IpAddr>)> {
        let first =
            self.neutron.subnets.values().filter(|n| n.network == network).min_by_key(|n| (n.created, n.id.clone()));
        first.map(|n| (Some(n.id.clone()), None)).into_iter().collect()
    }

    pub(super) fn allocate(
        &mut self,
        network: &str,
        port: &str,
        wishes: &[(Option<String>, Option<IpAddr>)],
    ) -> Answer<Vec<(String, IpAddr)>> {
        let mut got: Vec<(String, IpAddr)> = Vec::new();
        for (subnet, address) in wishes {
            let one = self.pick(network, subnet.as_deref(), *address);
            match one {
                Ok((subnet, address)) => {
                    self.neutron.by_address.insert((subnet.clone(), address), port.to_owned());
                    got.push((subnet, address));
                }
                Err(e) => {
                    self.release(&got);
                    return Err(e);
                }
            }
        }
        Ok(got)
    }

    fn pick(&self, network: &str, subnet: Option<&str>, address: Option<IpAddr>) -> Answer<(String, IpAddr)> {
        let subnets = self.neutron.subnets.values().filter(|n| n.network == network);
        let fits = |n: &&NeutronSubnet| match (subnet, address) {
            (Some(id), _) => n.id == id,
            (None, Some(a)) => n.cidr.contains(a),
            (None, None) => true,
        };
        let Some(found) = subnets.into_iter().find(fits) else {
            return Err(match subnet {
                Some(id) if self.neutron.subnets.contains_key(id) => NeutronError::new(
                    "InvalidInput",
                    400,
                    format!(
                        "Invalid input for operation: Failed to create port on network {network}, because fixed_ips included invalid subnet {id}."
                    ),
                ),
                Some(id) => NeutronError::not_found("Subnet", id),
                None => NeutronError::new(
                    "InvalidIpForNetwork",
                    400,
                    "IP address is not a valid IP for any of the subnets on the specified network.",
                ),
            });
        };
        let Some(address) = address else {
            let free = self.neutron.free_address(found);
            let used_up = || {
                NeutronError::new(
                    "IpAddressGenerationFailure",
                    409,
                    format!("No more IP addresses available on network {network}."),
                )
            };
            return free.map(|a| (found.id.clone(), a)).ok_or_else(used_up);
        };
        if !found.cidr.contains(address) {
            let says = format!("IP address {address} is not a valid IP for the specified subnet.");
            return Err(NeutronError::new("InvalidIpForSubnet", 400, says));
        }
        if self.neutron.by_address.contains_key(&(found.id.clone(), address)) {
            let says = format!("IP address {address} already allocated in subnet {}", found.id);
            return Err(NeutronError::new("IpAddressAlreadyAllocated", 409, says));
        }
        Ok((found.id.clone(), address))
    }

    pub(super) fn release(&mut self, addresses: &[(String, IpAddr)]) {
        for held in addresses {
            self.neutron.by_address.remove(held);
        }
    }
}
