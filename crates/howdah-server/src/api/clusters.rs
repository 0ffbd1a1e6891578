//! The routes that read clusters. What writes is in [`writes`](super::writes).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use howdah_core::document::Row;
use howdah_core::ids::ClusterId;
use howdah_core::store::Page;

use super::auth::Caller;
use super::dto::{Cluster, Clusters, ErrorBody};
use super::query::{All, Checked, Scope};
use super::visible::{of_reader, readable, site_of};
use super::{ApiError, Routes, view};

/// All clusters of the requester's project.
#[utoipa::path(
    get, path = "/v1/clusters", tag = "clusters", params(All),
    responses((status = 200, body = Clusters), (status = "default", body = ErrorBody)),
    security(("token" = [])),
)]
pub(super) async fn list(
    State(routes): State<Routes>,
    caller: Caller,
    Checked(scope): Checked<All>,
) -> Result<Json<Clusters>, ApiError> {
    caller.may_ask_for_all(scope.all_projects)?;
    let project = (!scope.all_projects).then_some(&caller.project);
    let mut shown = Clusters::default();
    for row in routes.store.list(project, Page::WHOLE).await? {
        if !caller.sees(&row.key().project, site_of(&row), &routes, scope.all_projects) {
            continue;
        }
        match row {
            Row::Cluster(cluster) => shown.clusters.push(view::cluster(&cluster.0, &cluster.1)),
            Row::Unreadable(row) => shown.unreadable.push(view::unreadable(&row)),
        }
    }
    Ok(Json(shown))
}

/// One cluster.
#[utoipa::path(
    get, path = "/v1/clusters/{id}", tag = "clusters", params(("id" = uuid::Uuid, Path), Scope),
    responses((status = 200, body = Cluster), (status = "default", body = ErrorBody)),
    security(("token" = []), ("capability" = [])),
)]
pub(super) async fn show(
    State(routes): State<Routes>,
    Path(id): Path<String>,
    Checked(scope): Checked<Scope>,
    parts: Parts,
) -> Result<Json<Cluster>, ApiError> {
    let id = parse(&id)?;
    let (_, key) = of_reader(&routes, &parts, &id, &scope).await?;
    let row = routes.store.load(&key).await?.ok_or(ApiError::ClusterNotFound { id })?;
    let (record, state) = readable(row)?;
    Ok(Json(view::cluster(&record, &state)))
}

pub(super) fn parse(id: &str) -> Result<ClusterId, ApiError> {
    id.parse().map_err(|_| ApiError::InvalidId { id: id.chars().take(64).collect() })
}
