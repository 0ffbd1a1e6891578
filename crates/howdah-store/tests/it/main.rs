//! Tests of the store: one contract for both implementations, and what only a file can do.

#![allow(clippy::unwrap_used)]

mod clear;
mod contract;
mod crash;
mod damage;
mod file;
mod fixture;
mod full;
mod sample;

#[path = "../../examples/restart.rs"]
mod example;

#[test]
fn the_example_runs() {
    example::main().expect("the example fails");
}
