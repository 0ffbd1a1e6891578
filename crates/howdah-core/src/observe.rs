//! From seen facts to known state: node states, progress, and the events that report a change.
//!
//! Invariant: a second call with the same facts changes nothing and reports nothing. It decides nothing,
//! and its input contains only our VMs. [`crate::health`] covers the cluster as a whole.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;

use crate::condition::{Condition, ConditionKind, ConditionStatus};
use crate::event::{Event, Level};
use crate::history::Sighting;
use crate::ids::{Mac, NodeName, SegmentKey};
use crate::known::{ClusterState, NodeState, Nodes, OperationState, OwnPort};
use crate::mark::{Mark, MarkKey};
use crate::own::{self, Pass};
use crate::policy::NetworkBackend;
use crate::seen::{Seen, VmsByNode, nic_on, vms_by_node};
use crate::stage::{Stage, stage};
use crate::systems::manager::{ManagedCluster, ManagedNode, ManagedStatus};
use crate::systems::networking::Port;
use crate::systems::vcenter::{NicFacts, VmFacts, Vms};
use crate::time::Stamp;
use crate::wanted::{ClusterRecord, Goal, OperationKind};

/// The reason of a card that NSX has not attached to its port.
pub const GROUPS_NOT_APPLIED: &str = "GroupsNotApplied";

/// The reason of a VM that no longer exists.
pub const VM_GONE: &str = "Gone";

/// The input of an observation.
pub struct Sight<'a> {
    /// The round, for recognising our ports.
    pub pass: Pass,
    /// The wanted state.
    pub record: &'a ClusterRecord,
    /// The seen facts.
    pub seen: &'a Seen,
    /// Our VMs in the cluster's folder; none if the cluster is not ours.
    pub vms: &'a Vms,
    /// The cluster in the cluster manager, if it is ours.
    pub cluster: Option<&'a ManagedCluster>,
    /// The key of this installation's marks.
    pub marks: &'a MarkKey,
    /// The kind of network.
    pub backend: NetworkBackend,
    /// Now, as wall time.
    pub now: Timestamp,
}

/// The facts from which each node was computed last. A node with unchanged facts is not computed again: of a
/// thousand nodes, few change from one pass to the next. A memo can be dropped at any time.
#[derive(Debug, Clone, Default)]
pub struct Memo(HashMap<NodeName, (u64, Arc<NodeState>)>);

impl Memo {
    /// Whether this very node was computed from these facts.
    fn holds(&self, name: &NodeName, facts: u64, node: &Arc<NodeState>) -> bool {
        self.0.get(name).is_some_and(|(known, computed)| *known == facts && Arc::ptr_eq(computed, node))
    }
}

/// Updates the nodes and the ledger of ports from the seen facts and returns the changes.
pub fn observe(sight: &Sight<'_>, state: &mut ClusterState, memo: &mut Memo) -> Vec<Event> {
    let mut events = Vec::new();
    keep_ledger(sight, state);
    let before = std::mem::take(&mut state.nodes);
    let segment = state.segment.as_ref().map(|s| s.key.clone());
    let found = Found::new(sight, state, &before, segment.as_ref());
    for name in node_names(sight, &found.vms, &before) {
        let old = before.get(&name);
        let facts = found.of(&name, old);
        let digest = facts.digest();
        if let Some(same) = old.filter(|node| memo.holds(&name, digest, node)) {
            state.nodes.insert(name, Arc::clone(same));
            continue;
        }
        let node = one(sight, &facts, &name, old.map(Arc::as_ref));
        tell(sight, &name, old.map(Arc::as_ref), &node, &mut events);
        let node = old.filter(|old| ***old == node).map_or_else(|| Arc::new(node), Arc::clone);
        memo.0.insert(name.clone(), (digest, Arc::clone(&node)));
        state.nodes.insert(name, node);
    }
    if let Some(cluster) = sight.cluster {
        state.manager_status = Some(cluster.status);
    }
    state.progress = progress(state);
    events
}

