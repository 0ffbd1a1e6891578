//! Neutron v2.0: who calls, which resource, and networks, subnets and security groups.

use axum::extract::{Request, State as Extract};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use howdah_core::failure::System;
use serde_json::{Value, json};

use super::body::{Answer, absent, inner, invalid, parsed, text, uuid};
use super::filter::Query;
use super::reply::{carried, header, nothing, own_url, read, reply, unauthorized};
use super::{port, quota, show};
use crate::World;
use crate::world::neutron::{Caller, NetworkBody, NeutronError, SubnetBody};
use crate::world::state::State;

/// What clients ask for in passing and this Neutron has none of.
const EMPTY: [&str; 8] = [
    "agents",
    "routers",
    "floatingips",
    "subnetpools",
    "address-scopes",
    "security-group-rules",
    "rbac-policies",
    "trunks",
];

/// The service.
#[derive(Clone)]
pub(super) struct Neutron {
    pub(super) world: World,
    pub(super) most: Option<usize>,
}

/// One request.
pub(super) struct Call<'r> {
    pub(super) world: &'r World,
    pub(super) caller: Caller,
    pub(super) query: Query,
    pub(super) headers: &'r HeaderMap,
    pub(super) body: Value,
    /// The address asked, without its query.
    url: String,
    most: Option<usize>,
}

pub(super) async fn serve(Extract(neutron): Extract<Neutron>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let host = header(&parts.headers, "host");
    let path: Vec<&str> = parts.uri.path().split('/').filter(|p| !p.is_empty()).collect();
    let Some((&"v2.0", path)) = path.split_first() else {
        let own = own_url(&neutron.world, "network", host);
        return if path.is_empty() { versions(&own) } else { absent().into_response() };
    };
    let body = read(body).await;
    let (name, object) = called(&parts.method, path, body.as_ref().unwrap_or(&Value::Null));
    let token = header(&parts.headers, "x-auth-token").to_owned();
    let origin = neutron.world.origin_of(&token);
    let url = format!("{}{}", own_url(&neutron.world, "network", host), parts.uri.path());
    let path: Vec<String> = path.iter().map(|p| (*p).to_owned()).collect();
    let most = neutron.most;
    let work = move |world: World| async move {
        let Some(caller) = world.caller(&token) else {
            return unauthorized();
        };
        let Ok(body) = body else {
            return invalid("Malformed request body").into_response();
        };
        let query = Query::read(parts.uri.query().unwrap_or_default());
        let call = Call { world: &world, caller, query, headers: &parts.headers, body, url, most };
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        call.answer(&parts.method, &path).await.unwrap_or_else(IntoResponse::into_response)
    };
    carried(&neutron.world, (System::Neutron, &name, &object), origin, work).await
}

