//! The bodies of requests. They are read strictly: an unknown field is refused.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;

use crate::secret;
use crate::words::{Remedy, State, WaitFor};

/// A cluster as it is wanted: the body of `PUT /v1/clusters/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ClusterBody {
    /// Letters, digits and `_`; unique in the site.
    #[cfg_attr(feature = "openapi", schema(example = "hadoop_1"))]
    pub name: String,
    /// The distribution, as the cluster manager names it.
    #[cfg_attr(feature = "openapi", schema(example = "apache"))]
    pub cluster_type: String,
    /// Network, by name or id.
    pub network: String,
    /// Subnet, by name or id.
    pub subnet: String,
    /// Security groups, by name or id; none is the project's default.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_items = 20))]
    pub security_groups: Vec<String>,
    /// The site; absent: the one that the host names below belong to, or the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Host name of the site's BDE: chooses the site, is never contacted as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bde_endpoint: Option<String>,
    /// Host name of the site's vCenter: chooses the site, is never contacted as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcm_server: Option<String>,
    /// The nodes' root password.
    #[serde(default, with = "secret", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    pub cluster_password: Option<SecretString>,
    /// BDE user; used only where the operator allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// BDE password; used only where the operator allows it.
    #[serde(default, with = "secret", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    pub password: Option<SecretString>,
    /// Registered resource pools; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 20))]
    pub resource_pools: Option<Vec<String>>,
    /// Registered datastores; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 20))]
    pub datastores: Option<Vec<String>>,
    /// Node groups; the distribution's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 20))]
    pub node_groups: Option<Vec<NodeGroupBody>>,
    /// Application manager; the cluster manager's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_manager: Option<String>,
    /// What may be done to a node that missed its lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<Remedy>,
    /// When the create counts as done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_for: Option<WaitFor>,
    /// Further fields of the cluster manager's own specification: sizes, roles, disks, placement and
    /// the services' configuration; others where the operator allows them. Kept as a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub specification: Option<Specification>,
    /// A file of the 2015 plugin on the service's host; read only where the operator allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vio_config: Option<String>,
    /// A file of the 2015 plugin on the service's host; read only where the operator allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bde_config: Option<String>,
    /// What the cluster shall be.
    #[serde(default)]
    pub state: State,
}

/// A node group of a [`ClusterBody`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NodeGroupBody {
    /// Letters and digits.
    pub name: String,
    /// Roles, as the distribution names them.
    #[cfg_attr(feature = "openapi", schema(max_items = 20))]
    pub roles: Vec<String>,
    /// How many nodes.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub count: u32,
    /// CPUs of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Memory of a node, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// Data disks of a node together, in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_gb: Option<u32>,
}

/// The body of `PUT /v1/clusters/{id}/state`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(deny_unknown_fields)]
pub struct StateBody {
    /// What the cluster shall be.
    pub state: State,
}

/// Fields of the cluster manager's own specification. A secret may stand anywhere in them, so they cannot be
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
            // Without the value, which a message of serde's own would quote.
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
