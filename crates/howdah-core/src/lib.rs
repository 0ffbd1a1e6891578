//! The words, the decisions and the controller of Howdah.
//!
//! This crate says *what* should happen; it never does it. It has no I/O, no clock and no
//! randomness of its own: those come in through the traits in [`systems`], [`store`], [`time`] and [`entropy`], which the
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
//! The map, from the outside in:
//!
//! | modules | what they hold |
//! |---|---|
//! | [`systems`] | the remote systems: a trait each, what they are asked and what they say |
//! | [`store`], [`time`], [`entropy`] | the other traits: database, clock, randomness |
//! | [`ids`], [`text`], [`failure`], [`event`] | words that everybody uses |
//! | [`wanted`], [`known`], [`condition`] | a cluster as it is wanted (written by the API) and as it is known (written by its controller) |
//! | [`document`], [`specification`], [`naming`] | how both are stored, what is sealed, which clusters hold their names |
//! | [`fresh`], [`seen`] | what was seen, and when it was asked for |
//! | [`intent`], [`trouble`] | the journal of what was sent; what fails since when |
//! | [`own`], [`mark`], [`capability`], [`rights`] | whose things are, and who may do what |
//! | [`segment`], [`attach`], [`stage`], [`preflight`] | rules: port groups, ports and cards, boot stages, checks before a create |
//! | [`observe`], [`history`], [`health`], [`report`] | facts into node states, what nodes went through, conditions, status, events and sentences |
//! | [`action`], [`decide`], [`policy`] | what can be done, what is to be done next, and the figures |
//! | [`controller`] | the loop that carries it out |
//! | [`site`] | what exists once for each site |
//!
//! `examples/judge.rs` judges a card and its port as the controller does, with nobody to ask.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod action;
pub mod attach;
pub mod capability;
pub mod condition;
pub mod controller;
pub mod decide;
pub mod document;
pub mod entropy;
pub mod event;
pub mod failure;
pub mod findings;
pub mod fresh;
pub mod health;
pub mod history;
pub mod ids;
pub mod intent;
pub mod known;
pub mod mark;
pub mod naming;
pub mod observe;
pub mod own;
pub mod policy;
pub mod preflight;
pub mod provision;
pub mod report;
pub mod rights;
pub mod sealed;
pub mod seen;
pub mod segment;
pub mod site;
pub mod specification;
pub mod stage;
pub mod store;
pub mod systems;
pub mod text;
pub mod time;
pub mod trouble;
pub mod wanted;

#[cfg(test)]
mod test_support;
