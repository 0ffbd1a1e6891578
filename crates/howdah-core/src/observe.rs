//! From what was seen to what is known: node states, progress, and the events that tell of a
//! change.
//!
//! Invariant: calling it twice with the same facts changes nothing the second time and tells of
//! nothing. It decides nothing, and it is given the VMs that are ours, nobody else's. The cluster
//! as a whole is [`crate::health`]'s.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::condition::{Condition, ConditionKind, ConditionStatus};
use crate::event::{Event, Level};
use crate::history::Sighting;
use crate::ids::{Mac, NodeName, SegmentKey};
use crate::known::{ClusterState, NodeState, OperationState, OwnPort};
use crate::mark::{Mark, MarkKey};
use crate::own::{self, Pass};
use crate::policy::NetworkBackend;
use crate::seen::{Seen, nic_on, vms_by_node};
use crate::stage::{Stage, stage};
use crate::systems::manager::{ManagedCluster, ManagedNode, ManagedStatus};
use crate::systems::networking::Port;
use crate::systems::vcenter::{NicFacts, Power, VmFacts, Vms};
use crate::time::Stamp;
use crate::wanted::{ClusterRecord, Goal, OperationKind};

/// The reason of an attachment that came too late for NSX-T.
pub const POWERED_ON_BEFORE: &str = "PoweredOnBefore";

/// The reason of a VM that was there and is not any more.
pub const VM_GONE: &str = "Gone";

/// What a look at the nodes is made from.
pub struct Sight<'a> {
    /// The round: for recognising our ports.
    pub pass: Pass,
    /// What is wanted.
    pub record: &'a ClusterRecord,
    /// What was seen.
    pub seen: &'a Seen,
    /// The VMs in the cluster's folder that are ours; none if the cluster is not.
    pub vms: &'a Vms,
    /// The cluster in the cluster manager, if it is ours.
    pub cluster: Option<&'a ManagedCluster>,
    /// The key of this installation's marks.
    pub marks: &'a MarkKey,
    /// The kind of network.
    pub backend: NetworkBackend,
    /// Now, for people.
    pub now: Timestamp,
}

/// Brings the nodes and the ledger of ports up to what was seen and returns what changed.
pub fn observe(sight: &Sight<'_>, state: &mut ClusterState) -> Vec<Event> {
    let mut events = Vec::new();
    keep_ledger(sight, state);
    let before = std::mem::take(&mut state.nodes);
    let segment = state.segment.as_ref().map(|s| s.key.clone());
    let found = Found::new(sight, state, &before);
    for name in node_names(sight, &found.vms, &before) {
        let old = before.get(&name);
        let node = one(sight, &found, &name, old, segment.as_ref());
        tell(sight, &name, old, &node, &mut events);
        state.nodes.insert(name, node);
    }
    if let Some(cluster) = sight.cluster {
        state.manager_status = Some(cluster.status);
    }
    state.progress = progress(state);
    events
}

/// What was seen, by what it is looked up by: made once for all nodes.
struct Found<'a> {
    vms: BTreeMap<NodeName, &'a VmFacts>,
    managed: BTreeMap<&'a NodeName, &'a ManagedNode>,
    /// Ports of ours.
    ports: BTreeMap<Mac, &'a Port>,
}

impl<'a> Found<'a> {
    fn new(sight: &Sight<'a>, state: &ClusterState, before: &BTreeMap<NodeName, NodeState>) -> Self {
        let mut ports = BTreeMap::new();
        for port in sight.seen.ports.present().filter(|p| state.ports.contains_key(&p.id)) {
            ports.entry(port.mac).or_insert(port);
        }
        Self {
            vms: vms_by_node(sight.vms, before, sight.cluster),
            managed: sight.cluster.into_iter().flat_map(|c| &c.nodes).map(|n| (&n.name, n)).collect(),
            ports,
        }
    }
}

/// All nodes: those that the manager has planned and those whose VM is there. While the manager
/// shows nothing of ours, those known before.
fn node_names(
    sight: &Sight<'_>,
    vms: &BTreeMap<NodeName, &VmFacts>,
    before: &BTreeMap<NodeName, NodeState>,
) -> Vec<NodeName> {
    let mut names: Vec<_> = vms.keys().cloned().collect();
    match sight.cluster {
        Some(cluster) => {
            names.extend(cluster.nodes.iter().map(|n| n.name.clone()));
            names.extend(before.iter().filter(|(_, node)| node.plan.is_some()).map(|(name, _)| name.clone()));
        }
        None => names.extend(before.keys().cloned()),
    }
    names.sort();
    names.dedup();
    names
}

