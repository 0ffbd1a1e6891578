//! Black-box tests of the real executable: what it prints, how it ends, and what it leaves in a
//! simulated site that it reaches over the wire.
//!
//! Every test has a folder, a site and a service of its own, listens on ports that the system
//! chose, waits for states with a deadline, and ends its processes by their id.

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
