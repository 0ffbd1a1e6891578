//! The routes that write.
//!
//! ```text
//!   read --> decide --> store, if unchanged since the read --> wake
//!    ^                    |
//!    +------ changed -----+
//! ```
//!
//! Invariants: every write is idempotent, because its answer may be lost. A stored change always wakes the
//! controller, and nothing aborts a write in the middle, see [`outlive`](super::outlive). Each accepted
//! operation has one capability ([`howdah_core::capability`]): a write that changes nothing returns the
//! existing one, and so does a repeated write.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Request, State};
use axum::http::StatusCode;
use howdah_api::{Accepted, ClusterBody, ErrorBody, StateBody};
use howdah_core::capability;
use howdah_core::failure::{ErrorKind, RemoteError};
use howdah_core::ids::{ClusterId, ClusterKey, OperationId};
use howdah_core::known::ClusterState;
use howdah_core::request::current;
use howdah_core::systems::identity::{NetworkGrant, NetworkWish, TOKEN_REFUSED};
use howdah_core::wanted::{ClusterRecord, Goal, OperationKind, OperationRequest};
use secrecy::ExposeSecret;

use super::auth::{self, AuthMode, Caller, hash};
use super::body::Body;
use super::clusters::parse;
use super::intent::{Intent, intent};
use super::query::{Checked, Place, Scope, Site};
use super::visible::{Cluster, of_caller, readable};
use super::wish::{Wish, choice, wanted};
use super::{ApiError, Routes, realm, view};
use crate::limits::Inside;
use crate::sites::{Choice, SiteHandles};

/// How often a write is retried after concurrent changes.
const TRIES: usize = 5;

type Answer = Result<(StatusCode, Json<Accepted>), ApiError>;

/// Creates a cluster. The request is idempotent.
///
/// The client chooses the ID, so that it can repeat the request safely. The same ID with a different
/// fixed part is refused with the names of the fields that differ.
#[utoipa::path(
    put, path = "/v1/clusters/{id}", tag = "clusters", params(("id" = uuid::Uuid, Path), Place, Site),
    request_body = ClusterBody,
    responses((status = 202, body = Accepted), (status = "default", body = ErrorBody)),
    security(("token" = [])),
)]
pub(super) async fn want(
    State(routes): State<Routes>,
    Path(id): Path<String>,
    Checked(place): Checked<Place>,
    Claim { caller, body, site }: Claim,
) -> Answer {
    let id = parse(&id)?;
    caller.may_write()?;
    // Otherwise an admin who works on another project's stack would create a second cluster in their own.
    if place.named().is_some_and(|project| project != caller.project) {
        return Err(ApiError::ClusterNotVisible { id });
    }
    let wish = Wish::read(body)?;
    create(&routes, &caller, &id, &wish, site.as_deref()).await
}

/// A requested cluster, with its requester and the site outside the body.
pub(super) struct Claim {
    caller: Caller,
    body: ClusterBody,
    site: Option<String>,
}

impl FromRequest<Routes> for Claim {
    type Rejection = ApiError;

    /// Authentication comes first, except with several clouds: there the body may have to select the
    /// Keystone that verifies the token.
    async fn from_request(request: Request, routes: &Routes) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let site = realm::named(&parts)?;
        let by_body = routes.auth == AuthMode::Keystone && site.is_none() && routes.sites.realms().len() > 1;
        if !by_body {
            let caller = Caller::from_request_parts(&mut parts, routes).await?;
            let Body(body) = Body::from_request(Request::from_parts(parts, body), routes).await?;
            return Ok(Self { caller, body, site });
        }
        let Path(id) =
            Path::<String>::from_request_parts(&mut parts, routes).await.map_err(|_| ApiError::TokenInvalid)?;
        if !auth::has_token(&parts.headers) {
            return Err(ApiError::TokenMissing);
        }
        let head = parts.clone();
        let Body(body) = Body::<ClusterBody>::from_request(Request::from_parts(parts, body), routes).await?;
        let caller = auth::caller(&head, routes, Some(choice(&body)), id.parse().ok()).await?;
        Ok(Self { caller, body, site })
    }
}

