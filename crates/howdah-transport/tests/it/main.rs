//! The trust modes against a real TLS server on loopback; `bounds`: answers without end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bounds;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use howdah_core::failure::{ErrorKind, chain};
use howdah_transport::{Deadlines, Fingerprint, Http, TransportError, Trust};
use reqwest::Method;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

struct Server {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    pem: String,
}

/// A server that answers every connection with an empty 200.
async fn server() -> Server {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    serving(made.cert, made.signing_key).await
}

async fn serving(made: rcgen::Certificate, key: rcgen::KeyPair) -> Server {
    let certificate = made.der().clone();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(stream).await else {
                    return;
                };
                let mut request = [0; 4096];
                if tls.read(&mut request).await.is_ok_and(|n| n > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                    let _ = tls.write_all(answer).await;
                    let _ = tls.shutdown().await;
                }
            });
        }
    });
    Server { address, certificate, pem: made.pem() }
}

async fn get(trust: &Trust, address: SocketAddr) -> Result<u16, TransportError> {
    let http = Http::new(trust, Deadlines::default())?;
    let request = http.request(Method::GET, &format!("https://{address}/"));
    Ok(http.send(request).await?.status().as_u16())
}

#[tokio::test]
async fn each_mode_trusts_whom_it_says() {
    let server = server().await;
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
async fn a_ca_file_without_certificates_says_so() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Http::new(&Trust::CaFile(file.path().to_owned()), Deadlines::default()).unwrap_err();
    assert!(error.to_string().ends_with("it holds no certificate in PEM form"), "{error}");
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
    assert_eq!(error.hint().unwrap(), "Check that the service runs, and that you may open its socket.");
}

/// What `openssl req -x509` writes by default, and what many appliances serve.
#[tokio::test]
async fn a_self_signed_certificate_that_is_an_authority_is_trusted_as_its_own_ca_file() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let server = serving(params.self_signed(&key).unwrap(), key).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &server.pem).unwrap();
    assert_eq!(get(&Trust::CaFile(file.path().to_owned()), server.address).await.unwrap(), 200);
    let error = get(&Trust::System, server.address).await.unwrap_err().to_string();
    assert!(!error.contains("Other"), "a debug dump: {error}");
}
