//! Errors of the service's start and run. Invariant: a message never repeats its source.

use std::net::SocketAddr;
use std::path::PathBuf;

use howdah_core::failure::RemoteError;
use howdah_store::StoreError;

/// A failed step of the start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The database could not be opened.
    #[error("cannot open the store")]
    OpenStore(#[source] StoreError),
    /// Another service has taken the database over.
    #[error("cannot continue without the database")]
    LostStore(#[source] StoreError),
    /// The clusters could not be read.
    #[error("cannot resume the clusters in the store")]
    TakeUp(#[source] RemoteError),
    /// A remote system's client could not be set up.
    #[error("cannot set up the {system} client of site {site}")]
    Adapter {
        /// The site.
        site: String,
        /// The system.
        system: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The certificate or key could not be read.
    #[error("cannot use the TLS file {}", path.display())]
    ReadTls {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The certificate and key do not match, or have an unsupported type.
    #[error("cannot use this TLS certificate with this key")]
    Tls(#[source] rustls::Error),
    /// The TCP port is not available.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The UNIX socket cannot be created.
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
    /// The path of the UNIX socket exists and is not a socket.
    #[error("{} exists but is not a socket", path.display())]
    UnixNotSocket {
        /// The path.
        path: PathBuf,
    },
}

impl ServerError {
    /// What the operator can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::OpenStore(e) | Self::LostStore(e) => e.hint(),
            Self::Listen { .. } => Some("Check for another running howdah. server.listen sets the address.".to_owned()),
            Self::ListenUnix { path, .. } => Some(format!(
                "Give the service's user write permission for {}. server.unix sets the path.",
                path.parent().map_or_else(String::new, |p| p.display().to_string())
            )),
            Self::UnixInUse { .. } => Some("Check for another running howdah. server.unix sets the path.".to_owned()),
            Self::UnixNotSocket { path } => Some(format!("Check what {} is, then remove it.", path.display())),
            _ => None,
        }
    }
}
