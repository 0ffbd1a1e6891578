use std::sync::Arc;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::BoxFuture;
use futures::{FutureExt, poll};

use super::*;
use crate::failure::{ErrorKind, System};
use crate::test_support::Hand;

const AGE: Duration = Duration::from_secs(30);

/// A system whose answers are given by hand, and the keeper in front of it.
#[derive(Default)]
struct Site {
    keeper: Keeper<u32>,
    clock: Hand,
    ticker: Ticker,
    /// The queries that were sent and not answered.
    sent: Arc<Mutex<Vec<oneshot::Sender<Remote<u32>>>>>,
}

impl Site {
    fn ask(&self, fresh: Fresh) -> BoxFuture<'_, Remote<Told<u32>>> {
        let query = || {
            let (sender, receiver) = oneshot::channel();
            self.sent.lock().unwrap().push(sender);
            async { receiver.await.unwrap() }
        };
        async move { self.keeper.ask(fresh, &self.clock, &self.ticker, query).await }.boxed()
    }

    fn after_now(&self) -> Fresh {
        Fresh::After(self.ticker.tick())
    }

    fn pass(&self, time: Duration) {
        *self.clock.0.lock().unwrap() += time;
    }

    /// How many queries are in flight for somebody.
    fn flying(&self) -> usize {
        self.sent.lock().unwrap().iter().filter(|s| !s.is_canceled()).count()
    }

    fn answer(&self, answer: Remote<u32>) {
        self.sent.lock().unwrap().remove(0).send(answer).unwrap();
    }
}

fn refused() -> RemoteError {
    RemoteError::new(System::Neutron, ErrorKind::Unavailable, "busy", "it is busy").hint("wait")
}

#[tokio::test]
async fn who_comes_while_a_query_is_in_flight_that_will_do_joins_it() {
    let site = Site::default();
    let floor = site.after_now();
    let (mut one, mut two, mut three) = (site.ask(floor), site.ask(floor), site.ask(Fresh::Within(AGE)));
    assert!(poll!(&mut one).is_pending() && poll!(&mut two).is_pending() && poll!(&mut three).is_pending());
    assert_eq!(site.flying(), 1);
    site.answer(Ok(7));
    for told in [one.await, two.await, three.await] {
        assert_eq!(*told.unwrap().answer, 7);
    }
    assert_eq!(site.flying(), 0);
}

#[tokio::test]
async fn all_who_came_too_late_for_a_query_share_the_next_and_it_begins_when_the_first_has_ended() {
    let site = Site::default();
    let mut first = site.ask(site.after_now());
    assert!(poll!(&mut first).is_pending());
    let floors: Vec<_> = (0..100).map(|_| site.ticker.tick()).collect();
    let mut late: Vec<_> = floors.iter().map(|floor| site.ask(Fresh::After(*floor))).collect();
    for caller in &mut late {
        assert!(poll!(caller).is_pending());
    }
    assert_eq!(site.flying(), 1, "no second one in flight");
    site.answer(Ok(1));
    let before = first.await.unwrap().asked;
    for caller in &mut late {
        assert!(poll!(caller).is_pending());
    }
    assert_eq!(site.flying(), 1, "one for a hundred");
    site.answer(Ok(2));
    for (caller, floor) in late.into_iter().zip(floors) {
        let told = caller.await.unwrap();
        assert!(*told.answer == 2 && told.asked > floor && told.asked > before);
    }
}

#[tokio::test]
async fn an_answer_is_given_again_while_it_is_fresh_with_the_moment_at_which_it_was_asked_for() {
    let site = Site::default();
    let mut first = site.ask(Fresh::Within(AGE));
    assert!(poll!(&mut first).is_pending());
    site.pass(AGE / 2);
    site.answer(Ok(1));
    let first = first.await.unwrap();
    site.pass(AGE / 2);
    let again = site.ask(Fresh::Within(AGE)).await.unwrap();
    assert_eq!((again.asked, again.asked_at), (first.asked, Mono::new(Duration::ZERO)));
    assert_eq!(site.ask(Fresh::After(Stamp::START)).await.unwrap().asked, first.asked);
    let mut stricter = site.ask(Fresh::After(first.asked));
    assert!(poll!(&mut stricter).is_pending(), "asked for at the floor is not after it");
    drop(stricter);
    site.pass(Duration::from_millis(1));
    let mut late = site.ask(Fresh::Within(AGE));
    assert!(poll!(&mut late).is_pending(), "it is as old as its question, not as its answer");
}

#[tokio::test]
async fn a_failure_goes_to_all_who_joined_and_is_not_remembered() {
    let site = Site::default();
    let floor = site.after_now();
    let (mut one, mut two) = (site.ask(floor), site.ask(floor));
    assert!(poll!(&mut one).is_pending() && poll!(&mut two).is_pending());
    site.answer(Err(refused().caused_by("a socket")));
    for error in [one.await.unwrap_err(), two.await.unwrap_err()] {
        assert_eq!((error.kind, error.code, error.hint.as_deref()), (ErrorKind::Unavailable, "busy", Some("wait")));
        assert!(crate::failure::chain(&error).contains("a socket"), "{error}");
    }
    let mut next = site.ask(floor);
    assert!(poll!(&mut next).is_pending());
    site.answer(Ok(1));
    assert_eq!(*next.await.unwrap().answer, 1);
}

#[tokio::test]
async fn a_failure_of_a_query_that_would_not_have_done_is_nobody_elses() {
    let site = Site::default();
    let mut first = site.ask(site.after_now());
    assert!(poll!(&mut first).is_pending());
    let mut late = site.ask(site.after_now());
    assert!(poll!(&mut late).is_pending());
    site.answer(Err(refused()));
    assert!(first.await.is_err());
    assert!(poll!(&mut late).is_pending());
    site.answer(Ok(2));
    assert_eq!(*late.await.unwrap().answer, 2);
}

#[tokio::test]
async fn the_query_lives_as_long_as_anybody_waits_for_it() {
    let site = Site::default();
    let floor = site.after_now();
    let (mut one, mut two) = (site.ask(floor), site.ask(floor));
    assert!(poll!(&mut one).is_pending() && poll!(&mut two).is_pending());
    drop(one);
    assert_eq!(site.flying(), 1, "the other still waits");
    site.answer(Ok(1));
    assert!(matches!(poll!(&mut two), Poll::Ready(Ok(_))), "driven by the one who is left");

    let mut only = site.ask(site.after_now());
    assert!(poll!(&mut only).is_pending());
    assert_eq!(site.flying(), 1);
    drop(only);
    assert_eq!(site.flying(), 0, "it does not outlive its last caller");
    let mut next = site.ask(site.after_now());
    assert!(poll!(&mut next).is_pending());
    assert_eq!(site.flying(), 1, "and does not block others");
}
