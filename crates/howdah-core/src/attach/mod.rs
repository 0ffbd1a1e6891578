//! Which ports to create, repair, index, attach and delete: the relation between nodes and ports.
//!
//! [`rule`](rule::rule) judges one card and its port; [`plan`] does so for each node that wants one (a
//! [`Slot`], which the provisioner names). A pure function of what was seen.
//!
//! It does not decide who owns a port or VM ([`crate::own`]). A MAC whose port is foreign is reported
//! in [`Plan::conflicts`] and not changed; this includes ports of the plugin of 2015. One request never
//! contains a MAC twice.

pub mod rule;

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::failure::Failure;
use crate::ids::{Mac, NodeName, PortId, SegmentKey};
use crate::mark::{Mark, MarkKey};
use crate::own::{self, Marked, OurVm, Owner};
use crate::policy::Networks;
use crate::seen::{VmsByNode, nic_on, vms_by_node};
use crate::systems::networking::{Port, PortChange, PortRequest};
use crate::systems::vcenter::{NicFacts, VmFacts};
use crate::time::Stamp;
use rule::{Change, Expectation, Verdict, rule};

pub use rule::DEVICE_OWNER;

/// The actions for ports and cards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Ports to create.
    pub create: Vec<PortRequest>,
    /// Ports of ours that need a repair.
    pub repair: Vec<(Marked, PortChange)>,
    /// Ports whose card index NSX-v does not know.
    pub index: Vec<(Marked, u32)>,
    /// Cards for NSX-T to attach to a port: VM, device key, port.
    pub attach: Vec<(OurVm, i32, PortId)>,
    /// Ports of ours whose card no longer exists.
    pub remove: Vec<Marked>,
    /// MAC addresses that belong to foreign ports.
    pub conflicts: Vec<(NodeName, Failure)>,
}

/// A node that wants a port.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot<'a> {
    /// The node.
    pub node: NodeName,
    /// The instance UUID of its VM, existing or planned.
    pub device: Uuid,
    /// The MAC of its card, existing or planned.
    pub mac: Mac,
    /// The card on the network, once it exists.
    pub card: Option<Card<'a>>,
}

/// A card of a VM of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Card<'a> {
    /// Proof that the VM is ours.
    pub owner: OurVm,
    /// The VM.
    pub vm: &'a VmFacts,
    /// The card.
    pub nic: &'a NicFacts,
}

/// A slot for each card of a VM of ours that is on the segment and has its MAC.
pub fn slots_of_cards<'a>(owner: &Owner<'a>, vms: &VmsByNode<'a>, segment: &SegmentKey) -> Vec<Slot<'a>> {
    let slot = |(node, vm): (&NodeName, &&'a VmFacts)| {
        let nic = nic_on(vm, segment)?;
        let card = Card { owner: owner.vm(vm)?, vm, nic };
        Some(Slot { node: node.clone(), device: vm.instance_uuid?, mac: nic.mac?, card: Some(card) })
    };
    vms.iter().filter_map(slot).collect()
}

/// The input of a plan.
pub struct Bond<'a> {
    /// Our cluster.
    pub owner: Owner<'a>,
    /// The key of this installation's marks.
    pub marks: &'a MarkKey,
    /// The site's networks.
    pub networks: &'a Networks,
}

