//! vCenter's other operations on VMs: reconfigure, clone, destroy.

use std::collections::BTreeMap;

use howdah_core::ids::{Mac, VmRef};
use howdah_core::systems::vcenter::{Power, Tools};
use uuid::Uuid;

use crate::world::World;
use crate::world::state::State;
use crate::world::vcenter::inventory::{GuestState, MoRef, Vm};
use crate::world::vcenter::vctask::VcFault;

type Done<T = ()> = Result<T, VcFault>;

pub use crate::world::vcenter::nic::{NicChange, NicOperation};

/// A reconfiguration.
#[derive(Debug, Clone, Default)]
pub struct Reconfigure {
    /// Refused with `ConcurrentAccess` if the VM has another by now.
    pub change_version: Option<String>,
    /// New name.
    pub name: Option<String>,
    /// Instance UUID.
    pub instance_uuid: Option<Uuid>,
    /// CPUs.
    pub cpus: Option<u32>,
    /// Memory.
    pub memory_mb: Option<u32>,
    /// Cards.
    pub nics: Vec<NicChange>,
    /// Disks to add.
    pub add_disks_gb: Vec<u32>,
    /// Extra configuration; an empty value removes the key.
    pub extra_config: Vec<(String, String)>,
}

/// A clone.
#[derive(Debug, Clone)]
pub struct CloneSpec {
    /// Name.
    pub name: String,
    /// Folder.
    pub folder: MoRef,
    /// Resource pool; the source's if absent.
    pub pool: Option<MoRef>,
    /// Host; the source's if absent.
    pub host: Option<MoRef>,
    /// Changes made to the copy.
    pub change: Reconfigure,
    /// Power on at the end.
    pub power_on: bool,
    /// The cluster manager's cluster, if it clones.
    pub cluster: Option<String>,
    /// What the new VM's randomness goes by; its name if empty.
    pub subject: String,
}

impl World {
    /// `ReconfigVM_Task`.
    ///
    /// # Errors
    /// If the VM is not there; what goes wrong later is the task's.
    pub fn reconfigure_task(&self, vm: &VmRef, change: Reconfigure) -> Done<String> {
        let (world, target) = (self.clone(), vm.clone());
        let span = self.read(|s| s.settings.timings.power);
        self.task_taking(vm, "VirtualMachine.reconfigure", span, true, move || {
            if change.nics.iter().any(|n| n.connected == Some(false)) {
                world.remedied(&target, "nic_down");
            }
            world.reconfigure_now(&target, &change).map(|()| None)
        })
    }

    /// `CloneVM_Task`.
    ///
    /// # Errors
    /// If the source or the folder is not there, or the name is taken in the folder.
    pub fn clone_task(&self, source: &VmRef, spec: CloneSpec) -> Done<String> {
        self.read(|s| {
            if !s.vc.folders.contains_key(&spec.folder) {
                return Err(VcFault::not_found(&spec.folder));
            }
            s.name_free(&spec.folder, &spec.name)
        })?;
        let (world, from) = (self.clone(), source.clone());
        let span = self.read(|s| s.settings.timings.clone);
        self.task_taking(source, "VirtualMachine.clone", span, false, move || {
            let vm = world.write(|s| s.add_clone(&from, &spec))?;
            world.write(|s| s.finish_clone(&vm));
            world.reconfigure_now(&vm, &spec.change)?;
            if spec.power_on {
                world.power_on_now(&vm)?;
            }
            Ok(Some(vm.as_str().to_owned()))
        })
    }

    /// `Destroy_Task`.
    ///
    /// # Errors
    /// If the VM is not there; what goes wrong later is the task's.
    pub fn destroy_task(&self, vm: &VmRef) -> Done<String> {
        let (world, target) = (self.clone(), vm.clone());
        let span = self.read(|s| s.settings.timings.destroy);
        self.task_taking(vm, "VirtualMachine.destroy", span, true, move || world.destroy_now(&target).map(|()| None))
    }

    /// Reconfigures a VM, now.
    pub(crate) fn reconfigure_now(&self, vm: &VmRef, change: &Reconfigure) -> Done {
        let links = self.write(|s| s.reconfigure(vm, change))?;
        for (nic, up) in links {
            self.write(|s| s.announce_link(vm, nic, up));
        }
        self.signal(vm);
        Ok(())
    }

    /// Destroys a VM that is off, now.
    pub(crate) fn destroy_now(&self, vm: &VmRef) -> Done {
        self.write(|s| {
            let found = s.vm(vm).ok_or_else(|| VcFault::not_found(vm.as_str()))?;
            if found.power == Power::On {
                return Err(VcFault::power_state("poweredOn"));
            }
            s.manager_sees_removal(vm);
            if let Some(gone) = s.vc.remove_vm(vm) {
                s.touched.extend(gone.cluster);
            }
            Ok(())
        })?;
        self.signal(vm);
        Ok(())
    }
}

