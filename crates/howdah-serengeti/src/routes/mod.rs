//! The service's routes over a [`Backend`].
//!
//! ```text
//!   service.rs   what every request passes: paths, login, session, maintenance, initialisation
//!   session.rs   who is logged in
//!   api.rs       one arm per call: read the request, ask the backend, shape the answer
//!   check.rs     what is refused for its form alone
//!   reply.rs     answers as the service's clients demand them
//! ```
//!
//! Invariants: an answer has exactly the fields of the release that is served; what is refused
//! for its form never reaches the backend; nothing here knows where clusters come from.

mod api;
mod backend;
mod check;
mod place;
mod reply;
mod service;
mod session;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::any;

pub use backend::{Backend, Change, LoginRefusal, Outcome, Refusal};

use crate::release::Release;
use service::Service;

/// Which server to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerProfile {
    /// The release.
    pub release: Release,
    /// Whether to take what no appliance of the release takes, although old clients send it: a
    /// POST for a change of state, a network without `dnsType`; and to send `instances` unasked.
    pub lenient: bool,
    /// Whether clients come by TLS: decides the scheme of `Location` and the cookie's `Secure`.
    pub secure: bool,
    /// After how much idle time a session ends.
    pub session_idle: Duration,
}

impl ServerProfile {
    /// As strict as an appliance of this release.
    pub const fn appliance(release: Release) -> Self {
        Self { release, lenient: false, secure: true, session_idle: Duration::from_secs(30 * 60) }
    }

    /// The newest release, lenient: takes clients of every age, the 2015 Heat plugin included.
    pub const fn lenient() -> Self {
        Self { lenient: true, ..Self::appliance(Release::V2_3) }
    }

    /// The same without TLS.
    #[must_use]
    pub const fn plain_http(self) -> Self {
        Self { secure: false, ..self }
    }
}

/// The routes below `/serengeti`. They can be merged with others.
pub fn router<B: Backend>(backend: Arc<B>, profile: ServerProfile) -> Router {
    let service = Arc::new(Service::new(backend, profile));
    let handler = move |request: Request| {
        let service = Arc::clone(&service);
        async move { service.answer(request).await }
    };
    // One handler for all: the service folds `//` and a `/` at the end, decodes names twice, and
    // answers a wrong method in three ways, none of which a router by pattern does.
    Router::new()
        .route("/serengeti", any(handler.clone()))
        .route("/serengeti/", any(handler.clone()))
        .route("/serengeti/{*path}", any(handler))
}
