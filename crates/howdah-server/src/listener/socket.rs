//! The sockets of a listener, and the peer of a connection. Invariant: accepting never waits for a client;
//! each connection does its own TLS handshake.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use crate::api::Peer;

/// A listening socket.
pub(crate) enum Incoming {
    /// TCP.
    Tcp(TcpListener),
    /// TCP with TLS.
    Tls(TcpListener, TlsAcceptor),
    /// A UNIX socket.
    Unix(UnixListener),
}

/// An accepted connection.
pub(super) enum Socket {
    Tcp(TcpStream),
    Tls(TcpStream, TlsAcceptor),
    Unix(UnixStream),
}

impl Incoming {
    /// TCP, with TLS if there is a configuration for it.
    pub(crate) fn tcp(listener: TcpListener, tls: Option<Arc<ServerConfig>>) -> Self {
        match tls {
            Some(config) => Self::Tls(listener, TlsAcceptor::from(config)),
            None => Self::Tcp(listener),
        }
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> io::Result<(Socket, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Socket::Tcp(stream), Peer::Remote { address: peer.ip() }))
            }
            Self::Tls(listener, acceptor) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Socket::Tls(stream, acceptor.clone()), Peer::Remote { address: peer.ip() }))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                // The kernel keeps the credentials from the moment of the connection.
                let credentials = stream.peer_cred()?;
                Ok((Socket::Unix(stream), Peer::Local { uid: credentials.uid() }))
            }
        }
    }
}
