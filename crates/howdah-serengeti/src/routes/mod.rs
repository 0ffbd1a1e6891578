//! The service's routes over a [`Backend`].
//!
//! ```text
//!   service.rs   the steps of every request: paths, login, session, maintenance, initialisation
//!   session.rs   the sessions
//!   api.rs       one arm per call: read the request, call the backend, build the answer
//!   check.rs     checks of the form
//!   reply.rs     answers in the form that the service's clients need
//! ```
//!
//! Invariants: an answer has exactly the fields of the served release; a malformed request never reaches the
//! backend; the routes are independent of the source of clusters.

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

/// The behaviour of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerProfile {
    /// The release.
    pub release: Release,
    /// Whether to accept requests of old clients that no appliance of the release accepts: a POST for a
    /// change of state, a network without `dnsType`; and to always send `instances`.
    pub lenient: bool,
    /// Whether clients use TLS: it sets the scheme of `Location` and the cookie's `Secure`.
    pub secure: bool,
    /// The idle time after which a session expires.
    pub session_idle: Duration,
}

impl ServerProfile {
    /// As strict as an appliance of this release.
    pub const fn appliance(release: Release) -> Self {
        Self { release, lenient: false, secure: true, session_idle: Duration::from_secs(30 * 60) }
    }

    /// The newest release, lenient: accepts clients of every age, including the 2015 Heat plugin.
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
    // One handler for all: the service folds `//` and a trailing `/`, decodes names twice, and
    // answers a wrong method in three ways; a router by pattern supports none of these.
    Router::new()
        .route("/serengeti", any(handler.clone()))
        .route("/serengeti/", any(handler.clone()))
        .route("/serengeti/{*path}", any(handler))
}
