//! The system's clock, for the core, which has none.

use std::sync::LazyLock;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use howdah_core::time::Clock;
use howdah_core::time::Mono;
use jiff::Timestamp;
use tokio::time::Instant;

/// The moment of the first query.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_forward_for_all_who_ask() {
        let first = SystemClock.mono();
        assert!(first <= SystemClock.mono());
        assert!(SystemClock.mono().since(first) < Duration::from_secs(60));
    }
}
