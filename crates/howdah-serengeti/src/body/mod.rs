//! Builds the body of a create from a core specification, under the rules of a site.
//!
//! The requester's `specification` is the base: our fields override its fields. Invariants: every sent
//! body was built by [`Body::build`], which checks it against the [`table`] of allowed fields; the checks
//! before a create (nodes, pools) read this same body. A refusal quotes no values except names of pools,
//! datastores and managers. This module ignores the release of the appliance.

pub mod table;

mod check;

use std::collections::BTreeSet;

use howdah_core::systems::manager::{Demand, ManagedSpec};
use howdah_core::wanted::NodeGroup;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::wire::{ClusterCreate, Storage};
use table::{CLUSTER, Form, Row};

pub use table::NODES_LIMIT;

/// The application manager that always exists.
pub(crate) const BUILT_IN: &str = "Default";

/// A shorter string in a free-form value is a number or a word, not a secret.
const SECRET_LENGTH: usize = 6;

/// The operator's rules for requests at a site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Allowed fields of a specification besides those that every requester may set; see [`table::allowable`].
    pub allow: BTreeSet<String>,
    /// Resource pools that requests may use; empty: all of the appliance.
    pub resource_pools: Vec<String>,
    /// Datastores that requests may use; empty: all of the appliance.
    pub datastores: Vec<String>,
    /// Application managers that requests may use; empty: all of the appliance.
    pub app_managers: Vec<String>,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {says}")]
pub struct Refusal {
    /// A stable code.
    pub code: &'static str,
    /// The first field, by its path in the request: `specification.nodeGroups[0].vcClusters`.
    pub field: String,
    /// The problem.
    pub says: String,
    /// What to do.
    pub hint: Option<String>,
    /// Other fields that would be refused.
    pub others: Vec<String>,
}

impl Refusal {
    fn new(code: &'static str, field: impl Into<String>, says: impl Into<String>) -> Self {
        Self { code, field: field.into(), says: says.into(), hint: None, others: Vec::new() }
    }

    fn invalid(field: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new("specification_invalid", field, says)
    }

    fn not_allowed(field: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new("specification_field_not_allowed", field, says)
    }

    /// The first one, with the names of the others.
    fn all(found: Vec<Self>) -> Option<Self> {
        let mut found = found.into_iter();
        let mut first = found.next()?;
        first.others = found.map(|other| other.field).take(50).collect();
        Some(first)
    }
}

/// A request's body and its demand.
pub struct Body {
    /// The body to send.
    pub fields: Map<String, Value>,
    /// Its demand.
    pub demand: Demand,
    /// Its secrets, to remove from quoted answers: the longest first.
    pub secrets: Vec<SecretString>,
}

impl Body {
    /// The body for a cluster, with no `type` unless the specification has one.
    ///
    /// # Errors
    /// Forbidden fields, and names outside the site's lists.
    pub fn build(spec: &ManagedSpec, rules: &Rules) -> Result<Self, Refusal> {
        let mut fields = match &spec.specification {
            Some(specification) => check::check(specification.expose(), specification.fields(), rules)?,
            None => Map::new(),
        };
        let mut secrets = Vec::new();
        free_texts(CLUSTER, &fields, &mut secrets);
        let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        set("name", json!(spec.name));
        set("distro", json!(spec.distro));
        set("networkConfig", json!({ "MGT_NETWORK": [spec.network] }));
        if let Some(manager) = &spec.app_manager {
            set("appManager", json!(manager));
        }
        if !spec.resource_pools.is_empty() {
            set("rpNames", json!(spec.resource_pools));
        }
        if !spec.datastores.is_empty() {
            set("dsNames", json!(spec.datastores));
        }
        if !spec.node_groups.is_empty() {
            set("nodeGroups", spec.node_groups.iter().map(group).collect());
        }
        // The table has checked the fields; this checks the wire types.
        let mut create: ClusterCreate = serde_json::from_value(Value::Object(fields.clone()))
            .map_err(|_| Refusal::invalid("specification", "has a form that BDE does not support"))?;
        close(spec, &mut create, rules)?;
        // The changes from the operator's lists.
        let ours = [
            ("rpNames", create.rp_names.as_ref().map(|names| json!(names))),
            ("dsNames", create.ds_names.as_ref().map(|names| json!(names))),
            ("appManager", create.app_manager.as_ref().map(|manager| json!(manager))),
        ];
        for (name, value) in ours {
            match value {
                Some(value) => fields.insert(name.to_owned(), value),
                None => fields.remove(name),
            };
        }
        if let Some(password) = &spec.password {
            fields.insert("password".to_owned(), json!(password.expose_secret()));
            secrets.push(password.clone());
        }
        secrets.sort_by_key(|s: &SecretString| std::cmp::Reverse(s.expose_secret().len()));
        Ok(Self { fields, demand: demand(&create), secrets })
    }

