//! The routes about the service itself. Invariant: what is open to all (health, readiness,
//! metrics) names sites and counts, and nothing that belongs to a project.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use howdah_core::failure::chain;
use howdah_core::ids::ClusterId;
use serde_json::{Value, json};

use super::auth::Caller;
use super::dto::{ErrorBody, SiteList};
use super::{ApiError, Routes, view};
use crate::metrics::system_word;

/// The sites, and what their systems said last.
#[utoipa::path(
    get, path = "/v1/sites", tag = "service",
    responses((status = 200, body = SiteList), (status = "default", body = ErrorBody)),
    security(("token" = [])),
)]
pub(super) async fn sites(State(routes): State<Routes>, _: Caller) -> Result<Json<SiteList>, ApiError> {
    Ok(Json(SiteList { sites: routes.sites.views() }))
}

/// Whether the process answers at all.
#[utoipa::path(get, path = "/healthz", tag = "service", responses((status = 200, body = String)))]
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// Whether the service can do its work: the store answers, and so did each system of each site
/// when it was asked last.
#[utoipa::path(
    get, path = "/readyz", tag = "service",
    responses((status = 200, body = Object), (status = 503, body = Object)),
)]
pub(super) async fn ready(State(routes): State<Routes>) -> Response {
    // A cluster that cannot be: the smallest question there is.
    let store = routes.store.load(&ClusterId(uuid::Uuid::nil())).await.map(|_| ()).map_err(|e| {
        tracing::warn!("the store does not answer: {}", chain(&e));
        e.code
    });
    let mut sites: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for site in routes.sites.views() {
        let systems = site.systems.into_iter().map(|s| (s.system, s.code.unwrap_or(s.health))).collect();
        sites.insert(site.name, systems);
    }
    let failing: Vec<_> = routes
        .sites
        .failing()
        .iter()
        .map(|(site, system, code)| format!("{site}/{}: {code}", system_word(*system)))
        .collect();
    let ready = store.is_ok() && failing.is_empty() && !*routes.stopping.borrow();
    let document: Value = json!({
        "ready": ready,
        "store": store.err().unwrap_or("ok"),
        "stopping": *routes.stopping.borrow(),
        "sites": sites,
        "failing": failing,
    });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(document)).into_response()
}

/// Counters in Prometheus' text form.
#[utoipa::path(get, path = "/metrics", tag = "service", responses((status = 200, body = String)))]
pub(super) async fn metrics(State(routes): State<Routes>) -> Result<Response, ApiError> {
    let (mut clusters, mut operations) = (BTreeMap::new(), BTreeMap::new());
    for (record, state) in routes.store.list(None).await? {
        let shown = view::cluster(&record, &state);
        let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
        let status = word(json!(shown.status));
        *clusters.entry((shown.site, status)).or_default() += 1;
        let operation = (word(json!(shown.operation.kind)), word(json!(shown.operation.state)));
        *operations.entry(operation).or_default() += 1;
    }
    let text = routes.metrics.text(&clusters, &operations, routes.supervisor.count());
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
