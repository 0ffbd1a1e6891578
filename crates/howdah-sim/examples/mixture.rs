//! `cargo xtask sim`: many seeds of random mixtures, or one of them with a trace.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for a terminal")]

#[path = "../tests/mixture/many.rs"]
mod many;
#[path = "../tests/mixture/play.rs"]
mod play;
#[path = "../tests/mixture/script.rs"]
mod script;

use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "usage: mixture [--seeds N] [--seed S]";

fn main() -> ExitCode {
    let (mut seeds, mut one) = (1000, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|v| v.parse::<u64>().ok());
        match (name.as_str(), value) {
            ("--seeds", Some(n)) => seeds = n,
            ("--seed", Some(n)) => one = Some(n),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    if let Some(seed) = one {
        let outcome = play::seed(seed, true);
        println!(
            "seed {seed}: {}",
            if outcome.wrong.is_empty() { "nothing wrong".into() } else { outcome.wrong.join("\n") }
        );
        return ExitCode::from(u8::from(!outcome.wrong.is_empty()));
    }
    let begun = Instant::now();
    let sum = many::seeds(0, seeds);
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    println!("{}", sum.lines().join("\n"));
    println!("{:.0} s, {:.0} seeds a minute", minutes * 60.0, sum.seeds as f64 / minutes);
    println!("{} passed, {} failed", sum.seeds - sum.bad.len() as u64, sum.bad.len());
    ExitCode::from(u8::from(!sum.bad.is_empty()))
}
