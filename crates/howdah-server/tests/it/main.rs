//! Tests of the service over real HTTP and UNIX sockets, with fakes behind the core's traits.

#![allow(clippy::unwrap_used)]

mod auth;
mod canary;
mod clusters;
mod conditions;
mod config;
mod crowds;
mod documentation;
mod entitled;
mod events;
mod fakes;
mod harness;
mod limits;
mod odd_store;
mod openapi;
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
