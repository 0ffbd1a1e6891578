//! A virtual machine's properties: its configuration with all devices, its runtime state, and what
//! the guest's tools report.

use howdah_core::systems::vcenter::{Power, Tools};
use jiff::SignedDuration;

use super::value::{Ref, Value, boolean, escape, int, refs, string, time};
use crate::world::inventory::{Backing, Nic, Vm};
use crate::world::state::State;

/// Tasks that ended longer ago are not recent.
const RECENT: SignedDuration = SignedDuration::from_mins(10);

/// The properties that are watched, without making the rest.
pub(super) fn quick(vm: &Vm, path: &str) -> Option<Value> {
    let if_configured = |v: Value| if vm.configured { v } else { Value::Unset };
    Some(match path {
        "name" => if_configured(string(escape(&vm.name))),
        "runtime.powerState" => power(vm),
        "runtime.bootTime" => boot_time(vm),
        "config.instanceUuid" => if_configured(string(vm.instance_uuid.to_string())),
        "config.changeVersion" => if_configured(string(vm.change_version.to_string())),
        "guest.toolsRunningStatus" => tools_running(vm),
        "guest.toolsVersionStatus2" => tools_version(vm),
        "guest.guestState" => string(vm.guest_state.as_str()),
        _ => return None,
    })
}

/// A property of the first level, whole.
pub(super) fn whole(s: &State, vm: &Vm, name: &str) -> Option<Value> {
    Some(match name {
        "name" => return quick(vm, name),
        "config" if vm.configured => config(s, vm),
        "config" => Value::Unset,
        "runtime" => Value::Object(
            "VirtualMachineRuntimeInfo",
            vec![
                ("host", Value::Ref(Ref::new("HostSystem", vm.host.clone()))),
                ("connectionState", Value::Text("VirtualMachineConnectionState", "connected".to_owned())),
                ("powerState", power(vm)),
                ("toolsInstallerMounted", boolean(false)),
                ("bootTime", boot_time(vm)),
                ("numMksConnections", int(0)),
            ],
        ),
        "guest" => guest(s, vm),
        "guestHeartbeatStatus" => {
            let status = if vm.tools == Tools::Running { "green" } else { "gray" };
            Value::Text("ManagedEntityStatus", status.to_owned())
        }
        "summary" => summary(vm),
        "resourcePool" => Value::Ref(Ref::new("ResourcePool", vm.pool.clone())),
        "datastore" => refs([Ref::new("Datastore", vm.datastore.clone())]),
        "network" => refs(vm.nics.iter().filter_map(|n| network(s, n))),
        "recentTask" => {
            let recent = |t: Option<jiff::Timestamp>| t.is_none_or(|t| s.now.duration_since(t) < RECENT);
            let own = s.vc.tasks.values().filter(|t| t.entity == vm.moref.as_str() && recent(t.completed));
            refs(own.map(|t| Ref::new("Task", t.key.clone())))
        }
        _ => return None,
    })
}

fn power(vm: &Vm) -> Value {
    let state = match vm.power {
        Power::On => "poweredOn",
        Power::Off => "poweredOff",
        Power::Suspended => "suspended",
    };
    Value::Text("VirtualMachinePowerState", state.to_owned())
}

fn boot_time(vm: &Vm) -> Value {
    Value::or_unset(vm.running_since().map(time))
}

fn tools_running(vm: &Vm) -> Value {
    string(if vm.tools == Tools::Running { "guestToolsRunning" } else { "guestToolsNotRunning" })
}

fn tools_version(vm: &Vm) -> Value {
    string(if vm.tools == Tools::NotInstalled { "guestToolsNotInstalled" } else { "guestToolsUnmanaged" })
}

fn network(s: &State, nic: &Nic) -> Option<Ref> {
    match &nic.backing {
        Backing::PortGroup { key, .. } => Some(Ref::new("DistributedVirtualPortgroup", key.clone())),
        Backing::Opaque(id) => {
            let (key, _) = s.vc.opaque.iter().find(|(_, o)| o.opaque_id == *id)?;
            Some(Ref::new("OpaqueNetwork", key.clone()))
        }
        Backing::Standard(_) => None,
    }
}

