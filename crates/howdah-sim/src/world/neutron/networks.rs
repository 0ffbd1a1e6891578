//! What Neutron does with requests for networks, subnets and security groups. A network's port
//! groups turn up in vCenter some time later, named as the backend names them.

use std::net::IpAddr;

use crate::world::World;
use crate::world::faults::Inner;
use crate::world::neutron::{
    Caller, Cidr, NetworkBody, NeutronError, NeutronNetwork, NeutronSubnet, PortBody, SecurityGroup, SubnetBody,
};
use crate::world::settings::NetworkBackend;
use crate::world::state::State;

type Answer<T> = Result<T, NeutronError>;

impl World {
    /// `POST /networks`.
    ///
    /// # Errors
    /// As Neutron's.
    pub fn create_network(&self, body: NetworkBody, caller: &Caller) -> Answer<NeutronNetwork> {
        let (network, after) = self.write(|s| {
            let network = s.add_network(body, caller)?;
            let after = s.dice.span(s.settings.timings.port_group, "port_group", &network.name);
            Ok((network, after))
        })?;
        let (world, id) = (self.clone(), network.id.clone());
        self.spawn(async move {
            world.sleep(after).await;
            world.write(|s| {
                if !s.fails(Inner::PortGroup, &id) {
                    s.back_network(&id);
                }
            });
        });
        Ok(network)
    }

    /// `DELETE /networks/{id}`: refused while others' ports are on it.
    ///
    /// # Errors
    /// As Neutron's.
    pub fn delete_network(&self, id: &str, caller: &Caller) -> Answer<()> {
        self.write(|s| {
            s.own_network(id, caller)?;
            let (auto, held): (Vec<_>, Vec<_>) =
                s.neutron.ports.values().filter(|p| p.network == id).map(|p| (p.id.clone(), p.device_owner.clone())).partition(|(_, o)| o == "network:dhcp");
            if !held.is_empty() {
                let ids: Vec<_> = held.into_iter().map(|(p, _)| p).collect();
                let says = format!(
                    "Unable to complete operation on network {id}. There are one or more ports still in use on the network, id for these ports is {}.",
                    ids.join(",")
                );
                return Err(NeutronError::new("NetworkInUse", 409, says));
            }
            for (port, _) in auto {
                s.drop_port(&port);
            }
            s.neutron.subnets.retain(|_, n| n.network != id);
            s.neutron.networks.remove(id);
            s.unback_network(id);
            Ok(())
        })
    }

    /// `POST /subnets`.
    ///
    /// # Errors
    /// As Neutron's.
    pub fn create_subnet(&self, body: SubnetBody, caller: &Caller) -> Answer<NeutronSubnet> {
        self.write(|s| s.add_subnet(body, caller))
    }

    /// `DELETE /subnets/{id}`: refused while ports have addresses of it.
    ///
    /// # Errors
    /// As Neutron's.
    pub fn delete_subnet(&self, id: &str, caller: &Caller) -> Answer<()> {
        self.write(|s| {
            let subnet = s.neutron.subnets.get(id).ok_or_else(|| NeutronError::not_found("Subnet", id))?;
            let network = subnet.network.clone();
            s.own_network(&network, caller)?;
            let on_it = |owner: &dyn Fn(&str) -> bool| -> Vec<String> {
                let ports = s.neutron.ports.values().filter(|p| p.fixed_ips.iter().any(|(n, _)| n == id));
                ports.filter(|p| owner(&p.device_owner)).map(|p| p.id.clone()).collect()
            };
            if !on_it(&|o| o != "network:dhcp").is_empty() {
                let says = format!("Unable to complete operation on subnet {id}: One or more ports have an IP allocation from this subnet.");
                return Err(NeutronError::new("SubnetInUse", 409, says));
            }
            for port in on_it(&|o| o == "network:dhcp") {
                s.drop_port(&port);
            }
            s.neutron.subnets.remove(id);
            Ok(())
        })
    }

    /// `POST /security-groups`.
    pub fn create_security_group(&self, name: &str, description: &str, caller: &Caller) -> SecurityGroup {
        self.write(|s| {
            let id = s.new_uuid("security-group");
            let group = SecurityGroup {
                id: id.clone(),
                name: name.to_owned(),
                project: caller.project.clone(),
                description: description.to_owned(),
            };
            s.neutron.groups.insert(id, group.clone());
            group
        })
    }

    /// `DELETE /security-groups/{id}`: refused while ports are in it.
    ///
    /// # Errors
    /// As Neutron's.
    pub fn delete_security_group(&self, id: &str, caller: &Caller) -> Answer<()> {
        self.write(|s| {
            let group = s.neutron.groups.get(id).filter(|g| caller.admin || g.project == caller.project);
            group.ok_or_else(|| NeutronError::not_found("Security group", id))?;
            if s.neutron.ports.values().any(|p| p.security_groups.iter().any(|g| g == id)) {
                return Err(NeutronError::new("SecurityGroupInUse", 409, format!("Security Group {id} in use.")));
            }
            s.neutron.groups.remove(id);
            Ok(())
        })
    }
}

