//! Test utilities for several crates.
//!
//! Invariant: crates depend on it for their tests only, and it depends on none of them, so that each of
//! them can use it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod tls;
