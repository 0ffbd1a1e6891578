//! The simulated site has two faces: the core's traits in process, and real HTTP. A caller of the traits
//! must not see a difference: same values, same kinds and codes of errors.

use futures::future::join_all;
use howdah_core::failure::{ErrorKind, System};
use howdah_core::ids::{NetworkId, PortId, SubnetId};
use howdah_core::systems::identity::{Identity, NetworkWish};
use howdah_core::systems::networking::{Networking, PortChange, PortQuery, PortRequest};
use howdah_sim::SiteSettings;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::world::keystone::Method;
use howdah_sim::world::neutron::{NetworkBody, SubnetBody};
use howdah_sim::world::settings::NetworkBackend;
use secrecy::SecretString;

use crate::both::Both;
use crate::site::{Site, at_once};

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";
const BACKENDS: [NetworkBackend; 3] = [NetworkBackend::NsxV, NetworkBackend::NsxT, NetworkBackend::Ml2];

/// A network with a subnet of the project `demo`.
fn network(both: &Both, name: &str, cidr: &str) -> (NetworkId, SubnetId) {
    both.prepare(|site| {
        let (network, subnet) = site.network(name, "demo", cidr, false);
        (network.id.as_str().into(), subnet.id.as_str().into())
    })
}

fn external(site: &Site) -> (NetworkId, SubnetId) {
    let caller = site.world.service();
    let body = NetworkBody { name: "outside".to_owned(), external: true, ..NetworkBody::default() };
    let network = site.world.create_network(body, &caller).unwrap();
    let body = SubnetBody {
        network: network.id.clone(),
        name: "outside-subnet".to_owned(),
        cidr: "192.0.2.0/24".to_owned(),
        dhcp: Some(false),
        ..SubnetBody::default()
    };
    (network.id.as_str().into(), site.world.create_subnet(body, &caller).unwrap().id.as_str().into())
}

async fn things(both: &Both) {
    let (network, subnet) = both.prepare(|site| {
        let (network, subnet) = site.data();
        (network.id, subnet.id)
    });
    both.about("a network and its subnet; external ones; none");
    let outside = both.prepare(external);
    for id in [network.as_str(), outside.0.as_str(), NOBODY] {
        let _ = both.network(&id.into()).await;
    }
    for id in [subnet.as_str(), outside.1.as_str(), NOBODY] {
        let _ = both.subnet(&id.into()).await;
    }
    both.about("the quota of a project with one, of one without, and of none");
    let unlimited = both.prepare(|site| site.project("other"));
    both.change(|w| {
        w.write(|s| s.neutron.port_quota.remove(&unlimited));
    });
    for project in [both.prepare(|site| site.project("demo")).as_str(), &unlimited, NOBODY] {
        let _ = both.port_quota(&project.into()).await;
    }
    let _ = both.features().await;
}