fn versions(own: &str) -> Response {
    let link = json!({"rel": "self", "href": format!("{own}/v2.0/")});
    reply(200, json!({"versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}]}))
}

/// How counters and fault rules call a request, and the object that it is about.
fn called(method: &Method, path: &[&str], body: &Value) -> (String, String) {
    let id = path.get(1).copied().unwrap_or_default().to_owned();
    let first_port = || body["ports"][0]["name"].as_str().or(body["port"]["name"].as_str()).unwrap_or_default();
    let Some(kinds) = path.first() else {
        return ("versions".to_owned(), id);
    };
    let kinds = kinds.replace('-', "_");
    let kind = kinds.trim_end_matches('s');
    match (method.as_str(), path) {
        ("POST", ["ports"]) => ("create_ports".to_owned(), first_port().to_owned()),
        ("PUT", ["ports", _]) if is_only(&body["port"], "vnic_index") => ("set_vnic_index".to_owned(), id),
        ("GET", ["quotas", ..]) => ("port_quota".to_owned(), id),
        ("GET", ["extensions", ..]) => ("features".to_owned(), id),
        ("GET", [_]) => (kinds, id),
        ("GET", _) => (kind.to_owned(), id),
        ("POST", _) => (format!("create_{kind}"), body[kind]["name"].as_str().unwrap_or_default().to_owned()),
        ("DELETE", _) => (format!("delete_{kind}"), id),
        _ => (format!("update_{kind}"), id),
    }
}

fn is_only(value: &Value, key: &str) -> bool {
    value.as_object().is_some_and(|o| o.len() == 1 && o.contains_key(key))
}

impl Call<'_> {
    async fn answer(&self, method: &Method, path: &[&str]) -> Answer<Response> {
        match (method.as_str(), path) {
            ("GET", []) => Ok(reply(200, json!({"resources": []}))),
            ("GET", ["extensions", rest @ ..]) => quota::extensions(self, rest),
            (_, ["quotas", rest @ ..]) => quota::quotas(self, method, rest),
            (_, ["ports", rest @ ..]) => port::serve(self, method, rest).await,
            ("GET", [kinds]) if EMPTY.contains(kinds) => Ok(reply(200, json!({ kinds.replace('-', "_"): [] }))),
            ("GET", ["networks"]) => self.list("networks", networks),
            ("GET", ["subnets"]) => self.list("subnets", subnets),
            ("GET", ["security-groups"]) => self.list("security_groups", groups),
            ("GET", ["networks", id]) => self.show("network", networks, id, "Network"),
            ("GET", ["subnets", id]) => self.show("subnet", subnets, id, "Subnet"),
            ("GET", ["security-groups", id]) => self.show("security_group", groups, id, "Security group"),
            ("POST", ["networks"]) => self.create_network(),
            ("POST", ["subnets"]) => self.create_subnet(),
            ("POST", ["security-groups"]) => self.create_group(),
            ("PUT", ["networks", id]) => self.change_network(id),
            ("PUT", ["subnets", id]) => self.change_subnet(id),
            ("DELETE", ["networks", id]) => self.world.delete_network(id, &self.caller).map(|()| nothing()),
            ("DELETE", ["subnets", id]) => self.world.delete_subnet(id, &self.caller).map(|()| nothing()),
            ("DELETE", ["security-groups", id]) => {
                self.world.delete_security_group(id, &self.caller).map(|()| nothing())
            }
            _ => Err(absent()),
        }
    }

    /// All that the caller may see and that fit.
    pub(super) fn list(&self, key: &str, all: impl Fn(&State, &Caller) -> Vec<Value>) -> Answer<Response> {
        let all = self.world.read(|s| all(s, &self.caller));
        self.query.list(key, &self.url, self.most, all).map(|body| reply(200, body))
    }

    fn show(
        &self,
        key: &str,
        all: impl Fn(&State, &Caller) -> Vec<Value>,
        id: &str,
        what: &'static str,
    ) -> Answer<Response> {
        let all = self.world.read(|s| all(s, &self.caller));
        let found = all.into_iter().find(|v| v["id"] == id).ok_or_else(|| NeutronError::not_found(what, id))?;
        Ok(reply(200, json!({ key: self.query.trimmed(found) })))
    }

    fn create_network(&self) -> Answer<Response> {
        let known = [
            "name",
            "project_id",
            "tenant_id",
            "admin_state_up",
            "shared",
            "router:external",
            "description",
            "mtu",
            "port_security_enabled",
            "availability_zone_hints",
            "dns_domain",
            "qos_policy_id",
            "is_default",
            "provider:network_type",
            "provider:physical_network",
            "provider:segmentation_id",
        ];
        let b = inner(&self.body, "network", &known)?;
        let flag = |key: &str| b.get(key).and_then(Value::as_bool).unwrap_or(false);
        let made = self.world.create_network(
            NetworkBody {
                name: text(b, "name").unwrap_or_default(),
                project: text(b, "project_id").or_else(|| text(b, "tenant_id")),
                shared: flag("shared"),
                external: flag("router:external"),
                description: text(b, "description").unwrap_or_default(),
            },
            &self.caller,
        )?;
        let body = self.world.read(|s| show::network(s, &made, &self.caller));
        Ok(reply(201, json!({ "network": body })))
    }

    fn create_subnet(&self) -> Answer<Response> {
        let known = [
            "network_id",
            "name",
            "project_id",
            "tenant_id",
            "cidr",
            "ip_version",
            "gateway_ip",
            "enable_dhcp",
            "allocation_pools",
            "dns_nameservers",
            "host_routes",
            "description",
            "ipv6_address_mode",
            "ipv6_ra_mode",
            "subnetpool_id",
            "prefixlen",
            "segment_id",
            "service_types",
            "dns_publish_fixed_ip",
        ];
        let b = inner(&self.body, "subnet", &known)?;
        let gateway = match b.get("gateway_ip") {
            None => None,
            Some(Value::Null) => Some(None),
            Some(_) => Some(parsed(b, "gateway_ip")?),
        };
        let pools = match b.get("allocation_pools").and_then(Value::as_array) {
            None => None,
            Some(pools) => Some(pools.iter().map(pool).collect::<Answer<Vec<_>>>()?),
        };
        let dns = b.get("dns_nameservers").and_then(Value::as_array).into_iter().flatten();
        let made = self.world.create_subnet(
            SubnetBody {
                network: uuid(b, "network_id")?,
                name: text(b, "name").unwrap_or_default(),
                project: text(b, "project_id").or_else(|| text(b, "tenant_id")),
                cidr: text(b, "cidr").unwrap_or_default(),
                gateway,
                dhcp: b.get("enable_dhcp").and_then(Value::as_bool),
                pools,
                dns: dns.filter_map(|d| d.as_str()?.parse().ok()).collect(),
                description: text(b, "description").unwrap_or_default(),
            },
            &self.caller,
        )?;
        let body = self.world.read(|s| show::subnet(s, &made, &self.caller));
        Ok(reply(201, json!({ "subnet": body })))
    }

    fn create_group(&self) -> Answer<Response> {
        let b = inner(&self.body, "security_group", &["name", "description", "project_id", "tenant_id", "stateful"])?;
        let (name, description) = (text(b, "name").unwrap_or_default(), text(b, "description").unwrap_or_default());
        let made = self.world.create_security_group(&name, &description, &self.caller);
        let body = self.world.read(|s| show::group(s, &made, &self.caller));
        Ok(reply(201, json!({ "security_group": body })))
    }

    fn change_network(&self, id: &str) -> Answer<Response> {
        let b = inner(&self.body, "network", &["name", "description", "admin_state_up"])?;
        self.world.write(|s| {
            let found = s.visible_network(id, &self.caller)?;
            if found.project != self.caller.project && !self.caller.admin {
                return Err(NeutronError::policy("update_network"));
            }
            if let Some(n) = s.neutron.networks.get_mut(id) {
                n.name = text(b, "name").unwrap_or_else(|| n.name.clone());
                n.description = text(b, "description").unwrap_or_else(|| n.description.clone());
                n.admin_up = b.get("admin_state_up").and_then(Value::as_bool).unwrap_or(n.admin_up);
                n.revision += 1;
            }
            Ok(())
        })?;
        self.show("network", networks, id, "Network")
    }

    fn change_subnet(&self, id: &str) -> Answer<Response> {
        let b = inner(&self.body, "subnet", &["name", "description", "enable_dhcp"])?;
        self.world.write(|s| {
            let found = s.neutron.subnets.get_mut(id).filter(|n| self.caller.admin || n.project == self.caller.project);
            let n = found.ok_or_else(|| NeutronError::not_found("Subnet", id))?;
            n.name = text(b, "name").unwrap_or_else(|| n.name.clone());
            n.description = text(b, "description").unwrap_or_else(|| n.description.clone());
            n.dhcp = b.get("enable_dhcp").and_then(Value::as_bool).unwrap_or(n.dhcp);
            n.revision += 1;
            Ok(())
        })?;
        self.show("subnet", subnets, id, "Subnet")
    }
}

fn pool(value: &Value) -> Answer<(std::net::IpAddr, std::net::IpAddr)> {
    match (parsed(value, "start")?, parsed(value, "end")?) {
        (Some(start), Some(end)) => Ok((start, end)),
        _ => Err(invalid("Invalid input for allocation_pools.")),
    }
}

fn networks(s: &State, caller: &Caller) -> Vec<Value> {
    let seen = s.neutron.networks.values().filter(|n| s.sees_network(n, caller));
    seen.map(|n| show::network(s, n, caller)).collect()
}

fn subnets(s: &State, caller: &Caller) -> Vec<Value> {
    let seen = s.neutron.subnets.values().filter(|n| s.visible_network(&n.network, caller).is_ok());
    seen.map(|n| show::subnet(s, n, caller)).collect()
}

fn groups(s: &State, caller: &Caller) -> Vec<Value> {
    let seen = s.neutron.groups.values().filter(|g| caller.admin || g.project == caller.project);
    seen.map(|g| show::group(s, g, caller)).collect()
}
