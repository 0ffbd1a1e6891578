//! Time in decisions: how long the process has watched ([`Mono`]), the order of its calls
//! ([`Stamp`]), and the formula for the pause before a retry ([`pause`]).
//!
//! Invariant: ages, pauses and deadlines never use the wall clock, which operators and NTP step. Wall
//! time ([`jiff::Timestamp`]) is for display and for comparison with other systems' dates. [`Mono`]
//! cannot be stored, because it has no meaning in another process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

use crate::entropy::Entropy;

/// A monotonic moment: the time since an arbitrary moment before the process's first call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(Duration);

impl Mono {
    /// The moment this long after the clock's start.
    pub const fn new(since_beginning: Duration) -> Self {
        Self(since_beginning)
    }

    /// From then to now; zero if then is later.
    pub fn since(self, then: Self) -> Duration {
        self.0.saturating_sub(then.0)
    }

    /// The moment this much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// A position in the order of all calls and answers of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp(u64);

impl Stamp {
    /// Before everything.
    pub const START: Self = Self(0);
}

/// Issues stamps, each later than all earlier ones. One per process: clones share the counter.
#[derive(Debug, Clone, Default)]
pub struct Ticker(Arc<AtomicU64>);

impl Ticker {
    /// The next stamp.
    pub fn tick(&self) -> Stamp {
        Stamp(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Time. Production uses the system's clock, tests a virtual one, the demo a fast one.
pub trait Clock: Send + Sync {
    /// Wall time, which may be stepped: for display, and for comparison with other systems' dates.
    fn now(&self) -> Timestamp;

    /// Monotonic time, for ages, pauses and deadlines.
    fn mono(&self) -> Mono;

    /// Ends after this much of the clock's time.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The pause after failure number `failed` (from 1) in a row: `first`, doubled each time up to `max`, minus
/// a random part of up to half, so that callers which failed together do not retry together.
pub fn pause(first: Duration, max: Duration, failed: u32, entropy: &dyn Entropy) -> Duration {
    let full = first.saturating_mul(2u32.saturating_pow(failed.saturating_sub(1))).min(max);
    full.mul_f64(0.5 + entropy.fraction() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    struct Fixed(f64);

    impl Entropy for Fixed {
        fn uuid(&self) -> Uuid {
            Uuid::nil()
        }

        fn fraction(&self) -> f64 {
            self.0
        }
    }

    #[test]
    fn the_pause_doubles_up_to_its_limit_and_jitter_takes_half_at_most() {
        let (first, max) = (Duration::from_millis(500), Duration::from_secs(30));
        let steps: Vec<_> = (1..=8).map(|failed| pause(first, max, failed, &Fixed(1.0)).as_millis()).collect();
        assert_eq!(steps, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        assert_eq!(pause(first, max, 1, &Fixed(0.0)).as_millis(), 250);
        assert_eq!(pause(first, max, u32::MAX, &Fixed(0.0)).as_millis(), 15_000);
    }

    #[test]
    fn ages_are_never_negative_and_stamps_never_repeat() {
        let (early, late) = (Mono::new(Duration::from_secs(3)), Mono::new(Duration::from_secs(8)));
        assert_eq!(late.since(early), Duration::from_secs(5));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.plus(Duration::from_secs(5)), late);
        let ticker = Ticker::default();
        let shared = ticker.clone();
        assert!(Stamp::START < ticker.tick() && ticker.tick() < shared.tick());
    }
}
