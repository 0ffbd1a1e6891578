//! The bodies of requests. Parsing is strict: an unknown field is refused.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;

use crate::secret;
use crate::words::{Remedy, State, WaitFor};

/// The wanted cluster: the body of `PUT /v1/clusters/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ClusterBody {
    /// The cluster's name: letters, digits and `_`; unique in the site.
    #[cfg_attr(feature = "openapi", schema(example = "hadoop_1"))]
    pub name: String,
    /// The distribution's name in the cluster manager.
    #[cfg_attr(feature = "openapi", schema(example = "apache"))]
    pub cluster_type: String,
    /// Network (name or ID).
    pub network: String,
    /// Subnet (name or ID).
    pub subnet: String,
    /// Security groups (names or IDs); an empty list means the project's default.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_items = 20))]
    pub security_groups: Vec<String>,
    /// The site; default: the site of the host names below, else the default site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Host name of the site's BDE: selects the site; Howdah never connects to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bde_endpoint: Option<String>,
    /// Host name of the site's vCenter: selects the site; Howdah never connects to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcm_server: Option<String>,
    /// The nodes' root password.
    #[serde(default, with = "secret", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    pub cluster_password: Option<SecretString>,
    /// BDE user; needs the operator's permission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// BDE password; needs the operator's permission.
    #[serde(default, with = "secret", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    pub password: Option<SecretString>,
    /// Resource pools registered in BDE; default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 20))]
    pub resource_pools: Option<Vec<String>>,
    /// Datastores registered in BDE; default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 20))]
    pub datastores: Option<Vec<String>>,
    /// Node groups; default: those of the distribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 20))]
    pub node_groups: Option<Vec<NodeGroupBody>>,
    /// Application manager; default: the cluster manager's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_manager: Option<String>,
    /// The strongest remedy allowed for a node that missed its lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
    /// When the create is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_for: Option<WaitFor>,
    /// More fields of the cluster manager's specification: sizes, roles, disks, placement and
    /// service configuration; other fields need the operator's permission. Stored as a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub specification: Option<Specification>,
    /// A file of the 2015 plugin on the service's host; needs the operator's permission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vio_config: Option<String>,
    /// A file of the 2015 plugin on the service's host; needs the operator's permission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bde_config: Option<String>,
    /// The requested state.
    #[serde(default)]
    pub state: State,
}

/// A node group of a [`ClusterBody`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NodeGroupBody {
    /// The group's name: letters and digits.
    pub name: String,
    /// Role names of the distribution.
    #[cfg_attr(feature = "openapi", schema(max_items = 20))]
    pub roles: Vec<String>,
    /// Number of nodes.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub count: u32,
    /// CPUs per node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Memory per node, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// Total data disk size per node, in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_gb: Option<u32>,
}

/// The body of `PUT /v1/clusters/{id}/state`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(deny_unknown_fields)]
pub struct StateBody {
    /// The requested state.
    pub state: State,
}

/// Fields of the cluster manager's specification. Any of them may contain a secret, so the type cannot be
/// printed.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Specification(pub Map<String, Value>);

impl fmt::Debug for Specification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Specification(hidden)")
    }
}

impl<'de> Deserialize<'de> for Specification {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::Object(fields) => Ok(Self(fields)),
            // Without the value: serde's own message would quote it.
            _ => Err(serde::de::Error::custom("it is not an object")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(changes: &Value) -> serde_json::Result<ClusterBody> {
        let mut body = json!({"name": "c", "cluster_type": "apache", "network": "n", "subnet": "s"});
        for (field, value) in changes.as_object().into_iter().flatten() {
            body[field] = value.clone();
        }
        serde_json::from_value(body)
    }

    #[test]
    fn what_is_written_reads_back_and_secrets_cannot_be_printed() {
        let asked =
            body(&json!({"cluster_password": "hush", "specification": {"a": "hush"}, "remedy": "off"})).unwrap();
        assert!(!format!("{asked:?}").contains("hush"), "{asked:?}");
        let sent = serde_json::to_value(&asked).unwrap();
        assert_eq!((&sent["cluster_password"], &sent["specification"]["a"]), (&json!("hush"), &json!("hush")));
        assert_eq!((&sent["state"], sent.get("password")), (&json!("running"), None));
        assert_eq!(serde_json::to_value(serde_json::from_value::<ClusterBody>(sent.clone()).unwrap()).unwrap(), sent);
    }

    #[test]
    fn a_refusal_quotes_no_secret() {
        for wrong in [json!({"cluster_password": ["hush"]}), json!({"specification": "hush"})] {
            let says = body(&wrong).unwrap_err().to_string();
            assert!(!says.contains("hush"), "{says}");
        }
        assert!(body(&json!({"colour": "red"})).unwrap_err().to_string().contains("colour"));
    }
}
