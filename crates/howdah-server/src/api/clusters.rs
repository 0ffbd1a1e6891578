//! The routes of clusters. Invariant: every write can be repeated: its answer may have been lost.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use howdah_core::cluster::{ClusterRecord, ClusterState, OperationKind, OperationRequest, Wanted};
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{ClusterId, OperationId};
use howdah_core::traits::{NetworkGrant, NetworkWish, TOKEN_REFUSED};
use serde::Deserialize;
use utoipa::IntoParams;

use super::auth::{Caller, Reader, hash};
use super::body::Body;
use super::dto::{Accepted, Cluster, ClusterBody, Clusters, ErrorBody, StateBody};
use super::intent::{Intent, intent};
use super::wish::{Wish, wanted};
use super::{ApiError, Routes, view};
use crate::runtime::random_bytes;
use crate::sites::SiteHandles;

/// How far the requester wants to see.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Scope {
    /// Admins only: clusters of every project.
    #[serde(default)]
    pub(super) all_projects: bool,
}

/// A query string, read strictly.
pub(super) struct Checked<T>(pub(super) T);

impl<T: serde::de::DeserializeOwned> axum::extract::FromRequestParts<Routes> for Checked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, routes: &Routes) -> Result<Self, ApiError> {
        Query::<T>::from_request_parts(parts, routes)
            .await
            .map(|Query(query)| Self(query))
            .map_err(|e| ApiError::InvalidQuery { says: howdah_core::failure::chain(&e) })
    }
}

type Answer = Result<(StatusCode, Json<Accepted>), ApiError>;

/// All clusters of the requester's project.
#[utoipa::path(
    get, path = "/v1/clusters", tag = "clusters", params(Scope),
    responses((status = 200, body = Clusters), (status = "default", body = ErrorBody)),
    security(("token" = [])),
)]
pub(super) async fn list(
    State(routes): State<Routes>,
    caller: Caller,
    Checked(scope): Checked<Scope>,
) -> Result<Json<Clusters>, ApiError> {
    caller.may_ask_for_all(scope.all_projects)?;
    let project = (!scope.all_projects).then_some(&caller.project);
    let rows = routes.store.list(project).await?;
    let seen = rows.iter().filter(|(record, _)| caller.sees(record, &routes, scope.all_projects));
    Ok(Json(Clusters { clusters: seen.map(|(record, state)| view::cluster(record, state)).collect() }))
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
    let reader = Reader::of(&parts, &routes, &id).await?;
    let (record, state) = visible(&routes, &reader, &id, scope).await?;
    Ok(Json(view::cluster(&record, &state)))
}

/// Asks for a cluster, or for the same one again.
///
/// The caller chooses the id, so that the request can be repeated safely. The same id with another
/// unchangeable part is refused with the names of the fields that differ.
#[utoipa::path(
    put, path = "/v1/clusters/{id}", tag = "clusters", params(("id" = uuid::Uuid, Path)),
    request_body = ClusterBody,
    responses((status = 202, body = Accepted), (status = "default", body = ErrorBody)),
    security(("token" = [])),
)]
pub(super) async fn want(
    State(routes): State<Routes>,
    Path(id): Path<String>,
    caller: Caller,
    Body(body): Body<ClusterBody>,
) -> Answer {
    let id = parse(&id)?;
    caller.may_write()?;
    let wish = Wish::read(body)?;
    if let Some((record, _)) = routes.store.load(&id).await? {
        return want_again(&routes, &caller, &wish, &record).await;
    }
    let site = routes.sites.choose(wish.choice())?;
    if !caller.is_of(&site.realm) {
        return Err(ApiError::SiteElsewhere { site: site.name.to_string() });
    }
    if wish.wanted() != Wanted::Running {
        return Err(ApiError::CreateStopped);
    }
    let spec = wish.spec(grant(site, &caller, &wish.network).await?)?;
    let now = routes.clock.now();
    let (secrets, warnings) = wish.secrets(&routes.templates, now);
    let operation = operation(&routes, OperationKind::Create);
    let record = ClusterRecord {
        id,
        site: site.name.clone(),
        project: caller.project.clone(),
        name: wish.name.clone(),
        spec,
        wanted: Wanted::Running,
        operation,
        created: now,
    };
    match routes.store.insert(&record, &secrets).await {
        Ok(()) => {}
        // The same request, at the same time, was a little faster.
        Err(e) if e.code == "cluster_id_taken" => {
            let (other, _) = routes.store.load(&id).await?.ok_or(ApiError::ClusterNotFound { id })?;
            return want_again(&routes, &caller, &wish, &other).await;
        }
        Err(e) => return Err(e.into()),
    }
    tracing::info!(cluster = %id, name = %record.name, site = %record.site, user = caller.user, "asked for");
    routes.store.add_events(&id, &warnings).await?;
    accept(&routes, &record, &ClusterState::default()).await
}

async fn want_again(routes: &Routes, caller: &Caller, wish: &Wish, record: &ClusterRecord) -> Answer {
    let id = record.id;
    if !caller.sees(record, routes, false) {
        return Err(ApiError::IdTaken { id });
    }
    if record.wanted == Wanted::Deleted {
        return Err(ApiError::BeingDeleted { id });
    }
    let choice = wish.choice();
    let site = match (choice.site, choice.bde_endpoint, choice.vcm_server) {
        (None, None, None) => None,
        _ => Some(routes.sites.choose(choice)?.name.as_str()),
    };
    let grant = match routes.sites.get(&record.site) {
        Some(site) if !wish.names_the_same(record) => Some(self::grant(site, caller, &wish.network).await?),
        _ => None,
    };
    let differences = wish.differences(record, site, grant.as_ref());
    if !differences.is_empty() {
        return Err(ApiError::SpecDiffers { id, differences });
    }
    decide(routes, caller, &id, wish.wanted(), |_| true).await
}

