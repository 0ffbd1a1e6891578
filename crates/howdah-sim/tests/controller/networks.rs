//! Which port group a cluster gets, on each kind of NSX: never one that only has the right name.

use howdah_core::policy::NetworkBackend;
use howdah_sim::SiteSettings;
use howdah_sim::world::settings::NsxT;

use crate::story::Story;

/// A site with two distributed switches. The hosts are on the second only, and an unrelated port group has the
/// network's bare name.
async fn site(seed: u64, backend: NetworkBackend, nsx_t: NsxT, vcenter: &str) -> Story {
    let vcenter_version = vcenter.to_owned();
    let story =
        Story::with(SiteSettings { seed, backend, nsx_t, switches: 2, vcenter_version, ..SiteSettings::default() });
    let story = story.await;
    story.world.add_port_group("data", None);
    story.world.write(|s| {
        let first = s.vc.switches.keys().next().cloned();
        s.vc.computes.values_mut().for_each(|c| c.not_on.extend(first.clone()));
    });
    story
}

#[tokio::test(start_paused = true)]
async fn a_port_group_with_the_networks_name_is_not_the_networks() {
    // The bare name is no rule on NSX: the cluster goes to the switch of its hosts, and to no namesake.
    let rows = [
        (NetworkBackend::NsxV, NsxT::Policy, "6.5"),
        (NetworkBackend::NsxT, NsxT::Policy, "7.0"),
        (NetworkBackend::NsxT, NsxT::Manager, "7.0"),
        // vCenter shows neither IDs nor switches of NSX: the name that NSX gives is left.
        (NetworkBackend::NsxT, NsxT::Manager, "6.7"),
    ];
    for (n, (backend, nsx_t, vcenter)) in rows.into_iter().enumerate() {
        let mut story = site(90 + n as u64, backend, nsx_t, vcenter).await;
        let key = story.running("c1", 3).await;
        let segment = story.service.state(&key).await.unwrap().segment.unwrap();
        story.world.read(|s| {
            let group = &s.vc.port_groups[segment.key.as_str()];
            assert_eq!(Some(&group.switch), s.vc.switches.keys().nth(1), "{backend:?} {nsx_t:?}: {segment:?}");
            assert!(group.network.is_some(), "{backend:?} {nsx_t:?}: an unrelated port group");
            for vm in s.vc.vms.values().filter(|v| v.cluster.as_deref() == Some("c1")) {
                let network = vm.nics.iter().find_map(|nic| s.vc.neutron_network(&nic.backing));
                assert_eq!(network, group.network.as_deref(), "{backend:?} {nsx_t:?}: {}", vm.name);
            }
        });
        story.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn with_only_a_namesake_a_create_waits_and_then_fails() {
    for (n, backend) in [NetworkBackend::NsxV, NetworkBackend::NsxT].into_iter().enumerate() {
        let mut story = site(95 + n as u64, backend, NsxT::Policy, "7.0").await;
        story.world.write(|s| s.vc.port_groups.retain(|_, p| p.network.is_none()));
        let key = story.create("c1", 3).await;
        let failure = story.failure(&key).await;
        assert!(failure.starts_with("port_group_not_found"), "{failure}");
        assert_eq!(story.vms("c1"), []);
        story.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn bde_cannot_use_an_opaque_network_and_the_failure_says_so() {
    let mut story = site(97, NetworkBackend::NsxT, NsxT::Opaque, "6.7").await;
    let key = story.create("c1", 3).await;
    let failure = story.failure(&key).await;
    assert!(failure.starts_with("segment_opaque: "), "{failure}");
    assert!(failure.contains("an opaque network (N-VDS), which BDE does not support"), "{failure}");
    assert_eq!(story.vms("c1"), []);
    story.end().await;
}
