//! The reason for a cluster's status: the progress, and what blocks it. Pure.
//!
//! A failure of the newest operation comes first, except if the cluster is gone.

use howdah_api::Stages;
use howdah_core::condition::{ClusterConditionKind, Condition, ConditionStatus};
use howdah_core::intent::{Phase, Verb};
use howdah_core::known::{ClusterState, ClusterStatus, OperationState};
use howdah_core::observe::GROUPS_NOT_APPLIED;
use howdah_core::stage::Stage;
use howdah_core::wanted::{ClusterRecord, OperationKind};

use super::taken_up;

/// How many nodes the sentence names.
const NAMED: usize = 2;

/// The sentence, without a full stop: callers embed it in others.
pub(super) fn of(
    record: &ClusterRecord,
    state: &ClusterState,
    status: ClusterStatus,
    stages: &Stages,
    node_count: usize,
) -> String {
    let progress = taken_up(record, state);
    if status == ClusterStatus::Gone {
        return gone(state);
    }
    if let Some(failure) = progress.and_then(|p| p.failure.as_ref()) {
        return failure.message.clone();
    }
    let addressed = match node_count {
        0 => "the nodes are not known yet".to_owned(),
        all => format!("{} of {all} nodes have their address", stages.addressed),
    };
    let counted = |nodes: usize, word: &str| match node_count {
        0 => String::new(),
        all => format!("; {nodes} of {all} nodes {word}"),
    };
    let base = match status {
        ClusterStatus::Pending => "accepted; the service has not started on it".to_owned(),
        ClusterStatus::Creating => format!("being created; {addressed}"),
        ClusterStatus::Running => format!("running; {addressed}"),
        ClusterStatus::Stopping => format!("being stopped{}", counted(stages.cloned, "off")),
        ClusterStatus::Stopped => "stopped".to_owned(),
        ClusterStatus::Starting => format!("being started; {addressed}"),
        ClusterStatus::Deleting => {
            format!("being deleted{}", counted(node_count.saturating_sub(stages.existing()), "removed"))
        }
        ClusterStatus::Degraded => format!("degraded; {addressed}"),
        ClusterStatus::Gone | ClusterStatus::Error => "the last operation failed".to_owned(),
    };
    let mut sentences = vec![base];
    if progress.is_some_and(|p| p.state == OperationState::Running) {
        sentences.extend(waiting(state, progress.map(|p| p.kind)));
    }
    sentences.extend(in_the_way(state));
    sentences.extend(without_groups(state));
    if status == ClusterStatus::Degraded {
        sentences.extend(manager(state));
        sentences.extend(nodes(state));
    }
    sentences.iter().map(|s| s.trim_end_matches('.')).collect::<Vec<_>>().join(". ")
}

fn gone(state: &ClusterState) -> String {
    let owned = state.conditions.iter().find(|c| c.kind == ClusterConditionKind::Owned);
    let says = owned.filter(|c| c.status == ConditionStatus::False).map(|c| c.message.trim_end_matches('.'));
    says.unwrap_or("the cluster is gone from BDE").to_owned()
}

/// A request whose answer was lost may still take effect; until it settles, the service draws no conclusion.
fn waiting(state: &ClusterState, kind: Option<OperationKind>) -> Option<String> {
    let lost = |verb: &Verb| state.journal.get(*verb).is_some_and(|call| call.phase == Phase::Unknown);
    let ports = kind == Some(OperationKind::Delete) && lost(&Verb::Ports);
    (ports || Verb::MANAGER.iter().any(lost))
        .then(|| "Waiting for a call whose answer was lost: it may still take effect".to_owned())
}

/// The conditions that are false.
fn in_the_way(state: &ClusterState) -> impl Iterator<Item = String> {
    state.conditions.iter().filter(|c| c.status == ConditionStatus::False).map(|c| c.message.clone())
}

/// Nodes that are up although NSX has not attached their cards.
fn without_groups(state: &ClusterState) -> Option<String> {
    let open = |c: &Condition| c.reason == GROUPS_NOT_APPLIED && c.status == ConditionStatus::False;
    let up = state.nodes.values().filter(|n| n.stage == Stage::Addressed);
    let count = up.filter(|n| n.conditions.iter().any(open)).count();
    let all = state.nodes.len();
    (count > 0).then(|| format!("{GROUPS_NOT_APPLIED}: the security groups of {count} of {all} nodes do not apply"))
}

/// The status that the cluster manager shows while it is idle.
fn manager(state: &ClusterState) -> Option<String> {
    let ready = state.conditions.iter().find(|c| c.kind == ClusterConditionKind::BdeReady);
    ready.filter(|c| c.status == ConditionStatus::True).map(|c| c.message.clone())
}

/// The first unhealthy nodes, with the reason.
fn nodes(state: &ClusterState) -> Option<String> {
    let ill: Vec<_> = state
        .nodes
        .iter()
        .filter_map(|(name, node)| {
            let first = node.conditions.iter().find(|c| c.status == ConditionStatus::False);
            match first {
                Some(c) => Some(format!("{name}: {}", c.message.trim_end_matches('.'))),
                None => (node.stage != Stage::Addressed).then(|| format!("{name}: {}", node.stage)),
            }
        })
        .collect();
    let more = ill.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    (!ill.is_empty()).then(|| format!("{}{more}", ill.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ")))
}
