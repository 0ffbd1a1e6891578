//! The table of element orders for everything that Howdah sends to vCenter.
//!
//! vCenter's parser expects elements in schema order, those of a parent type first, and refuses or
//! ignores elements that are out of order. So a test here checks every request builder against this table,
//! and the simulated vCenter checks every request.
//!
//! The table has only the types that are sent, with all fields up to the last one in use, not
//! the whole schema of vSphere.

use crate::xml::Element;

/// A type: its name, the type it extends ("" for none), and its own fields in order, each with its
/// type ("" where a field is plain text or a reference).
struct Shape {
    name: &'static str,
    base: &'static str,
    fields: &'static [(&'static str, &'static str)],
}

const fn shape(name: &'static str, base: &'static str, fields: &'static [(&'static str, &'static str)]) -> Shape {
    Shape { name, base, fields }
}

/// Methods (their element is named as they are) and data types.
#[rustfmt::skip]
const TABLE: &[Shape] = &[
    // Methods.
    shape("RetrieveServiceContent", "", &[("_this", "")]),
    shape("Login", "", &[("_this", ""), ("userName", ""), ("password", ""), ("locale", "")]),
    shape("Logout", "", &[("_this", "")]),
    shape("CurrentTime", "", &[("_this", "")]),
    shape("Fetch", "", &[("_this", ""), ("prop", "")]),
    shape("CreateContainerView", "", &[("_this", ""), ("container", ""), ("type", ""), ("recursive", "")]),
    shape("DestroyView", "", &[("_this", "")]),
    shape("CreatePropertyCollector", "", &[("_this", "")]),
    shape("DestroyPropertyCollector", "", &[("_this", "")]),
    shape("CreateFilter", "", &[("_this", ""), ("spec", "PropertyFilterSpec"), ("partialUpdates", "")]),
    shape("DestroyPropertyFilter", "", &[("_this", "")]),
    shape("WaitForUpdates", "", &[("_this", ""), ("version", "")]),
    shape("WaitForUpdatesEx", "", &[("_this", ""), ("version", ""), ("options", "WaitOptions")]),
    shape("CancelWaitForUpdates", "", &[("_this", "")]),
    shape("RetrieveProperties", "", &[("_this", ""), ("specSet", "PropertyFilterSpec")]),
    shape("RetrievePropertiesEx", "", &[("_this", ""), ("specSet", "PropertyFilterSpec"), ("options", "RetrieveOptions")]),
    shape("ContinueRetrievePropertiesEx", "", &[("_this", ""), ("token", "")]),
    shape("CancelRetrievePropertiesEx", "", &[("_this", ""), ("token", "")]),
    shape("PowerOnVM_Task", "", &[("_this", ""), ("host", "")]),
    shape("PowerOffVM_Task", "", &[("_this", "")]),
    shape("ResetVM_Task", "", &[("_this", "")]),
    shape("RebootGuest", "", &[("_this", "")]),
    shape("ReconfigVM_Task", "", &[("_this", ""), ("spec", "VirtualMachineConfigSpec")]),
    // Property collection.
    shape("WaitOptions", "", &[("maxWaitSeconds", ""), ("maxObjectUpdates", "")]),
    shape("RetrieveOptions", "", &[("maxObjects", "")]),
    shape("PropertyFilterSpec", "", &[
        ("propSet", "PropertySpec"), ("objectSet", "ObjectSpec"), ("reportMissingObjectsInResults", ""),
    ]),
    shape("PropertySpec", "", &[("type", ""), ("all", ""), ("pathSet", "")]),
    shape("ObjectSpec", "", &[("obj", ""), ("skip", ""), ("selectSet", "SelectionSpec")]),
    shape("SelectionSpec", "", &[("name", "")]),
    shape("TraversalSpec", "SelectionSpec", &[("type", ""), ("path", ""), ("skip", ""), ("selectSet", "SelectionSpec")]),
    // Reconfiguration.
    shape("VirtualMachineConfigSpec", "", &[
        ("changeVersion", ""), ("name", ""), ("version", ""), ("uuid", ""), ("instanceUuid", ""), ("guestId", ""),
        ("annotation", ""), ("numCPUs", ""), ("numCoresPerSocket", ""), ("memoryMB", ""),
        ("deviceChange", "VirtualDeviceConfigSpec"), ("extraConfig", "OptionValue"), ("bootOptions", ""), ("managedBy", ""),
    ]),
    shape("OptionValue", "", &[("key", ""), ("value", "")]),
    shape("VirtualDeviceConfigSpec", "", &[("operation", ""), ("fileOperation", ""), ("device", "VirtualDevice")]),
    shape("VirtualDevice", "", &[
        ("key", ""), ("deviceInfo", "Description"), ("backing", "VirtualDeviceBackingInfo"),
        ("connectable", "VirtualDeviceConnectInfo"), ("slotInfo", "VirtualDeviceBusSlotInfo"), ("controllerKey", ""),
        ("unitNumber", ""), ("numaNode", ""), ("deviceGroupInfo", ""),
    ]),
    shape("Description", "", &[("label", ""), ("summary", "")]),
    shape("VirtualDeviceConnectInfo", "", &[
        ("migrateConnect", ""), ("startConnected", ""), ("allowGuestControl", ""), ("connected", ""), ("status", ""),
    ]),
    shape("VirtualDeviceBusSlotInfo", "", &[]),
    shape("VirtualDevicePciBusSlotInfo", "VirtualDeviceBusSlotInfo", &[("pciSlotNumber", "")]),
    shape("VirtualDeviceBackingInfo", "", &[]),
    shape("VirtualDeviceDeviceBackingInfo", "VirtualDeviceBackingInfo", &[("deviceName", ""), ("useAutoDetect", "")]),
    shape("VirtualEthernetCardNetworkBackingInfo", "VirtualDeviceDeviceBackingInfo", &[("network", ""), ("inPassthroughMode", "")]),
    shape("VirtualEthernetCardOpaqueNetworkBackingInfo", "VirtualDeviceBackingInfo", &[
        ("opaqueNetworkId", ""), ("opaqueNetworkType", ""),
    ]),
    shape("VirtualEthernetCardDistributedVirtualPortBackingInfo", "VirtualDeviceBackingInfo", &[
        ("port", "DistributedVirtualSwitchPortConnection"),
    ]),
    shape("DistributedVirtualSwitchPortConnection", "", &[
        ("switchUuid", ""), ("portgroupKey", ""), ("portKey", ""), ("connectionCookie", ""),
    ]),
    shape("VirtualEthernetCard", "VirtualDevice", &[
        ("addressType", ""), ("macAddress", ""), ("wakeOnLanEnabled", ""),
        ("resourceAllocation", "VirtualEthernetCardResourceAllocation"), ("externalId", ""),
        ("uptCompatibilityEnabled", ""), ("subnetId", ""),
    ]),
    shape("VirtualEthernetCardResourceAllocation", "", &[("reservation", ""), ("share", "SharesInfo"), ("limit", "")]),
    shape("SharesInfo", "", &[("shares", ""), ("level", "")]),
    shape("VirtualE1000", "VirtualEthernetCard", &[]),
    shape("VirtualE1000e", "VirtualEthernetCard", &[]),
    shape("VirtualPCNet32", "VirtualEthernetCard", &[]),
    shape("VirtualVmxnet", "VirtualEthernetCard", &[]),
    shape("VirtualVmxnet2", "VirtualVmxnet", &[]),
    shape("VirtualVmxnet3", "VirtualVmxnet", &[("uptv2Enabled", ""), ("strictLatencyConfig", "")]),
];

