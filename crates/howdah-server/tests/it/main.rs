//! Tests of the service over real HTTP and UNIX sockets, with fakes behind the core's traits.

#![allow(clippy::unwrap_used)]

mod auth;
mod clusters;
mod conditions;
mod config;
mod documentation;
mod events;
mod fakes;
mod harness;
mod limits;
mod odd_store;
mod openapi;
mod refusals;
mod secrets;
mod service;
mod supervisor;
mod unreadable;
mod whole;
mod writes;
