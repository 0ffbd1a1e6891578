//! The checks at the end of every run.
//!
//! [`clear`] removes all faults, deletes every cluster of a service, and reports the problems: an
//! operation that does not end, leftovers of the service, changed objects of others, a violated rule of
//! [`crate::invariants`].

use std::time::Duration;

use howdah_core::document::Row;
use howdah_core::ids::ClusterKey;
use howdah_core::known::OperationState;
use howdah_core::store::{Page, Store};
use howdah_core::wanted::{Goal, OperationKind};

use crate::invariants::Moment;
use crate::service::Service;

/// Longer than the longest deadline of an operation.
pub const FOR_EVER: Duration = Duration::from_secs(12 * 3600);

/// Longer than any fault delays an effect.
const LATE: Duration = Duration::from_secs(900);

/// How often a delete that BDE refused is requested again.
const TRIES: usize = 3;

/// Deletes everything; returns the problems.
pub async fn clear(service: &mut Service) -> Vec<String> {
    service.world().write(|s| s.faults.clear());
    service.store().revive();
    service.store().fail_writes(false);
    service.start().await;
    let rows = service.store().inner().list(None, Page::WHOLE).await.unwrap_or_default();
    let mut wrong = vec![];
    for row in &rows {
        if matches!(row, Row::Unreadable(_)) {
            wrong.push(format!("{} cannot be read", row.key()));
        }
    }
    let keys: Vec<_> = rows.iter().map(Row::key).collect();
    for _ in 0..TRIES {
        for key in &keys {
            wrong.extend(delete(service, key).await);
        }
        for key in &keys {
            if !service.ended(key, FOR_EVER).await {
                wrong.push(format!("the delete of {key} does not end: {}", last(service, key).await));
            }
        }
    }
    for key in &keys {
        if service.state(key).await.is_some() {
            wrong.push(format!("{key} is not deleted: {}", last(service, key).await));
        }
    }
    // A call that its client abandoned may still take effect.
    service.world().sleep(LATE).await;
    let left = service.world().service_part();
    if !left.is_empty() {
        wrong.push(format!("left: {left:?}"));
    }
    wrong.extend(service.world().trespasses().iter().map(|t| format!("touched by {}: {:?}", t.action, t.changes)));
    let texts = [service.store().text().await];
    let broken = service.world().invariants(Moment::Anytime, &texts);
    wrong.extend(broken.iter().map(|v| format!("{}: {}: {}", v.rule, v.subject, v.seen)));
    wrong
}

async fn delete(service: &mut Service, key: &ClusterKey) -> Option<String> {
    let state = service.state(key).await?;
    let operation = state.operation.filter(|o| o.kind == OperationKind::Delete);
    if operation.is_some_and(|o| o.state == OperationState::Running) {
        return None;
    }
    let asked = service.want(key, Goal::Deleted, OperationKind::Delete).await;
    asked.err().map(|e| format!("the delete of {key} was not taken: {e}"))
}

/// The result of the newest operation, for messages.
pub async fn last(service: &Service, key: &ClusterKey) -> String {
    let Some(state) = service.state(key).await else {
        return "it is gone".to_owned();
    };
    match state.operation {
        None => "nothing was begun".to_owned(),
        Some(o) => format!("{:?} {:?} {:?}", o.kind, o.state, o.failure.map(|f| f.to_string())),
    }
}