fn config(s: &State, vm: &Vm) -> Value {
    let hardware = Value::Object(
        "VirtualHardware",
        vec![
            ("numCPU", int(vm.cpus)),
            ("numCoresPerSocket", int(1)),
            ("memoryMB", int(vm.memory_mb)),
            ("device", Value::Array("VirtualDevice", devices(s, vm))),
        ],
    );
    let extra = vm
        .extra_config
        .iter()
        .map(|(k, v)| Value::Object("OptionValue", vec![("key", string(k)), ("value", string(v))]));
    Value::Object(
        "VirtualMachineConfigInfo",
        vec![
            ("changeVersion", string(vm.change_version.to_string())),
            ("modified", time(jiff::Timestamp::UNIX_EPOCH)),
            ("name", string(escape(&vm.name))),
            ("guestFullName", string("CentOS 6 (64-bit)")),
            ("version", string("vmx-10")),
            ("uuid", string(vm.uuid.to_string())),
            ("instanceUuid", string(vm.instance_uuid.to_string())),
            ("template", boolean(vm.template)),
            ("guestId", string("centos6_64Guest")),
            ("annotation", string("")),
            ("hardware", hardware),
            ("extraConfig", Value::Array("OptionValue", extra.collect())),
        ],
    )
}

fn description(label: &str, summary: &str) -> Value {
    Value::Object("Description", vec![("label", string(label)), ("summary", string(summary))])
}

fn devices(s: &State, vm: &Vm) -> Vec<Value> {
    let mut devices = vec![
        Value::Object(
            "VirtualIDEController",
            vec![("key", int(200)), ("deviceInfo", description("IDE 0", "IDE 0")), ("busNumber", int(0))],
        ),
        Value::Object(
            "VirtualPCIController",
            vec![
                ("key", int(100)),
                ("deviceInfo", description("PCI controller 0", "PCI controller 0")),
                ("busNumber", int(0)),
            ],
        ),
        Value::Object(
            "ParaVirtualSCSIController",
            vec![
                ("key", int(1000)),
                ("deviceInfo", description("SCSI controller 0", "VMware paravirtual SCSI")),
                ("controllerKey", int(100)),
                ("unitNumber", int(3)),
                ("busNumber", int(0)),
                ("sharedBus", Value::Text("VirtualSCSISharing", "noSharing".to_owned())),
            ],
        ),
    ];
    devices.extend(vm.disks_gb.iter().enumerate().map(|(i, gb)| disk(vm, i, u64::from(*gb))));
    devices.extend(vm.nics.iter().map(|n| card(s, n)));
    devices
}

fn disk(vm: &Vm, index: usize, gb: u64) -> Value {
    let file = if index == 0 { String::new() } else { format!("_{index}") };
    Value::Object(
        "VirtualDisk",
        vec![
            ("key", int(2000 + index)),
            ("deviceInfo", description(&format!("Hard disk {}", index + 1), &format!("{} KB", gb << 20))),
            (
                "backing",
                Value::Object(
                    "VirtualDiskFlatVer2BackingInfo",
                    vec![
                        ("fileName", string(format!("[{}] {}/{}{file}.vmdk", vm.datastore, vm.name, vm.name))),
                        ("datastore", Value::Ref(Ref::new("Datastore", vm.datastore.clone()))),
                        ("diskMode", string("persistent")),
                    ],
                ),
            ),
            ("controllerKey", int(1000)),
            ("unitNumber", int(index)),
            ("capacityInKB", Value::Text("long", (gb << 20).to_string())),
            ("capacityInBytes", Value::Text("long", (gb << 30).to_string())),
        ],
    )
}

