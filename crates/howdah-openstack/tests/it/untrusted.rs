//! What a server writes into its errors, and what its catalogue says of others, is shown and not obeyed.

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::any;
use howdah_core::failure::{ErrorKind, Failure, System};
use howdah_core::systems::identity::{Identity, TOKEN_REFUSED};
use howdah_core::systems::networking::Networking;
use howdah_core::text::first_unfit;
use howdah_openstack::{Keys, Settings};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::site::{Site, serve};

const ODD: &str = "\u{1b}]0;title\u{7}\u{9b}2J\nforged\u{2028}\u{202e}";

async fn answering(status: u16, kind: &'static str, body: String) -> String {
    let status = StatusCode::from_u16(status).unwrap();
    serve(Router::new().fallback(any(move || async move { (status, [(CONTENT_TYPE, kind)], body) }))).await
}

#[tokio::test]
async fn no_error_of_a_server_has_what_a_terminal_obeys() {
    let site = Site::new().await;
    for (status, kind, body) in [
        (409, "application/json", json!({"NeutronError": {"type": ODD, "message": ODD, "detail": ODD}}).to_string()),
        (400, "application/json", json!({"NeutronError": ODD}).to_string()),
        (500, "application/json", json!({"error": {"title": ODD, "message": ODD}}).to_string()),
        (503, "application/json", json!({"message": ODD}).to_string()),
        (200, "application/json", format!("{{\"ports\": \"{ODD}\"")),
        (404, "text/html", format!("<html><title>{ODD}</title></html>")),
        (500, "text/plain", ODD.to_owned()),
    ] {
        let url = answering(status, kind, body.clone()).await;
        let client = site.with(Keys { neutron_url: Some(url.clone()), ..site.keys() });
        let e = client.ports(&Default::default()).await.unwrap_err();
        let failure = Failure::from(&e);
        for text in [&e.message, &failure.message, failure.hint.as_ref().unwrap_or(&String::new())] {
            assert_eq!(first_unfit(text), None, "{status} {body:?}: {text:?}");
        }
        // The same from Keystone, at the login.
        let client = site.with(Keys { auth_url: Some(url), ..site.keys() });
        let failure = Failure::from(&client.authenticate(&"t".into()).await.unwrap_err());
        assert_eq!(first_unfit(&failure.message), None, "{status} {body:?}: {failure}");
    }
}

#[tokio::test]
async fn a_token_does_not_go_in_clear_to_a_host_that_only_the_catalogue_names() {
    let site = Site::new().await;
    // Another name of this host is another host.
    let elsewhere = site.neutron.replace("127.0.0.1", "localhost");
    site.world.write(|s| {
        for endpoint in s.keystone.catalog.iter_mut().filter(|e| e.service == "network") {
            endpoint.url.clone_from(&elsewhere);
        }
    });
    let e = site.client().ports(&Default::default()).await.unwrap_err();
    assert_eq!((e.code, e.kind, e.system), ("keystone_http_endpoint", ErrorKind::Invalid, System::Keystone));
    assert_eq!(
        e.message,
        format!(
            "the catalogue's endpoint of the service type `network`, {elsewhere}/, is http:// on a different host \
             than Keystone"
        )
    );
    assert!(e.hint.unwrap().contains("allow_http_endpoints = true"));
    assert_eq!(site.world.read(|s| s.counters.total(System::Neutron)), 0, "no token arrived there");
    let e = site.client().endpoint_of("network").await.unwrap_err();
    assert_eq!(e.code(), "keystone_http_endpoint", "a user's own token is as good");

    // The operator's own word counts, either way.
    let named = site.with(Keys { neutron_url: Some(elsewhere), ..site.keys() });
    named.ports(&Default::default()).await.unwrap();
    let settings = Settings { allow_http_endpoints: true, ..site.keys().settings(None).unwrap() };
    let allowed = howdah_openstack::OpenStack::new(settings, site.world.clock()).unwrap();
    allowed.ports(&Default::default()).await.unwrap();
}

#[tokio::test]
async fn who_is_asked_anew_is_not_answered_from_memory() {
    let site = Site::new().await;
    let client = site.client();
    let token = site.token("demo");
    client.authenticate(&token).await.unwrap();
    client.authenticate_anew(&token).await.unwrap();
    assert_eq!(site.calls(System::Keystone, "authenticate"), 2);
    site.world.revoke_token(token.expose_secret());
    client.authenticate(&token).await.unwrap();
    assert_eq!(client.authenticate_anew(&token).await.unwrap_err().code, TOKEN_REFUSED);
    assert_eq!(client.authenticate(&token).await.unwrap_err().code, TOKEN_REFUSED, "what was believed is forgotten");
}