/// The ports of nodes 1 and 2 are there afterwards.
async fn creates(both: &Both) {
    let request = |node| both.prepare(|site| site.request(node));
    let but = |to: &dyn Fn(&mut PortRequest)| {
        let mut request = request(4);
        to(&mut request);
        [request]
    };
    both.about("ports: none, two, and one of a MAC address that is taken, or named twice");
    let _ = both.create_ports(&[]).await;
    let made = both.create_ports(&[request(1), request(2)]).await.unwrap();
    let _ = both.create_ports(&[request(3), request(2)]).await;
    let _ = both.create_ports(&[request(3), request(3)]).await;

    both.about("a MAC address that is taken on another network");
    let second = network(both, "second", "10.40.0.0/24");
    let mut elsewhere = request(1);
    (elsewhere.network, elsewhere.subnet) = second.clone();
    let _ = both.create_ports(&[elsewhere]).await;

    both.about("no such network, subnet, group; a subnet of another network");
    let _ = both.create_ports(&but(&|r| r.network = NOBODY.into())).await;
    let _ = both.create_ports(&but(&|r| r.subnet = NOBODY.into())).await;
    let _ = both.create_ports(&but(&|r| r.security_groups = vec![NOBODY.into()])).await;
    let _ = both.create_ports(&but(&|r| r.subnet = second.1.clone())).await;

    both.about("an address that is taken, that is of another range, that is free");
    let held = made[0].fixed_ips[0].address;
    let _ = both.create_ports(&but(&|r| r.address = Some(held))).await;
    let _ = both.create_ports(&but(&|r| r.address = Some("172.16.0.9".parse().unwrap()))).await;
    let free = both.prepare(|site| site.data().1.cidr.nth(77));
    let _ = both.create_ports(&but(&|r| r.address = Some(free))).await;

    both.about("on an external network, in another project, in no project");
    let outside = both.prepare(external);
    let mut apart = request(5);
    (apart.network, apart.subnet) = outside;
    let _ = both.create_ports(&[apart]).await;
    let other = both.prepare(|site| site.project("other"));
    let _ = both.create_ports(&[PortRequest { project: other.as_str().into(), ..request(6) }]).await;

    both.about("more than the subnet has; more than the quota allows");
    let tiny = network(both, "tiny", "10.30.0.0/30");
    let full: Vec<_> = (10..=14)
        .map(|node| PortRequest { network: tiny.0.clone(), subnet: tiny.1.clone(), ..request(node) })
        .collect();
    let _ = both.create_ports(&full).await;
    let too_many: Vec<_> = (20..=50).map(request).collect();
    let _ = both.create_ports(&too_many).await;
}

async fn lists(both: &Both) {
    let network = both.prepare(|site| site.data().0.id);
    let mac = |node| both.prepare(|site| site.request(node).mac);
    let on = |network: &str| Some(network.into());
    both.about(
        "ports: all, of a network, of no network; by MAC addresses, one of them twice, many, none of them there",
    );
    let many = (1..=120).map(mac).collect();
    for (network, macs) in [
        (None, vec![]),
        (on(&network), vec![]),
        (on(NOBODY), vec![]),
        (on(&network), vec![mac(1), mac(9)]),
        (None, vec![mac(2), mac(1), mac(2)]),
        (None, many),
        (on(NOBODY), vec![mac(1)]),
    ] {
        let _ = both.ports(&PortQuery { network, macs }).await;
    }
}

async fn changes(both: &Both) {
    let mac = both.prepare(|site| site.request(1).mac);
    let found = both.ports(&PortQuery { network: None, macs: vec![mac] }).await.unwrap();
    let (id, none) = (found[0].id.clone(), PortId::from(NOBODY));
    both.about("changes: nothing, each field, an unknown group, a port that is not there");
    let with = |to: &dyn Fn(&mut PortChange)| {
        let mut change = PortChange::default();
        to(&mut change);
        change
    };
    let renamed = with(&|c| c.name = Some("other".into()));
    for change in [
        PortChange::default(),
        renamed.clone(),
        with(&|c| c.description = Some(String::new())),
        with(&|c| c.security_groups = Some(vec![])),
        with(&|c| c.security_groups = Some(vec![NOBODY.into()])),
    ] {
        let _ = both.update_port(&id, &change).await;
    }
    let _ = both.update_port(&none, &renamed).await;

    both.about("the index of a card: set, of a port that is not there; of one that is no VM's, before and after it is");
    let _ = both.set_vnic_index(&id, 0).await;
    let _ = both.set_vnic_index(&none, 0).await;
    let _ = both.update_port(&id, &with(&|c| c.device_owner = Some("network:other".into()))).await;
    let _ = both.set_vnic_index(&id, 1).await;
    let owned = with(&|c| {
        c.device_owner = Some("compute:None".into());
        c.device_id = Some(uuid::Uuid::from_u128(7));
    });
    let _ = both.update_port(&id, &owned).await;
    let _ = both.set_vnic_index(&id, 1).await;

    both.about("deleted, deleted again");
    let _ = both.delete_port(&id).await;
    let _ = both.delete_port(&id).await;
}

