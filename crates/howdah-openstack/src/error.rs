//! Errors, and their form for the core. Invariant: no variant contains a secret. The
//! codes are part of the API and do not change; the messages may.

use std::path::PathBuf;
use std::sync::Arc;

use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::systems::identity::TOKEN_REFUSED;
use howdah_transport::TransportError;

use crate::endpoint::NETWORK;
use crate::refusal::{Refusal, by_status};

/// An error of this crate. It can be cloned because all callers that waited for a login share its result.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is missing.
    #[error("the OpenStack setting `{key}` is missing")]
    MissingSetting {
        /// Its name.
        key: &'static str,
        /// What to do.
        hint: String,
    },
    /// A setting has an invalid value.
    #[error("the OpenStack setting `{key}` is invalid: {reason}")]
    BadSetting {
        /// Its name.
        key: &'static str,
        /// Why.
        reason: String,
    },
    /// A settings file cannot be read.
    #[error("cannot read {}", path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A settings file is invalid.
    #[error("cannot parse {}: {reason}", path.display())]
    ParseFile {
        /// The file.
        path: PathBuf,
        /// The problem and its position, without values.
        reason: String,
    },
    /// A cloud that is not in `clouds.yaml`.
    #[error("{} has no cloud {cloud:?}; it has {}", path.display(), known.join(", "))]
    UnknownCloud {
        /// The file.
        path: PathBuf,
        /// The requested cloud.
        cloud: String,
        /// The known clouds.
        known: Vec<String>,
    },
    /// The HTTP client could not be set up.
    #[error("cannot set up the client of {system}")]
    SetUp {
        /// Whose.
        system: System,
        /// The cause.
        #[source]
        source: Arc<TransportError>,
    },
    /// No answer arrived.
    #[error("could not {step}")]
    Transport {
        /// The system.
        system: System,
        /// The step.
        step: &'static str,
        /// The cause.
        #[source]
        source: Arc<TransportError>,
    },
    /// Keystone refused the credentials.
    #[error("could not {step}: the credentials were refused (HTTP 401)")]
    Credentials {
        /// The step.
        step: &'static str,
    },
    /// A new token of the service was refused.
    #[error("could not {step}: the service's new token was refused (HTTP 401)")]
    OwnToken {
        /// The system.
        system: System,
        /// The step.
        step: &'static str,
    },
    /// The requester's token is invalid.
    #[error("the token was refused: it is invalid, revoked or expired")]
    RequesterToken,
    /// The requester's token is valid, but has no project scope.
    #[error("the token is not scoped to a project")]
    NoProject,
    /// The catalogue has no matching endpoint.
    #[error("the catalogue has no {interface} endpoint of the service type `network`{}; it has {}", in_region(region.as_deref()), listed(known))]
    NoEndpoint {
        /// The requested interface.
        interface: &'static str,
        /// The requested region.
        region: Option<String>,
        /// The endpoints in the catalogue: `network public RegionOne`.
        known: Vec<String>,
    },
    /// The catalogue has one in several regions, and the settings select none.
    #[error("the catalogue has the service type `network` in several regions: {}", known.join(", "))]
    SeveralRegions {
        /// The regions.
        known: Vec<String>,
    },
    /// A token would go to another host in clear text.
    #[error(
        "the catalogue's endpoint of the service type `{kind}`, {url}, is http:// on a different host than Keystone"
    )]
    PlainEndpoint {
        /// The type.
        kind: String,
        /// The address.
        url: String,
    },
    /// The server refused with an error body.
    #[error("could not {step}: {message} ({refusal}, HTTP {status})")]
    Refused {
        /// The system.
        system: System,
        /// The step.
        step: &'static str,
        /// HTTP status.
        status: u16,
        /// The error's type.
        refusal: Refusal,
        /// The server's message.
        message: String,
    },
    /// An unexpected answer.
    #[error("could not {step}: unexpected answer ({reason}, HTTP {status}): {shown}")]
    BadAnswer {
        /// The system.
        system: System,
        /// The step.
        step: &'static str,
        /// HTTP status.
        status: u16,
        /// The problem.
        reason: String,
        /// The start of the answer.
        shown: String,
    },
    /// A MAC address twice in one request: Neutron would need 90 s to refuse it.
    #[error("one request has the MAC address {mac} twice")]
    SameMac {
        /// The address.
        mac: howdah_core::ids::Mac,
    },
    /// The object does not exist, or is not available to this requester.
    #[error("no {what} {wish:?} is available to {whom}{place}")]
    NotFound {
        /// `network`, `subnet`, `security group`.
        what: What,
        /// The requested name or ID.
        wish: String,
        /// The requester or the service.
        whom: &'static str,
        /// ` on the network "data"`, or nothing.
        place: String,
    },
    /// Several objects have the name.
    #[error("several {what}s have the name {wish:?}: {}", ids.join(", "))]
    Ambiguous {
        /// `network`, `subnet`, `security group`.
        what: What,
        /// The name.
        wish: String,
        /// Their ids.
        ids: Vec<String>,
    },
}

