//! When a card is attached to its port on NSX-T: not while BDE works on the VM, and what depends on it.

use howdah_core::condition::{ConditionKind, ConditionStatus};
use howdah_core::failure::{ErrorKind, System};
use howdah_core::ids::ClusterKey;
use howdah_core::observe::GROUPS_NOT_APPLIED;
use howdah_core::policy::NetworkBackend;
use howdah_sim::SiteSettings;
use howdah_sim::world::faults::{Effect, FaultRule};

use crate::story::Story;

async fn nsx_t(seed: u64, required: bool) -> Story {
    let mut story = Story::with(SiteSettings { seed, backend: NetworkBackend::NsxT, ..SiteSettings::default() }).await;
    story.service.kill().await;
    story.service.networks().require_attachment = required;
    story.service.start().await;
    story
}

/// How many nodes' security groups apply, and how many nodes say that theirs do not.
async fn groups(story: &Story, key: &ClusterKey) -> (usize, usize) {
    let state = story.service.state(key).await.unwrap();
    let attached = |status, reason: Option<&str>| {
        let is = |n: &&std::sync::Arc<howdah_core::known::NodeState>| {
            n.conditions.iter().any(|c| {
                c.kind == ConditionKind::Attached && c.status == status && reason.is_none_or(|r| c.reason == r)
            })
        };
        state.nodes.values().filter(is).count()
    };
    (attached(ConditionStatus::True, None), attached(ConditionStatus::False, Some(GROUPS_NOT_APPLIED)))
}

#[tokio::test(start_paused = true)]
async fn no_card_is_edited_while_bde_works_on_its_vm_and_each_is_edited_once_afterwards() {
    let mut story = nsx_t(120, false).await;
    let edits = story.rule(FaultRule::new(System::VCenter, "set_external_id", Effect::Delay));
    let key = story.running("c1", 5).await;
    // The create has succeeded: BDE still installs software.
    assert_eq!(groups(&story, &key).await, (0, 5));
    assert_eq!(story.met(edits), 0, "a task of ours on a VM fails BDE's next one");
    story.bde_is_done("c1").await;
    story.pass(120).await;
    assert_eq!(groups(&story, &key).await, (5, 0));
    assert_eq!(story.met(edits), 5);
    story.calm();
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_site_that_requires_attachment_waits_for_it() {
    let mut story = nsx_t(121, true).await;
    let key = story.running("c1", 3).await;
    assert_eq!(groups(&story, &key).await, (3, 0));
    story.stop(&key).await;
    story.good(&key).await;
    story.start(&key).await;
    story.good(&key).await;
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_edit_fails_the_create_only_where_the_site_requires_attachment() {
    for required in [false, true] {
        let mut story = nsx_t(122, required).await;
        let refused = Effect::Refuse { kind: ErrorKind::Forbidden };
        story.rule(FaultRule::new(System::VCenter, "set_external_id", refused));
        let key = story.create("c1", 3).await;
        if required {
            let failure = story.failure(&key).await;
            assert!(failure.contains("could not attach a network card to its NSX-T port"), "{failure}");
        } else {
            story.good(&key).await;
            story.bde_is_done("c1").await;
            story.pass(120).await;
        }
        assert_eq!(groups(&story, &key).await, (0, 3), "required: {required}");
        story.calm();
        story.pass(120).await;
        assert_eq!(groups(&story, &key).await, (3, 0), "required: {required}");
        story.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn vcenter_runs_one_task_at_a_time_on_a_vm_and_bde_does_not_repeat_its_own() {
    let mut story = nsx_t(123, false).await;
    let key = story.create("c1", 1).await;
    story.world.wait_until(|s| s.vc.worked_on.len() == 1).await;
    let vm = story.world.read(|s| s.vc.worked_on.first().cloned().unwrap());
    let edit = howdah_sim::world::vcenter::vm_ops::Reconfigure::default();
    let refused = story.world.reconfigure_task(&vm, edit.clone()).unwrap_err();
    assert_eq!(refused.name, "TaskInProgress");
    // Between two of BDE's tasks, ours is taken, and BDE's next one is not.
    loop {
        story.world.wait_until(|s| !s.vc.worked_on.contains(&vm)).await;
        if story.world.reconfigure_task(&vm, edit.clone()).is_ok() {
            break;
        }
    }
    let failure = story.failure(&key).await;
    assert!(failure.contains("another task is in progress"), "{failure}");
    story.end().await;
}
