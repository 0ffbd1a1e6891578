//! The site on the wire: its listeners, its certificate, its control API.

use std::time::Duration;

use howdah_core::failure::System;
use howdah_sim::world::actor::Origin;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::world::keystone::Method as Login;
use howdah_sim::world::settings::{GuestMode, Timings};
use howdah_sim::world::state::State;
use howdah_sim::{Listen, Site, SiteSettings};
use howdah_transport::{Deadlines, Http, Trust};
use http::Method;
use serde_json::{Value, json};

use crate::support::{net, request};

fn client(trust: &Trust) -> Http {
    let deadlines = Deadlines { connect: Duration::from_secs(5), answer: Duration::from_secs(20) };
    Http::new(trust, deadlines).unwrap()
}

async fn call(http: &Http, method: Method, url: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = http.request(method, url);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let response = http.send(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = http.body(response).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn quick() -> SiteSettings {
    SiteSettings { timings: Timings::quick(), speed: 10.0, ..SiteSettings::default() }
}

#[tokio::test]
async fn every_face_answers_by_tls_to_who_pins_it() {
    let site = Site::start(quick(), Listen { tls: true, ..Listen::default() }).await.unwrap();
    let http = client(&Trust::Pin(site.fingerprint().unwrap().parse().unwrap()));
    let urls = site.urls().clone();
    assert_eq!(call(&http, Method::GET, &urls.keystone, None).await.0, 200);
    assert_eq!(call(&http, Method::GET, &format!("{}/v2.0/ports", urls.neutron), None).await.0, 401);
    assert_eq!(call(&http, Method::GET, &format!("{}/sdk/vimServiceVersions.xml", urls.vcenter), None).await.0, 200);
    let hello = http.send(http.request(Method::GET, &format!("{}/serengeti/api/hello", urls.bde))).await.unwrap();
    assert!(hello.status().as_u16() < 500, "{}", hello.status());
    let stranger = client(&Trust::System);
    let refused = stranger.send(stranger.request(Method::GET, &urls.keystone)).await.unwrap_err();
    assert_eq!(refused.kind(), howdah_core::failure::ErrorKind::Certificate);
    site.stop().await;
    assert!(http.send(http.request(Method::GET, &urls.keystone)).await.is_err(), "it is gone");
}

#[tokio::test]
async fn the_control_api_shows_and_breaks() {
    let site = Site::start(quick(), Listen::default()).await.unwrap();
    let http = client(&Trust::System);
    let at = |path: &str| format!("{}{path}", site.urls().control);
    let (_, endpoints) = call(&http, Method::GET, &at("/endpoints"), None).await;
    assert_eq!(endpoints["urls"]["vcenter"], json!(site.urls().vcenter));

    let group = json!({ "network_id": "0b7c8d6e-1111-4222-8333-444455556666" });
    let (status, made) = call(&http, Method::POST, &at("/port-groups"), Some(group.clone())).await;
    assert_eq!(status, 201);
    assert!(made["name"].as_str().unwrap().ends_with("-0b7c8d6e-1111-4222-8333-444455556666"), "{made}");

    for (number, effect) in (1..).zip([
        json!({ "do": "refuse", "kind": "unavailable" }),
        json!({ "do": "lose_request" }),
        json!({ "do": "late", "seconds": 60 }),
    ]) {
        let fault = json!({ "system": "neutron", "method": "create_ports", "delay_after": 1.5, "effect": effect });
        let (status, added) = call(&http, Method::POST, &at("/faults"), Some(fault)).await;
        assert_eq!((status, &added["number"]), (201, &json!(number)), "{effect}");
    }
    assert_eq!(call(&http, Method::DELETE, &at("/faults/1"), None).await.0, 204);
    assert_eq!(call(&http, Method::DELETE, &at("/faults/1"), None).await.0, 404);

    let (_, added) = call(&http, Method::POST, &at("/bystanders"), Some(json!({ "count": 50 }))).await;
    assert_eq!(added["bystanders"], json!(50));
    call(&http, Method::GET, &site.urls().keystone, None).await;
    let (_, state) = call(&http, Method::GET, &at("/state"), None).await;
    assert_eq!(state["vms"], json!(51));
    assert!(state["calls"].is_object());
    let (_, found) = call(&http, Method::GET, &at("/violations?at_rest=true"), None).await;
    assert_eq!(found, json!({ "violations": [] }));
    site.stop().await;
}

#[tokio::test]
async fn a_lease_can_come_from_outside() {
    let settings = SiteSettings { guest_mode: GuestMode::External, ..quick() };
    let site = Site::start(settings, Listen::default()).await.unwrap();
    let world = site.world().clone();
    let port_group = net(&world).port_group;
    world.bde_add_network(howdah_sim::world::bde::BdeNetwork::dhcp("net", &port_group)).unwrap();
    world.bde_create(request("c", 1)).unwrap();
    let http = client(&Trust::System);
    let at = |path: &str| format!("{}{path}", site.urls().control);
    let (_, news) = call(&http, Method::GET, &at("/guests/events?after=0"), None).await;
    let event = &news["events"][0];
    assert_eq!((&event["change"], &event["port_group"]), (&json!("on"), &json!(port_group)));

    let lease = |boot: Value| json!({ "vm": event["vm"], "boot": boot, "nic": event["nic"], "address": "10.20.0.77" });
    let (status, _) = call(&http, Method::POST, &at("/guests/address"), Some(lease(json!(99)))).await;
    assert_eq!(status, 409, "another boot's lease");
    let (status, _) = call(&http, Method::POST, &at("/guests/address"), Some(lease(event["boot"].clone()))).await;
    assert_eq!(status, 204);
    let running = world.wait_until(|s| s.bde.clusters["c"].status == howdah_sim::world::bde::BdeStatus::Running);
    tokio::time::timeout(Duration::from_secs(30), running).await.expect("the manager sees the address");
    site.stop().await;
}

#[tokio::test]
async fn what_a_client_sent_before_it_hung_up_has_its_effect_and_its_maker() {
    let site = Site::start(quick(), Listen::default()).await.unwrap();
    let (world, http) = (site.world().clone(), client(&Trust::System));
    let network = net(&world).id;
    for (user, origin) in [("howdah", Origin::Service), ("demo", Origin::People)] {
        let secret = if user == "howdah" { "service-secret" } else { "demo-secret" };
        let login = Login::Password { user: user.to_owned(), password: secret.to_owned() };
        let token = world.issue_token(&login, Some("demo")).unwrap().id;
        let slow = FaultRule::new(System::Neutron, "create_ports", Effect::Delay).times(1).delayed(5.0);
        let rule = world.write(|s| s.faults.add(slow));
        let body = json!({ "port": { "network_id": network, "name": user } }).to_string();
        let request = http.request(Method::POST, &format!("{}/v2.0/ports", site.urls().neutron));
        let request = request.header("content-type", "application/json").header("x-auth-token", token).body(body);
        let made = |s: &State| s.neutron.ports.values().find(|p| p.name == user).map(|p| p.origin);
        tokio::select! {
            _ = http.send(request) => panic!("it is held up"),
            () = world.until_met(rule, 1) => {}
        }
        assert_eq!(world.read(made), None, "not yet");
        let landed = world.until_landed(rule, 1);
        tokio::time::timeout(Duration::from_secs(20), landed).await.expect("it lands without its client");
        assert_eq!(world.read(made), Some(origin));
    }
    site.stop().await;
}
