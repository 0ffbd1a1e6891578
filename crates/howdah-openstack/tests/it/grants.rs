//! What a requester named, found with the requester's rights.

use howdah_core::failure::ErrorKind;
use howdah_core::systems::identity::{Identity, NetworkWish};

use crate::site::{Site, shown};

fn wish(network: &str, subnet: &str, groups: &[&str]) -> NetworkWish {
    NetworkWish {
        network: network.to_owned(),
        subnet: subnet.to_owned(),
        security_groups: groups.iter().map(|g| (*g).to_owned()).collect(),
    }
}

#[tokio::test]
async fn names_and_ids_come_to_the_same() {
    let site = Site::new().await;
    let client = site.client();
    let token = site.token("demo");
    let (network, subnet) = site.data();
    let by_name = client.grant(Some(&token), &wish("data", "data-subnet", &["default"])).await.unwrap();
    assert_eq!((by_name.network.id.as_str(), by_name.subnet.id.as_str()), (network.id.as_str(), subnet.id.as_str()));
    let group = by_name.security_groups[0].as_str().to_owned();
    let by_id = client.grant(Some(&token), &wish(&network.id, &subnet.id, &[&group])).await.unwrap();
    assert_eq!(by_id, by_name);
    let none = client.grant(Some(&token), &wish("data", "data-subnet", &[])).await.unwrap();
    assert!(none.security_groups.is_empty());
    let twice = client.grant(Some(&token), &wish("data", "data-subnet", &["default", &group])).await.unwrap();
    assert_eq!(twice.security_groups.len(), 1);
}

#[tokio::test]
async fn a_subnets_use_is_counted_with_the_services_eyes() {
    let site = Site::new().await;
    site.network("common", "other", "10.40.0.0/24", true);
    let token = site.token("demo");
    let grant = site.client().grant(Some(&token), &wish("common", "common-subnet", &[])).await.unwrap();
    // The DHCP server's port belongs to the other project: the requester does not see it.
    assert_eq!((grant.subnet.capacity, grant.subnet.used), (253, 1));
}

#[tokio::test]
async fn what_the_requester_may_not_see_is_not_there() {
    let site = Site::new().await;
    let (network, _) = site.network("hidden", "other", "10.40.0.0/24", false);
    let token = site.token("demo");
    let client = site.client();
    for name in ["hidden", network.id.as_str()] {
        let e = client.grant(Some(&token), &wish(name, "hidden-subnet", &[])).await.unwrap_err();
        assert_eq!((e.kind, e.code), (ErrorKind::NotFound, "network_not_found"), "{name}");
    }
    // The operator, on the UNIX socket, sees what the service sees.
    assert!(client.grant(None, &wish("hidden", "hidden-subnet", &[])).await.is_ok());
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let site = Site::new().await;
    site.network("second", "demo", "10.40.0.0/24", false);
    let token = site.token("demo");
    let client = site.client();
    let mut said = vec![];
    for w in [
        wish("nope", "data-subnet", &[]),
        wish("data", "nope", &[]),
        wish("data", "second-subnet", &[]),
        wish("data", "data-subnet", &["default", "nope"]),
    ] {
        said.push(shown(&client.grant(Some(&token), &w).await.unwrap_err()));
    }
    insta::assert_snapshot!(said.join("\n\n"), @r#"
    network_not_found NotFound
    Neutron: no network "nope" is available to the requester
    List the available ones with the same token: `openstack network list`.

    subnet_not_found NotFound
    Neutron: no subnet "nope" is available to the requester on the network "data"
    List the available ones with the same token: `openstack subnet list`.

    subnet_not_found NotFound
    Neutron: no subnet "second-subnet" is available to the requester on the network "data"
    List the available ones with the same token: `openstack subnet list`.

    security_group_not_found NotFound
    Neutron: no security group "nope" is available to the requester
    List the available ones with the same token: `openstack security group list`.
    "#);
    let e = client.grant(None, &wish("nope", "x", &[])).await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r#"
    network_not_found NotFound
    Neutron: no network "nope" is available to the service
    List the available ones with the same token: `openstack network list`.
    "#);
    let foreign = site.world.read(|s| {
        let other = s.keystone.project("other").unwrap().id.clone();
        s.neutron.groups.values().find(|g| g.project == other).unwrap().id.clone()
    });
    let e = client.grant(Some(&token), &wish("data", "data-subnet", &[&foreign])).await.unwrap_err();
    assert_eq!(e.code, "security_group_not_found");
    let subnet =
        site.world.read(|s| s.neutron.subnets.values().find(|n| n.name == "second-subnet").unwrap().id.clone());
    let e = client.grant(Some(&token), &wish("data", &subnet, &[])).await.unwrap_err();
    assert_eq!(e.code, "subnet_not_found");
}

#[tokio::test]
async fn a_name_that_several_bear_is_refused_with_their_ids() {
    let site = Site::new().await;
    let (second, _) = site.network("data", "demo", "10.40.0.0/24", false);
    let first = site
        .world
        .read(|s| s.neutron.networks.values().find(|n| n.name == "data" && n.id != second.id).unwrap().id.clone());
    let e = site.client().grant(Some(&site.token("demo")), &wish("data", "data-subnet", &[])).await.unwrap_err();
    let text = shown(&e);
    assert!(text.contains(&first) && text.contains(&second.id), "{text}");
    let masked = text.replace(&first, "ID").replace(&second.id, "ID");
    insta::assert_snapshot!(masked, @r#"
    network_ambiguous Invalid
    Neutron: several networks have the name "data": ID, ID
    Use the ID instead of the name.
    "#);
}

#[tokio::test]
async fn an_admins_default_group_is_the_own_projects() {
    let site = Site::new().await;
    let grant = site.client().grant(Some(&site.token("howdah")), &wish("data", "data-subnet", &["default"])).await;
    let group = grant.unwrap().security_groups[0].as_str().to_owned();
    let owner = site.world.read(|s| s.neutron.groups[&group].project.clone());
    assert_eq!(owner, site.project("demo"));
    // So is that of the operator, who has no token and is the service, an admin.
    let local = site.client().grant(None, &wish("data", "data-subnet", &["default"])).await.unwrap();
    assert_eq!(local.security_groups[0].as_str(), group);
}

#[tokio::test]
async fn a_token_that_ends_between_two_looks_is_the_requesters_trouble() {
    let site = Site::new().await;
    let client = site.client();
    let token = site.token("demo");
    client.authenticate(&token).await.unwrap();
    site.world.revoke_token(secrecy::ExposeSecret::expose_secret(&token));
    let e = client.grant(Some(&token), &wish("data", "data-subnet", &[])).await.unwrap_err();
    assert_eq!((e.kind, e.code), (ErrorKind::Credentials, "token_refused"));
    // And it is no longer remembered as good.
    assert_eq!(client.authenticate(&token).await.unwrap_err().code, "token_refused");
}
