//! What the watch knows: folders, followed clusters, their VMs, and who listens. No I/O: updates go
//! in, what to do next and what to tell comes out.

use std::collections::{BTreeMap, BTreeSet};

use howdah_core::facts::{VmFacts, WatchEvent};
use howdah_core::failure::RemoteError;
use howdah_core::ids::VmRef;

use super::{Command, Listener};
use crate::error::Error;
use crate::request::Ref;
use crate::retrieve::Object;
use crate::update::ObjectUpdate;
use crate::vm::{DeviceAge, Light, Nic, unescape};

/// Everything that is known of a site.
pub(super) struct Site {
    folder_prefix: String,
    /// All folders by reference: they are few, VMs are not among them.
    folders: BTreeMap<String, Folder>,
    clusters: BTreeMap<String, Followed>,
    /// The followed clusters' folders may have changed.
    pub(super) folders_changed: bool,
}

#[derive(Default)]
struct Folder {
    name: String,
    parent: String,
}

/// A followed cluster.
#[derive(Default)]
pub(super) struct Followed {
    listeners: Vec<(u64, Listener)>,
    /// The present state has been told.
    synced: bool,
    /// What was told is void.
    reset_due: bool,
    pub(super) places: BTreeMap<String, Place>,
    vms: BTreeMap<VmRef, Seen>,
}

/// A followed cluster and a folder of it.
type Whereabouts = (String, String);

/// A folder that is being looked into.
pub(super) struct Place {
    pub(super) view: Ref,
    pub(super) filter: Ref,
}

#[derive(Default)]
struct Seen {
    place: String,
    light: Light,
    devices: Option<(DeviceAge, Vec<Nic>)>,
    told: Option<VmFacts>,
    changed: bool,
}

impl Site {
    pub(super) fn new(folder_prefix: String) -> Self {
        Self { folder_prefix, folders: BTreeMap::new(), clusters: BTreeMap::new(), folders_changed: false }
    }

    /// Whether there is nothing to follow and nothing to clean up.
    pub(super) fn is_empty(&self) -> bool {
        self.clusters.is_empty()
    }

    pub(super) fn take(&mut self, command: Command) {
        match command {
            Command::Listen { cluster, id, to } => {
                let followed = self.clusters.entry(cluster).or_default();
                if followed.synced {
                    for facts in followed.vms.values().filter_map(|v| v.told.clone()) {
                        let _ = to.send(Ok(WatchEvent::Vm(facts)));
                    }
                    let _ = to.send(Ok(WatchEvent::Synced));
                }
                followed.listeners.push((id, to));
                self.folders_changed = true;
            }
            Command::Leave { cluster, id } => {
                let Some(followed) = self.clusters.get_mut(&cluster) else {
                    return;
                };
                followed.listeners.retain(|(listener, _)| *listener != id);
                if followed.listeners.is_empty() {
                    if followed.places.is_empty() {
                        self.clusters.remove(&cluster);
                    }
                    self.folders_changed = true;
                }
            }
        }
    }

    /// Whether a cluster has yet to be looked for or to be forgotten.
    pub(super) fn has_work(&self) -> bool {
        self.clusters.values().any(|c| !c.synced || c.listeners.is_empty())
    }

