//! Which ports to make, repair, index, attach and delete: the bond between cards and ports.
//!
//! A pure function of what was seen. Rules (design of the NSX plugins, read in their source):
//!
//! * a port is made as soon as a card is on our segment and has its address: BDE plugs the card
//!   in while the VM is off, so that address is final;
//! * NSX-v binds a lease only to a port whose owner begins with `compute:`, and takes a card's
//!   index only if, besides, the device id is a UUID: so both are set, and repaired;
//! * NSX-T plugs a card into a port by the card's external id, which can be set while it is off;
//! * one request never names a MAC twice.
//!
//! What it does not do: decide whose a port or VM is ([`crate::own`]). A MAC whose port is somebody
//! else's is reported in [`Plan::conflicts`] and left alone, a port in the form that the plugin
//! of 2015 left among them.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::failure::Failure;
use crate::ids::{Mac, NodeName, PortId, SegmentKey};
use crate::known::ClusterState;
use crate::mark::{Mark, MarkKey};
use crate::own::{self, Marked, OurVm, Ours};
use crate::policy::NetworkBackend;
use crate::seen::{Seen, nic_on, vm_of};
use crate::systems::networking::{NetworkingFeatures, Port, PortChange, PortRequest};
use crate::systems::vcenter::{NicFacts, Power, VmFacts};
use crate::time::Stamp;
use crate::wanted::ClusterRecord;

/// What Nova writes for an instance without a zone; only the part up to the colon matters to NSX.
pub const DEVICE_OWNER: &str = "compute:None";

/// What is to be done to ports and cards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Ports to be made.
    pub create: Vec<PortRequest>,
    /// Ports of ours that are not as they should be.
    pub repair: Vec<(Marked, PortChange)>,
    /// Ports whose card index NSX-v does not know.
    pub index: Vec<(Marked, u32)>,
    /// Cards that NSX-T shall plug into a port: VM, device key, port.
    pub attach: Vec<(OurVm, i32, PortId)>,
    /// Ports of ours whose card is no more.
    pub remove: Vec<Marked>,
    /// Addresses on the wire that somebody else holds.
    pub conflicts: Vec<(NodeName, Failure)>,
}

/// What a plan is made from.
pub struct Bond<'a> {
    /// That the cluster is ours.
    pub ours: &'a Ours,
    /// What is wanted.
    pub record: &'a ClusterRecord,
    /// What is known.
    pub state: &'a ClusterState,
    /// What was seen.
    pub seen: &'a Seen,
    /// The key of this installation's marks.
    pub marks: &'a MarkKey,
    /// The kind of network.
    pub backend: NetworkBackend,
}

/// What should be done now. Empty as long as the ports have not been listed.
pub fn plan(bond: &Bond<'_>, segment: &SegmentKey) -> Plan {
    let mut plan = Plan::default();
    let (record, seen) = (bond.record, bond.seen);
    if seen.ports.whole_after(Stamp::START).is_none() {
        return plan;
    }
    let features = seen.features.unwrap_or_default();
    let mut asked = BTreeSet::new();
    for vm in seen.vms.values() {
        let Some(token) = own::our_vm(bond.ours, record, bond.state, seen, vm) else {
            continue;
        };
        let (Some(node), Some(nic)) = (&vm.name, nic_on(vm, segment)) else {
            continue;
        };
        let (Some(mac), Some(device_id)) = (nic.mac, vm.instance_uuid) else {
            continue;
        };
        let mark = Mark::new(record.id, node.clone(), nic.index());
        let Some(port) = port_of(bond, &mac) else {
            if asked.insert(mac) {
                plan.create.push(request(bond, &mark, mac, device_id));
            } else {
                plan.conflicts.push((node.clone(), twice(node, &mac)));
            }
            continue;
        };
        let marked = own::marked(bond.ours.pass(), record, bond.state, bond.marks, port)
            .or_else(|| own::of_first_release(record, &token, vm, port));
        match marked {
            None => plan.conflicts.push((node.clone(), foreign(port, &mark))),
            Some(marked) => match repair(bond, port, &mark, device_id) {
                change if change == PortChange::default() => {
                    attach(&mut plan, (token, vm, nic), (marked, port), bond.backend, features);
                }
                change => plan.repair.push((marked, change)),
            },
        }
    }
    if seen.vms_synced {
        let ours = |port| own::marked(bond.ours.pass(), record, bond.state, bond.marks, port);
        plan.remove = seen.ports.present().filter(|p| is_stale(bond, p, segment)).filter_map(ours).collect();
    }
    plan
}

