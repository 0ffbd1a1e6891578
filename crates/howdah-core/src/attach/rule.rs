//! One card and its Neutron port, judged: fine, missing, to be repaired, or somebody else's.
//!
//! Pure, and without any cluster: the controller asks it for each of its nodes, and whoever has a VM and a port
//! can ask it for those. Rules (design of the NSX plugins, read in their source):
//!
//! * NSX-v binds a lease only to a port whose owner begins with `compute:`, and takes a card's
//!   index only if, besides, the device id is a UUID: so both are set, and repaired;
//! * NSX-T plugs a card into a port by the card's external id, which can be set while it is off;
//! * ML2 needs neither.
//!
//! | port | card | verdict |
//! |---|---|---|
//! | none | any | missing |
//! | another's | any | foreign |
//! | ours, not as we make it | any | repair the port |
//! | ours | none yet | ahead |
//! | ours | has another MAC | foreign: it is not this card's |
//! | ours | index or external id not set, and can be | repair the attachment |
//! | ours | anything else | fine |

use uuid::Uuid;

use crate::failure::Failure;
use crate::ids::PortId;
use crate::policy::NetworkBackend;
use crate::systems::networking::{Port, PortChange};
use crate::systems::vcenter::{NicFacts, Power};

/// What Nova writes for an instance without a zone; only the part up to the colon matters to NSX.
pub const DEVICE_OWNER: &str = "compute:None";

/// A card, and whether its VM is on.
#[derive(Debug, Clone, Copy)]
pub struct Plugged<'a> {
    /// The card.
    pub nic: &'a NicFacts,
    /// Its VM's power.
    pub power: Power,
}

/// What the port should be.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The instance UUID of the VM.
    pub device: Uuid,
    /// The port's name.
    pub name: String,
    /// The port's description: our mark.
    pub description: String,
    /// Whether the port that there is may be changed: whose it is, is not decided here.
    pub ours: bool,
    /// The kind of network.
    pub backend: NetworkBackend,
    /// Whether this Neutron takes a card's index (NSX-v).
    pub vnic_index: bool,
}

/// What is to be done about a card and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Fine,
    /// The port has to be made.
    Missing,
    /// Nothing: the port is there before its card.
    Ahead,
    /// One thing has to be put right. What is next shows afterwards.
    Repair(Change),
    /// The port is not this card's, or not ours to touch.
    Foreign(Failure),
}

/// What is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Fields of the port.
    Port(PortChange),
    /// NSX-v does not know the card's index.
    Index(u32),
    /// NSX-T: the card does not name its port.
    ExternalId(PortId),
}

/// Judges. Calling it again after a repair gives the next one, and at last `Fine` or `Ahead`.
pub fn rule(card: Option<Plugged<'_>>, port: Option<&Port>, expected: &Expectation) -> Verdict {
    let Some(port) = port else {
        return Verdict::Missing;
    };
    if !expected.ours {
        return Verdict::Foreign(foreign(port, &expected.name));
    }
    let change = difference(port, expected);
    if change != PortChange::default() {
        return Verdict::Repair(Change::Port(change));
    }
    let Some(Plugged { nic, power }) = card else {
        return Verdict::Ahead;
    };
    if nic.mac.is_some_and(|mac| mac != port.mac) {
        return Verdict::Foreign(other_mac(port, nic));
    }
    match expected.backend {
        NetworkBackend::NsxV if expected.vnic_index && port.vnic_index != Some(nic.index()) => {
            Verdict::Repair(Change::Index(nic.index()))
        }
        NetworkBackend::NsxT if power == Power::Off && nic.external_id.as_deref() != Some(port.id.as_str()) => {
            Verdict::Repair(Change::ExternalId(port.id.clone()))
        }
        NetworkBackend::NsxV | NetworkBackend::NsxT | NetworkBackend::Ml2 => Verdict::Fine,
    }
}

/// The change that makes this port of ours the one we would have made; an empty one if it is.
fn difference(port: &Port, expected: &Expectation) -> PortChange {
    let differs = |is: &str, should: &str| (is != should).then(|| should.to_owned());
    PortChange {
        // NSX-v looks at the beginning only; another zone than ours is as good.
        device_owner: (!port.device_owner.starts_with("compute:")).then(|| DEVICE_OWNER.to_owned()),
        device_id: (port.device_id != expected.device.to_string()).then_some(expected.device),
        name: differs(&port.name, &expected.name),
        description: differs(&port.description, &expected.description),
        security_groups: None,
    }
}

