//! The same world with the same seed, twice: with ports made as the plugin of 2015 made them, and
//! with Howdah's controller.

use std::time::Duration;

use howdah_core::systems::manager::ClusterManager;
use howdah_core::systems::manager::{ManagedSpec, RegisteredNetwork};
use howdah_sim::SiteSettings;
use howdah_sim::inprocess::SimClusterManager;
use howdah_sim::world::inventory::Vm;
use howdah_sim::world::neutron::PortBody;
use howdah_sim::world::settings::Timings;

use crate::site::Run;

const NODES: u32 = 8;

fn settings() -> SiteSettings {
    let timings = Timings { clone_parallel: None, ..Timings::default() };
    SiteSettings { seed: 42, timings, ..SiteSettings::default() }
}

/// It registered the network, asked for the cluster, slept for 180 s, and then made a port for
/// each VM: without an owner, and with the VM's name for a device id.
async fn the_way_of_2015() -> usize {
    let run = Run::new(settings());
    let record = run.record("c1", NODES).await;
    let bde = SimClusterManager::new(run.world.clone());
    let port_group = run.world.read(|s| s.vc.port_groups.values().find(|p| p.network.is_some()).unwrap().name.clone());
    bde.register_network(&RegisteredNetwork { name: "net".into(), port_group, dhcp: true }).await.unwrap();
    let spec = ManagedSpec {
        name: record.name.clone(),
        distro: record.spec.distro.clone(),
        app_manager: None,
        resource_pools: record.spec.resource_pools.clone(),
        datastores: vec![],
        network: "net".into(),
        node_groups: record.shape.node_groups.clone(),
        password: None,
        specification: None,
    };
    bde.create_cluster(&spec).await.unwrap();
    run.world.sleep(Duration::from_secs(180)).await;
    let network = record.spec.network.id.to_string();
    let port = |vm: &Vm| PortBody {
        network: network.clone(),
        name: format!("{}-port0", vm.name),
        mac: Some(vm.nics[0].mac),
        device_id: vm.name.clone(),
        ..PortBody::default()
    };
    let bodies: Vec<_> = run.world.read(|s| s.vc.vms.values().filter(|vm| vm.cluster.is_some()).map(port).collect());
    assert_eq!(bodies.len(), NODES as usize, "all VMs are there after 180 s");
    run.world.create_ports(bodies, &run.world.service()).await.unwrap();
    run.world.sleep(Duration::from_secs(1200)).await;
    run.world.read(|s| s.journal.report("c1").addressed)
}

async fn howdah() -> usize {
    let run = Run::new(settings());
    let id = run.add("c1", NODES).await;
    run.good(&run.work(&id).await.unwrap(), NODES as usize);
    run.world.read(|s| s.journal.report("c1").addressed)
}

#[tokio::test(start_paused = true)]
async fn on_nsx_v_the_way_of_2015_gets_no_address_and_howdah_gets_all() {
    assert_eq!((the_way_of_2015().await, howdah().await), (0, NODES as usize));
}

/// In virtual time this is not about the machine but about the controller: no card waits for the
/// answer about another.
#[tokio::test(start_paused = true)]
async fn two_hundred_nodes_cloned_at_once_have_their_ports_requested_at_once() {
    let timings = Timings { clone_parallel: None, clone_together: true, ..Timings::default() };
    let run = Run::new(SiteSettings { seed: 5, timings, ..SiteSettings::default() });
    let id = run.add("c1", 200).await;
    run.good(&run.work(&id).await.unwrap(), 200);
    let report = run.world.read(|s| s.journal.report("c1"));
    let lag = |t: &howdah_sim::world::journal::VmTimes| {
        t.port_posted.unwrap().duration_since(t.mac_final.unwrap()).as_secs_f64()
    };
    let mut lags: Vec<f64> = report.times.iter().map(lag).collect();
    lags.sort_by(f64::total_cmp);
    assert!(
        lags[189] < 0.25,
        "95 % of the ports were requested within {} s, the last after {} s",
        lags[189],
        lags[199]
    );
}
