//! What the watch knows: folders, filters, followed clusters, their VMs, and who listens. No I/O: updates
//! and reads go in, what to do next and what to tell comes out.
//!
//! A filter looks into many folders at once and is kept as long as one of them is a followed cluster's.
//! A cluster is in sync from when each of its folders was read; from then on its updates are told one by
//! one, and until then nothing of it is.

use std::collections::{BTreeMap, BTreeSet};

use howdah_core::failure::RemoteError;
use howdah_core::ids::VmRef;
use howdah_core::systems::vcenter::{VmFacts, WatchEvent};

use super::folders::Folders;
use super::vms::{Seen, Vms};
use super::{Age, Command, Listener};
use crate::error::Error;
use crate::request::Ref;
use crate::retrieve::Object;
use crate::update::ObjectUpdate;

/// Everything that is known of a site.
pub(super) struct Site {
    folders: Folders,
    clusters: BTreeMap<String, Followed>,
    /// The folders that are looked into, or are about to be.
    places: BTreeMap<String, Place>,
    filters: BTreeMap<String, Ref>,
    vms: Vms,
    /// How many sets of updates came.
    age: Age,
    /// What has left while something was being read.
    left: BTreeMap<String, Age>,
    /// Folders or clusters are others than at the last [`Self::rearrange`].
    rearranged: bool,
}

/// A followed cluster.
#[derive(Default)]
struct Followed {
    listeners: Vec<(u64, Listener)>,
    /// The present state has been told.
    synced: bool,
    /// What was told is void.
    reset_due: bool,
    told: BTreeMap<VmRef, VmFacts>,
}

/// A folder that is looked into.
enum Place {
    /// Its filter is being made.
    Opening,
    /// This filter shows what changes in it; whether its content was read.
    Open { filter: String, read: bool },
    /// It went while its filter was being made.
    Gone,
}

impl Site {
    pub(super) fn new(folder_prefix: String) -> Self {
        Self {
            folders: Folders::new(folder_prefix),
            clusters: BTreeMap::new(),
            places: BTreeMap::new(),
            filters: BTreeMap::new(),
            vms: Vms::default(),
            age: 0,
            left: BTreeMap::new(),
            rearranged: true,
        }
    }

    /// Whether nobody listens.
    pub(super) fn is_empty(&self) -> bool {
        self.clusters.is_empty()
    }

    /// The age of what is known: a read that is asked for now is newer than that.
    pub(super) fn age(&self) -> Age {
        self.age
    }

    pub(super) fn take(&mut self, command: Command) {
        self.rearranged = true;
        match command {
            Command::Listen { cluster, id, to } => {
                let followed = self.clusters.entry(cluster).or_default();
                if followed.synced {
                    for facts in followed.told.values() {
                        let _ = to.send(Ok(WatchEvent::Vm(facts.clone())));
                    }
                    let _ = to.send(Ok(WatchEvent::Synced));
                }
                followed.listeners.push((id, to));
            }
            Command::Leave { cluster, id } => {
                if let Some(followed) = self.clusters.get_mut(&cluster) {
                    followed.listeners.retain(|(listener, _)| *listener != id);
                    if followed.listeners.is_empty() {
                        self.clusters.remove(&cluster);
                    }
                }
            }
        }
    }

    /// Forgets what depended on a connection. Listeners are told when it is back.
    pub(super) fn lose(&mut self) {
        self.folders.clear();
        self.places.clear();
        self.filters.clear();
        self.vms = Vms::default();
        self.left.clear();
        self.rearranged = true;
        for cluster in self.clusters.values_mut() {
            cluster.reset_due |= cluster.synced || !cluster.told.is_empty();
            cluster.synced = false;
            cluster.told.clear();
        }
    }

    pub(super) fn tell_error(&self, error: Error) {
        let error = RemoteError::from(error);
        let message = howdah_core::failure::chain(&error);
        let message = message.strip_prefix("vCenter: ").unwrap_or(&message);
        for (_, listener) in self.clusters.values().flat_map(|c| &c.listeners) {
            let mut copy = RemoteError::new(error.system, error.kind, error.code, message);
            copy.hint.clone_from(&error.hint);
            let _ = listener.send(Err(copy));
        }
    }

