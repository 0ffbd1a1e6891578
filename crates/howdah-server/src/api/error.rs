//! The API's error answers: status, stable code, message, hint, details. Invariant: an answer holds
//! no secret and no internals of the service; those go to the log.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use howdah_api::{ErrorBody, ErrorView};
use howdah_core::document::Unreadable;
use howdah_core::failure::{ErrorKind, RemoteError, System, chain};
use howdah_core::ids::ClusterId;
use howdah_core::text::into_printable;
use howdah_serengeti::Refusal;
use serde_json::{Map, Value, json};

use crate::api::view;
use crate::limits::{Reached, What};

/// An error answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The body is too large.
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge {
        /// The limit.
        limit: usize,
    },
    /// The body did not arrive in time, or was cut off.
    #[error("the body did not arrive completely")]
    BodyIncomplete,
    /// The body is invalid.
    #[error("the body cannot be read: {says}")]
    BodyInvalid {
        /// The parser's message.
        says: String,
    },
    /// The body has an unknown field.
    #[error("the body has an unknown field: {field}")]
    UnknownField {
        /// The field.
        field: String,
        /// The known fields.
        known: Vec<String>,
    },
    /// A field has an invalid value.
    #[error("{field}: {says}")]
    InvalidField {
        /// The field.
        field: String,
        /// Why not.
        says: String,
    },
    /// The site does not support the requested cluster.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The id in the path is not a UUID.
    #[error("{id:?} is not a UUID")]
    InvalidId {
        /// The id as given.
        id: String,
    },
    /// The query string cannot be read.
    #[error("the query cannot be read: {says}")]
    InvalidQuery {
        /// The parser's message.
        says: String,
    },
    /// Neither token nor capability.
    #[error("the request has no X-Auth-Token")]
    TokenMissing,
    /// Keystone does not accept the token.
    #[error("the token is invalid or has expired")]
    TokenInvalid,
    /// Too many tokens from this address were refused lately; the service did not verify this one.
    #[error("too many invalid tokens came from this address; the service did not verify this one")]
    TooManyLogins {
        /// When to retry.
        wait: Duration,
    },
    /// The project has reached its limit of open event streams.
    #[error("the project has {allowed} open event streams, which is its limit")]
    TooManyStreams {
        /// The limit.
        allowed: u64,
    },
    /// The limit of concurrent verifications is reached.
    #[error("the service is verifying too many tokens at the moment")]
    KeystoneBusy,
    /// The token has none of the roles.
    #[error("{user} needs the role reader, member or admin on this project")]
    RoleMissing {
        /// The user's name.
        user: String,
    },
    /// A reader sent a write request.
    #[error("{user} may only read on this project")]
    ReadOnly {
        /// The user's name.
        user: String,
    },
    /// The request needs the role admin.
    #[error("all_projects needs the role admin")]
    NotAdmin,
    /// No such site.
    #[error("no site {asked} is configured")]
    UnknownSite {
        /// The requested site.
        asked: String,
        /// Names of the known sites.
        known: Vec<String>,
        /// The known sites with their hosts.
        described: Vec<String>,
    },
    /// The fields that select the site select different ones.
    #[error("{first} belongs to site {one}, but {second} belongs to site {other}")]
    SitesDiffer {
        /// One field.
        first: &'static str,
        /// Its site.
        one: String,
        /// Another field.
        second: &'static str,
        /// Its site.
        other: String,
    },
    /// The request names no site and the service has no default.
    #[error("the request names no site, and the service has no default site")]
    SiteMissing {
        /// The known sites.
        known: Vec<String>,
    },
    /// The token comes from another cloud than the site's.
    #[error("the token does not come from the OpenStack of site {site}")]
    SiteElsewhere {
        /// The site.
        site: String,
    },
    /// The cluster's site is no longer in the configuration.
    #[error("the cluster belongs to site {site}, which is no longer in the service's configuration")]
    SiteGone {
        /// The site.
        site: String,
    },
    /// The cluster does not exist; only requesters who may know get this answer.
    #[error("cluster {id} does not exist")]
    ClusterNotFound {
        /// The id.
        id: ClusterId,
    },
    /// The requester may not see this cluster, whether or not it exists.
    #[error("no cluster {id} is visible to this requester")]
    ClusterNotVisible {
        /// The id.
        id: ClusterId,
    },
    /// The same ID with a different fixed part.
    #[error("cluster {id} exists with a different {}", differences.join(", "))]
    SpecDiffers {
        /// The id.
        id: ClusterId,
        /// Names of the fields.
        differences: Vec<&'static str>,
    },
    /// Several projects have a cluster with this ID, and an admin's request covers all projects.
    #[error("several projects have a cluster {id}: {}", projects.join(", "))]
    ClusterAmbiguous {
        /// The id.
        id: ClusterId,
        /// The projects.
        projects: Vec<String>,
    },
    /// The stored cluster cannot be read; the service does not change it.
    #[error("cluster {} ({}) cannot be read: {}", .0.name, .0.key.id, .0.why)]
    Unreadable(Unreadable),
    /// Concurrent changes won repeatedly.
    #[error("another request changed cluster {id} at the same time")]
    Changed {
        /// The id.
        id: ClusterId,
    },
    /// The service is shutting down.
    #[error("the service is shutting down")]
    Stopping,
    /// The service is not ready.
    #[error("the service is not ready: {}", failing.join("; "))]
    NotReady {
        /// The failing checks.
        failing: Vec<String>,
        /// What to do about the first one.
        hint: Option<String>,
        /// All checks.
        readiness: Map<String, Value>,
    },
    /// A cluster in another cloud than the token's has the ID.
    #[error("the ID {id} is in use")]
    IdTaken {
        /// The id.
        id: ClusterId,
    },
    /// The cluster is being deleted.
    #[error("cluster {id} is being deleted")]
    BeingDeleted {
        /// The id.
        id: ClusterId,
    },
    /// The last delete failed.
    #[error("the last delete of cluster {id} failed")]
    DeleteFailed {
        /// The id.
        id: ClusterId,
    },
    /// The project's limit is reached.
    #[error(
        "the project has {} {}; {} more would exceed its limit of {}",
        .0.used, .0.what.noun(), .0.asked, .0.allowed
    )]
    LimitReached(Reached),
    /// A create with the state `stopped`.
    #[error("creating a cluster in the state stopped is not supported")]
    CreateStopped,
    /// The subnet belongs to another network.
    #[error("the subnet {subnet} does not belong to the network {network}")]
    SubnetElsewhere {
        /// The subnet's name.
        subnet: String,
        /// The network's name.
        network: String,
    },
    /// No such path.
    #[error("the path {path} does not exist")]
    PathNotFound {
        /// The path.
        path: String,
    },
    /// The path does not support this method.
    #[error("{path} does not support {method}")]
    MethodNotAllowed {
        /// The path.
        path: String,
        /// The method.
        method: String,
    },
    /// A remote system, or the store, refused.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyIncomplete => StatusCode::REQUEST_TIMEOUT,
            Self::TokenMissing | Self::TokenInvalid => StatusCode::UNAUTHORIZED,
            Self::TooManyLogins { .. } | Self::TooManyStreams { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::RoleMissing { .. } | Self::ReadOnly { .. } | Self::NotAdmin => StatusCode::FORBIDDEN,
            Self::SiteElsewhere { .. } | Self::LimitReached(_) => StatusCode::FORBIDDEN,
            Self::ClusterNotFound { .. } | Self::ClusterNotVisible { .. } | Self::PathNotFound { .. } => {
                StatusCode::NOT_FOUND
            }
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::SpecDiffers { .. }
            | Self::IdTaken { .. }
            | Self::BeingDeleted { .. }
            | Self::DeleteFailed { .. }
            | Self::ClusterAmbiguous { .. }
            | Self::Unreadable(_)
            | Self::SiteGone { .. }
            | Self::Changed { .. } => StatusCode::CONFLICT,
            Self::Stopping | Self::NotReady { .. } | Self::KeystoneBusy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Remote(e) => remote_status(e),
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::BodyIncomplete => "body_incomplete",
            Self::BodyInvalid { .. } => "body_invalid",
            Self::UnknownField { .. } => "unknown_field",
            Self::InvalidField { .. } => "invalid_field",
            Self::Refused(refusal) => refusal.code,
            Self::InvalidId { .. } => "invalid_id",
            Self::InvalidQuery { .. } => "invalid_query",
            Self::TokenMissing => "token_missing",
            Self::TokenInvalid => "token_invalid",
            Self::TooManyLogins { .. } => "too_many_logins",
            Self::TooManyStreams { .. } => "too_many_streams",
            Self::KeystoneBusy => "keystone_busy",
            Self::RoleMissing { .. } => "role_missing",
            Self::ReadOnly { .. } => "read_only",
            Self::NotAdmin => "not_admin",
            Self::UnknownSite { .. } => "unknown_site",
            Self::SitesDiffer { .. } => "sites_differ",
            Self::SiteMissing { .. } => "site_missing",
            Self::SiteElsewhere { .. } => "site_elsewhere",
            Self::SiteGone { .. } => "site_gone",
            Self::ClusterNotFound { .. } => "cluster_not_found",
            Self::ClusterNotVisible { .. } => "cluster_not_visible",
            Self::SpecDiffers { .. } => "cluster_spec_differs",
            Self::IdTaken { .. } => "cluster_id_taken",
            Self::ClusterAmbiguous { .. } => "cluster_ambiguous",
            Self::Unreadable(_) => "cluster_unreadable",
            Self::Changed { .. } => "cluster_changed",
            Self::Stopping => "service_stopping",
            Self::NotReady { .. } => "not_ready",
            Self::BeingDeleted { .. } => "cluster_being_deleted",
            Self::DeleteFailed { .. } => "cluster_delete_failed",
            Self::LimitReached(_) => "project_limit_reached",
            Self::CreateStopped => "create_stopped",
            Self::SubnetElsewhere { .. } => "subnet_elsewhere",
            Self::PathNotFound { .. } => "path_not_found",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::Remote(e) => e.code,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::BodyInvalid { .. } | Self::UnknownField { .. } | Self::PathNotFound { .. } => {
                "GET /v1/openapi.json describes the API.".to_owned()
            }
            Self::TokenMissing => "Send a Keystone token in X-Auth-Token.".to_owned(),
            Self::TokenInvalid => {
                "Get a new token from Keystone. If the service has sites of several clouds, name the \
                                   token's site in X-Howdah-Site."
                    .to_owned()
            }
            Self::TooManyLogins { .. } => {
                "Wait as long as Retry-After says, then repeat the request with a valid token.".to_owned()
            }
            Self::TooManyStreams { .. } => {
                "Close a stream that nobody reads, or read the events as a list. The operator sets the limit: \
                 limits.streams_per_project."
                    .to_owned()
            }
            Self::KeystoneBusy => "Repeat the request; the service has not started it.".to_owned(),
            Self::RoleMissing { .. } => "Ask an administrator for the role member or reader on the project.".to_owned(),
            Self::ReadOnly { .. } => "Ask an administrator for the role member on the project.".to_owned(),
            Self::UnknownSite { described, .. } if described.is_empty() => return None,
            Self::ClusterNotVisible { .. } => {
                "Use a token of the cluster's project and name the project (?project=ID; for admins also \
                 all_projects=true). The service reports a deleted cluster only to such requests."
                    .to_owned()
            }
            Self::UnknownSite { described, .. } => format!("The sites are: {}.", described.join(", ")),
            Self::SiteMissing { known } => format!("Name one of the sites: {}.", known.join(", ")),
            Self::SpecDiffers { .. } => "Delete it first, or create the new cluster with a new ID and name.".to_owned(),
            Self::IdTaken { .. } => "Use another random UUID.".to_owned(),
            Self::BeingDeleted { .. } => "Wait until it is deleted, then repeat the request.".to_owned(),
            Self::DeleteFailed { .. } => "Repeat the delete: a part of the cluster may remain.".to_owned(),
            Self::ClusterAmbiguous { .. } => {
                "Use a token of one of these projects, without all_projects (over the UNIX socket: X-Project-Id)."
                    .to_owned()
            }
            Self::Unreadable(_) => {
                "A newer howdah may have written it. Ask the operator to install that version again. \
                                    Until then, the service does not change the cluster."
                    .to_owned()
            }
            Self::Changed { .. } => "Check the cluster, then repeat the request if you still need it.".to_owned(),
            Self::Stopping => "Repeat the request when the service is back; nothing is lost.".to_owned(),
            Self::NotReady { hint, .. } => return hint.clone(),
            Self::LimitReached(reached) => match reached.what {
                What::Creates => "Wait until one of them ends, then repeat the request.".to_owned(),
                What::Clusters | What::Nodes => format!(
                    "Delete clusters that you no longer need, or ask the operator for a higher limit ({}).",
                    reached.what.key()
                ),
            },
            Self::SiteGone { .. } => {
                "Ask the operator to configure the site again under the same name. Until then, the \
                                      service does not change the cluster."
                    .to_owned()
            }
            Self::CreateStopped => "Create it in the state running, then stop it.".to_owned(),
            Self::Refused(refusal) => return refusal.hint.clone(),
            Self::Remote(e) => return e.hint.clone(),
            _ => return None,
        })
    }

    fn details(&self) -> Map<String, Value> {
        let value = match self {
            Self::BodyTooLarge { limit } => json!({ "limit": limit }),
            Self::UnknownField { field, known } => json!({ "field": field, "known": known }),
            Self::InvalidField { field, .. } => json!({ "field": field }),
            Self::Refused(refusal) if refusal.others.is_empty() => json!({ "field": refusal.field }),
            Self::Refused(refusal) => json!({ "field": refusal.field, "others": refusal.others }),
            Self::UnknownSite { known, .. } | Self::SiteMissing { known, .. } => json!({ "sites": known }),
            Self::SpecDiffers { differences, .. } => json!({ "differences": differences }),
            Self::ClusterAmbiguous { projects, .. } => json!({ "projects": projects }),
            Self::LimitReached(Reached { what, allowed, used, asked }) => {
                json!({ "limit": what, "allowed": allowed, "used": used, "asked": asked })
            }
            Self::Unreadable(row) => json!(view::unreadable(row)),
            Self::NotReady { readiness, .. } => return readiness.clone(),
            Self::Remote(e) => json!({ "system": e.system, "kind": e.kind }),
            _ => Value::Null,
        };
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn message(&self) -> String {
        match self {
            // SQLite's message does not help the requester; the log has it.
            Self::Remote(e) if e.system == System::Store => match e.code {
                "store_full" => "the service cannot write its database: the disk is full".to_owned(),
                "store_busy" => "the service's database is busy with other changes".to_owned(),
                "cluster_unreadable" => e.message.clone(),
                _ if e.kind == ErrorKind::Conflict => e.message.clone(),
                _ => "the service cannot use its database".to_owned(),
            },
            other => chain(other),
        }
    }

    fn printable_details(&self) -> Map<String, Value> {
        fn printable(value: Value) -> Value {
            match value {
                Value::String(text) => Value::String(into_printable(text)),
                Value::Array(all) => all.into_iter().map(printable).collect(),
                Value::Object(fields) => {
                    fields.into_iter().map(|(name, v)| (into_printable(name), printable(v))).collect()
                }
                other => other,
            }
        }
        self.details().into_iter().map(|(name, value)| (name, printable(value))).collect()
    }

    /// The answer's body. Quoted foreign text is made printable.
    pub fn body(&self) -> ErrorBody {
        ErrorBody {
            error: ErrorView {
                code: self.code().to_owned(),
                message: into_printable(self.message()),
                hint: self.hint().map(into_printable),
                details: self.printable_details(),
            },
        }
    }
}