/// Indices over the seen facts, built once for all nodes.
struct Found<'a> {
    vms: VmsByNode<'a>,
    managed: BTreeMap<&'a NodeName, &'a ManagedNode>,
    /// Ports of ours.
    ports: BTreeMap<Mac, &'a Port>,
    segment: Option<&'a SegmentKey>,
    /// What holds for all nodes.
    common: Common,
}

/// What a node is made from beside its own facts.
#[derive(Clone, Copy, Hash)]
struct Common {
    vms_synced: bool,
    ports_listed: bool,
    /// The manager is making the cluster.
    provisioning: bool,
    /// The network asks for more than a port.
    asks_attachment: bool,
    backend: NetworkBackend,
}

/// What a node is made from: the same facts make the same node again.
#[derive(Clone, Copy, Hash)]
struct Facts<'a> {
    vm: Option<&'a VmFacts>,
    /// The card on our network.
    nic: Option<&'a NicFacts>,
    port: Option<&'a Port>,
    managed: Option<&'a ManagedNode>,
    common: Common,
}

impl<'a> Found<'a> {
    fn new(sight: &Sight<'a>, state: &ClusterState, before: &Nodes, segment: Option<&'a SegmentKey>) -> Self {
        let mut ports = BTreeMap::new();
        for port in sight.seen.ports.present().filter(|p| state.ports.contains_key(&p.id)) {
            ports.entry(port.mac).or_insert(port);
        }
        let asks_attachment = match sight.backend {
            NetworkBackend::NsxV => sight.seen.features.is_some_and(|f| f.vnic_index),
            NetworkBackend::NsxT => true,
            NetworkBackend::Ml2 => false,
        };
        let common = Common {
            vms_synced: sight.seen.vms_synced,
            ports_listed: sight.seen.ports.whole_after(Stamp::START).is_some(),
            provisioning: sight.cluster.is_some_and(|c| c.status == ManagedStatus::Provisioning),
            asks_attachment,
            backend: sight.backend,
        };
        Self {
            vms: vms_by_node(sight.vms, before, sight.cluster),
            managed: sight.cluster.into_iter().flat_map(|c| &c.nodes).map(|n| (&n.name, n)).collect(),
            ports,
            segment,
            common,
        }
    }

    /// The facts of one node.
    fn of(&self, name: &NodeName, old: Option<&Arc<NodeState>>) -> Facts<'a> {
        let vm = self.vms.get(name).copied();
        let nic = vm.zip(self.segment).and_then(|(vm, segment)| nic_on(vm, segment));
        let planned = old.and_then(|o| o.plan).map(|plan| plan.mac);
        let port = nic.and_then(|n| n.mac).or(planned).and_then(|mac| self.ports.get(&mac).copied());
        Facts { vm, nic, port, managed: self.managed.get(name).copied(), common: self.common }
    }
}

impl Facts<'_> {
    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// All nodes: those that the manager has planned and those whose VM exists. While the manager shows no
/// cluster of ours, and during a delete, also the nodes known before: the progress of a delete counts them.
fn node_names(sight: &Sight<'_>, vms: &VmsByNode<'_>, before: &Nodes) -> Vec<NodeName> {
    let mut names: Vec<_> = vms.keys().cloned().collect();
    match sight.cluster {
        Some(cluster) if sight.record.shape.goal != Goal::Deleted => {
            names.extend(cluster.nodes.iter().map(|n| n.name.clone()));
            names.extend(before.iter().filter(|(_, node)| node.plan.is_some()).map(|(name, _)| name.clone()));
        }
        _ => names.extend(before.keys().cloned()),
    }
    names.sort();
    names.dedup();
    names
}

/// Every port of ours is in the ledger from its first sight until a complete list lacks it. A lost ledger
/// is rebuilt from the first complete list.
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