/// Starts or stops a cluster.
#[utoipa::path(
    put, path = "/v1/clusters/{id}/state", tag = "clusters", params(("id" = uuid::Uuid, Path), Scope),
    request_body = StateBody,
    responses((status = 202, body = Accepted), (status = "default", body = ErrorBody)),
    security(("token" = [])),
)]
pub(super) async fn want_state(
    State(routes): State<Routes>,
    Path(id): Path<String>,
    caller: Caller,
    Checked(scope): Checked<Scope>,
    Body(body): Body<StateBody>,
) -> Answer {
    let id = parse(&id)?;
    caller.may_write()?;
    caller.may_ask_for_all(scope.all_projects)?;
    decide(&routes, &caller, &id, wanted(body.state), |r| caller.sees(r, &routes, scope.all_projects)).await
}

/// Removes a cluster and everything that was made for it.
#[utoipa::path(
    delete, path = "/v1/clusters/{id}", tag = "clusters", params(("id" = uuid::Uuid, Path), Scope),
    responses((status = 202, body = Accepted), (status = "default", body = ErrorBody)),
    security(("token" = [])),
)]
pub(super) async fn delete(
    State(routes): State<Routes>,
    Path(id): Path<String>,
    caller: Caller,
    Checked(scope): Checked<Scope>,
) -> Answer {
    let id = parse(&id)?;
    caller.may_write()?;
    caller.may_ask_for_all(scope.all_projects)?;
    decide(&routes, &caller, &id, Wanted::Deleted, |r| caller.sees(r, &routes, scope.all_projects)).await
}

/// Reads, decides and writes in one go; see [`Routes::deciding`].
async fn decide(
    routes: &Routes,
    caller: &Caller,
    id: &ClusterId,
    asked: Wanted,
    visible: impl Fn(&ClusterRecord) -> bool,
) -> Answer {
    let gone = || ApiError::ClusterNotFound { id: *id };
    let _turn = routes.deciding.lock().await;
    let (mut record, state) = routes.store.load(id).await?.filter(|(r, _)| visible(r)).ok_or_else(gone)?;
    match intent(&record, &state, asked) {
        Intent::Keep => {}
        Intent::Refuse => return Err(ApiError::BeingDeleted { id: *id }),
        Intent::Begin(kind) => {
            record.operation = operation(routes, kind);
            record.wanted = asked;
            match routes.store.want(id, asked, &record.operation).await {
                Err(e) if e.kind == ErrorKind::NotFound => return Err(gone()),
                done => done?,
            }
            tracing::info!(cluster = %id, name = %record.name, user = caller.user, operation = ?kind, "asked for");
        }
    }
    accept(routes, &record, &state).await
}

/// The answer to a write. The capability is kept before the controller is woken: it may be quick
/// to remove the cluster.
async fn accept(routes: &Routes, record: &ClusterRecord, state: &ClusterState) -> Answer {
    let bytes = random_bytes().map_err(|_| {
        RemoteError::new(System::Store, ErrorKind::Internal, "no_random_numbers", "the system gives no random numbers")
    })?;
    let capability: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match routes.store.put_capability(&record.id, &hash(&capability)).await {
        Err(e) if e.kind == ErrorKind::NotFound => return Err(ApiError::ClusterNotFound { id: record.id }),
        done => done?,
    }
    routes.supervisor.wake(record.id);
    let accepted =
        Accepted { cluster: view::cluster(record, state), operation: view::operation(record, state), capability };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

fn operation(routes: &Routes, kind: OperationKind) -> OperationRequest {
    OperationRequest { id: OperationId(routes.entropy.uuid()), kind, requested: routes.clock.now() }
}

async fn grant(site: &SiteHandles, caller: &Caller, wish: &NetworkWish) -> Result<NetworkGrant, ApiError> {
    site.identity.grant(caller.token.as_ref(), wish).await.map_err(|e| match e.code {
        TOKEN_REFUSED => ApiError::TokenInvalid,
        _ => ApiError::Remote(e),
    })
}

/// A cluster as far as the reader may see it.
async fn visible(
    routes: &Routes,
    reader: &Reader,
    id: &ClusterId,
    scope: Scope,
) -> Result<(ClusterRecord, ClusterState), ApiError> {
    if let Reader::Caller(caller) = reader {
        caller.may_ask_for_all(scope.all_projects)?;
    }
    let sees = |record: &ClusterRecord| match reader {
        Reader::Bearer => true,
        Reader::Caller(caller) => caller.sees(record, routes, scope.all_projects),
    };
    routes.store.load(id).await?.filter(|(r, _)| sees(r)).ok_or(ApiError::ClusterNotFound { id: *id })
}

/// Whether the reader may follow the cluster's events. Its capability is good for that even when
/// the cluster is gone, so that a delete can be followed to its end.
pub(super) async fn may_follow(routes: &Routes, reader: &Reader, id: &ClusterId, scope: Scope) -> Result<(), ApiError> {
    match reader {
        Reader::Bearer => Ok(()),
        Reader::Caller(_) => visible(routes, reader, id, scope).await.map(|_| ()),
    }
}

pub(super) fn parse(id: &str) -> Result<ClusterId, ApiError> {
    id.parse().map_err(|_| ApiError::InvalidId { id: id.chars().take(64).collect() })
}