    /// Whether a template must be chosen: the body has neither groups nor a template.
    pub fn needs_type(&self) -> bool {
        let groups = self.fields.get("nodeGroups").and_then(Value::as_array).is_some_and(|g| !g.is_empty());
        let said = self.fields.get("type").and_then(Value::as_str).is_some_and(|t| !t.is_empty());
        !groups && !said
    }
}

fn group(group: &NodeGroup) -> Value {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    set("name", json!(group.name));
    set("roles", json!(group.roles));
    set("instanceNum", json!(group.count));
    if let Some(cpu) = group.cpu {
        set("cpuNum", json!(cpu));
    }
    if let Some(memory) = group.memory_mb {
        set("memCapacityMB", json!(memory));
    }
    if let Some(disk) = group.disk_gb {
        set("storage", json!({ "sizeGB": disk }));
    }
    Value::Object(fields)
}

/// A field of a body that lists names, and the names.
type Names<'a> = (String, &'a [String]);

fn listed(field: impl Into<String>, names: Option<&Vec<String>>) -> Option<Names<'_>> {
    Some((field.into(), names?.as_slice()))
}

/// All resource pools in a body.
fn pools(create: &ClusterCreate) -> Vec<Names<'_>> {
    let groups = create.node_groups.iter().flatten().enumerate();
    let in_groups = groups.filter_map(|(at, g)| listed(format!("nodeGroups[{at}].rpNames"), g.rp_names.as_ref()));
    listed("rpNames", create.rp_names.as_ref()).into_iter().chain(in_groups).collect()
}

/// All datastores in a body.
fn datastores(create: &ClusterCreate) -> Vec<Names<'_>> {
    let mut found: Vec<_> = listed("dsNames", create.ds_names.as_ref()).into_iter().collect();
    for (at, group) in create.node_groups.iter().flatten().enumerate() {
        let Some(Storage { ds_names, ds_names_4_system, ds_names_4_data, .. }) = &group.storage else { continue };
        let lists = [("dsNames", ds_names), ("dsNames4System", ds_names_4_system), ("dsNames4Data", ds_names_4_data)];
        for (name, names) in lists {
            found.extend(listed(format!("nodeGroups[{at}].storage.{name}"), names.as_ref()));
        }
    }
    found
}

