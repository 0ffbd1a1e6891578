//! The production client against the production routes over real HTTP and TLS, with a backend
//! that fits into memory between them; and the routes against raw requests.
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "the answers are those of the service under test")]

mod bodies;
mod certificates;
mod meter;
mod refusals;
mod releases;
mod requests;
mod samples;
mod sessions;
mod support;
mod untrusted;

#[path = "../../examples/create.rs"]
mod example;

#[test]
fn the_example_runs() {
    example::main().expect("the example fails");
}
