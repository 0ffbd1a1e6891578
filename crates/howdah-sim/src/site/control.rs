//! The control API, `/sandbox/v1`: inspects the world, injects faults, and connects external guests. It
//! belongs to the simulation, not to a simulated system.
//!
//! ```text
//!  GET    /state                     the objects, with counts of calls
//!  GET    /vms?cluster=              VMs and their cards (without bystanders)
//!  POST   /vms/{vm}/{action}         power_on, power_off, reset, destroy: as another user
//!  GET    /report?cluster=           the journal of latencies, with the floor
//!  GET    /violations?at_rest=true   invariants that do not hold
//!  POST   /port-groups               {"name", "network_id"}
//!  GET    /faults, POST /faults, DELETE /faults, DELETE /faults/{n}
//!  POST   /bystanders                {"count"}
//!  POST   /vcenter/end-sessions, POST /keystone/end-tokens
//!  POST   /bde/restart, POST /bde/maintenance {"on"}
//!  GET    /guests/events?after=      long poll, or SSE by its Accept header
//!  POST   /guests/address            {"vm", "boot", "nic", "address"}
//!  GET    /endpoints                 URLs, logins and the certificate's fingerprint
//! ```

use axum::extract::{FromRef, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use howdah_core::ids::VmRef;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Urls, guests, summary};
use crate::face::vcenter::VCenterFace;
use crate::invariants::Moment;
use crate::world::World;
use crate::world::faults::FaultRule;

/// What the control API works on.
#[derive(Clone)]
pub(super) struct Control {
    pub(super) world: World,
    pub(super) vcenter: VCenterFace,
}

impl FromRef<Control> for World {
    fn from_ref(control: &Control) -> Self {
        control.world.clone()
    }
}

impl FromRef<Control> for VCenterFace {
    fn from_ref(control: &Control) -> Self {
        control.vcenter.clone()
    }
}

pub(super) fn router(control: Control, urls: &Urls, fingerprint: Option<&str>) -> Router {
    let endpoints = control.world.read(|s| summary::endpoints(s, urls, fingerprint));
    let api = Router::new()
        .route("/state", get(state))
        .route("/vms", get(vms))
        .route("/vms/{vm}/{action}", post(act))
        .route("/report", get(report))
        .route("/violations", get(violations))
        .route("/port-groups", post(add_port_group))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/faults/{number}", delete(remove_fault))
        .route("/bystanders", post(add_bystanders))
        .route("/bde/restart", post(restart))
        .route("/bde/maintenance", post(maintenance))
        .route("/guests/events", get(guests::events))
        .route("/guests/address", post(guests::address))
        .route("/endpoints", get(move || async move { Json(endpoints) }))
        .route("/vcenter/end-sessions", post(end_sessions))
        .route("/keystone/end-tokens", post(end_tokens))
        .with_state(control);
    Router::new().nest("/sandbox/v1", api)
}

/// An error in the form that Howdah's own API has.
pub(super) fn refuse(status: StatusCode, code: &str, message: impl Into<String>) -> Response {
    (status, Json(json!({ "error": { "code": code, "message": message.into() } }))).into_response()
}

#[derive(Deserialize)]
struct OfCluster {
    cluster: Option<String>,
}

async fn state(State(world): State<World>) -> Json<Value> {
    let now = world.now();
    Json(world.read(|s| summary::state(s, now)))
}

async fn vms(State(world): State<World>, Query(of): Query<OfCluster>) -> Json<Value> {
    Json(world.read(|s| summary::vms(s, of.cluster.as_deref())))
}

async fn act(State(world): State<World>, Path((vm, action)): Path<(String, String)>) -> Response {
    let vm = world.read(|s| {
        let named = s.vc.vm_named(&vm).map(|v| v.moref.clone());
        named.unwrap_or_else(|| VmRef::new(vm.clone()))
    });
    let started = match action.as_str() {
        "power_on" => world.power_on_task(&vm),
        "power_off" => world.power_off_task(&vm),
        "reset" => world.reset_task(&vm),
        "destroy" => world.destroy_task(&vm),
        other => return refuse(StatusCode::NOT_FOUND, "unknown_action", format!("{other} is no action")),
    };
    let ended = match started {
        Ok(task) => world.task_end(&task).await,
        Err(fault) => Err(fault),
    };
    match ended {
        Ok(_) => Json(json!({ "vm": vm })).into_response(),
        Err(fault) => refuse(StatusCode::CONFLICT, fault.name, fault.message),
    }
}

