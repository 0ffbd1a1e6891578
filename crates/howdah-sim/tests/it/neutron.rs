//! Neutron's rules that a port of somebody else's VM meets, and Keystone's tokens.

use std::time::Duration;

use howdah_core::ids::Mac;
use howdah_sim::world::keystone::Method;
use howdah_sim::world::neutron::{Caller, NetworkBody, NeutronError, PortBody, PortUpdate, SubnetBody};
use howdah_sim::world::settings::NetworkBackend;
use howdah_sim::{SiteSettings, World};

use crate::support::net;

fn world(backend: NetworkBackend) -> World {
    World::new(SiteSettings { backend, ..SiteSettings::default() })
}

fn body(network: &str, last: u8) -> PortBody {
    PortBody { network: network.to_owned(), mac: Some(Mac::new([0, 0x50, 0x56, 0x80, 0, last])), ..PortBody::default() }
}

fn kind<T>(answer: Result<T, NeutronError>) -> Option<(&'static str, u16)> {
    answer.err().map(|e| (e.kind, e.status))
}

#[tokio::test(start_paused = true)]
async fn vnic_index_takes_only_on_a_port_that_was_a_compute_port() {
    let world = world(NetworkBackend::NsxV);
    let (me, network) = (world.service(), net(&world).id);
    let uuid = "0b7c8d6e-1111-4222-8333-444455556666";
    let rows =
        [("", "c-worker-0", None), ("compute:x", "c-worker-0", None), ("", uuid, None), ("compute:x", uuid, Some(0))];
    for (n, (owner, device, held)) in (1..).zip(rows) {
        let port = PortBody { device_owner: owner.to_owned(), device_id: device.to_owned(), ..body(&network, n) };
        let made = world.create_ports(vec![port], &me).await.unwrap();
        let set = PortUpdate { vnic_index: Some(Some(0)), ..PortUpdate::default() };
        let changed = world.update_port(&made[0].id, &set, &me).unwrap();
        assert_eq!(changed.vnic_index, held, "owner {owner:?}, device {device:?}");
        assert_eq!(changed.binding.is_some(), owner.starts_with("compute"), "DHCP goes by the owner alone");
        // What makes it a compute port in the same call comes too late for that call.
        let both =
            PortUpdate { device_owner: Some("compute:x".to_owned()), device_id: Some(uuid.to_owned()), ..set.clone() };
        let changed = world.update_port(&made[0].id, &both, &me).unwrap();
        assert_eq!(changed.vnic_index, held);
        assert!(changed.binding.is_some());
        assert_eq!(world.update_port(&made[0].id, &set, &me).unwrap().vnic_index, Some(0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_bulk_is_made_whole_or_not_at_all() {
    let world = world(NetworkBackend::NsxV);
    let (me, network) = (world.service(), net(&world).id);
    let ports = |w: &World| w.read(|s| (s.neutron.ports.len(), s.neutron.by_address.len(), s.neutron.by_mac.len()));
    world.create_ports(vec![body(&network, 3)], &me).await.unwrap();
    let before = ports(&world);
    let taken = world.create_ports((1..=3).map(|n| body(&network, n)).collect(), &me).await;
    assert_eq!(kind(taken), Some(("MacAddressInUse", 409)));
    let bad = vec![body(&network, 4), PortBody { security_groups: Some(vec!["x".to_owned()]), ..body(&network, 5) }];
    assert_eq!(kind(world.create_ports(bad, &me).await), Some(("SecurityGroupNotFound", 404)));
    assert_eq!(ports(&world), before);

    let begin = world.now();
    let twice = world.create_ports(vec![body(&network, 6), body(&network, 6)], &me).await;
    assert_eq!(kind(twice), Some(("HTTPInternalServerError", 500)));
    assert!(world.now().duration_since(begin).as_secs() >= 96, "a doubled MAC is retried inside for long");
}

#[tokio::test(start_paused = true)]
async fn a_mac_is_unique_everywhere_with_nsx_v_and_on_its_network_else() {
    for (backend, refused) in [(NetworkBackend::NsxV, true), (NetworkBackend::Ml2, false)] {
        let world = world(backend);
        let me = world.service();
        let first = net(&world).id;
        let other = world.create_network(NetworkBody { name: "b".to_owned(), ..NetworkBody::default() }, &me).unwrap();
        world.create_ports(vec![body(&first, 1)], &me).await.unwrap();
        let again = world.create_ports(vec![body(&other.id, 1)], &me).await;
        assert_eq!(kind(again).is_some(), refused, "{backend:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn quotas_and_pools_run_out() {
    let world = World::new(SiteSettings { port_quota: Some(3), ..SiteSettings::default() });
    let (me, network) = (world.service(), net(&world).id);
    // The DHCP server's own port counts.
    assert_eq!(
        kind(world.create_ports((1..=3).map(|n| body(&network, n)).collect(), &me).await),
        Some(("OverQuota", 409))
    );
    world.create_ports((1..=2).map(|n| body(&network, n)).collect(), &me).await.unwrap();

    let world = self::world(NetworkBackend::NsxV);
    let small = world.create_network(NetworkBody::default(), &me).unwrap();
    let subnet = SubnetBody { network: small.id.clone(), cidr: "10.9.0.0/29".to_owned(), ..SubnetBody::default() };
    let subnet = world.create_subnet(subnet, &me).unwrap();
    assert_eq!(subnet.capacity(), 5);
    world.create_ports((1..=4).map(|n| body(&small.id, n)).collect(), &me).await.unwrap();
    let one_more = world.create_ports(vec![body(&small.id, 5)], &me).await;
    assert_eq!(kind(one_more), Some(("IpAddressGenerationFailure", 409)));
    let port = world.read(|s| s.neutron.ports.values().find(|p| p.device_owner.is_empty()).unwrap().id.clone());
    world.delete_port(&port, &me).unwrap();
    world.create_ports(vec![body(&small.id, 5)], &me).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn only_the_owner_of_a_network_names_macs_on_it() {
    let mut settings = SiteSettings::default();
    settings.networks[0].shared = true;
    let world = World::new(settings);
    let network = net(&world).id;
    let other = world.read(|s| s.keystone.project("other").unwrap().id.clone());
    let stranger = Caller { project: other, admin: false };
    assert_eq!(kind(world.create_ports(vec![body(&network, 1)], &stranger).await), Some(("PolicyNotAuthorized", 403)));
    let without = PortBody { mac: None, ..body(&network, 1) };
    world.create_ports(vec![without], &stranger).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn port_groups_come_some_time_after_their_network() {
    for backend in [NetworkBackend::NsxV, NetworkBackend::NsxT, NetworkBackend::Ml2] {
        let world = world(backend);
        let made =
            world.create_network(NetworkBody { name: "late".to_owned(), ..NetworkBody::default() }, &world.service());
        let id = made.unwrap().id;
        let backed = |w: &World| w.read(|s| s.vc.port_groups.values().any(|p| p.network.as_ref() == Some(&id)));
        assert!(!backed(&world));
        world.sleep(Duration::from_secs(5)).await;
        assert!(backed(&world), "{backend:?}");
        world.delete_network(&id, &world.service()).unwrap();
        assert!(!backed(&world));
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_end() {
    let world = world(NetworkBackend::NsxV);
    let login = Method::Password { user: "demo".to_owned(), password: "demo-secret".to_owned() };
    let wrong = Method::Password { user: "demo".to_owned(), password: "x".to_owned() };
    assert_eq!(world.issue_token(&wrong, Some("demo")).unwrap_err().status, 401);
    assert_eq!(world.issue_token(&login, Some("other")).unwrap_err().status, 401, "no role there");
    let token = world.issue_token(&login, Some("demo")).unwrap().id;
    assert!(!world.caller(&token).unwrap().admin);
    world.sleep(Duration::from_secs(3599)).await;
    assert!(world.token(&token).is_some());
    world.sleep(Duration::from_secs(2)).await;
    assert!(world.token(&token).is_none());
}
