//! One question to a remote system, asked for many clusters at once.
//!
//! ```text
//!   ask: the newest answer is fresh enough      --> given at once
//!        a query in flight will be fresh enough --> joined
//!        a query in flight was asked too early  --> waited for, then all who waited share the next
//!        otherwise                              --> a new query
//! ```
//!
//! Invariants: at most one query is in flight; an answer carries when its query was really asked, never
//! when the caller asked; callers that are dropped do not end the query for others, and the last one
//! that is dropped ends it. A failure goes to all who joined that query, and is not remembered.
//!
//! It never starts a query on its own, repeats one, or waits before one. A caller that arrives while a
//! query is in flight waits for the next, so a crowd is gathered without a delay for the first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};

use crate::failure::RemoteError;
use crate::request::within;
use crate::systems::Remote;
use crate::time::{Clock, Mono, Stamp, Ticker};

/// Which answers will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fresh {
    /// One that was asked for after this.
    After(Stamp),
    /// One that was asked for no longer ago than this.
    Within(Duration),
}

/// An answer, and when it was really asked for.
#[derive(Debug)]
pub struct Told<T> {
    /// The answer, shared by all who asked.
    pub answer: Arc<T>,
    /// When it was asked for.
    pub asked: Stamp,
    /// The same by the clock.
    pub asked_at: Mono,
}

impl<T> Clone for Told<T> {
    fn clone(&self) -> Self {
        Self { answer: Arc::clone(&self.answer), asked: self.asked, asked_at: self.asked_at }
    }
}

type Query<T> = BoxFuture<'static, Result<Told<T>, Arc<RemoteError>>>;

/// The query in flight, as long as anybody waits for it.
struct Flying<T> {
    asked: Stamp,
    asked_at: Mono,
    query: WeakShared<Query<T>>,
}

struct State<T> {
    newest: Option<Told<T>>,
    flying: Option<Flying<T>>,
}

/// Asks one question for all who want to know.
pub struct Keeper<T> {
    state: Arc<Mutex<State<T>>>,
}

impl<T> Default for Keeper<T> {
    fn default() -> Self {
        Self { state: Arc::new(Mutex::new(State { newest: None, flying: None })) }
    }
}

impl<T: Send + Sync + 'static> Keeper<T> {
    /// The newest answer, whatever its age.
    pub fn newest(&self) -> Option<Told<T>> {
        lock(&self.state).newest.clone()
    }

    /// An answer that is fresh enough. `query` makes the future that asks; it is called only where a new
    /// query is needed.
    ///
    /// # Errors
    /// If the query fails that this caller began or joined.
    pub async fn ask<F>(
        &self,
        fresh: Fresh,
        clock: &dyn Clock,
        ticker: &Ticker,
        query: impl Fn() -> F,
    ) -> Remote<Told<T>>
    where
        F: Future<Output = Remote<T>> + Send + 'static,
    {
        loop {
            let (shared, will_do) = match self.place(fresh, clock, ticker, &query) {
                Place::Known(told) => return Ok(told),
                Place::Joined(shared) => (shared, true),
                Place::TooEarly(shared) => (shared, false),
            };
            let end = shared.await;
            if will_do {
                // Who asked alone gets the failure as it is.
                return end.map_err(|e| Arc::try_unwrap(e).unwrap_or_else(|shared| shared.for_others()));
            }
        }
    }

    /// Where a caller finds its answer: looked up, and a query begun, under one lock.
    fn place<F>(&self, fresh: Fresh, clock: &dyn Clock, ticker: &Ticker, query: &impl Fn() -> F) -> Place<T>
    where
        F: Future<Output = Remote<T>> + Send + 'static,
    {
        let now = clock.mono();
        let good = |asked: Stamp, asked_at: Mono| match fresh {
            Fresh::After(floor) => asked > floor,
            Fresh::Within(age) => now.since(asked_at) <= age,
        };
        let mut state = lock(&self.state);
        if let Some(newest) = state.newest.as_ref().filter(|n| good(n.asked, n.asked_at)) {
            return Place::Known(newest.clone());
        }
        if let Some(flying) = &state.flying
            && let Some(shared) = flying.query.upgrade()
        {
            return if good(flying.asked, flying.asked_at) { Place::Joined(shared) } else { Place::TooEarly(shared) };
        }
        let (asked, asked_at) = (ticker.tick(), now);
        // It is nobody's own, and any caller may poll it.
        let (asking, kept) = (within(None, query()), Arc::clone(&self.state));
        let shared = async move {
            let end = asking.await;
            let mut state = lock(&kept);
            state.flying = None;
            let told = Told { answer: Arc::new(end?), asked, asked_at };
            state.newest = Some(told.clone());
            Ok(told)
        }
        .boxed()
        .shared();
        state.flying = shared.downgrade().map(|query| Flying { asked, asked_at, query });
        Place::Joined(shared)
    }
}

enum Place<T> {
    Known(Told<T>),
    Joined(Shared<Query<T>>),
    TooEarly(Shared<Query<T>>),
}

/// Nothing under the lock can leave it half changed.
fn lock<T>(state: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
