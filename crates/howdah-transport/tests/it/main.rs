//! The trust modes against a real TLS server on loopback; `bounds`: answers without end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bounds;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use howdah_core::failure::{ErrorKind, chain};
use howdah_testkit::tls::TlsServer;
use howdah_transport::{Deadlines, Fingerprint, Http, TransportError, Trust};
use reqwest::Method;
use tokio::net::TcpListener;

/// A server that answers everything with an empty 200.
fn empty() -> Router {
    Router::new().fallback(async || ())
}

async fn get(trust: &Trust, address: SocketAddr) -> Result<u16, TransportError> {
    let http = Http::new(trust, Deadlines::default())?;
    let request = http.request(Method::GET, &format!("https://{address}/"));
    Ok(http.send(request).await?.status().as_u16())
}

#[tokio::test]
async fn each_mode_trusts_whom_it_says() {
    let server = TlsServer::start(empty()).await;
    let right = Fingerprint::of(&server.certificate);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &server.pem).unwrap();
    for trust in [Trust::Pin(right), Trust::CaFile(file.path().to_owned()), Trust::Insecure] {
        assert_eq!(get(&trust, server.address).await.unwrap(), 200, "{trust:?}");
    }
    for trust in [Trust::System, Trust::Pin(Fingerprint::of(b"another"))] {
        let error = get(&trust, server.address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Certificate);
        assert!(error.to_string().contains(&right.to_string()), "the fingerprint to compare is missing: {error}");
        let hint = error.hint().unwrap();
        assert!(!hint.contains("insecure"), "an unverified certificate must not be offered for acceptance: {hint}");
    }
}

#[tokio::test]
async fn a_refused_certificate_explains_no_other_connections_failure() {
    let server = TlsServer::start(empty()).await;
    let http = Http::new(&Trust::Pin(Fingerprint::of(b"another")), Deadlines::default()).unwrap();
    let ask = async |address: SocketAddr| {
        let request = http.request(Method::GET, &format!("https://{address}/"));
        http.send(request).await.unwrap_err().kind()
    };
    assert_eq!(ask(server.address).await, ErrorKind::Certificate);
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(ask(gone).await, ErrorKind::Unreachable, "an outage is retried, a refused certificate is not");
    assert_eq!(ask(server.address).await, ErrorKind::Certificate);
}

#[tokio::test]
async fn a_ca_file_without_certificates_says_so() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Http::new(&Trust::CaFile(file.path().to_owned()), Deadlines::default()).unwrap_err();
    assert!(error.to_string().ends_with("it contains no PEM certificate"), "{error}");
}

#[tokio::test]
async fn nobody_there_and_nobody_answering_are_told_apart() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let http = Http::new(&Trust::System, Deadlines::default()).unwrap();
    let error = http.send(http.request(Method::GET, &format!("http://{gone}/x"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(error.was_not_sent());
    assert!(chain(&error).starts_with(&format!("http://{gone} cannot be reached: ")), "{}", chain(&error));

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let request = http.request(Method::GET, &format!("http://{address}/x")).timeout(Duration::from_millis(50));
    let error = http.send(request).await.unwrap_err();
    assert_eq!(error.to_string(), format!("http://{address} did not answer GET /x within 0.1 s"));
    assert!(!error.was_not_sent());
}

#[cfg(unix)]
#[tokio::test]
async fn a_socket_is_named_by_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no.sock");
    let http = Http::unix(&path, Deadlines::default()).unwrap();
    let error = http.send(http.request(Method::GET, "http://howdah/x")).await.unwrap_err();
    assert_eq!(error.to_string(), format!("unix:{} cannot be reached", path.display()));
    assert_eq!(error.hint().unwrap(), "Check that the service is running and that you have access to its socket.");
}

#[tokio::test]
async fn a_self_signed_certificate_that_is_an_authority_is_trusted_as_its_own_ca_file() {
    let server = TlsServer::start_as_authority(empty()).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &server.pem).unwrap();
    assert_eq!(get(&Trust::CaFile(file.path().to_owned()), server.address).await.unwrap(), 200);
    let error = get(&Trust::System, server.address).await.unwrap_err().to_string();
    assert!(!error.contains("Other"), "a debug dump: {error}");
}

#[path = "../../examples/pin.rs"]
mod example;

#[test]
fn the_example_runs() {
    example::main().expect("the example fails");
}
