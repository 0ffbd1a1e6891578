//! A core specification as the body of a create.
//!
//! The operator's free-form `specification` lies below: a field of ours wins over a field of it.
//! Invariant: what is sent has passed the service's own rules of form here, because the service
//! answers an unknown field with "internal error" and nothing else.

use howdah_core::cluster::NodeGroup;
use howdah_core::facts::ManagedSpec;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::names::check_password;
use crate::release::{Release, too_new};
use crate::wire::ClusterCreate;

/// Checks an operator's free-form specification for form, so that it can be refused before
/// anything is made. Whether its release has every field, only an appliance can say.
///
/// # Errors
/// If it is not an object, has a field that no release knows or that has another type, or holds
/// a password: a specification is kept and shown in clear.
pub fn check(specification: &Value) -> Result<(), Error> {
    let refuse = |reason: &str| Err(Error::Specification { reason: reason.to_owned() });
    match specification {
        Value::Null => return Ok(()),
        Value::Object(fields) if fields.contains_key("password") => {
            return refuse("it holds a password; that belongs into the cluster password, which is kept secret");
        }
        Value::Object(_) => {}
        _ => return refuse("it is not a JSON object"),
    }
    match serde_json::from_value::<ClusterCreate>(specification.clone()) {
        Ok(_) => Ok(()),
        // The list of all fields that would have been fine helps nobody.
        Err(error) => refuse(error.to_string().split(", expected one of").next().unwrap_or_default()),
    }
}

/// The body for an appliance of this release, with no `type`: see [`needs_type`].
pub(super) fn body(spec: &ManagedSpec, release: Release, version: &str) -> Result<Map<String, Value>, Error> {
    if let Some(password) = &spec.password {
        check_password(password).map_err(|rule| Error::Password { rule })?;
    }
    let mut fields = match &spec.specification {
        Some(specification) => {
            check(specification)?;
            specification.as_object().cloned().unwrap_or_default()
        }
        None => Map::new(),
    };
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
    if let Some(password) = &spec.password {
        set("password", json!(password.expose_secret()));
    }
    let value = Value::Object(fields);
    if let Some((field, since)) = too_new::<ClusterCreate>(&value, release) {
        return Err(Error::TooNew { field: field.replace(".*", "[]"), since, is: version.to_owned() });
    }
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

/// Whether a template has to be chosen: there are no groups, and nobody said which.
pub(super) fn needs_type(body: &Map<String, Value>) -> bool {
    let groups = body.get("nodeGroups").and_then(Value::as_array).is_some_and(|g| !g.is_empty());
    let said = body.get("type").and_then(Value::as_str).is_some_and(|t| !t.is_empty());
    !groups && !said
}

/// The template to expand for a vendor's distribution. Only Mesos has one of its own, and 2.1 does
/// not know the word for it; for the others this is what the service's command line asks for.
pub(super) fn template(vendor: Option<&str>, release: Release) -> &'static str {
    match vendor {
        Some(v) if v.eq_ignore_ascii_case("MESOS") && release >= Release::V2_2 => "DEFAULT",
        _ => "HDFS_MAPRED",
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

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ManagedSpec {
        ManagedSpec {
            name: "demo".parse().unwrap(),
            distro: "mesos".into(),
            app_manager: None,
            resource_pools: vec!["openstackRP".into()],
            datastores: Vec::new(),
            network: "net".into(),
            node_groups: Vec::new(),
            password: Some("Passw0rd_".into()),
            specification: None,
        }
    }

    fn text(spec: &ManagedSpec, release: Release) -> String {
        match body(spec, release, "2.2.0") {
            Ok(fields) => Value::Object(fields).to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn only_what_was_asked_for_is_sent() {
        insta::assert_snapshot!(text(&spec(), Release::V2_1), @r#"{"distro":"mesos","name":"demo","networkConfig":{"MGT_NETWORK":["net"]},"password":"Passw0rd_","rpNames":["openstackRP"]}"#);
        let mut full = spec();
        full.password = None;
        full.node_groups = vec![NodeGroup {
            name: "worker".parse().unwrap(),
            roles: vec!["mesos_slave".into()],
            count: 3,
            cpu: Some(2),
            memory_mb: Some(7500),
            disk_gb: Some(50),
        }];
        insta::assert_snapshot!(text(&full, Release::V2_1), @r#"{"distro":"mesos","name":"demo","networkConfig":{"MGT_NETWORK":["net"]},"nodeGroups":[{"cpuNum":2,"instanceNum":3,"memCapacityMB":7500,"name":"worker","roles":["mesos_slave"],"storage":{"sizeGB":50}}],"rpNames":["openstackRP"]}"#);
    }

    #[test]
    fn a_specification_lies_below_our_fields() {
        let mut spec = spec();
        spec.specification = Some(json!({
            "name": "other", "topologyPolicy": "NONE", "rpNames": ["x"],
            "nodeGroups": [{"name": "a", "roles": ["basic"], "instanceNum": "2"}],
        }));
        insta::assert_snapshot!(text(&spec, Release::V2_3), @r#"{"distro":"mesos","name":"demo","networkConfig":{"MGT_NETWORK":["net"]},"nodeGroups":[{"instanceNum":"2","name":"a","roles":["basic"]}],"password":"Passw0rd_","rpNames":["openstackRP"],"topologyPolicy":"NONE"}"#);
    }

    #[test]
    fn what_the_appliance_would_not_understand_is_refused_here() {
        let refuse = |specification: Value, release| {
            let mut spec = spec();
            spec.specification = Some(specification);
            text(&spec, release)
        };
        insta::assert_snapshot!(refuse(json!([]), Release::V2_3), @"the specification does not fit: it is not a JSON object");
        insta::assert_snapshot!(refuse(json!({"nodeGroup": []}), Release::V2_3), @"the specification does not fit: unknown field `nodeGroup`");
        insta::assert_snapshot!(refuse(json!({"templateName": "x"}), Release::V2_2), @"the specification does not fit: templateName came with release 2.3.2, the appliance is 2.2.0");
        insta::assert_snapshot!(
            refuse(json!({"nodeGroups": [{"latencySensitivity": "HIGH"}]}), Release::V2_2), @"the specification does not fit: nodeGroups[].latencySensitivity came with release 2.3.2, the appliance is 2.2.0"
        );
        insta::assert_snapshot!(refuse(json!({"password": 12345678}), Release::V2_3), @"the specification does not fit: it holds a password; that belongs into the cluster password, which is kept secret");
        let mut weak = spec();
        weak.password = Some("password".into());
        insta::assert_snapshot!(text(&weak, Release::V2_3), @"the cluster password does not fit: it must contain a digit");
    }

    #[test]
    fn a_template_is_chosen_as_the_command_line_would() {
        for (vendor, release, kind) in [
            (Some("MESOS"), Release::V2_3, "DEFAULT"),
            (Some("MESOS"), Release::V2_1, "HDFS_MAPRED"),
            (Some("BIGTOP"), Release::V2_3, "HDFS_MAPRED"),
            (None, Release::V2_3, "HDFS_MAPRED"),
        ] {
            assert_eq!(template(vendor, release), kind, "{vendor:?} {release}");
        }
    }
}
