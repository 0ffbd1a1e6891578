//! Create, stop, start, delete: with each backend and each kind of guest.

use howdah_core::failure::System;
use howdah_core::known::ClusterStatus;
use howdah_core::wanted::{Goal, OperationKind};
use howdah_sim::SiteSettings;
use howdah_sim::world::settings::{GuestProfile, NetworkBackend};

use crate::site::Run;

async fn whole_life(settings: SiteSettings) {
    let what = format!("{:?} {:?}", settings.backend, settings.guest);
    let run = Run::new(settings);
    let id = run.add("c1", 6).await;
    let state = run.work(&id).await.unwrap();
    run.good(&state, 6);
    assert_eq!(state.status, ClusterStatus::Running, "{what}");
    let addresses: Vec<_> = state.nodes.values().map(|n| n.address).collect();

    run.want(&id, Goal::Stopped, OperationKind::Stop).await;
    let state = run.work(&id).await.unwrap();
    assert_eq!(state.status, ClusterStatus::Stopped, "{what}: {:?}", state.operation);
    run.want(&id, Goal::Running, OperationKind::Start).await;
    let state = run.work(&id).await.unwrap();
    run.good(&state, 6);
    assert_eq!(state.nodes.values().map(|n| n.address).collect::<Vec<_>>(), addresses, "{what}: addresses stay");

    run.want(&id, Goal::Deleted, OperationKind::Delete).await;
    assert!(run.work(&id).await.is_none(), "{what}");
    run.nothing_left();
}

#[tokio::test(start_paused = true)]
async fn with_every_backend_and_guest() {
    for backend in [NetworkBackend::NsxV, NetworkBackend::NsxT, NetworkBackend::Ml2] {
        for guest in GuestProfile::ALL {
            whole_life(SiteSettings { backend, guest, seed: 7, ..SiteSettings::default() }).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_clusters_share_a_network_and_the_last_one_takes_the_registration_along() {
    let run = Run::seeded(3);
    let (a, b) = (run.add("a", 2).await, run.add("b", 3).await);
    let (first, second) = tokio::join!(run.work(&a), run.work(&b));
    assert_eq!((first.unwrap().nodes.len(), second.unwrap().nodes.len()), (2, 3));
    run.nothing_twice(5);
    run.want(&a, Goal::Deleted, OperationKind::Delete).await;
    assert!(run.work(&a).await.is_none());
    assert_eq!(run.left(), (3, 3, 1), "the other one still needs the registration");
    run.want(&b, Goal::Deleted, OperationKind::Delete).await;
    assert!(run.work(&b).await.is_none());
    run.nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_registration_that_was_there_is_used_and_stays() {
    let run = Run::seeded(5);
    let port_group = run.world.read(|s| s.vc.port_groups.values().find(|p| p.network.is_some()).unwrap().name.clone());
    let network =
        howdah_core::systems::manager::RegisteredNetwork { name: "by hand".to_owned(), port_group, dhcp: true };
    run.controller.site.manager.register_network(&network).await.unwrap();
    let id = run.add("c1", 2).await;
    let state = run.work(&id).await.unwrap();
    assert_eq!(state.registration.as_deref(), Some("by hand"));
    run.want(&id, Goal::Deleted, OperationKind::Delete).await;
    assert!(run.work(&id).await.is_none());
    assert!(run.world.read(|s| s.bde.networks.contains_key("by hand")));
}

#[tokio::test(start_paused = true)]
async fn a_port_that_was_deleted_by_hand_comes_back() {
    let run = Run::seeded(11);
    let id = run.add("c1", 2).await;
    run.work(&id).await.unwrap();
    let victim = run.state(&id).await.nodes.values().next().unwrap().port.clone().unwrap();
    run.controller.site.networking.delete_port(&victim).await.unwrap();
    assert_eq!(run.left().0, 1);
    // Without a request, the controller sees it at its next look.
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let life = run.controller.run(id.clone(), Default::default(), stopped);
    let back = async {
        while run.left().0 < 2 {
            run.world.sleep(std::time::Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        ended = life => panic!("{ended:?}"),
        () = back => {}
        () = run.world.sleep(std::time::Duration::from_secs(300)) => panic!("the port did not come back"),
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_other_vms_change_the_calls_to_vcenter_by_nothing() {
    let calls = async |bystanders| {
        let run = Run::new(SiteSettings { bystanders, seed: 2, ..SiteSettings::default() });
        let id = run.add("c1", 20).await;
        run.good(&run.work(&id).await.unwrap(), 20);
        run.world.read(|s| s.counters.total(System::VCenter))
    };
    assert_eq!(calls(0).await, calls(10_000).await);
}

#[tokio::test(start_paused = true)]
async fn a_delete_during_the_create_leaves_nothing() {
    for seed in 0..20 {
        let run = Run::seeded(seed);
        let id = run.add("c1", 4).await;
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        let wake = std::sync::Arc::new(tokio::sync::Notify::new());
        let after = std::time::Duration::from_secs(seed * 9);
        let deleter = async {
            run.world.sleep(after).await;
            run.want(&id, Goal::Deleted, OperationKind::Delete).await;
            wake.notify_one();
            std::future::pending::<()>().await
        };
        tokio::select! {
            ended = run.controller.run(id.clone(), wake.clone(), stopped) => assert!(ended.is_ok(), "seed {seed}: {ended:?}"),
            () = deleter => {}
            () = run.world.sleep(std::time::Duration::from_secs(7200)) => panic!("seed {seed}: {:?}", run.state(&id).await),
        }
        run.nothing_left();
    }
}
