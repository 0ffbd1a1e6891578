//! The simulated site has two faces: the core's traits in process, and real HTTP. A caller of the traits
//! must not see a difference: same values, same kinds and codes of errors.

use std::fmt::Debug;

use howdah_core::systems::Remote;
use howdah_core::systems::identity::{Identity, NetworkWish};
use howdah_core::systems::networking::Networking;
use howdah_core::systems::networking::{PortChange, PortQuery, PortRequest};
use howdah_sim::SiteSettings;
use howdah_sim::inprocess::{SimIdentity, SimNetworking};
use howdah_sim::world::keystone::Method;
use howdah_sim::world::settings::NetworkBackend;

use crate::site::{Site, at_once};

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";

fn seen<T: Debug>(step: &str, result: Remote<T>) -> String {
    match result {
        Ok(value) => format!("{step}: {value:?}"),
        Err(e) => format!("{step}: {} {:?} {}", e.system, e.kind, e.code),
    }
}

/// The life of some ports with everything that can be refused.
async fn ports(site: &Site, n: &dyn Networking) -> Vec<String> {
    let (network, subnet) = site.data();
    let (network, subnet) = (network.id.as_str().into(), subnet.id.as_str().into());
    let tiny = site.network("tiny", "demo", "10.30.0.0/30", false);
    let mut said = vec![
        seen("features", n.features().await),
        seen("network", n.network(&network).await),
        seen("no network", n.network(&NOBODY.into()).await),
        seen("subnet", n.subnet(&subnet).await),
        seen("no subnet", n.subnet(&NOBODY.into()).await),
        seen("quota", n.port_quota(&site.project("demo").as_str().into()).await),
        seen("create", n.create_ports(&[site.request(1), site.request(2)]).await),
        seen("mac in use", n.create_ports(&[site.request(3), site.request(2)]).await),
    ];
    let change = |to: fn(&mut PortRequest)| {
        let mut request = site.request(4);
        to(&mut request);
        [request]
    };
    for (step, requests) in [
        ("no such network", change(|r| r.network = NOBODY.into())),
        ("no such subnet", change(|r| r.subnet = NOBODY.into())),
        ("no such group", change(|r| r.security_groups = vec![NOBODY.into()])),
    ] {
        said.push(seen(step, n.create_ports(&requests).await));
    }
    let full: Vec<_> = (5..=9)
        .map(|node| {
            let mut request = site.request(node);
            request.network = tiny.0.id.as_str().into();
            request.subnet = tiny.1.id.as_str().into();
            request
        })
        .collect();
    said.push(seen("subnet full", n.create_ports(&full).await));
    let too_many: Vec<_> = (10..=40).map(|node| site.request(node)).collect();
    said.push(seen("over quota", n.create_ports(&too_many).await));

    let query = PortQuery { network: Some(network.clone()), macs: vec![site.request(1).mac, site.request(9).mac] };
    let found = n.ports(&query).await.unwrap();
    let id = found[0].id.clone();
    said.push(seen("found", Ok(found)));
    let other = PortChange { name: Some("other".into()), description: Some(String::new()), ..PortChange::default() };
    said.push(seen("changed", n.update_port(&id, &other).await));
    said.push(seen("no port to change", n.update_port(&NOBODY.into(), &other).await));
    if n.features().await.unwrap().vnic_index {
        said.push(seen("index", n.set_vnic_index(&id, 0).await));
        said.push(seen("no port to index", n.set_vnic_index(&NOBODY.into(), 0).await));
    }
    said.push(seen("deleted", n.delete_port(&id).await));
    said.push(seen("deleted again", n.delete_port(&id).await));
    said
}

async fn requesters(site: &Site, i: &dyn Identity) -> Vec<String> {
    site.network("twin", "demo", "10.30.0.0/24", false);
    site.network("twin", "demo", "10.31.0.0/24", false);
    site.network("hidden", "other", "10.32.0.0/24", false);
    let token = site.token("demo");
    let method = Method::Password { user: "demo".into(), password: "demo-secret".into() };
    let unscoped = site.world.issue_token(&method, None).unwrap().id.into();
    let mut said = vec![
        seen("who", i.authenticate(&token).await.map(|p| (p.user, p.user_name, p.project, p.roles))),
        seen("bad token", i.authenticate(&"made-up".into()).await),
        seen("unscoped", i.authenticate(&unscoped).await),
    ];
    for (network, subnet, groups) in [
        ("data", "data-subnet", vec!["default"]),
        ("nope", "data-subnet", vec![]),
        ("data", "nope", vec![]),
        ("data", "data-subnet", vec!["nope"]),
        ("twin", "twin-subnet", vec![]),
        ("hidden", "hidden-subnet", vec![]),
    ] {
        let wish = NetworkWish {
            network: network.to_owned(),
            subnet: subnet.to_owned(),
            security_groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        };
        let step = format!("{network} {subnet} {groups:?}");
        said.push(seen(&step, i.grant(Some(&token), &wish).await));
        said.push(seen(&format!("{step}, operator"), i.grant(None, &wish).await));
        said.push(seen(&format!("{step}, bad token"), i.grant(Some(&"made-up".into()), &wish).await));
    }
    said
}

#[tokio::test]
async fn ports_look_the_same_in_process_and_on_the_wire() {
    for backend in [NetworkBackend::NsxV, NetworkBackend::NsxT, NetworkBackend::Ml2] {
        let settings = SiteSettings { backend, port_quota: Some(20), ..at_once() };
        let (here, there) = (Site::of(settings.clone(), None).await, Site::of(settings, None).await);
        let within = ports(&here, &SimNetworking::new(here.world.clone())).await;
        let wire = ports(&there, &there.client()).await;
        for (within, wire) in within.iter().zip(&wire) {
            assert_eq!(within, wire, "{backend:?}");
        }
        assert_eq!(within.len(), wire.len());
    }
}

#[tokio::test]
async fn requesters_look_the_same_in_process_and_on_the_wire() {
    let (here, there) = (Site::new().await, Site::new().await);
    let within = requesters(&here, &SimIdentity::new(here.world.clone())).await;
    let wire = requesters(&there, &there.client()).await;
    for (within, wire) in within.iter().zip(&wire) {
        assert_eq!(within, wire);
    }
    assert_eq!(within.len(), wire.len());
}
