//! What the API refuses, and how it says so: status, a code that does not change, a sentence, a
//! hint, details. Invariant: an answer holds no secret and no insides of the service; those go
//! to the log.

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
    /// The body is larger than any sensible one.
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge {
        /// The limit.
        limit: usize,
    },
    /// The body did not arrive in time, or broke off.
    #[error("the body did not arrive completely")]
    BodyIncomplete,
    /// The body is not what it has to be.
    #[error("the body cannot be read: {says}")]
    BodyInvalid {
        /// What the parser says.
        says: String,
    },
    /// The body has a field that there is not.
    #[error("the body has an unknown field: {field}")]
    UnknownField {
        /// The field.
        field: String,
        /// The fields that there are.
        known: Vec<String>,
    },
    /// A field has a value that cannot be.
    #[error("{field}: {says}")]
    InvalidField {
        /// The field.
        field: String,
        /// Why not.
        says: String,
    },
    /// The site does not take what the request says of the cluster.
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
        /// What the parser says.
        says: String,
    },
    /// Neither token nor capability.
    #[error("the request has no X-Auth-Token")]
    TokenMissing,
    /// Keystone does not vouch for the token.
    #[error("the token is not valid, or no longer")]
    TokenInvalid,
    /// Too many tokens from there were refused of late; this one was not looked at.
    #[error("too many tokens from this address were refused; this one was not looked at")]
    TooManyLogins {
        /// When to ask again.
        wait: Duration,
    },
    /// The project has as many event streams open as it may have.
    #[error("the project has {allowed} event streams open, and may have no more")]
    TooManyStreams {
        /// How many may be open.
        allowed: u64,
    },
    /// Enough tokens are at Keystone already.
    #[error("too many tokens are being verified at the moment")]
    KeystoneBusy,
    /// The token has none of the roles.
    #[error("the token of {user} has none of the roles reader, member and admin on this project")]
    RoleMissing {
        /// The user's name.
        user: String,
    },
    /// A reader wants to write.
    #[error("{user} may read, but not write")]
    ReadOnly {
        /// The user's name.
        user: String,
    },
    /// Not an admin, and asks for what only an admin may.
    #[error("all_projects needs the role admin")]
    NotAdmin,
    /// No such site.
    #[error("there is no site {asked}")]
    UnknownSite {
        /// What was asked for.
        asked: String,
        /// Names of those that there are.
        known: Vec<String>,
        /// The same with their hosts.
        described: Vec<String>,
    },
    /// The words that choose the site point to different ones.
    #[error("{first} is of site {one}, and {second} is of site {other}")]
    SitesDiffer {
        /// One word.
        first: &'static str,
        /// Its site.
        one: String,
        /// Another word.
        second: &'static str,
        /// Its site.
        other: String,
    },
    /// No default site, and none named.
    #[error("no site is named, and none is the default")]
    SiteMissing {
        /// What there is.
        known: Vec<String>,
    },
    /// The token is of another cloud than the site.
    #[error("the token is not of the OpenStack that site {site} belongs to")]
    SiteElsewhere {
        /// The site.
        site: String,
    },
    /// The cluster's site is not in the configuration any more.
    #[error("the cluster is of site {site}, which the service does not have any more")]
    SiteGone {
        /// The site.
        site: String,
    },
    /// No such cluster, or no longer; said to those who are entitled to know.
    #[error("there is no cluster {id}")]
    ClusterNotFound {
        /// The id.
        id: ClusterId,
    },
    /// Nothing that the requester may see, be it there or not.
    #[error("no cluster {id} can be seen by who asks")]
    ClusterNotVisible {
        /// The id.
        id: ClusterId,
    },
    /// The same id with another unchangeable part.
    #[error("cluster {id} exists with another {}", differences.join(", "))]
    SpecDiffers {
        /// The id.
        id: ClusterId,
        /// Names of the fields.
        differences: Vec<&'static str>,
    },
    /// Several projects have a cluster of this id, and an admin asks for one of all projects.
    #[error("projects {} have a cluster {id} each", projects.join(", "))]
    ClusterAmbiguous {
        /// The id.
        id: ClusterId,
        /// The projects.
        projects: Vec<String>,
    },
    /// The stored cluster cannot be read; it is left alone.
    #[error("cluster {} ({}) cannot be read: {}", .0.name, .0.key.id, .0.why)]
    Unreadable(Unreadable),
    /// Others were faster, time and again.
    #[error("cluster {id} was changed by others at the same time")]
    Changed {
        /// The id.
        id: ClusterId,
    },
    /// The service is about to end.
    #[error("the service is being stopped")]
    Stopping,
    /// The service cannot do its work.
    #[error("the service is not ready: {}", failing.join("; "))]
    NotReady {
        /// What is not as it should be.
        failing: Vec<String>,
        /// What to do about the first of it.
        hint: Option<String>,
        /// The whole of it.
        readiness: Map<String, Value>,
    },
    /// A cluster in a cloud that the requester's token is not of has the id.
    #[error("the id {id} is taken")]
    IdTaken {
        /// The id.
        id: ClusterId,
    },
    /// The cluster is on its way out.
    #[error("cluster {id} is being deleted")]
    BeingDeleted {
        /// The id.
        id: ClusterId,
    },
    /// The cluster was to be deleted, and that failed.
    #[error("cluster {id} was to be deleted, and that failed")]
    DeleteFailed {
        /// The id.
        id: ClusterId,
    },
    /// The project has as much as the operator allows.
    #[error(
        "the project has {} {}, and {} more would be beyond the {} that are allowed",
        .0.used, .0.what.noun(), .0.asked, .0.allowed
    )]
    LimitReached(Reached),
    /// A new cluster is wanted stopped.
    #[error("a cluster cannot be created stopped")]
    CreateStopped,
    /// The subnet is of another network.
    #[error("the subnet {subnet} is not of the network {network}")]
    SubnetElsewhere {
        /// The subnet's name.
        subnet: String,
        /// The network's name.
        network: String,
    },
    /// No such path.
    #[error("there is nothing at {path}")]
    PathNotFound {
        /// The path.
        path: String,
    },
    /// The path does not take this method.
    #[error("{path} does not take {method}")]
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
            Self::TokenInvalid => "Get a new token from Keystone. If the service has sites of several clouds, name the \
                                   token's site in X-Howdah-Site."
                .to_owned(),
            Self::TooManyLogins { .. } => {
                "Wait for as long as Retry-After says, then ask with a token that has not ended.".to_owned()
            }
            Self::TooManyStreams { .. } => "Close a stream that nobody reads, or read the events as a list. The operator sets the limit: \
                                            limits.streams_per_project."
                .to_owned(),
            Self::KeystoneBusy => "Repeat the request; nothing was done.".to_owned(),
            Self::RoleMissing { .. } => "Ask for the role member (or reader) on the project.".to_owned(),
            Self::ReadOnly { .. } => "Ask for the role member on the project.".to_owned(),
            Self::UnknownSite { described, .. } if described.is_empty() => return None,
            Self::ClusterNotVisible { .. } => {
                "Ask with a token of its project, and name that project (?project=ID; admins all_projects=true as well): \
                 only then does the service say whether it is gone."
                    .to_owned()
            }
            Self::UnknownSite { described, .. } => format!("The sites are: {}.", described.join(", ")),
            Self::SiteMissing { known } => format!("Name one of the sites: {}.", known.join(", ")),
            Self::SpecDiffers { .. } => "Delete it first, or ask for the new one under a new id and name.".to_owned(),
            Self::IdTaken { .. } => "Choose another (random) UUID.".to_owned(),
            Self::BeingDeleted { .. } => "Wait until it is gone, then ask again.".to_owned(),
            Self::DeleteFailed { .. } => "Delete it again: it may be there in part.".to_owned(),
            Self::ClusterAmbiguous { .. } => {
                "Ask with a token of one of these projects, without all_projects (over the socket: X-Project-Id)."
                    .to_owned()
            }
            Self::Unreadable(_) => "A newer howdah may have written it: the operator has to install that one again. \
                                    Until then the cluster is left alone."
                .to_owned(),
            Self::Changed { .. } => "Look at the cluster, then repeat the request if it is still wanted.".to_owned(),
            Self::Stopping => "Repeat the request; nothing was lost.".to_owned(),
            Self::NotReady { hint, .. } => return hint.clone(),
            Self::LimitReached(reached) => match reached.what {
                What::Creates => "Wait until one of them is done, then ask again.".to_owned(),
                What::Clusters | What::Nodes => format!(
                    "Delete what is not needed any more, or ask the operator for more ({}).",
                    reached.what.key()
                ),
            },
            Self::SiteGone { .. } => "The operator has to configure it again, by the name that it had. Until then the cluster \
                                      is left alone."
                .to_owned(),
            Self::CreateStopped => "Create it running, then ask for stopped.".to_owned(),
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
            // The person who asked can do nothing with SQLite's words; the log has them.
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

    /// The answer's body. What the requester or others wrote is quoted in it so that it can be shown.
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
        // Passing by its kind: a full disk, another process that looks into the file.
        ErrorKind::Internal | ErrorKind::Unavailable if e.system == System::Store => StatusCode::SERVICE_UNAVAILABLE,
        _ if e.system == System::Store => StatusCode::INTERNAL_SERVER_ERROR,
        // What was asked for is not there: the request names the wrong thing, the path is right.
        ErrorKind::NotFound | ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::Exhausted => StatusCode::CONFLICT,
        ErrorKind::Unreachable | ErrorKind::NoAnswer | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::BadAnswer | ErrorKind::Internal => StatusCode::BAD_GATEWAY,
        // Those of the service: no repeat helps until the operator has mended them.
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
