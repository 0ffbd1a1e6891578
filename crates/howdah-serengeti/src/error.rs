//! Errors of an appliance, and their meaning for the controller.
//!
//! The error's code decides, never its status: the statuses differ between releases. Invariant: no text
//! contains a password; sent passwords are removed from the service's messages.

use std::sync::Arc;
use std::time::Duration;

use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_transport::TransportError;

use crate::body::Refusal;
use crate::names::PasswordRule;
use crate::release::Release;
use crate::wire::{ErrorBody, code};

/// A failed call. `step` describes it, as in "could not *create cluster "x"*".
///
/// Cheap to clone: all callers that waited for a login get its error.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configured address is invalid.
    #[error("the address {url:?} is invalid: {reason}")]
    Address {
        /// As configured.
        url: String,
        /// Why not.
        reason: &'static str,
    },
    /// The transport failed.
    #[error("could not {step}")]
    Transport {
        /// The step.
        step: String,
        /// The cause.
        #[source]
        source: Arc<TransportError>,
    },
    /// The user name or password is wrong.
    #[error("the login as {user:?} was refused: {said}")]
    LoginRefused {
        /// The user.
        user: String,
        /// The page's words.
        said: String,
    },
    /// The account's last logins were refused; another one might lock it.
    #[error("the login as {user} waits for {} s: the last ones were refused, and more would lock the account", wait.as_secs())]
    LoginHeld {
        /// The user.
        user: String,
        /// Until the next login.
        wait: Duration,
    },
    /// The appliance could not verify the user name and password with its vCenter.
    #[error("could not log in: the appliance does not reach its vCenter: {said}")]
    VCenterUnreachable {
        /// The page's words.
        said: String,
    },
    /// A session was refused right after its login.
    #[error("could not {step}: a session was refused right after its login")]
    SessionRefused {
        /// The step.
        step: String,
    },
    /// The appliance accepts only reads at the moment.
    #[error("could not {step}: the appliance is in maintenance mode: {said}")]
    Maintenance {
        /// The step.
        step: String,
        /// What it said.
        said: String,
    },
    /// The service refused with an error body.
    #[error("could not {step}: {} ({})", body.message, body.code)]
    Refused {
        /// The step.
        step: String,
        /// Its reason.
        body: Box<ErrorBody>,
    },
    /// An HTML page instead of JSON: from Tomcat, or from a proxy.
    #[error("could not {step}: the answer is an HTML page (status {status}): {heading}")]
    Page {
        /// The step.
        step: String,
        /// Its status.
        status: u16,
        /// What its heading says.
        heading: String,
    },
    /// A redirect; it is not followed, because it may lead anywhere.
    #[error("could not {step}: the answer redirects to {to}")]
    Redirected {
        /// The step.
        step: String,
        /// Where to.
        to: String,
    },
    /// An unexpected answer.
    #[error("could not {step}: unexpected answer with status {status}: {said}")]
    Answer {
        /// The step.
        step: String,
        /// Its status.
        status: u16,
        /// What is wrong with it.
        said: String,
    },
    /// The nodes' password breaks a rule; checked before the call.
    #[error("the cluster password is invalid: {rule}")]
    Password {
        /// The rule.
        rule: PasswordRule,
    },
    /// The site does not allow the request; checked before the call.
    #[error(transparent)]
    Closed(Box<Refusal>),
    /// A field that the appliance's release does not have.
    #[error("{field} in the specification needs release {since}, but the appliance has {is}")]
    TooNew {
        /// The field.
        field: String,
        /// The first release that has it.
        since: Release,
        /// The appliance's.
        is: String,
    },
}

