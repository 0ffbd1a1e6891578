//! Black-box tests of the real executable: its output, its exit code, and what it leaves in a
//! simulated site that it reaches over the wire.
//!
//! Every test has its own folder, site and service, listens on ports that the system
//! chose, waits for states with a deadline, and ends its processes by their ID.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod child;
mod crash;
mod crowd;
mod demo;
mod fakes;
mod files;
mod full_disk;
mod help;
mod life;
mod refusals;
mod setup;
mod tables;
mod untrusted;
