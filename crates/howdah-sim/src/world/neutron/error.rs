//! Neutron's refusals: type, HTTP status, text.

use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::Mac;

/// An error of Neutron: its `type`, its HTTP status, its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NeutronError {
    /// `MacAddressInUse`, `OverQuota`, ...
    pub kind: &'static str,
    /// HTTP status.
    pub status: u16,
    /// What it says.
    pub message: String,
}

impl NeutronError {
    /// From its three parts.
    pub fn new(kind: &'static str, status: u16, message: impl Into<String>) -> Self {
        Self { kind, status, message: message.into() }
    }

    /// 404 of a network, subnet, port or security group.
    pub fn not_found(what: &'static str, id: &str) -> Self {
        let kind = match what {
            "Network" => "NetworkNotFound",
            "Subnet" => "SubnetNotFound",
            "Port" => "PortNotFound",
            "Security group" => "SecurityGroupNotFound",
            _ => "NotFound",
        };
        let message = if what == "Security group" {
            format!("Security group {id} does not exist")
        } else {
            format!("{what} {id} could not be found.")
        };
        Self::new(kind, 404, message)
    }

    /// 409: the MAC is taken.
    pub fn mac_in_use(network: &str, mac: Mac) -> Self {
        let message = format!("Unable to complete operation for network {network}. The mac address {mac} is in use.");
        Self::new("MacAddressInUse", 409, message)
    }

    /// 403 of a policy rule.
    pub fn policy(rule: &str) -> Self {
        Self::new("PolicyNotAuthorized", 403, format!("rule:{rule} is disallowed by policy"))
    }

    /// 400.
    pub fn bad_request(resource: &str, why: &str) -> Self {
        Self::new("BadRequest", 400, format!("Bad {resource} request: {why}"))
    }
}

impl From<NeutronError> for RemoteError {
    fn from(e: NeutronError) -> Self {
        // The codes are those of the production client: both stand behind the same trait.
        let (kind, code) = match (e.kind, e.status) {
            ("MacAddressInUse", _) => (ErrorKind::Conflict, "neutron_mac_in_use"),
            ("IpAddressAlreadyAllocated" | "IpAddressInUse", _) => (ErrorKind::Conflict, "neutron_address_in_use"),
            ("OverQuota", _) => (ErrorKind::Exhausted, "neutron_over_quota"),
            ("IpAddressGenerationFailure", _) => (ErrorKind::Exhausted, "neutron_subnet_exhausted"),
            ("NetworkNotFound", _) => (ErrorKind::NotFound, "neutron_network_not_found"),
            ("SubnetNotFound", _) => (ErrorKind::NotFound, "neutron_subnet_not_found"),
            ("PortNotFound", _) => (ErrorKind::NotFound, "neutron_port_not_found"),
            ("SecurityGroupNotFound", _) => (ErrorKind::NotFound, "neutron_security_group_not_found"),
            ("NetworkInUse", _) => (ErrorKind::Conflict, "neutron_network_in_use"),
            (_, 404) => (ErrorKind::NotFound, "neutron_not_found"),
            (_, 401) => (ErrorKind::Credentials, "neutron_token_refused"),
            (_, 403) => (ErrorKind::Forbidden, "neutron_forbidden"),
            (_, 409 | 412) => (ErrorKind::Conflict, "neutron_conflict"),
            (_, 400) => (ErrorKind::Invalid, "neutron_request_refused"),
            (_, 503) => (ErrorKind::Unavailable, "neutron_unavailable"),
            _ => (ErrorKind::Internal, "neutron_internal_error"),
        };
        Self::new(System::Neutron, kind, code, e.message)
    }
}