/// The actions that are due now. Empty until the ports have been listed.
pub fn plan(bond: &Bond<'_>, segment: &SegmentKey) -> Plan {
    let mut plan = Plan::default();
    let Owner { ours, record, state, seen, provision } = bond.owner;
    if seen.ports.whole_after(Stamp::START).is_none() {
        return plan;
    }
    let ours = |port: &Port| own::marked(ours.pass(), record, state, bond.marks, port);
    let ports = ports_by_mac(bond);
    let vms = vms_by_node(&seen.vms, &state.nodes, bond.owner.cluster());
    let mut asked = BTreeSet::new();
    for slot in provision.slots(&bond.owner, &vms, segment) {
        let nic = slot.card.as_ref().map(|card| card.nic);
        let mark = Mark::new(record.id, slot.node.clone(), nic.map_or(0, NicFacts::index));
        let port = ports.get(&slot.mac).copied();
        let first = |card: &Card<'_>| own::of_first_release(record, &card.owner, card.vm, port?);
        let marked = port.and_then(ours).or_else(|| slot.card.as_ref().and_then(first));
        let expected = Expectation {
            device: slot.device,
            name: mark.port_name(),
            description: bond.marks.describe(&record.project, &mark, slot.mac),
            ours: marked.is_some(),
            backend: bond.networks.backend,
            host: bond.networks.binding_host.clone(),
            vnic_index: seen.features.unwrap_or_default().vnic_index,
        };
        match (rule(nic, port, &expected), marked) {
            (Verdict::Missing, _) if asked.insert(slot.mac) => plan.create.push(request(bond, &mark, &slot)),
            (Verdict::Missing, _) => plan.conflicts.push((slot.node.clone(), twice(&slot.node, &slot.mac))),
            (Verdict::Foreign(failure), _) => plan.conflicts.push((slot.node, failure)),
            (Verdict::Repair(Change::Port(change)), Some(marked)) => plan.repair.push((marked, change)),
            (Verdict::Repair(Change::Index(index)), Some(marked)) => plan.index.push((marked, index)),
            (Verdict::Repair(Change::ExternalId(port)), _) => {
                plan.attach.extend(slot.card.map(|card| (card.owner, card.nic.key, port)));
            }
            (Verdict::Fine | Verdict::Ahead | Verdict::Repair(_), _) => {}
        }
    }
    if seen.vms_synced {
        plan.remove = seen.ports.present().filter(|p| is_stale(bond, &vms, p, segment)).filter_map(ours).collect();
    }
    plan
}

/// The port with each MAC address; ours, if there are several.
fn ports_by_mac<'a>(bond: &Bond<'a>) -> BTreeMap<Mac, &'a Port> {
    let ours = |p: &Port| bond.owner.state.ports.contains_key(&p.id);
    let mut ports: BTreeMap<Mac, &Port> = BTreeMap::new();
    for port in bond.owner.seen.ports.present() {
        let known = ports.entry(port.mac).or_insert(port);
        if ours(port) && !ours(known) {
            *known = port;
        }
    }
    ports
}

fn request(bond: &Bond<'_>, mark: &Mark, slot: &Slot<'_>) -> PortRequest {
    let record = bond.owner.record;
    // A port that others deleted is created again with the same address: the guest still uses it.
    let known = bond.owner.state.nodes.get(&mark.node).filter(|n| n.mac == Some(slot.mac));
    PortRequest {
        network: record.spec.network.id.clone(),
        subnet: record.spec.subnet.id.clone(),
        mac: slot.mac,
        address: known.and_then(|n| n.promised),
        name: mark.port_name(),
        description: bond.marks.describe(&record.project, mark, slot.mac),
        project: record.port_project().clone(),
        device_owner: DEVICE_OWNER.to_owned(),
        device_id: slot.device,
        security_groups: record.spec.security_groups.clone(),
        host: bond.networks.binding_host.clone(),
    }
}

/// Whether the port's node has another card now, or no longer exists. A port is kept while its node's
/// VM is between two states (no card on the segment yet).
fn is_stale(bond: &Bond<'_>, vms: &VmsByNode<'_>, port: &Port, segment: &SegmentKey) -> bool {
    let Owner { record, state, .. } = bond.owner;
    let marked = || Mark::parse(&port.description).filter(|m| m.cluster == record.id).map(|m| m.node);
    let Some(node) = state.ports.get(&port.id).map(|p| p.node.clone()).or_else(marked) else {
        return false;
    };
    if state.nodes.get(&node).is_some_and(|n| n.plan.is_some_and(|plan| plan.mac == port.mac)) {
        return false;
    }
    let Some(vm) = vms.get(&node) else {
        // The provisioner decides whether the node is still planned; its clone may be in progress.
        return bond.owner.cluster().is_some_and(|c| c.status.is_up() && !c.nodes.iter().any(|n| n.name == node));
    };
    let ours = bond.owner.vm(vm).is_some();
    ours && nic_on(vm, segment).and_then(|nic| nic.mac).is_some_and(|mac| mac != port.mac)
}

fn twice(node: &NodeName, mac: &Mac) -> Failure {
    Failure::new("mac_twice", format!("{node} and another VM of this cluster have the same MAC {mac}"))
        .hint("Give one of the two VMs another MAC in vCenter.")
}

// These tests use BDE's evidence for ownership.
#[cfg(all(test, feature = "bde"))]
mod tests;