fn one(sight: &Sight<'_>, facts: &Facts<'_>, name: &NodeName, old: Option<&NodeState>) -> NodeState {
    let Facts { vm, nic, port, managed, common } = *facts;
    let mut node = old.cloned().unwrap_or_else(|| NodeState::planned(sight.record, name));
    let planned = node.plan.map(|plan| plan.mac);
    if let Some(managed) = managed {
        take_over(&mut node, managed);
    }
    // Facts that are not visible at the moment stay: a watch that restarts must not look like lost VMs.
    if vm.is_none() && !common.vms_synced {
        return node;
    }
    let made_anew = managed.is_some_and(|n| n.vm.is_none()) && common.provisioning;
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
    let listed = common.ports_listed || port.is_some();
    if listed {
        node.port = port.map(|p| p.id.clone());
        // The address of the card's port is remembered: a replacement port requests the same.
        node.promised = port.and_then(|p| p.fixed_ips.first()).map(|ip| ip.address).or(node.promised);
    }
    node.stage = stage(vm, nic, node.promised);
    node.address = good_address(nic, node.promised).or_else(|| nic.and_then(|n| n.addresses.first().copied()));
    let mut conditions = vec![vm_exists(vm, &node), port_ready(nic, port, old, same_card)];
    if common.asks_attachment {
        conditions.push(attached(nic, port, common.backend));
    }
    conditions.extend(port.filter(|_| common.backend == NetworkBackend::Ml2).and_then(bound));
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

/// Until the ports are listed, the known facts about the node's port stay: a missing look is not a loss.
fn keep_port_conditions(node: &mut NodeState, old: Option<&NodeState>) {
    let of_port =
        |c: &&Condition| matches!(c.kind, ConditionKind::PortReady | ConditionKind::Attached | ConditionKind::Bound);
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
        // `dated` adds the date.
        (None, Some(was)) => (kind, ConditionStatus::False, VM_GONE, format!("The VM {was} is gone")),
        (None, None) => (kind, ConditionStatus::False, "NotCloned", "The VM does not exist yet.".into()),
    }
}

fn port_ready(nic: Option<&NicFacts>, port: Option<&Port>, old: Option<&NodeState>, same_card: bool) -> Said {
    let kind = ConditionKind::PortReady;
    let was_there =
        |c: &Condition| c.kind == kind && (c.status == ConditionStatus::True || c.reason == "PortGone") && same_card;
    let lost = old.is_some_and(|o| o.conditions.iter().any(was_there));
    match (nic, port) {
        (Some(NicFacts { mac: Some(mac), .. }), None) if lost => {
            (kind, ConditionStatus::False, "PortGone", format!("The port with MAC {mac} was deleted, not by Howdah."))
        }
        (_, Some(port)) => {
            (kind, ConditionStatus::True, "PortExists", format!("Port {} has MAC {}.", port.id, port.mac))
        }
        (Some(NicFacts { mac: Some(mac), .. }), None) => {
            (kind, ConditionStatus::False, "NoPort", format!("The port with MAC {mac} does not exist yet."))
        }
        _ => (kind, ConditionStatus::False, "NoCard", "The VM has no card on the network yet.".into()),
    }
}

fn attached(nic: Option<&NicFacts>, port: Option<&Port>, backend: NetworkBackend) -> Said {
    let kind = ConditionKind::Attached;
    let (Some(nic), Some(port)) = (nic, port) else {
        return (kind, ConditionStatus::False, "NoPort", "No card or port to attach yet.".into());
    };
    if backend == NetworkBackend::NsxV {
        return match port.vnic_index {
            Some(index) => (kind, ConditionStatus::True, "IndexSet", format!("NSX knows the card as index {index}.")),
            None => {
                let message = "The port's security groups do not apply: NSX does not know the card's index yet.";
                (kind, ConditionStatus::False, GROUPS_NOT_APPLIED, message.into())
            }
        };
    }
    if nic.external_id.as_deref() == Some(port.id.as_str()) {
        return (kind, ConditionStatus::True, "ExternalIdSet", format!("The card is attached to port {}.", port.id));
    }
    let message = format!(
        "The security groups of port {} do not apply: the card is not attached to it. Howdah attaches it when BDE is \
         done with the VM.",
        port.id
    );
    (kind, ConditionStatus::False, GROUPS_NOT_APPLIED, message)
}

