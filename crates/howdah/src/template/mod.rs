//! The small part of Heat's template language that the command line supports.
//!
//! Supported: HOT and CFN, in YAML or JSON; parameters with defaults; references to parameters
//! and to the network and subnet of the same template; the resource types of [`Plan`]. Everything
//! else is refused *by name*, with the advice to use Heat: a partly supported template would
//! create something else than Heat does.

mod body;
mod error;
mod resolve;

use serde_json::{Map, Value};

pub use body::body;
pub use error::TemplateError;
use resolve::{Dialect, Resolver};

const NET: &str = "OS::Neutron::Net";
const SUBNET: &str = "OS::Neutron::Subnet";
const CLUSTER: &str = "VirtualElephant::VMware::BDE";

/// What a template defines.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The network it creates, if any.
    pub network: Option<NetworkPlan>,
    /// The subnet it creates, if any.
    pub subnet: Option<SubnetPlan>,
    /// The cluster's resolved properties. References to the template's own network and subnet
    /// become the planned names.
    pub cluster: Map<String, Value>,
}

/// A network to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkPlan {
    /// Its name.
    pub name: String,
}

/// A subnet to create on the template's network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetPlan {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub cidr: String,
    /// Whether DHCP is on.
    pub dhcp: bool,
}

/// Reads a template. `given` holds parameter values that override defaults.
///
/// # Errors
/// If it is neither HOT nor CFN, or uses an unsupported feature.
pub fn read(text: &str, given: &[(String, String)]) -> Result<Plan, TemplateError> {
    let document: Value = serde_saphyr::from_str(text).map_err(|e| TemplateError::Syntax { reason: reason(&e) })?;
    let Value::Object(document) = document else {
        return Err(TemplateError::NeitherHotNorCfn { found: vec![] });
    };
    let dialect = Dialect::of(&document)?;
    let resources = section(&document, dialect.resources())?;
    for (id, resource) in &resources {
        let kind = kind_of(dialect, id, resource)?;
        if !matches!(kind, NET | SUBNET | CLUSTER) {
            return Err(TemplateError::ResourceType { resource: id.clone(), kind: kind.to_owned() });
        }
    }
    let resolver = Resolver::new(dialect, &document, given, names_of(dialect, &resources)?)?;

    let (mut network, mut subnet, mut cluster) = (None, None, None);
    for (id, resource) in &resources {
        let kind = kind_of(dialect, id, resource)?;
        let properties = resolver.properties(id, resource)?;
        let twice = || TemplateError::Twice { kind: kind.to_owned(), resource: id.clone() };
        match kind {
            NET if network.is_some() => return Err(twice()),
            SUBNET if subnet.is_some() => return Err(twice()),
            CLUSTER if cluster.is_some() => return Err(twice()),
            NET => network = Some(network_plan(id, &properties)?),
            SUBNET => subnet = Some(subnet_plan(id, &properties)?),
            _ => cluster = Some(properties),
        }
    }
    let cluster = cluster.ok_or(TemplateError::NoCluster)?;
    Ok(Plan { network, subnet, cluster })
}

/// The first line of the parser's message: it has the position. The lines below it quote the text.
fn reason(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

fn section(document: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, TemplateError> {
    match document.get(name) {
        None => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(_) => Err(TemplateError::NotAMap { what: name.to_owned() }),
    }
}

fn kind_of<'a>(dialect: Dialect, id: &str, resource: &'a Value) -> Result<&'a str, TemplateError> {
    let key = dialect.kind();
    resource.get(key).and_then(Value::as_str).ok_or_else(|| TemplateError::NotAMap { what: format!("{id}.{key}") })
}

/// The value of a reference to a resource: the name that its object will have, which may
/// in turn refer to a parameter.
fn names_of(dialect: Dialect, resources: &Map<String, Value>) -> Result<Vec<(String, Value)>, TemplateError> {
    let mut names = Vec::new();
    for (id, resource) in resources {
        if matches!(kind_of(dialect, id, resource)?, NET | SUBNET) {
            let name = resource.get(dialect.properties()).and_then(|p| p.get("name")).cloned();
            names.push((id.clone(), name.unwrap_or_else(|| id.clone().into())));
        }
    }
    Ok(names)
}

fn text(id: &str, properties: &Map<String, Value>, key: &str) -> Result<Option<String>, TemplateError> {
    match properties.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(s)) => Ok(Some(s.clone())),
        Some(_) => Err(TemplateError::NotText { property: format!("{id}.{key}") }),
    }
}

fn only(id: &str, properties: &Map<String, Value>, known: &[&str]) -> Result<(), TemplateError> {
    match properties.keys().find(|k| !known.contains(&k.as_str())) {
        Some(other) => Err(TemplateError::Property { property: format!("{id}.{other}") }),
        None => Ok(()),
    }
}

fn network_plan(id: &str, properties: &Map<String, Value>) -> Result<NetworkPlan, TemplateError> {
    only(id, properties, &["name", "admin_state_up"])?;
    Ok(NetworkPlan { name: text(id, properties, "name")?.unwrap_or_else(|| id.to_owned()) })
}

fn subnet_plan(id: &str, properties: &Map<String, Value>) -> Result<SubnetPlan, TemplateError> {
    only(
        id,
        properties,
        &["name", "network", "network_id", "cidr", "ip_version", "enable_dhcp", "gateway_ip", "dns_nameservers"],
    )?;
    let cidr =
        text(id, properties, "cidr")?.ok_or_else(|| TemplateError::Missing { property: format!("{id}.cidr") })?;
    let dhcp = match properties.get("enable_dhcp") {
        None => true,
        Some(Value::Bool(b)) => *b,
        // CFN has no booleans.
        Some(Value::String(s)) => !s.eq_ignore_ascii_case("false"),
        Some(_) => return Err(TemplateError::NotText { property: format!("{id}.enable_dhcp") }),
    };
    Ok(SubnetPlan { name: text(id, properties, "name")?.unwrap_or_else(|| id.to_owned()), cidr, dhcp })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
