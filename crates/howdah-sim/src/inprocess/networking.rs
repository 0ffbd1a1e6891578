//! The simulated Neutron as core's `Networking`, with the service's own credentials.

use std::collections::BTreeSet;

use async_trait::async_trait;
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{NetworkId, PortId, ProjectId, SecurityGroupId, SubnetId};
use howdah_core::systems::Remote;
use howdah_core::systems::networking::Networking;
use howdah_core::systems::networking::{
    Binding, FixedIp, Network, NetworkingFeatures, Port, PortChange, PortQuery, PortRequest, Quota, Subnet,
};

use super::{call, call_now};
use crate::World;
use crate::world::neutron::{NeutronError, NeutronNetwork, NeutronPort, NeutronSubnet, PortBody, PortUpdate};
use crate::world::settings::NetworkBackend;
use crate::world::state::State;

/// Core's view of the simulated Neutron.
#[derive(Debug, Clone)]
pub struct SimNetworking(World);

impl SimNetworking {
    /// Over a world.
    pub const fn new(world: World) -> Self {
        Self(world)
    }

    async fn call<T: Send + 'static>(
        &self,
        method: &str,
        object: &str,
        work: impl FnOnce(&World) -> Remote<T> + Send + 'static,
    ) -> Remote<T> {
        call_now(&self.0, System::Neutron, method, object, work).await
    }
}

/// A network as core knows it.
pub(super) fn network(network: &NeutronNetwork) -> Network {
    Network {
        id: NetworkId::new(network.id.clone()),
        name: network.name.clone(),
        project: ProjectId::new(network.project.clone()),
        external: network.external,
    }
}

/// A subnet as core knows it.
pub(super) fn subnet(s: &State, subnet: &NeutronSubnet) -> Subnet {
    Subnet {
        id: SubnetId::new(subnet.id.clone()),
        name: subnet.name.clone(),
        network: NetworkId::new(subnet.network.clone()),
        cidr: subnet.cidr.to_string(),
        ip_version: subnet.cidr.version(),
        dhcp: subnet.dhcp,
        capacity: subnet.capacity(),
        used: s.neutron.used(subnet),
    }
}

fn port(s: &State, port: &NeutronPort) -> Port {
    let fixed = |(subnet, address): &(String, std::net::IpAddr)| FixedIp {
        subnet: SubnetId::new(subnet.clone()),
        address: *address,
    };
    Port {
        id: PortId::new(port.id.clone()),
        name: port.name.clone(),
        project: ProjectId::new(port.project.clone()),
        network: NetworkId::new(port.network.clone()),
        mac: port.mac,
        fixed_ips: port.fixed_ips.iter().map(fixed).collect(),
        device_owner: port.device_owner.clone(),
        device_id: port.device_id.clone(),
        description: port.description.clone(),
        security_groups: port.security_groups.iter().cloned().map(SecurityGroupId::new).collect(),
        vnic_index: port.vnic_index,
        status: port.status.to_owned(),
        binding: Some(Binding { host: port.host.clone(), vif_type: s.vif_type(port).to_owned() }),
        logical_switch: s.shown_switch(&port.network, &port.device_owner),
    }
}

fn groups(groups: &[SecurityGroupId]) -> Vec<String> {
    groups.iter().map(|g| g.as_str().to_owned()).collect()
}

fn body(request: &PortRequest) -> PortBody {
    PortBody {
        network: request.network.as_str().to_owned(),
        name: request.name.clone(),
        project: Some(request.project.as_str().to_owned()),
        mac: Some(request.mac),
        fixed_ips: Some(vec![(Some(request.subnet.as_str().to_owned()), request.address)]),
        device_owner: request.device_owner.clone(),
        device_id: request.device_id.to_string(),
        description: request.description.clone(),
        security_groups: (!request.security_groups.is_empty()).then(|| groups(&request.security_groups)),
        host: request.host.clone(),
        ..PortBody::default()
    }
}

fn has_vnic_index(world: &World) -> bool {
    world.read(|s| s.settings.backend == NetworkBackend::NsxV)
}

fn fits(query: &PortQuery, port: &NeutronPort) -> bool {
    query.network.as_ref().is_none_or(|n| n.as_str() == port.network)
        && (query.macs.is_empty() || query.macs.contains(&port.mac))
}

#[async_trait]
impl Networking for SimNetworking {
    async fn features(&self) -> Remote<NetworkingFeatures> {
        self.call("features", "", |w| Ok(NetworkingFeatures { vnic_index: has_vnic_index(w) })).await
    }

