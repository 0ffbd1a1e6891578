//! The part of the control API for those who run real DHCP clients for the world's VMs.

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use howdah_core::ids::VmRef;
use serde::Deserialize;
use serde_json::json;

use super::control::refuse;
use crate::world::World;
use crate::world::external::GuestEvent;

/// How long a long poll waits for news.
const POLL: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: u64,
}

/// Events after a number: at once if there are any, else when there is one, else an empty list
/// after 30 s. With `Accept: text/event-stream` they are streamed, resumed by `Last-Event-ID`.
pub(super) async fn events(State(world): State<World>, Query(from): Query<After>, headers: HeaderMap) -> Response {
    let header = |name| headers.get(name).and_then(|v| v.to_str().ok());
    if header(header::ACCEPT.as_str()).is_some_and(|a| a.contains("text/event-stream")) {
        let after = header("last-event-id").and_then(|n| n.parse().ok()).unwrap_or(from.after);
        return stream_from(world, after).into_response();
    }
    let found = tokio::time::timeout(POLL, world.guest_events(from.after)).await.unwrap_or_default();
    Json(json!({ "events": found })).into_response()
}

fn stream_from(world: World, after: u64) -> impl IntoResponse {
    let batches = stream::unfold((world, after), |(world, after)| async move {
        let found = world.guest_events(after).await;
        let last = found.last().map_or(after, |e| e.number);
        Some((stream::iter(found.into_iter().map(event)), (world, last)))
    });
    Sse::new(futures::StreamExt::flatten(batches)).keep_alive(KeepAlive::default())
}

fn event(event: GuestEvent) -> Result<Event, Infallible> {
    let data = serde_json::to_string(&event).unwrap_or_default();
    Ok(Event::default().event("guest").id(event.number.to_string()).data(data))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Address {
    vm: String,
    boot: u64,
    nic: i32,
    address: Option<IpAddr>,
}

/// An address that a client got; `null`: it lost what it had. 409 if that boot is over.
pub(super) async fn address(State(world): State<World>, Json(body): Json<Address>) -> Response {
    let vm = VmRef::new(body.vm);
    if world.report_lease(&vm, body.boot, body.nic, body.address) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        refuse(StatusCode::CONFLICT, "boot_is_over", format!("boot {} of {vm} is over", body.boot))
    }
}