async fn report(State(world): State<World>, Query(of): Query<OfCluster>) -> Json<Value> {
    Json(world.read(|s| {
        let mut clusters: Vec<_> = s.journal.vms.values().map(|t| t.cluster.clone()).collect();
        clusters.sort();
        clusters.dedup();
        clusters.retain(|c| !c.is_empty() && of.cluster.as_ref().is_none_or(|wanted| wanted == c));
        let reports: Vec<_> = clusters.iter().map(|c| s.journal.report(c)).collect();
        json!({ "clusters": reports })
    }))
}

#[derive(Deserialize)]
struct When {
    #[serde(default)]
    at_rest: bool,
}

async fn violations(State(world): State<World>, Query(when): Query<When>) -> Json<Value> {
    let moment = if when.at_rest { Moment::AtRest } else { Moment::Anytime };
    Json(json!({ "violations": world.invariants(moment, &[]) }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PortGroupBody {
    name: Option<String>,
    network_id: Option<String>,
}

/// A port group for a network of a Neutron that is not the world's own. Without a name it gets
/// the one that the site's backend gives.
async fn add_port_group(State(world): State<World>, Json(body): Json<PortGroupBody>) -> Response {
    let taken = |what: &str| refuse(StatusCode::CONFLICT, "port_group_exists", format!("there is a port group {what}"));
    let name = match (&body.name, &body.network_id) {
        (Some(name), _) if world.read(|s| s.vc.port_group_named(name).is_some()) => return taken(name),
        (Some(name), network) => {
            world.add_port_group(name, network.as_deref());
            name.clone()
        }
        (None, Some(id)) => {
            if world.read(|s| s.vc.port_groups.values().any(|p| p.network.as_ref() == Some(id))) {
                return taken(&format!("of network {id}"));
            }
            world.back_foreign_network(id).unwrap_or_default()
        }
        (None, None) => {
            return refuse(StatusCode::BAD_REQUEST, "missing_parameter", "name or network_id is needed");
        }
    };
    let key = world.read(|s| s.vc.port_group_named(&name).map(|(k, _)| k.clone()));
    (StatusCode::CREATED, Json(json!({ "key": key, "name": name }))).into_response()
}

async fn faults(State(world): State<World>) -> Json<Value> {
    Json(world.read(|s| {
        let rules: Vec<_> =
            s.faults.list().map(|(n, rule, met)| json!({ "number": n, "rule": rule, "met": met })).collect();
        json!({ "faults": rules })
    }))
}

async fn add_fault(State(world): State<World>, Json(rule): Json<FaultRule>) -> Response {
    let number = world.write(|s| s.faults.add(rule));
    (StatusCode::CREATED, Json(json!({ "number": number }))).into_response()
}

async fn remove_fault(State(world): State<World>, Path(number): Path<u64>) -> Response {
    if world.write(|s| s.faults.remove(number)) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        refuse(StatusCode::NOT_FOUND, "fault_not_found", format!("there is no fault {number}"))
    }
}

async fn clear_faults(State(world): State<World>) -> StatusCode {
    world.write(|s| s.faults.clear());
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bystanders {
    count: usize,
}

async fn add_bystanders(State(world): State<World>, Json(body): Json<Bystanders>) -> Json<Value> {
    world.add_bystanders(body.count);
    Json(json!({ "bystanders": world.read(|s| s.vc.bystanders) }))
}

/// Like a restart of vCenter: all clients must log in again.
async fn end_sessions(State(vcenter): State<VCenterFace>) -> Json<Value> {
    Json(json!({ "ended": vcenter.end_sessions() }))
}

/// Expires all tokens.
async fn end_tokens(State(world): State<World>) -> StatusCode {
    world.write(|s| s.keystone.tokens.clear());
    StatusCode::NO_CONTENT
}

async fn restart(State(world): State<World>) -> StatusCode {
    world.bde_restart();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Maintenance {
    on: bool,
}

async fn maintenance(State(world): State<World>, Json(body): Json<Maintenance>) -> StatusCode {
    world.write(|s| s.bde.maintenance = body.on);
    StatusCode::NO_CONTENT
}
