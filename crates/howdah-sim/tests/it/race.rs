//! The race that all this is about: ports made when the MAC is there, or made 180 s after the
//! create, in the same world with the same seed.

use std::time::Duration;

use howdah_sim::SiteSettings;
use howdah_sim::world::bde::BdeStatus;
use howdah_sim::world::neutron::PortBody;
use howdah_sim::world::settings::{NetworkBackend, Timings};

use crate::support::{keep_ports, net, request, settled, world};

fn settings(backend: NetworkBackend) -> SiteSettings {
    SiteSettings { backend, timings: Timings { clone_parallel: None, ..Timings::default() }, ..SiteSettings::default() }
}

#[tokio::test(start_paused = true)]
async fn ports_at_mac_time_need_no_remedy_on_any_backend() {
    for backend in [NetworkBackend::NsxV, NetworkBackend::NsxT, NetworkBackend::Ml2] {
        let world = world(settings(backend)).await;
        keep_ports(&world, "c");
        world.bde_create(request("c", 8)).unwrap();
        assert_eq!(settled(&world, "c").await, Some(BdeStatus::Running), "{backend:?}");
        let report = world.read(|s| s.journal.report("c"));
        assert_eq!((report.vms, report.addressed, report.remedies), (8, 8, 0));
        let lost = report.seconds.unwrap() - report.floor_seconds.unwrap();
        assert!(lost.abs() < 0.05, "{backend:?}: waiting for ports cost {lost} s");
        assert!(report.slowest_port_seconds.unwrap() < 0.5, "{report:?}");
    }
}

/// What the 2015 plugin did: it slept, then made ports named for the VMs, without an owner.
async fn ports_of_2015(backend: NetworkBackend) -> (Option<BdeStatus>, usize) {
    let world = world(settings(backend)).await;
    world.bde_create(request("c", 8)).unwrap();
    world.sleep(Duration::from_secs(180)).await;
    let network = net(&world).id;
    let bodies: Vec<_> = world.read(|s| {
        let nodes = s.bde.clusters["c"].nodes().filter_map(|n| s.vm(n.vm.as_ref()?));
        let body = |v: &howdah_sim::world::inventory::Vm| PortBody {
            network: network.clone(),
            name: format!("{}-port0", v.name),
            mac: Some(v.nics[0].mac),
            device_id: v.name.clone(),
            ..PortBody::default()
        };
        nodes.map(body).collect()
    });
    assert_eq!(bodies.len(), 8, "all VMs are there after 180 s");
    world.create_ports(bodies, &world.service()).await.unwrap();
    let status = settled(&world, "c").await;
    (status, world.read(|s| s.journal.report("c").addressed))
}

#[tokio::test(start_paused = true)]
async fn the_way_of_2015_gets_no_address_from_nsx() {
    assert_eq!(ports_of_2015(NetworkBackend::NsxV).await, (Some(BdeStatus::ProvisionError), 0));
    assert_eq!(ports_of_2015(NetworkBackend::NsxT).await, (Some(BdeStatus::ProvisionError), 0));
}

#[tokio::test(start_paused = true)]
async fn with_ml2_the_way_of_2015_serves_only_who_still_asks() {
    let (status, addressed) = ports_of_2015(NetworkBackend::Ml2).await;
    // Some guests booted late enough to be within their one minute of asking.
    assert_eq!(status, Some(BdeStatus::ProvisionError));
    assert!((1..8).contains(&addressed), "{addressed}");
}
