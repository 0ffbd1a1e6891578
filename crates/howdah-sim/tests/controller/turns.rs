//! Fair turns at the manager, seen from the manager: in which order it is asked for clusters, and
//! that a cluster that ends, is deleted, or crashes releases its turn.

use std::time::Duration;

use howdah_core::condition::{ClusterConditionKind, ConditionStatus};
use howdah_core::failure::{ErrorKind, System};
use howdah_core::ids::ClusterKey;
use howdah_core::known::ClusterStatus;
use howdah_core::time::Clock as _;
use howdah_core::wanted::{Goal, OperationKind};
use howdah_sim::world::faults::{Effect, FaultRule};

use crate::story::Story;

/// The names of the clusters that BDE was asked for, in order.
fn asked_for(story: &Story) -> Vec<String> {
    story.world.read(|s| {
        let mut tasks: Vec<_> = s.bde.tasks.values().filter(|t| t.kind != "DELETE").collect();
        tasks.sort_by_key(|t| t.id);
        tasks.iter().map(|t| t.target.clone()).collect()
    })
}

/// How many creates BDE is at work on, or has in its queue.
fn at_manager(story: &Story) -> usize {
    story.world.read(|s| s.bde.clusters.values().filter(|c| c.nodes().all(|n| n.vm.is_none())).count())
}

async fn many(story: &mut Story, project: &str, count: usize) -> Vec<ClusterKey> {
    let mut keys = vec![];
    for n in 0..count {
        keys.push(story.service.create_in(project, &format!("{project}{n}"), 1).await.unwrap());
    }
    keys
}

async fn says(story: &Story, key: &ClusterKey) -> (ConditionStatus, String, String) {
    let ready = story.condition(key, ClusterConditionKind::BdeReady).await;
    (ready.status, ready.reason, ready.message)
}

async fn until_asked_for(story: &Story, name: &str) {
    for _ in 0..7200 {
        if asked_for(story).iter().any(|n| n == name) {
            return;
        }
        story.pass(1).await;
    }
    panic!("seed {}: BDE was never asked for {name}", story.seed);
}

