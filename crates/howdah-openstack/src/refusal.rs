//! Neutron's refusals by type, and the meaning of a bare HTTP status. The type decides, never the
//! text; the codes are part of the API and do not change.
//!
//! Sources of the types: neutron-lib `exceptions/__init__.py`, Neutron `ipam/exceptions.py` and
//! `services/segments/exceptions.py`, vmware-nsx `common/exceptions.py`. A type that is not listed gets the meaning of
//! its status, and every message has the type.

use howdah_core::failure::{ErrorKind, System};

/// The `type` of a Neutron error, for the types that matter to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The MAC address is in use on the network (with NSX-v: on any).
    MacAddressInUse,
    /// A fixed address is taken.
    IpAddressAlreadyAllocated,
    /// The subnet has no address left.
    IpAddressGenerationFailure,
    /// No subnet of the network serves the port's device owner (service types of subnets).
    NoMatchingSubnet,
    /// The host is not connected to the port's segment of a routed network, or to several.
    HostOnOtherSegment(String),
    /// The device belongs to another project.
    DeviceIdNotOwned,
    /// NSX has reached a limit of its own.
    ServiceOverQuota,
    /// NSX is in maintenance, or Neutron's address management asks for a repeat.
    TryLater(String),
    /// A quota is used up.
    OverQuota,
    /// The network does not exist, or is not visible.
    NetworkNotFound,
    /// The subnet does not exist, or is not visible.
    SubnetNotFound,
    /// The security group does not exist, or is not visible.
    SecurityGroupNotFound,
    /// The port does not exist, or is not visible.
    PortNotFound,
    /// The policy does not allow it.
    PolicyNotAuthorized,
    /// The network still has ports.
    NetworkInUse,
    /// A concurrent change.
    RevisionNumberConstraintFailed,
    /// Any other type, by its name; without a name, the HTTP status' reason.
    Other(String),
}

impl Refusal {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "MacAddressInUse" => Self::MacAddressInUse,
            "IpAddressAlreadyAllocated" | "IpAddressInUse" => Self::IpAddressAlreadyAllocated,
            "IpAddressGenerationFailure" | "IpAddressGenerationFailureAllSubnets" => Self::IpAddressGenerationFailure,
            "IpAddressGenerationFailureNoMatchingSubnet" => Self::NoMatchingSubnet,
            "HostNotCompatibleWithFixedIps" | "HostNotConnectedToAnySegment" | "HostConnectedToMultipleSegments" => {
                Self::HostOnOtherSegment(name.to_owned())
            }
            "DeviceIDNotOwnedByTenant" => Self::DeviceIdNotOwned,
            "ServiceOverQuota" => Self::ServiceOverQuota,
            "MaintenanceInProgress" | "IPAllocationFailed" => Self::TryLater(name.to_owned()),
            "OverQuota" => Self::OverQuota,
            "NetworkNotFound" => Self::NetworkNotFound,
            "SubnetNotFound" => Self::SubnetNotFound,
            "SecurityGroupNotFound" => Self::SecurityGroupNotFound,
            "PortNotFound" => Self::PortNotFound,
            "PolicyNotAuthorized" => Self::PolicyNotAuthorized,
            "NetworkInUse" => Self::NetworkInUse,
            "RevisionNumberConstraintFailed" => Self::RevisionNumberConstraintFailed,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Neutron's name of it.
    pub fn name(&self) -> &str {
        match self {
            Self::MacAddressInUse => "MacAddressInUse",
            Self::IpAddressAlreadyAllocated => "IpAddressAlreadyAllocated",
            Self::IpAddressGenerationFailure => "IpAddressGenerationFailure",
            Self::NoMatchingSubnet => "IpAddressGenerationFailureNoMatchingSubnet",
            Self::DeviceIdNotOwned => "DeviceIDNotOwnedByTenant",
            Self::ServiceOverQuota => "ServiceOverQuota",
            Self::HostOnOtherSegment(name) | Self::TryLater(name) => name,
            Self::OverQuota => "OverQuota",
            Self::NetworkNotFound => "NetworkNotFound",
            Self::SubnetNotFound => "SubnetNotFound",
            Self::SecurityGroupNotFound => "SecurityGroupNotFound",
            Self::PortNotFound => "PortNotFound",
            Self::PolicyNotAuthorized => "PolicyNotAuthorized",
            Self::NetworkInUse => "NetworkInUse",
            Self::RevisionNumberConstraintFailed => "RevisionNumberConstraintFailed",
            Self::Other(name) => name,
        }
    }

    /// Kind and code, by type first and by status for the rest.
    pub(crate) fn meaning(&self, system: System, status: u16) -> (ErrorKind, &'static str) {
        match self {
            Self::MacAddressInUse => (ErrorKind::Conflict, "neutron_mac_in_use"),
            Self::IpAddressAlreadyAllocated => (ErrorKind::Conflict, "neutron_address_in_use"),
            Self::IpAddressGenerationFailure => (ErrorKind::Exhausted, "neutron_subnet_exhausted"),
            Self::NoMatchingSubnet => (ErrorKind::Invalid, "neutron_no_matching_subnet"),
            Self::HostOnOtherSegment(_) => (ErrorKind::Invalid, "neutron_host_not_connected"),
            Self::DeviceIdNotOwned => (ErrorKind::Forbidden, "neutron_device_of_other_project"),
            Self::ServiceOverQuota => (ErrorKind::Exhausted, "neutron_nsx_over_quota"),
            Self::TryLater(_) => (ErrorKind::Unavailable, "neutron_unavailable"),
            Self::OverQuota => (ErrorKind::Exhausted, "neutron_over_quota"),
            Self::NetworkNotFound => (ErrorKind::NotFound, "neutron_network_not_found"),
            Self::SubnetNotFound => (ErrorKind::NotFound, "neutron_subnet_not_found"),
            Self::SecurityGroupNotFound => (ErrorKind::NotFound, "neutron_security_group_not_found"),
            Self::PortNotFound => (ErrorKind::NotFound, "neutron_port_not_found"),
            Self::PolicyNotAuthorized => (ErrorKind::Forbidden, "neutron_forbidden"),
            Self::NetworkInUse => (ErrorKind::Conflict, "neutron_network_in_use"),
            Self::RevisionNumberConstraintFailed => (ErrorKind::Conflict, "neutron_changed_meanwhile"),
            Self::Other(_) => by_status(system, status),
        }
    }

