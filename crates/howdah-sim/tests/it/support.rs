//! What the tests share: a request for a cluster, and somebody who makes ports.

use std::time::Duration;

use futures::StreamExt as _;
use howdah_core::ids::{NetworkId, ProjectId, SubnetId, VmRef};
use howdah_core::systems::networking::Networking as _;
use howdah_core::systems::networking::PortRequest;
use howdah_core::systems::vcenter::VCenter as _;
use howdah_core::systems::vcenter::WatchEvent;
use howdah_sim::inprocess::{SimNetworking, SimVCenter};
use howdah_sim::world::bde::{BdeNetwork, BdeStatus, ClusterRequest, GroupRequest};
use howdah_sim::{SiteSettings, World};

/// The network of the default settings: id, subnet's id, port group's name.
pub struct Net {
    pub id: String,
    pub subnet: String,
    pub port_group: String,
}

pub fn net(world: &World) -> Net {
    world.read(|s| {
        let network = s.neutron.networks.values().next().unwrap();
        let subnet = s.neutron.subnets.values().find(|n| n.network == network.id).unwrap();
        let group = s.vc.port_groups.values().find(|p| p.network.as_ref() == Some(&network.id)).unwrap();
        Net { id: network.id.clone(), subnet: subnet.id.clone(), port_group: group.name.clone() }
    })
}

/// A world with the network registered in the cluster manager, by hand, as `net`.
pub async fn world(settings: SiteSettings) -> World {
    let world = World::new(settings);
    let port_group = net(&world).port_group;
    world.bde_add_network(BdeNetwork::dhcp("net", &port_group)).unwrap();
    world
}

pub fn request(name: &str, nodes: u32) -> ClusterRequest {
    ClusterRequest {
        name: name.to_owned(),
        distro: Some("kafka".to_owned()),
        networks: [("MGT_NETWORK".to_owned(), vec!["net".to_owned()])].into(),
        groups: vec![GroupRequest::new("worker", &["kafka_broker"], nodes)],
        ..ClusterRequest::default()
    }
}

pub fn port(world: &World, vm: &VmRef) -> PortRequest {
    let net = net(world);
    let project = ProjectId::new(world.service().project);
    world.read(|s| {
        let found = s.vm(vm).unwrap();
        PortRequest {
            network: NetworkId::new(net.id),
            subnet: SubnetId::new(net.subnet),
            mac: found.nics[0].mac,
            address: None,
            name: format!("{}-port0", found.name),
            project,
            device_owner: "compute:howdah".to_owned(),
            device_id: found.instance_uuid,
            security_groups: Vec::new(),
            description: String::new(),
            host: None,
        }
    })
}

/// Makes a complete port for each VM of a cluster as soon as its MAC is to be seen.
pub fn keep_ports(world: &World, cluster: &str) {
    let (world, cluster) = (world.clone(), cluster.parse().unwrap());
    tokio::spawn(async move {
        let networking = SimNetworking::new(world.clone());
        let mut watch = SimVCenter::new(world.clone()).watch(&cluster).await.unwrap();
        let mut made = std::collections::BTreeSet::new();
        while let Some(event) = watch.next().await {
            let Ok(WatchEvent::Vm(facts)) = event else { continue };
            if facts.nics.is_empty() || !made.insert(facts.vm.clone()) {
                continue;
            }
            let (networking, request) = (networking.clone(), port(&world, &facts.vm));
            tokio::spawn(async move { networking.create_ports(&[request]).await.unwrap() });
        }
    });
}

/// Waits for the end of the work on a cluster, with its status; none if it is gone.
pub async fn settled(world: &World, cluster: &str) -> Option<BdeStatus> {
    let done = world.wait_until(|s| s.bde.clusters.get(cluster).is_none_or(|c| c.status.is_stable()));
    tokio::time::timeout(Duration::from_secs(6 * 3600), done).await.expect("the work ends");
    world.read(|s| s.bde.clusters.get(cluster).map(|c| c.status))
}
