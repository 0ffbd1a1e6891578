//! `ReconfigVM_Task`'s specification into the world's change. Invariant: an edit must echo the
//! device as it was read; a device without its key or with another switch is refused, as vCenter does.

use howdah_vsphere::xml::Element;

use super::fault::Fault;
use crate::world::inventory::Backing;
use crate::world::state::State;
use crate::world::vm_ops::{NicChange, NicOperation, Reconfigure};

pub(super) fn read(s: &State, spec: &Element) -> Result<Reconfigure, Fault> {
    let mut change = Reconfigure {
        change_version: text(spec, "changeVersion"),
        name: text(spec, "name"),
        instance_uuid: parse(spec, "instanceUuid")?,
        cpus: parse(spec, "numCPUs")?,
        memory_mb: parse(spec, "memoryMB")?,
        ..Reconfigure::default()
    };
    for device_change in spec.all("deviceChange") {
        let device = device_change.child("device").ok_or_else(|| Fault::invalid_argument("deviceChange.device"))?;
        let operation = match device_change.text_of("operation") {
            Some("add") => NicOperation::Add,
            Some("edit") => NicOperation::Edit,
            Some("remove") => NicOperation::Remove,
            _ => return Err(Fault::invalid_argument("deviceChange.operation")),
        };
        match device.xsi_type.as_deref() {
            Some("VirtualDisk") if operation == NicOperation::Add => {
                let kb: u64 = parse(device, "capacityInKB")?.unwrap_or(0);
                change.add_disks_gb.push(u32::try_from(kb >> 20).unwrap_or(u32::MAX));
            }
            Some(ty) if is_card(ty) => change.nics.push(card(s, device, operation)?),
            _ => return Err(Fault::new("InvalidDeviceSpec", "Invalid configuration for device '0'.")),
        }
    }
    for option in spec.all("extraConfig") {
        change.extra_config.push((text(option, "key").unwrap_or_default(), text(option, "value").unwrap_or_default()));
    }
    Ok(change)
}

fn is_card(ty: &str) -> bool {
    ty.starts_with("VirtualVmxnet") || ty.starts_with("VirtualE1000") || ty == "VirtualPCNet32"
}

fn card(s: &State, device: &Element, operation: NicOperation) -> Result<NicChange, Fault> {
    let key = parse(device, "key")?.ok_or_else(|| Fault::invalid_argument("deviceChange.device.key"))?;
    let connectable = |field: &str| device.at(&["connectable", field]).map(Element::is_true);
    Ok(NicChange {
        operation,
        mac: match text(device, "macAddress") {
            Some(mac) => Some(mac.parse().map_err(|_| Fault::invalid_argument("device.macAddress"))?),
            None => None,
        },
        backing: device.child("backing").map(|b| backing(s, b)).transpose()?,
        connected: connectable("connected"),
        start_connected: connectable("startConnected"),
        allow_guest_control: connectable("allowGuestControl"),
        external_id: text(device, "externalId"),
        ..NicChange::edit(key)
    })
}

fn backing(s: &State, backing: &Element) -> Result<Backing, Fault> {
    let refuse = || Fault::invalid_argument("deviceChange.device.backing");
    match backing.xsi_type.as_deref() {
        Some("VirtualEthernetCardDistributedVirtualPortBackingInfo") => {
            let port = backing.child("port").ok_or_else(refuse)?;
            let key = text(port, "portgroupKey").ok_or_else(refuse)?;
            let group = s.vc.port_groups.get(&key).ok_or_else(refuse)?;
            let switch = s.vc.switches.get(&group.switch).ok_or_else(refuse)?;
            if port.text_of("switchUuid") != Some(&switch.uuid) {
                return Err(refuse());
            }
            Ok(Backing::PortGroup { key, port_key: text(port, "portKey").unwrap_or_default() })
        }
        Some("VirtualEthernetCardOpaqueNetworkBackingInfo") => {
            Ok(Backing::Opaque(text(backing, "opaqueNetworkId").ok_or_else(refuse)?))
        }
        Some("VirtualEthernetCardNetworkBackingInfo") => {
            Ok(Backing::Standard(text(backing, "deviceName").ok_or_else(refuse)?))
        }
        _ => Err(refuse()),
    }
}

fn text(element: &Element, name: &str) -> Option<String> {
    element.text_of(name).filter(|t| !t.is_empty()).map(str::to_owned)
}

fn parse<T: std::str::FromStr>(element: &Element, name: &'static str) -> Result<Option<T>, Fault> {
    element.text_of(name).map(|t| t.trim().parse().map_err(|_| Fault::invalid_argument(name))).transpose()
}
