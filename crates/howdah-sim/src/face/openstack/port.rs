//! Ports: one or many in a request, changes, tags.

use std::net::IpAddr;

use axum::http::Method;
use axum::response::Response;
use howdah_core::ids::Mac;
use serde_json::{Value, json};
use uuid::Uuid;

use super::body::{Answer, absent, inner, invalid, not_a_uuid, only, parsed, text, uuid};
use super::network::Call;
use super::reply::{header, nothing, reply};
use super::show;
use crate::world::neutron::{Caller, NeutronError, NeutronPort, PortBody, PortUpdate};
use crate::world::settings::NetworkBackend;
use crate::world::state::State;

/// What a body may name. Some of it changes nothing here; a card's index is known with NSX-v only.
const KNOWN: [&str; 22] = [
    "network_id",
    "name",
    "project_id",
    "tenant_id",
    "mac_address",
    "fixed_ips",
    "device_owner",
    "device_id",
    "description",
    "security_groups",
    "port_security_enabled",
    "admin_state_up",
    "binding:host_id",
    "binding:vnic_type",
    "binding:profile",
    "allowed_address_pairs",
    "extra_dhcp_opts",
    "dns_name",
    "dns_domain",
    "qos_policy_id",
    // Silently ignored in a create, as most Neutrons do.
    "tags",
    "propagate_uplink_status",
];

pub(super) async fn serve(call: &Call<'_>, method: &Method, path: &[&str]) -> Answer<Response> {
    match (method.as_str(), path) {
        ("GET", []) => call.list("ports", |s, caller| ports(s, caller, call)),
        ("GET", [id]) => {
            let body = call.world.read(|s| {
                let port = s.visible_port(id, &call.caller)?;
                Ok::<_, NeutronError>(show::port(s, port, &call.caller))
            })?;
            Ok(reply(200, json!({"port": call.query.trimmed(body)})))
        }
        ("POST", []) => create(call).await,
        ("PUT", [id]) => {
            let update = update(call)?;
            let port = call.world.update_port(id, &update, &call.caller)?;
            Ok(shown(call, &port, 200))
        }
        ("DELETE", [id]) => call.world.delete_port(id, &call.caller).map(|()| nothing()),
        ("PUT", [id, "tags"]) => tags(call, id),
        _ => Err(absent()),
    }
}

/// Few are rendered where the query names addresses or a network: a site can have thousands.
fn ports(s: &State, caller: &Caller, call: &Call<'_>) -> Vec<Value> {
    let network = call.query.wanted("network_id");
    let macs: Option<Vec<Mac>> =
        call.query.wanted("mac_address").map(|wanted| wanted.iter().filter_map(|m| m.parse().ok()).collect());
    let worth = |p: &&NeutronPort| {
        s.sees_port(p, caller)
            && network.is_none_or(|n| n.contains(&p.network))
            && macs.as_ref().is_none_or(|m| m.contains(&p.mac))
    };
    s.neutron.ports.values().filter(worth).map(|p| show::port(s, p, caller)).collect()
}

fn shown(call: &Call<'_>, port: &NeutronPort, status: u16) -> Response {
    let body = call.world.read(|s| show::port(s, port, &call.caller));
    reply(status, json!({ "port": body }))
}

async fn create(call: &Call<'_>) -> Answer<Response> {
    let Some(many) = call.body.get("ports") else {
        let made = call.world.create_ports(vec![one(call, inner(&call.body, "port", &known(call))?)?], &call.caller);
        return match made.await?.first() {
            Some(port) => Ok(shown(call, port, 201)),
            None => Err(invalid("Resources required")),
        };
    };
    let many = many.as_array().filter(|m| !m.is_empty()).ok_or_else(|| invalid("Resources required"))?;
    let bodies = many.iter().map(|b| one(call, b)).collect::<Answer<Vec<_>>>()?;
    let made = call.world.create_ports(bodies, &call.caller).await?;
    let shown: Vec<Value> = call.world.read(|s| made.iter().map(|p| show::port(s, p, &call.caller)).collect());
    Ok(reply(201, json!({ "ports": shown })))
}

