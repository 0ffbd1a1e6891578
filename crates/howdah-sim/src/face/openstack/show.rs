//! Networks, subnets, ports and groups as Neutron shows them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::world::neutron::{Caller, NeutronNetwork, NeutronPort, NeutronSubnet, SecurityGroup};
use crate::world::settings::NetworkBackend;
use crate::world::state::State;

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn network(s: &State, n: &NeutronNetwork, caller: &Caller) -> Value {
    let subnets: Vec<&str> = s.neutron.subnets.values().filter(|x| x.network == n.id).map(|x| x.id.as_str()).collect();
    let mut body = json!({
        "id": n.id, "name": n.name, "project_id": n.project, "tenant_id": n.project, "status": "ACTIVE",
        "admin_state_up": n.admin_up, "shared": n.shared, "router:external": n.external, "subnets": subnets,
        "mtu": 1500, "port_security_enabled": true, "availability_zones": [], "availability_zone_hints": [],
        "ipv4_address_scope": null, "ipv6_address_scope": null, "l2_adjacency": true,
        "description": n.description, "tags": [], "revision_number": n.revision,
        "created_at": time(n.created), "updated_at": time(n.created),
    });
    if caller.admin {
        let kind = match s.settings.backend {
            NetworkBackend::NsxV => "vxlan",
            NetworkBackend::NsxT => "geneve",
            NetworkBackend::Ml2 => "vlan",
        };
        body["provider:network_type"] = json!(kind);
        body["provider:segmentation_id"] = json!(n.segmentation);
        body["provider:physical_network"] = Value::Null;
    }
    body
}

pub(super) fn subnet(_: &State, n: &NeutronSubnet, _: &Caller) -> Value {
    let pools: Vec<Value> = n.pools.iter().map(|(start, end)| json!({"start": start, "end": end})).collect();
    json!({
        "id": n.id, "name": n.name, "project_id": n.project, "tenant_id": n.project, "network_id": n.network,
        "cidr": n.cidr.to_string(), "ip_version": n.cidr.version(), "gateway_ip": n.gateway, "enable_dhcp": n.dhcp,
        "allocation_pools": pools, "dns_nameservers": n.dns, "host_routes": [], "ipv6_address_mode": null,
        "ipv6_ra_mode": null, "subnetpool_id": null, "segment_id": null, "service_types": [],
        "dns_publish_fixed_ip": false, "description": n.description, "tags": [], "revision_number": n.revision,
        "created_at": time(n.created), "updated_at": time(n.created),
    })
}

pub(super) fn port(s: &State, p: &NeutronPort, caller: &Caller) -> Value {
    let ips: Vec<Value> =
        p.fixed_ips.iter().map(|(subnet, address)| json!({"subnet_id": subnet, "ip_address": address})).collect();
    let mut body = json!({
        "id": p.id, "name": p.name, "project_id": p.project, "tenant_id": p.project, "network_id": p.network,
        "mac_address": p.mac.to_string(), "fixed_ips": ips, "device_owner": p.device_owner, "device_id": p.device_id,
        "description": p.description, "security_groups": p.security_groups, "admin_state_up": p.admin_up,
        "port_security_enabled": p.port_security, "status": p.status, "allowed_address_pairs": [],
        "extra_dhcp_opts": [], "binding:vnic_type": "normal", "tags": p.tags, "revision_number": p.revision,
        "created_at": time(p.created), "updated_at": time(p.updated),
    });
    if s.settings.backend == NetworkBackend::NsxV {
        body["vnic_index"] = json!(p.vnic_index);
    }
    if caller.admin {
        body["binding:host_id"] = json!(p.host);
        body["binding:vif_type"] = json!(s.vif_type(p));
        body["binding:vif_details"] = match s.shown_switch(&p.network, &p.device_owner) {
            Some(switch) => json!({"nsx-logical-switch-id": switch}),
            None => json!({}),
        };
        body["binding:profile"] = json!({});
    }
    body
}

pub(super) fn group(s: &State, g: &SecurityGroup, _: &Caller) -> Value {
    let at = time(s.settings.epoch);
    json!({
        "id": g.id, "name": g.name, "project_id": g.project, "tenant_id": g.project, "description": g.description,
        "security_group_rules": [], "stateful": true, "shared": false, "tags": [], "revision_number": 1,
        "created_at": at, "updated_at": at,
    })
}
