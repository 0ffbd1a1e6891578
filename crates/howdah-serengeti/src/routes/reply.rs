//! Answers in the form that the service's clients need: a content type with its charset, a length even
//! for empty bodies, pages like Tomcat's.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::Refusal;
use crate::release::{Release, Shaped, answer};
use crate::wire::{ErrorBody, code};

const JSON: &str = "application/json;charset=UTF-8";
const HTML: &str = "text/html;charset=utf-8";

/// Headers of every answer. No client reads them.
const ALWAYS: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("x-xss-protection", "1; mode=block"),
    ("x-frame-options", "DENY"),
    ("cache-control", "no-cache, no-store, max-age=0, must-revalidate"),
    ("pragma", "no-cache"),
    ("expires", "0"),
];

/// The result of a successful call.
pub(super) enum Reply {
    /// 200, empty.
    Done,
    /// 200 with a body in its final shape.
    Json(Vec<u8>),
    /// 202 with the task to follow.
    Accepted(i64),
}

impl Reply {
    /// A body in a release's form.
    pub(super) fn body<T: Serialize + Shaped>(body: &T, release: Release) -> Result<Self, Refusal> {
        let shaped = answer(body, release).and_then(|value| serde_json::to_vec(&value));
        shaped.map(Self::Json).map_err(|e| ErrorBody::new(code::INTERNAL_ERROR, e.to_string()).into())
    }

    /// A body that is the same in all releases.
    pub(super) fn plain<T: Serialize>(body: &T) -> Result<Self, Refusal> {
        serde_json::to_vec(body).map(Self::Json).map_err(|e| ErrorBody::new(code::INTERNAL_ERROR, e.to_string()).into())
    }
}

pub(super) fn response(status: StatusCode, content_type: Option<&'static str>, body: impl Into<Bytes>) -> Response {
    let body = body.into();
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length);
    if let Some(content_type) = content_type {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    for (name, value) in ALWAYS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Empty, with a header.
pub(super) fn empty(status: StatusCode, name: HeaderName, value: &str) -> Response {
    let mut response = response(status, None, Bytes::new());
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Response {
    response(status, Some(JSON), body)
}

pub(super) fn error(body: &ErrorBody, release: Release) -> Response {
    let status = body.status(release);
    match answer(body, release).and_then(|value| serde_json::to_vec(&value)) {
        Ok(body) => json(status, body),
        Err(e) => page(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string()),
    }
}

/// An error page.
pub(super) fn page(status: StatusCode, says: &str) -> Response {
    let says = says.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let heading = format!("HTTP Status {} - {says}", status.as_u16());
    let html = format!(
        "<!DOCTYPE html><html><head><title>Error report</title></head><body><h1>{heading}</h1><hr/>\
         <p><b>message</b> <u>{says}</u></p></body></html>"
    );
    response(status, Some(HTML), html)
}

pub(super) fn text(status: StatusCode, says: &'static str) -> Response {
    response(status, Some("text/plain;charset=UTF-8"), says)
}

/// An answer whose body and connection break immediately.
pub(super) fn broken(status: StatusCode) -> Response {
    let part = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("broken off on purpose"))]);
    let mut response = Response::new(Body::from_stream(part));
    *response.status_mut() = status;
    response
}
