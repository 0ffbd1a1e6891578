//! The managed objects of the inventory: which there are, what is above them, and what their
//! properties are. Invariant: nothing here goes through all VMs unless it was asked about all VMs.

use howdah_core::ids::VmRef;

use super::value::{Ref, Value, boolean, escape, int, refs, string, time};
use super::vm;
use crate::world::inventory::PortGroup;
use crate::world::state::State;
use crate::world::vctask::VcTask;

/// Every type of object, and the types that it extends.
const TYPES: &[(&str, &[&str])] = &[
    ("Folder", &["ManagedEntity", "ExtensibleManagedObject"]),
    ("Datacenter", &["ManagedEntity", "ExtensibleManagedObject"]),
    ("ClusterComputeResource", &["ComputeResource", "ManagedEntity", "ExtensibleManagedObject"]),
    ("HostSystem", &["ManagedEntity", "ExtensibleManagedObject"]),
    ("ResourcePool", &["ManagedEntity", "ExtensibleManagedObject"]),
    ("Datastore", &["ManagedEntity", "ExtensibleManagedObject"]),
    ("VmwareDistributedVirtualSwitch", &["DistributedVirtualSwitch", "ManagedEntity", "ExtensibleManagedObject"]),
    ("DistributedVirtualPortgroup", &["Network", "ManagedEntity", "ExtensibleManagedObject"]),
    ("OpaqueNetwork", &["Network", "ManagedEntity", "ExtensibleManagedObject"]),
    ("VirtualMachine", &["ManagedEntity", "ExtensibleManagedObject"]),
    ("Task", &["ExtensibleManagedObject"]),
    ("ContainerView", &["ManagedObjectView", "View"]),
    ("ServiceInstance", &[]),
    ("SessionManager", &[]),
    ("PropertyCollector", &[]),
    ("ViewManager", &["View"]),
];

/// Properties that only newer APIs have.
const SINCE: &[(&str, &str, (u32, u32))] = &[
    ("DistributedVirtualPortgroup", "config.backingType", (7, 0)),
    ("DistributedVirtualPortgroup", "config.segmentId", (7, 0)),
    ("DistributedVirtualPortgroup", "config.logicalSwitchUuid", (7, 0)),
    ("DistributedVirtualPortgroup", "config.transportZoneUuid", (7, 0)),
    ("DistributedVirtualPortgroup", "config.transportZoneName", (7, 0)),
];

/// A type's name as a constant, if there is such a type.
pub(super) fn type_named(name: &str) -> Option<&'static str> {
    TYPES.iter().find(|(ty, _)| *ty == name).map(|(ty, _)| *ty)
}

/// Whether an object type is one of another name: itself, or what it extends.
pub(super) fn is_a(ty: &str, name: &str) -> bool {
    ty == name || name == "ManagedObject" || TYPES.iter().any(|(t, above)| *t == ty && above.contains(&name))
}

/// Whether a name is of any type at all.
pub(super) fn is_type(name: &str) -> bool {
    name == "ManagedObject" || TYPES.iter().any(|(ty, above)| *ty == name || above.contains(&name))
}

/// All properties of a type, where clients ask for that.
pub(super) fn all_properties(ty: &str) -> Option<&'static [&'static str]> {
    match ty {
        "Task" => Some(&["info"]),
        "VirtualMachine" => Some(&[
            "name",
            "parent",
            "config",
            "runtime",
            "guest",
            "guestHeartbeatStatus",
            "summary",
            "resourcePool",
            "datastore",
            "network",
            "recentTask",
            "overallStatus",
        ]),
        "Folder" => Some(&["name", "parent", "childEntity", "childType", "overallStatus"]),
        _ => None,
    }
}

/// Whether an API of this version has a property.
pub(super) fn has(ty: &str, path: &str, version: (u32, u32)) -> bool {
    !SINCE.iter().any(|(t, p, since)| *t == ty && *p == path && version < *since)
}

fn vm_ref(vm: &VmRef) -> Ref {
    Ref::new("VirtualMachine", vm.as_str())
}

