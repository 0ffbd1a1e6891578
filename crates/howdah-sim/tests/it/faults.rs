//! Faults by rule, counts of calls, and what a broken watch says.

use std::time::Duration;

use futures::StreamExt as _;
use howdah_core::failure::{ErrorKind, System};
use howdah_core::systems::manager::ClusterManager as _;
use howdah_core::systems::vcenter::VCenter as _;
use howdah_core::systems::vcenter::WatchEvent;
use howdah_sim::SiteSettings;
use howdah_sim::inprocess::{SimClusterManager, SimVCenter};
use howdah_sim::world::bde::BdeStatus;
use howdah_sim::world::faults::{Effect, FaultRule};

use crate::support::{keep_ports, request, settled, world};

#[tokio::test(start_paused = true)]
async fn a_rule_meets_what_it_names_and_is_spent() {
    let world = world(SiteSettings::default()).await;
    let manager = SimClusterManager::new(world.clone());
    let rule =
        FaultRule { skip: 1, ..FaultRule::new(System::Bde, "clus*", Effect::Refuse { kind: ErrorKind::Unavailable }) };
    let number = world.write(|s| s.faults.add(rule.on("c").times(2)));
    let other = manager.cluster(&"other".parse().unwrap()).await;
    assert!(other.is_ok(), "another object");
    let mut kinds = Vec::new();
    for _ in 0..4 {
        kinds.push(manager.cluster(&"c".parse().unwrap()).await.err().map(|e| e.kind));
    }
    let refused = Some(ErrorKind::Unavailable);
    assert_eq!(kinds, [None, refused, refused, None]);
    assert_eq!(world.read(|s| s.counters.of(System::Bde, "cluster")), 5);
    assert_eq!(world.read(|s| s.faults.list().map(|(n, _, met)| (n, met)).collect::<Vec<_>>()), [(number, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_has_had_its_effect_and_a_delay_holds_up() {
    let world = world(SiteSettings::default()).await;
    let manager = SimClusterManager::new(world.clone());
    world.write(|s| s.faults.add(FaultRule::new(System::Bde, "unregister_network", Effect::LoseAnswer).delayed(20.0)));
    let begin = world.now();
    assert_eq!(manager.unregister_network("net").await.unwrap_err().kind, ErrorKind::NoAnswer);
    assert!(world.now().duration_since(begin).as_secs() >= 20);
    assert!(world.read(|s| s.bde.networks.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_the_present_then_changes_then_what_is_gone() {
    let world = world(SiteSettings::default()).await;
    let mut watch = SimVCenter::new(world.clone()).watch(&"c".parse().unwrap()).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap(), WatchEvent::Synced, "from before the folder exists");
    keep_ports(&world, "c");
    world.bde_create(request("c", 1)).unwrap();
    let Some(Ok(WatchEvent::Vm(first))) = watch.next().await else { panic!("a VM is expected") };
    assert_eq!((first.name, first.nics.len()), (None, 0), "while it is being cloned");
    let Some(Ok(WatchEvent::Vm(second))) = watch.next().await else { panic!("the same VM is expected") };
    assert_eq!((second.vm.clone(), second.nics.len()), (first.vm.clone(), 1));
    assert_eq!(settled(&world, "c").await, Some(BdeStatus::Running));

    let broken = FaultRule::new(System::VCenter, "watch_update", Effect::Refuse { kind: ErrorKind::Unreachable });
    world.write(|s| s.faults.add(broken.times(1)));
    world.bde_delete("c").unwrap();
    let mut seen = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_secs(300), watch.next()).await {
        seen.push(match event {
            Err(_) => "broken",
            Ok(WatchEvent::Reset) => "reset",
            Ok(WatchEvent::Synced) => "synced",
            Ok(WatchEvent::Gone(_)) => "gone",
            Ok(WatchEvent::Vm(_)) => "vm",
        });
    }
    let from = seen.iter().position(|e| *e == "broken").unwrap();
    assert_eq!(seen[from..from + 4], ["broken", "reset", "vm", "synced"]);
    assert_eq!(seen.last(), Some(&"gone"));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_grows_and_shrinks() {
    let world = world(SiteSettings::default()).await;
    keep_ports(&world, "c");
    world.bde_create(request("c", 2)).unwrap();
    settled(&world, "c").await;
    let names =
        |w: &howdah_sim::World| w.read(|s| s.bde.clusters["c"].nodes().map(|n| n.name.clone()).collect::<Vec<_>>());
    for (count, status) in [(4, BdeStatus::Updating), (1, BdeStatus::Maintenance)] {
        world.bde_resize("c", "worker", count, false).unwrap();
        assert_eq!(world.read(|s| s.bde.clusters["c"].status), status);
        assert_eq!(settled(&world, "c").await, Some(BdeStatus::Running));
        assert_eq!(names(&world), (0..count).map(|n| format!("c-worker-{n}")).collect::<Vec<_>>());
    }
    assert_eq!(world.bde_resize("c", "worker", 1, false).unwrap_err().code(), "CLUSTER.NO_NEED_TO_RESIZE");
    assert_eq!(world.bde_resize("c", "none", 2, false).unwrap_err().code(), "CLUSTER.NODEGROUP_NOT_FOUND");
}
