//! Reads Neutron's request bodies, and refuses what is malformed in its words.

use serde_json::Value;
use uuid::Uuid;

use crate::world::neutron::NeutronError;

pub(super) type Answer<T> = Result<T, NeutronError>;

pub(super) fn invalid(message: &str) -> NeutronError {
    NeutronError::new("HTTPBadRequest", 400, message)
}

pub(super) fn absent() -> NeutronError {
    NeutronError::new("HTTPNotFound", 404, "The resource could not be found.")
}

/// The inner part of a body, with nothing in it that is unknown.
pub(super) fn inner<'v>(body: &'v Value, key: &str, known: &[&str]) -> Answer<&'v Value> {
    let inner = body.get(key).filter(|v| v.is_object());
    let inner = inner.ok_or_else(|| invalid(&format!("Unable to find '{key}' in request body")))?;
    only(inner, known)?;
    Ok(inner)
}

pub(super) fn only(value: &Value, known: &[&str]) -> Answer<()> {
    let keys = value.as_object().into_iter().flatten().map(|(k, _)| k.as_str());
    let unknown: Vec<String> = keys.filter(|k| !known.contains(k)).map(|k| format!("'{k}'")).collect();
    if unknown.is_empty() { Ok(()) } else { Err(invalid(&format!("Unrecognized attribute(s) {}", unknown.join(", ")))) }
}

/// A text; nothing if it is absent or null.
pub(super) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// What must be a UUID.
pub(super) fn uuid(value: &Value, key: &str) -> Answer<String> {
    let said = text(value, key)
        .ok_or_else(|| invalid(&format!("Failed to parse request. Required attribute '{key}' not specified")))?;
    if Uuid::try_parse(&said).is_ok() { Ok(said) } else { Err(not_a_uuid(key, &said)) }
}

pub(super) fn not_a_uuid(key: &str, said: &str) -> NeutronError {
    invalid(&format!("Invalid input for {key}. Reason: '{said}' is not a valid UUID."))
}

/// An optional value of another type, by its text.
pub(super) fn parsed<T: std::str::FromStr>(value: &Value, key: &str) -> Answer<Option<T>> {
    let Some(said) = text(value, key) else {
        return Ok(None);
    };
    said.parse().map(Some).map_err(|_| invalid(&format!("Invalid input for {key}. Reason: '{said}' is not valid.")))
}