impl Error {
    /// The code of the service's own refusal.
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Refused { body, .. } => Some(&body.code),
            _ => None,
        }
    }

    /// Whether it is a refusal with this code.
    pub fn is(&self, code: &str) -> bool {
        self.refusal() == Some(code)
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Address { .. } | Self::Password { .. } | Self::Closed(_) | Self::TooNew { .. } => ErrorKind::Invalid,
            Self::Transport { source, .. } => source.kind(),
            Self::LoginRefused { .. } | Self::LoginHeld { .. } => ErrorKind::Credentials,
            // The login succeeded, so the credentials are valid; a replica or an idle limit of
            // seconds can cause this, and a retry may succeed.
            Self::SessionRefused { .. } | Self::Maintenance { .. } | Self::VCenterUnreachable { .. } => {
                ErrorKind::Unavailable
            }
            Self::Refused { body, .. } => meaning(body).0,
            Self::Page { status, .. } if *status >= 500 => ErrorKind::Internal,
            Self::Page { .. } | Self::Redirected { .. } | Self::Answer { .. } => ErrorKind::BadAnswer,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "bde_address_invalid",
            Self::Transport { source, .. } => match source.kind() {
                ErrorKind::Certificate => "bde_certificate",
                ErrorKind::NoAnswer => "bde_no_answer",
                ErrorKind::Invalid => "bde_endpoint_invalid",
                ErrorKind::BadAnswer => "bde_bad_answer",
                _ => "bde_unreachable",
            },
            Self::LoginRefused { .. } | Self::LoginHeld { .. } => "bde_credentials",
            Self::VCenterUnreachable { .. } => "bde_vcenter_unreachable",
            Self::SessionRefused { .. } => "bde_session_refused",
            Self::Maintenance { .. } => "bde_maintenance",
            Self::Refused { body, .. } => meaning(body).1,
            Self::Page { .. } => "bde_html_answer",
            Self::Redirected { .. } => "bde_redirect",
            Self::Answer { .. } => "bde_bad_answer",
            Self::Password { .. } => "bde_password_rule",
            Self::Closed(refusal) => refusal.code,
            Self::TooNew { .. } => "bde_specification_too_new",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Transport { source, .. } if is_handshake(source) => {
                "The server and Howdah have no TLS version or cipher suite in common. Appliances of this age often \
                 offer only CBC suites, which Howdah does not have: enable an AES-GCM suite for TLS 1.2 on the \
                 appliance, or run a TLS proxy on Howdah's host and set its loopback address: http://127.0.0.1:<port>."
            }
            Self::Transport { source, .. } => return source.hint(),
            Self::LoginRefused { .. } => {
                "BDE verifies the name and password with vCenter: use a vCenter user such as \
                 user@vsphere.local, and check that the appliance's Users.xml allows it."
            }
            Self::LoginHeld { .. } => "Correct the user name or password.",
            Self::Maintenance { .. } => {
                "Remove the file /opt/serengeti/etc/maintenance from the appliance; Howdah then continues automatically."
            }
            Self::Refused { body, .. } => return meaning(body).2.map(str::to_owned),
            Self::Closed(refusal) => return refusal.hint.clone(),
            Self::VCenterUnreachable { .. } => "Check vCenter, then the appliance's connection to it.",
            Self::Page { .. } => {
                "Check that the address is the BDE appliance's, port 8443, and that no proxy answers for it."
            }
            Self::Redirected { .. } => "Write the address as https://<appliance>:8443.",
            Self::Password { .. } => {
                "Use 8 to 20 characters with a digit, a lower-case letter, an upper-case letter and one of \
                 _ @ # $ % ^ & *."
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// Whether a connection failed because the two sides have no TLS parameters in common. Crates that this one
/// does not depend on wrap the TLS library's error; only its text shows the cause.
fn is_handshake(error: &TransportError) -> bool {
    let TransportError::Connect { source, .. } = error else {
        return false;
    };
    let text = howdah_core::failure::chain(source);
    ["HandshakeFailure", "ProtocolVersion", "peer is incompatible"].iter().any(|sign| text.contains(sign))
}

/// Kind, stable code and hint of a refusal by the service.
fn meaning(body: &ErrorBody) -> (ErrorKind, &'static str, Option<&'static str>) {
    let subject = body.subject().to_ascii_lowercase();
    match body.code.as_str() {
        code::APP_INIT_ERROR | code::INIT_VC_FAIL => (
            ErrorKind::Unavailable,
            "bde_not_initialised",
            Some(
                "The appliance could not reach vCenter when it started. Restart its tomcat service when vCenter is reachable.",
            ),
        ),
        code::MAINTENANCE => (ErrorKind::Unavailable, "bde_maintenance", None),
        code::ALREADY_EXISTS if subject == "cluster" => (
            ErrorKind::Conflict,
            "bde_cluster_name_taken",
            Some("Use another cluster name, or delete the cluster that has it."),
        ),
        code::ALREADY_EXISTS if subject == "network" => (ErrorKind::Conflict, "bde_network_name_taken", None),
        code::ALREADY_EXISTS => (ErrorKind::Conflict, "bde_name_taken", None),
        code::NOT_FOUND => (ErrorKind::NotFound, not_found(&subject), None),
        code::CLUSTER_CONFIG_NOT_FOUND => (ErrorKind::NotFound, "bde_cluster_not_found", None),
        code::APPMANAGER_NOT_FOUND => (ErrorKind::NotFound, "bde_app_manager_not_found", None),
        code::RESOURCE_POOL_NOT_FOUND => (ErrorKind::NotFound, "bde_resource_pool_not_found", None),
        code::DATASTORE_NOT_FOUND => (ErrorKind::NotFound, "bde_datastore_not_found", None),
        code::NETWORK_IS_NOT_FOUND => (ErrorKind::NotFound, "bde_network_not_found", None),
        code::PORT_GROUP_NOT_FOUND => (
            ErrorKind::NotFound,
            "bde_port_group_not_found",
            Some("The appliance looks for the exact name in its own datacenter."),
        ),
        code::NETWORK_IN_USE => (ErrorKind::Conflict, "bde_network_in_use", None),
        code::IS_RUNNING => (ErrorKind::Conflict, "bde_cluster_is_running", None),
        code::IS_STOPPED => (ErrorKind::Conflict, "bde_cluster_is_stopped", None),
        // Its status differs from the one that the caller saw: look and decide again.
        code::CANNOT_DELETE | code::CANNOT_START | code::CANNOT_STOP | code::CANNOT_UPDATE => {
            (ErrorKind::Conflict, "bde_cluster_busy", None)
        }
        code::NO_RESOURCE_POOL_ADDED | code::NO_DATASTORE_ADDED => (
            ErrorKind::Invalid,
            "bde_nothing_registered",
            Some("Register resource pools and datastores in BDE first (resourcepool add, datastore add)."),
        ),
        code::NETWORK_UNACCESSIBLE => (
            ErrorKind::Invalid,
            "bde_network_unreachable",
            Some("The hosts of the chosen resource pools do not have the network's port group."),
        ),
        "TLS.SERVER_CERT_UNTRUSTED" => (ErrorKind::Unavailable, "bde_distrusts_certificate", None),
        "NETWORK.OUT_OF_IP_ADDR" => (ErrorKind::Exhausted, "bde_addresses_exhausted", None),
        "TASK.EXECUTOR_OVERLOADED" => (ErrorKind::Unavailable, "bde_overloaded", None),
        code::INTERNAL_ERROR => (ErrorKind::Internal, "bde_internal_error", None),
        _ => (ErrorKind::Invalid, "bde_refused", None),
    }
}

fn not_found(subject: &str) -> &'static str {
    match subject {
        "cluster" => "bde_cluster_not_found",
        "network" => "bde_network_not_found",
        "task" => "bde_task_not_found",
        "distro" => "bde_distro_not_found",
        "application" => "bde_app_manager_not_found",
        _ => "bde_not_found",
    }
}

impl Error {
    pub(crate) fn transport(step: impl Into<String>, source: TransportError) -> Self {
        Self::Transport { step: step.into(), source: Arc::new(source) }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Closed(Box::new(refusal))
    }
}

impl From<Error> for RemoteError {
    fn from(error: Error) -> Self {
        let (kind, code, hint) = (error.kind(), error.code(), error.hint());
        let remote = Self::new(System::Bde, kind, code, error.to_string());
        // The message is ours already; its source is the chain to print.
        let remote = match error {
            Error::Transport { source, .. } => remote.caused_by(source),
            _ => remote,
        };
        match hint {
            Some(hint) => remote.hint(hint),
            None => remote,
        }
    }
}
