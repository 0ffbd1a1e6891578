//! What the watch knows: folders, followed clusters, their VMs, and who listens. No I/O: updates go
//! in, what to do next and what to tell comes out.

use std::collections::{BTreeMap, BTreeSet};

use howdah_core::failure::RemoteError;
use howdah_core::ids::VmRef;
use howdah_core::systems::vcenter::{VmFacts, WatchEvent};

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

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::*;
    use crate::update::PropertyChange;
    use crate::xml::Element;
    use howdah_core::systems::Remote;

    type Events = UnboundedReceiver<Remote<WatchEvent>>;

    fn listen(site: &mut Site, cluster: &str, id: u64) -> Events {
        let (to, events) = tokio::sync::mpsc::unbounded_channel();
        site.take(Command::Listen { cluster: cluster.to_owned(), id, to });
        events
    }

    fn told(events: &mut Events) -> String {
        let mut words = Vec::new();
        while let Ok(event) = events.try_recv() {
            words.push(match event {
                Ok(WatchEvent::Vm(f)) => format!("{}={}", f.vm, f.name.map(|n| n.to_string()).unwrap_or_default()),
                Ok(WatchEvent::Gone(vm)) => format!("-{vm}"),
                Ok(other) => format!("{other:?}"),
                Err(e) => format!("! {e}"),
            });
        }
        words.join(" ")
    }

    fn update(ty: &str, value: &str, changes: &[(&str, &str)]) -> ObjectUpdate {
        let change = |(path, text): &(&str, &str)| PropertyChange {
            path: (*path).to_owned(),
            value: Some(Element::leaf("val", text)),
        };
        ObjectUpdate { obj: Ref::new(ty, value), left: false, changes: changes.iter().map(change).collect() }
    }

    fn left(ty: &str, value: &str) -> ObjectUpdate {
        ObjectUpdate { left: true, ..update(ty, value, &[]) }
    }

    /// Opens and closes whatever has to be, with made-up views and filters.
    fn settle(site: &mut Site) {
        let (open, close) = site.moves();
        for (cluster, folder) in close {
            site.closed(&cluster, &folder);
        }
        for (cluster, folder) in open {
            let place = Place { view: Ref::new("ContainerView", "v"), filter: Ref::new("PropertyFilter", &folder) };
            site.opened(&cluster, folder, place);
        }
        site.tell();
    }

    fn site() -> Site {
        let mut site = Site::new("SERENGETI-vApp".to_owned());
        site.update_folder(&update("Folder", "root", &[("name", "SERENGETI-vApp-1"), ("parent", "vm")]));
        site.update_folder(&update("Folder", "c1", &[("name", "c"), ("parent", "root")]));
        site.update_folder(&update("Folder", "c2", &[("name", "c"), ("parent", "vm")]));
        site
    }

    #[test]
    fn only_a_folder_below_the_root_counts() {
        let mut site = site();
        let _events = listen(&mut site, "c", 1);
        assert_eq!(site.moves(), (vec![("c".to_owned(), "c1".to_owned())], vec![]));
        settle(&mut site);
        // Renamed, it is another cluster's.
        site.update_folder(&update("Folder", "c1", &[("name", "d")]));
        assert_eq!(site.moves(), (vec![], vec![("c".to_owned(), "c1".to_owned())]));
    }

    #[test]
    fn an_enter_of_something_known_is_an_update_and_news_are_told_once() {
        let mut site = site();
        let mut events = listen(&mut site, "c", 1);
        settle(&mut site);
        assert_eq!(told(&mut events), "Synced");
        let enter = update("VirtualMachine", "vm-1", &[("name", "c-w-0")]);
        site.update_vms("c1", &[enter]);
        site.tell();
        let again = update("VirtualMachine", "vm-1", &[("name", "c-w-0")]);
        let renamed = update("VirtualMachine", "vm-1", &[("name", "c-w-9")]);
        site.update_vms("c1", &[again]);
        site.tell();
        assert_eq!(told(&mut events), "vm-1=c-w-0");
        // Several updates of one object in a set: the end counts.
        site.update_vms("c1", &[renamed, update("VirtualMachine", "vm-1", &[("name", "c-w-1")])]);
        site.tell();
        assert_eq!(told(&mut events), "vm-1=c-w-1");
        site.update_vms("c1", &[left("VirtualMachine", "vm-1"), left("VirtualMachine", "vm-1")]);
        site.update_vms("unknown-filter", &[update("VirtualMachine", "vm-2", &[])]);
        site.tell();
        assert_eq!(told(&mut events), "-vm-1");
    }

    #[test]
    fn a_vm_that_moves_between_two_folders_of_a_cluster_stays() {
        let mut site = site();
        site.update_folder(&update("Folder", "root2", &[("name", "SERENGETI-vApp-2"), ("parent", "vm")]));
        site.update_folder(&update("Folder", "c3", &[("name", "c"), ("parent", "root2")]));
        let mut events = listen(&mut site, "c", 1);
        settle(&mut site);
        site.update_vms("c1", &[update("VirtualMachine", "vm-1", &[("name", "a")])]);
        site.update_vms("c3", &[update("VirtualMachine", "vm-1", &[("name", "a")])]);
        site.update_vms("c1", &[left("VirtualMachine", "vm-1")]);
        site.tell();
        assert_eq!(told(&mut events), "Synced vm-1=a");
        // With its folder, it goes.
        site.update_folder(&left("Folder", "c3"));
        settle(&mut site);
        assert_eq!(told(&mut events), "-vm-1");
    }

    #[test]
    fn a_loss_is_told_when_it_is_over_and_only_to_those_who_knew_something() {
        let mut site = site();
        let mut old = listen(&mut site, "c", 1);
        settle(&mut site);
        site.update_vms("c1", &[update("VirtualMachine", "vm-1", &[("name", "a")])]);
        site.tell();
        site.lose();
        let mut new = listen(&mut site, "d", 2);
        assert_eq!((told(&mut old), told(&mut new)), ("Synced vm-1=a".to_owned(), String::new()));
        site.tell_error(Error::NoVm { vm: "x".to_owned() });
        settle(&mut site);
        assert_eq!(told(&mut old), "! vCenter: there is no VM x Reset Synced");
        assert_eq!(told(&mut new), "! vCenter: there is no VM x Synced");
    }

    #[test]
    fn devices_are_fetched_when_the_configuration_or_the_power_state_moved() {
        let mut site = site();
        let _events = listen(&mut site, "c", 1);
        settle(&mut site);
        let set = |site: &mut Site, path: &str, text: &str| {
            site.update_vms("c1", &[update("VirtualMachine", "vm-1", &[(path, text)])]);
            let stale = site.stale();
            for (vm, age) in &stale {
                site.set_devices(vm, age.clone(), Vec::new());
            }
            site.tell();
            stale.len()
        };
        assert_eq!(set(&mut site, "name", "being cloned"), 0);
        assert_eq!(set(&mut site, "config.changeVersion", "1"), 1);
        assert_eq!(set(&mut site, "guest.guestState", "running"), 0);
        assert_eq!(set(&mut site, "runtime.powerState", "poweredOn"), 1);
        assert_eq!(set(&mut site, "config.changeVersion", "1"), 0);
        assert_eq!(set(&mut site, "config.changeVersion", "2"), 1);
    }
}
