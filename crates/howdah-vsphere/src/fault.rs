//! vSphere's faults as a type. The name of a fault is the `xsi:type` of the element under `detail`,
//! or of `fault` inside a task's `info.error`. Invariant: a fault without a variant keeps its name and
//! message, so the error message is complete.

use std::fmt;

use crate::xml::Element;

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kind of fault.
    pub kind: FaultKind,
    /// vCenter's name for it.
    pub name: String,
    /// vCenter's message, in the language of its locale; may be empty.
    pub message: String,
    /// The object of the fault: the privilege, property, argument or object that it names.
    pub about: Option<String>,
}

/// The faults that matter to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// Wrong user name or password, or a locked account.
    InvalidLogin,
    /// No session, or one that has ended.
    NotAuthenticated,
    /// The session's user lacks a privilege.
    NoPermission,
    /// The VM is on, off or suspended when it should not be.
    InvalidPowerState,
    /// The object's state does not allow it.
    InvalidState,
    /// Another task works on the object.
    TaskInProgress,
    /// VMware Tools is not available in the guest.
    ToolsUnavailable,
    /// The name is taken.
    DuplicateName,
    /// The object is gone.
    ManagedObjectNotFound,
    /// The server's version has no such property.
    InvalidProperty,
    /// An argument was refused.
    InvalidArgument,
    /// A concurrent change of the object.
    ConcurrentAccess,
    /// A wait was cancelled, by us or by a server that shuts down.
    RequestCanceled,
    /// A property collector's version token is too old.
    InvalidCollectorVersion,
    /// Not enough CPU, memory, licences or hosts.
    InsufficientResources,
    /// A datastore or a file on it.
    File,
    /// The VM's configuration.
    VmConfig,
    /// The server or the object cannot do this at all.
    NotSupported,
    /// The licence or version does not include it.
    RestrictedVersion,
    /// vCenter does not reach the host.
    HostCommunication,
    /// The request was malformed.
    InvalidRequest,
    /// Anything else.
    Other,
}

impl FaultKind {
    fn of(name: &str) -> Self {
        match name {
            "InvalidLogin" | "InvalidLocale" | "PasswordExpired" => Self::InvalidLogin,
            "NotAuthenticated" => Self::NotAuthenticated,
            "NoPermission" => Self::NoPermission,
            "InvalidPowerState" => Self::InvalidPowerState,
            "InvalidState" | "InvalidHostState" | "InvalidHostConnectionState" => Self::InvalidState,
            "TaskInProgress" | "VAppTaskInProgress" => Self::TaskInProgress,
            "ToolsUnavailable" => Self::ToolsUnavailable,
            "DuplicateName" | "AlreadyExists" => Self::DuplicateName,
            "ManagedObjectNotFound" => Self::ManagedObjectNotFound,
            "InvalidProperty" => Self::InvalidProperty,
            "InvalidArgument" | "InvalidName" | "InvalidType" => Self::InvalidArgument,
            "ConcurrentAccess" => Self::ConcurrentAccess,
            "RequestCanceled" => Self::RequestCanceled,
            "InvalidCollectorVersion" => Self::InvalidCollectorVersion,
            "NotEnoughCpus" | "NotEnoughLogicalCpus" | "NotEnoughLicenses" | "NoHost" | "NoCompatibleHost" => {
                Self::InsufficientResources
            }
            "FileFault"
            | "CannotAccessFile"
            | "CannotCreateFile"
            | "CannotDeleteFile"
            | "FileAlreadyExists"
            | "FileLocked"
            | "FileNameTooLong"
            | "FileNotFound"
            | "FileNotWritable"
            | "FileTooLarge"
            | "NoDiskSpace"
            | "NoDiskFound"
            | "NetworkCopyFault"
            | "InvalidDatastore"
            | "DatastoreNotWritableOnHost" => Self::File,
            "VmConfigFault"
            | "InvalidVmConfig"
            | "MissingDevice"
            | "InvalidDeviceSpec"
            | "InvalidDeviceBacking"
            | "MacAddressInUse"
            | "MissingNetworkIpConfig" => Self::VmConfig,
            "NotSupported" | "NotImplemented" | "MethodNotFound" => Self::NotSupported,
            "RestrictedVersion" | "RestrictedByAdministrator" => Self::RestrictedVersion,
            "HostCommunication" | "HostNotConnected" | "HostNotReachable" => Self::HostCommunication,
            "InvalidRequest" => Self::InvalidRequest,
            _ if name.starts_with("Insufficient") => Self::InsufficientResources,
            _ => Self::Other,
        }
    }
}

