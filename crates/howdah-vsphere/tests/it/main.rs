//! The client against the simulated vCenter over real HTTP, and against vcsim.
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "the answers are those of the service under test")]

mod acting;
mod calls;
mod certificates;
mod create;
mod errors;
mod face;
mod meter;
mod oracle;
mod parity;
mod reading;
mod site;
mod vcsim;
mod watching;

#[path = "../../examples/watch.rs"]
mod example;

#[test]
fn the_example_runs() {
    example::main().expect("the example fails");
}
