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
//! * [`time`], [`fresh`]: how long we have watched, and facts that know when they were asked for;
//! * [`cluster`], [`condition`]: what a cluster is wanted to be, and what is known of it;
//! * [`naming`]: which clusters hold their names;
//! * [`document`]: the same as it is stored, version by version;
//! * [`intent`]: the journal of what was sent;
//! * [`own`]: whose things are, and the tokens without which nothing is written;
//! * [`specification`]: words for the cluster manager that are nobody else's to read;
//! * [`facts`]: what the systems around us said last;
//! * [`failure`]: errors that cross a trait, and failures that are stored;
//! * [`text`]: others' text, made fit to be shown;
//! * [`traits`]: the traits;
//! * [`segment`]: which port group backs a Neutron network;
//! * [`mark`]: how a Neutron port says that it is ours; [`capability`]: the right to read one cluster;
//! * [`attachment`]: which ports to make, repair and delete;
//! * [`stage`]: where a node is in its boot;
//! * [`preflight`]: what is refused before the first VM is made;
//! * [`rights`]: what a requester may do in a project;
//! * [`observe`], [`health`]: facts into node states, conditions, status and events;
//! * [`trouble`]: what fails since when, and when it may be tried again;
//! * [`action`], [`decide`]: what can be done, and what is to be done next;
//! * [`controller`]: the loop that carries them out;
//! * [`registrar`]: a site's network registrations, and who uses them;
//! * [`turns`]: fair turns between projects in front of the cluster manager.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod action;
pub mod attachment;
pub mod capability;
pub mod cluster;
pub mod condition;
pub mod controller;
pub mod decide;
pub mod document;
pub mod facts;
pub mod failure;
pub mod fresh;
pub mod health;
pub mod ids;
pub mod intent;
pub mod mark;
pub mod naming;
pub mod observe;
pub mod own;
pub mod policy;
pub mod preflight;
pub mod registrar;
pub mod report;
pub mod rights;
pub mod seen;
pub mod segment;
pub mod specification;
pub mod stage;
pub mod text;
pub mod time;
pub mod traits;
pub mod trouble;
pub mod turns;

#[cfg(test)]
mod test_support;
