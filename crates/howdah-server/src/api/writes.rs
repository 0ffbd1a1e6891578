//! The routes that write.
//!
//! ```text
//!   read --> decide --> store, if nothing was changed meanwhile --> wake
//!    ^                    |
//!    +------ changed -----+
//! ```
//!
//! Invariants: every write can be repeated: its answer may have been lost. Whatever was stored is
//! worked on: a wake follows in the same breath, and nothing cuts a write off in the middle, see
//! [`outlive`](super::outlive).

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use howdah_core::cluster::{ClusterRecord, ClusterState, OperationKind, OperationRequest, Wanted};
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{ClusterId, ClusterKey, OperationId};
use howdah_core::traits::{NetworkGrant, NetworkWish, TOKEN_REFUSED};

use super::auth::{Caller, hash};
use super::body::Body;
use super::clusters::{Checked, Scope, parse};
use super::dto::{Accepted, ClusterBody, ErrorBody, StateBody};
use super::intent::{Intent, intent};
use super::visible::{of_caller, readable};
use super::wish::{Wish, wanted};
use super::{ApiError, Routes, view};
use crate::limits::Inside;
use crate::runtime::random_bytes;
use crate::sites::SiteHandles;

/// How often a write is decided anew because somebody else was faster.
const TRIES: usize = 5;

type Answer = Result<(StatusCode, Json<Accepted>), ApiError>;

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
    create(&routes, &caller, &id, &wish).await
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
    decide(&routes, &caller, &id, scope, wanted(body.state)).await
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
    decide(&routes, &caller, &id, scope, Wanted::Deleted).await
}

async fn create(routes: &Routes, caller: &Caller, id: &ClusterId, wish: &Wish) -> Answer {
    let key = ClusterKey { project: caller.project.clone(), id: *id };
    if let Some(row) = routes.store.load(&key).await? {
        return create_again(routes, caller, wish, &readable(row)?.0).await;
    }
    let site = routes.sites.choose(wish.choice())?;
    if !caller.is_of(&site.realm) {
        return Err(ApiError::SiteElsewhere { site: site.name.to_string() });
    }
    if wish.wanted() != Wanted::Running {
        return Err(ApiError::CreateStopped);
    }
    let spec = wish.spec(grant(site, caller, &wish.network).await?)?;
    let now = routes.clock.now();
    let (secrets, warnings) = wish.secrets(&routes.templates, now);
    let record = ClusterRecord {
        id: *id,
        site: site.name.clone(),
        project: caller.project.clone(),
        name: wish.name.clone(),
        spec,
        wanted: Wanted::Running,
        operation: operation(routes, caller, OperationKind::Create),
        created: now,
    };
    let door = admit(routes, &record).await?;
    let inserted = routes.store.insert(&record, &secrets, &warnings).await;
    drop(door);
    match inserted {
        Ok(()) => {}
        // The same request, at the same time, was a little faster.
        Err(e) if e.code == "cluster_id_taken" => {
            let other = routes.store.load(&key).await?.ok_or(ApiError::ClusterNotFound { id: *id })?;
            return create_again(routes, caller, wish, &readable(other)?.0).await;
        }
        Err(e) => return Err(e.into()),
    }
    tracing::info!(cluster = %key, name = %record.name, site = %record.site, user = caller.user, "asked for");
    // Kept before the controller is woken, which might be quick to remove the cluster; and woken
    // in any case.
    let capability = capability(routes, &key).await;
    routes.supervisor.wake(&key);
    Ok(accepted(&record, &ClusterState::default(), capability?))
}

async fn create_again(routes: &Routes, caller: &Caller, wish: &Wish, record: &ClusterRecord) -> Answer {
    let id = record.id;
    if !caller.sees(&record.project, &record.site, routes, false) {
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
    decide(routes, caller, &id, Scope::default(), wish.wanted()).await
}

/// Reads, decides and writes; again if somebody else wrote in between.
async fn decide(routes: &Routes, caller: &Caller, id: &ClusterId, scope: Scope, asked: Wanted) -> Answer {
    let (key, mut row) = of_caller(routes, caller, id, scope).await?;
    for _ in 0..TRIES {
        let (mut record, state) = readable(row)?;
        let intent = intent(&record, &state, asked);
        if intent == Intent::Refuse {
            return Err(ApiError::BeingDeleted { id: *id });
        }
        // Before anything is wanted: a controller that is quick may have removed the cluster after.
        let capability = capability(routes, &key).await?;
        let Intent::Begin(kind) = intent else {
            routes.supervisor.wake(&key);
            return Ok(accepted(&record, &state, capability));
        };
        let seen = std::mem::replace(&mut record.operation, operation(routes, caller, kind));
        record.wanted = asked;
        let door = if kind == OperationKind::Create { Some(admit(routes, &record).await?) } else { None };
        let stored = routes.store.want(&key, &seen.id, asked, &record.operation).await;
        drop(door);
        match stored {
            Ok(()) => {
                routes.supervisor.wake(&key);
                let user = &caller.user;
                tracing::info!(cluster = %key, name = %record.name, user, operation = ?kind, "asked for");
                return Ok(accepted(&record, &state, capability));
            }
            Err(e) if e.code == CHANGED => {}
            Err(e) => return Err(missing(e, id)),
        }
        row = routes.store.load(&key).await?.ok_or(ApiError::ClusterNotFound { id: *id })?;
    }
    Err(ApiError::Changed { id: *id })
}

/// Whether a create may begin beside what its project has. Until what is returned is dropped, no other
/// one may: the create has to be stored by then.
async fn admit<'r>(routes: &'r Routes, record: &ClusterRecord) -> Result<Inside<'r>, ApiError> {
    let inside = routes.door.enter().await;
    if inside.is_limited() {
        let project = routes.store.list(Some(&record.project)).await?;
        inside.check(record, &project).map_err(ApiError::LimitReached)?;
    }
    Ok(inside)
}

/// The store's code for a write that came too late.
const CHANGED: &str = "cluster_changed";

fn missing(error: RemoteError, id: &ClusterId) -> ApiError {
    if error.kind == ErrorKind::NotFound { ApiError::ClusterNotFound { id: *id } } else { error.into() }
}

/// A new read capability of a cluster.
async fn capability(routes: &Routes, key: &ClusterKey) -> Result<String, ApiError> {
    let bytes = random_bytes().map_err(|_| {
        RemoteError::new(System::Store, ErrorKind::Internal, "no_random_numbers", "the system gives no random numbers")
    })?;
    let capability: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    routes.store.put_capability(key, &hash(&capability)).await.map_err(|e| missing(e, &key.id))?;
    Ok(capability)
}

fn accepted(record: &ClusterRecord, state: &ClusterState, capability: String) -> (StatusCode, Json<Accepted>) {
    let (cluster, operation) = (view::cluster(record, state), view::operation(record, state));
    (StatusCode::ACCEPTED, Json(Accepted { cluster, operation, capability }))
}

fn operation(routes: &Routes, caller: &Caller, kind: OperationKind) -> OperationRequest {
    let (id, by) = (OperationId(routes.entropy.uuid()), caller.user_id.clone());
    OperationRequest { id, kind, requested: routes.clock.now(), by }
}

async fn grant(site: &SiteHandles, caller: &Caller, wish: &NetworkWish) -> Result<NetworkGrant, ApiError> {
    site.identity.grant(caller.token.as_ref(), wish).await.map_err(|e| match e.code {
        TOKEN_REFUSED => ApiError::TokenInvalid,
        _ => ApiError::Remote(e),
    })
}
