//! Parses a path.
//!
//! Names are decoded twice, except in `/distro/{d}`; an appliance drops the part of the last name after
//! its last dot (`CDH-5.2` becomes `CDH-5`), unless noted otherwise.

use crate::names::{decode_once, decode_twice};
use crate::release::Release;

use super::ServerProfile;

/// A place below `/serengeti/api`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Hello,
    Tasks,
    Task(String),
    Clusters,
    Cluster(String),
    ClusterAction(String),
    ClusterSpec(String),
    Networks,
    Network(String),
    ResourcePools,
    ResourcePool(String),
    Datastores,
    Datastore(String),
    AppManagers,
    AppManagerTypes,
    AppManager(String),
    AppManagerDistros(String),
    AppManagerDefault(String),
    AppManagerDistro(String, String),
    AppManagerRoles(String, String),
    Distros,
    Distro(String),
}

impl Place {
    /// The place of these segments, if any.
    pub(super) fn of(segments: &[&str], profile: &ServerProfile) -> Option<Self> {
        let last = |segment: &str| match segment.rsplit_once('.') {
            Some((front, _)) if !profile.lenient && !front.is_empty() => front.to_owned(),
            _ => segment.to_owned(),
        };
        let name = |segment: &str| decode_twice(&last(segment));
        Some(match segments {
            ["hello"] => Self::Hello,
            ["tasks"] => Self::Tasks,
            ["task", id] => Self::Task(decode_once(&last(id))),
            ["clusters"] => Self::Clusters,
            ["cluster", n] => Self::Cluster(name(n)),
            ["cluster", n, "action"] if profile.release >= Release::V2_2Patch2 => Self::ClusterAction(decode_twice(n)),
            ["cluster", n, "spec"] => Self::ClusterSpec(decode_twice(n)),
            ["networks"] => Self::Networks,
            ["network", n] => Self::Network(name(n)),
            ["resourcepools"] => Self::ResourcePools,
            ["resourcepool", n] => Self::ResourcePool(name(n)),
            ["datastores"] => Self::Datastores,
            ["datastore", n] => Self::Datastore(name(n)),
            ["appmanagers"] => Self::AppManagers,
            ["appmanagers", "types"] => Self::AppManagerTypes,
            ["appmanager", n] => Self::AppManager(name(n)),
            ["appmanager", n, "distros"] => Self::AppManagerDistros(decode_twice(n)),
            ["appmanager", n, "defaultdistro"] => Self::AppManagerDefault(decode_twice(n)),
            ["appmanager", n, "distro", d] => Self::AppManagerDistro(decode_twice(n), decode_twice(d)),
            ["appmanager", n, "distro", d, "roles"] => Self::AppManagerRoles(decode_twice(n), decode_twice(d)),
            ["distros"] => Self::Distros,
            ["distro", d] => Self::Distro(decode_once(&last(d))),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_as_the_service_decodes_them() {
        let strict = ServerProfile::appliance(Release::V2_3);
        let lenient = ServerProfile::lenient();
        let old = ServerProfile::appliance(Release::V2_2);
        let place = |segments: &[&str], profile| Place::of(segments, profile);
        for (segment, is) in [("my+net", "my net"), ("my%20net", "my net"), ("gr%25C3%25B6n", "grön")] {
            assert_eq!(place(&["network", segment], &strict), Some(Place::Network(is.to_owned())));
        }
        let dotted = ["distro", "CDH-5.2"];
        assert_eq!(place(&dotted, &strict), Some(Place::Distro("CDH-5".to_owned())));
        assert_eq!(place(&dotted, &lenient), Some(Place::Distro("CDH-5.2".to_owned())));
        let of = ["appmanager", "Default", "distro", "CDH-5.2"];
        assert_eq!(place(&of, &strict), Some(Place::AppManagerDistro("Default".to_owned(), "CDH-5.2".to_owned())));
        assert_eq!(place(&["cluster", "x", "action"], &old), None);
        assert_eq!(place(&["cluster"], &strict), None);
    }
}