    pub(crate) fn hint(&self, message: &str) -> Option<String> {
        let text = match self {
            Self::PolicyNotAuthorized if message.contains("mac_address") || message.contains("fixed_ips") => {
                "Setting a MAC address or a fixed address on another project's network needs the rights of the \
                 network's owner or the role `admin` or `service`. Give the user of [site.openstack] one of them."
            }
            Self::PolicyNotAuthorized => "Give the user of [site.openstack] a role that permits this.",
            Self::OverQuota => "Raise the project's quota (`openstack quota set --ports N PROJECT`) or delete ports.",
            Self::NoMatchingSubnet => {
                "Use a subnet without service types, or give it the service type `compute:None` (`openstack subnet \
                 set --service-type`)."
            }
            Self::HostOnOtherSegment(_) => "Correct `binding_host` of the site: a host of the network's segment.",
            Self::ServiceOverQuota => "NSX has reached one of its own limits; ask the operator of NSX.",
            Self::IpAddressGenerationFailure => "Use a larger subnet, or delete ports that are no longer needed.",
            Self::MacAddressInUse => {
                "Find the port with `openstack port list --mac-address MAC`. Delete it if nothing uses it."
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The meaning of a status without an error body. After a gateway error (502, 504) the effect of the request
/// is unknown, so these are ambiguous kinds.
pub(crate) fn by_status(system: System, status: u16) -> (ErrorKind, &'static str) {
    let keystone = system == System::Keystone;
    let pick = |k: &'static str, n: &'static str| if keystone { k } else { n };
    match status {
        401 => (ErrorKind::Credentials, pick("keystone_credentials_refused", "neutron_token_refused")),
        403 => (ErrorKind::Forbidden, pick("keystone_forbidden", "neutron_forbidden")),
        404 => (ErrorKind::NotFound, pick("keystone_not_found", "neutron_not_found")),
        409 | 412 => (ErrorKind::Conflict, pick("keystone_conflict", "neutron_conflict")),
        408 | 504 => (ErrorKind::NoAnswer, pick("keystone_no_answer", "neutron_no_answer")),
        429 | 503 => (ErrorKind::Unavailable, pick("keystone_unavailable", "neutron_unavailable")),
        502 => (ErrorKind::Unreachable, pick("keystone_unreachable", "neutron_unreachable")),
        400..=499 => (ErrorKind::Invalid, pick("keystone_request_refused", "neutron_request_refused")),
        500..=599 => (ErrorKind::Internal, pick("keystone_internal_error", "neutron_internal_error")),
        _ => (ErrorKind::BadAnswer, pick("keystone_bad_answer", "neutron_bad_answer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn the_type_decides_and_the_status_is_the_rest() {
        let refused = |status, name: &str| Error::Refused {
            system: System::Neutron,
            step: "create ports",
            status,
            refusal: Refusal::named(name),
            message: String::new(),
        };
        let rows = [
            (409, "MacAddressInUse", ErrorKind::Conflict, "neutron_mac_in_use"),
            (409, "OverQuota", ErrorKind::Exhausted, "neutron_over_quota"),
            (409, "IpAddressAlreadyAllocated", ErrorKind::Conflict, "neutron_address_in_use"),
            (409, "IpAddressGenerationFailure", ErrorKind::Exhausted, "neutron_subnet_exhausted"),
            (409, "IpAddressGenerationFailureAllSubnets", ErrorKind::Exhausted, "neutron_subnet_exhausted"),
            (409, "IpAddressGenerationFailureNoMatchingSubnet", ErrorKind::Invalid, "neutron_no_matching_subnet"),
            (409, "HostNotCompatibleWithFixedIps", ErrorKind::Invalid, "neutron_host_not_connected"),
            (409, "DeviceIDNotOwnedByTenant", ErrorKind::Forbidden, "neutron_device_of_other_project"),
            (409, "ServiceOverQuota", ErrorKind::Exhausted, "neutron_nsx_over_quota"),
            (500, "MaintenanceInProgress", ErrorKind::Unavailable, "neutron_unavailable"),
            (404, "NetworkNotFound", ErrorKind::NotFound, "neutron_network_not_found"),
            (404, "SecurityGroupNotFound", ErrorKind::NotFound, "neutron_security_group_not_found"),
            (403, "PolicyNotAuthorized", ErrorKind::Forbidden, "neutron_forbidden"),
            (409, "Whatever", ErrorKind::Conflict, "neutron_conflict"),
            (400, "HTTPBadRequest", ErrorKind::Invalid, "neutron_request_refused"),
            (500, "HTTPInternalServerError", ErrorKind::Internal, "neutron_internal_error"),
            (503, "", ErrorKind::Unavailable, "neutron_unavailable"),
            (504, "", ErrorKind::NoAnswer, "neutron_no_answer"),
        ];
        for (status, name, kind, code) in rows {
            let e = refused(status, name);
            assert_eq!((e.kind(), e.code()), (kind, code), "{status} {name}");
        }
    }
}
