//! Which clusters hold their names. A name is unique among the clusters of a site that hold theirs.
//!
//! | newest operation | our create call | the name |
//! |---|---|---|
//! | not started, in progress, succeeded | any | held |
//! | failed | never made, or without effect | free: nothing of it exists or can appear later |
//! | failed | in flight, answer unknown, answered | held |
//!
//! A removed cluster no longer holds a name. Invariant: only the controller releases a name, together with
//! the state that gives the reason; only a request takes one, together with its operation. So every create
//! call uses a held name.

use crate::intent::{Existence, Verb};
use crate::known::{ClusterState, OperationState};
use crate::wanted::{ClusterRecord, Goal};

/// Whether a cluster in this state holds its name.
pub fn holds_name(record: &ClusterRecord, state: &ClusterState) -> bool {
    let newest = state.operation.as_ref().filter(|o| o.id == record.operation.id);
    let failed = newest.is_some_and(|o| o.state == OperationState::Failed);
    let nothing = matches!(state.journal.existence(Verb::Found), Existence::Never | Existence::Without(_));
    !(failed && nothing)
}

/// Whether a request takes a released name again: only a cluster that should run is created.
pub fn takes_name(goal: Goal) -> bool {
    goal == Goal::Running
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::Phase;
    use crate::test_support::{at, record, state};
    use crate::time::Stamp;

    fn failed() -> ClusterState {
        let mut state = state();
        if let Some(operation) = &mut state.operation {
            operation.id = record().operation.id;
            operation.state = OperationState::Failed;
        }
        state
    }

    #[test]
    fn only_a_failure_that_left_nothing_frees_the_name() {
        assert!(!holds_name(&record(), &failed()), "nothing was ever asked for");
        let with = |phase| {
            let mut state = failed();
            state.journal.sent(Verb::Found, record().operation.id, at(0));
            state.journal.resolve(Verb::Found, phase);
            holds_name(&record(), &state)
        };
        assert!(!with(Phase::Refused) && !with(Phase::Absent));
        assert!(with(Phase::Sent) && with(Phase::Unknown) && with(Phase::Done));
    }

    #[test]
    fn an_operation_under_way_or_to_come_holds_it() {
        let mut running = failed();
        running.operation.as_mut().unwrap().state = OperationState::Running;
        assert!(holds_name(&record(), &running));
        let mut begun_anew = record();
        begun_anew.operation.id = crate::ids::OperationId(uuid::Uuid::from_u128(77));
        assert!(holds_name(&begun_anew, &failed()));
        assert!(holds_name(&record(), &ClusterState::default()), "accepted");
    }

    #[test]
    fn a_lost_answer_holds_it_after_a_restart_too() {
        let mut state = failed();
        state.journal.sent(Verb::Found, record().operation.id, at(0));
        state.journal.lost(Verb::Found, Stamp::START, Default::default(), &Default::default());
        let read: ClusterState = serde_json::from_value(serde_json::to_value(&state).unwrap()).unwrap();
        assert!(holds_name(&record(), &read));
        assert!(takes_name(Goal::Running) && !takes_name(Goal::Deleted) && !takes_name(Goal::Stopped));
    }
}
