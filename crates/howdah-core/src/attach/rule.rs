//! The verdict on one card and its Neutron port: fine, missing, to be repaired, or foreign.
//!
//! Pure, and independent of any cluster: the controller calls it for each node, and other code can call it for
//! any VM and port. Rules (from the source of the NSX plugins):
//!
//! * NSX-v binds a lease only to a port whose owner starts with `compute:`, and accepts a card's
//!   index only if the device ID is a UUID too: Howdah sets and repairs both;
//! * NSX-v deletes the binding of a port with an index when its device ID changes, and makes a new one only when
//!   the owner is set, alone, afterwards (run against vmware-nsx 17.0.0). A new device ID is therefore written
//!   together with the owner [`UNBOUND_OWNER`]: a service that stops between the two still finds the second step;
//! * NSX-T attaches a card to a port by the card's external ID. When is the provisioner's to say;
//! * ML2 binds a port to a host, where the operator names one.
//!
//! | port | card | verdict |
//! |---|---|---|
//! | none | any | missing |
//! | foreign | any | foreign |
//! | ours, with other fields than we set | any | repair the port |
//! | ours, unbound by a repair (NSX-v) | any | repair the owner, alone |
//! | ours | none yet | ahead |
//! | ours | has another MAC | foreign: it belongs to another card |
//! | ours | index or external ID not set, and settable | repair the attachment |
//! | ours | anything else | fine |

use uuid::Uuid;

use crate::failure::Failure;
use crate::ids::PortId;
use crate::policy::NetworkBackend;
use crate::systems::networking::{Port, PortChange};
use crate::systems::vcenter::NicFacts;

/// What Nova writes for an instance without a zone; only the part up to the colon matters to NSX.
pub const DEVICE_OWNER: &str = "compute:None";

/// The owner of a port on NSX-v whose device ID was repaired, until NSX has its binding again.
pub const UNBOUND_OWNER: &str = "compute:howdah-rebind";

/// What the port should be.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// The instance UUID of the VM.
    pub device: Uuid,
    /// The port's name.
    pub name: String,
    /// The port's description: our mark.
    pub description: String,
    /// Whether the existing port may be changed; the caller decides ownership.
    pub ours: bool,
    /// The kind of network.
    pub backend: NetworkBackend,
    /// Whether this Neutron supports a card's index (NSX-v).
    pub vnic_index: bool,
    /// The host that ports are bound to (ML2).
    pub host: Option<String>,
}

/// The verdict on a card and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Fine,
    /// The port must be created.
    Missing,
    /// Nothing: the port exists before its card.
    Ahead,
    /// One repair is needed. Further repairs show after it.
    Repair(Change),
    /// The port belongs to another card, or to others.
    Foreign(Failure),
}

/// The part that needs a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Fields of the port.
    Port(PortChange),
    /// The card's index is not set in NSX-v.
    Index(u32),
    /// NSX-T: the card is not attached to its port.
    ExternalId(PortId),
}

/// Returns the verdict. A call after each repair gives the next one, and finally `Fine` or `Ahead`.
pub fn rule(card: Option<&NicFacts>, port: Option<&Port>, expected: &Expectation) -> Verdict {
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
    let Some(nic) = card else {
        return Verdict::Ahead;
    };
    if nic.mac.is_some_and(|mac| mac != port.mac) {
        return Verdict::Foreign(other_mac(port, nic));
    }
    match expected.backend {
        NetworkBackend::NsxV if expected.vnic_index && port.vnic_index != Some(nic.index()) => {
            Verdict::Repair(Change::Index(nic.index()))
        }
        NetworkBackend::NsxT if nic.external_id.as_deref() != Some(port.id.as_str()) => {
            Verdict::Repair(Change::ExternalId(port.id.clone()))
        }
        NetworkBackend::NsxV | NetworkBackend::NsxT | NetworkBackend::Ml2 => Verdict::Fine,
    }
}

