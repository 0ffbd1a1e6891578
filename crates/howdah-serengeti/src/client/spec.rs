//! A request's body for the release of an appliance.
//!
//! Invariant: a sent body follows the service's rules, because the service answers an unknown field only
//! with "internal error".

use howdah_core::systems::manager::ManagedSpec;
use serde_json::Value;

use crate::body::{Body, Rules};
use crate::error::Error;
use crate::names::check_password;
use crate::release::{Release, too_new};
use crate::wire::ClusterCreate;

/// The body for an appliance of this release, with no `type` of its own: see [`Body::needs_type`].
pub(super) fn body(spec: &ManagedSpec, rules: &Rules, release: Release, version: &str) -> Result<Body, Error> {
    if let Some(password) = &spec.password {
        check_password(password).map_err(|rule| Error::Password { rule })?;
    }
    let mut body = Body::build(spec, rules)?;
    let value = Value::Object(body.fields);
    if let Some((field, since)) = too_new::<ClusterCreate>(&value, release) {
        return Err(Error::TooNew { field: field.replace(".*", "[]"), since, is: version.to_owned() });
    }
    body.fields = match value {
        Value::Object(fields) => fields,
        _ => Default::default(),
    };
    Ok(body)
}

/// The template to expand for a vendor's distribution. Only Mesos has its own, and 2.1 does not have the
/// word for it; for the others, this is the value of the service's command line.
pub(super) fn template(vendor: Option<&str>, release: Release) -> &'static str {
    match vendor {
        Some(v) if v.eq_ignore_ascii_case("MESOS") && release >= Release::V2_2 => "DEFAULT",
        _ => "HDFS_MAPRED",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::body::tests::{of, spec};

    fn refused(specification: Value, release: Release) -> String {
        let rules = Rules { allow: ["templateName".to_owned()].into(), ..Rules::default() };
        body(&of(specification), &rules, release, "2.2.0").err().unwrap().to_string()
    }

    #[test]
    fn what_the_appliance_would_not_understand_is_refused_here() {
        insta::assert_snapshot!(refused(json!({"templateName": "x"}), Release::V2_2), @"templateName in the specification needs release 2.3.2, but the appliance has 2.2.0");
        insta::assert_snapshot!(
            refused(json!({"nodeGroups": [{"instanceNum": 1, "latencySensitivity": "HIGH"}]}), Release::V2_2), @"nodeGroups[].latencySensitivity in the specification needs release 2.3.2, but the appliance has 2.2.0"
        );
        insta::assert_snapshot!(refused(json!({"vcClusters": []}), Release::V2_3), @"specification.vcClusters: the site does not allow this field in a request");
        let weak = ManagedSpec { password: Some("password".into()), ..spec() };
        let error = body(&weak, &Rules::default(), Release::V2_3, "2.3.2").err().unwrap();
        insta::assert_snapshot!(error, @"the cluster password is invalid: it must contain a digit");
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
