//! Tests of the service over real HTTP and UNIX sockets, with fakes behind the core's traits.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "the answers are those of the service under test")]

mod auth;
mod bounds;
mod clusters;
mod conditions;
mod config;
mod documentation;
mod events;
mod fakes;
mod harness;
mod logins;
mod odd_store;
mod openapi;
mod readiness;
mod refusals;
mod secrets;
mod service;
mod supervisor;
mod unreadable;
mod whole;
mod writes;
