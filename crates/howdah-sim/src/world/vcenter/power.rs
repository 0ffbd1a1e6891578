//! Power: what vCenter's operations do to a VM, at once (`*_now`) and as vCenter tasks.
//!
//! Invariant: everything that ends a boot first increments the VM's boot number, so that the old guest can
//! no longer change the VM.

use howdah_core::ids::VmRef;
use howdah_core::systems::vcenter::{Power, Tools};

use crate::world::World;
use crate::world::actor::Origin;
use crate::world::guest::external::GuestChange;
use crate::world::journal::Remedy;
use crate::world::state::State;
use crate::world::vcenter::inventory::{GuestState, Vm};
use crate::world::vcenter::vctask::VcFault;

type Done<T = ()> = Result<T, VcFault>;

impl World {
    /// `PowerOnVM_Task`.
    ///
    /// # Errors
    /// If the VM is not there; what goes wrong later is the task's.
    pub fn power_on_task(&self, vm: &VmRef) -> Done<String> {
        let (world, target) = (self.clone(), vm.clone());
        self.vm_task(vm, "VirtualMachine.powerOn", move || {
            world.power_on_now(&target)?;
            world.watch_for_manager(&target);
            Ok(())
        })
    }

    /// `PowerOffVM_Task`.
    ///
    /// # Errors
    /// If the VM is not there; what goes wrong later is the task's.
    pub fn power_off_task(&self, vm: &VmRef) -> Done<String> {
        let (world, target) = (self.clone(), vm.clone());
        self.vm_task(vm, "VirtualMachine.powerOff", move || {
            world.remedied(&target, "power_off");
            world.power_off_now(&target)
        })
    }

    /// `ResetVM_Task`.
    ///
    /// # Errors
    /// If the VM is not there; what goes wrong later is the task's.
    pub fn reset_task(&self, vm: &VmRef) -> Done<String> {
        let (world, target) = (self.clone(), vm.clone());
        self.vm_task(vm, "VirtualMachine.reset", move || {
            world.remedied(&target, "reset");
            world.reset_now(&target)
        })
    }

    /// `RebootGuest`: asks the tools, which is not a task.
    ///
    /// # Errors
    /// If the VM is not on, or its tools do not run.
    pub fn reboot_guest(&self, vm: &VmRef) -> Done {
        self.check_tools(vm)?;
        self.remedied(vm, "reboot_guest");
        self.reset_now(vm)
    }

    /// `ShutdownGuest`: asks the tools; the VM is off some time later.
    ///
    /// # Errors
    /// If the VM is not on, or its tools do not run.
    pub fn shutdown_guest(&self, vm: &VmRef) -> Done {
        self.check_tools(vm)?;
        let after = self.write(|s| {
            s.change_vm(vm, |v| v.guest_state = GuestState::ShuttingDown);
            s.dice.span(s.settings.timings.shutdown, "shutdown", vm.as_str())
        });
        let (world, vm) = (self.clone(), vm.clone());
        self.spawn(async move {
            world.sleep(after).await;
            // It may have been switched off in the meantime, which is as good.
            let _ = world.power_off_now(&vm);
        });
        Ok(())
    }

    fn check_tools(&self, vm: &VmRef) -> Done {
        self.read(|s| {
            let found = s.vm(vm).ok_or_else(|| VcFault::not_found(vm.as_str()))?;
            if found.power != Power::On {
                return Err(VcFault::power_state(power_word(found.power)));
            }
            if found.tools != Tools::Running {
                let says = "Cannot complete operation because VMware Tools is not running in this virtual machine.";
                return Err(VcFault::new("ToolsUnavailable", says));
            }
            Ok(())
        })
    }

    /// Switches a VM on, now.
    pub(crate) fn power_on_now(&self, vm: &VmRef) -> Done {
        self.write(|s| {
            let now = s.now;
            s.expect_power(vm, Power::Off)?;
            s.change_vm(vm, |v| {
                v.power = Power::On;
                v.boot_time = Some(now);
                v.start_boot();
                for nic in &mut v.nics {
                    nic.connected = nic.start_connected;
                }
            });
            s.note_boot(vm);
            s.manager_sees_power(vm, Power::On);
            Ok(())
        })?;
        self.boot_guest(vm);
        Ok(())
    }

    /// Switches a VM off, hard, now.
    pub(crate) fn power_off_now(&self, vm: &VmRef) -> Done {
        self.write(|s| {
            s.expect_power(vm, Power::On)?;
            s.change_vm(vm, |v| {
                v.power = Power::Off;
                v.end_boot();
                for nic in &mut v.nics {
                    nic.connected = false;
                }
            });
            s.manager_sees_power(vm, Power::Off);
            s.announce(vm, GuestChange::Off, 0.0);
            Ok(())
        })?;
        self.signal(vm);
        Ok(())
    }

    /// Resets a VM, hard, now. The boot time stays: it is that of the last power on.
    pub(crate) fn reset_now(&self, vm: &VmRef) -> Done {
        self.write(|s| {
            s.expect_power(vm, Power::On)?;
            s.announce(vm, GuestChange::Off, 0.0);
            s.change_vm(vm, |v| {
                v.end_boot();
                v.start_boot();
            });
            s.note_boot(vm);
            Ok(())
        })?;
        self.boot_guest(vm);
        Ok(())
    }

    /// Notes in the journal that the service did something to a running VM.
    pub(crate) fn remedied(&self, vm: &VmRef, what: &'static str) {
        self.write(|s| {
            if s.actor.origin != Origin::Service {
                return;
            }
            let at = s.now;
            let Some(addressed) = s.vm(vm).filter(|v| v.power == Power::On).map(Vm::has_reported_address) else {
                return;
            };
            s.journal.of(vm).remedies.push(Remedy { at, what, addressed });
        });
    }
}

impl Vm {
    fn start_boot(&mut self) {
        self.boot += 1;
        self.guest_state = GuestState::NotRunning;
    }

    fn end_boot(&mut self) {
        self.boot += 1;
        self.guest_state = GuestState::NotRunning;
        if self.tools == Tools::Running {
            self.tools = Tools::NotRunning;
        }
        for nic in &mut self.nics {
            nic.address = None;
            nic.reported.clear();
        }
    }
}

/// A power state as vCenter spells it.
pub const fn power_word(power: Power) -> &'static str {
    match power {
        Power::On => "poweredOn",
        Power::Off => "poweredOff",
        Power::Suspended => "suspended",
    }
}

impl State {
    fn expect_power(&self, vm: &VmRef, wanted: Power) -> Done {
        let found = self.vm(vm).ok_or_else(|| VcFault::not_found(vm.as_str()))?;
        if found.power == wanted { Ok(()) } else { Err(VcFault::power_state(power_word(found.power))) }
    }

    fn note_boot(&mut self, vm: &VmRef) {
        let now = self.now;
        let floor = self.vm(vm).and_then(|v| self.floor_of(v));
        let times = self.journal.of(vm);
        times.boots += 1;
        if times.power_on.is_none() {
            times.power_on = Some(now);
            times.floor = floor;
        }
    }
}