/// Every port of ours is in the ledger from when it is seen until a complete list lacks it. A ledger
/// that was lost is made again from the first complete list.
fn keep_ledger(sight: &Sight<'_>, state: &mut ClusterState) {
    let ports = &sight.seen.ports;
    let is_ours = |port: &Port| {
        own::marked(sight.pass, sight.record, state, sight.marks, port).is_some()
            || state.ledger_lost && own::was_of_first_release(sight.record, port)
    };
    let ours: Vec<_> = ports
        .present()
        .filter(|p| is_ours(p))
        .filter_map(|p| {
            let known = state.ports.get(&p.id).map(|o| o.node.clone());
            let node = known.or_else(|| Mark::parse(&p.description).map(|m| m.node))?;
            let address = p.fixed_ips.first().map(|ip| ip.address);
            Some((p.id.clone(), OwnPort { node, mac: Some(p.mac), address }))
        })
        .collect();
    state.ports.extend(ours);
    if ports.whole_after(Stamp::START).is_some() {
        state.ports.retain(|id, _| ports.get(id).is_some());
        state.ledger_lost = false;
    }
}

fn one(
    sight: &Sight<'_>,
    found: &Found<'_>,
    name: &NodeName,
    old: Option<&NodeState>,
    segment: Option<&SegmentKey>,
) -> NodeState {
    let Sight { record, seen, backend, .. } = sight;
    let vm = found.vms.get(name).copied();
    let nic = vm.zip(segment).and_then(|(vm, segment)| nic_on(vm, segment));
    let mut node = old.cloned().unwrap_or_else(|| NodeState::planned(record, name));
    let planned = node.plan.map(|plan| plan.mac);
    let port = nic.and_then(|n| n.mac).or(planned).and_then(|mac| found.ports.get(&mac).copied());
    let managed = found.managed.get(name).copied();
    if let Some(managed) = managed {
        take_over(&mut node, managed);
    }
    // What is not visible at the moment stays as it was known: a watch that is being set up
    // again must not look like VMs that vanish.
    if vm.is_none() && !seen.vms_synced {
        return node;
    }
    let made_anew = managed.is_some_and(|n| n.vm.is_none())
        && sight.cluster.is_some_and(|c| c.status == ManagedStatus::Provisioning);
    if vm.is_some() || made_anew {
        node.vm = vm.map(|vm| vm.vm.clone());
        node.instance_uuid = vm.and_then(|vm| vm.instance_uuid);
    }
    let mac = nic.and_then(|n| n.mac).or(planned);
    let same_card = node.mac == mac;
    node.mac = mac;
    if !same_card {
        (node.port, node.promised) = (None, None);
    }
    let listed = seen.ports.whole_after(Stamp::START).is_some() || port.is_some();
    if listed {
        node.port = port.map(|p| p.id.clone());
        // What a port promised to this card is remembered: it is made again with the same.
        node.promised = port.and_then(|p| p.fixed_ips.first()).map(|ip| ip.address).or(node.promised);
    }
    node.stage = stage(vm, nic, node.promised);
    node.address = good_address(nic, node.promised).or_else(|| nic.and_then(|n| n.addresses.first().copied()));
    let asks_attachment = match backend {
        NetworkBackend::NsxV => seen.features.is_some_and(|f| f.vnic_index),
        NetworkBackend::NsxT => true,
        NetworkBackend::Ml2 => false,
    };
    let mut conditions = vec![vm_exists(vm, &node), port_ready(nic, port, old, same_card)];
    if asks_attachment {
        conditions.push(attached(vm, nic, port, *backend));
    }
    conditions.push(addressed(&node, nic));
    node.conditions = conditions.into_iter().map(|said| dated(said, old, sight.now)).collect();
    if let Some(vm) = vm {
        node.history.note(
            sight.now,
            Sighting {
                vm,
                is_new: old.is_none_or(|o| o.vm != node.vm),
                has_port: port.is_some(),
                addressed: node.stage == Stage::Addressed,
                was_on: old.is_some_and(|o| o.stage > Stage::Cloned),
            },
        );
    }
    if !listed && same_card {
        keep_port_conditions(&mut node, old);
    }
    node
}

