//! The state of the watch: folders, filters, watched clusters, their VMs, and listeners. No I/O: its input
//! is updates and reads, its output the next calls and events.
//!
//! A filter covers many folders and is kept as long as one of them belongs to a watched cluster.
//! A cluster is in sync once each of its folders has been read; from then on its updates are reported one
//! by one, and before that none are.

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

/// The state of a site.
pub(super) struct Site {
    folders: Folders,
    clusters: BTreeMap<String, Followed>,
    /// The folders in filters, existing or pending.
    places: BTreeMap<String, Place>,
    filters: BTreeMap<String, Ref>,
    vms: Vms,
    /// The number of sets of updates.
    age: Age,
    /// The objects that left during a read.
    left: BTreeMap<String, Age>,
    /// Folders or clusters have changed since the last [`Self::rearrange`].
    rearranged: bool,
}

/// A watched cluster.
#[derive(Default)]
struct Followed {
    listeners: Vec<(u64, Listener)>,
    /// The current state has been reported.
    synced: bool,
    /// The reported state is invalid.
    reset_due: bool,
    told: BTreeMap<VmRef, VmFacts>,
}

/// A folder in a filter.
enum Place {
    /// Its filter is being created.
    Opening,
    /// This filter reports its changes; the flag shows whether its content was read.
    Open { filter: String, read: bool },
    /// It was dropped while its filter was being created.
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

    /// Whether there is no listener.
    pub(super) fn is_empty(&self) -> bool {
        self.clusters.is_empty()
    }

    /// The age of the current state: a read that starts now is newer.
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

    /// Drops everything that depended on a connection. Listeners are notified when it is back.
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

    /// A set of updates starts; its parts follow.
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

    /// Applies the updates of a filter on VMs. Updates of a removed or unregistered filter are ignored: its
    /// content is read after its creation.
    pub(super) fn update_vms(&mut self, filter: &str, updates: &[ObjectUpdate]) {
        if !self.filters.contains_key(filter) {
            return;
        }
        // A missing folder is reported like a VM; its own filter reports it too.
        for update in updates.iter().filter(|u| u.obj.ty == "VirtualMachine") {
            if update.left {
                self.left.insert(update.obj.value.clone(), self.age);
            }
            if let Some(gone) = self.vms.update(filter, update, self.age) {
                self.forget(vec![(VmRef::new(update.obj.value.as_str()), gone)]);
            }
        }
    }

    /// Applies a read of all folders.
    pub(super) fn read_folders(&mut self, objects: &[Object], asked: Age) {
        let left = &self.left;
        self.folders.replace(objects, asked, |moref| left.get(moref).is_some_and(|at| *at > asked));
        self.rearranged = true;
    }

    /// Applies a complete read of these folders' content.
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

    /// No read is in progress, so no older data can arrive for objects that left.
    pub(super) fn nothing_is_read(&mut self) {
        self.left.clear();
    }

    // ------------------------------------------------------------ what to look into

    /// The folders to add to filters, and the filters to remove, if that may have changed.
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

    /// A filter covers these folders.
    pub(super) fn opened(&mut self, folders: &[String], filter: Ref) {
        for folder in folders {
            self.places.insert(folder.clone(), Place::Open { filter: filter.value.clone(), read: false });
        }
        self.filters.insert(filter.value.clone(), filter);
        // Its folders may no longer be needed.
        self.rearranged = true;
    }

    /// A folder no longer exists.
    pub(super) fn vanished(&mut self, folder: &str) {
        self.places.insert(folder.to_owned(), Place::Gone);
        self.rearranged = true;
    }

    /// All folders in filters.
    pub(super) fn open(&self) -> Vec<String> {
        let open = |(folder, place): (&String, &Place)| matches!(place, Place::Open { .. }).then(|| folder.clone());
        self.places.iter().filter_map(open).collect()
    }

    /// Whether no VM is being created: all visible VMs are on.
    pub(super) fn is_calm(&self) -> bool {
        self.vms.all.values().all(Seen::is_on)
    }

    // ------------------------------------------------------------ what to tell

    /// Sends the listeners all new events.
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
                seen.changed = false; // until its cluster is watched
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
            // A dropped listener sends a command.
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