fn card(s: &State, nic: &Nic) -> Value {
    let index = nic.key - crate::world::inventory::FIRST_NIC;
    let (backing, summary) = match &nic.backing {
        Backing::PortGroup { key, port_key } => {
            let switch = s.vc.port_groups.get(key).and_then(|p| s.vc.switches.get(&p.switch));
            let uuid = switch.map(|w| w.uuid.clone()).unwrap_or_default();
            let port = Value::Object(
                "DistributedVirtualSwitchPortConnection",
                vec![("switchUuid", string(&uuid)), ("portgroupKey", string(key)), ("portKey", string(port_key))],
            );
            let backing = Value::Object("VirtualEthernetCardDistributedVirtualPortBackingInfo", vec![("port", port)]);
            (backing, format!("DVSwitch: {uuid}"))
        }
        Backing::Opaque(id) => {
            let backing = Value::Object(
                "VirtualEthernetCardOpaqueNetworkBackingInfo",
                vec![("opaqueNetworkId", string(id)), ("opaqueNetworkType", string("nsx.LogicalSwitch"))],
            );
            (backing, format!("nsx.LogicalSwitch: {id}"))
        }
        Backing::Standard(name) => {
            let fields = vec![("deviceName", string(name)), ("useAutoDetect", boolean(false))];
            (Value::Object("VirtualEthernetCardNetworkBackingInfo", fields), name.clone())
        }
    };
    let connectable = Value::Object(
        "VirtualDeviceConnectInfo",
        vec![
            ("migrateConnect", string("unset")),
            ("startConnected", boolean(nic.start_connected)),
            ("allowGuestControl", boolean(nic.allow_guest_control)),
            ("connected", boolean(nic.connected)),
            ("status", string("ok")),
        ],
    );
    let slot = Value::Object("VirtualDevicePciBusSlotInfo", vec![("pciSlotNumber", int(192 + 32 * index))]);
    Value::Object(
        "VirtualVmxnet3",
        vec![
            ("key", int(nic.key)),
            ("deviceInfo", description(&nic.label, &summary)),
            ("backing", backing),
            ("connectable", connectable),
            ("slotInfo", slot),
            ("controllerKey", int(100)),
            ("unitNumber", int(7 + index)),
            ("addressType", string(if nic.mac_manual { "manual" } else { "assigned" })),
            ("macAddress", string(nic.mac.to_string())),
            ("wakeOnLanEnabled", boolean(true)),
            ("externalId", Value::or_unset(nic.external_id.as_ref().map(string))),
            ("uptCompatibilityEnabled", boolean(true)),
        ],
    )
}

fn guest(s: &State, vm: &Vm) -> Value {
    let running = vm.tools == Tools::Running;
    let rows = vm.nics.iter().filter(|_| running).map(|nic| {
        let addresses = nic.reported.iter().map(|a| string(a.to_string())).collect();
        Value::Object(
            "GuestNicInfo",
            vec![
                ("network", string(escape(&s.vc.network_name(&nic.backing)))),
                ("ipAddress", Value::Array("string", addresses)),
                ("macAddress", string(nic.mac.to_string())),
                ("connected", boolean(nic.connected)),
                ("deviceConfigId", int(nic.key)),
            ],
        )
    });
    let first = vm.nics.iter().flat_map(|n| &n.reported).next().filter(|_| running);
    let status = match vm.tools {
        Tools::Running => "toolsOk",
        Tools::NotRunning => "toolsNotRunning",
        Tools::NotInstalled => "toolsNotInstalled",
    };
    Value::Object(
        "GuestInfo",
        vec![
            ("toolsStatus", Value::Text("VirtualMachineToolsStatus", status.to_owned())),
            ("toolsVersionStatus2", tools_version(vm)),
            ("toolsRunningStatus", tools_running(vm)),
            ("guestId", Value::or_unset(running.then(|| string("centos6_64Guest")))),
            ("hostName", Value::or_unset(running.then(|| string(vm.name.to_lowercase())))),
            ("ipAddress", Value::or_unset(first.map(|a| string(a.to_string())))),
            ("net", Value::Array("GuestNicInfo", rows.collect())),
            ("guestState", string(vm.guest_state.as_str())),
            ("guestOperationsReady", boolean(running)),
        ],
    )
}

fn summary(vm: &Vm) -> Value {
    let if_configured = |v: Value| if vm.configured { v } else { Value::Unset };
    let config = Value::Object(
        "VirtualMachineConfigSummary",
        vec![
            ("name", if_configured(string(escape(&vm.name)))),
            ("template", boolean(vm.template)),
            ("memorySizeMB", int(vm.memory_mb)),
            ("numCpu", int(vm.cpus)),
            ("numEthernetCards", int(vm.nics.len())),
            ("numVirtualDisks", int(vm.disks_gb.len())),
            ("uuid", if_configured(string(vm.uuid.to_string()))),
            ("instanceUuid", if_configured(string(vm.instance_uuid.to_string()))),
        ],
    );
    Value::Object(
        "VirtualMachineSummary",
        vec![
            ("vm", Value::Ref(Ref::new("VirtualMachine", vm.moref.as_str()))),
            ("config", config),
            ("overallStatus", Value::Text("ManagedEntityStatus", "green".to_owned())),
        ],
    )
}
