//! The simulated world, run in virtual time.
#![allow(missing_docs, clippy::unwrap_used)]

mod calls;
mod faults;
mod flow;
mod guests;
mod invariants;
mod neutron;
mod people;
mod race;
mod scale;
mod site;
mod support;

#[path = "../../examples/virtual_time.rs"]
mod example;

#[test]
fn the_example_runs() {
    example::main().expect("the example fails");
}
