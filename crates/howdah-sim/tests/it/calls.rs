//! What can become of a call on its way: late, lost, overtaken, outlived.

use std::time::Duration;

use futures::StreamExt as _;
use howdah_core::failure::{ErrorKind, System};
use howdah_core::systems::manager::ClusterManager as _;
use howdah_core::systems::manager::{RegisteredNetwork, Unregistered};
use howdah_core::systems::vcenter::VCenter as _;
use howdah_core::systems::vcenter::WatchEvent;
use howdah_core::time::Clock as _;
use howdah_sim::inprocess::{SimClusterManager, SimVCenter};
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::{SiteSettings, World};
use jiff::SignedDuration;

use crate::support::{net, request, world};

fn registered(world: &World) -> bool {
    world.read(|s| s.bde.networks.contains_key("ours"))
}

fn site() -> (World, SimClusterManager, RegisteredNetwork) {
    let world = World::new(SiteSettings::default());
    let network = RegisteredNetwork { name: "ours".to_owned(), port_group: net(&world).port_group, dhcp: true };
    (world.clone(), SimClusterManager::new(world), network)
}

fn rule(world: &World, effect: Effect, shape: impl FnOnce(FaultRule) -> FaultRule) -> u64 {
    let rule = shape(FaultRule::new(System::Bde, "register_network", effect).times(1));
    world.write(|s| s.faults.add(rule))
}

/// Seconds until a call's answer, its kind of error, and whether it had had its effect by then.
async fn register(effect: Effect, shape: impl FnOnce(FaultRule) -> FaultRule) -> (World, f64, Option<ErrorKind>, bool) {
    let (world, manager, network) = site();
    let number = rule(&world, effect, shape);
    let begin = world.now();
    let kind = manager.register_network(&network).await.err().map(|e| e.kind);
    let took = world.now().duration_since(begin).as_secs_f64();
    assert_eq!(world.read(|s| s.faults.met(number)), 1);
    let landed = registered(&world);
    (world, took.floor(), kind, landed)
}

