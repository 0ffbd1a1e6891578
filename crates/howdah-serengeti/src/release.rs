//! The differences between the service's releases on the wire.
//!
//! Since 2.2 a server reports its release at `hello`; older ones do not. The service
//! refuses unknown fields in requests, and its command line refuses them in answers, so a field
//! may only be sent to (and by) a release that has it. The wire types list theirs as
//! [`Shaped::SINCE`]; this module applies the lists. Invariant: it reads only the names of fields, never
//! their values.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

/// A release whose behaviour on the wire is known. Those in between behave like the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// 2.1.1 and older: without version and `dnsType`.
    V2_1,
    /// 2.2.0: `dnsType` and `isGenerateHostname` are required.
    V2_2,
    /// 2.2.0 patch 2, with 2.3.0's error handling; reports 2.2.0.
    V2_2Patch2,
    /// 2.3.1 and 2.3.2.
    V2_3,
}

impl Release {
    /// The version that the release reports.
    pub const fn hello(self) -> Option<&'static str> {
        match self {
            Self::V2_1 => None,
            Self::V2_2 | Self::V2_2Patch2 => Some("2.2.0"),
            Self::V2_3 => Some("2.3.2"),
        }
    }

    /// The release for an answer to `hello`. An unreadable version counts as the newest, which has the most
    /// required fields and allows the most optional ones.
    pub fn from_hello(version: Option<&str>) -> Self {
        let Some(version) = version.filter(|v| !v.trim().is_empty()) else {
            return Self::V2_1;
        };
        let mut numbers = version.split('.').map(|n| n.trim().parse::<u32>());
        match (numbers.next(), numbers.next()) {
            (Some(Ok(0 | 1)), _) | (Some(Ok(2)), Some(Ok(0 | 1))) => Self::V2_1,
            (Some(Ok(2)), Some(Ok(2))) => Self::V2_2,
            _ => Self::V2_3,
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V2_1 => "2.1.1",
            Self::V2_2 => "2.2.0",
            Self::V2_2Patch2 => "2.2.0 patch 2",
            Self::V2_3 => "2.3.2",
        })
    }
}

/// An unknown release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a supported release; supported are 2.1.1, 2.2.0, \"2.2.0 patch 2\" and 2.3.2")]
pub struct UnknownRelease(String);

impl FromStr for Release {
    type Err = UnknownRelease;
    fn from_str(s: &str) -> Result<Self, UnknownRelease> {
        [Self::V2_1, Self::V2_2, Self::V2_2Patch2, Self::V2_3]
            .into_iter()
            .find(|r| r.to_string() == s)
            .ok_or_else(|| UnknownRelease(s.to_owned()))
    }
}

/// A body whose fields depend on the release.
pub trait Shaped {
    /// Fields that are not in every release: the path (`*` steps into each element of a list),
    /// and the first release that has the field.
    const SINCE: &'static [(&'static str, Release)];
}

impl<T: Shaped> Shaped for Vec<T> {
    const SINCE: &'static [(&'static str, Release)] = T::SINCE;
}

/// The JSON of a body in a release's form: with nulls, but without newer fields.
///
/// # Errors
/// Only if the type cannot be put into JSON at all.
pub fn answer<T: Serialize + Shaped>(body: &T, release: Release) -> Result<Value, serde_json::Error> {
    let mut value = serde_json::to_value(body)?;
    for (path, since) in T::SINCE {
        if release < *since {
            match &mut value {
                Value::Array(items) => items.iter_mut().for_each(|item| remove(item, path)),
                one => remove(one, path),
            }
        }
    }
    Ok(value)
}

/// The first field in a request that the release does not have, and the release that added it.
pub fn too_new<T: Shaped>(request: &Value, release: Release) -> Option<(&'static str, Release)> {
    T::SINCE.iter().copied().find(|(path, since)| release < *since && has(request, path))
}

fn remove(value: &mut Value, path: &str) {
    match (path.split_once('.'), value) {
        (None, Value::Object(fields)) => {
            fields.remove(path);
        }
        (Some(("*", rest)), Value::Array(items)) => items.iter_mut().for_each(|item| remove(item, rest)),
        (Some((first, rest)), Value::Object(fields)) => {
            if let Some(inner) = fields.get_mut(first) {
                remove(inner, rest);
            }
        }
        _ => {}
    }
}

fn has(value: &Value, path: &str) -> bool {
    match (path.split_once('.'), value) {
        (None, Value::Object(fields)) => fields.contains_key(path),
        (Some(("*", rest)), Value::Array(items)) => items.iter().any(|item| has(item, rest)),
        (Some((first, rest)), Value::Object(fields)) => fields.get(first).is_some_and(|inner| has(inner, rest)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Serialize)]
    struct Body(Value);
    impl Shaped for Body {
        const SINCE: &'static [(&'static str, Release)] =
            &[("new", Release::V2_2), ("groups.*.disk.number", Release::V2_3)];
    }

    #[test]
    fn a_server_is_known_by_what_it_says() {
        for (said, is) in [
            (None, Release::V2_1),
            (Some(""), Release::V2_1),
            (Some("2.1.1"), Release::V2_1),
            (Some("2.2.0"), Release::V2_2),
            (Some("2.3.0"), Release::V2_3),
            (Some("2.3.2"), Release::V2_3),
            (Some("3.0"), Release::V2_3),
            (Some("howdah"), Release::V2_3),
        ] {
            assert_eq!(Release::from_hello(said), is, "{said:?}");
        }
    }

    #[test]
    fn releases_are_named_in_words() {
        assert_eq!("2.2.0 patch 2".parse(), Ok(Release::V2_2Patch2));
        assert_eq!(
            "2.4".parse::<Release>().unwrap_err().to_string(),
            "\"2.4\" is not a supported release; supported are 2.1.1, 2.2.0, \"2.2.0 patch 2\" and 2.3.2"
        );
    }

    #[test]
    fn fields_that_a_release_does_not_have_are_left_out_at_any_depth() {
        let full = json!({"old": null, "new": 1, "groups": [{"disk": {"number": 4, "size": 5}}, {"disk": null}]});
        let at = |release| answer(&Body(full.clone()), release).unwrap();
        assert_eq!(at(Release::V2_3), full);
        assert_eq!(at(Release::V2_1), json!({"old": null, "groups": [{"disk": {"size": 5}}, {"disk": null}]}));
        assert_eq!(too_new::<Body>(&full, Release::V2_3), None);
        assert_eq!(too_new::<Body>(&full, Release::V2_2), Some(("groups.*.disk.number", Release::V2_3)));
        assert_eq!(too_new::<Body>(&full, Release::V2_1), Some(("new", Release::V2_2)));
    }
}
