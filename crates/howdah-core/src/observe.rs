//! From what was seen to what is known: node states, conditions, progress, and the events that
//! tell of a change.
//!
//! Invariant: calling it twice with the same facts changes nothing the second time and tells of
//! nothing. It decides nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::cluster::{
    ClusterRecord, ClusterState, ClusterStatus, Condition, ConditionKind, ConditionStatus, Event, Level, NodeState,
    OperationKind, OperationState,
};
use crate::facts::{NicFacts, Port, Power, VmFacts};
use crate::ids::{NodeName, SegmentKey};
use crate::policy::NetworkBackend;
use crate::seen::{Seen, nic_on};
use crate::stage::{Stage, stage};

/// The reason of an attachment that came too late for NSX-T.
pub const POWERED_ON_BEFORE: &str = "PoweredOnBefore";

/// Brings `state` up to what was seen and returns what changed.
pub fn observe(
    record: &ClusterRecord,
    state: &mut ClusterState,
    seen: &Seen,
    backend: NetworkBackend,
    now: Timestamp,
) -> Vec<Event> {
    let mut events = Vec::new();
    let before = std::mem::take(&mut state.nodes);
    let segment = state.segment.as_ref().map(|s| s.key.clone());
    for name in node_names(record, seen, &before) {
        let old = before.get(&name);
        let node = one(record, &name, old, seen, segment.as_ref(), backend, now);
        tell(&name, old, &node, now, &mut events);
        state.nodes.insert(name, node);
    }
    if let Some(Some(cluster)) = &seen.manager {
        state.manager_status = Some(cluster.status);
    }
    state.progress = progress(state);
    events
}

/// All nodes: those the manager has planned and those whose VM is there. Until either has been
/// looked at, those known before.
fn node_names(record: &ClusterRecord, seen: &Seen, before: &BTreeMap<NodeName, NodeState>) -> Vec<NodeName> {
    let prefix = format!("{}-", record.name);
    let mut names: Vec<_> =
        seen.vms.values().filter_map(|vm| vm.name.clone()).filter(|n| n.as_str().starts_with(&prefix)).collect();
    match &seen.manager {
        Some(Some(cluster)) => names.extend(cluster.nodes.iter().map(|n| n.name.clone())),
        Some(None) => {}
        None => names.extend(before.keys().cloned()),
    }
    names.sort();
    names.dedup();
    names
}

fn one(
    record: &ClusterRecord,
    name: &NodeName,
    old: Option<&NodeState>,
    seen: &Seen,
    segment: Option<&SegmentKey>,
    backend: NetworkBackend,
    now: Timestamp,
) -> NodeState {
    let vm = seen.vm_of(name);
    let nic = vm.zip(segment).and_then(|(vm, segment)| nic_on(vm, segment));
    let port = nic.and_then(|n| n.mac).and_then(|mac| seen.port_of(&mac));
    let known = old.cloned();
    // What is not visible at the moment stays as it was known: a watch that is being set up
    // again must not look like VMs that vanish.
    let keep = vm.is_none() && !seen.vms_synced;
    let mut node = known.unwrap_or_else(|| fresh(record, name));
    if let Some(managed) = seen.manager.as_ref().and_then(|m| m.as_ref()?.nodes.iter().find(|n| n.name == *name)) {
        node.group = managed.group.to_string();
        node.roles.clone_from(&managed.roles);
        node.manager_says = match &managed.error {
            Some(error) => format!("{}: {error}", managed.status_text),
            None => managed.status_text.clone(),
        };
    }
    if keep {
        return node;
    }
    node.vm = vm.map(|vm| vm.vm.clone());
    node.instance_uuid = vm.and_then(|vm| vm.instance_uuid);
    node.mac = nic.and_then(|n| n.mac);
    if seen.ports.is_some() {
        node.port = port.map(|p| p.id.clone());
        node.promised = port.and_then(|p| p.fixed_ips.first()).map(|ip| ip.address);
    }
    node.stage = stage(vm, nic, node.promised);
    node.address = good_address(nic, node.promised).or_else(|| nic.and_then(|n| n.addresses.first().copied()));
    let asks_attachment = match backend {
        NetworkBackend::NsxV => seen.features.is_some_and(|f| f.vnic_index),
        NetworkBackend::NsxT => true,
        NetworkBackend::Ml2 => false,
    };
    let mut conditions = vec![vm_exists(vm), port_ready(nic, port)];
    if asks_attachment {
        conditions.push(attached(vm, nic, port, backend));
    }
    conditions.push(addressed(&node, nic));
    node.conditions = conditions.into_iter().map(|said| dated(said, old, now)).collect();
    node
}

fn fresh(record: &ClusterRecord, name: &NodeName) -> NodeState {
    let middle = name.as_str().strip_prefix(&format!("{}-", record.name)).unwrap_or(name.as_str());
    let group = middle.rsplit_once('-').map_or(middle, |(group, _)| group);
    NodeState {
        group: group.to_owned(),
        roles: vec![],
        vm: None,
        instance_uuid: None,
        mac: None,
        port: None,
        promised: None,
        address: None,
        stage: Stage::Planned,
        manager_says: String::new(),
        conditions: vec![],
    }
}

fn good_address(nic: Option<&NicFacts>, promised: Option<std::net::IpAddr>) -> Option<std::net::IpAddr> {
    promised.filter(|p| nic.is_some_and(|n| n.addresses.contains(p)))
}

