//! TLS in front of a TCP listener. Handshakes go on side by side, so that a client which is slow
//! to shake hands holds up nobody else.

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
                Some(Some(ready)) = self.shaking.next(), if !self.shaking.is_empty() => return ready,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}