fn in_region(region: Option<&str>) -> String {
    region.map(|r| format!(" in the region {r:?}")).unwrap_or_default()
}

fn listed(known: &[String]) -> String {
    if known.is_empty() { "nothing".to_owned() } else { known.join(", ") }
}

/// A kind of object that is looked up by name or ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A network.
    Network,
    /// A subnet.
    Subnet,
    /// A security group.
    SecurityGroup,
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Network => "network",
            Self::Subnet => "subnet",
            Self::SecurityGroup => "security group",
        })
    }
}

fn by_transport(system: System, source: &TransportError) -> (ErrorKind, &'static str) {
    let keystone = system == System::Keystone;
    let pick = |k: &'static str, n: &'static str| if keystone { k } else { n };
    let kind = source.kind();
    let code = match kind {
        ErrorKind::Certificate => pick("keystone_certificate_refused", "neutron_certificate_refused"),
        ErrorKind::NoAnswer => pick("keystone_no_answer", "neutron_no_answer"),
        ErrorKind::Unreachable => pick("keystone_unreachable", "neutron_unreachable"),
        ErrorKind::BadAnswer => pick("keystone_bad_answer", "neutron_bad_answer"),
        _ => pick("keystone_request_not_sent", "neutron_request_not_sent"),
    };
    (kind, code)
}

impl Error {
    /// Who refused.
    pub fn system(&self) -> System {
        match self {
            Self::SetUp { system, .. }
            | Self::Transport { system, .. }
            | Self::OwnToken { system, .. }
            | Self::Refused { system, .. }
            | Self::BadAnswer { system, .. } => *system,
            Self::SameMac { .. } | Self::NotFound { .. } | Self::Ambiguous { .. } => System::Neutron,
            _ => System::Keystone,
        }
    }

