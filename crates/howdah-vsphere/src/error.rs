//! Errors of the vCenter client, and their form for the controller.
//! Invariant: no variant contains a request, so that no message can contain a password.

use std::time::Duration;

use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_transport::TransportError;

use crate::fault::{Fault, FaultKind};
use crate::xml::XmlError;

/// An error of the vCenter client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client cannot be created from its settings.
    #[error("cannot set up the client for {url}")]
    SetUp {
        /// The endpoint.
        url: String,
        /// The cause.
        #[source]
        source: TransportError,
    },
    /// No answer arrived.
    #[error("no answer to {method}")]
    Send {
        /// The SOAP method.
        method: String,
        /// The cause.
        #[source]
        source: TransportError,
    },
    /// The answer is a web page: from a proxy, a load balancer, or a vCenter that is starting.
    #[error("{url} answered {method} with a web page (HTTP {status}) instead of SOAP")]
    Html {
        /// The endpoint.
        url: String,
        /// The SOAP method.
        method: String,
        /// HTTP status.
        status: u16,
    },
    /// An HTTP error without SOAP.
    #[error("{url} answered {method} with HTTP {status}")]
    Status {
        /// The endpoint.
        url: String,
        /// The SOAP method.
        method: String,
        /// HTTP status.
        status: u16,
    },
    /// The answer cannot be parsed.
    #[error("cannot parse the answer to {method} ({bytes} bytes)")]
    Answer {
        /// The SOAP method.
        method: String,
        /// Its size.
        bytes: usize,
        /// The cause.
        #[source]
        source: XmlError,
    },
    /// The answer lacks a required element.
    #[error("the answer to {method} has no {missing}")]
    Incomplete {
        /// The SOAP method.
        method: String,
        /// The missing element.
        missing: &'static str,
    },
    /// vCenter refused.
    #[error("{method} was refused: {fault}")]
    Refused {
        /// The SOAP method.
        method: String,
        /// Why.
        fault: Box<Fault>,
    },
    /// The account's last logins were refused; another one might lock it.
    #[error("the login as {user} waits for {} s: the last ones were refused, and more would lock the account", wait.as_secs())]
    LoginHeld {
        /// The user.
        user: String,
        /// Until the next login.
        wait: Duration,
    },
    /// A task was accepted and then failed.
    #[error("{method} of {vm} failed: {fault}")]
    Task {
        /// The SOAP method that started it.
        method: String,
        /// The VM.
        vm: String,
        /// Why.
        fault: Box<Fault>,
    },
    /// A task did not end in time.
    #[error("{method} of {vm} did not end within {} s; its task {task} was last {state}, {progress} % complete", waited.as_secs())]
    TaskUnfinished {
        /// The SOAP method that started it.
        method: String,
        /// The VM.
        vm: String,
        /// The task.
        task: String,
        /// The timeout.
        waited: Duration,
        /// Its last state.
        state: String,
        /// Its last progress.
        progress: u32,
    },
    /// vCenter no longer knows a task: its outcome is unknown.
    #[error("vCenter no longer has the task {task}; its outcome is unknown")]
    TaskGone {
        /// The task.
        task: String,
    },
    /// The VM does not exist, or is not visible to us.
    #[error("the VM {vm} does not exist")]
    NoVm {
        /// Its reference.
        vm: String,
    },
    /// The VM has no such card.
    #[error("the VM {vm} has no network card with the key {key}")]
    NoNic {
        /// Its reference.
        vm: String,
        /// The device key.
        key: i32,
    },
    /// The shared call of several callers failed.
    #[error(transparent)]
    Shared(std::sync::Arc<Error>),
}

impl Error {
    /// The fault, if vCenter answered with one.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Refused { fault, .. } | Self::Task { fault, .. } => Some(fault),
            Self::Shared(error) => error.fault(),
            _ => None,
        }
    }

    /// The kind of that fault.
    pub(crate) fn fault_kind(&self) -> Option<FaultKind> {
        self.fault().map(|f| f.kind)
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.class().0
    }

    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.class().1
    }

    /// Whether the failed request may have taken effect.
    pub(crate) fn is_ambiguous(&self) -> bool {
        match self {
            Self::Send { source, .. } => !source.was_not_sent(),
            Self::Html { .. } | Self::Status { .. } | Self::Answer { .. } | Self::Incomplete { .. } => true,
            Self::Shared(error) => error.is_ambiguous(),
            _ => false,
        }
    }

    fn class(&self) -> (ErrorKind, &'static str) {
        match self {
            Self::SetUp { source, .. } | Self::Send { source, .. } => {
                let kind = source.kind();
                let code = match kind {
                    ErrorKind::Unreachable => "vcenter_unreachable",
                    ErrorKind::NoAnswer => "vcenter_no_answer",
                    ErrorKind::Certificate => "vcenter_certificate",
                    ErrorKind::BadAnswer => "vcenter_bad_answer",
                    _ => "vcenter_misconfigured",
                };
                (kind, code)
            }
            Self::Html { status: 503, .. } | Self::Status { status: 502..=504, .. } => {
                (ErrorKind::Unavailable, "vcenter_unavailable")
            }
            Self::Html { .. } => (ErrorKind::BadAnswer, "vcenter_html_answer"),
            Self::Status { .. } | Self::Answer { .. } | Self::Incomplete { .. } => {
                (ErrorKind::BadAnswer, "vcenter_bad_answer")
            }
            Self::Refused { fault, .. } | Self::Task { fault, .. } => class_of(fault.kind),
            Self::LoginHeld { .. } => class_of(FaultKind::InvalidLogin),
            Self::TaskUnfinished { .. } | Self::TaskGone { .. } => (ErrorKind::NoAnswer, "vcenter_task_unfinished"),
            Self::NoVm { .. } => (ErrorKind::NotFound, "vcenter_vm_not_found"),
            Self::NoNic { .. } => (ErrorKind::NotFound, "vcenter_nic_not_found"),
            Self::Shared(error) => error.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::SetUp { source, .. } | Self::Send { source, .. } => source.hint(),
            Self::Html { url, .. } | Self::Status { url, .. } => Some(format!(
                "Check that {url} is the vCenter Server and not a proxy, and that its services are running."
            )),
            Self::Refused { fault, .. } | Self::Task { fault, .. } => hint_of(fault),
            Self::LoginHeld { .. } => {
                Some("Correct the user name or password in the configuration, then restart the service.".to_owned())
            }
            Self::Shared(error) => error.hint(),
            _ => None,
        }
    }
}