/// An element that violates its type's schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The type has no such field.
    #[error("{ty} has no field {field}")]
    Unknown {
        /// The type.
        ty: String,
        /// The element.
        field: String,
    },
    /// The field comes after one that it must precede.
    #[error("in {ty}, {field} stands after {after}")]
    Misplaced {
        /// The type.
        ty: String,
        /// The element.
        field: String,
        /// The element before it.
        after: String,
    },
    /// The type is not in the table.
    #[error("the type {ty} is not known")]
    Type {
        /// The type.
        ty: String,
    },
}

fn find(ty: &str) -> Option<&'static Shape> {
    TABLE.iter().find(|s| s.name == ty)
}

/// A type's fields, its base's first.
fn fields(shape: &'static Shape) -> Vec<(&'static str, &'static str)> {
    let mut all = find(shape.base).map(fields).unwrap_or_default();
    all.extend_from_slice(shape.fields);
    all
}

/// Checks a request, from its method's element down.
///
/// # Errors
/// The first element that is unknown or out of order.
pub fn check(request: &Element) -> Result<(), OrderError> {
    check_as(request, &request.name)
}

fn check_as(element: &Element, declared: &str) -> Result<(), OrderError> {
    let ty = element.xsi_type.as_deref().unwrap_or(declared);
    let shape = find(ty).ok_or_else(|| OrderError::Type { ty: ty.to_owned() })?;
    let fields = fields(shape);
    let mut last = 0;
    for (i, child) in element.children.iter().enumerate() {
        let place = fields.iter().position(|(name, _)| *name == child.name);
        let place = place.ok_or_else(|| OrderError::Unknown { ty: ty.to_owned(), field: child.name.clone() })?;
        if place < last {
            let after = element.children[i - 1].name.clone();
            return Err(OrderError::Misplaced { ty: ty.to_owned(), field: child.name.clone(), after });
        }
        last = place;
        let field_type = fields[place].1;
        if !field_type.is_empty() {
            check_as(child, field_type)?;
        }
    }
    Ok(())
}