#[tokio::test]
async fn ports_look_the_same_in_process_and_on_the_wire() {
    for backend in BACKENDS {
        let both = Both::of(SiteSettings { backend, port_quota: Some(20), ..at_once() }).await;
        things(&both).await;
        creates(&both).await;
        lists(&both).await;
        changes(&both).await;
        insta::assert_snapshot!(format!("ports_{backend:?}"), both.rows());
    }
}

fn unscoped(site: &Site) -> String {
    let method = Method::Password { user: "demo".into(), password: "demo-secret".into() };
    site.world.issue_token(&method, None).unwrap().id
}

fn token(both: &Both, user: &str) -> SecretString {
    use secrecy::ExposeSecret as _;
    both.prepare(|site| site.token(user).expose_secret().to_owned()).into()
}

#[tokio::test]
async fn requesters_look_the_same_in_process_and_on_the_wire() {
    let both = Both::of(at_once()).await;
    // Before the client logs in: its own token is one more in its world.
    let (member, admin, revoked) = (token(&both, "demo"), token(&both, "howdah"), token(&both, "demo"));
    let unscoped = both.prepare(unscoped).into();
    both.about("a member's token, an admin's, one without a project, a wrong one, one that was revoked since");
    for token in [&member, &admin, &unscoped, &"made-up".into(), &revoked] {
        let _ = both.authenticate(token).await;
    }
    assert_eq!(both.recall(&member).map(|p| p.user_name).as_deref(), Some("demo"));
    both.change(|w| {
        use secrecy::ExposeSecret as _;
        assert!(w.revoke_token(revoked.expose_secret()));
    });
    let _ = both.authenticate_anew(&revoked).await;
    let _ = both.authenticate_anew(&member).await;

    network(&both, "twin", "10.30.0.0/24");
    network(&both, "twin", "10.31.0.0/24");
    both.prepare(|site| site.network("hidden", "other", "10.32.0.0/24", false).0.id);
    both.prepare(|site| site.network("common", "other", "10.33.0.0/24", true).0.id);
    let (data, its) = both.prepare(|site| (site.data().0.id, site.data().1.id));
    let group = |project: &str| {
        both.prepare(|site| {
            let project = site.project(project);
            site.world.read(|s| s.neutron.groups.values().find(|g| g.project == project).unwrap().id.clone())
        })
    };
    let (own, foreign) = (group("demo"), group("other"));
    for (network, subnet, groups) in [
        ("data", "data-subnet", vec!["default"]),
        (data.as_str(), its.as_str(), vec![own.as_str()]),
        ("data", "data-subnet", vec!["default", own.as_str()]),
        ("nope", "data-subnet", vec![]),
        (NOBODY, "data-subnet", vec![]),
        ("data", "nope", vec![]),
        ("data", NOBODY, vec![]),
        ("data", "twin-subnet", vec![]),
        ("data", "data-subnet", vec!["nope"]),
        ("data", "data-subnet", vec![foreign.as_str()]),
        ("twin", "twin-subnet", vec![]),
        ("hidden", "hidden-subnet", vec![]),
        ("common", "common-subnet", vec!["default"]),
    ] {
        let wish = NetworkWish {
            network: network.to_owned(),
            subnet: subnet.to_owned(),
            security_groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        };
        both.about(&format!(
            "{network} {subnet} {groups:?}: a member, an admin, no project, a wrong token, the operator"
        ));
        for token in [&member, &admin, &unscoped, &"made-up".into()] {
            let _ = both.grant(Some(token), &wish).await;
        }
        let _ = both.grant(None, &wish).await;
    }
    insta::assert_snapshot!(both.rows());
}

