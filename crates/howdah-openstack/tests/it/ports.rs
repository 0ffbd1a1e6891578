//! Ports: what is made, what is refused, what is lost on the way.

use howdah_core::failure::{ErrorKind, System};
use howdah_core::systems::networking::Networking;
use howdah_core::systems::networking::{PortChange, PortQuery, PortRequest};
use howdah_sim::SiteSettings;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::world::neutron::PortBody;

use crate::site::{Site, at_once, shown};

fn ours(site: &Site) -> usize {
    site.world.read(|s| s.neutron.ports.values().filter(|p| p.device_owner != "network:dhcp").count())
}

#[tokio::test]
async fn a_wave_is_one_request_and_says_what_the_backends_need() {
    let site = Site::new().await;
    let client = site.client();
    let requests: Vec<_> = (1..=20).map(|n| site.request(n)).collect();
    let made = client.create_ports(&requests).await.unwrap();
    assert_eq!(site.calls(System::Neutron, "create_ports"), 1);
    for (request, port) in requests.iter().zip(&made) {
        assert_eq!(port.mac, request.mac);
        assert_eq!((&port.name, &port.description), (&request.name, &request.description));
        assert_eq!((&port.project, &port.network), (&request.project, &request.network));
        assert_eq!(port.device_owner, "compute:None");
        assert_eq!(port.device_id, request.device_id.to_string());
        assert_eq!(port.fixed_ips.iter().map(|ip| &ip.subnet).collect::<Vec<_>>(), [&request.subnet]);
        assert_eq!(port.security_groups.len(), 1, "the project's default");
    }
    assert!(
        site.world.read(|s| s.neutron.ports.values().all(|p| p.binding.is_some() || p.device_owner == "network:dhcp"))
    );
    assert_eq!(client.create_ports(&[]).await.unwrap(), []);
    assert_eq!(site.calls(System::Neutron, "create_ports"), 1, "nothing to make, nothing sent");
}

#[tokio::test]
async fn the_project_may_be_another_than_the_services() {
    let site = Site::new().await;
    let other = site.project("other");
    let mut request = site.request(1);
    request.project = other.as_str().into();
    let made = site.client().create_ports(&[request]).await.unwrap();
    assert_eq!(made[0].project.as_str(), other);
}

#[tokio::test]
async fn a_port_is_made_with_the_address_that_it_had() {
    let site = Site::new().await;
    let client = site.client();
    let first = client.create_ports(&[site.request(1)]).await.unwrap().remove(0);
    let address = first.fixed_ips[0].address;
    client.delete_port(&first.id).await.unwrap();
    client.create_ports(&[site.request(2)]).await.unwrap();
    let again = |address| PortRequest { address: Some(address), ..site.request(3) };
    // The second has taken the first free one, which was the first's.
    let e = client.create_ports(&[again(address)]).await.unwrap_err();
    assert_eq!((e.kind, e.code), (ErrorKind::Conflict, "neutron_address_in_use"));
    let free = "10.20.0.77".parse().unwrap();
    let made = client.create_ports(&[again(free)]).await.unwrap();
    assert_eq!(made[0].fixed_ips[0].address, free);
}

#[tokio::test]
async fn one_address_twice_is_refused_here_and_never_sent() {
    let site = Site::new().await;
    let e = site.client().create_ports(&[site.request(1), site.request(2), site.request(1)]).await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r"
    neutron_same_mac_twice Invalid
    Neutron: one request has the MAC address 00:50:56:aa:00:01 twice
    -
    ");
    let (network, subnet) = site.network("second", "demo", "10.40.0.0/24", false);
    let mut elsewhere = site.request(1);
    elsewhere.network = network.id.as_str().into();
    elsewhere.subnet = subnet.id.as_str().into();
    let e = site.client().create_ports(&[site.request(1), elsewhere]).await.unwrap_err();
    assert_eq!(e.code, "neutron_same_mac_twice");
    assert_eq!(site.calls(System::Neutron, "create_ports"), 0);
}

