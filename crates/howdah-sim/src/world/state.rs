//! The whole state of the world in one value. Only `World::write` changes it, which increments the
//! revision; waiters wait for the revision.

use std::collections::BTreeSet;

use howdah_core::ids::VmRef;
use jiff::Timestamp;

use crate::world::actor::Actor;
use crate::world::bde::Bde;
use crate::world::clock::Dice;
use crate::world::faults::{Counters, Fate, Faults, Inner};
use crate::world::foreign::Guard;
use crate::world::guest::external::External;
use crate::world::journal::Journal;
use crate::world::keystone::Keystone;
use crate::world::neutron::Neutron;
use crate::world::settings::SiteSettings;
use crate::world::vcenter::inventory::{Inventory, Vm};

/// Everything the world knows.
#[derive(Debug)]
pub struct State {
    /// What kind of site it is.
    pub settings: SiteSettings,
    /// Time of the change in progress. Only good inside `World::write`.
    pub now: Timestamp,
    /// Moves with each change.
    pub revision: u64,
    /// vCenter.
    pub vc: Inventory,
    /// The cluster manager.
    pub bde: Bde,
    /// Neutron.
    pub neutron: Neutron,
    /// Keystone.
    pub keystone: Keystone,
    /// Calls.
    pub counters: Counters,
    /// Fault rules.
    pub faults: Faults,
    /// What happened when.
    pub journal: Journal,
    /// Guests whose leases come from outside.
    pub external: External,
    /// Seeded randomness.
    pub dice: Dice,
    /// Who makes the change in progress. Only good inside `World::write`.
    pub actor: Actor,
    /// Watches over what is not the service's, once it was asked to.
    pub(crate) guard: Option<Guard>,
    /// Clusters in whose VMs something changed in this write; drained at its end.
    pub(crate) touched: BTreeSet<String>,
}

impl State {
    /// A VM.
    pub fn vm(&self, vm: &VmRef) -> Option<&Vm> {
        self.vc.vms.get(vm)
    }

    /// Changes a VM, if it is there, and marks it as changed.
    pub fn change_vm<R>(&mut self, vm: &VmRef, change: impl FnOnce(&mut Vm) -> R) -> Option<R> {
        let revision = self.revision;
        let found = self.vc.vms.get_mut(vm)?;
        found.revision = revision;
        self.touched.extend(found.cluster.clone());
        Some(change(found))
    }

    /// Whether a rule stops this piece of inner work now.
    pub fn fails(&mut self, work: Inner, object: &str) -> bool {
        let dice = self.dice;
        let verdict = self.faults.judge(work.system(), work.method(), object, |s| dice.fraction("fault", s));
        matches!(verdict.fate, Fate::Refused(_))
    }
}
