//! A world as JSON: what a later test needs to put around the database.

use std::collections::BTreeSet;

use howdah_core::cluster::ClusterRecord;
use howdah_core::mark::Mark;
use howdah_sim::World;
use howdah_sim::world::bde::BdeCluster;
use howdah_sim::world::neutron::NeutronPort;
use howdah_sim::world::state::State;
use howdah_sim::world::vcenter::inventory::{Backing, Nic, Vm};
use serde_json::{Value, json};

use crate::site::Run;

/// The world of a run. `records` are the clusters of our database, gone ones among them; the
/// manager's clusters of the names in `strangers` are not ours.
pub fn dump(run: &Run, about: &str, records: &[&ClusterRecord], strangers: &[&str]) -> Value {
    let taken = World::now(&run.world);
    let settings = run.world.read(|s| s.settings.clone());
    run.world.read(|s| {
        let mut names: BTreeSet<&str> = records.iter().map(|r| r.name.as_str()).collect();
        names.extend(s.bde.clusters.keys().map(String::as_str));
        let clusters: Vec<_> = names.iter().map(|name| cluster(s, name, records, strangers.contains(name))).collect();
        let of_clusters = |p: &&NeutronPort| names.iter().any(|n| belongs(s, p, n, records));
        let others: Vec<_> = s.neutron.ports.values().filter(|p| !of_clusters(p)).map(port).collect();
        json!({
            "site": run.controller.site.name,
            "about": about,
            "backend": settings.backend,
            "seed": settings.seed,
            "epoch": settings.epoch,
            "taken": taken,
            "projects": s.keystone.projects.values().map(|p| json!({ "id": p.id, "name": p.name })).collect::<Vec<_>>(),
            "networks": s.neutron.networks.values().map(|n| json!({
                "id": n.id, "name": n.name, "project": n.project, "shared": n.shared,
                "external": n.external, "segmentation": n.segmentation,
            })).collect::<Vec<_>>(),
            "subnets": s.neutron.subnets.values().map(|n| json!({
                "id": n.id, "name": n.name, "network": n.network, "project": n.project,
                "cidr": n.cidr.to_string(), "gateway": n.gateway, "dhcp": n.dhcp,
            })).collect::<Vec<_>>(),
            "segments": segments(s),
            "registrations": s.bde.networks.values().map(|n| json!({
                "name": n.name, "port_group": n.port_group, "dhcp": n.fixed.is_none(),
            })).collect::<Vec<_>>(),
            "clusters": clusters,
            "other_ports": others,
        })
    })
}

fn segments(s: &State) -> Vec<Value> {
    let groups = s.vc.port_groups.iter().filter(|(_, p)| p.network.is_some()).map(|(key, p)| {
        json!({
            "kind": "port_group", "key": key, "name": p.name, "network": p.network, "switch": p.switch,
            "segment_id": p.segment_id, "logical_switch": p.logical_switch,
        })
    });
    let opaque =
        s.vc.opaque
            .values()
            .filter(|o| o.network.is_some())
            .map(|o| json!({ "kind": "opaque", "key": o.opaque_id, "name": o.name, "network": o.network }));
    groups.chain(opaque).collect()
}

/// A port belongs to the cluster that its mark names; without a mark, or with that of a cluster
/// that we have no record of, to the one whose VM has its MAC.
fn belongs(s: &State, port: &NeutronPort, name: &str, records: &[&ClusterRecord]) -> bool {
    let marked = Mark::parse(&port.description).and_then(|m| records.iter().find(|r| r.id == m.cluster));
    match marked {
        Some(record) => record.name.as_str() == name,
        None => {
            let mut vms = s.vc.vms.values().filter(|v| v.cluster.as_deref() == Some(name));
            vms.any(|v| v.nics.iter().any(|n| n.mac == port.mac))
        }
    }
}