/// The port with this address on the wire; one of ours, if there are several.
fn port_of<'a>(bond: &Bond<'a>, mac: &Mac) -> Option<&'a Port> {
    let of_mac = || bond.seen.ports.present().filter(|p| p.mac == *mac);
    let ours = |p: &&Port| bond.state.ports.contains_key(&p.id);
    of_mac().find(ours).or_else(|| of_mac().next())
}

fn request(bond: &Bond<'_>, mark: &Mark, mac: Mac, device_id: Uuid) -> PortRequest {
    let record = bond.record;
    let project = record.port_project().clone();
    // A port of this card that was removed by others is made anew as it was: the guest goes on
    // using its address.
    let known = bond.state.nodes.get(&mark.node).filter(|n| n.mac == Some(mac));
    PortRequest {
        network: record.spec.network.id.clone(),
        subnet: record.spec.subnet.id.clone(),
        mac,
        address: known.and_then(|n| n.promised),
        name: mark.port_name(),
        description: bond.marks.describe(&record.project, mark, mac),
        project,
        device_owner: DEVICE_OWNER.to_owned(),
        device_id,
        security_groups: record.spec.security_groups.clone(),
    }
}

/// The change that makes this port of ours the one we would have made; an empty one if it is.
fn repair(bond: &Bond<'_>, port: &Port, mark: &Mark, device_id: Uuid) -> PortChange {
    let differs = |is: &str, should: &str| (is != should).then(|| should.to_owned());
    PortChange {
        // NSX-v looks at the beginning only; another zone than ours is as good.
        device_owner: (!port.device_owner.starts_with("compute:")).then(|| DEVICE_OWNER.to_owned()),
        device_id: (port.device_id != device_id.to_string()).then_some(device_id),
        name: differs(&port.name, &mark.port_name()),
        description: differs(&port.description, &bond.marks.describe(&bond.record.project, mark, port.mac)),
        security_groups: None,
    }
}

fn attach(
    plan: &mut Plan,
    (token, vm, nic): (OurVm, &VmFacts, &NicFacts),
    (marked, port): (Marked, &Port),
    backend: NetworkBackend,
    features: NetworkingFeatures,
) {
    match backend {
        NetworkBackend::NsxV if features.vnic_index && port.vnic_index != Some(nic.index()) => {
            plan.index.push((marked, nic.index()));
        }
        NetworkBackend::NsxT if vm.power == Power::Off && nic.external_id.as_deref() != Some(port.id.as_str()) => {
            plan.attach.push((token, nic.key, port.id.clone()));
        }
        NetworkBackend::NsxV | NetworkBackend::NsxT | NetworkBackend::Ml2 => {}
    }
}

/// Whether the port's node has another card now, or is not there any more. A port whose node's
/// VM is merely between two states (no card on the segment yet) is kept.
fn is_stale(bond: &Bond<'_>, port: &Port, segment: &SegmentKey) -> bool {
    let marked = Mark::parse(&port.description).filter(|m| m.cluster == bond.record.id).map(|m| m.node);
    let Some(node) = bond.state.ports.get(&port.id).map(|p| p.node.clone()).or(marked) else {
        return false;
    };
    let Some(vm) = vm_of(&bond.seen.vms, &node) else {
        // The cluster manager decides whether the node is still planned; its clone may be under way.
        let cluster = bond.seen.cluster.last().and_then(Option::as_ref);
        return cluster.is_some_and(|c| c.status.is_up() && !c.nodes.iter().any(|n| n.name == node));
    };
    let ours = own::our_vm(bond.ours, bond.record, bond.state, bond.seen, vm).is_some();
    ours && nic_on(vm, segment).and_then(|nic| nic.mac).is_some_and(|mac| mac != port.mac)
}

fn foreign(port: &Port, mark: &Mark) -> Failure {
    let named = if port.name.is_empty() { String::new() } else { format!(" named {:?}", port.name) };
    Failure::new(
        "mac_in_use",
        format!(
            "the MAC {} of {} belongs to the port {}{named} of project {} (owner {:?}, device {:?}), which is not ours",
            port.mac, mark.node, port.id, port.project, port.device_owner, port.device_id
        ),
    )
    .hint("Delete that port if nothing uses it, or give the VM another MAC.")
}

fn twice(node: &NodeName, mac: &Mac) -> Failure {
    Failure::new("mac_twice", format!("the MAC {mac} of {node} is also that of another VM of this cluster"))
        .hint("Give one of the two VMs another MAC in vCenter.")
}

#[cfg(test)]
mod tests;
