//! Converts the resource's properties to a request body of the native API, as Heat's resource does.

use serde_json::{Map, Value};

use super::error::TemplateError;

/// Properties with a different name in the API.
const RENAMED: [(&str, &str); 2] = [("cluster_name", "name"), ("cluster_rp", "resource_pools")];
/// Properties with the same name in the API.
const SAME: [&str; 16] = [
    "cluster_type",
    "network",
    "subnet",
    "bde_endpoint",
    "vcm_server",
    "username",
    "password",
    "cluster_password",
    "vio_config",
    "bde_config",
    "datastores",
    "site",
    "app_manager",
    "remedy",
    "wait_for",
    "specification",
];
/// The pool of the templates of 2015, and the default of Heat's resource.
const DEFAULT_POOL: &str = "openstackRP";
/// Numbers; CFN writes them as strings.
const NUMBERS: [&str; 4] = ["count", "cpu", "memory_mb", "disk_gb"];

/// The API's body for a cluster with these properties.
///
/// # Errors
/// If a property is not known.
pub fn body(properties: Map<String, Value>) -> Result<Map<String, Value>, TemplateError> {
    let mut body = Map::new();
    body.insert("resource_pools".to_owned(), list(DEFAULT_POOL.into()));
    for (key, value) in properties {
        if let Some((_, name)) = RENAMED.iter().find(|(old, _)| *old == key) {
            let value = if *name == "resource_pools" { list(value) } else { value };
            body.insert((*name).to_owned(), value);
        } else if key == "security_group" || key == "security_groups" {
            // A template may set both: Heat's resource merges them.
            if let (Value::Array(all), Value::Array(more)) =
                (body.entry("security_groups").or_insert_with(|| Value::Array(vec![])), list(value))
            {
                let new: Vec<_> = more.into_iter().filter(|g| !all.contains(g)).collect();
                all.extend(new);
            }
        } else if key == "node_groups" {
            body.insert(key, groups(value));
        } else if SAME.contains(&key.as_str()) {
            body.insert(key, value);
        } else {
            return Err(TemplateError::Property { property: format!("{}.{key}", super::CLUSTER) });
        }
    }
    Ok(body)
}

/// One name, several names with commas, or a list: the API takes a list.
fn list(value: Value) -> Value {
    match value {
        Value::String(names) => names.split(',').map(|n| n.trim().to_owned()).collect::<Vec<_>>().into(),
        other => other,
    }
}

fn groups(value: Value) -> Value {
    let Value::Array(groups) = value else { return value };
    groups
        .into_iter()
        .map(|mut group| {
            if let Value::Object(fields) = &mut group {
                for (_, number) in fields.iter_mut().filter(|(k, _)| NUMBERS.contains(&k.as_str())) {
                    if let Some(n) = number.as_str().and_then(|s| s.parse::<u64>().ok()) {
                        *number = n.into();
                    }
                }
            }
            group
        })
        .collect()
}
