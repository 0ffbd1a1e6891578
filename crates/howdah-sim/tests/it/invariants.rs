//! Each rule must be able to find what it is there for.

use std::time::Duration;

use howdah_core::ids::ClusterId;
use howdah_core::mark::Mark;
use howdah_core::traits::Networking as _;
use howdah_sim::inprocess::SimNetworking;
use howdah_sim::invariants::Moment;
use howdah_sim::{SiteSettings, World};

use crate::support::{keep_ports, port, request, settled, world};

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
    let mark = Mark { cluster: ClusterId(uuid::Uuid::from_u128(7)), node: "c-worker-0".into(), nic: 0 };
    let marked = howdah_core::facts::PortRequest { description: mark.to_string(), ..port(&world, &vm) };
    SimNetworking::new(world.clone()).create_ports(&[marked]).await.unwrap();
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
