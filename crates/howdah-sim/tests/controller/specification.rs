//! A specification on its way from the sealed secrets to the manager.

use howdah_core::specification::{SealedSpecification, Specification};
use howdah_core::store::Store as _;
use howdah_core::wanted::{ClusterRecord, Secrets};
use serde_json::{Value, json};

use crate::site::Run;

/// A record without groups of its own, and the secrets that go with it.
async fn said(run: &Run, specification: Value) -> (ClusterRecord, Secrets) {
    let mut record = run.record("c1", 1).await;
    let specification: Specification = serde_json::from_value(specification).unwrap();
    record.shape.node_groups.clear();
    record.spec.specification = Some(specification.sealed(&run.controller.marks, &record.key(), None));
    (record, Secrets { specification: Some(specification), ..Secrets::default() })
}

fn nothing_was_made(run: &Run) {
    run.world.read(|s| assert!(s.bde.clusters.is_empty() && s.bde.networks.is_empty(), "seed {}", run.seed));
}

#[tokio::test(start_paused = true)]
async fn its_groups_are_made_and_it_is_forgotten_when_they_are_there() {
    let run = Run::seeded(31);
    let groups = json!([{"name": "worker", "roles": ["hadoop_client"], "instanceNum": "2", "haFlag": "on"}]);
    let (record, secrets) = said(&run, json!({"topologyPolicy": "NONE", "nodeGroups": groups})).await;
    run.store.insert(&record, &secrets, &[]).await.unwrap();
    let state = run.work(&record.key()).await.unwrap();
    run.good(&state, 2);
    run.world.read(|s| assert_eq!(s.bde.clusters["c1"].request.topology.as_deref(), Some("NONE")));
    assert!(run.store.secrets(&record.key()).await.unwrap().specification.is_none(), "its work is done");
}

#[tokio::test(start_paused = true)]
async fn what_it_may_not_say_is_refused_whatever_let_it_in() {
    let run = Run::seeded(32);
    // As an older version took it.
    let (record, secrets) = said(&run, json!({"nodeGroups": [{"instanceNum": 1, "vcClusters": []}]})).await;
    run.store.insert(&record, &secrets, &[]).await.unwrap();
    let state = run.work(&record.key()).await.unwrap();
    let failure = run.failure(&state);
    assert!(failure.starts_with("specification_field_not_allowed"), "{failure}");
    assert!(failure.contains("specification.nodeGroups[0].vcClusters"), "{failure}");
    nothing_was_made(&run);
}

#[tokio::test(start_paused = true)]
async fn its_nodes_have_to_fit() {
    let run = Run::seeded(33);
    let groups = json!([{"name": "worker", "roles": ["hadoop_client"], "instanceNum": 5000}]);
    let (record, secrets) = said(&run, json!({ "nodeGroups": groups })).await;
    run.store.insert(&record, &secrets, &[]).await.unwrap();
    let state = run.work(&record.key()).await.unwrap();
    let failure = run.failure(&state);
    assert!(failure.starts_with("subnet_full"), "{failure}");
    nothing_was_made(&run);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_never_made_without_the_specification_it_was_asked_for_with() {
    let run = Run::seeded(34);
    let mut record = run.record("c1", 1).await;
    record.spec.specification = Some(SealedSpecification { digest: "forgotten".into(), nodes: None });
    run.store.insert(&record, &Secrets::default(), &[]).await.unwrap();
    let state = run.work(&record.key()).await.unwrap();
    let failure = run.failure(&state);
    assert!(failure.starts_with("specification_forgotten"), "{failure}");
    nothing_was_made(&run);
}