const fn class_of(fault: FaultKind) -> (ErrorKind, &'static str) {
    match fault {
        FaultKind::InvalidLogin => (ErrorKind::Credentials, "vcenter_credentials"),
        FaultKind::NotAuthenticated | FaultKind::RequestCanceled | FaultKind::InvalidCollectorVersion => {
            (ErrorKind::Unavailable, "vcenter_session_lost")
        }
        FaultKind::NoPermission | FaultKind::RestrictedVersion => (ErrorKind::Forbidden, "vcenter_no_permission"),
        FaultKind::InvalidPowerState => (ErrorKind::Conflict, "vcenter_power_state"),
        FaultKind::TaskInProgress | FaultKind::ConcurrentAccess | FaultKind::InvalidState => {
            (ErrorKind::Unavailable, "vcenter_busy")
        }
        FaultKind::ToolsUnavailable => (ErrorKind::Unavailable, "vcenter_no_tools"),
        FaultKind::HostCommunication => (ErrorKind::Unavailable, "vcenter_host_unreachable"),
        FaultKind::DuplicateName => (ErrorKind::Conflict, "vcenter_name_taken"),
        FaultKind::ManagedObjectNotFound => (ErrorKind::NotFound, "vcenter_object_not_found"),
        FaultKind::InsufficientResources => (ErrorKind::Exhausted, "vcenter_resources"),
        FaultKind::File => (ErrorKind::Internal, "vcenter_datastore"),
        FaultKind::VmConfig => (ErrorKind::Invalid, "vcenter_vm_config"),
        FaultKind::InvalidProperty
        | FaultKind::InvalidArgument
        | FaultKind::NotSupported
        | FaultKind::InvalidRequest => (ErrorKind::Invalid, "vcenter_invalid_request"),
        FaultKind::Other => (ErrorKind::Internal, "vcenter_fault"),
    }
}

fn hint_of(fault: &Fault) -> Option<String> {
    match fault.kind {
        FaultKind::InvalidLogin => Some(
            "Check the site's `vcenter` user name (with its domain, such as user@vsphere.local) and password. Too many \
            failed logins lock an account."
                .to_owned(),
        ),
        FaultKind::NoPermission => Some(match &fault.about {
            Some(privilege) => format!("Give the service's vCenter role the privilege {privilege}, with propagation."),
            None => "Give the service's vCenter role the privileges that the documentation lists.".to_owned(),
        }),
        FaultKind::InsufficientResources => {
            Some("Free resources in the cluster, or give it another resource pool.".to_owned())
        }
        FaultKind::HostCommunication => Some("Check the ESXi host's connection to vCenter.".to_owned()),
        _ => None,
    }
}

impl From<Error> for RemoteError {
    fn from(e: Error) -> Self {
        let (kind, code) = e.class();
        let remote = Self::new(System::VCenter, kind, code, e.to_string());
        let remote = match e.hint() {
            Some(hint) => remote.hint(hint),
            None => remote,
        };
        remote.caused_by(e)
    }
}

#[cfg(test)]
mod tests {
    use howdah_core::failure::Failure;

    use super::*;
    use crate::xml::Element;

    fn refused(name: &str, field: &str) -> Error {
        let detail = Element::new("detail").with(Element::new("f").typed(name).with_leaf(field, "Network.Assign"));
        let soap = Element::new("Fault").with_leaf("faultstring", "vCenter's words.").with(detail);
        Error::Refused { method: "Login".to_owned(), fault: Box::new(Fault::of_soap(&soap)) }
    }

    #[test]
    fn messages_are_for_people() {
        let url = "https://vc.example:443/sdk".to_owned();
        let errors = [
            Error::Html { url, method: "Login".to_owned(), status: 200 },
            Error::Answer {
                method: "RetrievePropertiesEx".to_owned(),
                bytes: 1460,
                source: XmlError::Truncated { inside: "propSet".to_owned() },
            },
            refused("InvalidLogin", "x"),
            refused("NoPermission", "privilegeId"),
            refused("TaskInProgress", "x"),
            Error::TaskUnfinished {
                method: "PowerOnVM_Task".to_owned(),
                vm: "vm-7".to_owned(),
                task: "task-9".to_owned(),
                waited: Duration::from_secs(120),
                state: "running".to_owned(),
                progress: 40,
            },
        ];
        let shown: Vec<_> = errors
            .into_iter()
            .map(|e| {
                let remote = RemoteError::from(e);
                format!("[{} {:?}] {}", remote.code, remote.kind, Failure::from(&remote))
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn what_surely_did_not_happen_is_not_ambiguous() {
        assert!(!refused("NotAuthenticated", "x").is_ambiguous());
        assert!(Error::Incomplete { method: String::new(), missing: "returnval" }.is_ambiguous());
    }
}
