//! The world's clock and its seeded randomness.
//!
//! [`SimClock`] counts from an epoch on tokio's time: virtual under a paused runtime, real
//! otherwise, `speed` times faster if asked; its wall clock can be stepped. [`Dice`] draws by *purpose and subject*, not in
//! sequence, so that a guest boots as long in one run as in another however much else differs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use howdah_core::entropy::Entropy;
use howdah_core::ids::Mac;
use howdah_core::time::Clock;
use howdah_core::time::Mono;
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

/// Simulated time, and the wall clock of the machine that the service runs on.
///
/// That wall clock can be stepped, as by an operator or by NTP after a long outage; sleeping and
/// [`elapsed`](Self::elapsed) go on undisturbed. Clones share the steps.
#[derive(Debug, Clone)]
pub struct SimClock {
    epoch: Timestamp,
    start: tokio::time::Instant,
    speed: f64,
    /// What the wall clock is ahead of the true time.
    stepped: Arc<Mutex<SignedDuration>>,
}

impl SimClock {
    /// A clock that shows `epoch` now and then runs `speed` times as fast as tokio's time.
    pub fn new(epoch: Timestamp, speed: f64) -> Self {
        let start = tokio::time::Instant::now();
        Self { epoch, start, speed: speed.max(0.001), stepped: Arc::default() }
    }

    /// How many simulated seconds pass in one of tokio's.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Simulated time since the start: monotonic, whatever the wall clock does.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed().mul_f64(self.speed)
    }

    /// The wall time without any steps.
    pub fn true_now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.elapsed()).unwrap_or(SignedDuration::MAX);
        self.epoch.saturating_add(passed).unwrap_or(self.epoch)
    }

    /// Steps the wall clock: forward, or back if negative. Steps add up.
    pub fn step(&self, by: SignedDuration) {
        let mut stepped = self.stepped();
        *stepped = stepped.saturating_add(by);
    }

    fn stepped(&self) -> MutexGuard<'_, SignedDuration> {
        self.stepped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let now = self.true_now();
        now.saturating_add(*self.stepped()).unwrap_or(now)
    }

    fn mono(&self) -> Mono {
        Mono::new(self.elapsed())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration.div_f64(self.speed)).boxed()
    }
}

/// Seeded randomness by purpose and subject.
#[derive(Debug, Clone, Copy)]
pub struct Dice {
    seed: u64,
}

impl Dice {
    /// Dice of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    fn hash(&self, purpose: &str, subject: &str) -> u64 {
        // FNV-1a over both names, then a SplitMix64 finish: stable across platforms and versions.
        let bytes = purpose.bytes().chain([0]).chain(subject.bytes());
        let mut h = bytes
            .fold(0xcbf2_9ce4_8422_2325 ^ self.seed, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3));
        h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        h ^ (h >> 31)
    }

    /// From 0.0 up to, not including, 1.0.
    pub fn fraction(&self, purpose: &str, subject: &str) -> f64 {
        (self.hash(purpose, subject) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A duration within a range.
    pub fn span(&self, range: Span, purpose: &str, subject: &str) -> Duration {
        range.at(self.fraction(purpose, subject))
    }

    /// A version 4 UUID.
    pub fn uuid(&self, purpose: &str, subject: &str) -> Uuid {
        let low = u128::from(self.hash(purpose, subject));
        let high = u128::from(self.hash(subject, purpose));
        uuid::Builder::from_random_bytes(((high << 64) | low).to_be_bytes()).into_uuid()
    }

    /// A MAC address below a prefix of three bytes; the fourth is in `from..=to`.
    pub fn mac(&self, prefix: [u8; 3], from: u8, to: u8, purpose: &str, subject: &str) -> Mac {
        let [a, b, c, ..] = self.hash(purpose, subject).to_be_bytes();
        let fourth = from + u8::try_from(u16::from(a) % (u16::from(to - from) + 1)).unwrap_or_default();
        Mac::new([prefix[0], prefix[1], prefix[2], fourth, b, c])
    }
}

/// A range of durations, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Span {
    /// Shortest.
    pub from: f64,
    /// Longest.
    pub to: f64,
}

impl Span {
    /// From one figure to another, in seconds.
    pub const fn new(from: f64, to: f64) -> Self {
        Self { from, to }
    }

    /// Always the same.
    pub const fn exactly(seconds: f64) -> Self {
        Self { from: seconds, to: seconds }
    }

    /// The duration at a fraction of the range.
    pub fn at(&self, fraction: f64) -> Duration {
        Duration::from_secs_f64((self.from + (self.to - self.from) * fraction).max(0.0))
    }
}

/// Randomness in sequence, for what core asks of [`Entropy`].
#[derive(Debug)]
pub struct SeededEntropy(Mutex<StdRng>);

impl SeededEntropy {
    /// Entropy of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    fn draw<T>(&self, f: impl FnOnce(&mut StdRng) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Entropy for SeededEntropy {
    fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.draw(|r| r.random::<[u8; 16]>())).into_uuid()
    }

    fn fraction(&self) -> f64 {
        self.draw(|r| r.random::<f64>())
    }
}