impl State {
    /// Makes the networks that are there from the start, port groups and all.
    pub(crate) fn seed_networks(&mut self) {
        let Some(project) = self.settings.projects.first().and_then(|p| self.keystone.project(p)).map(|p| p.id.clone())
        else {
            return;
        };
        let admin = Caller { project, admin: true };
        for seed in self.settings.networks.clone() {
            let body = NetworkBody { name: seed.name, shared: seed.shared, ..NetworkBody::default() };
            let Ok(network) = self.add_network(body, &admin) else { continue };
            self.back_network(&network.id);
            let body = SubnetBody {
                network: network.id,
                name: seed.subnet,
                cidr: seed.cidr,
                dhcp: Some(seed.dhcp),
                ..SubnetBody::default()
            };
            if let Err(e) = self.add_subnet(body, &admin) {
                tracing::warn!(error = %e, "a subnet of the settings cannot be made");
            }
        }
    }

    /// A UUID that this run makes in the same order with the same seed.
    pub(crate) fn new_uuid(&mut self, purpose: &str) -> String {
        self.neutron.next += 1;
        let next = self.neutron.next;
        self.dice.uuid(purpose, &next.to_string()).to_string()
    }

    /// Whether a project may see a network.
    pub fn sees_network(&self, network: &NeutronNetwork, caller: &Caller) -> bool {
        caller.admin || network.shared || network.external || network.project == caller.project
    }

    /// A network that the caller may see.
    ///
    /// # Errors
    /// 404 otherwise.
    pub fn visible_network(&self, id: &str, caller: &Caller) -> Answer<&NeutronNetwork> {
        let found = self.neutron.networks.get(id).filter(|n| self.sees_network(n, caller));
        found.ok_or_else(|| NeutronError::not_found("Network", id))
    }

    fn own_network(&self, id: &str, caller: &Caller) -> Answer<()> {
        let network = self.visible_network(id, caller)?;
        if caller.admin || network.project == caller.project {
            Ok(())
        } else {
            Err(NeutronError::policy("(delete_network) and it"))
        }
    }

    /// Adds a network without its port groups.
    pub(crate) fn add_network(&mut self, body: NetworkBody, caller: &Caller) -> Answer<NeutronNetwork> {
        let project = body.project.unwrap_or_else(|| caller.project.clone());
        if project != caller.project && !caller.admin {
            return Err(NeutronError::policy("create_network:tenant_id"));
        }
        if (body.shared || body.external) && !caller.admin {
            return Err(NeutronError::policy("create_network:shared"));
        }
        let id = self.new_uuid("network");
        let network = NeutronNetwork {
            id: id.clone(),
            name: body.name,
            project,
            shared: body.shared,
            external: body.external,
            admin_up: true,
            segmentation: 5000 + u32::try_from(self.neutron.next).unwrap_or_default(),
            description: body.description,
            revision: 1,
            created: self.now,
        };
        self.neutron.networks.insert(id, network.clone());
        Ok(network)
    }

    /// Adds a subnet, and the DHCP server's own port.
    pub(crate) fn add_subnet(&mut self, body: SubnetBody, caller: &Caller) -> Answer<NeutronSubnet> {
        let network = self.visible_network(&body.network, caller)?.clone();
        self.own_network(&body.network, caller)?;
        let cidr: Cidr = body.cidr.parse().map_err(|()| {
            NeutronError::new(
                "InvalidInput",
                400,
                format!("Invalid input for operation: '{}' is not a valid CIDR.", body.cidr),
            )
        })?;
        let dhcp = body.dhcp.unwrap_or(true);
        if dhcp && cidr.version() == 6 && self.settings.backend == NetworkBackend::NsxV {
            let says = "Invalid input for operation: No support for DHCP for IPv6.";
            return Err(NeutronError::new("InvalidInput", 400, says));
        }
        let gateway: Option<IpAddr> = body.gateway.unwrap_or_else(|| Some(cidr.nth(1)));
        let id = self.new_uuid("subnet");
        let subnet = NeutronSubnet {
            id: id.clone(),
            name: body.name,
            network: network.id.clone(),
            project: body.project.unwrap_or_else(|| network.project.clone()),
            cidr,
            gateway,
            dhcp,
            pools: body.pools.unwrap_or_else(|| cidr.pools(gateway)),
            dns: body.dns,
            description: body.description,
            revision: 1,
            created: self.now,
        };
        self.neutron.subnets.insert(id.clone(), subnet.clone());
        if dhcp {
            let server = PortBody {
                network: network.id,
                project: Some(network.project.clone()),
                fixed_ips: Some(vec![(Some(id), None)]),
                device_owner: "network:dhcp".to_owned(),
                device_id: "dhcp-edge".to_owned(),
                security_groups: Some(Vec::new()),
                ..PortBody::default()
            };
            let admin = Caller { project: network.project, admin: true };
            self.add_ports(&[server], &admin)?;
        }
        Ok(subnet)
    }
}