/// Starts or stops a cluster.
#[utoipa::path(
    put, path = "/v1/clusters/{id}/state", tag = "clusters", params(("id" = uuid::Uuid, Path), Scope, Site),
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
    decide(&routes, &caller, &id, &scope, wanted(body.state)).await
}

/// Deletes a cluster, its VMs and its ports.
#[utoipa::path(
    delete, path = "/v1/clusters/{id}", tag = "clusters", params(("id" = uuid::Uuid, Path), Scope, Site),
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
    decide(&routes, &caller, &id, &scope, Goal::Deleted).await
}

async fn create(routes: &Routes, caller: &Caller, id: &ClusterId, wish: &Wish, named: Option<&str>) -> Answer {
    let key = ClusterKey { project: caller.project.clone(), id: *id };
    if let Some(row) = routes.store.load(&key).await? {
        return create_again(routes, caller, wish, readable(row)?).await;
    }
    let choice = wish.choice();
    let choice = if choice.says_something() { choice } else { Choice { site: named, ..choice } };
    let site = routes.sites.choose(choice)?;
    if !caller.is_of(&site.realm) {
        return Err(ApiError::SiteElsewhere { site: site.name.to_string() });
    }
    if wish.wanted() != Goal::Running {
        return Err(ApiError::CreateStopped);
    }
    let sealed = wish.sealed(&routes.marks, &key, &wish.demand(&site.rules)?);
    let spec = wish.spec(&routes.marks, &key, grant(site, caller, &wish.network).await?, sealed)?;
    let now = routes.clock.now();
    let (secrets, warnings) = wish.secrets(&routes.templates, now);
    let record = ClusterRecord {
        id: *id,
        site: site.name.clone(),
        project: caller.project.clone(),
        name: wish.name.clone(),
        spec,
        shape: wish.shape(),
        operation: operation(routes, caller, OperationKind::Create),
        created: now,
    };
    let door = admit(routes, &record).await?;
    let inserted = routes.store.insert(&record, &secrets, &warnings).await;
    drop(door);
    match inserted {
        Ok(()) => {}
        // A concurrent identical request was faster.
        Err(e) if e.code == "cluster_id_taken" => {
            let other = routes.store.load(&key).await?.ok_or(ApiError::ClusterNotFound { id: *id })?;
            return create_again(routes, caller, wish, readable(other)?).await;
        }
        Err(e) => return Err(e.into()),
    }
    tracing::info!(cluster = %key, name = %record.name, site = %record.site, user = caller.user, "asked for");
    routes.supervisor.wake(&key);
    let capability = capability(routes, &key, &record).await?;
    Ok(accepted(&record, &ClusterState::default(), capability))
}

async fn create_again(routes: &Routes, caller: &Caller, wish: &Wish, (record, state): Cluster) -> Answer {
    let id = record.id;
    if !caller.sees(&record.project, &record.site, routes, false) {
        return Err(ApiError::IdTaken { id });
    }
    if let Intent::Refuse(why) = intent(&record, &state, wish.wanted()) {
        return Err(why.of(id));
    }
    let choice = wish.choice();
    let site = match (choice.site, choice.bde_endpoint, choice.vcm_server) {
        (None, None, None) => None,
        _ => Some(routes.sites.choose(choice)?.name.as_str()),
    };
    let grant = match routes.sites.get(&record.site) {
        Some(site) if !wish.names_the_same(&record) => Some(self::grant(site, caller, &wish.network).await?),
        _ => None,
    };
    let differences = wish.differences(&record, site, grant.as_ref(), &routes.marks);
    if !differences.is_empty() {
        return Err(ApiError::SpecDiffers { id, differences });
    }
    decide(routes, caller, &id, &Scope::of(&caller.project), wish.wanted()).await
}

