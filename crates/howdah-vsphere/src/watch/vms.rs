//! The last known state of the VMs below the watched folders. No I/O.
//!
//! Reads and updates arrive concurrently. An update is newer if it arrived after the start of the read, so
//! each VM has the age of its last update, and a read replaces only older data.

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
    /// The filter that reported it, if any; the VM is gone when that filter reports it.
    filter: Option<String>,
    updated: Age,
    light: Light,
    cards: Vec<Nic>,
    /// The cluster of its folder, by the last lookup.
    pub(super) cluster: Option<String>,
    /// It may have a pending event.
    pub(super) changed: bool,
}

impl Seen {
    /// Sets a property's new value; `None` if it no longer has one.
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
    /// Applies an update of a filter; returns whether the VM is gone.
    pub(super) fn update(&mut self, filter: &str, update: &ObjectUpdate, age: Age) -> Option<Seen> {
        let vm = VmRef::new(update.obj.value.as_str());
        if update.left {
            // A VM that moved to a folder of another filter has already entered that one.
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

    /// Applies a read of a VM.
    pub(super) fn read(&mut self, object: &Object, asked: Age) {
        // An incomplete answer is no newer knowledge.
        if object.withheld.is_some() {
            return;
        }
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

    /// Drops VMs of these folders that a read did not show; returns their references and data.
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

    /// Drops the VMs that only this filter reports.
    pub(super) fn forget_filter(&mut self, filter: &str) -> Vec<(VmRef, Seen)> {
        self.all.extract_if(.., |_, seen| seen.filter.as_deref() == Some(filter)).collect()
    }
}
