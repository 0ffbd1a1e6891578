use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::ids::ClusterId;
use crate::test_support::at;

const TURNS: usize = 2;

fn key(project: &str, n: u128) -> ClusterKey {
    ClusterKey { project: project.into(), id: ClusterId(Uuid::from_u128(n)) }
}

/// What a cluster does in a made-up history.
#[derive(Debug, Clone, Copy)]
enum Step {
    Wait,
    Leave,
    Occupy,
}

fn history() -> impl Strategy<Value = Vec<(u8, u8, Step)>> {
    let step = prop_oneof![4 => Just(Step::Wait), 3 => Just(Step::Leave), 1 => Just(Step::Occupy)];
    prop::collection::vec((0u8..4, 0u8..6, step), 0..80)
}

/// Plays a history and looks at the queue after each step.
fn play(history: &[(u8, u8, Step)], mut look: impl FnMut(&Queue, &Queue)) -> Queue {
    let mut queue = Queue::default();
    for (moment, (project, n, step)) in history.iter().enumerate() {
        let key = key(&format!("p{project}"), u128::from(*n));
        match step {
            Step::Wait => queue.wait(&key, at(i64::try_from(moment).unwrap())),
            Step::Leave => queue.leave(&key),
            Step::Occupy => queue.occupy(&key),
        }
        let before = queue.clone();
        queue.serve(TURNS);
        look(&before, &queue);
    }
    queue
}

#[test]
fn the_other_projects_one_request_waits_for_the_next_free_turn() {
    let mut queue = Queue::default();
    for n in 0..200 {
        queue.wait(&key("a", n), at(0));
        queue.serve(TURNS);
    }
    queue.wait(&key("b", 1), at(9));
    queue.serve(TURNS);
    assert_eq!(queue.order()[0], key("b", 1));
    queue.leave(&key("a", 0));
    queue.serve(TURNS);
    assert!(queue.has_turn(&key("b", 1)));
}

#[test]
fn projects_take_turns_and_each_serves_its_oldest_request() {
    let mut queue = Queue::default();
    for (project, n, when) in [("a", 1, 1), ("a", 2, 0), ("a", 3, 2), ("b", 4, 5), ("c", 5, 4)] {
        queue.wait(&key(project, n), at(when));
    }
    let order: Vec<_> = queue.order().into_iter().map(|k| (k.project.to_string(), k.id.0.as_u128())).collect();
    let expected = [("a", 2), ("c", 5), ("b", 4), ("a", 1), ("a", 3)].map(|(p, n)| (p.to_owned(), n));
    assert_eq!(order, expected);
}

proptest! {
    #[test]
    fn nobody_waits_while_a_turn_is_free_and_no_turn_is_taken_back(history in history()) {
        play(&history, |before, after| {
            assert!(after.waiting.is_empty() || after.serving.len() >= TURNS);
            assert!(before.serving.iter().all(|k| after.has_turn(k)));
            assert!(after.serving.len() <= TURNS.max(before.serving.len()));
            assert!(after.waiting.keys().all(|k| !after.has_turn(k)));
        });
    }

    #[test]
    fn the_order_names_everybody_once_and_its_first_is_served_next(history in history()) {
        let queue = play(&history, |_, after| {
            let mut named = after.order();
            named.sort();
            assert_eq!(named, after.waiting.keys().cloned().collect::<Vec<_>>());
        });
        if let (Some(first), Some(oldest)) = (queue.order().first(), queue.serving.front()) {
            let mut next = queue.clone();
            next.leave(oldest);
            next.serve(next.serving.len() + 1);
            prop_assert!(next.has_turn(first));
        }
    }

    /// Between a project's request and its turn, every other project is served at most once more than
    /// there are turns, whatever it has requested and whatever arrives later.
    #[test]
    fn a_projects_only_request_is_not_held_up_by_the_length_of_others(a in 1u128..60, b in 0u128..60) {
        let mut queue = Queue::default();
        (0..a).for_each(|n| queue.wait(&key("a", n), at(0)));
        (0..b).for_each(|n| queue.wait(&key("b", n), at(0)));
        queue.serve(TURNS);
        let late = key("c", 0);
        queue.wait(&late, at(60));
        let mut ended = 0;
        loop {
            queue.serve(TURNS);
            if queue.has_turn(&late) {
                break;
            }
            let oldest = queue.serving.front().cloned().unwrap();
            queue.leave(&oldest);
            ended += 1;
        }
        prop_assert!(ended <= 1, "{ended} creates ended before it");
    }

    #[test]
    fn within_a_project_requests_are_served_in_their_order(times in prop::collection::vec(0i64..50, 1..30)) {
        let mut queue = Queue::default();
        for (n, when) in times.iter().enumerate() {
            queue.wait(&key("a", n as u128), at(*when));
        }
        let served: Vec<_> = queue.order().iter().map(|k| times[k.id.0.as_u128() as usize]).collect();
        prop_assert!(served.is_sorted());
    }
}