/// Until the ports are listed, what was known of the node's port stays: it is not lost because
/// nobody has looked.
fn keep_port_conditions(node: &mut NodeState, old: Option<&NodeState>) {
    let of_port = |c: &&Condition| matches!(c.kind, ConditionKind::PortReady | ConditionKind::Attached);
    for known in old.into_iter().flat_map(|o| &o.conditions).filter(of_port) {
        node.conditions.retain(|c| c.kind != known.kind);
        node.conditions.push(known.clone());
    }
    node.conditions.sort_by_key(|c| c.kind);
}

fn take_over(node: &mut NodeState, managed: &ManagedNode) {
    node.group = managed.group.to_string();
    node.roles.clone_from(&managed.roles);
    node.manager_says = match &managed.error {
        Some(error) => format!("{}: {error}", managed.status_text),
        None => managed.status_text.clone(),
    };
}

fn good_address(nic: Option<&NicFacts>, promised: Option<std::net::IpAddr>) -> Option<std::net::IpAddr> {
    promised.filter(|p| nic.is_some_and(|n| n.addresses.contains(p)))
}

type Said = (ConditionKind, ConditionStatus, &'static str, String);

fn vm_exists(vm: Option<&VmFacts>, node: &NodeState) -> Said {
    let kind = ConditionKind::VmExists;
    match (vm, &node.vm) {
        (Some(vm), _) => (kind, ConditionStatus::True, "Cloned", format!("The VM is {}.", vm.vm)),
        // `dated` adds since when.
        (None, Some(was)) => (kind, ConditionStatus::False, VM_GONE, format!("The VM {was} is gone")),
        (None, None) => (kind, ConditionStatus::False, "NotCloned", "There is no VM of this name yet.".into()),
    }
}

fn port_ready(nic: Option<&NicFacts>, port: Option<&Port>, old: Option<&NodeState>, same_card: bool) -> Said {
    let kind = ConditionKind::PortReady;
    let was_there =
        |c: &Condition| c.kind == kind && (c.status == ConditionStatus::True || c.reason == "PortGone") && same_card;
    let lost = old.is_some_and(|o| o.conditions.iter().any(was_there));
    match (nic, port) {
        (Some(NicFacts { mac: Some(mac), .. }), None) if lost => {
            (kind, ConditionStatus::False, "PortGone", format!("The port with MAC {mac} was removed by somebody."))
        }
        (_, Some(port)) => {
            (kind, ConditionStatus::True, "PortExists", format!("Port {} has MAC {}.", port.id, port.mac))
        }
        (Some(NicFacts { mac: Some(mac), .. }), None) => {
            (kind, ConditionStatus::False, "NoPort", format!("There is no port with MAC {mac} yet."))
        }
        _ => (kind, ConditionStatus::False, "NoCard", "The VM has no card on the network yet.".into()),
    }
}

fn attached(vm: Option<&VmFacts>, nic: Option<&NicFacts>, port: Option<&Port>, backend: NetworkBackend) -> Said {
    let kind = ConditionKind::Attached;
    let (Some(vm), Some(nic), Some(port)) = (vm, nic, port) else {
        return (kind, ConditionStatus::False, "NoPort", "There is nothing to attach yet.".into());
    };
    if backend == NetworkBackend::NsxV {
        return match port.vnic_index {
            Some(index) => (kind, ConditionStatus::True, "IndexSet", format!("NSX knows the card as index {index}.")),
            None => (kind, ConditionStatus::False, "IndexNotSet", "NSX does not know the card's index yet.".into()),
        };
    }
    if nic.external_id.as_deref() == Some(port.id.as_str()) {
        return (kind, ConditionStatus::True, "ExternalIdSet", format!("The card names port {}.", port.id));
    }
    if vm.power == Power::On {
        let message = "The VM was powered on before its card could name the port; it gets its lease, \
                       but security groups do not apply until it is powered off once.";
        return (kind, ConditionStatus::False, POWERED_ON_BEFORE, message.into());
    }
    (kind, ConditionStatus::False, "ExternalIdNotSet", "The card does not name its port yet.".into())
}

fn addressed(node: &NodeState, nic: Option<&NicFacts>) -> Said {
    let kind = ConditionKind::Addressed;
    match (node.stage, node.promised, nic.and_then(|n| n.addresses.first())) {
        (Stage::Addressed, Some(ip), _) => (kind, ConditionStatus::True, "AsPromised", format!("The guest has {ip}.")),
        (_, Some(ip), Some(other)) => {
            (kind, ConditionStatus::False, "OtherAddress", format!("The guest has {other}; its port promises {ip}."))
        }
        (_, None, Some(other)) => {
            (kind, ConditionStatus::False, "NoPort", format!("The guest has {other}, and no port promises it."))
        }
        (Stage::NoAddress, Some(ip), None) => (
            kind,
            ConditionStatus::False,
            "NoLease",
            format!("The guest is up without an address; its port promises {ip}."),
        ),
        _ => (kind, ConditionStatus::False, "NotYet", "The guest has not reported an address.".into()),
    }
}

/// A condition keeps its date as long as its status does not change.
fn dated((kind, status, reason, message): Said, old: Option<&NodeState>, now: Timestamp) -> Condition {
    let same = |c: &&Condition| c.kind == kind && c.status == status && (c.reason == VM_GONE) == (reason == VM_GONE);
    let since = old.and_then(|n| n.conditions.iter().find(same)).map_or(now, |c| c.since);
    let message = match reason {
        VM_GONE => format!("{message} since {}.", since.strftime("%Y-%m-%d %H:%M UTC")),
        _ => message,
    };
    Condition { kind, status, reason: reason.to_owned(), message, since }
}

fn tell(sight: &Sight<'_>, name: &NodeName, old: Option<&NodeState>, new: &NodeState, events: &mut Vec<Event>) {
    // In a delete of ours, nodes go because they shall.
    let loss = if sight.record.shape.goal == Goal::Deleted { Level::Info } else { Level::Warning };
    let mut say = |level, reason: &str, message: String| {
        events.push(Event { at: sight.now, level, reason: reason.to_owned(), node: Some(name.clone()), message });
    };
    if new.mac.is_some() && old.and_then(|o| o.mac) != new.mac {
        let mac = new.mac.map(|m| m.to_string()).unwrap_or_default();
        let vm = new.vm.as_ref().map(ToString::to_string).unwrap_or_default();
        say(Level::Info, "mac_known", format!("{name}: {vm} has the MAC {mac}."));
    }
    if new.port.is_some() && old.and_then(|o| o.port.clone()) != new.port {
        let port = new.port.as_ref().map(ToString::to_string).unwrap_or_default();
        let promised = new.promised.map(|ip| format!(" with address {ip}")).unwrap_or_default();
        say(Level::Info, "port_ready", format!("{name}: port {port}{promised}."));
    }
    let is_gone = |n: &NodeState| n.conditions.iter().any(|c| c.reason == VM_GONE);
    if is_gone(new) && !old.is_some_and(is_gone) {
        let vm = new.vm.as_ref().map(ToString::to_string).unwrap_or_default();
        say(loss, "vm_gone", format!("{name}: the VM {vm} is gone."));
    }
    let was = old.map_or(Stage::Planned, |o| o.stage);
    if was != new.stage {
        let back = new.stage < was;
        let level = if back && new.stage != Stage::Cloned { loss } else { Level::Info };
        let address = match (new.stage, new.address) {
            (Stage::Addressed, Some(ip)) => format!(" {ip}"),
            _ => String::new(),
        };
        say(level, "stage_changed", format!("{name}: {was} -> {}{address}.", new.stage));
    }
}

/// How far along, for people: the mean over the nodes, and only ever forward in one operation.
fn progress(state: &ClusterState) -> f64 {
    let Some(operation) = &state.operation else {
        return 0.0;
    };
    if operation.state == OperationState::Succeeded {
        return 1.0;
    }
    let of_stage = |s: Stage| match s {
        Stage::Planned => 0.0,
        Stage::Cloned => 0.3,
        Stage::Booting => 0.6,
        Stage::NoAddress => 0.7,
        Stage::Addressed => 1.0,
    };
    let count = state.nodes.len().max(1) as f64;
    let up = state.nodes.values().map(|n| of_stage(n.stage)).sum::<f64>() / count;
    let now = match operation.kind {
        OperationKind::Create | OperationKind::Start => 0.05 + up * 0.9,
        OperationKind::Stop | OperationKind::Delete => 0.05 + (1.0 - up) * 0.9,
    };
    now.max(state.progress)
}

#[cfg(test)]
#[path = "observe_tests.rs"]
mod tests;
