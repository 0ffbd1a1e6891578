//! The lifecycle of an operation in the controller: start, time accounting, end.
//!
//! Invariant: an operation ends once, by a verdict of `decide`, and an event reports it. Time counts while a
//! controller watches; see [`crate::time`].

use std::time::Duration;

use super::session::Session;
use crate::event::Level;
use crate::failure::Failure;
use crate::known::{ClusterState, OperationProgress, OperationState};
use crate::own::Ownership;
use crate::request::RequestId;
use crate::stage::Stage;
use crate::systems::manager::ManagedCluster;
use crate::wanted::{ClusterRecord, Goal, OperationKind};

impl Session<'_> {
    /// Starts the newest operation unless it is in progress already.
    pub(super) fn take_up(&mut self) {
        let wanted = self.record.operation.clone();
        if self.state.operation.as_ref().is_some_and(|o| o.id == wanted.id) {
            return;
        }
        if let Some(old) = self.state.operation.as_ref().filter(|o| o.state == OperationState::Running) {
            let message = format!("{} is replaced by {}.", word(old.kind), word(wanted.kind));
            self.tell(Level::Info, "operation_superseded", message);
        }
        let message = format!("{} of cluster {} started.", word(wanted.kind), self.record.name);
        self.tell(Level::Info, "operation_started", message);
        self.state.operation = Some(OperationProgress::begun(wanted.id, wanted.kind, self.controller.clock.now()));
        self.state.progress = 0.0;
        self.state.observed_generation = self.record.shape.generation;
        self.troubles.hurry(self.controller.clock.mono());
        self.findings = self.findings.next(self.controller.ticker.tick());
    }

    /// Time counts while the controller watches, but not while the cluster waits for its turn. Time without an
    /// address counts once the manager has finished, as long as the manager and the VMs are visible.
    pub(super) fn count_time(&mut self, watched: Duration, own: &Ownership, waits: bool) {
        let up = |c: &ManagedCluster| c.status.is_up();
        let finished = matches!(own, Ownership::Ours(_))
            && self.seen.cluster.last().and_then(Option::as_ref).is_some_and(up)
            && self.seen.vms_synced;
        let lacking = self.state.nodes.values().any(|n| n.stage != Stage::Addressed);
        let Some(operation) = self.state.operation.as_mut().filter(|o| o.state == OperationState::Running) else {
            return;
        };
        if waits {
            operation.waited += watched;
            return;
        }
        operation.watched += watched;
        if !lacking {
            operation.without_address = Duration::ZERO;
        } else if finished && self.record.shape.goal == Goal::Running {
            // At least 1 ms, so that the deadline applies from the first observation on.
            operation.without_address += watched.max(Duration::from_millis(1));
        }
    }

    pub(super) fn finish(&mut self, end: OperationState, failure: Option<Failure>) {
        let now = self.controller.clock.now();
        let Some(operation) = &mut self.state.operation else {
            return;
        };
        let took = operation.watched.as_secs();
        let (level, reason, message) = match &failure {
            None => (Level::Info, "operation_succeeded", format!("{} succeeded after {took} s.", word(operation.kind))),
            Some(f) => {
                (Level::Error, "operation_failed", format!("{} failed after {took} s: {f}", word(operation.kind)))
            }
        };
        operation.state = end;
        operation.ended = Some(now);
        operation.failure = failure;
        if end == OperationState::Succeeded {
            self.state.progress = 1.0;
        }
        self.tell(level, reason, message);
    }
}

/// The request that calls are made for now: that of the operation while it runs. Later calls, such as the repair of
/// a port after a week, were requested by nobody.
pub(super) fn request_of(record: &ClusterRecord, state: &ClusterState) -> Option<RequestId> {
    let runs =
        state.operation.as_ref().is_some_and(|o| o.id == record.operation.id && o.state == OperationState::Running);
    record.operation.request.clone().filter(|_| runs)
}

fn word(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Create => "Create",
        OperationKind::Start => "Start",
        OperationKind::Stop => "Stop",
        OperationKind::Delete => "Delete",
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::ids::OperationId;
    use crate::test_support::{record, state};

    #[test]
    fn only_a_running_operation_lends_its_request_to_calls() {
        let (mut record, mut state) = (record(), state());
        assert_eq!(request_of(&record, &state), None, "it came from a version without IDs");
        let id = RequestId::new(Uuid::from_u128(7));
        record.operation.request = Some(id.clone());
        assert_eq!(request_of(&record, &state), Some(id));
        for end in [OperationState::Succeeded, OperationState::Failed] {
            state.operation.as_mut().unwrap().state = end;
            assert_eq!(request_of(&record, &state), None, "{end:?}");
        }
        // Not taken up yet: what is under way is of the operation before.
        state.operation.as_mut().unwrap().state = OperationState::Running;
        record.operation.id = OperationId(Uuid::from_u128(8));
        assert_eq!(request_of(&record, &state), None);
    }
}
