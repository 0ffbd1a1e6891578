//! What is listened on, and who is at the other end. Invariant: accepting waits for nothing that a client
//! does; a TLS handshake is the connection's own affair.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use crate::api::Peer;

/// A socket that is listened on.
pub(crate) enum Incoming {
    /// TCP.
    Tcp(TcpListener),
    /// TCP with TLS.
    Tls(TcpListener, TlsAcceptor),
    /// A UNIX socket.
    Unix(UnixListener),
}

/// A connection as it was accepted.
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
                // The credentials of the moment of the connection, kept by the kernel.
                let credentials = stream.peer_cred()?;
                Ok((Socket::Unix(stream), Peer::Local { uid: credentials.uid() }))
            }
        }
    }
}
