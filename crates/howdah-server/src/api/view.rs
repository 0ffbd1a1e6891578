//! Converts a cluster's record and state to one document. Pure.
//!
//! Between the acceptance of an operation and its start in the controller, the state still describes the
//! previous operation. The document always describes the newest one: otherwise a client that retries a
//! failed create would immediately see that it has failed. [`reason`] has the reason for a status.
//!
//! Invariant: messages are printable, including the foreign text in them; names are unchanged.

mod reason;
mod words;

use std::collections::BTreeMap;

use howdah_api::{
    Boot, Cluster, ClusterCondition, ClusterSummary, Condition, Event, Named, Node, NodeHistory, Operation, Reason,
    Stages, SubnetView, UnreadableCluster,
};
use howdah_core::document;
use howdah_core::ids::NodeName;
use howdah_core::known::{ClusterState, ClusterStatus, NodeState, OperationProgress, OperationState};
use howdah_core::preflight::nodes_asked;
use howdah_core::stage::Stage;
use howdah_core::text::into_printable;
use howdah_core::wanted::{ClusterRecord, OperationKind};
use serde::Serialize;

/// The status of a cluster that cannot be read.
pub const UNREADABLE: &str = "unreadable";

/// The word for a value in a document.
pub fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The state of the record's operation, once the controller has started it.
pub fn taken_up<'a>(record: &ClusterRecord, state: &'a ClusterState) -> Option<&'a OperationProgress> {
    state.operation.as_ref().filter(|progress| progress.id == record.operation.id)
}

