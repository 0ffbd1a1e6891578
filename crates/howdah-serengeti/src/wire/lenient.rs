//! Parses values like the service's JSON library: booleans and numbers also as strings, enumerations
//! also empty. The 2015 Heat plugin relies on it (`"isDhcp": "true"`).

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};
use serde_json::Value;

/// A boolean: `true`, `false`, the same as text in lower case, empty text, or a whole number.
///
/// # Errors
/// On anything else.
pub fn boolean<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Ok(optional_boolean(from)?.unwrap_or(false))
}

/// The same, or null.
///
/// # Errors
/// On anything else.
pub fn optional_boolean<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        Value::Bool(b) => Ok(Some(b)),
        Value::String(s) if s == "true" => Ok(Some(true)),
        Value::String(s) if s == "false" || s.is_empty() => Ok(Some(false)),
        Value::Number(n) if n.is_i64() || n.is_u64() => Ok(Some(n.as_i64() != Some(0))),
        other => Err(D::Error::custom(format!("{other} is neither true nor false"))),
    }
}

/// A whole number, also as text; null and empty text are 0.
///
/// # Errors
/// On anything else.
pub fn integer<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    Ok(optional_integer(from)?.unwrap_or(0))
}

/// The same, or null.
///
/// # Errors
/// On anything else.
pub fn optional_integer<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i32>, D::Error> {
    let value = Value::deserialize(from)?;
    let number = match &value {
        Value::Null => return Ok(None),
        Value::String(s) if s.is_empty() => return Ok(None),
        Value::String(s) => s.trim().parse().ok(),
        other => other.as_i64().and_then(|n| n.try_into().ok()),
    };
    number.map(Some).ok_or_else(|| D::Error::custom(format!("{value} is not a whole number")))
}

/// A value from a server; null is the default. An unused value must not prevent reading the rest.
///
/// # Errors
/// On a value of another type.
pub fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// A word of an enumeration; null and empty text are none.
///
/// # Errors
/// On a word that is not in it.
pub fn word<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    match Value::deserialize(from)? {
        Value::Null => Ok(None),
        Value::String(s) if s.is_empty() => Ok(None),
        other => serde_json::from_value(other).map(Some).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    struct Body {
        #[serde(default, deserialize_with = "super::boolean")]
        yes: bool,
        #[serde(default, deserialize_with = "super::optional_integer")]
        number: Option<i32>,
    }

    #[test]
    fn booleans_and_numbers_may_be_text() {
        for (value, is) in [(json!(true), true), (json!("true"), true), (json!(1), true), (json!(""), false)] {
            let body: Body = serde_json::from_value(json!({ "yes": value, "number": "7" })).unwrap();
            assert_eq!((body.yes, body.number), (is, Some(7)));
        }
        for value in [json!("True"), json!("yes"), json!(1.5), json!([])] {
            let error = serde_json::from_value::<Body>(json!({ "yes": value })).unwrap_err();
            assert!(error.to_string().contains("neither true nor false"), "{error}");
        }
        let error = serde_json::from_value::<Body>(json!({ "number": "many" })).unwrap_err();
        assert_eq!(error.to_string(), "\"many\" is not a whole number");
    }
}
