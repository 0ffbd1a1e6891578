//! A client for one endpoint. Invariant: every request ends within its deadline, no request
//! goes to another host than the one in its URL (no redirects, no proxies), and no answer takes
//! more memory than its limit, whatever its head says and however it is compressed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use howdah_core::failure::ErrorKind;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response};
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;

use crate::trust::{Fingerprint, Refused, Trust, Verifier};

/// The prefix of a UNIX socket's name.
const SOCKET: &str = "unix:";

/// The default size limit of an answer, in bytes: about ten times the largest expected answer, the list of
/// ten thousand ports of a project.
pub const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For the connection, TLS included.
    pub connect: Duration,
    /// For the whole answer, from the first byte sent; a request may set its own.
    pub answer: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), answer: Duration::from_secs(60) }
    }
}

/// An HTTP client for one endpoint. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    deadlines: Deadlines,
    /// The UNIX socket that all requests go to.
    socket: Option<PathBuf>,
}

/// A transport error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The CA file of an endpoint is unusable.
    #[error("cannot use the CA file {path}: {reason}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system's authorities are unusable.
    #[error("cannot use the system's certificate authorities: {reason}")]
    Roots {
        /// Why.
        reason: String,
    },
    /// The client could not be set up.
    #[error("cannot set up the HTTP client")]
    SetUp {
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
    /// The certificate was refused.
    #[error("the certificate of {server} is not trusted: {reason}. Its SHA-256 fingerprint is {fingerprint}")]
    Certificate {
        /// `scheme://host:port` or `unix:/path`.
        server: String,
        /// The certificate that was shown.
        fingerprint: Fingerprint,
        /// Why it was refused.
        reason: String,
    },
    /// No connection.
    #[error("{server} cannot be reached")]
    Connect {
        /// `scheme://host:port` or `unix:/path`.
        server: String,
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
    /// Connected, but no complete answer in time.
    #[error("{server} did not answer {call} within {}", seconds(*waited))]
    NoAnswer {
        /// `scheme://host:port` or `unix:/path`.
        server: String,
        /// Method and path.
        call: String,
        /// The deadline.
        waited: Duration,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection to {server} broke during {call}")]
    Broken {
        /// `scheme://host:port` or `unix:/path`.
        server: String,
        /// Method and path.
        call: String,
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
    /// The answer exceeds its limit after decompression. The rest was not read.
    #[error("{server} sent more than {} in {call}", size(*limit))]
    TooLarge {
        /// `scheme://host:port` or `unix:/path`.
        server: String,
        /// Method and path.
        call: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The request is invalid, for example its URL.
    #[error("cannot send the request {call}")]
    Request {
        /// Method and path.
        call: String,
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
}

fn seconds(d: Duration) -> String {
    if d.subsec_millis() == 0 { format!("{} s", d.as_secs()) } else { format!("{:.1} s", d.as_secs_f64()) }
}

fn size(bytes: usize) -> String {
    const MIB: usize = 1024 * 1024;
    if bytes.is_multiple_of(MIB) { format!("{} MiB", bytes / MIB) } else { format!("{bytes} bytes") }
}

impl TransportError {
    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::CaFile { .. } | Self::Roots { .. } | Self::SetUp { .. } | Self::Request { .. } => ErrorKind::Invalid,
            Self::Certificate { .. } => ErrorKind::Certificate,
            Self::Connect { .. } => ErrorKind::Unreachable,
            Self::NoAnswer { .. } => ErrorKind::NoAnswer,
            Self::Broken { .. } => ErrorKind::Unreachable,
            Self::TooLarge { .. } => ErrorKind::BadAnswer,
        }
    }

    /// Whether the request certainly never reached the server.
    pub fn was_not_sent(&self) -> bool {
        !matches!(self, Self::NoAnswer { .. } | Self::Broken { .. } | Self::TooLarge { .. })
    }

    /// What the operator can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Certificate { .. } => Some(
                "Compare the fingerprint with the one on the server's console. If they are equal, set `ca_file` or \
                 `pin_sha256` for this endpoint; if not, the connection is intercepted."
                    .to_owned(),
            ),
            Self::Connect { server, .. } if server.starts_with(SOCKET) => {
                Some("Check that the service is running and that you have access to its socket.".to_owned())
            }
            Self::Connect { server, .. } => {
                Some(format!("Check that the address {server} is right and that no firewall blocks the connection."))
            }
            Self::TooLarge { server, .. } => {
                Some(format!("Check that the address {server} is right and that no proxy answers for it."))
            }
            _ => None,
        }
    }
}

