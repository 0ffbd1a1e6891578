//! The controller against the simulated site, in virtual time: whole operations, with faults and
//! crashes, from seeds. The seed is part of every failure message.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and prints what it counted")]

mod attachment;
mod crash;
mod faults;
mod fresh;
mod kept;
mod life;
mod messages;
mod networks;
mod quiet;
mod race;
mod shared;
mod site;
mod specification;
mod story;
mod turns;
mod watching;
mod whose;
