//! What a cluster counts for in its project: the rows that the limits of a project add up.
//!
//! | what | counts |
//! |---|---|
//! | clusters | one until it is removed, also if it failed or cannot be read |
//! | nodes | the larger of the requested and the actual number; one if neither is known |
//! | creates | one from the request of a create until that operation ends |
//!
//! Invariant: the numbers follow from the record and the state alone, so the store writes them with both
//! and adds them up without reading a document. They do not say what is allowed: that is the service's.

use crate::known::{ClusterState, OperationState};
use crate::preflight;
use crate::wanted::{ClusterRecord, OperationKind};

/// What some clusters of a project count for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Clusters.
    pub clusters: u64,
    /// Nodes.
    pub nodes: u64,
    /// Creates in progress.
    pub creates: u64,
}

impl Usage {
    /// One cluster.
    pub fn of(record: &ClusterRecord, state: &ClusterState) -> Self {
        // A request may leave its nodes to the distribution's template: at least one comes of it.
        let nodes = preflight::nodes_asked(record).unwrap_or(1).max(state.nodes.len() as u64);
        let newest = state.operation.as_ref().filter(|o| o.id == record.operation.id);
        let ended = newest.is_some_and(|o| o.state != OperationState::Running);
        let creates = u64::from(record.operation.kind == OperationKind::Create && !ended);
        Self { clusters: 1, nodes, creates }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{NodeName, OperationId};
    use crate::known::NodeState;
    use crate::test_support::{record, state};

    #[test]
    fn nodes_are_those_asked_for_or_those_that_are_there() {
        let mut record = record();
        assert_eq!(Usage::of(&record, &ClusterState::default()).nodes, 1, "left to the template");
        record.shape.node_groups = serde_json::from_str(r#"[{"name": "worker", "roles": [], "count": 2}]"#).unwrap();
        let mut state = state();
        assert_eq!(Usage::of(&record, &state).nodes, 2);
        for n in 0..3 {
            let name = NodeName::from(format!("c-worker-{n}").as_str());
            let node = NodeState::planned(&record, &name);
            state.nodes.insert(name, node.into());
        }
        assert_eq!(Usage::of(&record, &state).nodes, 3);
    }

    #[test]
    fn a_create_counts_until_it_ends() {
        let (mut record, mut state) = (record(), state());
        assert_eq!(Usage::of(&record, &ClusterState::default()).creates, 1, "not started");
        assert_eq!(Usage::of(&record, &state).creates, 1, "in progress");
        state.operation.as_mut().unwrap().state = OperationState::Failed;
        assert_eq!(Usage::of(&record, &state), Usage { clusters: 1, nodes: 1, creates: 0 });
        record.operation.id = OperationId(uuid::Uuid::from_u128(77));
        assert_eq!(Usage::of(&record, &state).creates, 1, "the one that ended was another");
        record.operation.kind = OperationKind::Stop;
        assert_eq!(Usage::of(&record, &state).creates, 0);
    }
}
