//! Time and randomness of the real world, for the core that has neither.

use std::sync::LazyLock;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use howdah_core::entropy::Entropy;
use howdah_core::time::Clock;
use howdah_core::time::Mono;
use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

/// The moment of the first question for the time.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn mono(&self) -> Mono {
        Mono::new(BEGINNING.elapsed())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}

/// The system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn uuid(&self) -> Uuid {
        Uuid::new_v4()
    }

    fn fraction(&self) -> f64 {
        // The 53 bits that a float can hold exactly.
        (Uuid::new_v4().as_u128() >> 75) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_forward_for_all_who_ask() {
        let first = SystemClock.mono();
        assert!(first <= SystemClock.mono());
        assert!(SystemClock.mono().since(first) < Duration::from_secs(60));
    }

    #[test]
    fn fractions_are_below_one_and_spread() {
        let all: Vec<f64> = (0..1000).map(|_| SystemEntropy.fraction()).collect();
        assert!(all.iter().all(|f| (0.0..1.0).contains(f)));
        assert!(all.iter().any(|f| *f < 0.1) && all.iter().any(|f| *f > 0.9));
    }
}
