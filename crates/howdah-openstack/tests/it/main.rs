//! The production client against the simulated Keystone and Neutron over HTTP, and against
//! servers that misbehave in ways that the simulated ones do not.

#![allow(clippy::unwrap_used, missing_docs)]

mod both;
mod grants;
mod login;
mod meter;
mod networking;
mod parity;
mod ports;
mod site;
mod standing;
mod trouble;
mod untrusted;

#[path = "../../examples/port.rs"]
mod example;

#[test]
fn the_example_runs() {
    example::main().expect("the example fails");
}
