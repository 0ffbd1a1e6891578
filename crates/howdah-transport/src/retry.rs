//! Bounded retries with jitter. Invariant: the number of attempts is finite and known before the
//! first. The caller decides whether a retry is *safe*; this only counts and waits.

use std::time::Duration;

use crate::SystemEntropy;

/// The number and the pauses of retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub max: Duration,
    /// The number of attempts, including the first.
    pub attempts: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(200), max: Duration::from_secs(5), attempts: 4 }
    }
}

impl Backoff {
    /// The wait after failure number `failed` (from 1), with jitter ([`howdah_core::time::pause`]).
    pub fn delay(&self, failed: u32) -> Duration {
        howdah_core::time::pause(self.first, self.max, failed, &SystemEntropy)
    }
}

/// Calls until success, a permanent error, or the last attempt.
///
/// # Errors
/// The error of the last attempt.
pub async fn retry<T, E, F, C>(backoff: &Backoff, is_transient: impl Fn(&E) -> bool, mut call: C) -> Result<T, E>
where
    C: FnMut() -> F,
    F: Future<Output = Result<T, E>>,
    E: std::fmt::Display,
{
    let mut failed = 0;
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(error) => {
                failed += 1;
                if failed >= backoff.attempts || !is_transient(&error) {
                    return Err(error);
                }
                let wait = backoff.delay(failed);
                tracing::debug!(%error, failed, ?wait, "retrying");
                tokio::time::sleep(wait).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_callers_that_failed_together_do_not_come_back_together() {
        let delays: Vec<_> = (0..100).map(|_| Backoff::default().delay(9)).collect();
        assert!(delays.iter().all(|d| *d >= Backoff::default().max / 2 && *d <= Backoff::default().max));
        assert!(delays.windows(2).any(|pair| pair[0] != pair[1]));
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_at_the_bound_and_at_what_is_not_transient() {
        let backoff = Backoff { attempts: 3, ..Backoff::default() };
        let mut calls = 0;
        let result: Result<(), _> = retry(
            &backoff,
            |_| true,
            || {
                calls += 1;
                async { Err("busy") }
            },
        )
        .await;
        assert_eq!((result, calls), (Err("busy"), 3));
        let mut calls = 0;
        let result: Result<(), _> = retry(
            &backoff,
            |e| *e == "busy",
            || {
                calls += 1;
                async { Err("refused") }
            },
        )
        .await;
        assert_eq!((result, calls), (Err("refused"), 1));
    }
}
