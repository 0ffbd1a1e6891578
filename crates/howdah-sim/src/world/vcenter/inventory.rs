//! vCenter's inventory as plain data. References (`MoRef`) are the value part of a managed
//! object reference: `vm-12`, `group-v3`, `dvportgroup-7`.
//!
//! Invariant: every reference held by an object names an object that is there, but for the
//! moment in which a VM is being destroyed. What is done to VMs stands in `power`, `nic` and `vm_ops`.

use std::collections::{BTreeMap, BTreeSet};

use howdah_core::ids::{Mac, VmRef};
use uuid::Uuid;

use crate::world::vcenter::sso::Account;
use crate::world::vcenter::vctask::VcTask;

pub use crate::world::vcenter::vm::{Backing, FIRST_NIC, GuestState, Nic, Vm};

/// The value of a managed object reference.
pub type MoRef = String;

/// A datacenter with its four root folders.
#[derive(Debug, Clone)]
pub struct Datacenter {
    /// Name.
    pub name: String,
    /// Root of its VM folders.
    pub vm_folder: MoRef,
    /// Root of its host folders.
    pub host_folder: MoRef,
    /// Root of its network folders.
    pub network_folder: MoRef,
    /// Root of its datastore folders.
    pub datastore_folder: MoRef,
}

/// A folder.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Name.
    pub name: String,
    /// Folder or datacenter above it; none for the root.
    pub parent: Option<MoRef>,
    /// `Folder` types that may stand in it: `VirtualMachine`, `Network`, ...
    pub child_type: &'static str,
    /// Folders, VMs, ... directly in it.
    pub children: BTreeSet<MoRef>,
}

/// A compute cluster.
#[derive(Debug, Clone)]
pub struct Compute {
    /// Name.
    pub name: String,
    /// Folder above it.
    pub parent: MoRef,
    /// Root resource pool.
    pub pool: MoRef,
    /// Hosts.
    pub hosts: Vec<MoRef>,
    /// Distributed switches that its hosts are not on.
    pub not_on: BTreeSet<MoRef>,
}

/// An ESXi host.
#[derive(Debug, Clone)]
pub struct Host {
    /// Name.
    pub name: String,
    /// Compute cluster.
    pub compute: MoRef,
}

/// A resource pool.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Name.
    pub name: String,
    /// Pool or compute cluster above it.
    pub parent: MoRef,
    /// Compute cluster it draws from.
    pub compute: MoRef,
}

/// A datastore.
#[derive(Debug, Clone)]
pub struct Datastore {
    /// Name.
    pub name: String,
    /// Folder above it.
    pub parent: MoRef,
}

/// A distributed switch.
#[derive(Debug, Clone)]
pub struct Switch {
    /// Name.
    pub name: String,
    /// UUID in vSphere's odd notation.
    pub uuid: String,
    /// Network folder above it.
    pub parent: MoRef,
    /// Datacenter.
    pub datacenter: MoRef,
}

/// A distributed port group.
#[derive(Debug, Clone)]
pub struct PortGroup {
    /// Name, unescaped.
    pub name: String,
    /// Its switch.
    pub switch: MoRef,
    /// Network folder above it.
    pub parent: MoRef,
    /// `standard` or `nsx`.
    pub backing_type: &'static str,
    /// NSX-T policy path.
    pub segment_id: Option<String>,
    /// NSX logical switch.
    pub logical_switch: Option<String>,
    /// The Neutron network it backs, as the world knows it.
    pub network: Option<String>,
    /// VLAN, if it has one.
    pub vlan: Option<u16>,
}

/// An opaque network (N-VDS).
#[derive(Debug, Clone)]
pub struct OpaqueNetwork {
    /// Name.
    pub name: String,
    /// NSX logical switch UUID.
    pub opaque_id: String,
    /// Network folder above it.
    pub parent: MoRef,
    /// The Neutron network it backs.
    pub network: Option<String>,
}

/// vCenter.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Instance UUID of the vCenter.
    pub uuid: Uuid,
    /// Root folder.
    pub root: MoRef,
    /// Datacenters.
    pub datacenters: BTreeMap<MoRef, Datacenter>,
    /// Folders.
    pub folders: BTreeMap<MoRef, Folder>,
    /// Compute clusters.
    pub computes: BTreeMap<MoRef, Compute>,
    /// Hosts.
    pub hosts: BTreeMap<MoRef, Host>,
    /// Resource pools.
    pub pools: BTreeMap<MoRef, Pool>,
    /// Datastores.
    pub datastores: BTreeMap<MoRef, Datastore>,
    /// Distributed switches.
    pub switches: BTreeMap<MoRef, Switch>,
    /// Port groups.
    pub port_groups: BTreeMap<MoRef, PortGroup>,
    /// What single sign-on remembers of accounts, by lower-case name.
    pub sso: BTreeMap<String, Account>,
    /// Objects whose properties vCenter cannot read, by reference, and the fault that it shows for each of them in
    /// `missingSet` (vSphere API reference, `MissingProperty`: `SystemError`, `NotAuthenticated`, `NoPermission`).
    pub withheld: BTreeMap<MoRef, &'static str>,
    /// VMs that a task works on: vCenter runs one at a time on a VM (`TaskInProgress`, vSphere API reference of
    /// `ReconfigVM_Task` and the power operations).
    pub worked_on: BTreeSet<VmRef>,
    /// Opaque networks.
    pub opaque: BTreeMap<MoRef, OpaqueNetwork>,
    /// Virtual machines, templates among them.
    pub vms: BTreeMap<VmRef, Vm>,
    /// Tasks by key.
    pub tasks: BTreeMap<String, VcTask>,
    /// Bystanders' number, for the summary.
    pub bystanders: usize,
    /// All MACs that were ever given: vCenter does not give one twice.
    pub macs: BTreeSet<Mac>,
    next: u64,
}

