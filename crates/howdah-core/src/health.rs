//! The health of the cluster as a whole: its conditions, and its status in one word.
//!
//! Invariant: the status shows the actual state, not how the last operation ended: a cluster that was
//! stopped by hand is `stopped`, a cluster that was deleted by hand is `gone`. A trouble is a condition
//! with a date; an event reports its start and end, never each failing call.

use std::time::Duration;

use jiff::Timestamp;

use crate::action::Key;
use crate::condition::{ClusterCondition, ClusterConditionKind as Kind, ConditionKind, ConditionStatus};
use crate::event::{Event, Level};
use crate::failure::{ErrorKind, System};
use crate::known::{ClusterState, ClusterStatus, OperationState};
use crate::own::Ownership;
use crate::seen::Seen;
use crate::segment;
use crate::site::turns::{self, Place};
use crate::stage::Stage;
use crate::systems::manager::{ManagedCluster, ManagedStatus, ManagedTask, TaskState};
use crate::time::{Mono, Stamp};
use crate::trouble::{Trouble, Troubles};
use crate::wanted::{Goal, OperationKind};

/// How often a call must fail in a row before its system counts as unreachable: a single lost packet
/// does not matter.
pub const FAILURES_THAT_COUNT: u32 = 2;

/// How long the watch must be down before it is reported: usually it reopens within a moment.
pub const WATCH_NEWS: Duration = Duration::from_secs(5);

/// The code of the error that says that a cluster's secrets cannot be read.
pub const SECRETS_UNREADABLE: &str = "secrets_unreadable";

/// The reason of the condition of a cluster that waits for its turn at the cluster manager.
pub const WAITING_FOR_TURN: &str = "WaitingForTurn";

/// The input of the conditions.
pub struct Signs<'a> {
    /// Who owns the place.
    pub own: &'a Ownership,
    /// What was seen.
    pub seen: &'a Seen,
    /// What fails.
    pub troubles: &'a Troubles,
    /// A card whose port cannot be created or kept, if there is one: code and message.
    pub port: Option<(String, String)>,
    /// The place in the site's queue, if the cluster waits for its turn at the cluster manager.
    pub place: Option<Place>,
    /// For how long the cluster manager has shown a busy status without a running task.
    pub stuck: Option<Duration>,
    /// The limit of that time.
    pub stuck_after: Duration,
    /// Now, as wall time.
    pub now: Timestamp,
    /// Now, on the monotonic clock.
    pub mono: Mono,
}

type Said = (Kind, ConditionStatus, String, String);

/// Updates the cluster's conditions and returns the changes.
pub fn conditions(signs: &Signs<'_>, state: &mut ClusterState) -> Vec<Event> {
    let mut said = vec![];
    said.extend(owned(signs, state));
    for system in [System::Bde, System::VCenter, System::Neutron] {
        said.extend(reachable(signs, system));
    }
    said.extend(bde_ready(signs, state));
    said.extend(ports_ready(signs));
    said.extend(secrets_readable(signs, state));
    let mut events = vec![];
    for (kind, status, reason, message) in said {
        let old = state.conditions.iter().find(|c| c.kind == kind);
        let changed = old.is_none_or(|c| c.status != status);
        if changed && (status == ConditionStatus::False || old.is_some_and(|c| c.status == ConditionStatus::False)) {
            let level = if status == ConditionStatus::False { Level::Warning } else { Level::Info };
            events.push(Event { at: signs.now, level, reason: reason.clone(), node: None, message: message.clone() });
        }
        let since = old.filter(|_| !changed).map_or(signs.now, |c| c.since);
        state.conditions.retain(|c| c.kind != kind);
        state.conditions.push(ClusterCondition { kind, status, reason, message, since });
    }
    state.conditions.sort_by_key(|c| c.kind);
    events
}

fn owned(signs: &Signs<'_>, state: &ClusterState) -> Option<Said> {
    let deleting = state.operation.as_ref().is_some_and(|o| o.kind == OperationKind::Delete);
    let (status, reason, message) = match signs.own {
        Ownership::Ours(_) => (ConditionStatus::True, "Ours", "BDE has this cluster.".to_owned()),
        Ownership::Vacant(_) => (ConditionStatus::Unknown, "NotCreated", "BDE has no cluster of this name.".to_owned()),
        Ownership::Pending => (
            ConditionStatus::Unknown,
            "Pending",
            "BDE may still create the cluster: the answer to the request was lost.".to_owned(),
        ),
        Ownership::Gone if deleting => {
            (ConditionStatus::Unknown, "Removed", "BDE no longer has a cluster of this name.".to_owned())
        }
        Ownership::Gone => {
            (ConditionStatus::False, "Gone", "The cluster was deleted in BDE, not by Howdah.".to_owned())
        }
        Ownership::Foreign(why) => (
            ConditionStatus::False,
            "Foreign",
            format!("BDE has a different cluster of this name: {why}. Howdah does not change it."),
        ),
        Ownership::Unknown => return None,
    };
    Some((Kind::Owned, status, reason.to_owned(), message))
}