impl Http {
    /// A client with this trust.
    ///
    /// # Errors
    /// If the CA file cannot be used, or the client cannot be set up.
    pub fn new(trust: &Trust, deadlines: Deadlines) -> Result<Self, TransportError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(Verifier::new(trust, provider.clone())?);
        let tls = config(provider, verifier)?;
        Self::build(Client::builder().tls_backend_preconfigured(tls), deadlines, None)
    }

    /// A client that sends every request to the UNIX socket at `path`, independent of the URL's host.
    ///
    /// # Errors
    /// If the client cannot be set up.
    #[cfg(unix)]
    pub fn unix(path: &std::path::Path, deadlines: Deadlines) -> Result<Self, TransportError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(Verifier::new(&Trust::Insecure, provider.clone())?);
        let tls = config(provider, verifier)?;
        let builder = Client::builder().tls_backend_preconfigured(tls).unix_socket(path);
        Self::build(builder, deadlines, Some(path.to_owned()))
    }

    fn build(builder: ClientBuilder, deadlines: Deadlines, socket: Option<PathBuf>) -> Result<Self, TransportError> {
        let client = builder
            .connect_timeout(deadlines.connect)
            .timeout(deadlines.answer)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .user_agent(concat!("howdah/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| TransportError::SetUp { source: source.without_url() })?;
        Ok(Self { client, deadlines, socket })
    }

    /// Creates a request. It has the client's deadline unless `.timeout()` sets another; an error
    /// still names the client's.
    pub fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends a request and returns the answer's head, whatever its status.
    ///
    /// # Errors
    /// If no head of an answer arrives.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, TransportError> {
        let (client, request) = request.build_split();
        let request =
            request.map_err(|source| TransportError::Request { call: "?".to_owned(), source: source.without_url() })?;
        let server = self.server_of(request.url());
        let call = format!("{} {}", request.method(), request.url().path());
        let waited = request.timeout().copied().unwrap_or(self.deadlines.answer);
        client.execute(request).await.map_err(|e| self.explain(e, server, call, waited))
    }

    /// Reads an answer's body to its end, up to [`ANSWER_LIMIT`].
    ///
    /// # Errors
    /// If it does not come in time, breaks off, or is larger than that.
    pub async fn body(&self, response: Response) -> Result<Bytes, TransportError> {
        self.body_within(response, ANSWER_LIMIT).await
    }

    /// Reads an answer's body to its end, up to `limit` bytes after decompression. A `Content-Length` does
    /// not allocate memory in advance.
    ///
    /// # Errors
    /// If it does not come in time, breaks off, or is larger than that.
    pub async fn body_within(&self, mut response: Response, limit: usize) -> Result<Bytes, TransportError> {
        let mut body = BytesMut::new();
        while let Some(piece) = self.piece(&mut response).await? {
            if piece.len() > limit - body.len() {
                let (server, call) = (self.server_of(response.url()), call_of(&response));
                return Err(TransportError::TooLarge { server, call, limit });
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }

    /// The next piece of a streamed body; `None` at its end. The caller limits how much it keeps.
    ///
    /// # Errors
    /// If it does not come in time or breaks off.
    #[expect(clippy::disallowed_methods, reason = "nothing is gathered here")]
    pub async fn piece(&self, response: &mut Response) -> Result<Option<Bytes>, TransportError> {
        response
            .chunk()
            .await
            .map_err(|e| self.explain(e, self.server_of(response.url()), call_of(response), self.deadlines.answer))
    }

    fn server_of(&self, url: &reqwest::Url) -> String {
        if let Some(path) = &self.socket {
            return format!("{SOCKET}{}", path.display());
        }
        let host = url.host_str().unwrap_or("?");
        match url.port_or_known_default() {
            Some(port) => format!("{}://{host}:{port}", url.scheme()),
            None => format!("{}://{host}", url.scheme()),
        }
    }

    fn explain(&self, error: reqwest::Error, server: String, call: String, waited: Duration) -> TransportError {
        // A URL can contain a user name or query; the messages use only server and path.
        let source = error.without_url();
        if source.is_connect() {
            return match Refused::behind(&source).cloned() {
                Some(r) => TransportError::Certificate { server, fingerprint: r.fingerprint, reason: r.reason },
                None => TransportError::Connect { server, source },
            };
        }
        if source.is_timeout() {
            return TransportError::NoAnswer { server, call, waited };
        }
        if source.is_builder() {
            return TransportError::Request { call, source };
        }
        TransportError::Broken { server, call, source }
    }
}

fn call_of(response: &Response) -> String {
    format!("the answer of {}", response.url().path())
}

fn config(provider: Arc<CryptoProvider>, verifier: Arc<Verifier>) -> Result<ClientConfig, TransportError> {
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| TransportError::Roots { reason: e.to_string() })?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}
