//! The messages of an operation's failures: the last observation, and what to do. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::action::Key;
use crate::condition::ConditionKind;
use crate::decide::View;
use crate::failure::{Failure, System};
use crate::health::{FAILURES_THAT_COUNT, WATCH_NEWS, is_about_the_system};
use crate::ids::NodeName;
use crate::known::{ClusterState, NodeState};
use crate::preflight;
use crate::stage::Stage;
use crate::systems::manager::ManagedCluster;
use crate::trouble::Trouble;
use crate::wanted::{ClusterRecord, Goal};

/// How many nodes a message names; it counts the others.
const NAMED: usize = 5;

/// The cluster no longer exists in BDE.
pub fn vanished(record: &ClusterRecord) -> Failure {
    Failure::new("cluster_vanished", format!("the cluster {} was deleted in BDE, not by Howdah", record.name))
        .hint("Delete this cluster, then create it again.")
}

/// A foreign cluster has our cluster's name.
pub fn foreign(record: &ClusterRecord, state: &ClusterState, who: &str) -> Failure {
    if state.identity.vms.is_empty() && !state.identity.dissolved {
        return preflight::name_taken(record);
    }
    Failure::new(
        "cluster_replaced",
        format!("BDE has a different cluster named {}: {who}; Howdah did not change it", record.name),
    )
    .hint("Delete this cluster in Howdah: that removes its ports and does not touch the other cluster.")
}

/// The create waited, and meanwhile the requester lost the right to it.
pub fn not_allowed_any_more(record: &ClusterRecord, why: &str) -> Failure {
    Failure::new(
        "requester_not_allowed_any_more",
        format!(
            "the requester of the cluster {} no longer has permission to create it: {why}; Howdah created nothing",
            record.name
        ),
    )
    .hint("A user with the role member in the project can repeat the request.")
}

/// A stop of a cluster that was never created.
pub fn nothing_to_stop(record: &ClusterRecord) -> Failure {
    Failure::new("nothing_to_stop", format!("BDE has no cluster named {} to stop", record.name))
        .hint("Start the cluster to create it, or delete it.")
}

/// The manager shows a busy status without a running task.
pub fn stuck(view: &View<'_>) -> Failure {
    let status = view.seen.cluster.last().and_then(Option::as_ref).map_or("unknown", |c| c.status_text.as_str());
    let message = format!("BDE shows the cluster {} in status {status}, but runs no task for it", view.record.name);
    explained(view, Failure::new("bde_stuck", message)).hint(
        "A restart of BDE during a task leaves a cluster in this status, and BDE then refuses every request for it. \
         Ask BDE's operator to correct the status in BDE's database, then repeat the request.",
    )
}

/// Without the watch Howdah cannot see whether nodes come up.
pub fn watch_lost(lost: Duration, why: &str) -> Failure {
    Failure::new("vcenter_watch_lost", format!("could not watch the cluster's VMs for {}: {why}", minutes(lost)))
        .hint("Repeat the request when vCenter answers again.")
}

/// The cluster manager failed.
pub fn manager_failed(view: &View<'_>, cluster: &ManagedCluster) -> Failure {
    let (record, state) = (view.record, view.state);
    let mut message = format!("BDE left the cluster {} in status {}", record.name, cluster.status_text);
    let task = view.seen.task.last().and_then(Option::as_ref);
    if let Some(error) = task.and_then(|t| t.error.as_deref()) {
        message.push_str(&format!(": {}", error.trim_end_matches('.')));
    }
    let failed: Vec<_> =
        cluster.nodes.iter().filter_map(|n| n.error.as_ref().map(|e| format!("{}: {e}", n.name))).collect();
    if !failed.is_empty() {
        message.push_str(&format!("; {}", named(&failed)));
    }
    let without = without_address(state);
    if !without.is_empty() {
        message.push_str(&format!(
            "; {} of {} nodes have no address: {}",
            without.len(),
            state.nodes.len(),
            named(&without)
        ));
    }
    let failed = cluster.nodes.iter().filter(|n| n.error.is_some()).map(|n| &n.name);
    let nodes: BTreeSet<_> = failed.chain(not_addressed(state).map(|(name, _)| name)).collect();
    explained(view, Failure::new("bde_failed", message))
        .about(nodes)
        .hint("Fix the problem that BDE reports, then repeat the request: Howdah resumes this cluster. Or delete the cluster.")
}

/// Nodes without ports get no address: the reason for the missing ports comes first.
pub fn because_of_ports(failure: Failure, port_error: Option<&str>) -> Failure {
    match port_error {
        Some(error) if !failure.message.contains(error) => {
            Failure { message: format!("could not create ports ({error}); then {}", failure.message), ..failure }
        }
        _ => failure,
    }
}

/// The manager has finished, but nodes lack their port's address.
pub fn no_address(view: &View<'_>, waited: Duration) -> Failure {
    let without = without_address(view.state);
    let message = format!(
        "{} of {} nodes do not have their port's address after {}: {}",
        without.len(),
        view.state.nodes.len(),
        minutes(waited),
        named(&without)
    );
    explained(view, Failure::new("nodes_without_address", message))
        .about(not_addressed(view.state).map(|(name, _)| name))
        .hint("Reset these VMs so that they request a lease again, then repeat the request.")
}