#[tokio::test]
async fn standing_looks_the_same_in_process_and_on_the_wire() {
    let both = Both::of(at_once()).await;
    let (user, project) = both.prepare(|site| {
        let user = site.world.read(|s| s.keystone.user("demo").unwrap().id.clone());
        (user, site.project("demo"))
    });
    let roles = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        both.change(|w| {
            w.write(|s| s.keystone.assignments.insert((user.clone(), project.clone()), names.clone()));
        });
    };
    let asked = async || {
        let _ = both.still_may(&user, &project.as_str().into()).await;
    };
    for names in [&["member"][..], &["_member_"], &["admin"], &["reader"], &["member", "reader"], &[]] {
        both.about(&format!("with the roles {names:?}"));
        roles(names);
        asked().await;
    }
    roles(&["member"]);
    both.about("another project, another user, a user that is disabled, a project that is disabled");
    let _ = both.still_may(&user, &NOBODY.into()).await;
    let _ = both.still_may(NOBODY, &project.as_str().into()).await;
    let enabled = |on: bool| {
        both.change(|w| w.write(|s| s.keystone.users.get_mut(&user).unwrap().enabled = on));
    };
    enabled(false);
    asked().await;
    enabled(true);
    both.change(|w| w.write(|s| s.keystone.projects.get_mut(&project).unwrap().enabled = false));
    asked().await;
    insta::assert_snapshot!(both.rows());
}

#[tokio::test]
async fn a_login_looks_the_same_in_process_and_on_the_wire() {
    let good = Both::of(at_once()).await;
    let _ = good.own_login().await;
    let refused = Both::of(at_once()).await;
    refused.change(|w| {
        w.write(|s| {
            let user = s.keystone.user("howdah").unwrap().id.clone();
            s.keystone.users.get_mut(&user).unwrap().enabled = false;
        });
    });
    let _ = refused.own_login().await;
    insta::assert_snapshot!(format!("{}\n{}", good.rows(), refused.rows()), @r"
    own_login: ()
    own_login: Keystone Credentials keystone_credentials_refused
    ");
}

/// All that can be asked of Neutron while a rule meets every call.
async fn met(effect: Effect) -> String {
    let both = Both::of(at_once()).await;
    let request = both.prepare(|site| site.request(1));
    let port = both.create_ports(std::slice::from_ref(&request)).await.unwrap().remove(0);
    let project = request.project.clone();
    both.about(&format!("{effect:?}"));
    both.inject(&FaultRule::new(System::Neutron, "*", effect));
    let _ = both.features().await;
    let _ = both.network(&request.network).await;
    let _ = both.subnet(&request.subnet).await;
    let _ = both.port_quota(&project).await;
    let _ = both.ports(&PortQuery { network: None, macs: vec![request.mac] }).await;
    let _ = both.create_ports(&[both.prepare(|site| site.request(2))]).await;
    let _ = both.update_port(&port.id, &PortChange { name: Some("other".into()), ..PortChange::default() }).await;
    let _ = both.set_vnic_index(&port.id, 0).await;
    let _ = both.delete_port(&port.id).await;
    let wish = NetworkWish { network: "data".into(), subnet: "data-subnet".into(), security_groups: vec![] };
    let _ = both.grant(None, &wish).await;
    both.rows()
}

#[tokio::test]
async fn a_fault_means_the_same_in_process_and_on_the_wire() {
    use ErrorKind::{BadAnswer, Conflict, Credentials, Exhausted, Forbidden, Internal, Invalid, NotFound, Unavailable};
    // A refused certificate is below HTTP, and for no answer at all a client waits a minute.
    let kinds = [Credentials, Forbidden, NotFound, Conflict, Exhausted, Invalid, Unavailable, BadAnswer, Internal];
    let refused = kinds.into_iter().map(|kind| Effect::Refuse { kind });
    let all = refused.chain([Effect::LoseRequest, Effect::LoseAnswer]).map(met);
    insta::assert_snapshot!(join_all(all).await.join("\n"));
}