/// Sets a field of `ty` in an element of that type or of one that extends it: replaces the existing field,
/// or inserts it in schema order. Unknown fields count as fields of an extending type, so they stay
/// behind it.
pub fn put(element: &mut Element, ty: &str, field: Element) {
    let order = find(ty).map(fields).unwrap_or_default();
    let rank = |name: &str| order.iter().position(|(n, _)| *n == name).unwrap_or(usize::MAX);
    let wanted = rank(&field.name);
    if let Some(there) = element.children.iter_mut().find(|c| c.name == field.name) {
        *there = field;
        return;
    }
    let at = element.children.iter().position(|c| rank(&c.name) > wanted).unwrap_or(element.children.len());
    element.children.insert(at, field);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        for shape in TABLE {
            assert!(shape.base.is_empty() || find(shape.base).is_some(), "base of {}", shape.name);
            let fields = fields(shape);
            for (i, (name, ty)) in fields.iter().enumerate() {
                assert!(ty.is_empty() || find(ty).is_some(), "{}.{name}: {ty}", shape.name);
                assert!(!fields[..i].iter().any(|(n, _)| n == name), "{}.{name} twice", shape.name);
            }
        }
    }

    #[test]
    fn wrong_orders_are_found_at_any_depth() {
        let filter = |inner: Element| Element::new("CreateFilter").with_leaf("_this", "p").with(inner);
        let spec =
            Element::new("spec").with(Element::new("objectSet").with_leaf("obj", "v").with(
                Element::new("selectSet").typed("TraversalSpec").with_leaf("path", "view").with_leaf("name", "v"),
            ));
        let says = check(&filter(spec)).unwrap_err().to_string();
        assert_eq!(says, "in TraversalSpec, name stands after path");
        let says = check(&filter(Element::new("spec").with_leaf("nonsense", 1))).unwrap_err().to_string();
        assert_eq!(says, "PropertyFilterSpec has no field nonsense");
        assert_eq!(check(&Element::new("FormatDisk")).unwrap_err().to_string(), "the type FormatDisk is not known");
    }

    #[test]
    fn a_field_is_put_where_it_belongs() {
        let mut card = Element::new("device")
            .typed("VirtualVmxnet3")
            .with_leaf("key", 4000)
            .with_leaf("macAddress", "00:50:56:00:00:01")
            .with_leaf("uptCompatibilityEnabled", true)
            .with_leaf("somethingNewer", 1);
        put(&mut card, "VirtualEthernetCard", Element::leaf("externalId", "one"));
        put(&mut card, "VirtualEthernetCard", Element::leaf("externalId", "two"));
        let names: Vec<_> = card.children.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["key", "macAddress", "externalId", "uptCompatibilityEnabled", "somethingNewer"]);
        assert_eq!(card.text_of("externalId"), Some("two"));
    }
}
