//! The error body, and the codes that matter to a caller.
//!
//! The status of an error differs between releases; its code does not. So a client uses the code, and a
//! server takes the status from [`ErrorBody::status`]. The messages are our own: programs read only the
//! first word of a "not found", which is the kind of the object.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::release::{Release, Shaped};

/// Codes, as `SECTION.NAME`.
pub mod code {
    /// Anything unforeseen.
    pub const INTERNAL_ERROR: &str = "BDD.INTERNAL_ERROR";
    /// The service could not reach vCenter at its start (2.3).
    pub const APP_INIT_ERROR: &str = "BDD.APP_INIT_ERROR";
    /// The same before 2.3.
    pub const INIT_VC_FAIL: &str = "BDD.INIT_VC_FAIL";
    /// A network, cluster, task, distribution... of that name is not there.
    pub const NOT_FOUND: &str = "BDD.NOT_FOUND";
    /// The name is taken.
    pub const ALREADY_EXISTS: &str = "BDD.ALREADY_EXISTS";
    /// A value breaks a rule.
    pub const INVALID_PARAMETER: &str = "BDD.INVALID_PARAMETER";
    /// A required value is absent.
    pub const MISSING_PARAMETER: &str = "BDD.MISSING_PARAMETER";
    /// The request cannot be read.
    pub const BAD_REST_CALL: &str = "BDD.BAD_REST_CALL";
    /// Maintenance: reads only.
    pub const MAINTENANCE: &str = "BDD.ACCESS_NOT_ALLOWED_IN_MAINTENANCE_MODE";
    /// The cluster is in a status in which it cannot be deleted.
    pub const CANNOT_DELETE: &str = "CLUSTER.CANNOT_DELETE";
    /// ... started.
    pub const CANNOT_START: &str = "CLUSTER.CANNOT_START";
    /// ... stopped.
    pub const CANNOT_STOP: &str = "CLUSTER.CANNOT_STOP";
    /// ... resumed or changed.
    pub const CANNOT_UPDATE: &str = "CLUSTER.CANNOT_UPDATE";
    /// It runs already.
    pub const IS_RUNNING: &str = "CLUSTER.IS_RUNNING";
    /// It is stopped already.
    pub const IS_STOPPED: &str = "CLUSTER.IS_STOPPED";
    /// There is no specification of that cluster.
    pub const CLUSTER_CONFIG_NOT_FOUND: &str = "CLUSTER_CONFIG.CLUSTER_CONFIG_NOT_FOUND";
    /// A specification without groups.
    pub const NODE_GROUP_NOT_EXISTING: &str = "CLUSTER_CONFIG.NODE_GROUP_NOT_EXISTING";
    /// A group's name breaks the rule.
    pub const NODE_GROUP_NAME_IS_INVALID: &str = "CLUSTER_CONFIG.NODE_GROUP_NAME_IS_INVALID";
    /// A specification names no network.
    pub const NETWORK_IS_NOT_SPECIFIED: &str = "CLUSTER_CONFIG.NETWORK_IS_NOT_SPECIFIED";
    /// A specification names a network that is not registered.
    pub const NETWORK_IS_NOT_FOUND: &str = "CLUSTER_CONFIG.NETWORK_IS_NOT_FOUND";
    /// The hosts cannot reach the network.
    pub const NETWORK_UNACCESSIBLE: &str = "CLUSTER_CONFIG.NETWORK_UNACCESSIBLE";
    /// The roles do not fit together, or not the distribution.
    pub const INVALID_SPECIFICATION: &str = "CLUSTER_CONFIG.INVALID_SPECIFICATION";
    /// No resource pool is registered.
    pub const NO_RESOURCE_POOL_ADDED: &str = "CLUSTER_CONFIG.NO_RESOURCE_POOL_ADDED";
    /// No datastore is registered.
    pub const NO_DATASTORE_ADDED: &str = "CLUSTER_CONFIG.NO_DATASTORE_ADDED";
    /// A resource pool is not there.
    pub const RESOURCE_POOL_NOT_FOUND: &str = "VC_PROVIDER.RESOURCE_POOL_NOT_FOUND";
    /// A datastore is not there.
    pub const DATASTORE_NOT_FOUND: &str = "VC_PROVIDER.DATASTORE_NOT_FOUND";
    /// vCenter has no such port group.
    pub const PORT_GROUP_NOT_FOUND: &str = "VC_PROVIDER.NETWORK_NOT_FOUND";
    /// A cluster uses the network.
    pub const NETWORK_IN_USE: &str = "NETWORK.NETWORK_IN_USE";
    /// An application manager is not there.
    pub const APPMANAGER_NOT_FOUND: &str = "SOFTWARE_MANAGER_COLLECTOR.APPMANAGER_NOT_FOUND";
}