    /// Forgets what depended on a connection. Listeners are told when it is back.
    pub(super) fn lose(&mut self) {
        self.folders.clear();
        self.folders_changed = true;
        self.clusters.retain(|_, c| !c.listeners.is_empty());
        for cluster in self.clusters.values_mut() {
            cluster.reset_due |= cluster.synced || cluster.vms.values().any(|v| v.told.is_some());
            cluster.synced = false;
            cluster.places.clear();
            cluster.vms.clear();
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

    // ------------------------------------------------------------ folders

    pub(super) fn update_folder(&mut self, update: &ObjectUpdate) {
        self.folders_changed = true;
        if update.left {
            self.folders.remove(&update.obj.value);
            return;
        }
        let folder = self.folders.entry(update.obj.value.clone()).or_default();
        for change in &update.changes {
            let text = change.value.as_ref().map(|v| v.text.as_str()).unwrap_or_default();
            match change.path.as_str() {
                "name" => folder.name = unescape(text),
                "parent" => folder.parent = text.to_owned(),
                _ => {}
            }
        }
    }

    pub(super) fn replace_folders(&mut self, objects: &[Object]) {
        let read = |o: &Object| Folder {
            name: o.text("name").map(unescape).unwrap_or_default(),
            parent: o.text("parent").unwrap_or_default().to_owned(),
        };
        self.folders = objects.iter().map(|o| (o.obj.value.clone(), read(o))).collect();
        self.folders_changed = true;
    }

    /// The folders to look into, and those not to look into any more.
    pub(super) fn moves(&self) -> (Vec<Whereabouts>, Vec<Whereabouts>) {
        let mut homes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (moref, folder) in &self.folders {
            let root = self.folders.get(&folder.parent);
            if root.is_some_and(|r| r.name.starts_with(&self.folder_prefix)) {
                homes.entry(&folder.name).or_default().insert(moref);
            }
        }
        let none = BTreeSet::new();
        let (mut open, mut close) = (Vec::new(), Vec::new());
        for (name, cluster) in &self.clusters {
            let wanted = if cluster.listeners.is_empty() { &none } else { homes.get(name.as_str()).unwrap_or(&none) };
            let new = wanted.iter().filter(|f| !cluster.places.contains_key(**f));
            open.extend(new.map(|f| (name.clone(), (*f).to_owned())));
            let old = cluster.places.keys().filter(|f| !wanted.contains(f.as_str()));
            close.extend(old.map(|f| (name.clone(), f.clone())));
        }
        (open, close)
    }

    pub(super) fn opened(&mut self, cluster: &str, folder: String, place: Place) {
        if let Some(cluster) = self.clusters.get_mut(cluster) {
            cluster.places.insert(folder, place);
        }
    }

    /// Forgets a folder and its VMs.
    pub(super) fn closed(&mut self, cluster: &str, folder: &str) -> Option<Place> {
        let followed = self.clusters.get_mut(cluster)?;
        let place = followed.places.remove(folder);
        let gone: Vec<_> = followed.vms.iter().filter(|(_, v)| v.place == folder).map(|(r, _)| r.clone()).collect();
        for vm in gone {
            followed.forget(&vm);
        }
        if followed.listeners.is_empty() && followed.places.is_empty() {
            self.clusters.remove(cluster);
        }
        place
    }

    /// All folders that are looked into, as (cluster, folder, view).
    pub(super) fn places(&self) -> Vec<(String, String, Ref)> {
        let of = |(name, c): (&String, &Followed)| {
            c.places.iter().map(|(f, p)| (name.clone(), f.clone(), p.view.clone())).collect::<Vec<_>>()
        };
        self.clusters.iter().flat_map(of).collect()
    }

    fn place_of(&mut self, filter: &str) -> Option<(&mut Followed, String)> {
        self.clusters.values_mut().find_map(|c| {
            let folder = c.places.iter().find(|(_, p)| p.filter.value == filter)?.0.clone();
            Some((c, folder))
        })
    }

    // ------------------------------------------------------------ VMs

    /// Takes the updates of a filter on VMs.
    pub(super) fn update_vms(&mut self, filter: &str, updates: &[ObjectUpdate]) {
        // Updates of a filter that has just been removed are of no interest.
        let Some((cluster, folder)) = self.place_of(filter) else {
            return;
        };
        for update in updates {
            let vm = VmRef::new(update.obj.value.as_str());
            if update.left {
                // A VM that moved to another folder of the cluster has entered there already.
                if cluster.vms.get(&vm).is_some_and(|v| v.place == folder) {
                    cluster.forget(&vm);
                }
                continue;
            }
            let seen = cluster.vms.entry(vm).or_default();
            seen.place.clone_from(&folder);
            seen.changed = true;
            for change in &update.changes {
                seen.light.set(&change.path, change.value.as_ref());
            }
        }
    }

    /// Takes the whole content of a folder.
    pub(super) fn replace_vms(&mut self, cluster: &str, folder: &str, objects: &[Object]) {
        let Some(cluster) = self.clusters.get_mut(cluster) else {
            return;
        };
        let mut there = BTreeSet::new();
        for object in objects {
            let vm = VmRef::new(object.obj.value.as_str());
            let mut light = Light::default();
            for (path, value) in &object.properties {
                light.set(path, Some(value));
            }
            let seen = cluster.vms.entry(vm.clone()).or_default();
            seen.changed |= seen.told.is_none() || seen.light != light;
            seen.light = light;
            folder.clone_into(&mut seen.place);
            there.insert(vm);
        }
        let absent = |(vm, seen): (&VmRef, &Seen)| (seen.place == folder && !there.contains(vm)).then(|| vm.clone());
        let gone: Vec<_> = cluster.vms.iter().filter_map(absent).collect();
        for vm in gone {
            cluster.forget(&vm);
        }
    }

    /// The VMs whose device lists have to be fetched, and the age that those will have.
    pub(super) fn stale(&self) -> BTreeMap<VmRef, DeviceAge> {
        let of = |(vm, seen): (&VmRef, &Seen)| {
            let age = seen.light.device_age()?;
            let known = seen.devices.as_ref().is_some_and(|(known, _)| *known == age);
            (seen.changed && !known).then(|| (vm.clone(), age))
        };
        self.clusters.values().flat_map(|c| c.vms.iter().filter_map(of)).collect()
    }

    pub(super) fn set_devices(&mut self, vm: &VmRef, age: DeviceAge, nics: Vec<Nic>) {
        if let Some(seen) = self.clusters.values_mut().find_map(|c| c.vms.get_mut(vm)) {
            seen.devices = Some((age, nics));
        }
    }

    /// Tells the listeners whatever they do not know yet.
    pub(super) fn tell(&mut self) {
        for cluster in self.clusters.values_mut() {
            if std::mem::take(&mut cluster.reset_due) {
                cluster.send(&WatchEvent::Reset);
            }
            let mut news = Vec::new();
            for (vm, seen) in cluster.vms.iter_mut().filter(|(_, s)| s.changed) {
                seen.changed = false;
                let nics = seen.devices.as_ref().map(|(_, nics)| nics.as_slice()).unwrap_or_default();
                let facts = seen.light.facts(vm, nics);
                if seen.told.as_ref() != Some(&facts) {
                    seen.told = Some(facts.clone());
                    news.push(WatchEvent::Vm(facts));
                }
            }
            for event in &news {
                cluster.send(event);
            }
            if !std::mem::replace(&mut cluster.synced, true) {
                cluster.send(&WatchEvent::Synced);
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

    fn forget(&mut self, vm: &VmRef) {
        if self.vms.remove(vm).is_some_and(|seen| seen.told.is_some()) {
            self.send(&WatchEvent::Gone(vm.clone()));
        }
    }
}