/// Whether a failure concerns the system as such, and not a single request.
pub fn is_about_the_system(trouble: &Trouble) -> bool {
    match trouble.kind {
        ErrorKind::Unreachable | ErrorKind::NoAnswer | ErrorKind::Credentials | ErrorKind::Certificate => true,
        ErrorKind::Unavailable | ErrorKind::BadAnswer | ErrorKind::Internal => {
            !is_about_a_port(&trouble.key) && trouble.failure.code != segment::NOT_FOUND
        }
        _ => false,
    }
}

fn is_about_a_port(key: &Key) -> bool {
    matches!(key, Key::Mac(_) | Key::Port(_) | Key::Vm(_))
}

fn is_of(system: System, trouble: &Trouble) -> bool {
    // A call to Neutron needs a token from Keystone.
    let asked = if trouble.system == System::Keystone { System::Neutron } else { trouble.system };
    asked == system
}

fn reachable(signs: &Signs<'_>, system: System) -> Option<Said> {
    let kind = Kind::reachable(system);
    let calls = || signs.troubles.iter().filter(|(key, _)| **key != Key::Watch).map(|(_, t)| t);
    let failing = || calls().filter(|t| is_of(system, t) && is_about_the_system(t));
    if let Some(trouble) = failing().filter(|t| t.tries >= FAILURES_THAT_COUNT).min_by_key(|t| t.since) {
        let system = trouble.system.to_string();
        let says = trouble.says.strip_prefix(&format!("{system}: ")).unwrap_or(&trouble.says);
        let message = format!("{system} is failing: {says}.");
        return Some((kind, ConditionStatus::False, trouble.failure.code.clone(), message));
    }
    let watch = signs.troubles.get(&Key::Watch).filter(|t| is_of(system, t));
    if let Some(trouble) = watch.filter(|t| signs.mono.since(t.since) >= WATCH_NEWS) {
        let message = format!("Howdah cannot watch the cluster's VMs: {}.", trouble.says);
        return Some((kind, ConditionStatus::False, "watch_lost".to_owned(), message));
    }
    if failing().next().is_some() {
        return None; // neither a new failure nor a recovery
    }
    let heard = match system {
        System::Bde => signs.seen.cluster.last().is_some(),
        System::VCenter => signs.seen.vms_synced,
        _ => signs.seen.ports.whole_after(Stamp::START).is_some(),
    };
    heard.then(|| (kind, ConditionStatus::True, "Answers".to_owned(), format!("{system} answers.")))
}

fn bde_ready(signs: &Signs<'_>, state: &ClusterState) -> Option<Said> {
    if let Some(place) = signs.place {
        let message = format!("BDE creates one cluster at a time: this one {}.", turns::waits(place));
        return Some((Kind::BdeReady, ConditionStatus::False, WAITING_FOR_TURN.to_owned(), message));
    }
    let waited = state.conditions.iter().any(|c| c.kind == Kind::BdeReady && c.reason == WAITING_FOR_TURN);
    if waited {
        let message = "The cluster no longer waits for its turn.".to_owned();
        return Some((Kind::BdeReady, ConditionStatus::True, "TurnHasCome".to_owned(), message));
    }
    let cluster = signs.seen.cluster.last()?.as_ref().filter(|_| matches!(signs.own, Ownership::Ours(_)))?;
    let said = |status, reason: &str, message| Some((Kind::BdeReady, status, reason.to_owned(), message));
    if signs.stuck.is_some_and(|stuck| stuck >= signs.stuck_after) {
        let message = format!("BDE shows the status {}, but runs no task for the cluster.", cluster.status_text);
        return said(ConditionStatus::False, "Stuck", message);
    }
    match queue(signs.seen) {
        Some((position, of)) => {
            let message =
                format!("BDE creates one cluster at a time: this create is number {position} of {of} in its queue.");
            said(ConditionStatus::False, "Queued", message)
        }
        None => said(ConditionStatus::True, "Ready", format!("BDE shows the status {}.", cluster.status_text)),
    }
}

/// The place of our create in the cluster manager's queue, and the queue's length. The manager does not
/// report it: it clones for one create at a time in the order of the tasks, and a create that waits has
/// no VM yet.
pub fn queue(seen: &Seen) -> Option<(usize, usize)> {
    let cluster = seen.cluster.last()?.as_ref()?;
    if cluster.status != ManagedStatus::Provisioning || cluster.nodes.iter().any(|n| n.vm.is_some()) {
        return None;
    }
    let number = |task: &ManagedTask| task.id.as_str().parse::<u64>().ok();
    let ours = number(seen.task.last()?.as_ref()?)?;
    let running = seen.tasks.last()?.iter().filter(|t| t.state == TaskState::Running).filter_map(number);
    let running: Vec<_> = running.collect();
    let before = running.iter().filter(|n| **n < ours).count();
    (before > 0 && running.contains(&ours)).then_some((before + 1, running.len()))
}

