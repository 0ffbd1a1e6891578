//! A self-signed certificate for the site's address, recreated at each start.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;

use super::SiteError;

/// A certificate with its key.
pub(super) struct Certificate {
    pub(super) pem: String,
    pub(super) fingerprint: String,
    config: Arc<ServerConfig>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({})", self.fingerprint)
    }
}

impl Certificate {
    pub(super) fn make(address: IpAddr) -> Result<Self, SiteError> {
        let names = vec!["localhost".to_owned(), address.to_string()];
        let made = rcgen::generate_simple_self_signed(names).map_err(|e| SiteError::Certificate(e.into()))?;
        let der = made.cert.der().clone();
        let fingerprint = Sha256::digest(&der).iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|b| b.with_no_client_auth().with_single_cert(vec![der], key))
            .map_err(|e| SiteError::Certificate(e.into()))?;
        Ok(Self { pem: made.cert.pem(), fingerprint, config: Arc::new(config) })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}
