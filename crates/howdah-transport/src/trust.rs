//! The trust of a TLS connection. Invariant: every mode except [`Trust::Insecure`] proves that the
//! server has the private key of a certificate that the operator trusts.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use crate::TransportError;

/// The trusted certificates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// The system's certificate authorities.
    #[default]
    System,
    /// The authorities in this PEM file, and no others.
    CaFile(PathBuf),
    /// Exactly this certificate, with any issuer and name.
    Pin(Fingerprint),
    /// Any certificate. Only by an operator's explicit choice for one endpoint.
    Insecure,
}

/// The SHA-256 of a certificate in DER form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// Why a fingerprint is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// 20 bytes: a SHA-1 thumbprint of older tools.
    #[error("this is a SHA-1 thumbprint (40 hexadecimal digits); use the SHA-256 fingerprint (64)")]
    Sha1,
    /// Anything else that is not 32 bytes.
    #[error("a SHA-256 fingerprint has 64 hexadecimal digits, but this one has {0}")]
    Length(usize),
    /// Not hexadecimal.
    #[error("{0:?} is not a hexadecimal digit")]
    Digit(char),
}

impl Fingerprint {
    /// The fingerprint of a certificate.
    pub fn of(certificate: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;
    fn from_str(s: &str) -> Result<Self, FingerprintError> {
        let digits: Vec<char> = s.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect();
        if let Some(bad) = digits.iter().find(|c| !c.is_ascii_hexdigit()) {
            return Err(FingerprintError::Digit(*bad));
        }
        match digits.len() {
            64 => {}
            40 => return Err(FingerprintError::Sha1),
            n => return Err(FingerprintError::Length(n)),
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            // Both are hexadecimal digits, checked above.
            *byte = pair.iter().fold(0, |n, c| n * 16 + c.to_digit(16).unwrap_or(0) as u8);
        }
        Ok(Self(bytes))
    }
}

/// The refused certificate: the error message shows it for comparison. It travels inside the error of its own
/// connection, so that it explains no other failure.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Refused {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) reason: String,
}

impl Refused {
    /// The refusal that caused an error, if one did.
    pub(crate) fn behind<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut at = Some(error);
        while let Some(error) = at {
            if let Some(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner)))) =
                error.downcast_ref()
            {
                return inner.downcast_ref();
            }
            // An I/O error with an error inside does not show that one as its source.
            let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            at = inside.map(|e| e as &(dyn Error + 'static)).or_else(|| error.source());
        }
        None
    }
}

/// A verifier that says what it refused.
#[derive(Debug)]
pub(crate) struct Verifier {
    mode: Mode,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Mode {
    /// These authorities, and exactly these certificates from the operator's file: a self-signed certificate
    /// that is marked as an authority is otherwise invalid for a server.
    Authorities(Arc<WebPkiServerVerifier>, Vec<Fingerprint>),
    /// No authorities: every certificate is refused, with this reason.
    Nobody(&'static str),
    Pin(Fingerprint),
    Anybody,
}

impl Verifier {
    pub(crate) fn new(trust: &Trust, provider: Arc<CryptoProvider>) -> Result<Self, TransportError> {
        let mode = match trust {
            Trust::System => {
                let roots = system_roots();
                if roots.is_empty() {
                    Mode::Nobody("the system has no certificate authorities")
                } else {
                    let verifier = web_pki(roots, &provider).map_err(|reason| TransportError::Roots { reason })?;
                    Mode::Authorities(verifier, vec![])
                }
            }
            Trust::CaFile(path) => {
                let unreadable = |reason: String| TransportError::CaFile { path: path.clone(), reason };
                let mut roots = RootCertStore::empty();
                let mut given = Vec::new();
                let certificates = CertificateDer::pem_file_iter(path).map_err(|e| unreadable(e.to_string()))?;
                for certificate in certificates {
                    let certificate = certificate.map_err(|e| unreadable(e.to_string()))?;
                    given.push(Fingerprint::of(&certificate));
                    roots.add(certificate).map_err(|e| unreadable(e.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(unreadable("it contains no PEM certificate".to_owned()));
                }
                Mode::Authorities(web_pki(Arc::new(roots), &provider).map_err(unreadable)?, given)
            }
            Trust::Pin(fingerprint) => Mode::Pin(*fingerprint),
            Trust::Insecure => Mode::Anybody,
        };
        Ok(Self { mode, provider })
    }
}

fn refuse(leaf: &CertificateDer<'_>, reason: String) -> rustls::Error {
    let refused = Refused { fingerprint: Fingerprint::of(leaf), reason };
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused))))
}

fn system_roots() -> Arc<RootCertStore> {
    // Loading them takes tens of milliseconds, and a service has several clients.
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    ROOTS
        .get_or_init(|| {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            Arc::new(roots)
        })
        .clone()
}

fn web_pki(roots: Arc<RootCertStore>, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, String> {
    WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build().map_err(|e| e.to_string())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.mode {
            Mode::Authorities(_, given) if given.contains(&Fingerprint::of(leaf)) => {
                Ok(ServerCertVerified::assertion())
            }
            Mode::Authorities(inner, _) => {
                inner.verify_server_cert(leaf, intermediates, name, ocsp, now).map_err(|e| {
                    let reason = match &e {
                        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                            "no authority that this endpoint trusts has signed it".to_owned()
                        }
                        rustls::Error::InvalidCertificate(CertificateError::Other(inner)) => inner.0.to_string(),
                        rustls::Error::InvalidCertificate(inner) => inner.to_string(),
                        other => other.to_string(),
                    };
                    refuse(leaf, reason)
                })
            }
            Mode::Nobody(reason) => Err(refuse(leaf, (*reason).to_owned())),
            Mode::Pin(pin) if Fingerprint::of(leaf) == *pin => Ok(ServerCertVerified::assertion()),
            Mode::Pin(pin) => Err(refuse(leaf, format!("it differs from the pinned fingerprint {pin}"))),
            Mode::Anybody => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_read_back_and_old_ones_are_refused() {
        let print = Fingerprint::of(b"certificate");
        assert_eq!(print.to_string().parse(), Ok(print));
        assert_eq!(print.to_string().replace(':', "").to_lowercase().parse(), Ok(print));
        assert_eq!("ab".repeat(20).parse::<Fingerprint>(), Err(FingerprintError::Sha1));
        assert_eq!("ab".parse::<Fingerprint>(), Err(FingerprintError::Length(2)));
        assert_eq!("xy".parse::<Fingerprint>(), Err(FingerprintError::Digit('x')));
    }
}
