//! The shared part, with the tests' port-first provisioner: so it rests on no other one. What is asked of
//! BDE is tested beside its strategy.

pub(crate) mod case;
mod port_first;
mod ports;
mod time;

use crate::provision::double::PortFirst;

type Case = case::Case<PortFirst>;
