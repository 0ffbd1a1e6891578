//! The system's randomness, for jitter and identifiers; not for keys or secrets.

use howdah_core::entropy::Entropy;
use uuid::Uuid;

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
    fn fractions_are_below_one_and_spread() {
        let all: Vec<f64> = (0..1000).map(|_| SystemEntropy.fraction()).collect();
        assert!(all.iter().all(|f| (0.0..1.0).contains(f)));
        assert!(all.iter().any(|f| *f < 0.1) && all.iter().any(|f| *f > 0.9));
    }
}