/// A plain network needs no binding: without a host, nothing is said. (Neutron's ML2 `PortBinding`: `unbound` without
/// a host, `binding_failed` if no driver takes it.)
fn bound(port: &Port) -> Option<Said> {
    let kind = ConditionKind::Bound;
    let binding = port.binding.as_ref().filter(|b| !b.host.is_empty())?;
    let host = &binding.host;
    Some(match binding.vif_type.as_str() {
        "binding_failed" => {
            let message =
                format!("No driver of Neutron binds the port to the host {host}: no DHCP agent may serve the port.");
            (kind, ConditionStatus::False, "BindingFailed", message)
        }
        "unbound" => {
            (kind, ConditionStatus::False, "Unbound", format!("Neutron has not bound the port to the host {host} yet."))
        }
        _ => (kind, ConditionStatus::True, "Bound", format!("The port is bound to the host {host}.")),
    })
}

fn addressed(node: &NodeState, nic: Option<&NicFacts>) -> Said {
    let kind = ConditionKind::Addressed;
    match (node.stage, node.promised, nic.and_then(|n| n.addresses.first())) {
        (Stage::Addressed, Some(ip), _) => {
            (kind, ConditionStatus::True, "AsPromised", format!("The guest has the address {ip}."))
        }
        (_, Some(ip), Some(other)) => (
            kind,
            ConditionStatus::False,
            "OtherAddress",
            format!("The guest has the address {other}, but its port has {ip}."),
        ),
        (_, None, Some(other)) => {
            (kind, ConditionStatus::False, "NoPort", format!("The guest has the address {other}, but no port has it."))
        }
        (Stage::NoAddress, Some(ip), None) => {
            (kind, ConditionStatus::False, "NoLease", format!("The guest is up without an address; its port has {ip}."))
        }
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
    // A delete removes VMs and a stop shuts guests down: both are expected.
    let goal = sight.record.shape.goal;
    let loss = if goal == Goal::Deleted { Level::Info } else { Level::Warning };
    let shutdown = if goal == Goal::Running { Level::Warning } else { Level::Info };
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
        let level = match new.stage {
            Stage::Planned if back => loss,
            Stage::Booting | Stage::NoAddress if back => shutdown,
            _ => Level::Info,
        };
        let address = match (new.stage, new.address) {
            (Stage::Addressed, Some(ip)) => format!(" {ip}"),
            _ => String::new(),
        };
        say(level, "stage_changed", format!("{name}: {was} -> {}{address}.", new.stage));
    }
}

/// The progress of the operation: the mean over the nodes. It never decreases within one operation.
fn progress(state: &ClusterState) -> f64 {
    let Some(operation) = &state.operation else {
        return 0.0;
    };
    if operation.state == OperationState::Succeeded {
        return 1.0;
    }
    let done = |stage: Stage| match (operation.kind, stage) {
        (OperationKind::Create | OperationKind::Start, Stage::Planned) => 0.0,
        (OperationKind::Create | OperationKind::Start, Stage::Cloned) => 0.3,
        (OperationKind::Create | OperationKind::Start, Stage::Booting) => 0.6,
        (OperationKind::Create | OperationKind::Start, Stage::NoAddress) => 0.7,
        (OperationKind::Create | OperationKind::Start, Stage::Addressed) => 1.0,
        (OperationKind::Stop, Stage::Planned | Stage::Cloned) => 1.0,
        (OperationKind::Delete, Stage::Planned) => 1.0,
        (OperationKind::Delete, Stage::Cloned) => 0.5,
        (OperationKind::Stop | OperationKind::Delete, _) => 0.0,
    };
    let nodes = state.nodes.len().max(1) as f64;
    let mean = state.nodes.values().map(|n| done(n.stage)).sum::<f64>() / nodes;
    (0.05 + mean * 0.9).max(state.progress)
}

#[cfg(test)]
#[path = "observe_tests.rs"]
mod tests;
