//! The vSphere SOAP API over HTTP, in front of the simulated world: about twenty-five methods, enough
//! for Howdah's own client, PyVmomi and `govc` to log in, read, wait, and change VMs.
//!
//! It is strict where a real vCenter is: element order, properties by API version, unsupported versions,
//! deleted objects, expired sessions. Invariant: it has no state of its own except sessions; a read of a
//! cluster's folder does not depend on VMs elsewhere.

mod collect;
mod collector;
mod fault;
mod methods;
mod objects;
mod reconfigure;
mod session;
mod value;
mod vm;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use howdah_core::failure::{ErrorKind, System};
use howdah_vsphere::schema;
use howdah_vsphere::xml::Element;

use crate::world::World;
use crate::world::trip::Arrival;
use fault::Fault;
use methods::{Call, Reply};
use session::Sessions;

const COOKIE_NAME: &str = "vmware_soap_session";

/// Versions before the newest, for clients that look for one that they know.
const PRIOR: &[&str] = &["9.0", "8.0", "7.0", "6.7", "6.5", "6.0", "5.5", "5.1", "5.0"];

/// The simulated vCenter's face.
#[derive(Debug, Clone)]
pub struct VCenterFace {
    world: World,
    sessions: Arc<Sessions>,
    load: Arc<Load>,
}

