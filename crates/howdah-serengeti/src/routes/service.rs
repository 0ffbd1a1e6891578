//! The steps before and after every call: fold the path, look up the session, check maintenance and
//! initialisation, convert the result to the service's form.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::backend::{Backend, LoginRefusal, Outcome, Refusal};
use super::place::Place;
use super::reply::{self, Reply};
use super::session::{self, Sessions};
use super::{ServerProfile, check};
use crate::release::{Release, Shaped, too_new};
use crate::wire::{ErrorBody, code};

/// The size limit; larger than any specification of 1,024 nodes.
const BODY_LIMIT: usize = 8 << 20;

pub(super) struct Service<B: Backend> {
    pub(super) backend: Arc<B>,
    pub(super) profile: ServerProfile,
    sessions: Sessions<B::User>,
}

/// A call with its folded path.
pub(super) struct Incoming {
    pub(super) method: Method,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Incoming {
    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.parameter(name) == Some("true")
    }
}

impl<B: Backend> Service<B> {
    pub(super) fn new(backend: Arc<B>, profile: ServerProfile) -> Self {
        Self { backend, profile, sessions: Sessions::new(profile.session_idle) }
    }

    pub(super) async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
            return reply::page(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large.");
        };
        let path = parts.uri.path().to_owned();
        let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
        let mut query = form(parts.uri.query().unwrap_or_default().as_bytes());
        if is_form(&parts.headers) {
            query.extend(form(&body));
        }
        let mut incoming = Incoming { method: parts.method, query, headers: parts.headers, body };
        if incoming.method == Method::POST {
            // A filter of the service: browsers' forms can send nothing else.
            match incoming.parameter("_method") {
                Some("PUT") => incoming.method = Method::PUT,
                Some("DELETE") => incoming.method = Method::DELETE,
                _ => {}
            }
        }
        match segments.split_first() {
            Some((_, ["j_spring_security_check"])) if incoming.method == Method::POST => self.log_in(&incoming).await,
            Some((_, ["j_spring_security_logout"])) => self.log_out(&incoming),
            Some((_, ["login"])) if self.profile.release >= Release::V2_3 => {
                reply::response(StatusCode::OK, Some("text/html;charset=utf-8"), "<html><h1>Login</h1></html>")
            }
            Some((_, rest)) => self.enter(rest, &incoming).await,
            None => not_found(),
        }
    }

    async fn log_in(&self, incoming: &Incoming) -> Response {
        let name = incoming.parameter("j_username").unwrap_or_default();
        let password = SecretString::from(incoming.parameter("j_password").unwrap_or_default());
        match self.backend.log_in(name, &password).await {
            Ok(user) => {
                let id = self.sessions.open(user, &incoming.headers);
                reply::empty(StatusCode::OK, header::SET_COOKIE, &session::cookie(&id, self.profile.secure))
            }
            Err(LoginRefusal::Credentials) => {
                reply::page(StatusCode::UNAUTHORIZED, "Authentication Failed: the user name or password is wrong")
            }
            Err(LoginRefusal::Unreachable(says)) => reply::page(
                StatusCode::INTERNAL_SERVER_ERROR,
                &format!("Authentication Failed: (Connection failed: {says})"),
            ),
        }
    }

    fn log_out(&self, incoming: &Incoming) -> Response {
        self.sessions.close(&incoming.headers);
        let to = if self.profile.release >= Release::V2_3 { "login?logout" } else { "" };
        reply::empty(StatusCode::FOUND, header::LOCATION, &format!("{}{to}", self.root(incoming)))
    }

    async fn enter(&self, segments: &[&str], incoming: &Incoming) -> Response {
        let user = self.sessions.user(&incoming.headers).filter(|u| self.backend.is_valid(u));
        let Some(user) = user else {
            return logged_out();
        };
        let ["api", rest @ ..] = segments else {
            return not_found();
        };
        let reads = matches!(incoming.method, Method::GET | Method::HEAD);
        if !reads && self.backend.in_maintenance() {
            return reply::text(
                StatusCode::METHOD_NOT_ALLOWED,
                "The server is in maintenance mode: only read requests are allowed.",
            );
        }
        let Some(place) = Place::of(rest, &self.profile) else {
            return not_found();
        };
        match self.call(&user, place, incoming).await {
            Ok(Reply::Done) => reply::response(StatusCode::OK, None, Bytes::new()),
            Ok(Reply::Json(body)) => reply::json(StatusCode::OK, body),
            Ok(Reply::Accepted(task)) => {
                let location = format!("{}api/task/{task}", self.root(incoming));
                reply::empty(StatusCode::ACCEPTED, header::LOCATION, &location)
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    /// The service's address under the name by which the client called it.
    fn root(&self, incoming: &Incoming) -> String {
        let scheme = if self.profile.secure { "https" } else { "http" };
        let host = incoming.headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("localhost");
        format!("{scheme}://{host}/serengeti/")
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        match refusal {
            Refusal::Error(body) => reply::error(&body, self.profile.release),
            Refusal::Page { status, heading } => {
                reply::page(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &heading)
            }
            Refusal::LoggedOut => logged_out(),
            Refusal::Broken => reply::broken(StatusCode::OK),
        }
    }

    /// Refuses writes while the service could not be initialised.
    pub(super) fn initialised(&self) -> Outcome<()> {
        match self.backend.not_initialised() {
            None => Ok(()),
            Some(why) if self.profile.release >= Release::V2_3 => {
                Err(ErrorBody::new(code::APP_INIT_ERROR, format!("Initialization failed: {why}")).into())
            }
            Some(_) => Err(ErrorBody::new(code::INIT_VC_FAIL, "Cannot connect to vCenter.").into()),
        }
    }

    /// Reads a JSON body of the release that is served.
    pub(super) fn read<T: DeserializeOwned + Shaped>(&self, incoming: &Incoming) -> Outcome<T> {
        let of_type = |t: &str| t.split(';').next().is_some_and(|t| t.trim().eq_ignore_ascii_case("application/json"));
        let content_type = incoming.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !self.profile.lenient && !of_type(content_type) {
            return Err(match self.profile.release {
                Release::V2_1 | Release::V2_2 => {
                    Refusal::Page { status: 415, heading: "Unsupported Media Type".to_owned() }
                }
                _ => self.unforeseen(),
            });
        }
        let value: Value = serde_json::from_slice(&incoming.body).map_err(|e| self.bad_call(&e.to_string()))?;
        if let Some((field, _)) = too_new::<T>(&value, self.profile.release) {
            return Err(self.bad_call(&format!("unknown field `{field}`")));
        }
        serde_json::from_value(value).map_err(|e| self.bad_call(&e.to_string()))
    }

    /// An unreadable body. The newest release does not distinguish that from an internal error.
    pub(super) fn bad_call(&self, why: &str) -> Refusal {
        match self.profile.release {
            Release::V2_3 if !self.profile.lenient => self.unforeseen(),
            _ => ErrorBody::new(code::BAD_REST_CALL, format!("The REST call failed: {why}.")).into(),
        }
    }

    /// A method that the place does not support.
    pub(super) fn wrong_method(&self, method: &Method) -> Refusal {
        match self.profile.release {
            Release::V2_1 | Release::V2_2 => {
                Refusal::Page { status: 405, heading: format!("Request method '{method}' not supported") }
            }
            _ if self.profile.lenient => self.bad_call(&format!("{method} is not a method of this place")),
            _ => self.unforeseen(),
        }
    }

    fn unforeseen(&self) -> Refusal {
        ErrorBody::new(code::INTERNAL_ERROR, "Internal server error: UNKNOWN.").into()
    }

    /// The application manager, if it exists.
    pub(super) fn manager_name(&self, name: &str) -> Outcome<()> {
        Ok(check::resource_name("application manager", name)?)
    }
}

fn logged_out() -> Response {
    reply::page(StatusCode::UNAUTHORIZED, "Authentication is required to access this resource")
}

fn not_found() -> Response {
    reply::page(StatusCode::NOT_FOUND, "The requested resource is not available.")
}

fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    content_type.is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"))
}

/// The pairs of a query or form. Invalid UTF-8 becomes replacement characters, which can only make a
/// lookup fail.
fn form(text: &[u8]) -> Vec<(String, String)> {
    let decode = |s: &str| percent_decode_str(&s.replace('+', " ")).decode_utf8_lossy().into_owned();
    let text: Cow<'_, str> = String::from_utf8_lossy(text);
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}
