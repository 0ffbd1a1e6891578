//! The routes about the service itself. Invariant: the public routes (health, readiness, metrics) show
//! sites and counts, and nothing that belongs to a project.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use howdah_api::{ErrorBody, SiteList};
use howdah_core::failure::chain;
use serde_json::{Map, Value, json};

use super::auth::Caller;
use super::{ApiError, Routes};
use crate::metrics::system_word;

/// Lists the sites and the health of their systems.
#[utoipa::path(
    get, path = "/v1/sites", tag = "service",
    responses((status = 200, body = SiteList), (status = "default", body = ErrorBody)),
    security(("token" = [])),
)]
pub(super) async fn sites(State(routes): State<Routes>, _: Caller) -> Result<Json<SiteList>, ApiError> {
    Ok(Json(SiteList { sites: routes.sites.views() }))
}

/// Reports that the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "service", responses((status = 200, body = String)))]
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// Reports the readiness of the service: the store accepts writes, and each system of each site answered the
/// service's last own call. If not, the answer is 503 with an error whose details are the same document.
#[utoipa::path(
    get, path = "/readyz", tag = "service",
    responses((status = 200, body = Object), (status = 503, body = ErrorBody)),
)]
pub(super) async fn ready(State(routes): State<Routes>) -> Result<Json<Map<String, Value>>, ApiError> {
    let store = routes.store.try_write().await.err();
    if let Some(e) = &store {
        tracing::warn!("the store is failing: {}", chain(e));
    }
    let stopping = *routes.stopping.borrow();
    let mut sites: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for site in routes.sites.views() {
        let systems = site.systems.into_iter().map(|s| (s.system, s.code.unwrap_or(s.health))).collect();
        sites.insert(site.name, systems);
    }
    let systems = routes.sites.failing();
    let systems = systems.iter().map(|(site, system, code)| format!("{site}/{}: {code}", system_word(*system)));
    let mut failing: Vec<_> = store.iter().map(|e| format!("store: {}", e.code)).collect();
    failing.extend(systems);
    failing.extend(stopping.then(|| "the service is shutting down".to_owned()));
    let readiness = json!({
        "ready": failing.is_empty(),
        "store": store.as_ref().map_or("ok", |e| e.code),
        "stopping": stopping,
        "sites": sites,
        "failing": failing,
    });
    let Value::Object(readiness) = readiness else {
        return Ok(Json(Map::new()));
    };
    if failing.is_empty() {
        return Ok(Json(readiness));
    }
    Err(ApiError::NotReady { failing, hint: store.and_then(|e| e.hint), readiness })
}

/// Returns the metrics in Prometheus' text format. Reads no cluster.
#[utoipa::path(get, path = "/metrics", tag = "service", responses((status = 200, body = String)))]
pub(super) async fn metrics(State(routes): State<Routes>) -> Response {
    let (clusters, operations) = routes.tally.counts();
    let text = routes.metrics.text(&clusters, &operations, routes.supervisor.count());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
