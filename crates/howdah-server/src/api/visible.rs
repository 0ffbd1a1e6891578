//! Finds the cluster of a request, and the answer if there is none.
//!
//! `cluster_not_found` means that the cluster is deleted, and makes Heat drop the resource. So only
//! requesters who may know it get that answer, and only if it is true:
//!
//! | requester | the cluster does not exist | it belongs to another project or cloud |
//! |---|---|---|
//! | names the project, and may see it | `cluster_not_found` | `cluster_not_visible` |
//! | names no project, and their project had the cluster, as far as stored | `cluster_not_found` | |
//! | names no project | `cluster_not_visible` | `cluster_not_visible` |
//! | the operator | `cluster_not_found` | `cluster_not_visible`, without `all_projects` |
//! | the bearer of a capability, as long as it is stored | `cluster_not_found` | |
//!
//! Invariant: a cluster that the requester may not see looks like a missing one in every query: for
//! everyone but the operator, the two columns of a `cluster_not_visible` are the same answer.

use axum::http::request::Parts;
use howdah_core::document::Row;
use howdah_core::ids::{ClusterId, ClusterKey, SiteName};
use howdah_core::known::ClusterState;
use howdah_core::wanted::ClusterRecord;

use super::auth::{Caller, Reader};
use super::query::Scope;
use super::{ApiError, Routes};

/// A readable cluster: its record and its state.
pub(super) type Cluster = (ClusterRecord, ClusterState);

/// The row, if it is readable.
pub(super) fn readable(row: Row) -> Result<Cluster, ApiError> {
    match row {
        Row::Cluster(cluster) => Ok(*cluster),
        Row::Unreadable(row) => Err(ApiError::Unreadable(row)),
    }
}

/// The site of a row.
pub(super) const fn site_of(row: &Row) -> &SiteName {
    match row {
        Row::Cluster(cluster) => &cluster.0.site,
        Row::Unreadable(row) => &row.site,
    }
}

/// The cluster of this ID that the caller may see: their project's, or, for admins with `all_projects`,
/// the one of the named project, or the only one of that ID.
pub(super) async fn of_caller(
    routes: &Routes,
    caller: &Caller,
    id: &ClusterId,
    scope: &Scope,
) -> Result<(ClusterKey, Row), ApiError> {
    caller.may_ask_for_all(scope.all_projects)?;
    let named = scope.named();
    if named.as_ref().is_some_and(|project| *project != caller.project) && !scope.all_projects {
        return Err(ApiError::ClusterNotVisible { id: *id });
    }
    let keys = match &named {
        None if scope.all_projects => routes.store.traces(id).await?.into_iter().map(|trace| trace.key).collect(),
        None => vec![ClusterKey { project: caller.project.clone(), id: *id }],
        Some(project) => vec![ClusterKey { project: project.clone(), id: *id }],
    };
    let (mut found, mut hidden) = (vec![], false);
    for key in keys {
        if let Some(row) = routes.store.load(&key).await? {
            let seen = caller.sees(&key.project, site_of(&row), routes, scope.all_projects);
            hidden |= !seen;
            found.extend(seen.then_some((key, row)));
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) if !hidden && is_gone(routes, caller, id, named.is_some()).await? => {
            Err(ApiError::ClusterNotFound { id: *id })
        }
        (None, _) => Err(ApiError::ClusterNotVisible { id: *id }),
        (Some((last, _)), false) => {
            let projects = found.into_iter().map(|(key, _)| key).chain([last]).map(|key| key.project.to_string());
            Err(ApiError::ClusterAmbiguous { id: *id, projects: projects.collect() })
        }
    }
}

/// Whether a cluster that was not found is deleted, and the caller may know that.
async fn is_gone(routes: &Routes, caller: &Caller, id: &ClusterId, named: bool) -> Result<bool, ApiError> {
    if named {
        return Ok(true);
    }
    let traces = routes.store.traces(id).await?;
    let was_theirs = traces.iter().any(|trace| trace.removed && trace.key.project == caller.project);
    Ok(was_theirs || (caller.is_operator() && traces.iter().all(|trace| trace.removed)))
}

/// The reader, and the key of the cluster that they may follow. A capability stays valid for that after the
/// cluster is deleted, so that a client can follow a delete to its end.
pub(super) async fn of_reader(
    routes: &Routes,
    parts: &Parts,
    id: &ClusterId,
    scope: &Scope,
) -> Result<(Reader, ClusterKey), ApiError> {
    let reader = Reader::of(parts, routes, id).await?;
    let key = match &reader {
        Reader::Bearer { key, .. } => key.clone(),
        Reader::Caller(caller) => of_caller(routes, caller, id, scope).await?.0,
    };
    Ok((reader, key))
}