/// Whether an object is there.
pub(super) fn exists(s: &State, obj: &Ref) -> bool {
    let v = &obj.value;
    match obj.ty {
        "Folder" => s.vc.folders.contains_key(v),
        "Datacenter" => s.vc.datacenters.contains_key(v),
        "ClusterComputeResource" => s.vc.computes.contains_key(v),
        "HostSystem" => s.vc.hosts.contains_key(v),
        "ResourcePool" => s.vc.pools.contains_key(v),
        "Datastore" => s.vc.datastores.contains_key(v),
        "VmwareDistributedVirtualSwitch" => s.vc.switches.contains_key(v),
        "DistributedVirtualPortgroup" => s.vc.port_groups.contains_key(v),
        "OpaqueNetwork" => s.vc.opaque.contains_key(v),
        "VirtualMachine" => s.vc.vms.contains_key(&VmRef::new(v.clone())),
        "Task" => s.vc.tasks.contains_key(v),
        // A session's own objects are looked up there.
        _ => true,
    }
}

/// A child of a folder, with its type.
fn child(s: &State, value: &str) -> Ref {
    let vc = &s.vc;
    let ty = if vc.folders.contains_key(value) {
        "Folder"
    } else if vc.datacenters.contains_key(value) {
        "Datacenter"
    } else if vc.computes.contains_key(value) {
        "ClusterComputeResource"
    } else if vc.datastores.contains_key(value) {
        "Datastore"
    } else if vc.switches.contains_key(value) {
        "VmwareDistributedVirtualSwitch"
    } else if vc.port_groups.contains_key(value) {
        "DistributedVirtualPortgroup"
    } else if vc.opaque.contains_key(value) {
        "OpaqueNetwork"
    } else {
        "VirtualMachine"
    };
    Ref::new(ty, value)
}

/// A folder's or datacenter's reference.
fn container(s: &State, value: &str) -> Ref {
    child(s, value)
}

/// What is directly above an object.
fn parent(s: &State, obj: &Ref) -> Option<Ref> {
    let (vc, v) = (&s.vc, &obj.value);
    match obj.ty {
        "Folder" => vc.folders.get(v)?.parent.as_deref().map(|p| container(s, p)),
        "Datacenter" => vc.folders.contains_key(&vc.root).then(|| Ref::new("Folder", vc.root.clone())),
        "ClusterComputeResource" => Some(container(s, &vc.computes.get(v)?.parent)),
        "HostSystem" => Some(Ref::new("ClusterComputeResource", vc.hosts.get(v)?.compute.clone())),
        "ResourcePool" => {
            let above = &vc.pools.get(v)?.parent;
            let ty = if vc.pools.contains_key(above) { "ResourcePool" } else { "ClusterComputeResource" };
            Some(Ref::new(ty, above.clone()))
        }
        "Datastore" => Some(container(s, &vc.datastores.get(v)?.parent)),
        "VmwareDistributedVirtualSwitch" => Some(container(s, &vc.switches.get(v)?.parent)),
        "DistributedVirtualPortgroup" => Some(container(s, &vc.port_groups.get(v)?.parent)),
        "OpaqueNetwork" => Some(container(s, &vc.opaque.get(v)?.parent)),
        "VirtualMachine" => Some(container(s, &s.vm(&VmRef::new(v.clone()))?.folder)),
        _ => None,
    }
}

fn is_below(s: &State, obj: &Ref, top: &Ref, recursive: bool) -> bool {
    let mut at = parent(s, obj);
    while let Some(above) = at {
        if above == *top {
            return true;
        }
        if !recursive {
            return false;
        }
        at = parent(s, &above);
    }
    false
}

/// What a container view shows: the objects of these types (all if none is named) below a container.
pub(super) fn view(s: &State, top: &Ref, types: &[String], recursive: bool) -> Vec<Ref> {
    let wanted = |ty: &str| types.is_empty() || types.iter().any(|t| is_a(ty, t));
    let mut found = Vec::new();
    let mut add = |ty: &'static str, keys: &mut dyn Iterator<Item = &String>| {
        if wanted(ty) {
            found.extend(keys.map(|k| Ref::new(ty, k.clone())).filter(|r| is_below(s, r, top, recursive)));
        }
    };
    let vc = &s.vc;
    add("Folder", &mut vc.folders.keys());
    add("Datacenter", &mut vc.datacenters.keys());
    add("ClusterComputeResource", &mut vc.computes.keys());
    add("HostSystem", &mut vc.hosts.keys());
    add("ResourcePool", &mut vc.pools.keys());
    add("Datastore", &mut vc.datastores.keys());
    add("VmwareDistributedVirtualSwitch", &mut vc.switches.keys());
    add("DistributedVirtualPortgroup", &mut vc.port_groups.keys());
    add("OpaqueNetwork", &mut vc.opaque.keys());
    if wanted("VirtualMachine") {
        found.extend(vms_below(s, top, recursive));
    }
    found
}