/// Codes with a status other than 400, in releases that map them.
const STATUS: &[(&str, StatusCode)] = &[
    (code::INTERNAL_ERROR, StatusCode::INTERNAL_SERVER_ERROR),
    (code::APP_INIT_ERROR, StatusCode::SERVICE_UNAVAILABLE),
    (code::INIT_VC_FAIL, StatusCode::INTERNAL_SERVER_ERROR),
    (code::NOT_FOUND, StatusCode::NOT_FOUND),
    (code::MAINTENANCE, StatusCode::METHOD_NOT_ALLOWED),
    ("BDD.SYSTEM_DISK_NOT_FOUND_ON_NODE", StatusCode::NOT_FOUND),
    (code::CANNOT_DELETE, StatusCode::CONFLICT),
    ("CLUSTERING_SERVICE.TARGET_VC_RP_NOT_FOUND", StatusCode::NOT_FOUND),
    ("CLUSTERING_SERVICE.TARGET_VC_DATASTORE_NOT_FOUND", StatusCode::NOT_FOUND),
    (code::CLUSTER_CONFIG_NOT_FOUND, StatusCode::NOT_FOUND),
    (code::RESOURCE_POOL_NOT_FOUND, StatusCode::NOT_FOUND),
    (code::DATASTORE_NOT_FOUND, StatusCode::NOT_FOUND),
    ("NETWORK.OUT_OF_IP_ADDR", StatusCode::SERVICE_UNAVAILABLE),
    ("TASK.EXECUTOR_OVERLOADED", StatusCode::SERVICE_UNAVAILABLE),
];

/// Codes that the first releases did not map, so that they came with 500.
const UNMAPPED: &[&str] = &[
    code::PORT_GROUP_NOT_FOUND,
    code::CANNOT_START,
    code::CANNOT_STOP,
    code::CANNOT_UPDATE,
    code::IS_RUNNING,
    code::IS_STOPPED,
    code::NETWORK_UNACCESSIBLE,
];

/// The body of every refusal by the service itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// `SECTION.NAME`; see [`code`].
    pub code: String,
    /// A sentence.
    #[serde(default)]
    pub message: String,
    /// The certificate that the service was shown and does not trust.
    #[serde(default)]
    pub cert_info: Option<Value>,
    /// Whether the call may be repeated with `ignorewarning=true`.
    #[serde(default)]
    pub warning: bool,
    /// Field by field, what is wrong with a body.
    #[serde(default)]
    pub errors: Option<Value>,
}

impl Shaped for ErrorBody {
    const SINCE: &'static [(&'static str, Release)] =
        &[("certInfo", Release::V2_2), ("errors", Release::V2_2), ("warning", Release::V2_2Patch2)];
}

impl ErrorBody {
    /// A refusal with a code and a sentence.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), cert_info: None, warning: false, errors: None }
    }

    /// `kind` (`Cluster`, `Network`, `Task`, `Distro`...) of that name is not there.
    pub fn not_found(kind: &str, name: &str) -> Self {
        Self::new(code::NOT_FOUND, format!("{kind} {name} not found."))
    }

    /// `kind` of that name is there already.
    pub fn already_exists(kind: &str, name: &str) -> Self {
        Self::new(code::ALREADY_EXISTS, format!("{kind} {name} already exists."))
    }

    /// A value breaks a rule.
    pub fn invalid(what: &str, value: &str) -> Self {
        Self::new(code::INVALID_PARAMETER, format!("Invalid value: {what}={value}."))
    }

    /// What "not found" and "already exists" are about: the first word of the message.
    pub fn subject(&self) -> &str {
        self.message.split_whitespace().next().unwrap_or_default()
    }

    /// The status with which a release sends this.
    pub fn status(&self, release: Release) -> StatusCode {
        let mapped = STATUS.iter().find(|(code, _)| *code == self.code).map(|(_, status)| *status);
        match release {
            // An internal error was always 500, independent of the rule for service errors.
            Release::V2_2Patch2 if self.code == code::INTERNAL_ERROR => StatusCode::INTERNAL_SERVER_ERROR,
            Release::V2_2Patch2 => StatusCode::BAD_REQUEST,
            Release::V2_1 | Release::V2_2 if UNMAPPED.contains(&self.code.as_str()) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            _ => mapped.unwrap_or(StatusCode::BAD_REQUEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_changes_with_the_release_and_the_code_does_not() {
        let status = |body: &ErrorBody| {
            [Release::V2_1, Release::V2_2, Release::V2_2Patch2, Release::V2_3].map(|r| body.status(r).as_u16())
        };
        assert_eq!(status(&ErrorBody::not_found("Cluster", "x")), [404, 404, 400, 404]);
        assert_eq!(status(&ErrorBody::already_exists("Network", "x")), [400, 400, 400, 400]);
        assert_eq!(status(&ErrorBody::new(code::CANNOT_DELETE, "")), [409, 409, 400, 409]);
        assert_eq!(status(&ErrorBody::new(code::CANNOT_STOP, "")), [500, 500, 400, 400]);
        assert_eq!(status(&ErrorBody::new(code::INTERNAL_ERROR, "")), [500, 500, 500, 500]);
    }
}
