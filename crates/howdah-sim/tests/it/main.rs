//! The simulated world, run in virtual time.
#![allow(missing_docs)]

mod flow;
mod guests;
mod race;
mod scale;
mod support;
