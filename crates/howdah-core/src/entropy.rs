//! The trait for randomness: the core has no source of its own.

use uuid::Uuid;

/// Randomness. Production uses the system's, tests a seeded one.
pub trait Entropy: Send + Sync {
    /// A version 4 UUID.
    fn uuid(&self) -> Uuid;

    /// From 0.0 up to, not including, 1.0: for jitter.
    fn fraction(&self) -> f64;
}
