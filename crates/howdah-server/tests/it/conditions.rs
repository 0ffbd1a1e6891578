//! A cluster's conditions in its document: the conditions, and the reason for its status.

use howdah_core::condition::{ClusterCondition, ClusterConditionKind as Kind, ConditionStatus};
use howdah_core::failure::Failure;
use howdah_core::ids::NodeName;
use howdah_core::intent::Verb;
use howdah_core::known::{ClusterState, ClusterStatus, NodeState, OperationState};
use howdah_core::stage::Stage;
use howdah_core::time::{Mono, Stamp};

use crate::fakes::now;
use crate::harness::{Service, key, path};

fn condition(kind: Kind, status: ConditionStatus, reason: &str, message: &str) -> ClusterCondition {
    ClusterCondition { kind, status, reason: reason.to_owned(), message: message.to_owned(), since: now() }
}

/// The status and its reason for a cluster whose state a test has changed.
async fn told(change: impl FnOnce(&mut ClusterState)) -> (String, String) {
    let service = Service::new().await;
    service.create(1).await;
    service.end(1, None).await;
    let (_, mut state) = service.stored(1).await;
    change(&mut state);
    service.store.save(&key(1), &state, &[]).await.unwrap();
    let (_, shown) = service.get(&path(1)).await;
    let count = shown["conditions"].as_array().unwrap().len();
    assert_eq!(count, state.conditions.len());
    (shown["status"].as_str().unwrap().to_owned(), shown["status_reason"].as_str().unwrap().to_owned())
}

fn running(state: &mut ClusterState, status: ClusterStatus) {
    state.status = status;
    state.operation.as_mut().unwrap().state = OperationState::Running;
}

fn node(stage: Stage) -> NodeState {
    serde_json::from_value(serde_json::json!({"group": "w", "stage": stage})).unwrap()
}

#[tokio::test]
async fn the_sentence_says_what_is_in_the_way() {
    use ConditionStatus::{False, True};
    let gone = condition(Kind::Owned, False, "Gone", "The cluster was deleted in BDE, not by Howdah.");
    let queued = condition(
        Kind::BdeReady,
        False,
        "Queued",
        "BDE creates one cluster at a time: this create is number 2 of 3 in its queue.",
    );
    let warning = condition(Kind::BdeReady, True, "Ready", "BDE shows the status SERVICE_WARNING.");
    let neutron = condition(Kind::NeutronReachable, False, "neutron_unreachable", "Neutron is failing: it is down.");
    let mut lines = vec![];
    lines.push(
        told(|s| {
            s.status = ClusterStatus::Gone;
            s.conditions = vec![gone.clone(), warning.clone()];
        })
        .await,
    );
    lines.push(
        told(|s| {
            s.status = ClusterStatus::Gone;
            let operation = s.operation.as_mut().unwrap();
            operation.state = OperationState::Failed;
            operation.failure = Some(Failure::new("nodes_without_address", "1 of 4 nodes has no address"));
            s.conditions = vec![gone];
        })
        .await,
    );
    lines.push(
        told(|s| {
            running(s, ClusterStatus::Creating);
            s.conditions = vec![queued];
        })
        .await,
    );
    lines.push(
        told(|s| {
            running(s, ClusterStatus::Deleting);
            let operation = s.operation.clone().unwrap().id;
            s.journal.sent(Verb::Found, operation, now());
            s.journal.lost(Verb::Found, Stamp::START, Mono::default(), &Default::default());
        })
        .await,
    );
    let nodes = [("c1-w-0", Stage::Addressed), ("c1-w-1", Stage::Cloned), ("c1-w-2", Stage::Planned)];
    for status in [ClusterStatus::Stopping, ClusterStatus::Deleting] {
        lines.push(
            told(|s| {
                running(s, status);
                s.nodes.extend(nodes.map(|(name, stage)| (NodeName::new(name), node(stage).into())));
            })
            .await,
        );
    }
    lines.push(told(|s| s.conditions = vec![neutron.clone()]).await);
    lines.push(
        told(|s| {
            s.status = ClusterStatus::Degraded;
            s.conditions = vec![warning, neutron];
            for (name, stage) in [("c1-w-0", Stage::Addressed), ("c1-w-1", Stage::NoAddress), ("c1-w-2", Stage::Planned)]
            {
                let mut node = node(stage);
                if stage == Stage::Planned {
                    let text = r#"{"type": "VmExists", "status": "False", "reason": "Gone", "message": "The VM is gone since 10:32.", "since": "2026-01-02T03:04:05Z"}"#;
                    node.conditions = vec![serde_json::from_str(text).unwrap()];
                }
                s.nodes.insert(NodeName::new(name), node.into());
            }
        })
        .await,
    );
    let lines: Vec<_> = lines.iter().map(|(status, reason)| format!("{status}: {reason}")).collect();
    insta::assert_snapshot!(lines.join("\n"));
}
