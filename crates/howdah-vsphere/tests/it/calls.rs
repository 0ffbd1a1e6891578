//! What a whole create costs: a controller that knows vCenter over the wire and the other systems from within.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use howdah_core::known::OperationState;
use howdah_core::policy::NetworkBackend;
use howdah_sim::SiteSettings;
use howdah_sim::service::Service;
use howdah_sim::world::settings::Timings;
use tokio::sync::{Notify, watch};

use crate::site::Site;

/// vCenter calls for a create of so many nodes, by method.
async fn calls_of_a_create(backend: NetworkBackend, nodes: u32) -> BTreeMap<&'static str, u64> {
    let site = Site::with(SiteSettings { backend, timings: Timings::quick(), ..SiteSettings::default() }).await;
    let mut service = Service::new(site.world.clone());
    // The cards are attached when BDE is done; without this the create would not wait for it.
    service.networks().require_attachment = true;
    let mut controller = service.controller();
    controller.site.vcenter = Arc::new(site.client());
    let key = service.create("c", nodes).await.unwrap();
    let (_stop, stopped) = watch::channel(false);
    let life = controller.run(key.clone(), Arc::new(Notify::new()), stopped);
    tokio::select! {
        ended = life => panic!("{ended:?}"),
        ended = service.ended(&key, Duration::from_secs(120)) => assert!(ended, "{backend:?}: it does not end"),
    }
    let operation = service.state(&key).await.unwrap().operation.unwrap();
    assert_eq!(operation.state, OperationState::Succeeded, "{backend:?}: {:?}", operation.failure);
    let mut calls: BTreeMap<_, _> = METHODS.into_iter().map(|method| (method, site.calls(method))).collect();
    calls.insert("all", site.all_calls());
    calls
}

const METHODS: [&str; 4] = ["WaitForUpdatesEx", "RetrievePropertiesEx", "ReconfigVM_Task", "CreateFilter"];

/// One call for each attachment; the reads before and after, and all that is watched, are shared. The more
/// nodes at a time, the fewer calls for each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_takes_two_calls_a_node_and_an_attachment_three() {
    const NODES: u32 = 60;
    let (nsx_v, nsx_t) = (NetworkBackend::NsxV, NetworkBackend::NsxT);
    let (nsx_v, nsx_t) = tokio::join!(calls_of_a_create(nsx_v, NODES), calls_of_a_create(nsx_t, NODES));
    assert!(nsx_v["all"] <= u64::from(2 * NODES) + 20, "NSX-v: {nsx_v:?}");
    println!("vCenter's calls for a create of {NODES} nodes: {nsx_v:?} on NSX-v, {nsx_t:?} on NSX-T");
    assert_eq!(nsx_t["ReconfigVM_Task"], u64::from(NODES));
    assert!(nsx_t["all"] <= u64::from(4 * NODES), "NSX-T: {nsx_t:?}");
}
