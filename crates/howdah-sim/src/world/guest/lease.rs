//! Who is answered by DHCP: the one rule that both the guests and the reports go by.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::world::neutron::NeutronPort;
use crate::world::settings::NetworkBackend;
use crate::world::state::State;
use crate::world::vcenter::inventory::{Nic, Vm};

impl State {
    /// The port that a card's requests are answered from: same network, same address on the
    /// wire, bound by now, with an address in a subnet that hands out leases.
    fn answering_port(&self, nic: &Nic, at: Timestamp) -> Option<(&NeutronPort, IpAddr)> {
        let network = self.vc.neutron_network(&nic.backing)?;
        let ports = self.neutron.by_mac.get(&nic.mac)?.iter().filter_map(|p| self.neutron.ports.get(p));
        let bound = ports.filter(|p| p.network == network && p.binding.is_some_and(|b| b <= at));
        bound
            .filter_map(|p| {
                let leased = p.fixed_ips.iter().find(|(s, _)| self.neutron.subnets.get(s).is_some_and(|n| n.dhcp));
                leased.map(|(_, address)| (p, *address))
            })
            .next()
    }

    /// The address that a DISCOVER of this card is answered with at this time.
    pub fn lease_for(&self, nic: &Nic, at: Timestamp) -> Option<IpAddr> {
        nic.connected.then(|| self.answering_port(nic, at)).flatten().map(|(_, address)| address)
    }

    /// Whether NSX applies a port's security groups to this card: by index with NSX-v, by
    /// external id with NSX-T. ML2 has no groups outside its own hosts, and asks for nothing.
    pub fn is_attached(&self, vm: &Vm, nic: &Nic, port: &NeutronPort) -> bool {
        match self.settings.backend {
            NetworkBackend::NsxV => {
                let index = u32::try_from(nic.key - crate::world::vcenter::inventory::FIRST_NIC).ok();
                port.vnic_index == index && port.device_id == vm.instance_uuid.to_string()
            }
            NetworkBackend::NsxT => nic.external_id.as_deref() == Some(&port.id),
            NetworkBackend::Ml2 => true,
        }
    }
}
