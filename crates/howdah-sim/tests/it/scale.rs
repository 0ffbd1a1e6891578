//! Cheap at scale, and the same every time.

use std::time::Instant;

use howdah_sim::SiteSettings;
use howdah_sim::world::bde::BdeStatus;

use crate::support::{keep_ports, request, settled, world};

async fn journal(seed: u64) -> String {
    let world = world(SiteSettings { seed, ..SiteSettings::default() }).await;
    keep_ports(&world, "c");
    world.bde_create(request("c", 12)).unwrap();
    assert_eq!(settled(&world, "c").await, Some(BdeStatus::Running));
    world.read(|s| serde_json::to_string(&s.journal.report("c")).unwrap())
}

#[tokio::test(start_paused = true)]
async fn same_seed_same_journal() {
    let first = journal(7).await;
    assert_eq!(first, journal(7).await);
    assert_ne!(first, journal(8).await);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_bystanders_cost_little() {
    let begin = Instant::now();
    let world = world(SiteSettings { bystanders: 10_000, ..SiteSettings::default() }).await;
    keep_ports(&world, "c");
    world.bde_create(request("c", 5)).unwrap();
    assert_eq!(settled(&world, "c").await, Some(BdeStatus::Running));
    assert_eq!(world.read(|s| s.vc.vms.len()), 10_006);
    assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
}