    /// The kind of the error, with its stable code.
    fn meaning(&self) -> (ErrorKind, &'static str) {
        match self {
            Self::MissingSetting { .. }
            | Self::BadSetting { .. }
            | Self::ReadFile { .. }
            | Self::ParseFile { .. }
            | Self::UnknownCloud { .. } => (ErrorKind::Invalid, "openstack_settings"),
            Self::SetUp { system, source } | Self::Transport { system, source, .. } => by_transport(*system, source),
            Self::Credentials { .. } => (ErrorKind::Credentials, "keystone_credentials_refused"),
            Self::OwnToken { .. } => (ErrorKind::Credentials, "neutron_token_refused"),
            Self::RequesterToken => (ErrorKind::Credentials, TOKEN_REFUSED),
            Self::NoProject => (ErrorKind::Forbidden, "token_without_project"),
            Self::NoEndpoint { .. } | Self::SeveralRegions { .. } => (ErrorKind::Invalid, "keystone_no_endpoint"),
            Self::PlainEndpoint { .. } => (ErrorKind::Invalid, "keystone_http_endpoint"),
            Self::Refused { system, status, refusal, .. } => refusal.meaning(*system, *status),
            // A page of a proxy: its status is more useful than its text.
            Self::BadAnswer { system, status: status @ (401 | 408 | 429 | 500..), .. } => by_status(*system, *status),
            Self::BadAnswer { system: System::Keystone, .. } => (ErrorKind::BadAnswer, "keystone_bad_answer"),
            Self::BadAnswer { .. } => (ErrorKind::BadAnswer, "neutron_bad_answer"),
            Self::SameMac { .. } => (ErrorKind::Invalid, "neutron_same_mac_twice"),
            Self::NotFound { what: What::Network, .. } => (ErrorKind::NotFound, "network_not_found"),
            Self::NotFound { what: What::Subnet, .. } => (ErrorKind::NotFound, "subnet_not_found"),
            Self::NotFound { what: What::SecurityGroup, .. } => (ErrorKind::NotFound, "security_group_not_found"),
            Self::Ambiguous { what: What::Network, .. } => (ErrorKind::Invalid, "network_ambiguous"),
            Self::Ambiguous { what: What::Subnet, .. } => (ErrorKind::Invalid, "subnet_ambiguous"),
            Self::Ambiguous { what: What::SecurityGroup, .. } => (ErrorKind::Invalid, "security_group_ambiguous"),
        }
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.meaning().0
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.meaning().1
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::MissingSetting { hint, .. } => Some(hint.clone()),
            Self::SetUp { source, .. } | Self::Transport { source, .. } => source.hint(),
            Self::Credentials { .. } => Some(
                "Check the user, password, project and domains (the service's are in [site.openstack]); Keystone does \
                 not report which is wrong. Verify the same values with `openstack token issue`."
                    .to_owned(),
            ),
            Self::OwnToken { .. } => {
                Some("Neutron rejects a token that Keystone issued: check Neutron's [keystone_authtoken].".to_owned())
            }
            Self::RequesterToken => Some("Get a new token: `openstack token issue`.".to_owned()),
            Self::NoProject => Some("Get a token with a project scope.".to_owned()),
            Self::NoEndpoint { .. } => {
                Some("Set `region`, `interface` or `neutron_url` in [site.openstack].".to_owned())
            }
            Self::SeveralRegions { .. } => Some("Set `region` in [site.openstack].".to_owned()),
            Self::PlainEndpoint { kind, .. } if kind == NETWORK => Some(
                "Register it as https://, or set `neutron_url` in [site.openstack]. If the network in between is \
                 trusted, set `allow_http_endpoints = true`."
                    .to_owned(),
            ),
            Self::PlainEndpoint { .. } => {
                Some("If the network in between is trusted, set the address with --endpoint.".to_owned())
            }
            Self::Refused { system: System::Neutron, refusal, message, .. } => refusal.hint(message),
            Self::BadAnswer { status: ..500, .. } => {
                Some("Check that the URL is the service's own and not that of a dashboard or a proxy.".to_owned())
            }
            Self::NotFound { what, .. } => {
                Some(format!("List the available ones with the same token: `openstack {what} list`."))
            }
            Self::Ambiguous { .. } => Some("Use the ID instead of the name.".to_owned()),
            _ => None,
        }
    }

    /// Whether the server refused with this status. A proxy's page does not count: a 404
    /// from a wrong address must not look like a deleted port.
    pub(crate) fn is_status(&self, wanted: u16) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == wanted)
    }

    /// Whether the token was refused, in any form: older servers send plain text.
    pub(crate) fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Refused { status: 401, .. } | Self::BadAnswer { status: 401, .. })
    }
}

impl From<Error> for RemoteError {
    fn from(error: Error) -> Self {
        let (kind, code) = error.meaning();
        let mut remote = RemoteError::new(error.system(), kind, code, error.to_string());
        remote.hint = error.hint();
        match error {
            Error::SetUp { source, .. } | Error::Transport { source, .. } => remote.caused_by(source),
            Error::ReadFile { source, .. } => remote.caused_by(source),
            _ => remote,
        }
    }
}