impl Inventory {
    /// A reference that was never used before.
    pub fn new_ref(&mut self, prefix: &str) -> MoRef {
        self.next += 1;
        format!("{prefix}-{}", self.next)
    }

    /// A folder by name directly below another.
    pub fn child_folder(&self, parent: &str, name: &str) -> Option<&MoRef> {
        let children = &self.folders.get(parent)?.children;
        children.iter().find(|c| self.folders.get(*c).is_some_and(|f| f.name == name))
    }

    /// Makes a folder, or finds the one of that name.
    pub fn ensure_folder(&mut self, parent: &str, name: &str) -> MoRef {
        if let Some(found) = self.child_folder(parent, name) {
            return found.clone();
        }
        let key = self.new_ref("group-v");
        let child_type = self.folders.get(parent).map_or("VirtualMachine", |f| f.child_type);
        let folder =
            Folder { name: name.to_owned(), parent: Some(parent.to_owned()), child_type, children: BTreeSet::new() };
        self.folders.insert(key.clone(), folder);
        if let Some(above) = self.folders.get_mut(parent) {
            above.children.insert(key.clone());
        }
        key
    }

    /// Removes a folder that is empty, and those above it that become so, up to `stop`.
    pub fn remove_empty_folders(&mut self, folder: &str, stop: &str) {
        let mut at = folder.to_owned();
        while at != stop && self.folders.get(&at).is_some_and(|f| f.children.is_empty()) {
            let Some(parent) = self.folders.remove(&at).and_then(|f| f.parent) else {
                return;
            };
            if let Some(above) = self.folders.get_mut(&parent) {
                above.children.remove(&at);
            }
            at = parent;
        }
    }

    /// The VMs in a folder (or datacenter) and all folders below it.
    pub fn vms_below(&self, folder: &str) -> Vec<VmRef> {
        let mut found = Vec::new();
        let mut open = vec![folder.to_owned()];
        while let Some(at) = open.pop() {
            if let Some(dc) = self.datacenters.get(&at) {
                open.push(dc.vm_folder.clone());
            }
            for child in self.folders.get(&at).iter().flat_map(|f| &f.children) {
                let vm = VmRef::new(child.clone());
                if self.vms.contains_key(&vm) {
                    found.push(vm);
                } else {
                    open.push(child.clone());
                }
            }
        }
        found.sort();
        found
    }

    /// Adds a VM to the inventory and to its folder.
    pub fn add_vm(&mut self, vm: Vm) {
        if let Some(folder) = self.folders.get_mut(&vm.folder) {
            folder.children.insert(vm.moref.as_str().to_owned());
        }
        self.macs.extend(vm.nics.iter().map(|n| n.mac));
        self.vms.insert(vm.moref.clone(), vm);
    }

    /// Takes a VM out of the inventory and out of its folder.
    pub fn remove_vm(&mut self, vm: &VmRef) -> Option<Vm> {
        let gone = self.vms.remove(vm)?;
        if let Some(folder) = self.folders.get_mut(&gone.folder) {
            folder.children.remove(vm.as_str());
        }
        Some(gone)
    }

    /// Adds a port group; its key is a new reference.
    pub fn add_port_group(&mut self, group: PortGroup) -> MoRef {
        let key = self.new_ref("dvportgroup");
        if let Some(folder) = self.folders.get_mut(&group.parent) {
            folder.children.insert(key.clone());
        }
        self.port_groups.insert(key.clone(), group);
        key
    }

    /// A VM by name; the first of several.
    pub fn vm_named(&self, name: &str) -> Option<&Vm> {
        self.vms.values().find(|v| v.name == name)
    }

    /// A port group by name; the first of several.
    pub fn port_group_named(&self, name: &str) -> Option<(&MoRef, &PortGroup)> {
        // NSX-T gives the port groups of one segment the same name on each switch: of these, one that hosts are on.
        let off = |p: &PortGroup| !self.computes.values().any(|c| self.uses(c, p));
        self.port_groups.iter().filter(|(_, p)| p.name == name).min_by_key(|(_, p)| off(p))
    }

    /// Whether hosts of the compute cluster are on the port group's switch.
    pub fn uses(&self, compute: &Compute, group: &PortGroup) -> bool {
        let datacenter = self.switches.get(&group.switch).and_then(|s| self.datacenters.get(&s.datacenter));
        datacenter.is_some_and(|d| d.host_folder == compute.parent) && !compute.not_on.contains(&group.switch)
    }

    /// The name of what a card is plugged into, as the tools report it.
    pub fn network_name(&self, backing: &Backing) -> String {
        match backing {
            Backing::PortGroup { key, .. } => self.port_groups.get(key).map(|p| p.name.clone()).unwrap_or_default(),
            Backing::Opaque(id) => {
                self.opaque.values().find(|o| o.opaque_id == *id).map(|o| o.name.clone()).unwrap_or_default()
            }
            Backing::Standard(name) => name.clone(),
        }
    }

    /// The Neutron network behind what a card is plugged into.
    pub fn neutron_network(&self, backing: &Backing) -> Option<&str> {
        match backing {
            Backing::PortGroup { key, .. } => self.port_groups.get(key)?.network.as_deref(),
            Backing::Opaque(id) => self.opaque.values().find(|o| o.opaque_id == *id)?.network.as_deref(),
            Backing::Standard(_) => None,
        }
    }
}
