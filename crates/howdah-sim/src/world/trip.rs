//! The path of a call: to the server, its effect there, and the answer back.
//!
//! The server reads the world at one moment between the two ways, so answers overtake each other as in a
//! real network: a read that started before a write can be answered after it, with the earlier state.
//! Invariant of [`Trip::carry`]: a sent call continues in the world even if its sender is dropped; a
//! real server does not stop because its client disconnected.

use std::time::Duration;

use howdah_core::failure::{ErrorKind, System};
use tokio::sync::oneshot;

use crate::world::World;
use crate::world::actor::{Actor, Origin};
use crate::world::faults::Fate;

/// A call in flight.
#[derive(Debug)]
#[must_use = "a call does nothing until it is carried"]
pub struct Trip {
    world: World,
    actor: Actor,
    fate: Fate,
    /// Numbers of the rules that met it.
    met: Vec<u64>,
    there: Duration,
    back: Duration,
}

/// How a call came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival<T> {
    /// With the server's own answer.
    Answered(T),
    /// Refused by a rule, without effect.
    Refused(ErrorKind),
    /// Not at all; whether there was an effect the caller cannot know.
    Lost,
}

impl World {
    /// Every face calls this first, once per call: counts the call and applies the fault rules to
    /// it.
    pub fn depart(&self, system: System, method: &str, object: &str) -> Trip {
        let dice = self.dice();
        let mut state = self.lock();
        state.counters.count(system, method);
        let verdict = state.faults.judge(system, method, object, |s| dice.fraction("fault", s));
        let subject = format!("{method}/{object}/{}", state.counters.of(system, method));
        let way = dice.span(state.settings.timings.call, "call", &subject) / 2;
        drop(state);
        self.tell_of_calls();
        Trip {
            world: self.clone(),
            actor: Actor::calling(Origin::Service, system, method, object),
            fate: verdict.fate,
            met: verdict.met,
            there: way + Duration::from_secs_f64(verdict.delay.max(0.0)),
            back: way + Duration::from_secs_f64(verdict.delay_after.max(0.0)),
        }
    }

    /// Ends when a fault rule has met so many calls.
    pub async fn until_met(&self, rule: u64, times: u32) {
        self.until_calls(|f| f.met(rule) >= times).await;
    }

    /// Ends when so many of the calls that a fault rule met have had their effect.
    pub async fn until_landed(&self, rule: u64, times: u32) {
        self.until_calls(|f| f.landed(rule) >= times).await;
    }

    async fn until_calls(&self, reached: impl Fn(&crate::world::faults::Faults) -> bool) {
        let mut calls = self.calls();
        while !self.read(|s| reached(&s.faults)) {
            if calls.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Trip {
    /// The same call by somebody else than the service.
    pub fn by(mut self, origin: Origin) -> Self {
        self.actor.origin = origin;
        self
    }

    /// Carries the call to its end. The work at the server is the world's: dropping this future
    /// after the call was sent gives up the answer only.
    pub async fn carry<T, F>(self, work: impl FnOnce(World) -> F + Send + 'static) -> Arrival<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let Self { world, actor, fate, met, there, back } = self;
        let (done, answer) = oneshot::channel();
        let lands = match fate {
            Fate::Refused(kind) => {
                world.sleep(there + back).await;
                return Arrival::Refused(kind);
            }
            Fate::RequestLost => {
                world.sleep(there).await;
                return Arrival::Lost;
            }
            Fate::Late(seconds) => there + Duration::from_secs_f64(seconds.max(0.0)),
            Fate::Answered | Fate::AnswerLost => there,
        };
        let server = world.clone();
        world.spawn_as(actor, async move {
            server.sleep(lands).await;
            let outcome = work(server.clone()).await;
            server.landed(&met);
            // The caller may be gone.
            let _ = done.send(outcome);
        });
        if matches!(fate, Fate::Late(_)) {
            world.sleep(there).await;
            return Arrival::Lost;
        }
        // The sender is dropped when the world is stopped.
        let Ok(outcome) = answer.await else { return Arrival::Lost };
        world.sleep(back).await;
        if fate == Fate::AnswerLost { Arrival::Lost } else { Arrival::Answered(outcome) }
    }

    /// The same for a call that lasts as long as its client stays, such as a long poll: the work
    /// ends with this future. An effect that would be late does not come.
    pub async fn attend<T>(self, work: impl Future<Output = T>) -> Arrival<T> {
        let Self { world, actor, fate, met, there, back } = self;
        world.sleep(there).await;
        match fate {
            Fate::Refused(kind) => {
                world.sleep(back).await;
                return Arrival::Refused(kind);
            }
            Fate::RequestLost | Fate::Late(_) => return Arrival::Lost,
            Fate::Answered | Fate::AnswerLost => {}
        }
        let outcome = actor.does(work).await;
        world.landed(&met);
        world.sleep(back).await;
        if fate == Fate::AnswerLost { Arrival::Lost } else { Arrival::Answered(outcome) }
    }
}
