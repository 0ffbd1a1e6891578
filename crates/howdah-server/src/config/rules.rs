//! The rules for requests at a site: fields of a specification that the operator opens, and lists of
//! allowed pools, datastores and application managers. Invariant: an unknown name is refused, and so is a
//! field that would bypass a list.

use howdah_serengeti::Rules;
use howdah_serengeti::body::table::allowable;

use super::section::Section;
use super::source::{Source, nearest};

/// Fields that select pools or datastores in a way that a list does not cover.
const PAST_POOLS: [&str; 2] = ["vcClusters", "nodeGroups.vcClusters"];
const PAST_DATASTORES: [&str; 4] = [
    "sharedDatastorePattern",
    "localDatastorePattern",
    "nodeGroups.storage.diskstoreNamePattern",
    "nodeGroups.storage.imagestoreNamePattern",
];

/// The rules; `None` if they are invalid.
pub(super) fn rules(source: &mut Source<'_>, section: &mut Section<'_>) -> Option<Rules> {
    let errors = source.errors();
    let allow = section.texts(source, "allow_specification");
    let resource_pools = section.texts(source, "resource_pools");
    let datastores = section.texts(source, "datastores");
    let app_managers = section.texts(source, "app_managers");
    let known = allowable();
    for name in allow.iter().flat_map(|found| &found.value).filter(|name| !known.contains(name)) {
        let origin = section.place(source, "allow_specification");
        let says =
            format!("{} has {name:?}, which is not a field that can be allowed", section.name("allow_specification"));
        let hint = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("Did you mean {near}?"),
            None => format!("Allowed: {}.", known.join(", ")),
        };
        source.error(origin, says, Some(hint));
    }
    for (list, key, past) in [
        (&resource_pools, "resource_pools", PAST_POOLS.as_slice()),
        (&datastores, "datastores", PAST_DATASTORES.as_slice()),
    ] {
        let open = allow.iter().flat_map(|found| &found.value).find(|name| past.contains(&name.as_str()));
        if let (Some(list), Some(open)) = (list, open) {
            let says = format!("{} closes a field that allow_specification opens with {open}", section.name(key));
            source.error(list.origin.clone(), says, Some("Keep one of them.".to_owned()));
        }
    }
    if source.errors() > errors {
        return None;
    }
    Some(Rules {
        allow: allow.map(|found| found.value).unwrap_or_default().into_iter().collect(),
        resource_pools: resource_pools.map(|found| found.value).unwrap_or_default(),
        datastores: datastores.map(|found| found.value).unwrap_or_default(),
        app_managers: app_managers.map(|found| found.value).unwrap_or_default(),
    })
}
