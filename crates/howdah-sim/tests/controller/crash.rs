//! The service dies at any write, or at any moment, and starts again: it finishes what was under
//! way, and nothing is there twice.

use std::sync::Arc;
use std::time::Duration;

use howdah_core::ids::ClusterKey;
use howdah_core::wanted::{Goal, OperationKind};
use howdah_sim::crashing::Side;
use tokio::sync::{Notify, watch};

use crate::site::Run;

/// Runs a controller and drops it after so much time: a kill -9.
async fn killed_after(run: &Run, id: &ClusterKey, time: Duration) {
    let (_stop, stopped) = watch::channel(false);
    tokio::select! {
        _ = run.controller.run(id.clone(), Arc::new(Notify::new()), stopped) => {}
        () = run.world.sleep(time) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_moment_of_a_create() {
    for seed in 0..60 {
        let run = Run::seeded(seed);
        let id = run.add("c1", 5).await;
        // Up to three lives that end early, over the whole length of a create.
        for life in 0..=(seed % 3) {
            killed_after(&run, &id, Duration::from_millis((seed * 3671 + life * 977) % 180_000)).await;
        }
        run.good(&run.work(&id).await.unwrap(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_every_write_of_a_create() {
    let run = Run::seeded(1);
    let id = run.add("c1", 3).await;
    let before = run.store.writes();
    run.good(&run.work(&id).await.unwrap(), 3);
    let writes = run.store.writes() - before;
    assert!(writes > 5, "{writes} writes are too few to mean anything");
    for (write, side) in (0..writes).flat_map(|write| [(write, Side::Before), (write, Side::After)]) {
        let run = Run::seeded(1);
        let id = run.add("c1", 3).await;
        run.store.crash_after(write, side);
        let (_stop, stopped) = watch::channel(false);
        tokio::select! {
            _ = run.controller.run(id.clone(), Arc::new(Notify::new()), stopped) => {}
            () = run.store.crashed() => {}
        }
        run.store.revive();
        run.good(&run.work(&id).await.unwrap(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_moment_of_a_delete() {
    for seed in 0..20 {
        let run = Run::seeded(seed);
        let id = run.add("c1", 3).await;
        run.work(&id).await.unwrap();
        run.want(&id, Goal::Deleted, OperationKind::Delete).await;
        killed_after(&run, &id, Duration::from_millis(seed * 1931 % 60_000)).await;
        if run.store_has(&id).await {
            assert!(run.work(&id).await.is_none(), "seed {seed}");
        }
        run.nothing_left();
    }
}
