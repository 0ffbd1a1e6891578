//! The world in the control API, as JSON.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Urls;
use crate::world::inventory::Vm;
use crate::world::power::power_word;
use crate::world::settings::Login;
use crate::world::state::State;

/// The objects, in numbers and names.
pub(super) fn state(s: &State, now: Timestamp) -> Value {
    let clusters: Map<String, Value> = s
        .bde
        .clusters
        .iter()
        .map(|(name, c)| {
            let nodes: Vec<_> = c
                .nodes()
                .map(|n| json!({ "name": n.name, "vm": n.vm, "status": n.status.as_str(), "action": n.action, "error": n.error }))
                .collect();
            (name.clone(), json!({ "status": c.status.as_str(), "task": c.task, "nodes": nodes }))
        })
        .collect();
    let mut calls: Map<String, Value> = Map::new();
    for (system, method, count) in s.counters.iter() {
        let of_system = calls.entry(system.to_string()).or_insert_with(|| json!({}));
        of_system[method] = json!(count);
    }
    let networks: Vec<_> = s
        .neutron
        .networks
        .values()
        .map(|n| {
            let subnets: Vec<_> = s
                .neutron
                .subnets
                .values()
                .filter(|u| u.network == n.id)
                .map(|u| json!({ "id": u.id, "name": u.name, "cidr": u.cidr.to_string(), "dhcp": u.dhcp, "used": s.neutron.used(u) }))
                .collect();
            json!({ "id": n.id, "name": n.name, "project": n.project, "subnets": subnets })
        })
        .collect();
    json!({
        "now": now,
        "revision": s.revision,
        "backend": s.settings.backend,
        "guest": s.settings.guest,
        "guest_mode": s.settings.guest_mode,
        "vms": s.vc.vms.len(),
        "bystanders": s.vc.bystanders,
        "port_groups": s.vc.port_groups.iter().map(|(k, p)| json!({ "key": k, "name": p.name, "network": p.network })).collect::<Vec<_>>(),
        "clusters": clusters,
        "registered_networks": s.bde.networks.values().map(|n| json!({ "name": n.name, "port_group": n.port_group })).collect::<Vec<_>>(),
        "networks": networks,
        "ports": s.neutron.ports.len(),
        "calls": calls,
    })
}

/// VMs with their cards: those of a cluster, or all that are not bystanders.
pub(super) fn vms(s: &State, cluster: Option<&str>) -> Value {
    let wanted = |v: &&Vm| match cluster {
        Some(name) => v.cluster.as_deref() == Some(name),
        None => v.cluster.is_some(),
    };
    let shown: Vec<_> = s.vc.vms.values().filter(wanted).map(|v| vm(s, v)).collect();
    json!({ "vms": shown })
}

fn vm(s: &State, v: &Vm) -> Value {
    let nics: Vec<_> = v
        .nics
        .iter()
        .map(|n| {
            json!({
                "key": n.key,
                "mac": n.mac,
                "port_group": s.vc.network_name(&n.backing),
                "network": s.vc.neutron_network(&n.backing),
                "connected": n.connected,
                "external_id": n.external_id,
                "address": n.address,
                "reported": n.reported,
            })
        })
        .collect();
    json!({
        "vm": v.moref,
        "name": v.name,
        "cluster": v.cluster,
        "instance_uuid": v.instance_uuid,
        "power": power_word(v.power),
        "boot": v.boot,
        "boot_time": v.boot_time,
        "tools": v.tools,
        "guest": v.profile,
        "nics": nics,
    })
}

/// All that a client needs to be configured with.
pub(super) fn endpoints(s: &State, urls: &Urls, fingerprint: Option<&str>) -> Value {
    let login = |l: &Login| json!({ "user": l.user, "password": l.password });
    let project = s.settings.projects.first().cloned().unwrap_or_default();
    json!({
        "urls": urls,
        "certificate_sha256": fingerprint,
        "network_backend": s.settings.backend,
        "vcenter": login(&s.settings.vcenter_login),
        "bde": login(&s.settings.bde_login),
        "openstack": {
            "service": login(&s.settings.service_login),
            "user": login(&s.settings.user_login),
            "project": project,
            "domain": crate::world::keystone::DOMAIN_NAME,
            "region": "RegionOne",
        },
    })
}
