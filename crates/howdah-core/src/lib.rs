//! The domain types, the decisions and the controller of Howdah.
//!
//! This crate decides *what* should happen; others do it. It has no I/O, no clock and no randomness of its
//! own: the adapter crates and the simulated site provide them through the traits in [`systems`], [`store`],
//! [`time`] and [`entropy`]. So tests call every decision as a function and create whole clusters in virtual
//! time.
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
//! | modules | content |
//! |---|---|
//! | [`systems`] | the remote systems: one trait each, with its requests and answers |
//! | [`store`], [`time`], [`entropy`] | the other traits: database, clock, randomness |
//! | [`ids`], [`text`], [`failure`], [`event`] | basic types |
//! | [`wanted`], [`known`], [`condition`] | the wanted state of a cluster (written by the API) and the known state (written by its controller) |
//! | [`document`], [`specification`], [`naming`], [`usage`] | the stored form of both, encrypted parts, which clusters hold their names, what they count for |
//! | [`fresh`], [`seen`] | seen facts, with the moment of their query |
//! | [`intent`], [`trouble`] | the journal of sent calls; failing calls |
//! | [`own`], [`mark`], [`capability`], [`rights`] | ownership and permissions |
//! | [`segment`], [`attach`], [`stage`], [`preflight`] | rules: port groups, ports and cards, boot stages, checks before a create |
//! | [`observe`], [`history`], [`health`], [`report`] | from facts to node states, node histories, conditions, status, events and messages |
//! | [`action`], [`decide`], [`policy`] | the actions, the choice of the next ones, and the limits |
//! | [`controller`] | the control loop |
//! | [`site`] | what exists once per site |
//!
//! `examples/judge.rs` judges a card and its port as the controller does, without any remote call.

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
pub mod request;
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
pub mod usage;
pub mod wanted;

#[cfg(test)]
mod test_support;