/// The change that brings this port of ours to the form in which we create ports; empty if none is needed.
fn difference(port: &Port, expected: &Expectation) -> PortChange {
    let differs = |is: &str, should: &str| (is != should).then(|| should.to_owned());
    let moved = port.device_id != expected.device.to_string();
    let nsx_v = expected.backend == NetworkBackend::NsxV;
    if nsx_v && !moved && port.device_owner == UNBOUND_OWNER {
        return PortChange { device_owner: Some(DEVICE_OWNER.to_owned()), ..PortChange::default() };
    }
    // NSX-v checks the prefix only; any zone is fine.
    let unowned = !port.device_owner.starts_with("compute:");
    PortChange {
        device_owner: match nsx_v && moved {
            true => Some(UNBOUND_OWNER.to_owned()),
            false => unowned.then(|| DEVICE_OWNER.to_owned()),
        },
        device_id: moved.then_some(expected.device),
        name: differs(&port.name, &expected.name),
        description: differs(&port.description, &expected.description),
        security_groups: None,
        host: match (&expected.host, &port.binding) {
            (Some(host), Some(binding)) => differs(&binding.host, host),
            _ => None,
        },
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
    use crate::systems::networking::Binding;
    use crate::test_support::{VM_UUID, good_port, up, vm};

    fn expected(backend: NetworkBackend) -> Expectation {
        let port = good_port();
        let (name, description) = (port.name, port.description);
        Expectation { device: VM_UUID, name, description, ours: true, backend, vnic_index: true, host: None }
    }

    fn card(vm: &crate::systems::vcenter::VmFacts) -> Option<&NicFacts> {
        vm.nics.first()
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
        assert_eq!(rule(card(&on), Some(&port), &expected(NsxT)), attach);
    }

    #[test]
    fn a_port_is_repaired_before_its_attachment() {
        let vm = vm();
        let off_zone = Port { device_owner: "compute:nova".into(), ..good_port() };
        assert_eq!(rule(card(&vm), Some(&off_zone), &expected(NetworkBackend::Ml2)), Verdict::Fine);
        let bare = Port { device_owner: String::new(), device_id: String::new(), ..good_port() };
        let verdict = rule(card(&vm), Some(&bare), &expected(NetworkBackend::Ml2));
        let change =
            PortChange { device_owner: Some(DEVICE_OWNER.into()), device_id: Some(VM_UUID), ..PortChange::default() };
        assert_eq!(verdict, Verdict::Repair(Change::Port(change)));
    }

    #[test]
    fn on_nsx_v_a_repaired_device_gets_its_binding_back_before_its_index() {
        let (vm, expected) = (vm(), expected(NetworkBackend::NsxV));
        let mut port = Port { device_id: "c-worker-0".into(), name: "old".into(), ..good_port() };
        let mut steps = vec![];
        loop {
            match rule(card(&vm), Some(&port), &expected) {
                Verdict::Repair(Change::Port(change)) => {
                    port.device_owner = change.device_owner.clone().unwrap_or(port.device_owner);
                    port.device_id = change.device_id.map_or(port.device_id, |id| id.to_string());
                    port.name = change.name.clone().unwrap_or(port.name);
                    steps.push(Change::Port(change));
                }
                Verdict::Repair(Change::Index(index)) => {
                    port.vnic_index = Some(index);
                    steps.push(Change::Index(index));
                }
                verdict => break assert_eq!(verdict, Verdict::Fine),
            }
        }
        let moved = PortChange {
            device_owner: Some(UNBOUND_OWNER.into()),
            device_id: Some(VM_UUID),
            name: Some(good_port().name),
            ..PortChange::default()
        };
        let bound = PortChange { device_owner: Some(DEVICE_OWNER.into()), ..PortChange::default() };
        assert_eq!(steps, [Change::Port(moved), Change::Port(bound), Change::Index(0)]);
    }

    #[test]
    fn a_port_is_bound_to_the_host_that_the_operator_names() {
        let vm = vm();
        let expected = Expectation { host: Some("esx".into()), ..expected(NetworkBackend::Ml2) };
        let bound = |host: &str| {
            let binding = Some(Binding { host: host.into(), vif_type: "unbound".into() });
            rule(card(&vm), Some(&Port { binding, ..good_port() }), &expected)
        };
        let change = PortChange { host: Some("esx".into()), ..PortChange::default() };
        assert_eq!(bound(""), Verdict::Repair(Change::Port(change)));
        assert_eq!(bound("esx"), Verdict::Fine);
        assert_eq!(rule(card(&vm), Some(&good_port()), &expected), Verdict::Fine, "Neutron does not show it");
    }
}