#[tokio::test(start_paused = true)]
async fn each_fate_has_its_effect_and_its_answer_when_it_says() {
    let same = |r: FaultRule| r;
    let (_, took, kind, landed) = register(Effect::Delay, |r| r.delayed(5.0).answered_after(7.0)).await;
    assert_eq!((took, kind, landed), (12.0, None, true));
    let (world, took, kind, landed) = register(Effect::LoseRequest, |r| r.delayed(5.0)).await;
    assert_eq!((took, kind, landed), (5.0, Some(ErrorKind::NoAnswer), false));
    world.sleep(Duration::from_secs(1000)).await;
    assert!(!registered(&world), "a request that is lost never comes");
    let (_, took, kind, landed) = register(Effect::LoseAnswer, |r| r.answered_after(7.0)).await;
    assert_eq!((took, kind, landed), (7.0, Some(ErrorKind::NoAnswer), true));
    let refuse = Effect::Refuse { kind: ErrorKind::Unavailable };
    let (_, took, kind, landed) = register(refuse, |r| r.answered_after(7.0)).await;
    assert_eq!((took, kind, landed), (7.0, Some(ErrorKind::Unavailable), false));
    let (world, took, kind, landed) = register(Effect::Late { seconds: 60.0 }, same).await;
    assert_eq!((took, kind, landed), (0.0, Some(ErrorKind::NoAnswer), false));
    world.sleep(Duration::from_secs(59)).await;
    assert!(!registered(&world));
    world.sleep(Duration::from_secs(2)).await;
    assert!(registered(&world), "a late effect comes after all");
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_has_its_effect_though_the_client_died() {
    for effect in [Effect::Delay, Effect::Late { seconds: 60.0 }] {
        let (world, manager, network) = site();
        let number = rule(&world, effect.clone(), |r| r.delayed(30.0));
        tokio::select! {
            _ = manager.register_network(&network) => panic!("it is held up"),
            () = world.until_met(number, 1) => {}
        }
        world.sleep(Duration::from_secs(20)).await;
        assert!(!registered(&world), "{effect:?}: before its time");
        let landed = world.until_landed(number, 1);
        tokio::time::timeout(Duration::from_secs(100), landed).await.expect("it lands");
        assert!(registered(&world), "{effect:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_that_was_begun_before_a_write_is_answered_after_it_with_what_was_before() {
    let (world, manager, network) = site();
    let slow = FaultRule::new(System::Bde, "networks", Effect::Delay).answered_after(10.0);
    let number = world.write(|s| s.faults.add(slow));
    let write = async {
        world.until_landed(number, 1).await;
        manager.register_network(&network).await.unwrap();
        world.now()
    };
    let look = async { (manager.networks().await.unwrap(), world.now()) };
    let (written, (seen, answered)) = tokio::join!(write, look);
    assert!(written < answered, "the write was answered first");
    assert_eq!(seen, [], "the server looked before the write came");
    assert_eq!(manager.networks().await.unwrap(), [network]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_the_effect_and_its_answer_can_be_waited_for() {
    let (world, manager, network) = site();
    let number = rule(&world, Effect::Delay, |r| r.answered_after(30.0));
    tokio::select! {
        _ = manager.register_network(&network) => panic!("its answer is held up"),
        () = world.until_landed(number, 1) => {}
    }
    assert!(registered(&world));
    assert_eq!(manager.unregister_network("ours").await.unwrap(), Unregistered::Removed);
}

#[tokio::test(start_paused = true)]
async fn a_watch_can_be_set_up_late_and_tell_late() {
    let world = world(SiteSettings::default()).await;
    let held = |method: &str, seconds| FaultRule::new(System::VCenter, method, Effect::Delay).delayed(seconds);
    world.write(|s| {
        s.faults.add(held("watch_start", 40.0));
        s.faults.add(held("watch_update", 3.0));
    });
    let begin = world.now();
    let since = |world: &World| world.now().duration_since(begin).as_secs();
    let mut watch = SimVCenter::new(world.clone()).watch(&"c".parse().unwrap()).await.unwrap();
    assert_eq!(since(&world), 0);
    assert_eq!(watch.next().await.unwrap().unwrap(), WatchEvent::Synced);
    assert_eq!(since(&world), 40);
    world.bde_create(request("c", 1)).unwrap();
    let told = async {
        assert!(matches!(watch.next().await, Some(Ok(WatchEvent::Vm(_)))));
        world.now()
    };
    let cloned = async {
        world.wait_until(|s| s.vc.vms.len() > 1).await;
        world.now()
    };
    let (told, cloned) = tokio::join!(told, cloned);
    assert_eq!(told.duration_since(cloned).as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_breaks_is_told_anew_each_time_that_it_comes_back() {
    let world = world(SiteSettings::default()).await;
    let lost = |method: &str| FaultRule::new(System::VCenter, method, Effect::LoseAnswer).times(1);
    world.write(|s| {
        s.faults.add(lost("watch_update"));
        s.faults.add(lost("watch_start").skipping(1));
    });
    let mut watch = SimVCenter::new(world.clone()).watch(&"c".parse().unwrap()).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap(), WatchEvent::Synced);
    world.bde_create(request("c", 1)).unwrap();
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(watch.next().await.unwrap().map_err(|e| e.kind));
    }
    assert_eq!(seen[..2], [Err(ErrorKind::Unreachable), Err(ErrorKind::Unreachable)]);
    assert_eq!(seen[2], Ok(WatchEvent::Reset));
    assert!(matches!(seen[3], Ok(WatchEvent::Vm(_))) && seen[4] == Ok(WatchEvent::Synced), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn the_wall_clock_steps_and_nothing_else_does() {
    let world = World::new(SiteSettings { speed: 2.0, ..SiteSettings::default() });
    let clock = world.clock();
    let (wall, own) = (clock.now(), world.now());
    clock.step(SignedDuration::from_hours(6));
    clock.step(SignedDuration::from_hours(-7));
    clock.sleep(Duration::from_secs(100)).await;
    assert_eq!(clock.now().duration_since(wall).as_secs(), 100 - 3600, "back by an hour, all in all");
    assert_eq!(clock.elapsed().as_secs(), 100, "monotonic");
    assert_eq!(world.now().duration_since(own).as_secs(), 100, "the site's clocks are others");
}