impl State {
    fn name_free(&self, folder: &str, name: &str) -> Done {
        let children = self.vc.folders.get(folder).into_iter().flat_map(|f| &f.children);
        let mut vms = children.filter_map(|c| self.vc.vms.get(&VmRef::new(c.clone())));
        match vms.find(|v| v.name == name) {
            Some(_) => {
                let says = format!("The name '{name}' already exists.");
                Err(VcFault { about: Some(name.to_owned()), ..VcFault::new("DuplicateName", says) })
            }
            None => Ok(()),
        }
    }

    /// Adds a copy that is not configured yet: it can be seen, without name and cards.
    pub(crate) fn add_clone(&mut self, source: &VmRef, spec: &CloneSpec) -> Done<VmRef> {
        self.name_free(&spec.folder, &spec.name)?;
        let mut vm = self.vm(source).ok_or_else(|| VcFault::not_found(source.as_str()))?.clone();
        let subject = if spec.subject.is_empty() { &spec.name } else { &spec.subject };
        vm.moref = VmRef::new(self.vc.new_ref("vm"));
        vm.name.clone_from(&spec.name);
        vm.folder.clone_from(&spec.folder);
        vm.pool = spec.pool.clone().unwrap_or(vm.pool);
        vm.host = spec.host.clone().unwrap_or(vm.host);
        vm.instance_uuid = self.dice.uuid("instance", subject);
        vm.uuid = self.dice.uuid("bios", subject);
        vm.configured = false;
        vm.template = false;
        vm.change_version = 1;
        vm.revision = self.revision;
        vm.boot_time = None;
        vm.boot = 0;
        vm.power = Power::Off;
        vm.guest_state = GuestState::NotRunning;
        vm.tools = if vm.tools == Tools::NotInstalled { Tools::NotInstalled } else { Tools::NotRunning };
        vm.extra_config = BTreeMap::new();
        vm.cluster.clone_from(&spec.cluster);
        let above = spec.cluster.as_ref().and_then(|c| self.bde.clusters.get(c));
        vm.origin = above.map_or(self.actor.origin, |c| c.origin);
        for nic in &mut vm.nics {
            nic.connected = false;
            nic.address = None;
            nic.reported.clear();
            nic.external_id = None;
            nic.mac_manual = false;
            nic.mac = self.generated_mac(&format!("{subject}/{}", nic.key));
            self.vc.macs.insert(nic.mac);
        }
        let moref = vm.moref.clone();
        self.touched.extend(vm.cluster.clone());
        self.vc.add_vm(vm);
        Ok(moref)
    }

    /// The copy has its configuration.
    pub(crate) fn finish_clone(&mut self, vm: &VmRef) {
        self.change_vm(vm, |v| v.configured = true);
    }

    /// An address that vCenter has never given.
    pub(super) fn generated_mac(&self, subject: &str) -> Mac {
        let draw = |n: u32| self.dice.mac([0x00, 0x50, 0x56], 0x80, 0xbf, "mac", &format!("{subject}#{n}"));
        (0..).map(draw).find(|m| !self.vc.macs.contains(m)).unwrap_or(Mac::new([0; 6]))
    }

    /// Applies a reconfiguration; the links that went up or down.
    pub(crate) fn reconfigure(&mut self, vm: &VmRef, change: &Reconfigure) -> Done<Vec<(i32, bool)>> {
        let mut copy = self.vm(vm).ok_or_else(|| VcFault::not_found(vm.as_str()))?.clone();
        if change.change_version.as_ref().is_some_and(|v| *v != copy.change_version.to_string()) {
            let says = "The resource is currently locked by another operation: it was changed meanwhile.";
            return Err(VcFault::new("ConcurrentAccess", says));
        }
        let mut links = Vec::new();
        for nic in &change.nics {
            links.extend(self.change_nic(&mut copy, nic)?);
        }
        if let Some(name) = &change.name {
            copy.name.clone_from(name);
        }
        copy.instance_uuid = change.instance_uuid.unwrap_or(copy.instance_uuid);
        copy.cpus = change.cpus.unwrap_or(copy.cpus);
        copy.memory_mb = change.memory_mb.unwrap_or(copy.memory_mb);
        copy.disks_gb.extend(&change.add_disks_gb);
        for (key, value) in &change.extra_config {
            if value.is_empty() {
                copy.extra_config.remove(key);
            } else {
                copy.extra_config.insert(key.clone(), value.clone());
            }
        }
        copy.change_version += 1;
        self.vc.macs.extend(copy.nics.iter().map(|n| n.mac));
        self.change_vm(vm, |v| *v = Vm { revision: v.revision, ..copy });
        Ok(links)
    }
}
