//! A whole create of a cluster, watched over the wire and from within the world at once: both must
//! come to the same picture.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use howdah_core::ids::Mac;
use howdah_core::systems::Remote;
use howdah_core::systems::manager::ClusterManager;
use howdah_core::systems::manager::RegisteredNetwork;
use howdah_core::systems::vcenter::VCenter;
use howdah_core::systems::vcenter::{Power, Vms, WatchEvent};
use howdah_sim::SiteSettings;
use howdah_sim::inprocess::{SimClusterManager, SimVCenter};
use howdah_sim::world::bde::{ClusterRequest, GroupRequest};
use howdah_sim::world::settings::Timings;

use crate::site::{Site, cluster};

const NODES: usize = 20;

/// Reads a watch until all nodes are on, and notes each MAC that a node ever had.
async fn picture(mut watch: BoxStream<'static, Remote<WatchEvent>>) -> (Vms, BTreeMap<String, Vec<Mac>>) {
    let (mut vms, mut macs) = (Vms::new(), BTreeMap::<String, Vec<Mac>>::new());
    let done = |vms: &Vms| vms.len() == NODES && vms.values().all(|v| v.power == Power::On);
    while !done(&vms) {
        match watch.next().await.unwrap().unwrap() {
            WatchEvent::Vm(facts) => {
                if let (Some(name), Some(mac)) = (&facts.name, facts.nics.first().and_then(|n| n.mac)) {
                    let seen = macs.entry(name.to_string()).or_default();
                    if seen.last() != Some(&mac) {
                        seen.push(mac);
                    }
                }
                vms.insert(facts.vm.clone(), facts.into());
            }
            WatchEvent::Gone(vm) => drop(vms.remove(&vm)),
            WatchEvent::Reset | WatchEvent::Synced => {}
        }
    }
    (vms, macs)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_looks_the_same_on_the_wire_as_within() {
    let settings = SiteSettings { timings: Timings::quick(), speed: 4.0, ..SiteSettings::default() };
    let site = Site::with(settings).await;
    let client = site.client();
    let wire = client.watch(&cluster("c")).await.unwrap();
    let within = SimVCenter::new(site.world.clone()).watch(&cluster("c")).await.unwrap();
    let both = async { tokio::join!(picture(wire), picture(within)) };

    let port_group = client.segments().await.unwrap().into_iter().find(|s| s.name.starts_with("vxw-")).unwrap();
    let network = RegisteredNetwork { name: "net".to_owned(), port_group: port_group.name, dhcp: true };
    SimClusterManager::new(site.world.clone()).register_network(&network).await.unwrap();
    let request = ClusterRequest {
        name: "c".to_owned(),
        distro: Some("kafka".to_owned()),
        networks: [("MGT_NETWORK".to_owned(), vec!["net".to_owned()])].into(),
        groups: vec![GroupRequest::new("worker", &["kafka_broker"], NODES as u32)],
        ..ClusterRequest::default()
    };
    site.world.bde_create(request).unwrap();
    let ((wire, wire_macs), (within, within_macs)) =
        tokio::time::timeout(Duration::from_secs(60), both).await.expect("the create does not come to its end");

    assert_eq!(wire_macs, within_macs);
    for (vm, there) in &within {
        let here = &wire[vm];
        assert_eq!((&here.name, here.instance_uuid), (&there.name, there.instance_uuid));
        assert_eq!(here.nics[0].segment.as_ref(), Some(&port_group.key));
        assert_eq!((here.nics[0].mac, here.nics[0].connected), (there.nics[0].mac, there.nics[0].connected));
        assert!(here.boot_time.is_some());
    }
}
