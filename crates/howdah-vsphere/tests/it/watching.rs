use std::time::Duration;

use futures::StreamExt;
use howdah_core::failure::{ErrorKind, System};
use howdah_core::ids::VmRef;
use howdah_core::systems::vcenter::VCenter;
use howdah_core::systems::vcenter::{Power, VmFacts, WatchEvent};
use howdah_sim::SiteSettings;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::world::vm_ops::{NicChange, Reconfigure};

use howdah_vsphere::Client;

use crate::site::{Site, cluster, next, pass, say, settled, swift, until};

fn named(name: &'static str) -> impl Fn(&VmFacts) -> bool {
    move |f| f.name.as_ref().is_some_and(|n| n.as_str() == name) && !f.nics.is_empty()
}

#[tokio::test]
async fn a_cluster_is_followed_from_before_its_folder_exists() {
    let site = Site::start().await;
    let client = site.client();
    let mut watch = client.watch(&cluster("c")).await.unwrap();
    assert_eq!(next(&mut watch).await, WatchEvent::Synced);

    let folder = site.folder("c", "worker");
    // Neighbours: another cluster of the same name's beginning, and a folder of the name elsewhere.
    let other = site.folder("c2", "worker");
    let elsewhere = site.world.write(|s| {
        let root = s.vc.datacenters.values().next().unwrap().vm_folder.clone();
        s.vc.ensure_folder(&root, "c")
    });
    site.make_vm("c2-worker-0", &other).await;
    site.make_vm("stranger", &elsewhere).await;
    let vm = site.make_vm("c-worker-0", &folder).await;
    let facts = until(&mut watch, named("c-worker-0")).await;
    assert_eq!((&facts.vm, facts.power), (&vm, Power::Off));
    let first = facts.nics[0].mac.unwrap();

    // The card's address changes, as when BDE reconfigures a clone.
    let mac = "00:50:56:01:02:03".parse().unwrap();
    let change = NicChange { mac: Some(mac), ..NicChange::edit(4000) };
    let task = site.world.reconfigure_task(&vm, Reconfigure { nics: vec![change], ..Reconfigure::default() }).unwrap();
    site.world.task_end(&task).await.unwrap();
    let facts = until(&mut watch, |f| f.nics[0].mac != Some(first)).await;
    assert_eq!(facts.nics[0].mac, Some(mac));

    client.power_on(&vm).await.unwrap();
    let facts = until(&mut watch, |f| f.power == Power::On && f.nics[0].connected).await;
    assert!(facts.boot_time.is_some());

    client.power_off(&vm).await.unwrap();
    let task = site.world.destroy_task(&vm).unwrap();
    site.world.task_end(&task).await.unwrap();
    loop {
        match next(&mut watch).await {
            WatchEvent::Gone(gone) => break assert_eq!(gone, vm),
            WatchEvent::Vm(f) => assert_eq!(f.vm, vm),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_there_is_told_before_synced_and_once_more_to_a_second_listener() {
    let site = Site::start().await;
    let folder = site.folder("c", "worker");
    for n in 0..150 {
        site.make_vm(&format!("c-worker-{n}"), &folder).await;
    }
    let client = site.client();
    for _ in 0..2 {
        let mut watch = client.watch(&cluster("c")).await.unwrap();
        let mut seen = 0;
        while let WatchEvent::Vm(facts) = next(&mut watch).await {
            assert_eq!(facts.nics.len(), 1);
            seen += 1;
        }
        assert_eq!(seen, 150);
        // Kept, so that the second finds the cluster followed already.
        std::mem::forget(watch);
    }
    assert_eq!(site.calls("Login"), 1);
}

#[tokio::test]
async fn a_folder_may_go_and_come_back() {
    let site = Site::start().await;
    let client = site.client();
    let mut watch = client.watch(&cluster("c")).await.unwrap();
    for _ in 0..2 {
        let folder = site.folder("c", "worker");
        let vm = site.make_vm("c-worker-0", &folder).await;
        until(&mut watch, named("c-worker-0")).await;
        let task = site.world.destroy_task(&vm).unwrap();
        site.world.task_end(&task).await.unwrap();
        site.world.write(|s| {
            let app = s.vc.folders.iter().find(|(_, f)| f.name == s.bde.root_folder).unwrap().0.clone();
            s.vc.remove_empty_folders(&folder, &app);
        });
        while next(&mut watch).await != WatchEvent::Gone(vm.clone()) {}
        settled(|| site.face.leftovers().filters == 1).await;
    }
}

#[tokio::test]
async fn a_lost_session_means_reset_and_the_present_state() {
    let site = Site::start().await;
    let folder = site.folder("c", "worker");
    let vm = site.make_vm("c-worker-0", &folder).await;
    let client = site.client();
    let mut watch = client.watch(&cluster("c")).await.unwrap();
    until(&mut watch, named("c-worker-0")).await;
    assert_eq!(next(&mut watch).await, WatchEvent::Synced);

    site.face.end_sessions();
    assert_eq!(next(&mut watch).await, WatchEvent::Reset);
    assert_eq!(until(&mut watch, named("c-worker-0")).await.vm, vm);
    assert_eq!(next(&mut watch).await, WatchEvent::Synced);
    // And it goes on.
    site.make_vm("c-worker-1", &folder).await;
    until(&mut watch, named("c-worker-1")).await;
}

#[tokio::test]
async fn an_outage_is_reported_and_healed() {
    let site = Site::start().await;
    let folder = site.folder("c", "worker");
    let client = site.client();
    let mut watch = client.watch(&cluster("c")).await.unwrap();
    assert_eq!(next(&mut watch).await, WatchEvent::Synced);

    let down = Effect::Refuse { kind: ErrorKind::Unavailable };
    let rule = site.world.write(|s| s.faults.add(FaultRule::new(System::VCenter, "*", down)));
    site.make_vm("c-worker-0", &folder).await;
    let error = loop {
        match tokio::time::timeout(Duration::from_secs(10), watch.next()).await.unwrap().unwrap() {
            Err(error) => break error,
            Ok(WatchEvent::Vm(_)) => {}
            Ok(other) => panic!("{other:?}"),
        }
    };
    assert_eq!((error.kind, error.code), (ErrorKind::Unavailable, "vcenter_unavailable"));
    site.world.write(|s| s.faults.remove(rule));
    let mut reset = false;
    loop {
        match tokio::time::timeout(Duration::from_secs(10), watch.next()).await.unwrap().unwrap() {
            Ok(WatchEvent::Reset) => reset = true,
            Ok(WatchEvent::Synced) => break,
            Ok(WatchEvent::Vm(f)) => assert!(reset && named("c-worker-0")(&f), "{f:?}"),
            Ok(WatchEvent::Gone(vm)) => panic!("{vm}"),
            Err(_) => {}
        }
    }
    assert!(reset);
}

#[tokio::test]
async fn updates_whose_answer_was_lost_are_not() {
    let site = Site::start().await;
    let folder = site.folder("c", "worker");
    let client = site.client();
    let mut watch = client.watch(&cluster("c")).await.unwrap();
    assert_eq!(next(&mut watch).await, WatchEvent::Synced);
    for method in ["WaitForUpdatesEx", "RetrievePropertiesEx"] {
        site.world.write(|s| s.faults.add(FaultRule::new(System::VCenter, method, Effect::LoseAnswer).times(1)));
    }
    // The wait that is under way has been judged already; this one ends it, the next is lost.
    site.make_vm("c-worker-0", &folder).await;
    site.make_vm("c-worker-1", &folder).await;
    let mut seen = std::collections::BTreeSet::<VmRef>::new();
    while seen.len() < 2 {
        if let Some(Ok(WatchEvent::Vm(f))) = tokio::time::timeout(Duration::from_secs(10), watch.next()).await.unwrap()
            && !f.nics.is_empty()
        {
            seen.insert(f.vm);
        }
    }
}

#[tokio::test]
async fn a_dropped_stream_leaves_nothing_behind() {
    let site = Site::start().await;
    site.make_vm("a-worker-0", &site.folder("a", "worker")).await;
    site.make_vm("b-worker-0", &site.folder("b", "worker")).await;
    let client = site.client();
    let mut a = client.watch(&cluster("a")).await.unwrap();
    until(&mut a, named("a-worker-0")).await;
    let mut b = client.watch(&cluster("b")).await.unwrap();
    until(&mut b, named("b-worker-0")).await;
    assert_eq!((site.face.leftovers().filters, site.face.leftovers().views), (3, 1));
    drop(a);
    settled(|| site.face.leftovers().filters == 2).await;
    drop(b);
    settled(|| site.face.leftovers().sessions == 0).await;
    // And it can begin again.
    let mut a = client.watch(&cluster("a")).await.unwrap();
    until(&mut a, named("a-worker-0")).await;
    client.segments().await.unwrap();
    assert_eq!(site.face.leftovers().sessions, 2);
    drop((a, client));
    settled(|| site.face.leftovers().sessions == 0).await;
}

async fn calls_for_twenty(bystanders: usize) -> u64 {
    let site = Site::with(SiteSettings { bystanders, ..swift() }).await;
    let client = site.client();
    let folder = site.folder("c", "worker");
    for n in 0..20 {
        site.make_vm(&format!("c-worker-{n}"), &folder).await;
    }
    let mut watch = client.watch(&cluster("c")).await.unwrap();
    while next(&mut watch).await != WatchEvent::Synced {}
    client.segments().await.unwrap();
    let vms: Vec<VmRef> = site.world.read(|s| s.vc.vms_below(&folder));
    assert_eq!(client.vms(&vms).await.unwrap().len(), 20);
    site.all_calls()
}

#[tokio::test]
async fn ten_thousand_other_vms_cost_no_call() {
    assert_eq!(calls_for_twenty(0).await, calls_for_twenty(10_000).await);
}

#[tokio::test]
async fn what_an_update_did_not_tell_is_found_in_time() {
    let site = Site::start().await;
    let vm = site.make_vm("c-worker-0", &site.folder("c", "worker")).await;
    let mut settings = site.settings();
    settings.timeouts.call = Duration::from_secs(3600);
    let client = Client::new(settings).unwrap();
    let mut watch = client.watch(&cluster("c")).await.unwrap();
    until(&mut watch, named("c-worker-0")).await;
    assert_eq!(next(&mut watch).await, WatchEvent::Synced);
    // Changed behind the collector's back: the VM's revision stays.
    site.world.write(|s| {
        let vm = s.vc.vms.get_mut(&vm).unwrap();
        vm.change_version += 1;
        vm.nics[0].mac = "00:50:56:01:02:03".parse().unwrap();
    });
    // The wait has arrived there; then in steps shorter than it, whose own deadline is not to pass.
    pass(Duration::ZERO).await;
    for _ in 0..26 {
        pass(Duration::from_secs(25)).await;
    }
    let found = until(&mut watch, |_| true).await;
    assert_eq!(found.nics[0].mac, Some("00:50:56:01:02:03".parse().unwrap()));
    assert_eq!(site.calls("Login"), 1, "waiting kept the session alive");
}

/// The most clusters that share a filter and a read.
const TOGETHER: u64 = 100;

/// `cargo xtask bench` runs it: the time it takes where a call takes 30 ms.
#[tokio::test]
#[ignore = "a benchmark"]
async fn bench_of_a_thousand_clusters() {
    for figures in a_thousand_clusters(Duration::from_millis(30)).await {
        say(&figures);
    }
}

#[tokio::test]
async fn a_thousand_clusters_come_into_sync_by_few_calls_and_few_at_a_time() {
    a_thousand_clusters(Duration::from_millis(10)).await;
}

async fn a_thousand_clusters(call: Duration) -> Vec<String> {
    const CLUSTERS: u64 = 1000;
    let site = Site::start().await;
    for n in 0..CLUSTERS {
        site.make_vm(&format!("c{n}-worker-0"), &site.folder(&format!("c{n}"), "worker")).await;
    }
    let call = FaultRule::new(System::VCenter, "*", Effect::Delay).delayed(call.as_secs_f64());
    site.world.write(|s| s.faults.add(call));
    let client = site.client();
    let mut watches = Vec::new();
    for n in 0..CLUSTERS {
        watches.push(client.watch(&cluster(&format!("c{n}"))).await.unwrap());
    }
    let mut figures = Vec::new();
    for lost in [false, true] {
        let (before, begun) = (site.all_calls(), std::time::Instant::now());
        if lost {
            site.face.end_sessions();
        }
        for (n, watch) in watches.iter_mut().enumerate() {
            let mut told = Vec::new();
            while told.last() != Some(&WatchEvent::Synced) {
                told.push(next(watch).await);
            }
            let vms = told.iter().filter(|e| matches!(e, WatchEvent::Vm(f) if f.nics.len() == 1)).count();
            assert_eq!((vms, told.contains(&WatchEvent::Reset)), (1, lost), "c{n}: {told:?}");
        }
        let when = if lost { "after a reconnect" } else { "at the start" };
        let calls = site.all_calls() - before;
        figures
            .push(format!("{CLUSTERS} clusters in sync {when}: {:.2} s, {calls} calls", begun.elapsed().as_secs_f64()));
        // Folders and VMs are told a hundred at a time, too: a root, and each cluster's folder, its group's, its VM.
        let told = (3 * CLUSTERS).div_ceil(TOGETHER) + 1;
        let most = 3 * CLUSTERS / TOGETHER + told + 25;
        assert!(calls <= most, "{calls} calls, and not {most}, {when}");
    }
    let at_once = site.face.most_at_once();
    assert!((3..=5).contains(&at_once), "{at_once} calls at once");
    figures
}

/// A read that takes ten seconds: the updates of what is in sync come all the same.
#[tokio::test]
async fn a_resync_holds_back_no_update() {
    let site = Site::start().await;
    let folder = site.folder("c", "worker");
    site.make_vm("c-worker-0", &folder).await;
    let mut settings = site.settings();
    settings.timeouts.call = Duration::from_secs(3600);
    let client = Client::new(settings).unwrap();
    let mut watch = client.watch(&cluster("c")).await.unwrap();
    while next(&mut watch).await != WatchEvent::Synced {}
    pass(Duration::ZERO).await;
    let reads = site.calls("RetrievePropertiesEx");
    let slow = FaultRule::new(System::VCenter, "RetrievePropertiesEx", Effect::Delay).delayed(10.0).times(2);
    site.world.write(|s| s.faults.add(slow));
    while site.calls("RetrievePropertiesEx") == reads {
        pass(Duration::from_secs(25)).await;
    }
    assert_eq!(site.calls("RetrievePropertiesEx"), reads + 2, "folders and VMs are being read");
    let begun = std::time::Instant::now();
    site.make_vm("c-worker-1", &folder).await;
    until(&mut watch, named("c-worker-1")).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "it came after {:?}", begun.elapsed());
    // What was read before it was there does not take it away again.
    pass(Duration::from_secs(10)).await;
    site.make_vm("c-worker-2", &folder).await;
    assert_eq!(until(&mut watch, |_| true).await.name.unwrap().as_str(), "c-worker-2");
}
