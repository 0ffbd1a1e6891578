//! Which calls are reported, whose they are, and how they end.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use howdah_core::failure::{ErrorKind, System};
use howdah_core::systems::identity::{Identity, NetworkWish};
use howdah_core::systems::networking::Networking;
use howdah_openstack::{Keys, OpenStack};
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_transport::meter::{Note, Notes, Whose};
use secrecy::ExposeSecret;

use crate::site::{Site, serve};

fn client(site: &Site, keys: Keys) -> (OpenStack, Arc<Notes>) {
    let notes = Arc::new(Notes::default());
    let settings = keys.settings(None).unwrap();
    (OpenStack::metered(settings, site.world.clock(), notes.clone()).unwrap(), notes)
}

fn note(system: System, method: &str, whose: Whose, failed: Option<ErrorKind>) -> Note {
    (system, method.to_owned(), whose, failed)
}

#[tokio::test]
async fn a_call_is_reported_once_by_its_final_answer() {
    let site = Site::new().await;
    let (openstack, notes) = client(&site, site.keys());
    let login = note(System::Keystone, "POST auth", Whose::Service, None);
    openstack.network(&"nothing".into()).await.unwrap();
    let missing = note(System::Neutron, "GET networks", Whose::Service, Some(ErrorKind::NotFound));
    assert_eq!(notes.take(), [login.clone(), missing.clone()]);
    // A repeat is part of the call.
    let away = Effect::Refuse { kind: ErrorKind::Unavailable };
    site.world.write(|s| s.faults.add(FaultRule::new(System::Neutron, "network", away).times(1)));
    openstack.network(&"nothing".into()).await.unwrap();
    assert_eq!(notes.take(), std::slice::from_ref(&missing));
    // So is a new token in place of a refused one; its login is a call of its own.
    let token = openstack.bearer().await.unwrap();
    assert!(site.world.revoke_token(token.expose_secret()));
    openstack.network(&"nothing".into()).await.unwrap();
    assert_eq!(notes.take(), [login, missing]);
}

#[tokio::test]
async fn what_a_requester_brings_is_theirs_however_it_ends() {
    let site = Site::new().await;
    let (openstack, notes) = client(&site, site.keys());
    let odd = "x".repeat(70_000);
    for token in ["bad", odd.as_str(), "", "\u{1b}[2J"] {
        openstack.authenticate(&token.into()).await.unwrap_err();
    }
    let good = site.token("demo");
    openstack.authenticate(&good).await.unwrap();
    let wish = |network: &str| NetworkWish {
        network: network.to_owned(),
        subnet: "data-subnet".to_owned(),
        security_groups: vec![],
    };
    for token in [Some(&good), None] {
        openstack.grant(token, &wish("nothing")).await.unwrap_err();
        openstack.grant(token, &wish(&odd)).await.unwrap_err();
    }
    let (own, theirs): (Vec<_>, Vec<_>) = notes.take().into_iter().partition(|n| n.2 == Whose::Service);
    assert_eq!(own, [note(System::Keystone, "POST auth", Whose::Service, None)], "the service's login alone");
    assert!(theirs.len() >= 8, "{theirs:?}");
    // The service's own question is its own, whatever a requester did before.
    openstack.own_login().await.unwrap();
    assert_eq!(notes.take(), [note(System::Keystone, "GET auth", Whose::Service, None)]);
}

#[tokio::test]
async fn a_failure_is_reported_with_its_kind() {
    let site = Site::new().await;
    let wrong = Keys { password: Some("wrong".into()), ..site.keys() };
    let (openstack, notes) = client(&site, wrong);
    openstack.own_login().await.unwrap_err();
    let refused = Some(ErrorKind::Credentials);
    assert_eq!(notes.take(), [note(System::Keystone, "POST auth", Whose::Service, refused)]);
    // A gateway that answers in Keystone's place.
    let gateway = serve(Router::new().fallback(|| async { StatusCode::SERVICE_UNAVAILABLE })).await;
    let (openstack, notes) = client(&site, Keys { auth_url: Some(format!("{gateway}/v3")), ..site.keys() });
    openstack.ports(&howdah_core::systems::networking::PortQuery { network: None, macs: vec![] }).await.unwrap_err();
    let away = Some(ErrorKind::Unavailable);
    let calls = [(System::Keystone, "POST auth"), (System::Neutron, "GET ports")];
    assert_eq!(notes.take(), calls.map(|(system, method)| note(system, method, Whose::Service, away)));
}
