//! Strict parsing of bodies: an unknown field is refused by name, because a silently ignored
//! `cluster_pasword` would create a cluster with a random password.
//!
//! Invariant: no text of a body, at any depth, and no name of a field has a character that a
//! terminal or a log obeys ([`howdah_core::text`]). The check covers the whole body before its use, so a
//! new field needs no check of its own. A line feed is such a character, also in the cluster manager's
//! `specification`: values for BDE's configuration files must be in one line.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use howdah_core::text::{first_unfit, printable};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ApiError, BODY_LIMIT, BODY_PATIENCE, Routes};

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Routes> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, routes: &Routes) -> Result<Self, ApiError> {
        let bytes = tokio::time::timeout(BODY_PATIENCE, Bytes::from_request(request, routes))
            .await
            .map_err(|_| ApiError::BodyIncomplete)?
            .map_err(refused)?;
        read(&bytes).map(Self)
    }
}

fn refused(rejection: BytesRejection) -> ApiError {
    match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge { limit: BODY_LIMIT },
        _ => ApiError::BodyIncomplete,
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // serde accepts a list for an object with the fields in order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::BodyInvalid { says: "not a JSON object".to_owned() });
    }
    // The code below explains invalid JSON.
    if let Ok(whole) = serde_json::from_slice::<Value>(bytes) {
        look_through(&whole, "")?;
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let body = serde_path_to_error::deserialize(&mut reader).map_err(|e| explain(&e))?;
    reader.end().map_err(|e| ApiError::BodyInvalid { says: e.to_string() })?;
    Ok(body)
}

/// Refuses the first unprintable text, by the path of its field.
fn look_through(value: &Value, path: &str) -> Result<(), ApiError> {
    match value {
        Value::String(text) => fit(text, path),
        Value::Array(all) => {
            all.iter().enumerate().try_for_each(|(at, one)| look_through(one, &format!("{path}[{at}]")))
        }
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            fit(name, &path)?;
            look_through(value, &path)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// Refuses an unprintable text of a request. The error names only the character, because the text may be
/// a secret.
pub(super) fn fit(text: &str, field: &str) -> Result<(), ApiError> {
    first_unfit(text).map_or(Ok(()), |c| {
        let says = format!("contains the control character U+{:04X}", u32::from(c));
        Err(ApiError::InvalidField { field: printable(field).into_owned(), says })
    })
}

/// serde reports an unknown field only as text: ``unknown field `x`, expected one of `a`, `b` at
/// line 1 column 2``. A test detects a change of that text.
fn explain(e: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let (field, inner) = (e.path().to_string(), e.inner());
    let says = inner.to_string();
    match says.strip_prefix("unknown field ") {
        _ if !inner.is_data() => ApiError::BodyInvalid { says },
        Some(rest) => {
            let mut words = rest.split('`').skip(1).step_by(2).map(str::to_owned);
            let field = words.next().unwrap_or_default();
            ApiError::UnknownField { field, known: words.collect() }
        }
        // The path of a missing field is that of its parent.
        None if field == "." || says.starts_with("missing field") => ApiError::BodyInvalid { says },
        None => {
            let says = says.split(" at line ").next().unwrap_or(&says).to_owned();
            ApiError::InvalidField { field, says }
        }
    }
}