impl Fault {
    /// Reads `<soapenv:Fault>`.
    pub(crate) fn of_soap(fault: &Element) -> Self {
        let message = fault.text_of("faultstring").unwrap_or_default();
        match fault.child("detail").and_then(|d| d.children.first()) {
            Some(detail) => Self::read(detail, message),
            None => Self::named("Fault", message, None),
        }
    }

    /// Reads a `LocalizedMethodFault`, as tasks and missing properties have it.
    pub(crate) fn of_localized(error: &Element) -> Self {
        let message = error.text_of("localizedMessage").unwrap_or_default();
        match error.child("fault") {
            Some(fault) => Self::read(fault, message),
            None => Self::named("Fault", message, None),
        }
    }

    fn read(element: &Element, message: &str) -> Self {
        let name = match &element.xsi_type {
            Some(ty) => ty.clone(),
            None => element.name.strip_suffix("Fault").unwrap_or(&element.name).to_owned(),
        };
        let about = ["privilegeId", "existingState", "name", "invalidProperty", "obj"]
            .iter()
            .find_map(|field| element.text_of(field))
            .filter(|text| !text.is_empty());
        Self::named(&name, message, about.map(str::to_owned))
    }

    /// A fault by vCenter's name of it.
    pub fn named(name: &str, message: &str, about: Option<String>) -> Self {
        Self { kind: FaultKind::of(name), name: name.to_owned(), message: message.trim().to_owned(), about }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(about) = &self.about {
            write!(f, " ({about})")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_are_read() {
        let soap = Element::parse(
            br#"<Fault xmlns:xsi="x"><faultcode>ServerFaultCode</faultcode><faultstring>Permission denied.</faultstring>
            <detail><NoPermissionFault xsi:type="NoPermission"><object type="Folder">group-d1</object>
            <privilegeId>System.Read</privilegeId></NoPermissionFault></detail></Fault>"#,
        )
        .unwrap();
        let fault = Fault::of_soap(&soap);
        assert_eq!(fault.kind, FaultKind::NoPermission);
        assert_eq!(fault.to_string(), "NoPermission (System.Read): Permission denied.");

        let task = Element::parse(
            br#"<val xmlns:x="i" x:type="LocalizedMethodFault"><fault x:type="InsufficientCpuResourcesFault"/>
            <localizedMessage>No CPU left.</localizedMessage></val>"#,
        )
        .unwrap();
        let fault = Fault::of_localized(&task);
        assert_eq!(fault.kind, FaultKind::InsufficientResources);
        assert_eq!(fault.to_string(), "InsufficientCpuResourcesFault: No CPU left.");
    }

    #[test]
    fn an_unknown_fault_keeps_its_name() {
        let soap = Element::parse(b"<Fault><faultstring>?</faultstring><detail><OddFault/></detail></Fault>").unwrap();
        let fault = Fault::of_soap(&soap);
        assert_eq!((fault.kind, fault.to_string().as_str()), (FaultKind::Other, "Odd: ?"));
        let bare = Element::parse(b"<Fault><faultstring>boom</faultstring></Fault>").unwrap();
        assert_eq!(Fault::of_soap(&bare).to_string(), "Fault: boom");
    }
}
