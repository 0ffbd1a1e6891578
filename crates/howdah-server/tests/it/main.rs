//! Tests of the service over real HTTP and UNIX sockets, with fakes behind the core's traits.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "the answers are those of the service under test")]

mod auth;
mod bounds;
mod canary;
mod clusters;
mod conditions;
mod config;
mod crowds;
mod documentation;
mod entitled;
mod events;
mod fakes;
mod fenced;
mod harness;
mod limits;
mod logins;
mod odd_store;
mod openapi;
mod paging;
mod readiness;
mod realms;
mod refusals;
mod secrets;
mod service;
mod specification;
mod supervisor;
mod unreadable;
mod untrusted;
mod whole;
mod writes;

#[path = "../../examples/serve.rs"]
mod example;

#[test]
fn the_example_runs() {
    example::main().expect("the example fails");
}
