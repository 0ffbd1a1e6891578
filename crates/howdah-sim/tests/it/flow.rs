//! The cluster manager's documented order, its statuses, and what becomes of failures.

use std::time::Duration;

use howdah_core::systems::vcenter::Power;
use howdah_sim::SiteSettings;
use howdah_sim::world::bde::{BdeStatus, BdeTaskStatus, ClusterAction};
use howdah_sim::world::bde_error::BdeError;
use howdah_sim::world::faults::{FaultRule, Inner};

use crate::support::{keep_ports, request, settled, world};

#[tokio::test(start_paused = true)]
async fn a_node_goes_its_way_in_order() {
    let world = world(SiteSettings::default()).await;
    keep_ports(&world, "c");
    let task = world.bde_create(request("c", 1)).unwrap();
    let mut seen: Vec<String> = Vec::new();
    let mut changes = world.subscribe();
    loop {
        let (line, done) = world.read(|s| {
            let cluster = &s.bde.clusters["c"];
            let line = cluster.nodes().next().map(|n| {
                let vm = if n.vm.is_some() { "VM" } else { "no VM" };
                format!("{}, {}, {vm}", n.status.as_str(), n.action.as_deref().unwrap_or("-"))
            });
            (line, cluster.status.is_stable())
        });
        seen.extend(line.filter(|l| seen.last() != Some(l)));
        if done {
            break;
        }
        changes.changed().await.unwrap();
    }
    let expected = [
        "Not Exist, Cloning VM, no VM",
        "Powered Off, Reconfiguring VM, VM",
        "Powered On, Waiting for ip, VM",
        "VM Ready, Setting password, VM",
        "VM Ready, Bootstrapping VM, VM",
        "Service Ready, -, VM",
    ];
    assert_eq!(seen, expected);
    world.read(|s| {
        let done = &s.bde.tasks[&task];
        assert_eq!((done.status, done.progress), (BdeTaskStatus::Completed, 1.0));
        let times = s.journal.vms.values().next().unwrap();
        let order =
            [times.clone_requested, times.mac_final, times.power_on, times.first_discover, times.lease, times.visible];
        assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{times:?}");
    });
}

#[tokio::test(start_paused = true)]
async fn stop_start_delete() {
    let world = world(SiteSettings::default()).await;
    keep_ports(&world, "c");
    world.bde_create(request("c", 3)).unwrap();
    assert!(matches!(world.bde_delete("c"), Err(BdeError::Other { code: "CLUSTER.CANNOT_DELETE", status: 409, .. })));
    assert_eq!(settled(&world, "c").await, Some(BdeStatus::Running));
    let macs = |s: &howdah_sim::world::state::State| s.vc.vms.values().map(|v| v.nics[0].mac).collect::<Vec<_>>();
    let before = world.read(macs);

    world.bde_action("c", ClusterAction::Stop).unwrap();
    assert_eq!(settled(&world, "c").await, Some(BdeStatus::Stopped));
    assert!(world.read(|s| s.vc.vms.values().all(|v| v.power == Power::Off)));
    assert_eq!(world.bde_action("c", ClusterAction::Stop).unwrap_err().code(), "CLUSTER.IS_STOPPED");

    world.bde_action("c", ClusterAction::Start).unwrap();
    assert_eq!(settled(&world, "c").await, Some(BdeStatus::Running));
    assert_eq!(world.read(macs), before, "VMs and addresses on the wire are kept");
    assert_eq!(world.bde_remove_network("net").unwrap_err().code(), "NETWORK.NETWORK_IN_USE");

    world.bde_delete("c").unwrap();
    assert_eq!(settled(&world, "c").await, None);
    world.read(|s| {
        assert_eq!(s.vc.vms.len(), 1, "only the template is left");
        assert!(s.vc.folders.values().all(|f| f.name != "c" && f.name != "worker"));
    });
    world.bde_remove_network("net").unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_create_at_a_time_unless_configured() {
    for (concurrent, least) in [(false, 2.0), (true, 1.0)] {
        let world = world(SiteSettings { bde_concurrent: concurrent, ..SiteSettings::default() }).await;
        let begin = world.now();
        for name in ["a", "b"] {
            keep_ports(&world, name);
            world.bde_create(request(name, 2)).unwrap();
        }
        let b = |s: &howdah_sim::world::state::State| {
            s.bde.clusters["b"].nodes().any(|n| n.action.as_deref() == Some("Cloning VM"))
        };
        world.wait_until(b).await;
        let waited = world.now().duration_since(begin).as_secs_f64();
        let a_is_through = world.read(|s| s.bde.clusters["a"].nodes().all(|n| n.addresses.len() == 1));
        assert_eq!(a_is_through && waited > 30.0, least > 1.5, "{concurrent}: b began after {waited} s");
        world.stop();
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_create_is_resumed_with_new_vms_for_bad_nodes() {
    let world = world(SiteSettings::default()).await;
    keep_ports(&world, "c");
    world.write(|s| s.faults.add(FaultRule::inner(Inner::Clone, "c-worker-1").times(1)));
    let task = world.bde_create(request("c", 3)).unwrap();
    assert_eq!(settled(&world, "c").await, Some(BdeStatus::ProvisionError));
    world.read(|s| {
        assert_eq!(s.bde.tasks[&task].error_code.as_deref(), Some("CLUSTERING_SERVICE.VM_CREATION_FAILED"));
        assert!(s.bde.node("c", "c-worker-1").unwrap().error.as_ref().unwrap().starts_with('['));
    });
    let kept = world.read(|s| s.bde.node("c", "c-worker-0").unwrap().vm.clone());
    world.bde_action("c", ClusterAction::Resume).unwrap();
    assert_eq!(settled(&world, "c").await, Some(BdeStatus::Running));
    assert_eq!(world.read(|s| s.bde.node("c", "c-worker-0").unwrap().vm.clone()), kept, "a healthy VM is kept");
}

#[tokio::test(start_paused = true)]
async fn a_restart_gives_up_what_was_running() {
    let world = world(SiteSettings::default()).await;
    let task = world.bde_create(request("c", 2)).unwrap();
    world.sleep(Duration::from_secs(40)).await;
    world.bde_restart();
    world.read(|s| {
        assert_eq!(s.bde.clusters["c"].status, BdeStatus::ProvisionError);
        assert_eq!(s.bde.tasks[&task].status, BdeTaskStatus::Abandoned);
    });
    world.sleep(Duration::from_secs(1000)).await;
    assert!(world.read(|s| s.bde.clusters["c"].nodes().all(|n| n.addresses.is_empty())), "the old job is dead");
    keep_ports(&world, "c");
    world.bde_action("c", ClusterAction::Resume).unwrap();
    assert_eq!(settled(&world, "c").await, Some(BdeStatus::Running));
}
