//! Whom the client trusts, over real TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::Listener;
use howdah_core::failure::{ErrorKind, Failure};
use howdah_core::systems::vcenter::VCenter;
use howdah_transport::{Fingerprint, Trust};
use howdah_vsphere::{Client, Settings};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::site::Site;

/// TLS in front of a site, with a certificate that nobody signed.
pub struct Tls {
    pub url: String,
    fingerprint: Fingerprint,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Accepting {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Accepting {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = self.tcp.accept().await.unwrap();
            // A client that refuses the certificate breaks off here.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

pub async fn tls(site: &Site) -> Tls {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let fingerprint = Fingerprint::of(&certificate);
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", tcp.local_addr().unwrap());
    let listener = Accepting { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) };
    let router = site.face.router();
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Tls { url, fingerprint, server }
}

#[tokio::test]
async fn a_certificate_that_does_not_verify_is_shown_and_a_pin_accepts_it() {
    let site = Site::start().await;
    let tls = tls(&site).await;
    let client = |trust| Client::new(Settings { url: tls.url.clone(), trust, ..site.settings() }).unwrap();

    let error = client(Trust::System).version().await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Certificate, "vcenter_certificate"));
    let said = Failure::from(&error).to_string().replace(&tls.url, "URL");
    let said = said.replace(&tls.fingerprint.to_string(), "SHA-256");
    // Without any authority installed the reason is another one.
    let said = said.replace("this system has no certificate authorities installed", "REASON");
    let said = said.replace("it is not signed by an authority that this endpoint trusts", "REASON");
    insta::assert_snapshot!(said, @"vCenter: no answer to the question for its API versions: the certificate of URL does not verify: REASON. Its SHA-256 fingerprint is SHA-256. Hint: Compare the fingerprint with the one that the server's console shows. If they are the same, set `ca_file` or `pin_sha256` for this endpoint; if not, somebody stands in between.");

    assert!(client(Trust::Pin(tls.fingerprint)).version().await.is_ok());
    let error = client(Trust::Pin(Fingerprint::of(b"another"))).version().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Certificate);
    assert!(client(Trust::Insecure).version().await.is_ok());
}