/// The operation exceeded its time limit.
pub fn out_of_time(view: &View<'_>, elapsed: Duration) -> Failure {
    let manager = match view.seen.cluster.last() {
        None => "BDE did not answer".to_owned(),
        Some(None) => "BDE has no such cluster".to_owned(),
        Some(Some(c)) => format!("BDE reports {}", c.status_text),
    };
    let counts: Vec<_> = Stage::ALL
        .iter()
        .map(|s| (s, view.state.nodes.values().filter(|n| n.stage == *s).count()))
        .filter(|(_, n)| *n > 0)
        .map(|(s, n)| format!("{n} {s}"))
        .collect();
    let nodes = if counts.is_empty() { "no nodes known".to_owned() } else { format!("nodes: {}", counts.join(", ")) };
    let task = match view.seen.task.last().and_then(Option::as_ref) {
        Some(t) => format!(", its task {} is at {:.0} %", t.id, t.progress * 100.0),
        None => String::new(),
    };
    let late = not_addressed(view.state).filter(|_| view.record.shape.goal == Goal::Running);
    let message = format!("not complete after {}: {manager}{task}; {nodes}", minutes(elapsed));
    explained(view, Failure::new("operation_too_long", message))
        .about(late.map(|(name, _)| name))
        .hint("BDE may be busy with another cluster. Repeat the request to continue waiting.")
}

/// A failure that shows in one system may come from another: every system that was failing at the time is named
/// first, beginning with the one on which most others depend.
fn explained(view: &View<'_>, failure: Failure) -> Failure {
    let counts = |key: &Key, t: &Trouble| match key {
        Key::Watch => view.now.since(t.since) >= WATCH_NEWS,
        _ => t.tries >= FAILURES_THAT_COUNT && is_about_the_system(t),
    };
    let mut failing: Vec<_> = view.troubles.iter().filter(|(key, t)| counts(key, t)).map(|(_, t)| t).collect();
    failing.sort_by_key(|t| (depended_on(t.system), t.since));
    failing.dedup_by_key(|t| t.system);
    if failing.is_empty() {
        return failure;
    }
    let says: Vec<_> = failing.iter().map(|t| t.says.as_str()).collect();
    Failure { message: format!("{}; at the same time, {}", says.join("; "), failure.message), ..failure }
}

/// Smaller for systems that others call: BDE works through vCenter, and Neutron asks Keystone.
const fn depended_on(system: System) -> u8 {
    match system {
        System::Store => 0,
        System::Keystone => 1,
        System::VCenter => 2,
        System::Neutron => 3,
        System::Bde => 4,
    }
}

/// The same call failed repeatedly. The message also names every other failing system, and all nodes for
/// which this call failed.
pub fn call_failed(view: &View<'_>, trouble: &Trouble, over: Duration) -> Failure {
    let all = view.troubles;
    let tries = trouble.tries;
    let again = if tries > 1 { format!(" ({tries} tries in {})", minutes(over)) } else { String::new() };
    let mut others: Vec<_> = all.iter().map(|(_, t)| t).filter(|t| t.system != trouble.system).collect();
    others.sort_by_key(|t| t.system);
    others.dedup_by_key(|t| t.system);
    let others: String = others.iter().map(|t| format!("; at the same time {}", t.says)).collect();
    let alike = |t: &Trouble| t.purpose == trouble.purpose && t.failure.code == trouble.failure.code;
    let keys: BTreeSet<_> = all.iter().filter(|(_, t)| alike(t)).map(|(key, _)| key).collect();
    Failure {
        message: format!("could not {}{again}: {}{others}", trouble.purpose, trouble.says),
        ..trouble.failure.clone()
    }
    .about(view.state.nodes.iter().filter(|(_, n)| node_keys(n).any(|key| keys.contains(&key))).map(|(name, _)| name))
}

/// What the calls for one node are known by.
fn node_keys(node: &NodeState) -> impl Iterator<Item = Key> {
    let mac = node.mac.map(Key::Mac);
    let port = node.port.clone().map(Key::Port);
    mac.into_iter().chain(port).chain(node.vm.clone().map(Key::Vm))
}

fn not_addressed(state: &ClusterState) -> impl Iterator<Item = (&NodeName, &NodeState)> {
    state.nodes.iter().map(|(name, n)| (name, n.as_ref())).filter(|(_, n)| n.stage != Stage::Addressed)
}

fn without_address(state: &ClusterState) -> Vec<String> {
    not_addressed(state)
        .map(|(name, n)| {
            let why = n.conditions.iter().find(|c| c.kind == ConditionKind::Addressed);
            let mac = n.mac.map(|m| format!(", MAC {m}")).unwrap_or_default();
            match why {
                Some(c) => format!("{name} ({}{mac}; {})", n.stage, c.message.trim_end_matches('.')),
                None => format!("{name} ({}{mac})", n.stage),
            }
        })
        .collect()
}

fn named(all: &[String]) -> String {
    let mut text = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    if all.len() > NAMED {
        text.push_str(&format!("; and {} more", all.len() - NAMED));
    }
    text
}

fn minutes(d: Duration) -> String {
    let s = d.as_secs();
    match s {
        0..=119 => format!("{s} s"),
        120..=7199 => format!("{} min", s / 60),
        _ => format!("{:.1} h", d.as_secs_f64() / 3600.0),
    }
}
