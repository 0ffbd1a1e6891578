//! Networks, subnets, quota, features, pages.

use howdah_core::failure::System;
use howdah_core::systems::networking::Networking;
use howdah_core::systems::networking::{PortQuery, Quota};
use howdah_sim::SiteSettings;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::world::settings::NetworkBackend;

use crate::site::{Site, at_once, shown};

#[tokio::test]
async fn what_is_there_is_found_and_what_is_not_is_none() {
    let site = Site::new().await;
    let client = site.client();
    let (network, subnet) = site.data();
    let found = client.network(&network.id.as_str().into()).await.unwrap().unwrap();
    assert_eq!(
        (found.name.as_str(), found.project.as_str(), found.external),
        ("data", network.project.as_str(), false)
    );
    let found = client.subnet(&subnet.id.as_str().into()).await.unwrap().unwrap();
    assert_eq!((found.cidr.as_str(), found.ip_version, found.dhcp), ("10.20.0.0/22", 4, true));
    assert_eq!(found.network.as_str(), network.id);
    let nobody = "11111111-2222-4333-8444-555555555555";
    assert_eq!(client.network(&nobody.into()).await.unwrap(), None);
    assert_eq!(client.subnet(&nobody.into()).await.unwrap(), None);
    // An id that would be a path of its own stays one part of the path.
    assert_eq!(client.network(&"../ports".into()).await.unwrap(), None);
}

#[tokio::test]
async fn a_subnets_use_grows_with_its_ports() {
    let site = Site::new().await;
    let client = site.client();
    let id = site.data().1.id.as_str().into();
    let before = client.subnet(&id).await.unwrap().unwrap();
    // All addresses but network, broadcast and gateway; the DHCP server has one of them.
    assert_eq!((before.capacity, before.used), (1021, 1));
    client.create_ports(&[site.request(1), site.request(2)]).await.unwrap();
    assert_eq!(client.subnet(&id).await.unwrap().unwrap().used, 3);
}

#[tokio::test]
async fn the_card_index_is_offered_by_nsx_v_only() {
    for (backend, offered) in
        [(NetworkBackend::NsxV, true), (NetworkBackend::NsxT, false), (NetworkBackend::Ml2, false)]
    {
        let site = Site::of(SiteSettings { backend, ..at_once() }, None).await;
        let client = site.client();
        assert_eq!(client.features().await.unwrap().vnic_index, offered, "{backend:?}");
    }
}

#[tokio::test]
async fn quota_with_limit_without_and_not_to_be_seen() {
    let site = Site::of(SiteSettings { port_quota: Some(10), ..at_once() }, None).await;
    let project = site.project("demo").as_str().into();
    let client = site.client();
    client.create_ports(&[site.request(1)]).await.unwrap();
    // One of them is the DHCP server's.
    assert_eq!(client.port_quota(&project).await.unwrap(), Some(Quota { limit: Some(10), used: 2 }));
    site.world.write(|s| s.neutron.port_quota.clear());
    assert_eq!(client.port_quota(&project).await.unwrap(), Some(Quota { limit: None, used: 2 }));
    let foreign = site.project("other").as_str().into();
    assert_eq!(site.with(site.member()).port_quota(&foreign).await.unwrap(), None);
}

#[tokio::test]
async fn a_neutron_that_does_not_count_is_counted_for() {
    let site = Site::of(SiteSettings { port_quota: Some(10), ..at_once() }, None).await;
    let client = site.client();
    client.create_ports(&[site.request(1), site.request(2)]).await.unwrap();
    // Its details are not there (404): limit and ports are asked for one by one.
    let kind = howdah_core::failure::ErrorKind::NotFound;
    site.world.write(|s| s.faults.add(FaultRule::new(System::Neutron, "port_quota", Effect::Refuse { kind }).times(1)));
    let project = site.project("demo").as_str().into();
    assert_eq!(client.port_quota(&project).await.unwrap(), Some(Quota { limit: Some(10), used: 3 }));
}

#[tokio::test]
async fn pages_are_followed_to_the_end() {
    let site = Site::of(at_once(), Some(2)).await;
    let client = site.client();
    let requests: Vec<_> = (1..=7).map(|n| site.request(n)).collect();
    client.create_ports(&requests).await.unwrap();
    let query = PortQuery { network: Some(site.data().0.id.as_str().into()), macs: vec![] };
    // Seven, and the DHCP server's.
    assert_eq!(client.ports(&query).await.unwrap().len(), 8);
    assert_eq!(site.calls(System::Neutron, "ports"), 4);
}

#[tokio::test]
async fn many_addresses_are_asked_for_in_several_urls() {
    let site = Site::new().await;
    let client = site.client();
    client.create_ports(&[site.request(1), site.request(2)]).await.unwrap();
    let mut macs: Vec<_> = (0..=255).map(|n| format!("00:50:56:bb:00:{n:02x}").parse().unwrap()).collect();
    macs.push(site.request(2).mac);
    let found = client.ports(&PortQuery { network: None, macs }).await.unwrap();
    assert_eq!(found.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["c-worker-2-port0"]);
    assert_eq!(site.calls(System::Neutron, "ports"), 3);
}

#[tokio::test]
async fn a_look_survives_a_server_that_is_busy_for_a_moment() {
    let site = Site::new().await;
    let client = site.client();
    let busy = Effect::Refuse { kind: howdah_core::failure::ErrorKind::Unavailable };
    site.world.write(|s| s.faults.add(FaultRule::new(System::Neutron, "network", busy.clone()).times(2)));
    let id = site.data().0.id.as_str().into();
    assert!(client.network(&id).await.unwrap().is_some());
    site.world.write(|s| s.faults.add(FaultRule::new(System::Neutron, "network", busy)));
    let e = client.network(&id).await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r"
    neutron_unavailable Unavailable
    Neutron: could not read a network: a fault was injected here (ServiceUnavailable, HTTP 503)
    -
    ");
    assert_eq!(site.calls(System::Neutron, "network"), 6, "three tries each, no more");
}
