//! Test utilities for several crates.
//!
//! Invariant: crates depend on it for their tests only, and of them it depends on `howdah-core` alone, so that
//! each of the others can use it. (The core's own tests have `test_support`.)

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod sample;
pub mod tls;
