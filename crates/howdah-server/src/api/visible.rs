//! Which cluster a request is about. Invariant: what the requester may not see is not there, in
//! whatever way it is looked for.

use axum::http::request::Parts;
use howdah_core::cluster::{ClusterRecord, ClusterState};
use howdah_core::document::Row;
use howdah_core::ids::{ClusterId, ClusterKey, SiteName};

use super::auth::{Caller, Reader};
use super::clusters::Scope;
use super::{ApiError, Routes};

/// A cluster that can be read: its record and its state.
pub(super) type Cluster = (ClusterRecord, ClusterState);

/// The row, if it can be read.
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

/// The cluster of this id that the caller may see: their project's, or, for admins who ask for all
/// projects, the only one of that id.
pub(super) async fn of_caller(
    routes: &Routes,
    caller: &Caller,
    id: &ClusterId,
    scope: Scope,
) -> Result<(ClusterKey, Row), ApiError> {
    caller.may_ask_for_all(scope.all_projects)?;
    let keys = if scope.all_projects {
        routes.store.find(id).await?
    } else {
        vec![ClusterKey { project: caller.project.clone(), id: *id }]
    };
    let mut found = vec![];
    for key in keys {
        let row = routes.store.load(&key).await?;
        found.extend(
            row.filter(|row| caller.sees(&key.project, site_of(row), routes, scope.all_projects)).map(|row| (key, row)),
        );
    }
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(ApiError::ClusterNotFound { id: *id }),
        (Some((last, _)), false) => {
            let projects = found.into_iter().map(|(key, _)| key).chain([last]).map(|key| key.project.to_string());
            Err(ApiError::ClusterAmbiguous { id: *id, projects: projects.collect() })
        }
    }
}

/// The key of the cluster that a reader may follow. A capability is good for that even when the
/// cluster is gone, so that a delete can be followed to its end.
pub(super) async fn of_reader(
    routes: &Routes,
    parts: &Parts,
    id: &ClusterId,
    scope: Scope,
) -> Result<ClusterKey, ApiError> {
    match Reader::of(parts, routes, id).await? {
        Reader::Bearer(key) => Ok(key),
        Reader::Caller(caller) => of_caller(routes, &caller, id, scope).await.map(|(key, _)| key),
    }
}