fn cluster(s: &State, name: &str, records: &[&ClusterRecord], strange: bool) -> Value {
    let vms = s.vc.vms.values().filter(|v| v.cluster.as_deref() == Some(name));
    let ports = s.neutron.ports.values().filter(|p| belongs(s, p, name, records));
    let tasks = s.bde.tasks.values().filter(|t| t.target == name).map(|t| {
        json!({
            "id": t.id, "kind": t.kind, "status": t.status.as_str(), "progress": t.progress, "error": t.error,
            "error_code": t.error_code, "started": t.started, "ended": t.ended,
        })
    });
    json!({
        "name": name,
        "id": records.iter().find(|r| r.name.as_str() == name).map(|r| r.id),
        "whose": if strange { "stranger" } else { "ours" },
        "manager": s.bde.clusters.get(name).map(manager),
        "tasks": tasks.collect::<Vec<_>>(),
        "vms": vms.map(vm).collect::<Vec<_>>(),
        "ports": ports.map(port).collect::<Vec<_>>(),
    })
}

fn manager(c: &BdeCluster) -> Value {
    let groups = c.groups.iter().map(|g| {
        json!({
            "name": g.request.name, "roles": g.request.roles, "count": g.request.count,
            "cpu": g.cpu, "memory_mb": g.memory_mb, "disk_gb": g.disk_gb,
        })
    });
    let nodes = c.groups.iter().flat_map(|g| {
        g.nodes.iter().enumerate().map(move |(index, n)| {
            json!({
                "name": n.name, "group": g.request.name, "index": index, "vm": n.vm, "status": n.status.as_str(),
                "action": n.action, "action_failed": n.action_failed, "error": n.error, "host": n.host,
                "pool": n.pool, "addresses": n.addresses, "incarnation": n.incarnation,
            })
        })
    });
    json!({
        "status": c.status.as_str(), "task": c.task, "created": c.created, "distro": c.distro.name,
        "app_manager": c.app_manager, "networks": c.request.networks, "rp_names": c.rp_names,
        "ds_names": c.ds_names, "folder": c.folder,
        "groups": groups.collect::<Vec<_>>(), "nodes": nodes.collect::<Vec<_>>(),
    })
}

fn vm(v: &Vm) -> Value {
    let group = v.name.rsplit('-').nth(1);
    json!({
        "moref": v.moref, "name": v.name, "group": group, "instance_uuid": v.instance_uuid, "uuid": v.uuid,
        "configured": v.configured, "power": v.power, "boot_time": v.boot_time, "boot": v.boot, "tools": v.tools,
        "guest_state": v.guest_state, "profile": v.profile, "cpus": v.cpus, "memory_mb": v.memory_mb,
        "disks_gb": v.disks_gb, "nics": v.nics.iter().map(nic).collect::<Vec<_>>(),
    })
}

fn nic(n: &Nic) -> Value {
    let segment = match &n.backing {
        Backing::PortGroup { key, .. } => key,
        Backing::Opaque(id) => id,
        Backing::Standard(name) => name,
    };
    json!({
        "key": n.key, "mac": n.mac, "segment": segment, "connected": n.connected,
        "external_id": n.external_id, "address": n.address, "reported": n.reported,
    })
}

fn port(p: &NeutronPort) -> Value {
    let fixed = p.fixed_ips.iter().map(|(subnet, ip)| json!({ "subnet": subnet, "address": ip }));
    json!({
        "id": p.id, "name": p.name, "project": p.project, "network": p.network, "mac": p.mac,
        "fixed_ips": fixed.collect::<Vec<_>>(), "device_owner": p.device_owner, "device_id": p.device_id,
        "description": p.description, "security_groups": p.security_groups, "host": p.host, "status": p.status,
        "vnic_index": p.vnic_index, "binding": p.binding, "created": p.created,
    })
}

/// JSON to be read by people as well: what fits into a line stands in one.
pub fn lines(value: &Value, depth: usize) -> String {
    let flat = value.to_string();
    let indent = "  ".repeat(depth);
    let within: Vec<_> = match value {
        _ if flat.len() + indent.len() <= 160 => return indent + &flat,
        Value::Array(items) => items.iter().map(|v| lines(v, depth + 1)).collect(),
        Value::Object(fields) => {
            let field = |(name, v): (&String, &Value)| {
                format!("{indent}  {}: {}", json!(name), lines(v, depth + 1).trim_start())
            };
            fields.iter().map(field).collect()
        }
        _ => return indent + &flat,
    };
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    format!("{indent}{open}\n{}\n{indent}{close}", within.join(",\n"))
}