#[tokio::test(start_paused = true)]
async fn one_of_another_project_waits_for_at_most_two_of_two_hundred() {
    let mut story = Story::new(60).await;
    let first = many(&mut story, "a", 200).await;
    story.pass(120).await;
    let before = asked_for(&story);
    assert!((1..=3).contains(&before.len()), "seed {}: {before:?}", story.seed);
    let (status, reason, message) = says(&story, &first[100]).await;
    assert_eq!((status, reason.as_str()), (ConditionStatus::False, "WaitingForTurn"));
    assert!(message.starts_with("BDE creates one cluster at a time: this one waits for its turn: "), "{message}");

    let late = story.service.create_in("b", "late", 1).await.unwrap();
    story.pass(20).await;
    let message = says(&story, &late).await.2;
    assert!(message.contains("waits for its turn: first of "), "{message}");
    until_asked_for(&story, "late").await;
    let between = asked_for(&story).into_iter().skip(before.len()).take_while(|n| n != "late").count();
    assert!(between <= 2, "seed {}: {between} of the others came before it", story.seed);
    story.good(&late).await;
    let told = story.events(&late).await;
    assert_eq!(told.iter().filter(|e| e.starts_with("WaitingForTurn")).count(), 1, "{told:#?}");
    assert_eq!(told.iter().filter(|e| e.starts_with("TurnHasCome")).count(), 1, "{told:#?}");
    let loud = story.events(&first[150]).await;
    assert!(loud.len() <= 5, "it waits, and says so once: {loud:#?}");
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn everybodys_turn_comes_and_waiting_is_not_held_against_them() {
    let mut story = Story::new(61).await;
    let mut keys = many(&mut story, "a", 4).await;
    keys.extend(many(&mut story, "b", 2).await);
    for key in &keys {
        let state = story.good(key).await;
        let operation = state.operation.unwrap();
        assert!(operation.watched < Duration::from_secs(3600), "{operation:?}");
    }
    let order = asked_for(&story);
    assert_eq!(order.len(), 6, "{order:?}");
    let waited = story.service.state(&keys[3]).await.unwrap().operation.unwrap().waited;
    assert!(waited > Duration::from_secs(60), "the last of the project waited: {waited:?}");
    assert!(order.iter().take(4).any(|n| n.starts_with('b')), "{order:?}");
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_turn_comes_back_from_the_deleted_the_failed_and_the_killed() {
    let mut story = Story::new(62).await;
    let keys = many(&mut story, "a", 5).await;
    story.pass(60).await;
    // Two that wait are deleted at once, although BDE is busy.
    let begun = story.world.clock().mono();
    story.removed(&keys[3]).await;
    story.removed(&keys[4]).await;
    assert!(story.world.clock().mono().since(begun) < Duration::from_secs(120));
    // The service dies twice; those at the manager keep their turns, and no third is sent.
    for _ in 0..2 {
        story.service.kill().await;
        story.service.start().await;
        story.pass(5).await;
        assert!(at_manager(&story) <= 2, "{:?}", asked_for(&story));
    }
    for key in &keys[..3] {
        story.good(key).await;
    }
    // One that is refused frees its turn for the next.
    let rule = FaultRule::new(System::Bde, "create_cluster", Effect::Refuse { kind: ErrorKind::Invalid });
    story.rule(rule.times(1));
    let more = many(&mut story, "c", 4).await;
    let mut failed = 0;
    for key in &more {
        let state = story.ended(key).await.unwrap();
        failed += usize::from(state.status == ClusterStatus::Error);
    }
    assert_eq!(failed, 1);
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_create_that_is_deleted_at_the_manager_keeps_its_turn_until_the_manager_is_done() {
    let mut story = Story::new(63).await;
    let keys = many(&mut story, "a", 6).await;
    story.pass(60).await;
    let begun = asked_for(&story);
    for name in &begun {
        let n: usize = name[1..].parse().unwrap();
        story.delete(&keys[n]).await;
    }
    story.pass(5).await;
    assert!(at_manager(&story) <= 2, "a delete makes no room at the manager: {:?}", asked_for(&story));
    for (n, key) in keys.iter().enumerate() {
        if begun.contains(&format!("a{n}")) {
            assert!(story.ended(key).await.is_none());
        } else {
            story.good(key).await;
        }
    }
    story.end().await;
}

/// What waited long is checked again when its turn comes.
#[tokio::test(start_paused = true)]
async fn what_waited_is_checked_again() {
    let mut story = Story::new(64).await;
    let keys = many(&mut story, "a", 3).await;
    story.pass(60).await;
    let last = keys.iter().enumerate().find(|(n, _)| !asked_for(&story).contains(&format!("a{n}")));
    let (_, last) = last.expect("one waits");
    story.world.write(|s| {
        s.bde.managers.values_mut().for_each(|m| m.distros.retain(|d| d.name != "bigtop"));
    });
    let failure = story.failure(last).await;
    assert!(failure.contains("bigtop"), "{failure}");
    assert_eq!(asked_for(&story).len(), 2);
    story.service.want(last, Goal::Deleted, OperationKind::Delete).await.unwrap();
    story.end().await;
}

// ---------------------------------------------------------------- the requester's rights

/// Four creates of the member `demo`, of which two wait, with the waiting ones and the requester's id.
async fn of_demo(story: &mut Story) -> (Vec<ClusterKey>, String, String) {
    let (user, project) = story.world.read(|s| {
        let (user, project) = (s.keystone.user("demo").unwrap(), s.keystone.project("demo").unwrap());
        (user.id.clone(), project.id.clone())
    });
    let mut keys = vec![];
    for n in 0..4 {
        let mut record = story.service.record(&format!("d{n}"), 1).await.unwrap();
        record.project = project.as_str().into();
        record.operation.by = Some(user.clone());
        keys.push(story.service.insert(&record).await.unwrap());
    }
    story.pass(70).await;
    let begun = asked_for(story);
    let waiting = keys.iter().enumerate().filter(|(n, _)| !begun.contains(&format!("d{n}")));
    let waiting: Vec<_> = waiting.map(|(_, key)| key.clone()).collect();
    assert_eq!(waiting.len(), 2, "seed {}: {begun:?}", story.seed);
    (waiting, user, project)
}

#[tokio::test(start_paused = true)]
async fn who_has_lost_the_right_meanwhile_gets_nothing_made() {
    let mut story = Story::new(65).await;
    let (waiting, user, project) = of_demo(&mut story).await;
    story.world.write(|s| s.keystone.assignments.remove(&(user, project)));
    for key in &waiting {
        let failure = story.failure(key).await;
        assert!(failure.starts_with("requester_not_allowed_any_more: "), "{failure}");
    }
    assert_eq!(asked_for(&story).len(), 2, "nothing was made for them");
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_looks_again_too_and_a_keystone_that_is_down_is_waited_for() {
    let mut story = Story::new(66).await;
    let (waiting, user, _) = of_demo(&mut story).await;
    story.service.kill().await;
    let down = ErrorKind::Unreachable;
    let rule = FaultRule::new(System::Keystone, "role_assignments", Effect::Refuse { kind: down });
    story.rule(rule.times(3));
    story.world.write(|s| s.keystone.users.get_mut(&user).unwrap().enabled = false);
    story.service.start().await;
    for key in &waiting {
        let failure = story.failure(key).await;
        assert!(failure.contains("the user is disabled"), "{failure}");
    }
    story.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_account_that_may_not_ask_goes_on_and_says_so_once() {
    let mut story = Story::new(67).await;
    let (waiting, ..) = of_demo(&mut story).await;
    let kind = ErrorKind::Forbidden;
    story.rule(FaultRule::new(System::Keystone, "role_assignments", Effect::Refuse { kind }));
    for key in &waiting {
        story.good(key).await;
        let told = story.events(key).await;
        assert_eq!(told.iter().filter(|e| e.starts_with("requester_rights_unknown")).count(), 1, "{told:#?}");
    }
    story.calm();
    story.end().await;
}
