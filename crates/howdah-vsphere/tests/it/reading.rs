use std::time::Duration;

use howdah_core::failure::System;
use howdah_core::ids::VmRef;
use howdah_core::systems::vcenter::Power;
use howdah_core::systems::vcenter::VCenter;
use howdah_sim::SiteSettings;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::world::inventory::PortGroup;

use crate::site::{Site, pass, swift};

#[tokio::test]
async fn segments_of_every_datacenter_are_found_in_three_calls() {
    let datacenters = vec!["dc1".to_owned(), "dc/2".to_owned()];
    let site =
        Site::with(SiteSettings { datacenters, switches: 2, vcenter_version: "7.0".to_owned(), ..swift() }).await;
    site.add_nsx_network();
    site.world.write(|s| {
        let first = s.vc.switches.iter().find(|(_, w)| w.name == "dc1-dvs0").map(|(key, _)| key.clone());
        s.vc.computes.values_mut().for_each(|c| c.not_on.extend(first.clone()));
    });
    let client = site.client();
    client.connect().await.unwrap();
    let before = site.all_calls();
    let mut found = client.segments().await.unwrap();
    assert_eq!(site.all_calls() - before, 3);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let shown: Vec<_> = found
        .iter()
        .map(|s| {
            let name = s.switch.as_deref().map(|k| site.world.read(|w| w.vc.switches[k].name.clone()));
            let users = &s.clusters;
            format!("{} in {} on {name:?} {:?} {:?} {users:?}", s.name, s.datacenter, s.segment_id, s.logical_switch)
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    50%/net\work in dc/2 on Some("dc/2-dvs1") Some("/infra/segments/abc") Some("ls-1") {"dc/2-cluster"}
    dc/2-management in dc/2 on Some("dc/2-dvs0") None None {"dc/2-cluster"}
    dc/2-management1 in dc/2 on Some("dc/2-dvs1") None None {"dc/2-cluster"}
    dc1-management in dc1 on Some("dc1-dvs0") None None {}
    dc1-management1 in dc1 on Some("dc1-dvs1") None None {"dc1-cluster"}
    "#);
    assert_eq!(site.face.leftovers().views, 0);
}

#[tokio::test]
async fn an_old_server_is_asked_again_without_what_it_does_not_know() {
    let site = Site::with(SiteSettings { vcenter_version: "6.5".to_owned(), ..swift() }).await;
    let found = site.client().segments().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].name.as_str(), found[0].segment_id.as_deref()), ("dc1-management", None));
    assert_eq!(site.calls("RetrievePropertiesEx"), 2);
}

#[tokio::test]
async fn a_switch_setting_leaves_the_others_out() {
    let site = Site::with(SiteSettings { switches: 3, ..swift() }).await;
    let moref = site.world.read(|s| s.vc.switches.iter().find(|(_, w)| w.name == "dc1-dvs1").unwrap().0.clone());
    for switch in ["dc1-dvs1", moref.as_str()] {
        let mut settings = site.settings();
        settings.switch = Some(switch.to_owned());
        let found = howdah_vsphere::Client::new(settings).unwrap().segments().await.unwrap();
        let keys: Vec<_> = found.iter().map(|s| s.switch.as_deref()).collect();
        assert_eq!(keys, [Some(moref.as_str())]);
    }
}

#[tokio::test]
async fn an_answer_in_pages_is_read_to_its_end() {
    let site = Site::start().await;
    site.world.write(|s| {
        let (switch, parent) = s.vc.switches.iter().map(|(k, w)| (k.clone(), w.parent.clone())).next().unwrap();
        for n in 0..1500 {
            s.vc.add_port_group(PortGroup {
                name: format!("net-{n}"),
                switch: switch.clone(),
                parent: parent.clone(),
                backing_type: "standard",
                segment_id: None,
                logical_switch: None,
                network: None,
                vlan: None,
            });
        }
    });
    assert_eq!(site.client().segments().await.unwrap().len(), 1501);
    assert_eq!(site.calls("ContinueRetrievePropertiesEx"), 1);
}

#[tokio::test]
async fn many_vms_are_read_at_once_and_those_gone_are_left_out() {
    let site = Site::with(SiteSettings { bystanders: 600, ..swift() }).await;
    let mut vms: Vec<VmRef> = site.world.read(|s| s.vc.vms.keys().cloned().collect());
    assert_eq!(vms.len(), 601);
    vms.push("vm-99999".into());
    let client = site.client();
    client.connect().await.unwrap();
    let before = site.all_calls();
    let facts = client.vms(&vms).await.unwrap();
    assert_eq!(site.all_calls() - before, 2);
    assert_eq!(facts.len(), 601);
    let on = facts.iter().find(|f| f.power == Power::On).unwrap();
    assert!(on.boot_time.is_some() && on.instance_uuid.is_some());
    assert_eq!(on.nics[0].addresses.len(), 1, "{on:?}");
    assert!(client.vms(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lost_session_costs_one_login_however_many_ask() {
    let site = Site::start().await;
    let client = site.client();
    client.connect().await.unwrap();
    let template = site.world.read(|s| s.vc.vm_named("hadoop-template").unwrap().moref.clone());
    assert_eq!(site.face.end_sessions(), 1);
    let asked = std::array::from_ref(&template);
    let all = futures::future::join_all((0..20).map(|_| client.vms(asked))).await;
    assert!(all.iter().all(|a| a.as_ref().unwrap().len() == 1));
    assert_eq!(site.calls("Login"), 2);
    client.close().await;
    assert_eq!(site.face.leftovers().sessions, 0);
}

#[tokio::test]
async fn a_broken_connection_is_tried_again_for_a_read() {
    let site = Site::start().await;
    let lost = FaultRule::new(System::VCenter, "RetrievePropertiesEx", Effect::LoseAnswer).times(2);
    site.world.write(|s| s.faults.add(lost));
    assert_eq!(site.client().segments().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_idle_session_is_kept_alive() {
    let site = Site::start().await;
    let client = site.client();
    client.connect().await.unwrap();
    // Longer than vCenter lets an unused session live.
    for _ in 0..9 {
        pass(Duration::from_secs(301)).await;
    }
    assert!(site.calls("CurrentTime") >= 5, "{}", site.calls("CurrentTime"));
    client.segments().await.unwrap();
    assert_eq!(site.calls("Login"), 1);
}
