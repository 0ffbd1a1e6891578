//! Bounded repeats with jitter. Invariant: the number of attempts is finite and known before the
//! first. Whether a repeat is *safe* is the caller's to know; this only counts and waits.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// How often and how slowly to repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub max: Duration,
    /// How often to try in all, the first time included.
    pub attempts: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(200), max: Duration::from_secs(5), attempts: 4 }
    }
}

impl Backoff {
    /// The wait after failure number `failed` (from 1): doubled each time up to the maximum, then
    /// a random part of its upper half, so that many callers do not come back together.
    /// `fraction` is from 0.0 up to 1.0.
    pub fn delay(&self, failed: u32, fraction: f64) -> Duration {
        let doubled = self.first.saturating_mul(2u32.saturating_pow(failed.saturating_sub(1)));
        doubled.min(self.max).mul_f64(0.5 + fraction.clamp(0.0, 1.0) / 2.0)
    }
}

/// Calls until it works, the error is not transient, or the attempts are used up.
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
                let wait = backoff.delay(failed, fraction());
                tracing::debug!(%error, failed, ?wait, "will be tried again");
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// From 0.0 up to 1.0. The standard library's hasher keys are random; jitter needs no more.
fn fraction() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    f64::from((bits >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_maximum_and_keep_half() {
        let backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(5), attempts: 9 };
        let full: Vec<_> = (1..=4).map(|n| backoff.delay(n, 1.0).as_secs_f64()).collect();
        assert_eq!(full, [1.0, 2.0, 4.0, 5.0]);
        assert_eq!(backoff.delay(1, 0.0), Duration::from_millis(500));
        assert_eq!(backoff.delay(u32::MAX, 1.0), Duration::from_secs(5));
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
