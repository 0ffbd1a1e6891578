//! The simulated world, run in virtual time.
#![allow(missing_docs)]

mod controller;
mod flow;
mod guests;
mod race;
mod scale;
mod site;
mod support;