    // ------------------------------------------------------------ what comes in

    /// A set of updates came; its parts follow.
    pub(super) fn begin_set(&mut self) {
        self.age += 1;
    }

    pub(super) fn update_folder(&mut self, update: &ObjectUpdate) {
        self.rearranged = true;
        if update.left {
            self.left.insert(update.obj.value.clone(), self.age);
        }
        self.folders.update(update, self.age);
    }

    /// Takes the updates of a filter on VMs; those of one that was not made yet, or was removed, are of no
    /// interest: what one shows is read after it was made.
    pub(super) fn update_vms(&mut self, filter: &str, updates: &[ObjectUpdate]) {
        if !self.filters.contains_key(filter) {
            return;
        }
        // A folder that is missing is told of like a VM; its own filter says so too.
        for update in updates.iter().filter(|u| u.obj.ty == "VirtualMachine") {
            if update.left {
                self.left.insert(update.obj.value.clone(), self.age);
            }
            if let Some(gone) = self.vms.update(filter, update, self.age) {
                self.forget(vec![(VmRef::new(update.obj.value.as_str()), gone)]);
            }
        }
    }

    /// Takes all folders, as they were read.
    pub(super) fn read_folders(&mut self, objects: &[Object], asked: Age) {
        let left = &self.left;
        self.folders.replace(objects, asked, |moref| left.get(moref).is_some_and(|at| *at > asked));
        self.rearranged = true;
    }

    /// Takes the whole content of these folders, as it was read.
    pub(super) fn read_vms(&mut self, folders: &[String], objects: &[Object], asked: Age) {
        let left_since = |moref: &str| self.left.get(moref).is_some_and(|at| *at > asked);
        for object in objects.iter().filter(|o| !left_since(&o.obj.value)) {
            self.vms.read(object, asked);
        }
        let there: BTreeSet<&str> = objects.iter().map(|o| o.obj.value.as_str()).collect();
        let of_these: BTreeSet<&str> = folders.iter().map(String::as_str).collect();
        let tree = &self.folders;
        let is_in = |seen: &Seen| tree.home_of(seen.parent()).is_some_and(|(home, _)| of_these.contains(home));
        let gone = self.vms.forget_unread(&there, asked, is_in);
        self.forget(gone);
        for folder in folders {
            if let Some(Place::Open { read, .. }) = self.places.get_mut(folder) {
                *read = true;
            }
        }
    }

    /// Nothing is being read: nothing can come that is older than what has left.
    pub(super) fn nothing_is_read(&mut self) {
        self.left.clear();
    }

    // ------------------------------------------------------------ what to look into

    /// The folders to look into now, and the filters to remove, if that may have changed.
    pub(super) fn rearrange(&mut self) -> (Vec<String>, Vec<Ref>) {
        if !std::mem::take(&mut self.rearranged) {
            return Default::default();
        }
        let homes = self.folders.homes();
        let followed = self.clusters.keys().filter_map(|name| homes.get(name.as_str()));
        let wanted: BTreeSet<&str> = followed.flatten().copied().collect();
        let open: Vec<String> =
            wanted.iter().filter(|f| !self.places.contains_key(**f)).map(|f| (*f).to_owned()).collect();
        let used = |(folder, place): (&String, &Place)| match place {
            Place::Open { filter, .. } if wanted.contains(folder.as_str()) => Some(filter.clone()),
            _ => None,
        };
        let used: BTreeSet<String> = self.places.iter().filter_map(used).collect();
        let unused: Vec<String> = self.filters.keys().filter(|f| !used.contains(*f)).cloned().collect();
        self.places.retain(|folder, place| match place {
            Place::Opening => true,
            Place::Open { filter, .. } => used.contains(filter),
            Place::Gone => wanted.contains(folder.as_str()),
        });
        self.places.extend(open.iter().map(|folder| (folder.clone(), Place::Opening)));
        for seen in self.vms.all.values_mut() {
            let cluster = self.folders.home_of(seen.parent()).map(|(_, name)| name);
            let known = cluster.and_then(|c| self.clusters.get(c)).is_none_or(|c| c.synced);
            seen.changed |= cluster != seen.cluster.as_deref() || !known;
        }
        let mut close = Vec::new();
        for filter in unused {
            close.extend(self.filters.remove(&filter));
            let gone = self.vms.forget_filter(&filter);
            self.forget(gone);
        }
        (open, close)
    }