fn vms_below(s: &State, top: &Ref, recursive: bool) -> Vec<Ref> {
    let vc = &s.vc;
    match top.ty {
        "Folder" if top.value == vc.root && recursive => vc.vms.keys().map(vm_ref).collect(),
        // Only what is below: a cluster's folder is small beside the inventory.
        "Folder" | "Datacenter" if recursive => vc.vms_below(&top.value).iter().map(vm_ref).collect(),
        "Folder" => {
            let children = vc.folders.get(&top.value).into_iter().flat_map(|f| &f.children);
            children.map(|c| child(s, c)).filter(|r| r.ty == "VirtualMachine" && exists(s, r)).collect()
        }
        "HostSystem" => vc.vms.values().filter(|v| v.host == top.value).map(|v| vm_ref(&v.moref)).collect(),
        "ResourcePool" | "ClusterComputeResource" => {
            let in_pool = |pool: &str| {
                let pool = Ref::new("ResourcePool", pool);
                pool == *top || is_below(s, &pool, top, recursive)
            };
            vc.vms.values().filter(|v| in_pool(&v.pool)).map(|v| vm_ref(&v.moref)).collect()
        }
        _ => Vec::new(),
    }
}

/// A property of an object by its path. `Err` if the type has none such, `Unset` if it has no value.
pub(super) fn property(s: &State, obj: &Ref, path: &str) -> Result<Value, ()> {
    if obj.ty == "VirtualMachine" {
        // The few that are watched are worth a short cut past the whole configuration.
        let found = s.vm(&VmRef::new(obj.value.clone())).ok_or(())?;
        if let Some(value) = vm::quick(found, path) {
            return Ok(value);
        }
    }
    let mut names = path.split('.');
    let first = names.next().unwrap_or_default();
    whole(s, obj, first).and_then(|v| v.at(names)).ok_or(())
}

/// A property of the first level, whole.
fn whole(s: &State, obj: &Ref, name: &str) -> Option<Value> {
    match name {
        "parent" => return Some(Value::or_unset(parent(s, obj).map(Value::Ref))),
        "overallStatus" => return Some(Value::Text("ManagedEntityStatus", "green".to_owned())),
        _ => {}
    }
    let (vc, v) = (&s.vc, &obj.value);
    match obj.ty {
        "Folder" => {
            let folder = vc.folders.get(v)?;
            match name {
                "name" => Some(string(escape(&folder.name))),
                "childEntity" => Some(refs(folder.children.iter().map(|c| child(s, c)))),
                "childType" => Some(Value::Array("string", vec![string("Folder"), string(folder.child_type)])),
                _ => None,
            }
        }
        "Datacenter" => {
            let dc = vc.datacenters.get(v)?;
            let folder = |key: &str| Value::Ref(Ref::new("Folder", key));
            match name {
                "name" => Some(string(escape(&dc.name))),
                "vmFolder" => Some(folder(&dc.vm_folder)),
                "hostFolder" => Some(folder(&dc.host_folder)),
                "networkFolder" => Some(folder(&dc.network_folder)),
                "datastoreFolder" => Some(folder(&dc.datastore_folder)),
                "network" => Some(refs(view(s, obj, &["Network".to_owned()], true))),
                "datastore" => Some(refs(view(s, obj, &["Datastore".to_owned()], true))),
                _ => None,
            }
        }
        "ClusterComputeResource" => {
            let compute = vc.computes.get(v)?;
            match name {
                "name" => Some(string(escape(&compute.name))),
                "host" => Some(refs(compute.hosts.iter().map(|h| Ref::new("HostSystem", h.clone())))),
                "resourcePool" => Some(Value::Ref(Ref::new("ResourcePool", compute.pool.clone()))),
                "network" => {
                    let groups = vc.port_groups.iter().filter(|(_, p)| vc.uses(compute, p));
                    let groups = groups.map(|(k, _)| Ref::new("DistributedVirtualPortgroup", k.clone()));
                    Some(refs(groups.chain(vc.opaque.keys().map(|k| Ref::new("OpaqueNetwork", k.clone())))))
                }
                "datastore" => Some(refs(vc.datastores.keys().map(|k| Ref::new("Datastore", k.clone())))),
                _ => None,
            }
        }
        "HostSystem" => {
            let host = vc.hosts.get(v)?;
            match name {
                "name" => Some(string(escape(&host.name))),
                "vm" => Some(refs(vms_below(s, obj, true))),
                _ => None,
            }
        }
        "ResourcePool" => {
            let pool = vc.pools.get(v)?;
            let below = vc.pools.iter().filter(|(_, p)| p.parent == *v);
            match name {
                "name" => Some(string(escape(&pool.name))),
                "owner" => Some(Value::Ref(Ref::new("ClusterComputeResource", pool.compute.clone()))),
                "resourcePool" => Some(refs(below.map(|(k, _)| Ref::new("ResourcePool", k.clone())))),
                "vm" => Some(refs(vms_below(s, obj, false))),
                _ => None,
            }
        }
        "Datastore" => match name {
            "name" => Some(string(escape(&vc.datastores.get(v)?.name))),
            _ => None,
        },
        "VmwareDistributedVirtualSwitch" => {
            let switch = vc.switches.get(v)?;
            let groups = vc.port_groups.iter().filter(|(_, p)| p.switch == *v);
            match name {
                "name" => Some(string(escape(&switch.name))),
                "uuid" => Some(string(&switch.uuid)),
                "portgroup" => Some(refs(groups.map(|(k, _)| Ref::new("DistributedVirtualPortgroup", k.clone())))),
                _ => None,
            }
        }
        "DistributedVirtualPortgroup" => {
            let group = vc.port_groups.get(v)?;
            match name {
                "name" => Some(string(escape(&group.name))),
                "key" => Some(string(v)),
                "config" => Some(port_group(v, group)),
                _ => None,
            }
        }
        "OpaqueNetwork" => {
            let network = vc.opaque.get(v)?;
            let summary = || {
                Value::Object(
                    "OpaqueNetworkSummary",
                    vec![
                        ("network", Value::Ref(obj.clone())),
                        ("name", string(escape(&network.name))),
                        ("accessible", boolean(true)),
                        ("opaqueNetworkId", string(&network.opaque_id)),
                        ("opaqueNetworkType", string("nsx.LogicalSwitch")),
                    ],
                )
            };
            match name {
                "name" => Some(string(escape(&network.name))),
                "summary" => Some(summary()),
                _ => None,
            }
        }
        "VirtualMachine" => vm::whole(s, s.vm(&VmRef::new(v.clone()))?, name),
        "Task" => (name == "info").then(|| task(vc.tasks.get(v))).flatten(),
        _ => None,
    }
}