type Said = (ConditionKind, ConditionStatus, &'static str, String);

fn vm_exists(vm: Option<&VmFacts>) -> Said {
    match vm {
        Some(vm) => (ConditionKind::VmExists, ConditionStatus::True, "Cloned", format!("The VM is {}.", vm.vm)),
        None => {
            (ConditionKind::VmExists, ConditionStatus::False, "NotCloned", "There is no VM of this name yet.".into())
        }
    }
}

fn port_ready(nic: Option<&NicFacts>, port: Option<&Port>) -> Said {
    let kind = ConditionKind::PortReady;
    match (nic, port) {
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
    let since =
        old.and_then(|n| n.conditions.iter().find(|c| c.kind == kind && c.status == status)).map_or(now, |c| c.since);
    Condition { kind, status, reason: reason.to_owned(), message, since }
}

fn tell(name: &NodeName, old: Option<&NodeState>, new: &NodeState, now: Timestamp, events: &mut Vec<Event>) {
    let mut say = |level, reason: &str, message: String| {
        events.push(Event { at: now, level, reason: reason.to_owned(), node: Some(name.clone()), message });
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
    let was = old.map_or(Stage::Planned, |o| o.stage);
    if was != new.stage {
        let back = new.stage < was;
        let level = if back && new.stage != Stage::Cloned { Level::Warning } else { Level::Info };
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

/// The cluster in one word.
pub fn status(state: &ClusterState) -> ClusterStatus {
    let Some(operation) = &state.operation else {
        return ClusterStatus::Pending;
    };
    match (operation.state, operation.kind) {
        (OperationState::Failed, _) => ClusterStatus::Error,
        (OperationState::Running, OperationKind::Create) => ClusterStatus::Creating,
        (OperationState::Running, OperationKind::Start) => ClusterStatus::Starting,
        (OperationState::Running, OperationKind::Stop) => ClusterStatus::Stopping,
        (OperationState::Running, OperationKind::Delete) | (OperationState::Succeeded, OperationKind::Delete) => {
            ClusterStatus::Deleting
        }
        (OperationState::Succeeded, OperationKind::Create | OperationKind::Start) => ClusterStatus::Running,
        (OperationState::Succeeded, OperationKind::Stop) => ClusterStatus::Stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{ManagedStatus, Tools};
    use crate::test_support::{at, good_port, managed, record, seen, segment, state, vm};

    fn known(seen: &Seen, state: &mut ClusterState, seconds: i64) -> Vec<String> {
        state.segment = Some(segment());
        let events = observe(&record(), state, seen, NetworkBackend::NsxV, at(seconds));
        events.into_iter().map(|e| e.message).collect()
    }

    #[test]
    fn a_node_is_told_once_from_plan_to_address() {
        let mut state = state();
        let mut now = seen(vec![], vec![]);
        now.manager = Some(Some(managed(ManagedStatus::Provisioning)));
        assert!(known(&now, &mut state, 0).is_empty());
        assert_eq!(state.nodes[&"c-worker-0".into()].stage, Stage::Planned);

        let mut now = seen(vec![vm()], vec![good_port()]);
        now.manager = Some(Some(managed(ManagedStatus::Provisioning)));
        let told = known(&now, &mut state, 1);
        assert_eq!(
            told,
            [
                "c-worker-0: vm-1 has the MAC 00:50:56:01:02:03.",
                "c-worker-0: port port-1 with address 10.0.0.5.",
                "c-worker-0: planned -> cloned.",
            ]
        );
        assert!(known(&now, &mut state, 2).is_empty(), "the same facts are told once");

        let mut up = vm();
        up.power = Power::On;
        up.tools = Tools::Running;
        up.nics[0].addresses = vec!["10.0.0.5".parse().unwrap()];
        let mut now = seen(vec![up], vec![good_port()]);
        now.manager = Some(Some(managed(ManagedStatus::Running)));
        assert_eq!(known(&now, &mut state, 9), ["c-worker-0: cloned -> addressed 10.0.0.5."]);
        let node = &state.nodes[&"c-worker-0".into()];
        let since: Vec<_> = node.conditions.iter().map(|c| (c.kind, c.status, c.since)).collect();
        assert_eq!(
            since,
            [
                (ConditionKind::VmExists, ConditionStatus::True, at(1)),
                (ConditionKind::PortReady, ConditionStatus::True, at(1)),
                (ConditionKind::Attached, ConditionStatus::False, at(0)),
                (ConditionKind::Addressed, ConditionStatus::True, at(9)),
            ]
        );
    }

    #[test]
    fn a_watch_that_starts_again_makes_nothing_vanish() {
        let mut state = state();
        known(&seen(vec![vm()], vec![good_port()]), &mut state, 0);
        let blind = Seen { vms_synced: false, vms: Default::default(), ..seen(vec![], vec![]) };
        assert!(known(&blind, &mut state, 1).is_empty());
        assert_eq!(state.nodes[&"c-worker-0".into()].stage, Stage::Cloned);
    }

    #[test]
    fn the_wrong_address_is_named() {
        let mut state = state();
        let mut up = vm();
        up.power = Power::On;
        up.tools = Tools::Running;
        up.nics[0].addresses = vec!["10.9.9.9".parse().unwrap()];
        known(&seen(vec![up], vec![good_port()]), &mut state, 0);
        let node = &state.nodes[&"c-worker-0".into()];
        assert_eq!(node.stage, Stage::NoAddress);
        assert_eq!(node.conditions[3].message, "The guest has 10.9.9.9; its port promises 10.0.0.5.");
    }
}
