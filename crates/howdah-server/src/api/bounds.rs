//! The size limits of a body: the lengths of its lists and strings. Pure. Invariant: every field of a body
//! is checked here before its use and before duplicates are removed; a new field does not compile until
//! it has a limit here. Other modules check the *content* of strings.

use howdah_api::{ClusterBody, NodeGroupBody};
use secrecy::ExposeSecret;

use super::ApiError;

/// The maximum length of a list: each entry costs a lookup in Neutron, or space in BDE's specification.
const ENTRIES: usize = 20;
/// The maximum length of a cluster's or group's name, in characters: vSphere's limit for a VM's name, which
/// starts with both.
const NAME: usize = 80;
/// The maximum length of a string, in characters: Neutron's limit for names, and above DNS's (253) for hosts.
const WORD: usize = 255;
/// The maximum length of a path, in characters: Linux' `PATH_MAX`.
const PATH: usize = 4096;

/// Refuses a body with a field over its limit, by the field's name.
pub(super) fn check(body: &ClusterBody) -> Result<(), ApiError> {
    let ClusterBody {
        name,
        cluster_type,
        network,
        subnet,
        security_groups,
        site,
        bde_endpoint,
        vcm_server,
        cluster_password,
        username,
        password,
        resource_pools,
        datastores,
        node_groups,
        app_manager,
        remedy: _,
        wait_for: _,
        // The cluster manager's document is limited as a part of the body.
        specification: _,
        vio_config,
        bde_config,
        state: _,
    } = body;
    // Lists first: the length of a list matters more than its 1,000th entry.
    list("security_groups", security_groups)?;
    list("resource_pools", resource_pools.as_deref().unwrap_or_default())?;
    list("datastores", datastores.as_deref().unwrap_or_default())?;
    let node_groups = node_groups.as_deref().unwrap_or_default();
    count("node_groups", node_groups.len())?;
    for (at, group) in node_groups.iter().enumerate() {
        let NodeGroupBody { name, roles, count: _, cpu: _, memory_mb: _, disk_gb: _ } = group;
        word(&format!("node_groups[{at}].name"), name, NAME)?;
        list(&format!("node_groups[{at}].roles"), roles)?;
    }
    word("name", name, NAME)?;
    for (field, text) in [("cluster_type", cluster_type), ("network", network), ("subnet", subnet)] {
        word(field, text, WORD)?;
    }
    for (field, text, longest) in [
        ("site", site, WORD),
        ("bde_endpoint", bde_endpoint, WORD),
        ("vcm_server", vcm_server, WORD),
        ("username", username, WORD),
        ("app_manager", app_manager, WORD),
        ("vio_config", vio_config, PATH),
        ("bde_config", bde_config, PATH),
    ] {
        word(field, text.as_deref().unwrap_or_default(), longest)?;
    }
    for (field, secret) in [("cluster_password", cluster_password), ("password", password)] {
        word(field, secret.as_ref().map_or("", ExposeSecret::expose_secret), WORD)?;
    }
    Ok(())
}

fn list(field: &str, entries: &[String]) -> Result<(), ApiError> {
    count(field, entries.len())?;
    entries.iter().enumerate().try_for_each(|(at, text)| word(&format!("{field}[{at}]"), text, WORD))
}

fn count(field: &str, entries: usize) -> Result<(), ApiError> {
    within(field, entries, ENTRIES, "entries")
}

fn word(field: &str, text: &str, longest: usize) -> Result<(), ApiError> {
    within(field, text.chars().count(), longest, "characters")
}

/// The error does not repeat the text: it is long, and may be a secret.
fn within(field: &str, has: usize, most: usize, what: &str) -> Result<(), ApiError> {
    if has <= most {
        return Ok(());
    }
    Err(ApiError::InvalidField {
        field: field.to_owned(),
        says: format!("has {has} {what}, but at most {most} are allowed"),
    })
}
