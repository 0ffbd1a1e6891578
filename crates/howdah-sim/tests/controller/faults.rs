//! Lost answers, refusals and slow systems: a create gets through, or ends and says why.

use howdah_core::failure::{ErrorKind, System};
use howdah_core::ids::ClusterKey;
use howdah_core::known::{ClusterStatus, OperationState};
use howdah_core::wanted::{Goal, OperationKind};
use howdah_sim::world::faults::{Effect, FaultRule};

use crate::site::Run;

/// A cluster that is wanted in a site where these rules hold from now on.
async fn with(seed: u64, nodes: u32, rules: Vec<FaultRule>) -> (Run, ClusterKey) {
    let run = Run::seeded(seed);
    let id = run.add("c1", nodes).await;
    run.world.write(|s| {
        for rule in rules {
            s.faults.add(rule);
        }
    });
    (run, id)
}

#[tokio::test(start_paused = true)]
async fn the_answer_of_every_changing_call_is_lost_once() {
    let calls = [
        (System::Bde, "create_cluster"),
        (System::Bde, "register_network"),
        (System::Neutron, "create_ports"),
        (System::Neutron, "set_vnic_index"),
    ];
    for (system, method) in calls {
        let (run, id) = with(4, 4, vec![FaultRule::new(system, method, Effect::LoseAnswer).times(1)]).await;
        run.good(&run.work(&id).await.unwrap(), 4);
        let met = run.world.read(|s| s.faults.list().map(|(_, _, met)| met).sum::<u32>());
        assert_eq!(met, 1, "{method}: no answer was lost");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_day_is_survived() {
    for seed in 100..140 {
        let sick = |system, p| {
            FaultRule::new(system, "*", Effect::Refuse { kind: ErrorKind::Unreachable }).with_probability(p)
        };
        let lossy = |system, p| FaultRule::new(system, "*", Effect::LoseAnswer).with_probability(p);
        let rules = vec![
            sick(System::Bde, 0.1),
            lossy(System::Bde, 0.1),
            sick(System::Neutron, 0.2),
            lossy(System::Neutron, 0.2),
            sick(System::VCenter, 0.2),
        ];
        let (run, id) = with(seed, 5, rules).await;
        let state = run.work(&id).await.unwrap();
        run.good(&state, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_system_that_never_comes_back_ends_the_create_with_its_name() {
    for (system, word) in [(System::Bde, "BDE"), (System::Neutron, "Neutron"), (System::VCenter, "vCenter")] {
        let gone = FaultRule::new(system, "*", Effect::Refuse { kind: ErrorKind::Unreachable });
        let (run, id) = with(1, 2, vec![gone]).await;
        let state = run.work(&id).await.unwrap();
        assert_eq!(state.operation.as_ref().unwrap().state, OperationState::Failed);
        let failure = run.failure(&state);
        assert!(failure.contains(word) && failure.contains("10 min"), "{failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_passes_is_asked_again() {
    let refused =
        |method| FaultRule::new(System::Bde, method, Effect::Refuse { kind: ErrorKind::Unavailable }).times(1);
    let rules = vec![refused("create_cluster"), refused("change_cluster"), refused("delete_cluster")];
    let (run, id) = with(6, 3, rules).await;
    run.good(&run.work(&id).await.unwrap(), 3);
    run.want(&id, Goal::Stopped, OperationKind::Stop).await;
    let state = run.work(&id).await.unwrap();
    assert_eq!(state.status, ClusterStatus::Stopped, "{:?}", state.operation);
    run.want(&id, Goal::Deleted, OperationKind::Delete).await;
    assert!(run.work(&id).await.is_none());
    run.nothing_left();
}

#[tokio::test(start_paused = true)]
async fn when_ports_cannot_be_made_the_failure_says_why() {
    // BDE gives its nodes up a little before the same call has failed for too long.
    let gone = FaultRule::new(System::Neutron, "create_ports", Effect::Refuse { kind: ErrorKind::Internal });
    let (mut run, id) = with(3, 2, vec![gone]).await;
    run.controller.policy.call_patience = std::time::Duration::from_secs(7200);
    let state = run.work(&id).await.unwrap();
    let failure = run.failure(&state);
    assert!(
        failure.starts_with("bde_failed: could not create ports (Neutron: a fault was injected here); then BDE"),
        "{failure}"
    );
}