fn foreign(port: &Port, wanted: &str) -> Failure {
    let named = if port.name.is_empty() { String::new() } else { format!(" named {:?}", port.name) };
    let node = wanted.rsplit_once("-port").map_or(wanted, |(node, _)| node);
    Failure::new(
        "mac_in_use",
        format!(
            "the MAC {} of {node} belongs to the port {}{named} of project {} (owner {:?}, device {:?}), which is not Howdah's",
            port.mac, port.id, port.project, port.device_owner, port.device_id
        ),
    )
    .hint("Delete that port if nothing uses it, or give the VM another MAC.")
}

fn other_mac(port: &Port, nic: &NicFacts) -> Failure {
    let mac = nic.mac.map(|m| m.to_string()).unwrap_or_default();
    Failure::new("mac_differs", format!("the card has the MAC {mac}, but its port {} has {}", port.id, port.mac))
        .hint("Give the card the port's MAC while the VM is off, or delete the port.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Mac;
    use crate::test_support::{VM_UUID, good_port, up, vm};

    fn expected(backend: NetworkBackend) -> Expectation {
        let port = good_port();
        let (name, description) = (port.name, port.description);
        Expectation { device: VM_UUID, name, description, ours: true, backend, vnic_index: true }
    }

    fn card(vm: &crate::systems::vcenter::VmFacts) -> Option<Plugged<'_>> {
        Some(Plugged { nic: &vm.nics[0], power: vm.power })
    }

    #[test]
    fn each_row_of_the_table() {
        use NetworkBackend::{Ml2, NsxT, NsxV};
        let (off, on, port) = (vm(), up("10.0.0.5"), good_port());
        let ml2 = expected(Ml2);
        assert_eq!(rule(None, None, &ml2), Verdict::Missing);
        assert_eq!(rule(card(&off), None, &ml2), Verdict::Missing);
        let others = Expectation { ours: false, ..ml2.clone() };
        assert!(matches!(rule(card(&off), Some(&port), &others), Verdict::Foreign(f) if f.code == "mac_in_use"));
        assert_eq!(rule(None, Some(&port), &ml2), Verdict::Ahead);
        assert_eq!(rule(card(&off), Some(&port), &ml2), Verdict::Fine);
        let other = Port { mac: Mac::new([0, 80, 86, 9, 9, 9]), ..port.clone() };
        assert!(matches!(rule(card(&off), Some(&other), &ml2), Verdict::Foreign(f) if f.code == "mac_differs"));
        assert_eq!(rule(card(&on), Some(&port), &expected(NsxV)), Verdict::Repair(Change::Index(0)));
        let indexed = Port { vnic_index: Some(0), ..port.clone() };
        assert_eq!(rule(card(&on), Some(&indexed), &expected(NsxV)), Verdict::Fine);
        let no_index = Expectation { vnic_index: false, ..expected(NsxV) };
        assert_eq!(rule(card(&on), Some(&port), &no_index), Verdict::Fine);
        let attach = Verdict::Repair(Change::ExternalId(port.id.clone()));
        assert_eq!(rule(card(&off), Some(&port), &expected(NsxT)), attach);
        assert_eq!(rule(card(&on), Some(&port), &expected(NsxT)), Verdict::Fine, "too late: it is on");
    }

    #[test]
    fn a_port_is_repaired_before_its_attachment() {
        let vm = vm();
        let off_zone = Port { device_owner: "compute:nova".into(), ..good_port() };
        assert_eq!(rule(card(&vm), Some(&off_zone), &expected(NetworkBackend::Ml2)), Verdict::Fine);
        let bare = Port { device_owner: String::new(), device_id: String::new(), ..good_port() };
        let verdict = rule(card(&vm), Some(&bare), &expected(NetworkBackend::NsxV));
        let change =
            PortChange { device_owner: Some(DEVICE_OWNER.into()), device_id: Some(VM_UUID), ..PortChange::default() };
        assert_eq!(verdict, Verdict::Repair(Change::Port(change)));
    }
}