/// How many calls are under way.
#[derive(Debug, Default)]
struct Load {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// A call that is under way until this is dropped.
struct UnderWay(Arc<Load>);

impl UnderWay {
    fn new(load: &Arc<Load>) -> Self {
        let now = load.now.fetch_add(1, Ordering::Relaxed) + 1;
        load.most.fetch_max(now, Ordering::Relaxed);
        Self(Arc::clone(load))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The leftovers of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leftovers {
    /// Sessions that have not ended.
    pub sessions: usize,
    /// Views in them.
    pub views: usize,
    /// Property filters in them.
    pub filters: usize,
}

/// The routes over a world, with sessions of their own.
pub fn router(world: World) -> Router {
    VCenterFace::new(world).router()
}

impl VCenterFace {
    /// A face without sessions.
    pub fn new(world: World) -> Self {
        Self { world, sessions: Arc::default(), load: Arc::default() }
    }

    /// Its routes.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/sdk", post(soap))
            .route("/sdk/", post(soap))
            .route("/sdk/vimServiceVersions.xml", get(versions))
            .with_state(self.clone())
    }

    /// Ends all sessions, as a restart of vCenter does; how many there were.
    pub fn end_sessions(&self) -> usize {
        self.sessions.close_all()
    }

    /// The leftovers of clients.
    pub fn leftovers(&self) -> Leftovers {
        let (views, filters) = self.sessions.leftovers();
        Leftovers { sessions: self.sessions.count(), views, filters }
    }

    /// The most calls that were under way at a time, waits among them.
    pub fn most_at_once(&self) -> usize {
        self.load.most.load(Ordering::Relaxed)
    }

    fn api_version(&self) -> String {
        self.world.read(|s| s.settings.vcenter_version.clone())
    }
}

async fn versions(State(face): State<VCenterFace>) -> Response {
    let own = face.api_version();
    let prior = PRIOR.iter().filter(|p| numbers(p) < numbers(&own)).map(|p| Element::leaf("version", p));
    let namespace = Element::new("namespace")
        .with_leaf("name", "urn:vim25")
        .with_leaf("version", &own)
        .with(Element::new("priorVersions").with_all(prior));
    let mut text = r#"<?xml version="1.0" encoding="UTF-8"?>"#.to_owned();
    let mut list = String::new();
    Element::new("namespaces").with(namespace).write(&mut list);
    // The list's own version is an attribute, of which the tree has no other use.
    text.push_str(&list.replacen("<namespaces>", "<namespaces version=\"1.0\">", 1));
    ([(CONTENT_TYPE, "text/xml")], text).into_response()
}

fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|n| n.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

async fn soap(State(face): State<VCenterFace>, headers: HeaderMap, body: Bytes) -> Response {
    let _under_way = UnderWay::new(&face.load);
    let envelope = match Element::parse(&body) {
        Ok(envelope) => envelope,
        Err(e) => return refuse(&Fault::invalid_request(e)),
    };
    let Some(request) = envelope.child("Body").and_then(|b| b.children.first()) else {
        return refuse(&Fault::invalid_request("there is no SOAP body"));
    };
    // vCenter logs the operation ID, and shows it in the task.
    if let Some(id) = envelope.child("Header").and_then(|h| h.text_of("operationID")) {
        tracing::debug!(id, method = %request.name, "a call to vCenter");
    }
    let trip = face.world.depart(System::VCenter, &request.name, request.text_of("_this").unwrap_or_default());
    // A wait lasts as long as its client; what else was asked for is done though the client may go.
    let arrival = if request.name.starts_with("WaitForUpdates") {
        trip.attend(answer(&face, request, &headers)).await
    } else {
        let (face, request, headers) = (face.clone(), request.clone(), headers.clone());
        trip.carry(|_| async move { answer(&face, &request, &headers).await }).await
    };
    match arrival {
        Arrival::Answered(Ok(reply)) => accept(request, reply),
        Arrival::Answered(Err(fault)) => {
            tracing::debug!(method = %request.name, fault = fault.name(), "refused");
            refuse(&fault)
        }
        Arrival::Refused(kind) => injected(&face, request, &headers, kind),
        Arrival::Lost => broken(),
    }
}

async fn answer(face: &VCenterFace, request: &Element, headers: &HeaderMap) -> Result<Reply, Fault> {
    let own = numbers(&face.api_version());
    let version = match asked_version(headers) {
        Some(version) if version > own => {
            let says = format!("Unsupported version URI \"urn:vim25/{}.{}\"", version.0, version.1);
            return Err(Fault::invalid_request(says));
        }
        Some(version) => version,
        None => own,
    };
    schema::check(request).map_err(|e| match e {
        schema::OrderError::Type { ty } if ty == request.name => {
            Fault::new("NotSupported", format!("{ty} is not simulated."))
        }
        e => Fault::invalid_request(e),
    })?;
    let call = Call { world: &face.world, sessions: &face.sessions, request, version };
    if let Some(answer) = call.open() {
        return answer;
    }
    let session = face.sessions.find(cookie(headers).as_deref())?;
    call.within(&session).await
}

/// The version in `SOAPAction: "urn:vim25/6.5"`.
fn asked_version(headers: &HeaderMap) -> Option<(u32, u32)> {
    let action = headers.get("SOAPAction")?.to_str().ok()?;
    let version = action.trim_matches('"').strip_prefix("urn:vim25/")?;
    Some(numbers(version))
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    let mut named = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(name, _)| *name == COOKIE_NAME);
    named.next().map(|(_, value)| value.trim_matches('"').to_owned())
}

fn accept(request: &Element, reply: Reply) -> Response {
    let body = Element::new(format!("{}Response", request.name)).with_all(reply.children).envelope(None);
    let mut response = ([(CONTENT_TYPE, "text/xml; charset=utf-8")], body).into_response();
    if let Some(cookie) = reply.cookie
        && let Ok(value) = format!("{COOKIE_NAME}=\"{cookie}\"; Path=/; HttpOnly").parse()
    {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}

fn refuse(fault: &Fault) -> Response {
    let headers = [(CONTENT_TYPE, "text/xml; charset=utf-8")];
    (StatusCode::INTERNAL_SERVER_ERROR, headers, fault.envelope()).into_response()
}

/// A refusal by a fault rule, in the form of a real refusal.
fn injected(face: &VCenterFace, request: &Element, headers: &HeaderMap, kind: ErrorKind) -> Response {
    match kind {
        ErrorKind::Unreachable | ErrorKind::NoAnswer | ErrorKind::Certificate => broken(),
        ErrorKind::Unavailable => {
            let page = "<html><body><h1>503 Service Unavailable</h1></body></html>";
            (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, "text/html")], page).into_response()
        }
        ErrorKind::BadAnswer => {
            let mut whole =
                Element::new(format!("{}Response", request.name)).with_leaf("returnval", "cut").envelope(None);
            whole.truncate(whole.len() - 60);
            ([(CONTENT_TYPE, "text/xml; charset=utf-8")], whole).into_response()
        }
        // The first call of a login has no session that could have ended.
        ErrorKind::Credentials if matches!(request.name.as_str(), "Login" | "RetrieveServiceContent") => {
            refuse(&Fault::invalid_login())
        }
        ErrorKind::Credentials => {
            if let Ok(session) = face.sessions.find(cookie(headers).as_deref()) {
                face.sessions.close(&session);
            }
            refuse(&Fault::not_authenticated())
        }
        kind => refuse(&Fault::injected(kind)),
    }
}

/// An answer whose connection breaks.
fn broken() -> Response {
    let cut = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("the connection was cut")) });
    ([(CONTENT_TYPE, "text/xml; charset=utf-8")], Body::from_stream(cut)).into_response()
}
