//! The words, the decisions and the controller of Howdah.
//!
//! This crate says *what* should happen; it never does it. It has no I/O, no clock and no
//! randomness of its own: those come in through the traits in [`traits`], which the
//! adapter crates (and the simulated site) implement. Because of that, every decision here
//! can be tested as a function, and whole clusters can be created in virtual time.
//!
//! ```text
//!   store (wanted) ---\
//!   BDE, vCenter, ----> observe --> decide (pure) --> act --\
//!   Neutron            ^                                     |
//!                      +------------- again ----------------+
//! ```
//!
//! * [`ids`]: typed names and identifiers;
//! * [`cluster`]: what a cluster is wanted to be, and what is known of it;
//! * [`facts`]: what the systems around us said last;
//! * [`failure`]: errors that cross a trait, and failures that are stored;
//! * [`traits`]: the traits;
//! * [`segment`]: which port group backs a Neutron network;
//! * [`mark`]: how a Neutron port says that it is ours;
//! * [`attachment`]: which ports to make, repair and delete;
//! * [`stage`]: where a node is in its boot;
//! * [`preflight`]: what is refused before the first VM is made;
//! * [`observe`]: facts into node states, conditions and events;
//! * [`action`], [`decide`]: what can be done, and what is to be done next;
//! * [`controller`]: the loop that carries them out.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod action;
pub mod attachment;
pub mod cluster;
pub mod controller;
pub mod decide;
pub mod facts;
pub mod failure;
pub mod ids;
pub mod mark;
pub mod observe;
pub mod policy;
pub mod preflight;
pub mod report;
pub mod seen;
pub mod segment;
pub mod stage;
pub mod traits;

#[cfg(test)]
mod test_support;
