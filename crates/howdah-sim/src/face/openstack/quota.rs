//! Quotas and extensions: what a project may have, and what this Neutron can do.

use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};

use super::body::{Answer, absent, inner};
use super::network::Call;
use super::reply::{nothing, reply};
use crate::world::neutron::NeutronError;
use crate::world::settings::NetworkBackend;
use crate::world::state::State;

/// Extensions that every backend has.
const EVERYWHERE: [&str; 16] = [
    "allowed-address-pairs",
    "binding",
    "external-net",
    "extra_dhcp_opt",
    "filter-validation",
    "net-mtu",
    "pagination",
    "port-security",
    "project-id",
    "provider",
    "quota_details",
    "quotas",
    "revision-if-match",
    "security-group",
    "standard-attr-description",
    "standard-attr-tag",
];

pub(super) fn extensions(call: &Call<'_>, path: &[&str]) -> Answer<Response> {
    let nsx_v = call.world.read(|s| s.settings.backend == NetworkBackend::NsxV);
    let all = EVERYWHERE.into_iter().chain(nsx_v.then_some("vnic-index"));
    let show = |alias: &str| json!({"alias": alias, "name": alias, "description": "", "updated": "2015-01-01T00:00:00-00:00", "links": []});
    match path {
        [] => {
            let shown: Vec<Value> = all.map(|alias| call.query.trimmed(show(alias))).collect();
            Ok(reply(200, json!({ "extensions": shown })))
        }
        [wanted] => {
            let mut all = all;
            let alias = all.find(|a| a == wanted).ok_or_else(absent)?;
            Ok(reply(200, json!({"extension": show(alias)})))
        }
        _ => Err(absent()),
    }
}

pub(super) fn quotas(call: &Call<'_>, method: &Method, path: &[&str]) -> Answer<Response> {
    let Some(project) = path.first() else {
        return Ok(reply(200, json!({"quotas": []})));
    };
    let own = call.caller.project == *project;
    match (method.as_str(), path) {
        ("GET", [_, "details.json" | "details"]) if call.caller.admin || own => {
            Ok(reply(200, json!({"quota": call.world.read(|s| details(s, project))})))
        }
        ("GET", [_] | [_, "default"]) if call.caller.admin || own => {
            Ok(reply(200, json!({"quota": call.world.read(|s| limits(s, project))})))
        }
        ("PUT", [_]) if call.caller.admin => {
            let body = inner(&call.body, "quota", &["port", "network", "subnet", "security_group"])?;
            if let Some(limit) = body.get("port").and_then(Value::as_i64) {
                call.world.write(|s| match u64::try_from(limit) {
                    Ok(limit) => s.neutron.port_quota.insert((*project).to_owned(), limit),
                    Err(_) => s.neutron.port_quota.remove(*project),
                });
            }
            Ok(reply(200, json!({"quota": call.world.read(|s| limits(s, project))})))
        }
        ("DELETE", [_]) if call.caller.admin => Ok(nothing()),
        ("GET", _) => Err(NeutronError::policy("get_quota")),
        _ => Err(NeutronError::policy("update_quota")),
    }
}

/// Limit and use of what has tables here; everything else is unlimited.
fn counted(s: &State, project: &str) -> [(&'static str, i64, u64); 4] {
    let limit = s.neutron.port_quota.get(project).and_then(|l| i64::try_from(*l).ok()).unwrap_or(-1);
    let n = &s.neutron;
    [
        ("port", limit, s.ports_of(project)),
        ("network", -1, n.networks.values().filter(|x| x.project == project).count() as u64),
        ("subnet", -1, n.subnets.values().filter(|x| x.project == project).count() as u64),
        ("security_group", -1, n.groups.values().filter(|x| x.project == project).count() as u64),
    ]
}

fn details(s: &State, project: &str) -> Value {
    let one =
        |(name, limit, used): (&str, i64, u64)| (name.to_owned(), json!({"limit": limit, "used": used, "reserved": 0}));
    Value::Object(counted(s, project).into_iter().map(one).collect())
}

fn limits(s: &State, project: &str) -> Value {
    Value::Object(counted(s, project).into_iter().map(|(name, limit, _)| (name.to_owned(), json!(limit))).collect())
}
