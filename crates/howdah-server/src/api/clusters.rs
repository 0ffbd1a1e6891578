//! The routes that read clusters. [`writes`](super::writes) has those that write.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use howdah_api::{Cluster, Clusters, ErrorBody, ListedCluster};
use howdah_core::document::Row;
use howdah_core::ids::{ClusterId, ClusterKey, ProjectId};
use howdah_core::known::ClusterState;
use howdah_core::store::{Page, Trace};
use howdah_core::wanted::ClusterRecord;

use super::auth::Caller;
use super::query::{All, And, Checked, Paging, Scope, Site};
use super::visible::{of_reader, readable, site_of};
use super::{ApiError, Routes, view};

/// The default number of clusters on a page.
const PAGE: usize = 100;
/// The maximum number of clusters on a page.
const LIMIT: usize = 1000;

/// Lists the clusters of the requester's project, by time of creation, in pages.
///
/// Each entry has the short form, or with `detail=true` the long form. `next` is the marker of the next page;
/// the last page has none. A deleted cluster is still a valid marker for some days.
#[utoipa::path(
    get, path = "/v1/clusters", tag = "clusters", params(All, Paging, Site),
    responses((status = 200, body = Clusters<ListedCluster>), (status = "default", body = ErrorBody)),
    security(("token" = [])),
)]
pub(super) async fn list(
    State(routes): State<Routes>,
    caller: Caller,
    Checked(And(scope, paging)): Checked<And<All, Paging>>,
) -> Result<Json<Clusters<ListedCluster>>, ApiError> {
    caller.may_ask_for_all(scope.all_projects)?;
    let limit = match paging.limit {
        Some(0) => return Err(refused("limit", "must be at least 1")),
        limit => limit.unwrap_or(PAGE).min(LIMIT),
    };
    let mut after = match &paging.marker {
        Some(marker) => Some(place(&routes, &caller, marker, scope.all_projects).await?),
        None => None,
    };
    let project = (!scope.all_projects).then_some(&caller.project);
    // One more than the limit shows whether there is a next page. Clusters that the caller may not see do
    // not count, so that the size of a page reveals nothing.
    let mut seen = Vec::new();
    while seen.len() <= limit {
        let rows = routes.store.list(project, Page { after: after.as_ref(), limit: Some(limit + 1) }).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.key());
        seen.extend(
            rows.into_iter().filter(|row| caller.sees(&row.key().project, site_of(row), &routes, scope.all_projects)),
        );
    }
    let more = seen.len() > limit;
    seen.truncate(limit);
    let mut shown = Clusters::default();
    if let Some(last) = seen.last().filter(|_| more) {
        let ClusterKey { project, id } = last.key();
        shown.next = Some(if scope.all_projects { format!("{project}/{id}") } else { id.to_string() });
    }
    for row in seen {
        match row {
            Row::Cluster(cluster) => shown.clusters.push(listed(&cluster.0, &cluster.1, paging.detail)),
            Row::Unreadable(row) => shown.unreadable.push(view::unreadable(&row)),
        }
    }
    Ok(Json(shown))
}

fn listed(record: &ClusterRecord, state: &ClusterState, detail: bool) -> ListedCluster {
    match detail {
        true => ListedCluster::Detail(Box::new(view::cluster(record, state))),
        false => ListedCluster::Summary(Box::new(view::summary(record, state))),
    }
}

/// The cluster of a marker, which may have been deleted. A cluster that the caller may not see counts as
/// missing.
async fn place(routes: &Routes, caller: &Caller, marker: &str, all: bool) -> Result<ClusterKey, ApiError> {
    let unknown = || refused("marker", "no cluster of the list has this ID");
    let (project, id) = match marker.rsplit_once('/') {
        Some((project, id)) if all => (ProjectId::from(project), id),
        _ => (caller.project.clone(), marker),
    };
    let key = ClusterKey { project, id: id.parse().map_err(|_| unknown())? };
    let traces = routes.store.traces(&key.id).await?;
    let visible = |trace: &Trace| trace.key == key && caller.sees(&key.project, &trace.site, routes, all);
    if traces.iter().any(visible) { Ok(key) } else { Err(unknown()) }
}

fn refused(field: &str, says: &str) -> ApiError {
    ApiError::InvalidField { field: field.to_owned(), says: says.to_owned() }
}

/// One cluster.
#[utoipa::path(
    get, path = "/v1/clusters/{id}", tag = "clusters", params(("id" = uuid::Uuid, Path), Scope, Site),
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
