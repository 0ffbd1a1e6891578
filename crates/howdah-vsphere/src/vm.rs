//! Converts a VM's properties to facts for the controller. Invariant: every property may be
//! absent (a VM during its clone has almost none); an absent property is unknown.

use std::net::IpAddr;

use howdah_core::ids::{Mac, NodeName, SegmentKey, VmRef};
use howdah_core::systems::vcenter::{NicFacts, Power, Tools, VmFacts};
use jiff::Timestamp;
use uuid::Uuid;

use crate::xml::Element;

/// The device list: the largest property, some kilobytes. A watch reads it when the VM's
/// configuration or power state changes, not with every report of the guest.
pub(crate) const DEVICES: &str = "config.hardware.device";

/// The other relevant properties, each at most a few hundred bytes.
pub(crate) const LIGHT: &[&str] = &[
    "name",
    "runtime.powerState",
    "runtime.bootTime",
    "config.instanceUuid",
    "guest.toolsRunningStatus",
    "guest.toolsVersionStatus2",
    "guest.net",
];

/// Its folder; only the watch reads it, to find the VM's cluster.
pub(crate) const PARENT: &str = "parent";

/// The light properties of a VM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Light {
    name: Option<NodeName>,
    pub(crate) power: Option<Power>,
    boot_time: Option<Timestamp>,
    instance_uuid: Option<Uuid>,
    tools_running: Option<String>,
    tools_version: Option<String>,
    net: Vec<GuestNic>,
    pub(crate) parent: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct GuestNic {
    device: Option<i32>,
    mac: Option<Mac>,
    addresses: Vec<IpAddr>,
}

impl Light {
    /// Sets a property's new value; `None` if it no longer has one.
    pub(crate) fn set(&mut self, path: &str, value: Option<&Element>) {
        let text = value.map(|v| v.text.as_str()).filter(|t| !t.is_empty());
        match path {
            "name" => self.name = text.map(|t| NodeName::new(unescape(t))),
            "runtime.powerState" => self.power = text.and_then(power),
            "runtime.bootTime" => self.boot_time = text.and_then(time),
            "config.instanceUuid" => self.instance_uuid = text.and_then(|t| t.parse().ok()),
            "guest.toolsRunningStatus" => self.tools_running = text.map(str::to_owned),
            "guest.toolsVersionStatus2" => self.tools_version = text.map(str::to_owned),
            PARENT => self.parent = text.map(str::to_owned),
            "guest.net" => {
                self.net = value.map(|v| v.children.iter().map(guest_nic).collect()).unwrap_or_default();
            }
            _ => {}
        }
    }

    fn tools(&self) -> Tools {
        match (self.tools_running.as_deref(), self.tools_version.as_deref()) {
            (Some("guestToolsRunning"), _) => Tools::Running,
            (_, Some("guestToolsNotInstalled")) => Tools::NotInstalled,
            _ => Tools::NotRunning,
        }
    }

    /// All facts, with the cards of the device list.
    pub(crate) fn facts(&self, vm: &VmRef, nics: &[Nic]) -> VmFacts {
        VmFacts {
            vm: vm.clone(),
            name: self.name.clone(),
            instance_uuid: self.instance_uuid,
            power: self.power.unwrap_or(Power::Off),
            boot_time: self.boot_time,
            tools: self.tools(),
            nics: nics.iter().map(|n| self.nic_facts(n)).collect(),
        }
    }

    fn nic_facts(&self, nic: &Nic) -> NicFacts {
        // Interfaces that exist only in the guest (bridges, containers) have the device -1 and may have
        // the card's MAC, so the MAC decides only if there is no device.
        let reported = self.net.iter().filter(|g| match g.device {
            Some(device) => device == nic.key,
            None => g.mac.is_some() && g.mac == nic.mac,
        });
        let mut addresses: Vec<_> = reported.flat_map(|g| g.addresses.iter().copied()).collect();
        addresses.dedup();
        NicFacts {
            key: nic.key,
            mac: nic.mac,
            segment: nic.segment.clone(),
            external_id: nic.external_id.clone(),
            connected: nic.connected,
            addresses,
        }
    }
}

/// A card in the device list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nic {
    pub(crate) key: i32,
    mac: Option<Mac>,
    segment: Option<SegmentKey>,
    pub(crate) external_id: Option<String>,
    connected: bool,
}

/// The cards of a device list.
pub(crate) fn nics(devices: &Element) -> Vec<Nic> {
    devices.children.iter().filter(|d| is_nic(d)).filter_map(nic).collect()
}

/// Whether a device is a network card: the types depend on the server's version, so the criterion is a MAC
/// address.
pub(crate) fn is_nic(device: &Element) -> bool {
    device.child("macAddress").is_some()
        || device.xsi_type.as_deref().is_some_and(|t| t.starts_with("VirtualVmxnet") || t.starts_with("VirtualE1000"))
}

/// A device's key.
pub(crate) fn key(device: &Element) -> Option<i32> {
    device.text_of("key")?.parse().ok()
}

fn nic(device: &Element) -> Option<Nic> {
    let backing = device.child("backing");
    let segment = backing
        .and_then(|b| b.at(&["port", "portgroupKey"]).or_else(|| b.child("opaqueNetworkId")))
        .map(|key| SegmentKey::new(key.text.as_str()));
    Some(Nic {
        key: key(device)?,
        mac: device.text_of("macAddress").and_then(|m| m.parse().ok()),
        segment,
        external_id: device.text_of("externalId").filter(|t| !t.is_empty()).map(str::to_owned),
        connected: device.at(&["connectable", "connected"]).is_some_and(Element::is_true),
    })
}

