//! The requester's fields of the cluster manager's specification. The core does not interpret them.
//!
//! Any field may contain a secret (an LDAP login, a key in a service's configuration), so all of them
//! are treated as one secret: [`Specification`] cannot be printed and is stored encrypted, and the record
//! has a [`SealedSpecification`] instead. Invariant: the latter contains only a number of nodes and a
//! digest under the installation's key, which identifies the same fields after they were deleted. The
//! adapter decides which fields are allowed.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::ids::ClusterKey;
use crate::mark::MarkKey;

/// Fields of the manager's cluster specification. It cannot be printed.
#[derive(Clone)]
pub struct Specification(SecretString);

impl Specification {
    /// From its fields.
    pub fn new(fields: Map<String, Value>) -> Self {
        // Sorted by name, so that the text does not depend on the order of the fields.
        Self(SecretString::from(sorted(&Value::Object(fields)).to_string()))
    }

    /// From the text of [`expose`](Self::expose); `None` if it is not a JSON object.
    pub fn parse(text: SecretString) -> Option<Self> {
        serde_json::from_str::<Map<String, Value>>(text.expose_secret()).ok().map(Self::new)
    }

    /// The fields as text: for the store, which encrypts it, and for the request to the manager.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The fields.
    pub fn fields(&self) -> Map<String, Value> {
        serde_json::from_str(self.expose()).unwrap_or_default()
    }

    /// The part for the cluster's record, given the number of nodes that it requests.
    pub fn sealed(&self, marks: &MarkKey, cluster: &ClusterKey, nodes: Option<u64>) -> SealedSpecification {
        SealedSpecification { digest: self.digest(marks, cluster), nodes }
    }

    /// The digest that identifies the fields in the same cluster of the same installation.
    pub fn digest(&self, marks: &MarkKey, cluster: &ClusterKey) -> String {
        marks.digest_of_secret("specification", cluster, self.expose())
    }
}

impl fmt::Debug for Specification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Specification(hidden)")
    }
}

impl<'de> Deserialize<'de> for Specification {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::Object(fields) => Ok(Self::new(fields)),
            // Without the value: serde's own message would quote it.
            _ => Err(D::Error::custom("not an object")),
        }
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut all: Vec<_> = fields.iter().collect();
            all.sort_by_key(|(name, _)| *name);
            Value::Object(all.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        plain => plain.clone(),
    }
}

/// Stands for a [`Specification`] in a record, without its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedSpecification {
    /// See [`Specification::digest`].
    pub digest: String,
    /// The number of nodes that it requests; `None` if the distribution's template decides, or if an older
    /// version wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::test_support::record;

    fn of(value: Value) -> Specification {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn it_cannot_be_printed() {
        let spec = of(json!({"a": "hush"}));
        assert_eq!(format!("{spec:?}"), "Specification(hidden)");
        let error = serde_json::from_value::<Specification>(json!("hush")).unwrap_err();
        assert_eq!(error.to_string(), "not an object");
    }

    #[test]
    fn the_same_fields_have_the_same_digest_in_one_cluster_of_one_installation() {
        let (marks, key) = (MarkKey::new(b"secret"), record().key());
        let digest = of(json!({"a": {"x": 1, "y": [2]}, "b": 3})).digest(&marks, &key);
        let reordered: Specification = serde_json::from_str(r#"{"b": 3, "a": {"y": [2], "x": 1}}"#).unwrap();
        assert_eq!(reordered.digest(&marks, &key), digest);
        assert_eq!(digest.len(), 64);
        let other = ClusterKey { project: "p2".into(), ..key.clone() };
        for differs in [
            of(json!({"a": {"x": 1, "y": [2]}, "b": 4})).digest(&marks, &key),
            reordered.digest(&MarkKey::new(b"other"), &key),
            reordered.digest(&marks, &other),
        ] {
            assert_ne!(differs, digest);
        }
    }

    #[test]
    fn what_is_kept_tells_nothing_of_the_words() {
        let sealed = of(json!({"a": "hush"})).sealed(&MarkKey::new(b"secret"), &record().key(), Some(4));
        let text = serde_json::to_string(&sealed).unwrap();
        assert!(!text.contains("hush"), "{text}");
        assert_eq!(serde_json::from_str::<SealedSpecification>(&text).unwrap(), sealed);
    }

    #[test]
    fn its_text_reads_back() {
        let spec = of(json!({"a": [1, "x"]}));
        let again = Specification::parse(spec.expose().into()).unwrap();
        assert_eq!(again.fields(), spec.fields());
        assert!(Specification::parse("[]".into()).is_none());
    }
}
