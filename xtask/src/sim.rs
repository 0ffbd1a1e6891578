//! `cargo xtask sim`: random mixtures of operations, faults, strangers and crashes in virtual time.

use crate::run::{Done, command, lines, must};

fn mixture(seeds: u64, seed: Option<u64>) -> std::process::Command {
    let mut run = command("cargo", &["run", "--quiet", "--locked", "--profile", "simulation"]);
    run.args(["--package", "howdah-sim", "--example", "mixture", "--", "--seeds", &seeds.to_string()]);
    if let Some(seed) = seed {
        run.args(["--seed", &seed.to_string()]);
    }
    run
}

/// Runs so many seeds, or replays one.
pub fn run(seeds: u64, seed: Option<u64>) -> Done {
    must(&mut mixture(seeds, seed))
}

/// The same as a part of a test run.
pub fn watched(seeds: u64, each: impl FnMut(&str)) -> Done<bool> {
    lines("sim", &mut mixture(seeds, None), each)
}
