//! The VMs below the folders that are looked into, as vCenter showed them last. No I/O.
//!
//! Reads and updates arrive side by side. An update is the newer one if it came after the read was asked
//! for, so each VM carries the age of its last update and a read takes the place of older ones only.

use std::collections::{BTreeMap, BTreeSet};

use howdah_core::ids::VmRef;
use howdah_core::systems::vcenter::{Power, VmFacts};

use super::Age;
use crate::retrieve::Object;
use crate::update::ObjectUpdate;
use crate::vm::{DEVICES, Light, Nic, nics};
use crate::xml::Element;

#[derive(Default)]
pub(super) struct Seen {
    /// The filter that showed it, if one has; it is gone when that filter says so.
    filter: Option<String>,
    updated: Age,
    light: Light,
    cards: Vec<Nic>,
    /// The cluster in whose folder it is, as was found last.
    pub(super) cluster: Option<String>,
    /// It may have to be told.
    pub(super) changed: bool,
}

impl Seen {
    /// Takes a property's new value; `None` if it has lost its value.
    fn set(&mut self, path: &str, value: Option<&Element>) {
        match path {
            DEVICES => self.cards = value.map(nics).unwrap_or_default(),
            _ => self.light.set(path, value),
        }
    }

    /// The folder that it is in.
    pub(super) fn parent(&self) -> &str {
        self.light.parent.as_deref().unwrap_or_default()
    }

    pub(super) fn is_on(&self) -> bool {
        self.light.power == Some(Power::On)
    }

    pub(super) fn facts(&self, vm: &VmRef) -> VmFacts {
        self.light.facts(vm, &self.cards)
    }
}

/// Those VMs.
#[derive(Default)]
pub(super) struct Vms {
    pub(super) all: BTreeMap<VmRef, Seen>,
}

impl Vms {
    /// Takes the update of a filter; whether the VM is gone with it.
    pub(super) fn update(&mut self, filter: &str, update: &ObjectUpdate, age: Age) -> Option<Seen> {
        let vm = VmRef::new(update.obj.value.as_str());
        if update.left {
            // One that moved to a folder of another filter has entered there already.
            let here = self.all.get(&vm).is_some_and(|seen| seen.filter.as_deref().is_none_or(|f| f == filter));
            return here.then(|| self.all.remove(&vm)).flatten();
        }
        let seen = self.all.entry(vm).or_default();
        seen.filter = Some(filter.to_owned());
        seen.updated = age;
        seen.changed = true;
        for change in &update.changes {
            seen.set(&change.path, change.value.as_ref());
        }
        None
    }

    /// Takes a VM as it was read.
    pub(super) fn read(&mut self, object: &Object, asked: Age) {
        let seen = self.all.entry(VmRef::new(object.obj.value.as_str())).or_default();
        if seen.updated > asked {
            return;
        }
        let mut read = Seen::default();
        for (path, value) in &object.properties {
            read.set(path, Some(value));
        }
        seen.changed |= seen.light != read.light || seen.cards != read.cards;
        (seen.light, seen.cards) = (read.light, read.cards);
    }

    /// Forgets those of these folders that a read did not show; their references, and what they were.
    pub(super) fn forget_unread(
        &mut self,
        there: &BTreeSet<&str>,
        asked: Age,
        is_in: impl Fn(&Seen) -> bool,
    ) -> Vec<(VmRef, Seen)> {
        self.all
            .extract_if(.., |vm, seen| seen.updated <= asked && !there.contains(vm.as_str()) && is_in(seen))
            .collect()
    }

    /// Forgets those that only this filter shows.
    pub(super) fn forget_filter(&mut self, filter: &str) -> Vec<(VmRef, Seen)> {
        self.all.extract_if(.., |_, seen| seen.filter.as_deref() == Some(filter)).collect()
    }
}
