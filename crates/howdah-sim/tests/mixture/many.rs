//! Many seeds on all processors, and what they came to.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::play::{Outcome, seed};

/// What all of them came to.
#[derive(Default)]
pub struct Sum {
    pub seeds: u64,
    pub tally: BTreeMap<String, u64>,
    /// Those in which something was wrong, by seed.
    pub bad: BTreeMap<u64, Vec<String>>,
}

impl Sum {
    fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        for (word, count) in outcome.tally {
            *self.tally.entry(word).or_default() += count;
        }
        if !outcome.wrong.is_empty() {
            self.bad.insert(outcome.seed, outcome.wrong);
        }
    }

    /// Lines for people: how often each thing took place, and what was wrong in which seed.
    pub fn lines(&self) -> Vec<String> {
        let counts = self.tally.iter().map(|(word, count)| format!("{count:>9}  {word}"));
        let bad = self.bad.iter().map(|(seed, wrong)| format!("seed {seed}: {}", wrong.join("; ")));
        counts.chain(bad).collect()
    }
}

/// Runs these seeds.
pub fn seeds(from: u64, count: u64) -> Sum {
    let (next, sum) = (AtomicU64::new(from), Mutex::new(Sum::default()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= from + count {
                        break;
                    }
                    let outcome = seed(number, false);
                    sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(outcome);
                }
            });
        }
    });
    sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}