fn port_group(key: &str, group: &PortGroup) -> Value {
    let text = |t: &Option<String>| Value::or_unset(t.as_ref().map(string));
    Value::Object(
        "DVPortgroupConfigInfo",
        vec![
            ("key", string(key)),
            ("name", string(escape(&group.name))),
            ("numPorts", int(128)),
            ("distributedVirtualSwitch", Value::Ref(Ref::new("VmwareDistributedVirtualSwitch", group.switch.clone()))),
            ("type", string("earlyBinding")),
            ("autoExpand", boolean(true)),
            ("backingType", string(group.backing_type)),
            ("segmentId", text(&group.segment_id)),
            ("logicalSwitchUuid", text(&group.logical_switch)),
        ],
    )
}

fn task(task: Option<&VcTask>) -> Option<Value> {
    let task = task?;
    let at = |t: Option<jiff::Timestamp>| Value::or_unset(t.map(time));
    let error = task.error.clone().map(|e| {
        let localized = super::fault::Fault::from(e);
        Value::Fault(Box::new(localized.localized("error")))
    });
    Some(Value::Object(
        "TaskInfo",
        vec![
            ("key", string(&task.key)),
            ("task", Value::Ref(Ref::new("Task", task.key.clone()))),
            ("name", string(format!("{}_Task", task.method.rsplit('.').next().unwrap_or_default()))),
            ("descriptionId", string(task.method)),
            ("entity", Value::Ref(Ref::new("VirtualMachine", task.entity.clone()))),
            ("entityName", string(escape(&task.entity_name))),
            ("state", Value::Text("TaskInfoState", task.state.as_str().to_owned())),
            ("cancelled", boolean(false)),
            ("cancelable", boolean(false)),
            ("error", Value::or_unset(error)),
            (
                "result",
                Value::or_unset(task.result.as_ref().map(|r| Value::Ref(Ref::new("VirtualMachine", r.clone())))),
            ),
            ("progress", Value::or_unset(task.progress.map(int))),
            ("queueTime", time(task.queued)),
            ("startTime", at(task.started)),
            ("completeTime", at(task.completed)),
            ("eventChainId", int(1)),
        ],
    ))
}
