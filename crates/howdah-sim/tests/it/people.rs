//! Strangers and people: what they have, what they do by hand, and whose a thing is.

use std::time::Duration;

use howdah_core::systems::manager::ClusterManager as _;
use howdah_core::systems::manager::{ManagedSpec, RegisteredNetwork};
use howdah_core::systems::networking::Networking as _;
use howdah_core::systems::vcenter::Power;
use howdah_sim::inprocess::{SimClusterManager, SimNetworking};
use howdah_sim::world::actor::Origin;
use howdah_sim::world::bde::{BdeStatus, BdeTaskStatus, ClusterAction};
use howdah_sim::world::neutron::{PortBody, PortUpdate};
use howdah_sim::world::settings::NetworkBackend;
use howdah_sim::world::strangers::{Neighbour, PortForm, Stranger};
use howdah_sim::{SiteSettings, World};

use crate::support::{net, request, settled, world};

fn site() -> World {
    World::new(SiteSettings::default())
}

#[tokio::test(start_paused = true)]
async fn a_strangers_cluster_runs_has_ports_of_2015_and_does_not_change_by_itself() {
    let world = site();
    let other = world.read(|s| s.keystone.project("other").unwrap().id.clone());
    let added = world.add_stranger(&Stranger::new("c1", 3).of_project(&other)).unwrap();
    world.read(|s| {
        let cluster = &s.bde.clusters["c1"];
        assert_eq!((cluster.status, cluster.origin), (BdeStatus::Running, Origin::People));
        for (n, (vm, port)) in added.vms.iter().zip(&added.ports).enumerate() {
            let (vm, port) = (s.vm(vm).unwrap(), &s.neutron.ports[port]);
            assert_eq!(vm.name, format!("c1-worker-{n}"));
            assert_eq!((vm.power, vm.has_reported_address(), vm.origin), (Power::On, true, Origin::People));
            assert_eq!((&port.name, &port.device_id), (&format!("{}-port0", vm.name), &vm.name));
            assert_eq!((port.mac, port.device_owner.as_str(), port.description.as_str()), (vm.nics[0].mac, "", ""));
            assert_eq!((&port.project, port.origin), (&other, Origin::People));
        }
    });
    assert!(world.service_part().is_empty());
    let before = world.foreign_part();
    world.sleep(Duration::from_secs(7 * 24 * 3600)).await;
    assert_eq!(before.changes(&world.foreign_part()), [""; 0]);
    let refused = world.add_stranger(&Stranger::new("c1", 1)).unwrap_err();
    assert!(std::error::Error::source(&refused).unwrap().to_string().contains("already exists"));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_deleted_by_hand_and_remade_has_other_vms() {
    let world = site();
    let first = world.add_stranger(&Stranger::new("c1", 2)).unwrap();
    let uuids = |vms: &[_]| -> Vec<_> { vms.iter().map(|v| world.read(|s| s.vm(v).unwrap().instance_uuid)).collect() };
    let before = uuids(&first.vms);
    let second = world.by_hand_remake_cluster(&Stranger::new("c1", 5)).unwrap();
    assert_eq!(second.vms.len(), 5);
    assert!(first.vms.iter().all(|v| world.read(|s| s.vm(v).is_none())));
    assert!(uuids(&second.vms).iter().all(|u| !before.contains(u)), "the same names, other VMs");
    assert_eq!(world.read(|s| s.neutron.ports.values().filter(|p| p.name.starts_with("c1-")).count()), 7);
    world.by_hand_delete_cluster("c1").unwrap();
    world.read(|s| {
        assert!(s.bde.clusters.is_empty() && s.vc.folders.values().all(|f| f.name != "c1"));
        assert!(s.bde.tasks.values().all(|t| t.status == BdeTaskStatus::Completed));
    });
}

#[tokio::test(start_paused = true)]
async fn what_is_done_by_hand_shows_in_the_cluster_manager_as_in_life() {
    let world = site();
    let vms = world.add_stranger(&Stranger::new("c1", 3)).unwrap().vms;
    let status = |n: usize| world.read(|s| s.bde.clusters["c1"].nodes().nth(n).unwrap().status.as_str());
    world.by_hand_power_off(&vms[0]).unwrap();
    world.by_hand_destroy(&vms[1]).unwrap();
    assert_eq!([status(0), status(1), status(2)], ["Powered Off", "Not Exist", "Service Ready"]);
    assert_eq!(world.read(|s| s.bde.clusters["c1"].status), BdeStatus::Running, "the cluster's status does not follow");
    world.by_hand_power_on(&vms[0]).unwrap();
    assert_eq!(status(0), "Powered On");
    world.bde_action("c1", ClusterAction::Stop).unwrap();
    assert_eq!(settled(&world, "c1").await, Some(BdeStatus::Stopped));
    assert_eq!(world.read(|s| s.vm(&vms[2]).unwrap().power), Power::Off);
}

#[tokio::test(start_paused = true)]
async fn a_port_is_edited_or_deleted_by_its_project() {
    let world = site();
    let ports = world.add_stranger(&Stranger::new("c1", 2)).unwrap().ports;
    let text = PortUpdate { description: Some("howdah/1 cluster=x".to_owned()), ..PortUpdate::default() };
    let before = world.foreign_part();
    world.by_hand_edit_port(&ports[0], &text).unwrap();
    let changes = before.changes(&world.foreign_part());
    assert_eq!(changes.len(), 1);
    assert!(
        changes[0].contains(&ports[0]) && changes[0].contains(r#"description: "howdah/1 cluster=x""#),
        "{changes:?}"
    );
    world.by_hand_delete_port(&ports[1]).unwrap();
    assert_eq!(world.by_hand_delete_port(&ports[1]).unwrap_err().status, 404);
    let mac = PortUpdate { mac: Some("00:50:56:80:00:01".parse().unwrap()), ..PortUpdate::default() };
    assert_eq!(world.by_hand_edit_port(&ports[0], &mac).unwrap_err().status, 403, "that is for admins");
}

#[tokio::test(start_paused = true)]
async fn a_neighbour_is_on_the_same_network_or_in_the_same_folder() {
    let world = site();
    world.add_stranger(&Stranger::new("c1", 1)).unwrap();
    let beside = world.add_neighbour(&Neighbour::new("web")).unwrap();
    let inside = Neighbour { in_folder_of: Some("c1".to_owned()), ports: PortForm::None, ..Neighbour::new("odd") };
    let inside = world.add_neighbour(&inside).unwrap();
    world.read(|s| {
        let vm = s.vm(&beside.vms[0]).unwrap();
        let port = &s.neutron.ports[&beside.ports[0]];
        assert_eq!(s.vc.neutron_network(&vm.nics[0].backing), Some(port.network.as_str()));
        assert_eq!(port.device_id, vm.instance_uuid.to_string());
        let folder = s.bde.clusters["c1"].folder.clone().unwrap();
        let below = s.vc.vms_below(&folder);
        assert!(below.contains(&inside.vms[0]) && !below.contains(&vm.moref));
    });
    assert_eq!(inside.ports, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_foreign_port_holds_a_mac_or_an_address() {
    let world = World::new(SiteSettings { backend: NetworkBackend::Ml2, ..SiteSettings::default() });
    let net = net(&world);
    let (mac, address) = ("00:50:56:80:00:01".parse().unwrap(), "10.20.0.200".parse().unwrap());
    let body = PortBody {
        network: net.id.clone(),
        mac: Some(mac),
        fixed_ips: Some(vec![(Some(net.subnet), Some(address))]),
        ..PortBody::default()
    };
    let held = world.add_foreign_port(body.clone()).unwrap();
    assert_eq!(held.origin, Origin::People);
    assert_eq!(world.add_foreign_port(body.clone()).unwrap_err().kind, "MacAddressInUse");
    assert_eq!(world.add_foreign_port(PortBody { mac: None, ..body }).unwrap_err().kind, "IpAddressAlreadyAllocated");
}

#[tokio::test(start_paused = true)]
async fn a_status_that_sticks_has_a_task_that_was_given_up_and_takes_no_operation() {
    for status in [BdeStatus::Updating, BdeStatus::Maintenance, BdeStatus::Upgrading, BdeStatus::Expanding] {
        let world = site();
        world.add_stranger(&Stranger::new("c1", 1)).unwrap();
        world.by_hand_stick("c1", status).unwrap();
        world.bde_restart();
        assert_eq!(world.read(|s| s.bde.clusters["c1"].status), status, "a restart leaves it as it is");
        let tasks = world.bde_tasks();
        assert_eq!((tasks.len(), tasks[0].target.as_str(), tasks[0].status), (1, "c1", BdeTaskStatus::Abandoned));
        assert_eq!(world.bde_delete("c1").unwrap_err().code(), "CLUSTER.CANNOT_DELETE");
        assert_eq!(world.bde_action("c1", ClusterAction::Start).unwrap_err().code(), "CLUSTER.CANNOT_START");
        assert_eq!(world.bde_action("c1", ClusterAction::Stop).unwrap_err().code(), "CLUSTER.CANNOT_STOP");
        assert_eq!(world.bde_action("c1", ClusterAction::Resume).is_ok(), status == BdeStatus::Expanding);
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_waits_behind_those_of_others() {
    let world = world(SiteSettings::default()).await;
    let others = world.queue_strangers(2, 2).unwrap();
    let own = world.bde_create(request("c1", 1)).unwrap();
    world.wait_until(|s| s.bde.clusters["c1"].nodes().next().is_some()).await;
    world.read(|s| {
        let others = others.iter().map(|t| &s.bde.tasks[t]);
        // Their VMs are made, which is what was waited for; their software may be under way still.
        assert!(others.into_iter().all(|t| t.progress > 4.0 / 15.0), "c1 was planned before its turn");
        assert_eq!(s.bde.tasks[&own].status, BdeTaskStatus::Started);
    });
    assert_eq!(settled(&world, "queued0").await, Some(BdeStatus::Running));
    assert_eq!(settled(&world, "queued1").await, Some(BdeStatus::Running), "they have their ports");
}

#[tokio::test(start_paused = true)]
async fn tasks_are_the_newest_of_each_cluster_that_exists() {
    let world = site();
    for name in ["a", "b"] {
        world.add_stranger(&Stranger::new(name, 1)).unwrap();
    }
    let stop = world.bde_action("b", ClusterAction::Stop).unwrap();
    let targets = |world: &World| world.bde_tasks().iter().map(|t| (t.target.clone(), t.id)).collect::<Vec<_>>();
    let create = world.read(|s| s.bde.clusters["a"].task);
    assert_eq!(targets(&world), [("a".to_owned(), create), ("b".to_owned(), stop)]);
    world.by_hand_delete_cluster("a").unwrap();
    assert_eq!(targets(&world), [("b".to_owned(), stop)]);
    assert!(world.read(|s| s.bde.tasks.contains_key(&create)), "a deleted cluster's task can still be asked for");
}

/// Whatever the service asks for bears its name, and so does all that comes of it.
#[tokio::test(start_paused = true)]
async fn the_world_knows_whose_a_thing_is() {
    let world = site();
    let net = net(&world);
    let manager = SimClusterManager::new(world.clone());
    world.add_stranger(&Stranger::new("theirs", 1)).unwrap();
    world.guard();
    let network = RegisteredNetwork { name: "ours".into(), port_group: net.port_group.clone(), dhcp: true };
    manager.register_network(&network).await.unwrap();
    let spec = ManagedSpec {
        name: "c1".parse().unwrap(),
        distro: "bigtop".into(),
        app_manager: None,
        resource_pools: vec![],
        datastores: vec![],
        network: "ours".into(),
        node_groups: vec![howdah_core::wanted::NodeGroup {
            name: "worker".parse().unwrap(),
            roles: vec!["hadoop_client".into()],
            count: 2,
            cpu: None,
            memory_mb: None,
            disk_gb: None,
        }],
        password: None,
        specification: None,
    };
    manager.create_cluster(&spec).await.unwrap();
    world.wait_until(|s| s.journal.vms.values().filter(|t| t.mac_final.is_some()).count() == 2).await;
    let vms = world.read(|s| s.journal.vms.keys().cloned().collect::<Vec<_>>());
    let port = crate::support::port(&world, &vms[0]);
    SimNetworking::new(world.clone()).create_ports(&[port]).await.unwrap();
    let (clusters, nodes, ports, registrations) = world.service_part().counts();
    assert_eq!((clusters, nodes, ports, registrations), (1, 2, 1, 1));
    // Somebody resumes or starts it by hand: it is the service's all the same.
    assert_eq!(settled(&world, "c1").await, Some(BdeStatus::ProvisionError), "one node has no port");
    world.bde_action("c1", ClusterAction::Resume).unwrap();
    settled(&world, "c1").await;
    assert_eq!(world.service_part().counts().1, 2);
    assert_eq!(world.trespasses(), []);
    // What it does to a stranger's cluster is told from what it does to its own, jobs and all.
    manager.delete_cluster(&spec.name).await.unwrap();
    manager.delete_cluster(&"theirs".parse().unwrap()).await.unwrap();
    settled(&world, "theirs").await;
    let trespasses = world.trespasses();
    assert!(
        trespasses.len() > 1 && trespasses.iter().all(|t| t.action == "BDE: delete_cluster theirs"),
        "{trespasses:?}"
    );
    settled(&world, "c1").await;
    let left = world.service_part();
    assert_eq!((left.clusters.len(), left.vms.len()), (0, 0));
}
