//! TLS in front of a TCP listener. Handshakes run in parallel, so that a slow client does not delay
//! others.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::Listener;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

type Shaken = Option<(TlsStream<TcpStream>, SocketAddr)>;

/// A listener whose connections are encrypted.
pub(super) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    shaking: FuturesUnordered<futures::future::BoxFuture<'static, Shaken>>,
}

impl TlsListener {
    pub(super) fn new(tcp: TcpListener, acceptor: TlsAcceptor) -> Self {
        Self { tcp, acceptor, shaking: FuturesUnordered::new() }
    }

    fn shake(&self, stream: TcpStream, peer: SocketAddr) {
        let handshake = tokio::time::timeout(HANDSHAKE, self.acceptor.accept(stream));
        // A client that does not trust us, or goes away, is its own affair.
        self.shaking.push(Box::pin(async move { handshake.await.ok()?.ok().map(|s| (s, peer)) }));
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            tokio::select! {
                accepted = self.tcp.accept() => match accepted {
                    Ok((stream, peer)) => self.shake(stream, peer),
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                // A pattern that does not match would switch this arm off until the next client comes.
                Some(shaken) = self.shaking.next(), if !self.shaking.is_empty() => {
                    if let Some(ready) = shaken {
                        return ready;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use rustls::crypto::ring;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, RootCertStore};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::TlsConnector;

    use super::super::certificate::Certificate;
    use super::*;

    fn connector(certificate: &Certificate) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate.pem.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }

    #[tokio::test]
    async fn a_handshake_that_fails_holds_up_no_other() {
        let certificate = Certificate::make(Ipv4Addr::LOCALHOST.into()).unwrap();
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = tcp.local_addr().unwrap();
        let mut listener = TlsListener::new(tcp, certificate.acceptor());
        let client = async {
            let slow = TcpStream::connect(address).await.unwrap();
            let mut plain = TcpStream::connect(address).await.unwrap();
            plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            // Ended by the server: the handshake has failed. Nobody else will connect.
            while plain.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
            let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
            connector(&certificate).connect(name, slow).await.unwrap()
        };
        let both = async { tokio::join!(listener.accept(), client) };
        tokio::time::timeout(HANDSHAKE / 2, both).await.expect("the good handshake ends before its time is over");
    }
}