/// The newest operation.
pub fn operation(record: &ClusterRecord, state: &ClusterState) -> Operation {
    let progress = taken_up(record, state);
    Operation {
        id: record.operation.id.0,
        kind: words::kind(record.operation.kind),
        state: words::state(progress.map_or(OperationState::Running, |p| p.state)),
        requested: record.operation.requested,
        started: progress.map(|p| p.started),
        ended: progress.and_then(|p| p.ended),
        error: progress.and_then(|p| p.failure.as_ref()).map(|f| Reason {
            code: f.code.clone(),
            message: into_printable(&f.message),
            hint: f.hint.as_ref().map(into_printable),
            nodes: f.nodes.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// The short form.
pub fn summary(record: &ClusterRecord, state: &ClusterState) -> ClusterSummary {
    let spec = &record.spec;
    let stages = stages(state);
    let asked = nodes_asked(record).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let node_count = asked.max(state.nodes.len());
    let status =
        status(record.operation.kind, taken_up(record, state).is_some(), state.operation.is_none(), state.status);
    ClusterSummary {
        id: record.id.0,
        site: record.site.to_string(),
        project: record.project.to_string(),
        name: record.name.to_string(),
        cluster_type: spec.distro.clone(),
        wanted: words::wanted(record.shape.goal),
        status: word(status),
        status_reason: into_printable(reason::of(record, state, status, &stages, node_count)),
        progress: if taken_up(record, state).is_some() { state.progress } else { 0.0 },
        network: Named { id: spec.network.id.to_string(), name: spec.network.name.clone() },
        node_count,
        stages,
        operation: without_nodes(operation(record, state)),
        created: record.created,
    }
}

/// The size of the short form does not grow with the number of nodes.
fn without_nodes(mut operation: Operation) -> Operation {
    operation.error.iter_mut().for_each(|reason| reason.nodes.clear());
    operation
}

/// The long form.
pub fn cluster(record: &ClusterRecord, state: &ClusterState) -> Cluster {
    let (spec, short) = (&record.spec, summary(record, state));
    let mut nodes: Vec<_> = state.nodes.iter().map(|(name, node)| (name, node.as_ref())).collect();
    nodes.sort_by_key(|(name, node)| (node.group.clone(), name.index(), name.as_str().to_owned()));
    let mut addresses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, node) in &nodes {
        if let Some(address) = node.address {
            addresses.entry(node.group.clone()).or_default().push(address.to_string());
        }
    }
    Cluster {
        id: short.id,
        site: short.site,
        project: short.project,
        name: short.name,
        cluster_type: short.cluster_type,
        wanted: short.wanted,
        status: short.status,
        status_reason: short.status_reason,
        conditions: state
            .conditions
            .iter()
            .map(|c| ClusterCondition {
                kind: word(c.kind),
                status: words::truth(c.status),
                reason: c.reason.clone(),
                message: into_printable(&c.message),
                since: c.since,
            })
            .collect(),
        progress: short.progress,
        network: short.network,
        subnet: SubnetView {
            id: spec.subnet.id.to_string(),
            name: spec.subnet.name.clone(),
            cidr: spec.subnet.cidr.clone(),
        },
        security_groups: spec.security_groups.iter().map(ToString::to_string).collect(),
        node_count: short.node_count,
        stages: short.stages,
        operation: operation(record, state),
        master_address: master(&nodes),
        nodes: nodes.into_iter().map(|(name, node)| self::node(name, node)).collect(),
        addresses,
        created: short.created,
    }
}

/// A cluster that cannot be read.
pub fn unreadable(row: &document::Unreadable) -> UnreadableCluster {
    UnreadableCluster {
        id: row.key.id.0,
        site: row.site.to_string(),
        project: row.key.project.to_string(),
        name: row.name.clone(),
        status: UNREADABLE.to_owned(),
        status_reason: into_printable(&row.why),
    }
}

/// An event with its number.
pub fn event(number: u64, event: &howdah_core::event::Event) -> Event {
    Event {
        id: number,
        at: event.at,
        level: words::level(event.level),
        reason: event.reason.clone(),
        node: event.node.as_ref().map(ToString::to_string),
        message: into_printable(&event.message),
    }
}

/// The shown status, from the kind of the newest operation, whether the controller has started it, whether
/// it is the first one, and the known status.
pub const fn status(kind: OperationKind, taken_up: bool, first: bool, known: ClusterStatus) -> ClusterStatus {
    if taken_up {
        return known;
    }
    match kind {
        OperationKind::Create if first => ClusterStatus::Pending,
        OperationKind::Create => ClusterStatus::Creating,
        OperationKind::Start => ClusterStatus::Starting,
        OperationKind::Stop => ClusterStatus::Stopping,
        OperationKind::Delete => ClusterStatus::Deleting,
    }
}

fn stages(state: &ClusterState) -> Stages {
    let mut counts = Stages::default();
    for node in state.nodes.values() {
        *match node.stage {
            Stage::Planned => &mut counts.planned,
            Stage::Cloned => &mut counts.cloned,
            Stage::Booting => &mut counts.booting,
            Stage::NoAddress => &mut counts.no_address,
            Stage::Addressed => &mut counts.addressed,
        } += 1;
    }
    counts
}

/// The address for the cluster's clients: the first node whose group or role is a master in BDE's
/// distributions.
fn master(nodes: &[(&NodeName, &NodeState)]) -> Option<String> {
    const ENDS: [&str; 4] = ["master", "namenode", "resourcemanager", "jobtracker"];
    let is_master = |word: &str| {
        let word = word.to_ascii_lowercase();
        !word.contains("secondary") && ENDS.iter().any(|end| word.ends_with(end))
    };
    let by_group = nodes.iter().find(|(_, n)| n.group.eq_ignore_ascii_case("master"));
    let by_role = || nodes.iter().find(|(_, n)| is_master(&n.group) || n.roles.iter().any(|r| is_master(r)));
    by_group.or_else(by_role).and_then(|(_, n)| n.address).map(|a| a.to_string())
}

fn node(name: &NodeName, node: &NodeState) -> Node {
    Node {
        name: name.to_string(),
        group: node.group.clone(),
        roles: node.roles.clone(),
        stage: words::stage(node.stage),
        address: node.address.map(|a| a.to_string()),
        mac: node.mac.map(|m| m.to_string()),
        port_id: node.port.as_ref().map(ToString::to_string),
        vm_id: node.vm.as_ref().map(ToString::to_string),
        instance_uuid: node.instance_uuid,
        manager_says: into_printable(&node.manager_says),
        conditions: node
            .conditions
            .iter()
            .map(|c| Condition {
                kind: word(c.kind),
                status: words::truth(c.status),
                reason: c.reason.clone(),
                message: into_printable(&c.message),
                since: c.since,
            })
            .collect(),
        history: history(&node.history),
    }
}

fn history(history: &howdah_core::history::NodeHistory) -> NodeHistory {
    let boot = |b: &howdah_core::history::Boot| Boot { seen: b.seen, vcenter: b.vcenter, addressed: b.addressed };
    NodeHistory {
        incarnations: history.incarnations,
        vm_seen: history.vm_seen,
        port_ready: history.port_ready,
        boots: history.boots,
        recent_boots: history.recent_boots.iter().map(boot).collect(),
    }
}