    async fn network(&self, id: &NetworkId) -> Remote<Option<Network>> {
        let wanted = id.clone();
        let look = move |w: &World| Ok(w.read(|s| s.neutron.networks.get(wanted.as_str()).map(network)));
        self.call("network", id.as_str(), look).await
    }

    async fn subnet(&self, id: &SubnetId) -> Remote<Option<Subnet>> {
        let wanted = id.clone();
        let look = move |w: &World| Ok(w.read(|s| s.neutron.subnets.get(wanted.as_str()).map(|n| subnet(s, n))));
        self.call("subnet", id.as_str(), look).await
    }

    async fn port_quota(&self, project: &ProjectId) -> Remote<Option<Quota>> {
        let wanted = project.clone();
        let look = move |w: &World| {
            Ok(w.read(|s| {
                let limit = s.neutron.port_quota.get(wanted.as_str()).copied();
                Some(Quota { limit, used: s.ports_of(wanted.as_str()) })
            }))
        };
        self.call("port_quota", project.as_str(), look).await
    }

    async fn ports(&self, query: &PortQuery) -> Remote<Vec<Port>> {
        let object = query.network.as_ref().map(NetworkId::to_string).unwrap_or_default();
        let query = query.clone();
        let look = move |w: &World| {
            Ok(w.read(|s| {
                // With MACs, the index spares a walk over all ports. One that is named twice counts once.
                let macs: BTreeSet<_> = query.macs.iter().collect();
                let by_mac = macs.into_iter().filter_map(|m| s.neutron.by_mac.get(m)).flatten();
                if query.macs.is_empty() {
                    s.neutron.ports.values().filter(|p| fits(&query, p)).map(|p| port(s, p)).collect()
                } else {
                    by_mac
                        .filter_map(|p| s.neutron.ports.get(p))
                        .filter(|p| fits(&query, p))
                        .map(|p| port(s, p))
                        .collect()
                }
            }))
        };
        self.call("ports", &object, look).await
    }

    async fn create_ports(&self, requests: &[PortRequest]) -> Remote<Vec<Port>> {
        let object = requests.first().map(|r| r.name.clone()).unwrap_or_default();
        // The production client refuses this itself: Neutron would take a minute and a half.
        let mut macs = BTreeSet::new();
        if let Some(twice) = requests.iter().find(|r| !macs.insert(r.mac)) {
            let says = format!("the MAC address {} is in one request twice", twice.mac);
            return Err(RemoteError::new(System::Neutron, ErrorKind::Invalid, "neutron_same_mac_twice", says));
        }
        let bodies: Vec<_> = requests.iter().map(body).collect();
        let work = |w: World| async move {
            let made = w.create_ports(bodies, &w.service()).await;
            let made = made?;
            Ok(w.read(|s| made.iter().map(|p| port(s, p)).collect()))
        };
        call(&self.0, System::Neutron, "create_ports", &object, work).await
    }

    async fn update_port(&self, id: &PortId, change: &PortChange) -> Remote<Port> {
        let update = PortUpdate {
            name: change.name.clone(),
            device_owner: change.device_owner.clone(),
            device_id: change.device_id.map(|d| d.to_string()),
            description: change.description.clone(),
            security_groups: change.security_groups.as_deref().map(groups),
            host: change.host.clone(),
            ..PortUpdate::default()
        };
        let target = id.clone();
        let work = move |w: &World| {
            let changed = w.update_port(target.as_str(), &update, &w.service())?;
            Ok(w.read(|s| port(s, &changed)))
        };
        self.call("update_port", id.as_str(), work).await
    }

    async fn set_vnic_index(&self, id: &PortId, index: u32) -> Remote<Option<u32>> {
        let update = PortUpdate { vnic_index: Some(Some(index)), ..PortUpdate::default() };
        let target = id.clone();
        let work = move |w: &World| {
            if !has_vnic_index(w) {
                let says = "Unrecognized attribute(s) 'vnic_index'";
                return Err(NeutronError::new("HTTPBadRequest", 400, says).into());
            }
            w.update_port(target.as_str(), &update, &w.service())?;
            let held = w.read(|s| s.neutron.ports.get(target.as_str()).map(|p| p.vnic_index));
            held.ok_or_else(|| NeutronError::not_found("Port", target.as_str()).into())
        };
        self.call("set_vnic_index", id.as_str(), work).await
    }

    async fn delete_port(&self, id: &PortId) -> Remote<()> {
        let target = id.clone();
        let work = move |w: &World| match w.delete_port(target.as_str(), &w.service()) {
            Err(e) if e.kind != "PortNotFound" => Err(RemoteError::from(e)),
            _ => Ok(()),
        };
        self.call("delete_port", id.as_str(), work).await
    }
}
