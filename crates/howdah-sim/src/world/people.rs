//! Manual changes by people, to their own objects or to the service's: each is immediate, without a job.
//!
//! Changes that take time are in the systems' modules; outside a face they count as manual too:
//! [`World::bde_action`] stops and starts a cluster, [`World::bde_delete`] deletes one,
//! [`World::bde_remove_network`] takes a registration away, [`World::reset_task`] resets a VM.

use howdah_core::ids::VmRef;
use howdah_core::systems::vcenter::Power;

use crate::world::World;
use crate::world::bde::{BdeStatus, BdeTaskStatus};
use crate::world::bde_error::BdeError;
use crate::world::neutron::{Caller, NeutronError, PortUpdate};
use crate::world::strangers::{Added, Stranger, StrangerError};
use crate::world::vctask::VcFault;
use crate::world::vm_ops::Reconfigure;

impl World {
    /// Deletes a cluster in the cluster manager: cluster, VMs and folders are gone, ports stay.
    ///
    /// # Errors
    /// As [`World::bde_delete`].
    pub fn by_hand_delete_cluster(&self, name: &str) -> Result<(), BdeError> {
        let (task, vms) = self.write(|s| {
            let task = s.accept_delete(name)?;
            let folder = s.bde.clusters.get(name).and_then(|c| c.folder.clone());
            Ok((task, folder.map(|f| s.vc.vms_below(&f)).unwrap_or_default()))
        })?;
        for vm in vms {
            // It was there a moment ago.
            let _ = self.by_hand_destroy(&vm);
        }
        self.write(|s| {
            let now = s.now;
            if let Some(task) = s.bde.tasks.get_mut(&task) {
                task.status = BdeTaskStatus::Completed;
                task.progress = 1.0;
                task.ended = Some(now);
            }
            if let Some(folder) = s.bde.clusters.remove(name).and_then(|c| c.folder) {
                s.remove_cluster_folders(&folder);
            }
        });
        Ok(())
    }

    /// Deletes a cluster and makes another of the same name.
    ///
    /// # Errors
    /// If the old one cannot be deleted, or the new one is refused.
    pub fn by_hand_remake_cluster(&self, stranger: &Stranger) -> Result<Added, StrangerError> {
        self.by_hand_delete_cluster(&stranger.name)?;
        self.add_stranger(stranger)
    }

    /// Leaves a cluster in a status as a restart of the appliance in the middle of an operation
    /// does: UPDATING, MAINTENANCE, UPGRADING and EXPANDING stay, their task is given up
    /// (Serengeti's `ClusterInitializerService`).
    ///
    /// # Errors
    /// If it is not there.
    pub fn by_hand_stick(&self, name: &str, status: BdeStatus) -> Result<(), BdeError> {
        self.write(|s| {
            s.cluster(name)?;
            let kind = if status == BdeStatus::Maintenance { "SHRINK" } else { "INNER" };
            let task = s.begin(name, status, kind)?;
            let now = s.now;
            if let Some(task) = s.bde.tasks.get_mut(&task) {
                task.status = BdeTaskStatus::Abandoned;
                task.ended = Some(now);
            }
            Ok(())
        })
    }

    /// Switches a VM off in vCenter.
    ///
    /// # Errors
    /// If it is not there, or not on.
    pub fn by_hand_power_off(&self, vm: &VmRef) -> Result<(), VcFault> {
        self.power_off_now(vm)
    }

    /// Switches a VM on in vCenter.
    ///
    /// # Errors
    /// If it is not there, or not off.
    pub fn by_hand_power_on(&self, vm: &VmRef) -> Result<(), VcFault> {
        self.power_on_now(vm)?;
        self.watch_for_manager(vm);
        Ok(())
    }

    /// Renames a VM in vCenter.
    ///
    /// # Errors
    /// If it is not there.
    pub fn by_hand_rename_vm(&self, vm: &VmRef, name: &str) -> Result<(), VcFault> {
        self.reconfigure_now(vm, &Reconfigure { name: Some(name.to_owned()), ..Reconfigure::default() })
    }

    /// Destroys a VM in vCenter, whether it is on or off.
    ///
    /// # Errors
    /// If it is not there.
    pub fn by_hand_destroy(&self, vm: &VmRef) -> Result<(), VcFault> {
        if self.read(|s| s.vm(vm).is_some_and(|v| v.power == Power::On)) {
            self.power_off_now(vm)?;
        }
        self.destroy_now(vm)
    }

    /// Deletes a port.
    ///
    /// # Errors
    /// If it is not there.
    pub fn by_hand_delete_port(&self, id: &str) -> Result<(), NeutronError> {
        self.delete_port(id, &self.owner_of(id)?)
    }

    /// Changes a port, as its project may: its description, for one, where the service's mark is.
    ///
    /// # Errors
    /// If it is not there, or the change is refused.
    pub fn by_hand_edit_port(&self, id: &str, update: &PortUpdate) -> Result<(), NeutronError> {
        self.update_port(id, update, &self.owner_of(id)?).map(drop)
    }

    fn owner_of(&self, port: &str) -> Result<Caller, NeutronError> {
        let project = self.read(|s| s.neutron.ports.get(port).map(|p| p.project.clone()));
        let project = project.ok_or_else(|| NeutronError::not_found("Port", port))?;
        Ok(Caller { project, admin: false })
    }
}
