//! A TLS server on loopback with a self-signed certificate. It serves the routes of a test as long as the
//! test's runtime lives. The client decides whether to trust it: an aborted handshake does no harm.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A running server.
#[derive(Debug)]
pub struct TlsServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it shows.
    pub certificate: CertificateDer<'static>,
    /// The same as text, for a file of authorities.
    pub pem: String,
}

impl TlsServer {
    /// One whose certificate is a server's.
    pub async fn start(app: Router) -> Self {
        Self::serve(params(), app).await
    }

    /// One whose certificate calls itself an authority: what `openssl req -x509` writes by default, and
    /// what many appliances show.
    pub async fn start_as_authority(app: Router) -> Self {
        let mut params = params();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self::serve(params, app).await
    }

    /// Its address as a client's settings name it.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    async fn serve(params: CertificateParams, app: Router) -> Self {
        let key = KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        let certificate = made.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let listener = Accepting { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) };
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, certificate, pem: made.pem() }
    }
}

fn params() -> CertificateParams {
    CertificateParams::new(["127.0.0.1".to_owned()]).unwrap()
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
            // A client that refuses the certificate closes the connection here.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
