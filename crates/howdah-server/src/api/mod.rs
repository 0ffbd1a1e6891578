//! The native API, `/v1`: JSON over HTTP.
//!
//! * `view`: converts the core's types to those of [`howdah_api`], the wire format;
//! * [`error`](ApiError): error answers;
//! * `realm`: which Keystone verifies a token; `login`: which tokens are verified, and how many at once;
//!   `auth`: the requester;
//! * `body`, `query`: strict parsing of bodies and queries; `bounds`: their size limits;
//! * `wish`: converts a body to a cluster's record, and compares it with the existing one;
//! * `intent`: maps a request to an operation (pure);
//! * `visible`: finds the cluster of a request;
//! * `clusters`, `writes`, `events`, `service`: the routes; `streams`: the limit of open event streams;
//! * `openapi`: the OpenAPI document.
//!
//! Invariant: the answer to a write is sent only after the store has saved it. Handlers write the
//! wanted state; the controllers do everything else. Project and ID identify a cluster. A write outlives
//! its request: a client that disconnects loses only the answer.

mod auth;
mod body;
mod bounds;
mod clusters;
mod error;
mod events;
mod intent;
mod login;
mod openapi;
mod query;
mod realm;
mod service;
mod streams;
pub(crate) mod view;
mod visible;
mod wish;
mod writes;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use howdah_core::entropy::Entropy;
use howdah_core::mark::MarkKey;
use howdah_core::request::{HEADER, RequestId, current, within};
use howdah_core::store::Store;
use howdah_core::time::Clock;
use howdah_transport::SystemEntropy;
use tokio::sync::watch;

pub use auth::{AuthMode, Peer};
pub use error::ApiError;
pub use openapi::document;

use self::login::Logins;
use self::streams::Streams;
use crate::changes::Changes;
use crate::config::Templates;
use crate::limits::Door;
use crate::metrics::Metrics;
use crate::sites::Sites;
use crate::supervisor::Supervisor;
use crate::tally::Tally;

/// The size limit of a body. A specification of a thousand nodes takes a tenth of it.
const BODY_LIMIT: usize = 1024 * 1024;
/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(30);

/// The context of the routes.
type Routes = App;

/// The service's parts, shared.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
    /// The gate to Keystone.
    logins: Arc<Logins>,
    /// The event streams that are open.
    streams: Arc<Streams>,
}

/// The parts of an [`App`].
pub struct Inner {
    /// The store, announcing its changes to `changes`.
    pub store: Arc<dyn Store>,
    /// The subscribers to changes.
    pub changes: Arc<Changes>,
    /// The number of clusters by status.
    pub tally: Arc<Tally>,
    /// The key for capabilities and for digests of specifications.
    pub marks: MarkKey,
    /// The sites.
    pub sites: Sites,
    /// The controllers.
    pub supervisor: Supervisor,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// How requesters authenticate.
    pub auth: AuthMode,
    /// Permissions for templates.
    pub templates: Templates,
    /// The limits of a project, and the gate that enforces them.
    pub door: Door,
    /// True once the service shuts down.
    pub stopping: watch::Receiver<bool>,
}

impl App {
    /// From its parts.
    pub fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner), logins: Arc::default(), streams: Arc::default() }
    }
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.inner
    }
}

/// All routes.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/v1/clusters", get(clusters::list))
        .route("/v1/clusters/{id}", get(clusters::show).put(writes::want).delete(writes::delete))
        .route("/v1/clusters/{id}/state", put(writes::want_state))
        .route("/v1/clusters/{id}/events", get(events::follow))
        .route("/v1/sites", get(service::sites))
        .route("/v1/openapi.json", get(openapi::serve))
        .route("/healthz", get(service::health))
        .route("/readyz", get(service::ready))
        .route("/metrics", get(service::metrics))
        .fallback(nothing)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(app.clone(), count))
        .layer(middleware::from_fn(identify))
        .layer(middleware::from_fn(outlive))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(app)
}

async fn nothing(uri: Uri) -> ApiError {
    ApiError::PathNotFound { path: uri.path().to_owned() }
}

async fn no_such_method(method: Method, uri: Uri) -> ApiError {
    ApiError::MethodNotAllowed { path: uri.path().to_owned(), method: method.to_string() }
}

/// Runs a request that may write in its own task: the server drops a request whose client has
/// disconnected, in the middle of its work.
async fn outlive(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(e) => match e.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => ApiError::Stopping.into_response(),
        },
    }
}

/// Gives each request an ID: the client's, if it sent one in OpenStack's form. The answer has it too.
async fn identify(request: Request, next: Next) -> Response {
    let sent = request.headers().get(HEADER).and_then(|v| v.to_str().ok()).and_then(RequestId::parse);
    // Not from the service's own source, whose order decides what a seed makes.
    let id = sent.unwrap_or_else(|| RequestId::new(SystemEntropy.uuid()));
    let mut response = within(Some(id.clone()), next.run(request)).await;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

async fn count(State(routes): State<Routes>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = match *request.method() {
        Method::GET => "GET",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    let route = request.extensions().get::<MatchedPath>().map_or("none", |p| p.as_str()).to_owned();
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    let request = current().map(|id| id.to_string());
    tracing::debug!(method, route, status, ?took, request, "answered");
    routes.metrics.request(method, &route, status, took);
    response
}
