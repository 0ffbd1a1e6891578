//! Each rule must be able to find what it is there for.

use std::time::Duration;

use howdah_core::ids::PortId;
use howdah_core::systems::manager::ClusterManager as _;
use howdah_core::systems::manager::RegisteredNetwork;
use howdah_core::systems::networking::Networking as _;
use howdah_core::systems::networking::PortChange;
use howdah_core::systems::vcenter::VCenter as _;
use howdah_sim::inprocess::{SimClusterManager, SimNetworking, SimVCenter};
use howdah_sim::invariants::Moment;
use howdah_sim::world::strangers::{Neighbour, Stranger};
use howdah_sim::{SiteSettings, World};

use crate::support::{keep_ports, net, port, request, settled, world};

async fn running() -> World {
    let world = world(SiteSettings::default()).await;
    keep_ports(&world, "c");
    world.bde_create(request("c", 2)).unwrap();
    settled(&world, "c").await;
    assert_eq!(world.invariants(Moment::AtRest, &[]), []);
    world
}

fn rules(world: &World, moment: Moment, texts: &[String]) -> Vec<&'static str> {
    world.invariants(moment, texts).into_iter().map(|v| v.rule).collect()
}

#[tokio::test(start_paused = true)]
async fn a_secret_in_a_text() {
    let world = running().await;
    assert_eq!(rules(&world, Moment::Anytime, &["login as x with vc-secret".to_owned()]), ["no_secret_shown"]);
}

#[tokio::test(start_paused = true)]
async fn a_reset_of_a_node_that_is_well() {
    let world = running().await;
    let vm = world.read(|s| s.bde.node("c", "c-worker-0").unwrap().vm.clone().unwrap());
    let task = world.reset_task(&vm).unwrap();
    world.task_end(&task).await.unwrap();
    assert_eq!(rules(&world, Moment::Anytime, &[]), [""; 0], "by hand it is no remedy of the service's");
    let addressed = world.wait_until(|s| s.vm(&vm).is_some_and(|v| v.has_reported_address()));
    tokio::time::timeout(Duration::from_secs(300), addressed).await.expect("it comes back");
    SimVCenter::new(world.clone()).reset(&vm).await.unwrap();
    assert_eq!(rules(&world, Moment::Anytime, &[]), ["no_remedy_on_good_node"]);
}

#[tokio::test(start_paused = true)]
async fn a_port_that_outlives_its_vm_and_a_vm_that_outlives_its_record() {
    let world = world(SiteSettings::default()).await;
    world.bde_create(request("c", 1)).unwrap();
    tokio::time::timeout(
        Duration::from_secs(300),
        world.wait_until(|s| s.journal.vms.values().any(|t| t.mac_final.is_some())),
    )
    .await
    .expect("the VM gets its card");
    let vm = world.read(|s| s.journal.vms.keys().next().cloned().unwrap());
    SimNetworking::new(world.clone()).create_ports(&[port(&world, &vm)]).await.unwrap();
    settled(&world, "c").await;
    assert_eq!(rules(&world, Moment::AtRest, &[]), [""; 0]);

    world.write(|s| s.bde.clusters.clear());
    assert_eq!(rules(&world, Moment::AtRest, &[]), ["no_vm_without_record"]);
    world.write(|s| s.vc.remove_vm(&vm));
    assert_eq!(rules(&world, Moment::AtRest, &[]), ["no_port_without_owner"]);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_is_not_over() {
    let world = running().await;
    world.bde_delete("c").unwrap();
    assert_eq!(rules(&world, Moment::AtRest, &[]), ["every_operation_ends"]);
    assert_eq!(rules(&world, Moment::Anytime, &[]), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_registration_of_the_services_that_nobody_uses() {
    let world = World::new(SiteSettings::default());
    let network = RegisteredNetwork { name: "ours".into(), port_group: net(&world).port_group, dhcp: true };
    let manager = SimClusterManager::new(world.clone());
    manager.register_network(&network).await.unwrap();
    assert_eq!(rules(&world, Moment::Anytime, &[]), [""; 0]);
    assert_eq!(rules(&world, Moment::AtRest, &[]), ["no_registration_without_user"]);
    assert_eq!(rules(&world, Moment::Emptied, &[]), ["no_registration_without_user", "nothing_left_behind"]);
    manager.unregister_network("ours").await.unwrap();
    // One that was made by hand is nobody's leftover.
    world.add_stranger(&Stranger::new("c", 1)).unwrap();
    world.by_hand_delete_cluster("c").unwrap();
    assert_eq!(rules(&world, Moment::Emptied, &[]), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_thing_of_others_that_the_service_changes_removes_or_switches_off() {
    let world = World::new(SiteSettings::default());
    let added = world.add_neighbour(&Neighbour::new("theirs")).unwrap();
    world.guard();
    let networking = SimNetworking::new(world.clone());
    let port = PortId::new(added.ports[0].clone());
    let marked = PortChange { description: Some("ours now".to_owned()), ..PortChange::default() };
    networking.update_port(&port, &marked).await.unwrap();
    networking.delete_port(&port).await.unwrap();
    SimVCenter::new(world.clone()).power_off(&added.vms[0]).await.unwrap();
    let found = world.invariants(Moment::Anytime, &[]);
    let (rules, actions): (Vec<_>, Vec<_>) = found.iter().map(|v| (v.rule, v.subject.as_str())).unzip();
    assert_eq!(rules, ["others_untouched"; 3]);
    let (port, vm) = (&added.ports[0], &added.vms[0]);
    let expected = [
        format!("Neutron: update_port {port}"),
        format!("Neutron: delete_port {port}"),
        format!("vCenter: power_off {vm}"),
    ];
    assert_eq!(actions, expected);
    assert!(found[0].seen.contains("ours now"), "{}", found[0].seen);
}
