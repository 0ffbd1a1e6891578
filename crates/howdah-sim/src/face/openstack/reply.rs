//! What both services have in common: JSON answers, error bodies, and what a fault rule does to
//! an answer on the wire.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use howdah_core::failure::{ErrorKind, System};
use serde_json::{Value, json};

use crate::World;
use crate::world::actor::Origin;
use crate::world::keystone::KeystoneError;
use crate::world::neutron::NeutronError;
use crate::world::trip::Arrival;

/// The largest request that is read.
const LARGEST: usize = 16 << 20;

/// A JSON answer.
pub(super) fn reply(status: u16, body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(body)).into_response()
}

/// 204.
pub(super) fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// The request's body as JSON; an empty one is null.
pub(super) async fn read(body: Body) -> Result<Value, ()> {
    let bytes = axum::body::to_bytes(body, LARGEST).await.map_err(drop)?;
    if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes).map_err(drop) }
}

/// A header as text; nothing if it is not there.
pub(super) fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

/// Where a service says that it is: as in the catalogue, else as it was asked.
pub(super) fn own_url(world: &World, service: &str, host: &str) -> String {
    let known = world.read(|s| s.keystone.catalog.iter().find(|e| e.service == service).map(|e| e.url.clone()));
    known.map_or_else(|| format!("http://{host}"), |url| url.trim_end_matches('/').trim_end_matches("/v3").to_owned())
}

/// The 401 of Keystone, which is also that of the token check in front of Neutron.
pub(super) fn unauthorized() -> Response {
    let mut response = KeystoneError::unauthorized().into_response();
    let realm = header::HeaderValue::from_static("Keystone uri=\"/\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
    response
}

impl IntoResponse for KeystoneError {
    fn into_response(self) -> Response {
        let error = json!({"code": self.status, "title": self.title, "message": self.message});
        reply(self.status, json!({ "error": error }))
    }
}

impl IntoResponse for NeutronError {
    fn into_response(self) -> Response {
        let error = json!({"type": self.kind, "message": self.message, "detail": ""});
        reply(self.status, json!({ "NeutronError": error }))
    }
}

/// A connection that breaks off in the middle of the answer.
fn broken() -> Response {
    let error = io::Error::new(io::ErrorKind::ConnectionReset, "a fault rule breaks this connection");
    Response::new(Body::from_stream(futures::stream::once(async { Err::<Bytes, _>(error) })))
}

/// Runs a call under the fault rules; the caller is the actor of its work.
pub(super) async fn carried<F>(
    world: &World,
    (system, method, object): (System, &str, &str),
    origin: Origin,
    work: impl FnOnce(World) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = Response> + Send + 'static,
{
    match world.depart(system, method, object).by(origin).carry(work).await {
        Arrival::Answered(response) => response,
        Arrival::Refused(kind) => {
            if kind == ErrorKind::NoAnswer {
                world.sleep(Duration::from_secs(3600)).await;
            }
            refusal(system, kind)
        }
        Arrival::Lost => broken(),
    }
}

fn refusal(system: System, kind: ErrorKind) -> Response {
    let says = "a fault was injected here";
    let (status, name) = match kind {
        ErrorKind::Unreachable | ErrorKind::NoAnswer | ErrorKind::Certificate => return broken(),
        ErrorKind::BadAnswer => {
            let page = "<html><head><title>Please log in</title></head><body></body></html>";
            return ([(header::CONTENT_TYPE, "text/html")], page).into_response();
        }
        ErrorKind::Credentials => return unauthorized(),
        ErrorKind::Forbidden => (403, "PolicyNotAuthorized"),
        ErrorKind::NotFound => (404, "NotFound"),
        ErrorKind::Conflict => (409, "Conflict"),
        ErrorKind::Exhausted => (409, "OverQuota"),
        ErrorKind::Invalid => (400, "HTTPBadRequest"),
        ErrorKind::Unavailable => (503, "ServiceUnavailable"),
        ErrorKind::Internal => (500, "HTTPInternalServerError"),
    };
    if system == System::Keystone {
        KeystoneError { status, title: name, message: says.to_owned() }.into_response()
    } else {
        NeutronError::new(name, status, says).into_response()
    }
}
