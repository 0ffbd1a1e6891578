//! Faults on the wire: SOAP's envelope around the name, fields and sentence.

use howdah_core::failure::ErrorKind;
use howdah_vsphere::xml::Element;

use crate::world::vctask::VcFault;

/// A fault with its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    name: &'static str,
    message: String,
    fields: Vec<Element>,
}

impl Fault {
    pub(super) fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into(), fields: Vec::new() }
    }

    fn with(mut self, field: Element) -> Self {
        self.fields.push(field);
        self
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn not_authenticated() -> Self {
        Self::new("NotAuthenticated", "The session is not authenticated.")
            .with(Element::reference("object", "Folder", "group-d1"))
            .with(Element::leaf("privilegeId", "System.View"))
    }

    pub(super) fn invalid_login() -> Self {
        Self::new("InvalidLogin", "Cannot complete login due to an incorrect user name or password.")
    }

    pub(super) fn invalid_property(path: &str) -> Self {
        Self::new("InvalidProperty", "").with(Element::leaf("name", path))
    }

    pub(super) fn not_found(ty: &str, value: &str) -> Self {
        let says = format!("The object 'vim.{ty}:{value}' has already been deleted or has not been completely created");
        Self::new("ManagedObjectNotFound", says).with(Element::reference("obj", ty, value))
    }

    pub(super) fn invalid_argument(property: &str) -> Self {
        let says = format!("A specified parameter was not correct: {property}");
        Self::new("InvalidArgument", says).with(Element::leaf("invalidProperty", property))
    }

    pub(super) fn invalid_request(why: impl std::fmt::Display) -> Self {
        Self::new("InvalidRequest", format!("\nWhile parsing the request: {why}\n"))
    }

    /// The fault that an injected refusal looks like, where it is a fault.
    pub(super) fn injected(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Credentials => Self::not_authenticated(),
            ErrorKind::Forbidden => Self::new("NoPermission", "Permission to perform this operation was denied.")
                .with(Element::reference("object", "Folder", "group-d1"))
                .with(Element::leaf("privilegeId", "System.Read")),
            ErrorKind::NotFound => Self::not_found("VirtualMachine", "vm-0"),
            ErrorKind::Conflict => Self::new("TaskInProgress", "Another task is already in progress."),
            ErrorKind::Exhausted => {
                Self::new("InsufficientResourcesFault", "The operation failed due to insufficient resources.")
            }
            ErrorKind::Invalid => Self::invalid_argument("spec"),
            _ => Self::new("SystemError", "A general system error occurred: a fault was injected here."),
        }
    }

    /// `<detail>`'s child, or `<fault>` of a localized fault.
    fn element(&self, name: &str) -> Element {
        Element::new(name).typed(self.name).with_all(self.fields.iter().cloned())
    }

    /// `LocalizedMethodFault`.
    pub(super) fn localized(&self, name: &str) -> Element {
        Element::new(name)
            .typed("LocalizedMethodFault")
            .with(self.element("fault"))
            .with_leaf("localizedMessage", &self.message)
    }

    /// A SOAP answer with it.
    pub(super) fn envelope(&self) -> String {
        // The element's own name is of no consequence; vCenter names it so.
        let detail = self.element(&format!("{}Fault", self.name));
        let mut inner = String::new();
        detail.write(&mut inner);
        let mut says = String::new();
        Element::leaf("faultstring", &self.message).write(&mut says);
        format!(
            concat!(
                r#"<?xml version="1.0" encoding="UTF-8"?>"#,
                "\n",
                r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" "#,
                r#"xmlns:xsd="http://www.w3.org/2001/XMLSchema" "#,
                r#"xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><soapenv:Fault>"#,
                "<faultcode>ServerFaultCode</faultcode>{}<detail>{}</detail>",
                "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
            ),
            says,
            inner.replacen(' ', r#" xmlns="urn:vim25" "#, 1),
        )
    }
}

impl From<VcFault> for Fault {
    fn from(f: VcFault) -> Self {
        let about = f.about.unwrap_or_default();
        let fault = Self::new(f.name, f.message);
        match f.name {
            "ManagedObjectNotFound" => fault.with(Element::reference("obj", kind_of(&about), &about)),
            "InvalidPowerState" => fault.with(Element::leaf("existingState", about)),
            "InvalidArgument" => fault.with(Element::leaf("invalidProperty", about)),
            "InvalidProperty" | "DuplicateName" => fault.with(Element::leaf("name", about)),
            _ => fault,
        }
    }
}

/// A reference's type, read off its value.
pub(super) fn kind_of(value: &str) -> &'static str {
    match value.rsplit_once('-').map_or(value, |(front, _)| front) {
        "vm" => "VirtualMachine",
        "task" => "Task",
        "host" => "HostSystem",
        "dvportgroup" => "DistributedVirtualPortgroup",
        "dvs" => "VmwareDistributedVirtualSwitch",
        "datacenter" => "Datacenter",
        "domain" => "ClusterComputeResource",
        "resgroup" => "ResourcePool",
        "datastore" => "Datastore",
        _ => "Folder",
    }
}