    /// A filter looks into these folders.
    pub(super) fn opened(&mut self, folders: &[String], filter: Ref) {
        for folder in folders {
            self.places.insert(folder.clone(), Place::Open { filter: filter.value.clone(), read: false });
        }
        self.filters.insert(filter.value.clone(), filter);
        // What it was made for may not be wanted any more.
        self.rearranged = true;
    }

    /// A folder was not there any more.
    pub(super) fn vanished(&mut self, folder: &str) {
        self.places.insert(folder.to_owned(), Place::Gone);
        self.rearranged = true;
    }

    /// All folders that are looked into.
    pub(super) fn open(&self) -> Vec<String> {
        let open = |(folder, place): (&String, &Place)| matches!(place, Place::Open { .. }).then(|| folder.clone());
        self.places.iter().filter_map(open).collect()
    }

    /// No VM is being made, as far as can be seen: all are on.
    pub(super) fn is_calm(&self) -> bool {
        self.vms.all.values().all(Seen::is_on)
    }

    // ------------------------------------------------------------ what to tell

    /// Tells the listeners whatever they do not know yet and can be told.
    pub(super) fn tell(&mut self) {
        let ready = self.ready();
        for name in &ready {
            if let Some(followed) = self.clusters.get_mut(name)
                && std::mem::take(&mut followed.reset_due)
            {
                followed.send(&WatchEvent::Reset);
            }
        }
        for (vm, seen) in self.vms.all.iter_mut().filter(|(_, s)| s.changed) {
            let cluster = self.folders.home_of(seen.parent()).map(|(_, name)| name);
            if cluster != seen.cluster.as_deref() {
                if let Some(before) = seen.cluster.take().and_then(|c| self.clusters.get_mut(&c)) {
                    before.forget(vm);
                }
                seen.cluster = cluster.map(str::to_owned);
            }
            let Some((name, followed)) = cluster.and_then(|c| Some((c, self.clusters.get_mut(c)?))) else {
                seen.changed = false; // until its cluster is followed
                continue;
            };
            if followed.synced || ready.contains(name) {
                seen.changed = false;
                followed.tell(vm, seen.facts(vm));
            }
        }
        for name in &ready {
            if let Some(followed) = self.clusters.get_mut(name) {
                followed.synced = true;
                followed.send(&WatchEvent::Synced);
            }
        }
    }

    /// The clusters that come into sync now: each of their folders was read.
    fn ready(&self) -> BTreeSet<String> {
        if !self.folders.are_read() || self.clusters.values().all(|c| c.synced) {
            return BTreeSet::new();
        }
        let homes = self.folders.homes();
        let is_read = |folder: &&str| matches!(self.places.get(*folder), Some(Place::Open { read: true, .. }));
        let is_ready = |name: &str| homes.get(name).is_none_or(|folders| folders.iter().all(is_read));
        let waiting = self.clusters.iter().filter(|(name, c)| !c.synced && is_ready(name));
        waiting.map(|(name, _)| name.clone()).collect()
    }

    fn forget(&mut self, gone: Vec<(VmRef, Seen)>) {
        for (vm, seen) in gone {
            if let Some(followed) = seen.cluster.and_then(|c| self.clusters.get_mut(&c)) {
                followed.forget(&vm);
            }
        }
    }
}

impl Followed {
    fn send(&self, event: &WatchEvent) {
        for (_, listener) in &self.listeners {
            // A listener that is gone says so by a command of its own.
            let _ = listener.send(Ok(event.clone()));
        }
    }

    fn tell(&mut self, vm: &VmRef, facts: VmFacts) {
        if self.told.get(vm) != Some(&facts) {
            self.send(&WatchEvent::Vm(facts.clone()));
            self.told.insert(vm.clone(), facts);
        }
    }

    fn forget(&mut self, vm: &VmRef) {
        if self.told.remove(vm).is_some() {
            self.send(&WatchEvent::Gone(vm.clone()));
        }
    }
}

#[cfg(test)]
#[path = "site_tests.rs"]
mod tests;