fn ports_ready(signs: &Signs<'_>) -> Option<Said> {
    let said = |status, reason: String, message| Some((Kind::PortsReady, status, reason, message));
    let counts = |t: &Trouble| t.is_lasting() || t.tries >= FAILURES_THAT_COUNT;
    let refused = signs.troubles.iter().find(|(key, t)| is_about_a_port(key) && !is_about_the_system(t) && counts(t));
    if let Some((code, message)) = &signs.port {
        return said(ConditionStatus::False, code.clone(), message.clone());
    }
    if let Some((_, trouble)) = refused {
        let message = format!("Could not {}: {}.", trouble.purpose, trouble.says);
        return said(ConditionStatus::False, trouble.failure.code.clone(), message);
    }
    signs.seen.ports.whole_after(Stamp::START)?;
    said(ConditionStatus::True, "Kept".to_owned(), "Howdah can create and keep every port.".to_owned())
}

fn secrets_readable(signs: &Signs<'_>, state: &ClusterState) -> Option<Said> {
    let unreadable = signs.troubles.iter().map(|(_, t)| t).find(|t| t.failure.code == SECRETS_UNREADABLE);
    if let Some(trouble) = unreadable {
        let message = format!("{}. Howdah does not use other credentials instead.", trouble.says);
        return Some((Kind::SecretsReadable, ConditionStatus::False, SECRETS_UNREADABLE.to_owned(), message));
    }
    // Only reported after a failure: most clusters have no secrets.
    let was = state.conditions.iter().any(|c| c.kind == Kind::SecretsReadable);
    let again = || "The cluster's secrets are readable.".to_owned();
    was.then(|| (Kind::SecretsReadable, ConditionStatus::True, "Readable".to_owned(), again()))
}

/// The cluster's status.
pub fn status(goal: Goal, state: &ClusterState, own: &Ownership, seen: &Seen) -> ClusterStatus {
    let Some(operation) = &state.operation else {
        return ClusterStatus::Pending;
    };
    if operation.state == OperationState::Running {
        return match operation.kind {
            OperationKind::Create => ClusterStatus::Creating,
            OperationKind::Start => ClusterStatus::Starting,
            OperationKind::Stop => ClusterStatus::Stopping,
            OperationKind::Delete => ClusterStatus::Deleting,
        };
    }
    if operation.kind == OperationKind::Delete && operation.state == OperationState::Succeeded {
        return ClusterStatus::Deleting;
    }
    let there = match own {
        Ownership::Ours(_) => seen.cluster.last().and_then(Option::as_ref).map(|c| what_is_there(goal, state, c)),
        // After a refused create the cluster never existed.
        Ownership::Gone => Some(ClusterStatus::Gone),
        Ownership::Foreign(_) if state.identity.dissolved || !state.identity.vms.is_empty() => {
            Some(ClusterStatus::Gone)
        }
        Ownership::Foreign(_) | Ownership::Vacant(_) | Ownership::Pending | Ownership::Unknown => None,
    };
    match (operation.state, there) {
        (_, Some(ClusterStatus::Gone)) => ClusterStatus::Gone,
        (OperationState::Failed, _) => ClusterStatus::Error,
        (_, Some(there)) => there,
        // No look since the start of the process: keep the stored status.
        (_, None) => match state.status {
            ClusterStatus::Pending | ClusterStatus::Creating | ClusterStatus::Starting | ClusterStatus::Stopping => {
                match goal {
                    Goal::Running => ClusterStatus::Running,
                    Goal::Stopped => ClusterStatus::Stopped,
                    Goal::Deleted => ClusterStatus::Deleting,
                }
            }
            known => known,
        },
    }
}

fn what_is_there(goal: Goal, state: &ClusterState, cluster: &ManagedCluster) -> ClusterStatus {
    let whole = || {
        state.nodes.values().all(|n| {
            let bad = |kind| n.conditions.iter().any(|c| c.kind == kind && c.status == ConditionStatus::False);
            n.stage == Stage::Addressed && !bad(ConditionKind::VmExists) && !bad(ConditionKind::PortReady)
        })
    };
    match cluster.status {
        ManagedStatus::Stopped => ClusterStatus::Stopped,
        ManagedStatus::Stopping => ClusterStatus::Stopping,
        // A start is complete when the nodes have their addresses; the manager continues for a while.
        ManagedStatus::Starting if goal == Goal::Running && whole() => ClusterStatus::Running,
        ManagedStatus::Starting => ClusterStatus::Starting,
        ManagedStatus::Deleting => ClusterStatus::Deleting,
        ManagedStatus::ServiceWarning | ManagedStatus::ServiceStopped => ClusterStatus::Degraded,
        ManagedStatus::Error | ManagedStatus::ProvisionError => ClusterStatus::Degraded,
        // A create is complete while the manager still installs software.
        ManagedStatus::Running | ManagedStatus::Provisioning | ManagedStatus::Busy => {
            if goal == Goal::Stopped || whole() { ClusterStatus::Running } else { ClusterStatus::Degraded }
        }
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