/// Enforces the operator's lists: every name must be on them, and an absent list becomes the operator's.
fn close(spec: &ManagedSpec, create: &mut ClusterCreate, rules: &Rules) -> Result<(), Refusal> {
    // Howdah's own properties are at the top of the body.
    let property = |said: bool, field: &str, own: &str, property: &str| {
        if said && field == own { property.to_owned() } else { format!("specification.{field}") }
    };
    if !rules.resource_pools.is_empty() {
        for (field, names) in pools(create) {
            let field = property(!spec.resource_pools.is_empty(), &field, "rpNames", "resource_pools");
            among("resource_pool_not_allowed", "resource pool", &field, names, &rules.resource_pools)?;
        }
        if create.rp_names.as_ref().is_none_or(Vec::is_empty) {
            create.rp_names = Some(rules.resource_pools.clone());
        }
    }
    if !rules.datastores.is_empty() {
        for (field, names) in datastores(create) {
            let field = property(!spec.datastores.is_empty(), &field, "dsNames", "datastores");
            among("datastore_not_allowed", "datastore", &field, names, &rules.datastores)?;
        }
        if create.ds_names.as_ref().is_none_or(Vec::is_empty) {
            create.ds_names = Some(rules.datastores.clone());
        }
    }
    create.app_manager = create.app_manager.take().filter(|m| !m.trim().is_empty());
    if !rules.app_managers.is_empty() {
        let managers = &rules.app_managers;
        match &create.app_manager {
            Some(manager) => {
                let field = property(spec.app_manager.is_some(), "appManager", "appManager", "app_manager");
                let names = std::slice::from_ref(manager);
                among("app_manager_not_allowed", "application manager", &field, names, managers)?;
            }
            None if managers.iter().any(|m| m == BUILT_IN) => {}
            None => create.app_manager = managers.first().cloned(),
        }
    }
    enough_and_not_too_many(spec, create)
}

fn among(code: &'static str, kind: &str, field: &str, names: &[String], open: &[String]) -> Result<(), Refusal> {
    match names.iter().find(|name| !open.contains(name)) {
        Some(name) => Err(Refusal {
            hint: Some(format!("Available: {}.", open.join(", "))),
            ..Refusal::new(code, field, format!("the site has no {kind} {name:?} for requests"))
        }),
        None => Ok(()),
    }
}

fn enough_and_not_too_many(spec: &ManagedSpec, create: &ClusterCreate) -> Result<(), Refusal> {
    let field = if spec.node_groups.is_empty() { "specification.nodeGroups" } else { "node_groups" };
    match nodes(create) {
        Some(0) => Err(Refusal::invalid(field, "requests no nodes")),
        Some(n) if n > u64::from(NODES_LIMIT) => {
            let says = format!("requests {n} nodes, but a cluster may have at most {NODES_LIMIT}");
            Err(Refusal::new("too_many_nodes", field, says))
        }
        _ => Ok(()),
    }
}

fn nodes(create: &ClusterCreate) -> Option<u64> {
    let groups = create.node_groups.as_deref().filter(|groups| !groups.is_empty())?;
    // The service drops a group without nodes.
    Some(groups.iter().map(|g| u64::try_from(g.instance_num).unwrap_or(0)).sum())
}

fn demand(create: &ClusterCreate) -> Demand {
    let names = |all: Vec<Names<'_>>| all.into_iter().flat_map(|(_, names)| names.iter().cloned()).collect();
    Demand {
        nodes: nodes(create),
        resource_pools: names(pools(create)),
        datastores: names(datastores(create)),
        app_manager: create.app_manager.clone(),
    }
}

/// The strings in free-form values: only the author knows which of them are secrets.
fn free_texts(rows: &[Row], fields: &Map<String, Value>, into: &mut Vec<SecretString>) {
    for row in rows {
        match (row.form, fields.get(row.name)) {
            (Form::Configuration | Form::Free, Some(value)) => texts(value, into),
            (Form::One(rows), Some(Value::Object(fields))) => free_texts(rows, fields, into),
            (Form::Many(rows), Some(Value::Array(items))) => {
                items.iter().filter_map(Value::as_object).for_each(|fields| free_texts(rows, fields, into));
            }
            _ => {}
        }
    }
}

fn texts(value: &Value, into: &mut Vec<SecretString>) {
    match value {
        Value::String(text) if text.len() >= SECRET_LENGTH => into.push(SecretString::from(text.as_str())),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, into)),
        _ => {}
    }
}

#[cfg(test)]
pub(crate) mod tests;
