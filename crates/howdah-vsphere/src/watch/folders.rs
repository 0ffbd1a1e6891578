//! The folders of a site: finds the clusters' folders, and the cluster of a VM. No I/O.
//!
//! A site has few folders. The parent of a cluster's folder has a name that starts with the name of the
//! cluster manager's folder. Names and parents of folders may change.

use std::collections::{BTreeMap, BTreeSet};

use super::Age;
use crate::retrieve::Object;
use crate::update::ObjectUpdate;
use crate::vm::unescape;

/// A depth limit above any inventory; it ends a walk through folders that arrived in an inconsistent order.
const DEEPEST: usize = 64;

#[derive(Default)]
struct Folder {
    name: String,
    parent: String,
    age: Age,
}

/// All folders, by reference.
pub(super) struct Folders {
    prefix: String,
    folders: BTreeMap<String, Folder>,
    /// They were read completely.
    read: bool,
}

impl Folders {
    /// No folders yet. `prefix`: the prefix of the name of the folder above the clusters'.
    pub(super) fn new(prefix: String) -> Self {
        Self { prefix, folders: BTreeMap::new(), read: false }
    }

    pub(super) fn clear(&mut self) {
        self.folders.clear();
        self.read = false;
    }

    /// Whether the list is complete, so that absence counts.
    pub(super) fn are_read(&self) -> bool {
        self.read
    }

    pub(super) fn update(&mut self, update: &ObjectUpdate, age: Age) {
        if update.left {
            self.folders.remove(&update.obj.value);
            return;
        }
        let folder = self.folders.entry(update.obj.value.clone()).or_default();
        folder.age = age;
        for change in &update.changes {
            let text = change.value.as_ref().map(|v| v.text.as_str()).unwrap_or_default();
            match change.path.as_str() {
                "name" => folder.name = unescape(text),
                "parent" => text.clone_into(&mut folder.parent),
                _ => {}
            }
        }
    }

    /// Applies a complete read of all folders; updates since the start of that read stay.
    pub(super) fn replace(&mut self, objects: &[Object], asked: Age, left_since: impl Fn(&str) -> bool) {
        let there: BTreeSet<&str> = objects.iter().map(|o| o.obj.value.as_str()).collect();
        self.folders.retain(|moref, folder| folder.age > asked || there.contains(moref.as_str()));
        for object in objects.iter().filter(|o| !left_since(&o.obj.value)) {
            let folder = self.folders.entry(object.obj.value.clone()).or_default();
            if folder.age <= asked {
                folder.name = object.text("name").map(unescape).unwrap_or_default();
                object.text("parent").unwrap_or_default().clone_into(&mut folder.parent);
            }
        }
        self.read = true;
    }

    /// The clusters' folders, by the clusters' names.
    pub(super) fn homes(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut homes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (moref, folder) in self.folders.iter().filter(|(_, f)| self.is_home(f)) {
            homes.entry(&folder.name).or_default().insert(moref);
        }
        homes
    }

    /// The cluster's folder at or above this one, and the cluster's name.
    pub(super) fn home_of(&self, folder: &str) -> Option<(&str, &str)> {
        let mut moref = folder;
        for _ in 0..DEEPEST {
            let (key, folder) = self.folders.get_key_value(moref)?;
            if self.is_home(folder) {
                return Some((key, &folder.name));
            }
            moref = &folder.parent;
        }
        None
    }

    fn is_home(&self, folder: &Folder) -> bool {
        self.folders.get(&folder.parent).is_some_and(|above| above.name.starts_with(&self.prefix))
    }
}