/// Reads, decides and writes; retries after a concurrent change.
async fn decide(routes: &Routes, caller: &Caller, id: &ClusterId, scope: &Scope, asked: Goal) -> Answer {
    let (key, mut row) = of_caller(routes, caller, id, scope).await?;
    for _ in 0..TRIES {
        let (mut record, state) = readable(row)?;
        let kind = match intent(&record, &state, asked) {
            Intent::Refuse(why) => return Err(why.of(*id)),
            Intent::Keep => {
                routes.supervisor.wake(&key);
                let capability = capability(routes, &key, &record).await?;
                return Ok(accepted(&record, &state, capability));
            }
            Intent::Begin(kind) => kind,
        };
        // No controller would run it.
        if routes.sites.get(&record.site).is_none() {
            return Err(ApiError::SiteGone { site: record.site.to_string() });
        }
        let seen = std::mem::replace(&mut record.operation, operation(routes, caller, kind));
        record.shape = record.shape.with_goal(asked);
        let door = if kind == OperationKind::Create { Some(admit(routes, &record).await?) } else { None };
        let stored = routes.store.want(&key, &seen.id, asked, &record.operation).await;
        drop(door);
        match stored {
            Ok(()) => {
                routes.supervisor.wake(&key);
                let user = &caller.user;
                tracing::info!(cluster = %key, name = %record.name, user, operation = ?kind, "asked for");
                let capability = capability(routes, &key, &record).await?;
                return Ok(accepted(&record, &state, capability));
            }
            Err(e) if e.code == CHANGED => {}
            Err(e) => return Err(missing(e, id)),
        }
        row = routes.store.load(&key).await?.ok_or(ApiError::ClusterNotFound { id: *id })?;
    }
    Err(ApiError::Changed { id: *id })
}

/// Checks the project's limits for a create. The returned guard blocks other creates until it is dropped;
/// the create must be stored by then.
async fn admit<'r>(routes: &'r Routes, record: &ClusterRecord) -> Result<Inside<'r>, ApiError> {
    let inside = routes.door.enter().await;
    if inside.is_limited() {
        let key = record.key();
        let is_there = routes.store.traces(&key.id).await?.iter().any(|trace| trace.key == key && !trace.removed);
        let others = routes.store.usage_beside(&key).await?;
        inside.check(record, is_there, others).map_err(ApiError::LimitReached)?;
    }
    Ok(inside)
}

/// The store's code for a write after a concurrent change.
const CHANGED: &str = "cluster_changed";

fn missing(error: RemoteError, id: &ClusterId) -> ApiError {
    if error.kind == ErrorKind::NotFound { ApiError::ClusterNotFound { id: *id } } else { error.into() }
}

/// The read capability of the newest operation. It is stored after the operation; if that fails, a
/// repeated request stores it.
async fn capability(routes: &Routes, key: &ClusterKey, record: &ClusterRecord) -> Result<String, ApiError> {
    let capability = capability::of(&routes.marks, key, &record.operation.id);
    let hash = hash(capability.expose_secret());
    if routes.store.by_capability(&key.id, &hash).await?.is_none() {
        routes.store.put_capability(key, &hash).await.map_err(|e| missing(e, &key.id))?;
    }
    Ok(capability.expose_secret().to_owned())
}

fn accepted(record: &ClusterRecord, state: &ClusterState, capability: String) -> (StatusCode, Json<Accepted>) {
    let (cluster, operation) = (view::cluster(record, state), view::operation(record, state));
    (StatusCode::ACCEPTED, Json(Accepted { cluster, operation, capability }))
}

fn operation(routes: &Routes, caller: &Caller, kind: OperationKind) -> OperationRequest {
    let (id, by) = (OperationId(routes.entropy.uuid()), caller.user_id.clone());
    OperationRequest { id, kind, requested: routes.clock.now(), by, request: current() }
}

async fn grant(site: &SiteHandles, caller: &Caller, wish: &NetworkWish) -> Result<NetworkGrant, ApiError> {
    site.identity.grant(caller.token.as_ref(), wish).await.map_err(|e| match e.code {
        TOKEN_REFUSED => ApiError::TokenInvalid,
        _ => ApiError::Remote(e),
    })
}
