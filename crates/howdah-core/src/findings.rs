//! Findings about the current operation that are neither facts about a remote system
//! ([`crate::seen`]) nor stored ([`crate::known`]).
//!
//! Answers write them, [`decide`](crate::decide) reads them. Invariant: they live as long as the process and can
//! be dropped: then the checks run again and every wait starts again.

use std::time::Duration;

use crate::failure::Failure;
use crate::seen::Seen;
use crate::time::{Mono, Stamp};

/// Findings about the current operation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// When this process started on the operation. An answer to an earlier question is no verdict on it.
    pub begun: Stamp,
    /// When the checks before the first change passed.
    pub checked_at: Option<Mono>,
    /// Why the operation is impossible, if a check has shown that.
    pub refused: Option<Failure>,
    /// An event has reported that the requester's rights cannot be verified.
    pub told_rights_unknown: bool,
    /// Since when each look has shown a busy status without a running task.
    pub stuck_since: Option<Mono>,
    /// This cluster has released its registration.
    pub released: bool,
    /// When the last write on a port ended.
    pub ports_ended: Stamp,
}

impl Findings {
    /// The findings for the next operation, which starts now. Those about ports and registration stay.
    #[must_use]
    pub fn next(&self, begun: Stamp) -> Self {
        Self { begun, released: self.released, ports_ended: self.ports_ended, ..Self::default() }
    }

    /// How long ago the checks passed.
    pub fn checked(&self, now: Mono) -> Option<Duration> {
        self.checked_at.map(|at| now.since(at))
    }

    /// For how long looks have shown a busy status without a running task: from the first to the last such
    /// look, because only looks count.
    pub fn stuck(&self, seen: &Seen, now: Mono) -> Option<Duration> {
        let age = seen.cluster.age(now).unwrap_or_default();
        self.stuck_since.map(|since| now.since(since).saturating_sub(age))
    }
}
