//! Bodies are read strictly: a field that is not known is refused and named, because a
//! misspelt `cluster_pasword` that is silently dropped makes a cluster with a random one.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;

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
    // A list would pass for an object whose fields are in order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::BodyInvalid { says: "it is not a JSON object".to_owned() });
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let body = serde_path_to_error::deserialize(&mut reader).map_err(|e| explain(&e))?;
    reader.end().map_err(|e| ApiError::BodyInvalid { says: e.to_string() })?;
    Ok(body)
}

/// serde tells an unknown field only in words: ``unknown field `x`, expected one of `a`, `b` at
/// line 1 column 2``. A test would notice other words.
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
        // The path of a missing field is that of its owner.
        None if field == "." || says.starts_with("missing field") => ApiError::BodyInvalid { says },
        None => {
            let says = says.split(" at line ").next().unwrap_or(&says).to_owned();
            ApiError::InvalidField { field, says }
        }
    }
}