fn known(call: &Call<'_>) -> Vec<&'static str> {
    let nsx_v = call.world.read(|s| s.settings.backend == NetworkBackend::NsxV);
    KNOWN.into_iter().chain(nsx_v.then_some("vnic_index")).collect()
}

fn one(call: &Call<'_>, b: &Value) -> Answer<PortBody> {
    only(b, &known(call))?;
    Ok(PortBody {
        network: uuid(b, "network_id")?,
        name: text(b, "name").unwrap_or_default(),
        project: text(b, "project_id").or_else(|| text(b, "tenant_id")),
        mac: parsed(b, "mac_address")?,
        fixed_ips: fixed_ips(b)?,
        device_owner: text(b, "device_owner").unwrap_or_default(),
        device_id: text(b, "device_id").unwrap_or_default(),
        description: text(b, "description").unwrap_or_default(),
        security_groups: groups(b)?,
        port_security: b.get("port_security_enabled").and_then(Value::as_bool),
        admin_up: b.get("admin_state_up").and_then(Value::as_bool),
        host: text(b, "binding:host_id"),
    })
}

fn update(call: &Call<'_>) -> Answer<PortUpdate> {
    let b = inner(&call.body, "port", &known(call))?;
    if let Some(fixed) = ["network_id", "project_id", "tenant_id"].iter().find(|k| b.get(**k).is_some()) {
        return Err(invalid(&format!("Cannot update read-only attribute {fixed}")));
    }
    let seen = header(call.headers, "if-match").strip_prefix("revision_number=");
    Ok(PortUpdate {
        name: text(b, "name"),
        mac: parsed(b, "mac_address")?,
        fixed_ips: fixed_ips(b)?,
        device_owner: text(b, "device_owner"),
        device_id: text(b, "device_id"),
        description: text(b, "description"),
        security_groups: groups(b)?,
        port_security: b.get("port_security_enabled").and_then(Value::as_bool),
        admin_up: b.get("admin_state_up").and_then(Value::as_bool),
        host: text(b, "binding:host_id"),
        vnic_index: b.get("vnic_index").map(|v| v.as_u64().and_then(|n| u32::try_from(n).ok())),
        if_revision: seen.and_then(|n| n.parse().ok()),
    })
}

type FixedIps = Option<Vec<(Option<String>, Option<IpAddr>)>>;

fn fixed_ips(b: &Value) -> Answer<FixedIps> {
    let Some(items) = b.get("fixed_ips").and_then(Value::as_array) else {
        return Ok(None);
    };
    let item = |ip: &Value| {
        let subnet = if ip.get("subnet_id").is_some() { Some(uuid(ip, "subnet_id")?) } else { None };
        Ok((subnet, parsed(ip, "ip_address")?))
    };
    items.iter().map(item).collect::<Answer<Vec<_>>>().map(Some)
}

fn groups(b: &Value) -> Answer<Option<Vec<String>>> {
    let Some(items) = b.get("security_groups").and_then(Value::as_array) else {
        return Ok(None);
    };
    let item = |g: &Value| {
        let said = g.as_str().unwrap_or_default();
        Uuid::try_parse(said).map(|_| said.to_owned()).map_err(|_| not_a_uuid("security_groups", said))
    };
    items.iter().map(item).collect::<Answer<Vec<_>>>().map(Some)
}

fn tags(call: &Call<'_>, id: &str) -> Answer<Response> {
    let items = call.body.get("tags").and_then(Value::as_array).ok_or_else(|| invalid("Invalid tags body"))?;
    let tags: Vec<String> = items.iter().filter_map(|t| t.as_str().map(str::to_owned)).collect();
    call.world.write(|s| {
        s.visible_port(id, &call.caller)?;
        if let Some(port) = s.neutron.ports.get_mut(id) {
            port.tags.clone_from(&tags);
            port.revision += 1;
        }
        Ok::<_, NeutronError>(())
    })?;
    Ok(reply(200, json!({ "tags": tags })))
}
