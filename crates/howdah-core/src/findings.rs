//! What answers have shown about the operation in hand, and is neither a fact about a remote system
//! ([`crate::seen`]) nor stored ([`crate::known`]).
//!
//! Answers write it, [`decide`](crate::decide) reads it. Invariant: it lives as long as the process, and all of
//! it can be thrown away: then the checks are made again and every wait begins again.

use std::time::Duration;

use crate::failure::Failure;
use crate::seen::Seen;
use crate::time::{Mono, Stamp};

/// What was found out about the operation in hand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// When this process took the operation up. An answer to an earlier question is no verdict on it.
    pub begun: Stamp,
    /// When the checks before the first change passed.
    pub checked_at: Option<Mono>,
    /// Why the operation cannot be carried out, if a check has shown that.
    pub refused: Option<Failure>,
    /// An event has told that the requester's rights could not be looked up.
    pub told_rights_unknown: bool,
    /// Since when each look has shown a status of work without a task that works.
    pub stuck_since: Option<Mono>,
    /// This cluster's use of the registration has been given up.
    pub released: bool,
    /// When the last write on a port ended.
    pub ports_ended: Stamp,
}

impl Findings {
    /// Those of the next operation, which begins now. What happened to ports and registration stays true.
    #[must_use]
    pub fn next(&self, begun: Stamp) -> Self {
        Self { begun, released: self.released, ports_ended: self.ports_ended, ..Self::default() }
    }

    /// How long ago the checks passed.
    pub fn checked(&self, now: Mono) -> Option<Duration> {
        self.checked_at.map(|at| now.since(at))
    }

    /// For how long looks have shown a status of work without a task that works: from the first to
    /// the last of them, because while nobody looks nothing is known.
    pub fn stuck(&self, seen: &Seen, now: Mono) -> Option<Duration> {
        let age = seen.cluster.age(now).unwrap_or_default();
        self.stuck_since.map(|since| now.since(since).saturating_sub(age))
    }
}
