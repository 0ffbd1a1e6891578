//! Random mixtures of operations, faults, crashes, strangers and people, from seeds, in virtual time.
//! `cargo xtask sim --seeds N` runs more of them, `--seed S` replays one.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a test prints what it counted, a replay its trace")]

mod many;
mod play;
mod script;

const SEEDS: u64 = 2000;

#[test]
fn two_thousand_seeds() {
    let sum = many::seeds(0, SEEDS);
    let lines = sum.lines().join("\n");
    println!("{lines}");
    assert!(sum.bad.is_empty(), "{} of {SEEDS} seeds; cargo xtask sim --seed S replays one:\n{lines}", sum.bad.len());
    for word in ["operation: superseded", "crash: at a store write", "crash: hours away", "fault: late effect"] {
        assert!(sum.tally.get(word).is_some_and(|n| *n > 0), "{word} never took place:\n{lines}");
    }
}
