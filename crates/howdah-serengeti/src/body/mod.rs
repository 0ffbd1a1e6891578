//! The body of a create: from a core specification, under the rules of a site.
//!
//! A requester's own `specification` lies below: a field of ours wins over a field of it. Invariants:
//! whatever is sent was built by [`Body::build`], and so was checked against the [`table`] of what
//! may be said; whatever is checked before (how many nodes, which pools) is read off this same body.
//! No refusal quotes a value, but for names of pools, datastores and managers. What the release of an appliance lacks is not looked at here.

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

/// The application manager that is always there.
pub(crate) const BUILT_IN: &str = "Default";

/// A text of a free-form value that is shorter is a number or a word, and no secret.
const SECRET_LENGTH: usize = 6;

/// What an operator lets requests say at a site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Fields of a specification besides those that anybody may set; see [`table::allowable`].
    pub allow: BTreeSet<String>,
    /// Resource pools that requests may use; none: all that the appliance has.
    pub resource_pools: Vec<String>,
    /// Datastores that requests may use; none: all that the appliance has.
    pub datastores: Vec<String>,
    /// Application managers that requests may use; none: all that the appliance has.
    pub app_managers: Vec<String>,
}

/// Why a request is not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {says}")]
pub struct Refusal {
    /// A code that does not change.
    pub code: &'static str,
    /// The first field, in the request's own words: `specification.nodeGroups[0].vcClusters`.
    pub field: String,
    /// What is wrong with it.
    pub says: String,
    /// What can be done.
    pub hint: Option<String>,
    /// Further fields that would be refused.
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

    /// The first, with the names of the others.
    fn all(found: Vec<Self>) -> Option<Self> {
        let mut found = found.into_iter();
        let mut first = found.next()?;
        first.others = found.map(|other| other.field).take(50).collect();
        Some(first)
    }
}

/// A request's body, and what it claims.
pub struct Body {
    /// As it is sent.
    pub fields: Map<String, Value>,
    /// What it claims.
    pub demand: Demand,
    /// What in it must not be repeated, wherever an answer quotes it: the longest first.
    pub secrets: Vec<SecretString>,
}

impl Body {
    /// The body for a cluster, with no `type` unless the specification has one.
    ///
    /// # Errors
    /// The fields that the site takes from no request, and names that it has closed.
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
        // The rows of the table say what passes; this is the same seen by the wire's own types.
        let mut create: ClusterCreate = serde_json::from_value(Value::Object(fields.clone()))
            .map_err(|_| Refusal::invalid("specification", "has a form that BDE does not support"))?;
        close(spec, &mut create, rules)?;
        // What the operator's lists have added or taken away.
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

    /// Whether a template has to be chosen: there are no groups, and nobody said which.
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

/// The resource pools in a body, wherever it has some.
fn pools(create: &ClusterCreate) -> Vec<Names<'_>> {
    let groups = create.node_groups.iter().flatten().enumerate();
    let in_groups = groups.filter_map(|(at, g)| listed(format!("nodeGroups[{at}].rpNames"), g.rp_names.as_ref()));
    listed("rpNames", create.rp_names.as_ref()).into_iter().chain(in_groups).collect()
}

/// The datastores in a body, wherever it has some.
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

/// Keeps a body within the operator's lists: what it names is on them, and where it names nothing it
/// gets them.
fn close(spec: &ManagedSpec, create: &mut ClusterCreate, rules: &Rules) -> Result<(), Refusal> {
    // What Howdah's own properties say stands at the top of the body.
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
    // The service drops a group of less than one.
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

/// The texts of values of free form: nobody but the author knows which of them is a secret.
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
