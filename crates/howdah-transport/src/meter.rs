//! Counts the calls of an adapter. Each adapter has one place through which every call passes, and measures
//! there ([`measure`]), so a new method cannot forget to.
//!
//! A call is one question and its final answer: with repeats, renewed logins and all. Invariant: a meter
//! changes nothing, and an adapter says whose credentials or words a call carried ([`Whose`]): what a requester
//! brings along can make any call fail, so only the service's own calls show the health of a system.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use howdah_core::failure::{ErrorKind, System};

/// Whose credentials and words a call carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The operator's credentials, for the service's own work.
    Service,
    /// A requester's: a token, a password, a name to look up.
    Requester,
}

/// How a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed {
    /// The kind of failure.
    pub kind: ErrorKind,
    /// The stable code of the error.
    pub code: &'static str,
}

/// A call that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called<'a> {
    /// The system that was called.
    pub system: System,
    /// The operation in the system's own words, without names or IDs: `POST ports`, `ReconfigVM_Task`.
    pub method: &'a str,
    /// Whose it was.
    pub whose: Whose,
    /// How long it took.
    pub took: Duration,
    /// How it failed, if it did.
    pub failed: Option<Failed>,
}

/// Takes note of calls.
pub trait Meter: fmt::Debug + Send + Sync {
    /// A call has ended.
    fn called(&self, call: &Called<'_>);
}

/// Counts nothing: for programs without metrics.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unmetered;

impl Meter for Unmetered {
    fn called(&self, _: &Called<'_>) {}
}

/// A meter for programs without metrics.
pub fn unmetered() -> Arc<dyn Meter> {
    Arc::new(Unmetered)
}

/// Keeps what was reported, for tests of adapters: system, method, whose, and the kind of failure.
#[derive(Debug, Default)]
pub struct Notes(Mutex<Vec<Note>>);

/// One reported call.
pub type Note = (System, String, Whose, Option<ErrorKind>);

impl Notes {
    /// The calls since the last time.
    pub fn take(&self) -> Vec<Note> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Meter for Notes {
    fn called(&self, call: &Called<'_>) {
        let note = (call.system, call.method.to_owned(), call.whose, call.failed.map(|f| f.kind));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }
}

/// Makes a call and reports its end. `failed` classifies an error; `None` for an error that is the answer to the
/// question, such as "this token is not valid".
///
/// # Errors
/// Those of the call.
pub async fn measure<T, E>(
    meter: &dyn Meter,
    (system, method, whose): (System, &str, Whose),
    failed: impl FnOnce(&E) -> Option<Failed>,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let begun = Instant::now();
    let result = call.await;
    let failed = result.as_ref().err().and_then(failed);
    meter.called(&Called { system, method, whose, took: begun.elapsed(), failed });
    result
}