fn remote_status(e: &RemoteError) -> StatusCode {
    match e.kind {
        ErrorKind::Conflict => StatusCode::CONFLICT,
        _ if e.system == System::Store && e.code == "cluster_unreadable" => StatusCode::CONFLICT,
        // These pass: a full disk, another process that reads the file.
        ErrorKind::Internal | ErrorKind::Unavailable if e.system == System::Store => StatusCode::SERVICE_UNAVAILABLE,
        _ if e.system == System::Store => StatusCode::INTERNAL_SERVER_ERROR,
        // The request names an object that does not exist; the path itself is right.
        ErrorKind::NotFound | ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::Exhausted => StatusCode::CONFLICT,
        ErrorKind::Unreachable | ErrorKind::NoAnswer | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::BadAnswer | ErrorKind::Internal => StatusCode::BAD_GATEWAY,
        // The service's own: a retry does not help until the operator has corrected them.
        ErrorKind::Certificate | ErrorKind::Credentials => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::warn!(code = self.code(), "request failed: {}", chain(&self));
        }
        let wait = match &self {
            Self::TooManyLogins { wait } => Some(wait.as_millis().div_ceil(1000)),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(5),
            _ => None,
        };
        let mut response = (status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = wait.and_then(|s| HeaderValue::from_str(&s.to_string()).ok()) {
            headers.insert(header::RETRY_AFTER, seconds);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Keystone"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remote_systems_say_is_passed_on() {
        let mut told = String::new();
        for (system, kind) in [
            (System::Neutron, ErrorKind::NotFound),
            (System::Neutron, ErrorKind::Invalid),
            (System::Neutron, ErrorKind::Forbidden),
            (System::Neutron, ErrorKind::Exhausted),
            (System::Neutron, ErrorKind::Conflict),
            (System::Keystone, ErrorKind::Unreachable),
            (System::Keystone, ErrorKind::NoAnswer),
            (System::Keystone, ErrorKind::Unavailable),
            (System::Keystone, ErrorKind::BadAnswer),
            (System::Keystone, ErrorKind::Internal),
            (System::Keystone, ErrorKind::Certificate),
            (System::Keystone, ErrorKind::Credentials),
            (System::Store, ErrorKind::Conflict),
            (System::Store, ErrorKind::Internal),
            (System::Store, ErrorKind::Unavailable),
            (System::Store, ErrorKind::Invalid),
        ] {
            let cause = std::io::Error::other("the cause");
            let e = ApiError::from(
                RemoteError::new(system, kind, "a_code", "what it said").hint("Do it.").caused_by(cause),
            );
            let (status, body) = (e.status(), e.body().error);
            told.push_str(&format!("{} {} <- {system} {kind:?}\n", status.as_u16(), body.message));
            assert_eq!((body.code.as_str(), body.hint.as_deref()), ("a_code", Some("Do it.")));
        }
        insta::assert_snapshot!(told);
    }
}
