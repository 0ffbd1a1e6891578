//! The simulated world, run in virtual time.
#![allow(missing_docs, clippy::unwrap_used)]

mod flow;
mod guests;
mod race;
mod scale;
mod site;
mod support;
