//! What a whole create costs: a controller that knows vCenter over the wire and the other systems from within.

use std::sync::Arc;
use std::time::Duration;

use howdah_core::failure::System;
use howdah_core::known::OperationState;
use howdah_core::policy::NetworkBackend;
use howdah_sim::SiteSettings;
use howdah_sim::service::Service;
use howdah_sim::world::settings::Timings;
use tokio::sync::{Notify, watch};

use crate::site::Site;

/// vCenter calls for a create of so many nodes that are cloned at once, by method, most frequent first.
async fn calls_of_a_create(backend: NetworkBackend, nodes: u32, speed: f64) -> Vec<(String, u64)> {
    let timings = Timings { clone_parallel: None, clone_together: true, ..Timings::default() };
    let site = Site::with(SiteSettings { backend, timings, speed, ..SiteSettings::default() }).await;
    let mut service = Service::new(site.world.clone());
    let mut controller = service.controller();
    controller.site.vcenter = Arc::new(site.client());
    let key = service.create("c", nodes).await.unwrap();
    let (_stop, stopped) = watch::channel(false);
    let life = tokio::spawn({
        let key = key.clone();
        async move { controller.run(key, Arc::new(Notify::new()), stopped).await }
    });
    assert!(service.ended(&key, Duration::from_secs(3600)).await, "it does not end");
    let state = service.state(&key).await.unwrap();
    let operation = state.operation.unwrap();
    assert_eq!(operation.state, OperationState::Succeeded, "{:?}", operation.failure);
    life.abort();
    let mut calls: Vec<_> = site.world.read(|s| {
        let of = |m: &&str| ((*m).to_owned(), s.counters.of(System::VCenter, m));
        METHODS.iter().map(of).collect()
    });
    calls.push(("all".to_owned(), site.all_calls()));
    calls.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    calls
}

const METHODS: [&str; 7] = [
    "WaitForUpdatesEx",
    "RetrievePropertiesEx",
    "ReconfigVM_Task",
    "CreateFilter",
    "CreatePropertyCollector",
    "DestroyPropertyCollector",
    "CancelWaitForUpdates",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_of_two_hundred_nodes_takes_two_calls_a_node() {
    const NODES: u32 = 60;
    for backend in [NetworkBackend::NsxV, NetworkBackend::NsxT] {
        let calls = calls_of_a_create(backend, NODES, 2.0).await;
        let all = calls[0].1;
        crate::site::say(&format!("{backend:?}: {calls:?}"));
        assert!(all <= u64::from(20 * NODES), "{backend:?}: {calls:?}");
    }
}