fn guest_nic(row: &Element) -> GuestNic {
    let addresses = row.all("ipAddress").filter_map(|a| a.text.trim().parse().ok()).filter(is_usable).collect();
    GuestNic {
        device: row.text_of("deviceConfigId").and_then(|t| t.parse().ok()),
        mac: row.text_of("macAddress").and_then(|m| m.parse().ok()),
        addresses,
    }
}

/// A guest without a lease assigns itself a link-local address.
fn is_usable(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => !a.is_link_local() && !a.is_unspecified(),
        IpAddr::V6(a) => !a.is_unicast_link_local() && !a.is_unspecified(),
    }
}

fn power(text: &str) -> Option<Power> {
    match text {
        "poweredOn" => Some(Power::On),
        "poweredOff" => Some(Power::Off),
        "suspended" => Some(Power::Suspended),
        _ => None,
    }
}

fn time(text: &str) -> Option<Timestamp> {
    // The zone is optional in XML Schema; servers use UTC.
    text.parse().or_else(|_| format!("{text}Z").parse()).ok()
}

/// Undoes vCenter's escaping of inventory names: `%`, `/` and `\` only, as `%25`, `%2f`, `%5c`.
pub(crate) fn unescape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let plain = match rest.get(at + 1..at + 3).map(str::to_ascii_lowercase).as_deref() {
            Some("25") => Some('%'),
            Some("2f") => Some('/'),
            Some("5c") => Some('\\'),
            _ => None,
        };
        out.push(plain.unwrap_or('%'));
        rest = &rest[at + if plain.is_some() { 3 } else { 1 }..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unescaped() {
        for (escaped, plain) in [
            ("a%2fb", "a/b"),
            ("a%2Fb%5cc", "a/b\\c"),
            ("100%25", "100%"),
            ("%252f", "%2f"),
            ("50%", "50%"),
            ("%e4%2", "%e4%2"),
            ("ä%ö", "ä%ö"),
        ] {
            assert_eq!(unescape(escaped), plain);
        }
    }

    fn parse(text: &str) -> Element {
        Element::parse(format!(r#"<val xmlns:xsi="x">{text}</val>"#).as_bytes()).unwrap()
    }

    #[test]
    fn cards_and_their_addresses_are_joined() {
        let devices = parse(
            r#"<VirtualDevice xsi:type="VirtualDisk"><key>2000</key></VirtualDevice>
            <VirtualDevice xsi:type="VirtualVmxnet3"><key>4000</key>
              <backing xsi:type="VirtualEthernetCardDistributedVirtualPortBackingInfo">
                <port><switchUuid>50 2a</switchUuid><portgroupKey>dvportgroup-7</portgroupKey></port></backing>
              <connectable><connected>true</connected></connectable><macAddress>00:50:56:AA:00:01</macAddress></VirtualDevice>
            <VirtualDevice xsi:type="VirtualSriovEthernetCard"><key>4001</key>
              <backing xsi:type="VirtualEthernetCardOpaqueNetworkBackingInfo"><opaqueNetworkId>ls-1</opaqueNetworkId></backing>
              <macAddress>00:50:56:aa:00:02</macAddress><externalId>port-1</externalId></VirtualDevice>
            <VirtualDevice xsi:type="VirtualVmxnet3"><key>4002</key><macAddress></macAddress></VirtualDevice>"#,
        );
        let net = parse(
            "<GuestNicInfo><ipAddress>fe80::1</ipAddress><ipAddress>10.0.0.5</ipAddress><ipAddress>169.254.3.4</ipAddress>
              <macAddress>00:50:56:aa:00:01</macAddress><deviceConfigId>4000</deviceConfigId></GuestNicInfo>
            <GuestNicInfo><ipAddress>172.17.0.1</ipAddress><macAddress>00:50:56:aa:00:01</macAddress>
              <deviceConfigId>-1</deviceConfigId></GuestNicInfo>
            <GuestNicInfo><ipAddress>10.1.0.5</ipAddress><macAddress>00:50:56:aa:00:02</macAddress></GuestNicInfo>",
        );
        let mut light = Light::default();
        light.set("guest.net", Some(&net));
        let facts = light.facts(&"vm-1".into(), &nics(&devices));
        let shown: Vec<_> = facts
            .nics
            .iter()
            .map(|n| {
                let mac = n.mac.map(|m| m.to_string());
                format!("{} {mac:?} {:?} {:?} {} {:?}", n.key, n.segment, n.external_id, n.connected, n.addresses)
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        4000 Some("00:50:56:aa:00:01") Some(SegmentKey("dvportgroup-7")) None true [10.0.0.5]
        4001 Some("00:50:56:aa:00:02") Some(SegmentKey("ls-1")) Some("port-1") false [10.1.0.5]
        4002 None None None false []
        "#);
    }

    #[test]
    fn a_vm_being_cloned_is_no_trouble() {
        let facts = Light::default().facts(&"vm-1".into(), &[]);
        assert_eq!((facts.power, facts.tools, facts.name), (Power::Off, Tools::NotRunning, None));
    }

    #[test]
    fn tools_and_times() {
        let mut light = Light::default();
        light.set("guest.toolsVersionStatus2", Some(&Element::leaf("val", "guestToolsNotInstalled")));
        assert_eq!(light.tools(), Tools::NotInstalled);
        light.set("guest.toolsRunningStatus", Some(&Element::leaf("val", "guestToolsRunning")));
        assert_eq!(light.tools(), Tools::Running);
        for text in ["2015-03-01T12:00:00.5Z", "2015-03-01T13:00:00.5+01:00", "2015-03-01T12:00:00.5"] {
            assert_eq!(time(text), Some("2015-03-01T12:00:00.5Z".parse().unwrap()));
        }
    }
}