#[tokio::test]
async fn a_taken_mac_makes_none_of_the_wave() {
    let site = Site::new().await;
    let client = site.client();
    client.create_ports(&[site.request(3)]).await.unwrap();
    let e = client.create_ports(&[site.request(1), site.request(2), site.request(3)]).await.unwrap_err();
    let network = site.data().0.id;
    insta::assert_snapshot!(shown(&e).replace(&network, "NETWORK"), @r"
    neutron_mac_in_use Conflict
    Neutron: could not create ports: Unable to complete operation for network NETWORK. The mac address 00:50:56:aa:00:03 is in use (MacAddressInUse, HTTP 409)
    Find the port with `openstack port list --mac-address MAC`. Delete it if nothing uses it.
    ");
    assert_eq!(ours(&site), 1);
    assert!(!e.kind.is_ambiguous());
}

#[tokio::test]
async fn every_refusal_has_its_code_and_its_words() {
    let site = Site::of(SiteSettings { port_quota: Some(3), ..at_once() }, None).await;
    let client = site.client();
    let requests: Vec<_> = (1..=5).map(|n| site.request(n)).collect();
    let e = client.create_ports(&requests).await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r"
    neutron_over_quota Exhausted
    Neutron: could not create ports: Quota exceeded for resources: ['port'] (OverQuota, HTTP 409)
    Raise the project's quota (`openstack quota set --ports N PROJECT`) or delete ports.
    ");
    site.world.write(|s| s.neutron.port_quota.clear());

    let (network, subnet) = site.network("tiny", "demo", "10.30.0.0/29", false);
    let tiny: Vec<_> = requests
        .iter()
        .map(|r| {
            let mut r = r.clone();
            r.network = network.id.as_str().into();
            r.subnet = subnet.id.as_str().into();
            r
        })
        .collect();
    let e = client.create_ports(&tiny).await.unwrap_err();
    insta::assert_snapshot!(shown(&e).replace(&network.id, "NETWORK"), @r"
    neutron_subnet_exhausted Exhausted
    Neutron: could not create ports: No more IP addresses available on network NETWORK (IpAddressGenerationFailure, HTTP 409)
    Use a larger subnet, or delete ports that are no longer needed.
    ");

    let nobody = "11111111-2222-4333-8444-555555555555";
    let mut request = site.request(1);
    request.network = nobody.into();
    let e = client.create_ports(&[request]).await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r"
    neutron_network_not_found NotFound
    Neutron: could not create ports: Network 11111111-2222-4333-8444-555555555555 could not be found (NetworkNotFound, HTTP 404)
    -
    ");

    let mut request = site.request(1);
    request.subnet = nobody.into();
    let e = client.create_ports(&[request]).await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r"
    neutron_subnet_not_found NotFound
    Neutron: could not create ports: Subnet 11111111-2222-4333-8444-555555555555 could not be found (SubnetNotFound, HTTP 404)
    -
    ");

    let mut request = site.request(1);
    request.security_groups = vec![nobody.into()];
    let e = client.create_ports(&[request]).await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r"
    neutron_security_group_not_found NotFound
    Neutron: could not create ports: Security group 11111111-2222-4333-8444-555555555555 does not exist (SecurityGroupNotFound, HTTP 404)
    -
    ");

    let mut request = site.request(1);
    request.network = "data".into();
    let e = client.create_ports(&[request]).await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r"
    neutron_request_refused Invalid
    Neutron: could not create ports: Invalid input for network_id. Reason: 'data' is not a valid UUID (HTTPBadRequest, HTTP 400)
    -
    ");
    assert_eq!(ours(&site), 0);
}

#[tokio::test]
async fn a_mac_on_a_foreign_network_needs_more_than_a_member() {
    let site = Site::new().await;
    let (network, subnet) = site.network("common", "other", "10.40.0.0/24", true);
    let mut request = site.request(1);
    request.network = network.id.as_str().into();
    request.subnet = subnet.id.as_str().into();
    let e = site.with(site.member()).create_ports(&[request.clone()]).await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r"
    neutron_forbidden Forbidden
    Neutron: could not create ports: rule:(rule:create_port and rule:create_port:mac_address) is disallowed by policy (PolicyNotAuthorized, HTTP 403)
    Setting a MAC address or a fixed address on another project's network needs the rights of the network's owner or the role `admin` or `service`. Give the user of [site.openstack] one of them.
    ");
    assert_eq!(site.client().create_ports(&[request]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn after_a_lost_answer_nothing_is_sent_again_and_a_look_finds_the_ports() {
    let site = Site::new().await;
    let client = site.client();
    site.world.write(|s| s.faults.add(FaultRule::new(System::Neutron, "create_ports", Effect::LoseAnswer)));
    let requests = [site.request(1), site.request(2)];
    let e = client.create_ports(&requests).await.unwrap_err();
    assert!(e.kind.is_ambiguous(), "{e:?}");
    assert_eq!(e.code, "neutron_unreachable");
    assert_eq!(site.calls(System::Neutron, "create_ports"), 1);
    let query =
        PortQuery { network: Some(requests[0].network.clone()), macs: requests.iter().map(|r| r.mac).collect() };
    let found = client.ports(&query).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|p| p.description.starts_with("howdah/1 ")));
}

#[tokio::test]
async fn a_busy_server_is_not_asked_twice_for_ports() {
    let site = Site::new().await;
    let client = site.client();
    let busy = Effect::Refuse { kind: ErrorKind::Unavailable };
    site.world.write(|s| s.faults.add(FaultRule::new(System::Neutron, "create_ports", busy)));
    let e = client.create_ports(&[site.request(1)]).await.unwrap_err();
    assert_eq!((e.kind, e.code), (ErrorKind::Unavailable, "neutron_unavailable"));
    assert_eq!(site.calls(System::Neutron, "create_ports"), 1);
}

#[tokio::test]
async fn a_port_is_changed_only_where_asked() {
    let site = Site::new().await;
    let client = site.client();
    let port = client.create_ports(&[site.request(1)]).await.unwrap().remove(0);
    let change = PortChange {
        device_owner: Some("compute:nova".into()),
        device_id: Some(uuid::Uuid::from_u128(99)),
        description: Some("other".into()),
        ..PortChange::default()
    };
    let changed = client.update_port(&port.id, &change).await.unwrap();
    assert_eq!(changed.device_id, uuid::Uuid::from_u128(99).to_string());
    assert_eq!((changed.device_owner.as_str(), changed.description.as_str()), ("compute:nova", "other"));
    assert_eq!((&changed.name, &changed.security_groups, changed.mac), (&port.name, &port.security_groups, port.mac));
    let bare = PortChange { security_groups: Some(vec![]), ..PortChange::default() };
    assert!(client.update_port(&port.id, &bare).await.unwrap().security_groups.is_empty());
    let e = client.update_port(&"11111111-2222-4333-8444-555555555555".into(), &bare).await.unwrap_err();
    assert_eq!((e.kind, e.code), (ErrorKind::NotFound, "neutron_port_not_found"));
}

#[tokio::test]
async fn the_card_index_is_what_neutron_holds_then() {
    let site = Site::new().await;
    let client = site.client();
    let port = client.create_ports(&[site.request(1)]).await.unwrap().remove(0);
    assert_eq!(port.vnic_index, None);
    assert_eq!(client.set_vnic_index(&port.id, 1).await.unwrap(), Some(1));
    assert_eq!(client.set_vnic_index(&port.id, 0).await.unwrap(), Some(0));

    // A port of the 2015 kind: Neutron says 200 and does nothing.
    let old = PortBody {
        network: site.data().0.id,
        name: "c-worker-9-port0".into(),
        device_id: "c-worker-9".into(),
        ..PortBody::default()
    };
    let old = site.world.create_ports(vec![old], &site.world.service()).await.unwrap().remove(0);
    assert_eq!(client.set_vnic_index(&old.id.as_str().into(), 0).await.unwrap(), None);
}

#[tokio::test]
async fn a_port_that_is_gone_is_deleted_well() {
    let site = Site::new().await;
    let client = site.client();
    let ports = client.create_ports(&[site.request(1), site.request(2)]).await.unwrap();
    client.delete_port(&ports[0].id).await.unwrap();
    client.delete_port(&ports[0].id).await.unwrap();
    // The answer is lost: the repeat finds nothing, which is what was wanted.
    site.world.write(|s| s.faults.add(FaultRule::new(System::Neutron, "delete_port", Effect::LoseAnswer).times(1)));
    client.delete_port(&ports[1].id).await.unwrap();
    assert_eq!(ours(&site), 0);
}
