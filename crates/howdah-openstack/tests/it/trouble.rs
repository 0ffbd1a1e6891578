//! Servers that misbehave, and certificates that do not verify.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::systems::identity::Identity;
use howdah_core::systems::networking::Networking;
use howdah_openstack::{Keys, OpenStack};
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_testkit::tls::TlsServer;
use howdah_transport::{Deadlines, Fingerprint, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::site::{Site, shown};

/// A server that answers the first request of each connection as `answer` says and, on the
/// second, closes without a word: what a uwsgi behind keep-alive does. Counts requests.
async fn forgetful(answer: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counted = counted.clone();
            tokio::spawn(async move {
                let mut buffer = vec![0; 65536];
                for turn in 0.. {
                    if !stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                        return;
                    }
                    counted.fetch_add(1, Ordering::SeqCst);
                    if turn > 0 {
                        return;
                    }
                    let length = answer.len();
                    let text = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{answer}"
                    );
                    stream.write_all(text.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (format!("http://{address}"), requests)
}

#[tokio::test]
async fn a_connection_that_died_unnoticed_costs_a_look_nothing() {
    let site = Site::new().await;
    let (neutron, requests) = forgetful(r#"{"ports": []}"#).await;
    let client = site.with(Keys { neutron_url: Some(neutron), ..site.keys() });
    for _ in 0..4 {
        assert!(client.ports(&Default::default()).await.unwrap().is_empty());
    }
    assert!(requests.load(Ordering::SeqCst) > 4, "no connection died: this test shows nothing");
}

#[tokio::test]
async fn a_connection_that_died_under_a_create_is_told_as_unknown() {
    let site = Site::new().await;
    let (neutron, requests) = forgetful(r#"{"ports": []}"#).await;
    let client = site.with(Keys { neutron_url: Some(neutron), ..site.keys() });
    client.ports(&Default::default()).await.unwrap();
    let e = client.create_ports(&[site.request(1)]).await.unwrap_err();
    assert!(e.kind.is_ambiguous());
    assert_eq!(requests.load(Ordering::SeqCst), 2, "the create was sent once");
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_is_said_to_be_one() {
    let site = Site::new().await;
    let client = site.client();
    let page = Effect::Refuse { kind: ErrorKind::BadAnswer };
    site.world.write(|s| s.faults.add(FaultRule::new(System::Neutron, "*", page.clone())));
    let e = client.ports(&Default::default()).await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r"
    neutron_bad_answer BadAnswer
    Neutron: could not list ports: unexpected answer (an HTML page, HTTP 200): Please log in
    Check that the URL is the service's own and not that of a dashboard or a proxy.
    ");
    assert!(client.create_ports(&[site.request(1)]).await.unwrap_err().kind.is_ambiguous());

    site.world.write(|s| s.faults.add(FaultRule::new(System::Keystone, "*", page)));
    let e: RemoteError = site.client().check().await.unwrap_err().into();
    insta::assert_snapshot!(shown(&e), @r"
    keystone_bad_answer BadAnswer
    Keystone: could not log in: unexpected answer (an HTML page, HTTP 200): Please log in
    Check that the URL is the service's own and not that of a dashboard or a proxy.
    ");
}

#[tokio::test]
async fn a_wrong_address_does_not_look_like_a_port_that_is_gone() {
    let site = Site::new().await;
    let page = Router::new().fallback(|| async { (StatusCode::NOT_FOUND, "<!doctype html><title>Not Found</title>") });
    let neutron = crate::site::serve(page).await;
    let client = site.with(Keys { neutron_url: Some(neutron), ..site.keys() });
    let e = client.delete_port(&"11111111-2222-4333-8444-555555555555".into()).await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r"
    neutron_bad_answer BadAnswer
    Neutron: could not delete a port: unexpected answer (an HTML page, HTTP 404): Not Found
    Check that the URL is the service's own and not that of a dashboard or a proxy.
    ");
    assert!(client.network(&"11111111-2222-4333-8444-555555555555".into()).await.is_err());
}

#[tokio::test]
async fn answers_with_the_wrong_things_in_them_are_refused() {
    let site = Site::new().await;
    for (body, says) in [
        (r#"{"ports": 7}"#, "invalid type"),
        (r#"{"networks": []}"#, "it has no `ports`"),
        (r#"{"ports": [{"id": "p"}]}"#, "missing field"),
        ("[", "EOF while parsing"),
        ("", "it is empty"),
    ] {
        let (neutron, _) = forgetful(body).await;
        let client = site.with(Keys { neutron_url: Some(neutron), ..site.keys() });
        let e = client.ports(&Default::default()).await.unwrap_err();
        assert_eq!((e.kind, e.code), (ErrorKind::BadAnswer, "neutron_bad_answer"), "{body}");
        assert!(e.message.contains(says), "{}", e.message);
    }
    // Fewer ports than were asked for: whatever that means, it is not success.
    let (neutron, _) = forgetful(r#"{"ports": []}"#).await;
    let client = site.with(Keys { neutron_url: Some(neutron), ..site.keys() });
    let e = client.create_ports(&[site.request(1)]).await.unwrap_err();
    insta::assert_snapshot!(shown(&e), @r#"
    neutron_bad_answer BadAnswer
    Neutron: could not create ports: unexpected answer (it has no port of 00:50:56:aa:00:01, HTTP 200): {"ports": []}
    Check that the URL is the service's own and not that of a dashboard or a proxy.
    "#);
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let site = Site::new().await;
    let mut settings = site.keys().settings(None).unwrap();
    settings.deadlines = Deadlines { connect: Duration::from_secs(5), answer: Duration::from_millis(300) };
    let client = OpenStack::new(settings, site.world.clock()).unwrap();
    client.check().await.unwrap();
    let silent = Effect::Refuse { kind: ErrorKind::NoAnswer };
    site.world.write(|s| s.faults.add(FaultRule::new(System::Neutron, "ports", silent)));
    let e = client.ports(&Default::default()).await.unwrap_err();
    insta::assert_snapshot!(site.told(&shown(&e)), @r"
    neutron_no_answer NoAnswer
    Neutron: could not list ports: NEUTRON did not answer GET /v2.0/ports within 0.3 s
    -
    ");
    assert_eq!(site.calls(System::Neutron, "ports"), 1, "a silent server is not asked again at once");
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address() {
    let site = Site::new().await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = site.with(Keys { auth_url: Some(format!("http://{gone}")), ..site.keys() });
    let e = client.authenticate(&"t".into()).await.unwrap_err();
    assert_eq!((e.kind, e.code), (ErrorKind::Unreachable, "keystone_unreachable"));
    let text = shown(&e);
    assert!(text.contains(&format!("could not log in: http://{gone} cannot be reached")), "{text}");
}

#[tokio::test]
async fn a_certificate_that_does_not_verify_shows_its_fingerprint() {
    let server = TlsServer::start(Router::new().fallback(async || StatusCode::UNAUTHORIZED)).await;
    let site = Site::new().await;
    let keys = Keys { auth_url: Some(format!("{}/v3", server.url())), ..site.keys() };
    let print = Fingerprint::of(&server.certificate);
    let error = async |trust: Trust| {
        let settings = keys.clone().settings(Some(trust)).unwrap();
        let client = OpenStack::new(settings, site.world.clock()).unwrap();
        RemoteError::from(client.check().await.unwrap_err())
    };
    let e = error(Trust::Pin(Fingerprint::of(b"another"))).await;
    assert_eq!((e.kind, e.code), (ErrorKind::Certificate, "keystone_certificate_refused"));
    let text = shown(&e)
        .replace(&print.to_string(), "SHOWN")
        .replace(&Fingerprint::of(b"another").to_string(), "PINNED")
        .replace(&server.address.to_string(), "ADDRESS");
    // The cause comes from the TLS library, and its text may change.
    insta::assert_snapshot!(text.lines().map(|l| l.split(": error sending").next().unwrap()).collect::<Vec<_>>().join("\n"), @r"
    keystone_certificate_refused Certificate
    Keystone: could not log in: the certificate of https://ADDRESS is not trusted: it differs from the pinned fingerprint PINNED. Its SHA-256 fingerprint is SHOWN
    Compare the fingerprint with the one on the server's console. If they are equal, set `ca_file` or `pin_sha256` for this endpoint; if not, the connection is intercepted.
    ");
    // With the right pin the certificate is fine, and the server is heard.
    assert_eq!(error(Trust::Pin(print)).await.kind, ErrorKind::Credentials);
}
