//! Why the service does not start. Invariant: a text never repeats its source.

use std::net::SocketAddr;
use std::path::PathBuf;

use howdah_core::failure::RemoteError;
use howdah_store::StoreError;

/// A failed step of the start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The database could not be opened.
    #[error("the store cannot be opened")]
    OpenStore(#[source] StoreError),
    /// The clusters could not be read.
    #[error("the clusters in the store cannot be taken up")]
    TakeUp(#[source] RemoteError),
    /// A remote system's client could not be set up.
    #[error("the {system} client of site {site} cannot be set up")]
    Adapter {
        /// The site.
        site: String,
        /// The system.
        system: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The certificate or key could not be read.
    #[error("the TLS file {} cannot be used", path.display())]
    ReadTls {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The certificate and key do not go together, or are of an unknown kind.
    #[error("the TLS certificate and key cannot be used together")]
    Tls(#[source] rustls::Error),
    /// The TCP port could not be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The UNIX socket could not be made.
    #[error("cannot listen on {}", path.display())]
    ListenUnix {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process listens on the UNIX socket.
    #[error("another process listens on {}", path.display())]
    UnixInUse {
        /// The socket.
        path: PathBuf,
    },
    /// There is something else where the UNIX socket should be.
    #[error("{} exists and is no socket", path.display())]
    UnixNotSocket {
        /// The path.
        path: PathBuf,
    },
}

impl ServerError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::OpenStore(e) => e.hint(),
            Self::Listen { .. } => Some("Is another howdah running? server.listen sets the address.".to_owned()),
            Self::ListenUnix { path, .. } => Some(format!(
                "The service's user must be able to write to {}; server.unix sets the path.",
                path.parent().map_or_else(String::new, |p| p.display().to_string())
            )),
            Self::UnixInUse { .. } => Some("Is another howdah running? server.unix sets the path.".to_owned()),
            Self::UnixNotSocket { path } => Some(format!("Look what it is, then remove {}.", path.display())),
            _ => None,
        }
    }
}
