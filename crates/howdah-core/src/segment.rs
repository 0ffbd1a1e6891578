//! Which port group backs a Neutron network.
//!
//! | backend | rules, the first with a match wins | source |
//! |---|---|---|
//! | NSX-v | `vxw-<dvs>-virtualwire-<n>-sid-<n>-<uuid>`, or `<dvs>-<network name>-<uuid>` of a provider network | vmware-nsx `nsx_v/plugin.py`; Nova's VMware driver |
//! | NSX-T | the ID of NSX's switch, as Neutron's ports show it (`nsx-logical-switch-id`) | vmware-nsx `nsx_v3`, `nsx_p`: `_extend_port_dict_binding` |
//! | | the segment ID ends with the network's UUID (`nsx_p`) | vmware-nsx `nsx_p/plugin.py` |
//! | | the name `<network name>_<first 5>...<last 5>` of the UUID | vmware-nsx `common/utils.py`, `get_name_and_uuid` |
//! | ML2 | a port group whose name is the UUID, then one with the network's name | the operator's convention |
//!
//! Invariants: a bare name proves nothing on NSX, where an unrelated port group may have it. NSX makes one port
//! group on each distributed switch: of several, the one that the compute clusters in question can use. If that
//! leaves several, the result is an error that lists them: a guess could put a cluster on the wrong switch.

use std::collections::BTreeSet;

use crate::failure::Failure;
use crate::policy::NetworkBackend;
use crate::systems::networking::Network;
use crate::systems::vcenter::Segment;

/// The longest name that the NSX plugins give a switch.
const NSX_NAME_MAX: usize = 80;

/// The segments that back a network equally well. Empty means that it has none *yet*: NSX creates port groups
/// some time after Neutron's answer, so the caller retries for a while.
///
/// `switches` are the IDs that NSX-T gave the network's switch, from the network's ports.
pub fn candidates<'a>(
    network: &Network,
    backend: NetworkBackend,
    switches: &BTreeSet<&str>,
    segments: &'a [Segment],
) -> Vec<&'a Segment> {
    let id = network.id.as_str();
    let nsx_t_name = nsx_t_name(network);
    let rules: &[&dyn Fn(&Segment) -> bool] = match backend {
        NetworkBackend::NsxV => &[&|s| is_nsx_v(&s.name, id)],
        NetworkBackend::NsxT => &[
            &|s| s.logical_switch.as_deref().is_some_and(|switch| switches.contains(switch)),
            &|s| s.segment_id.as_deref().is_some_and(|path| path.rsplit('/').next() == Some(id)),
            &|s| s.name == nsx_t_name,
        ],
        NetworkBackend::Ml2 => &[&|s| s.name == id, &|s| !network.name.is_empty() && s.name == network.name],
    };
    let found = rules.iter().map(|rule| segments.iter().filter(|s| rule(s)).collect::<Vec<_>>());
    let mut found = found.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    // On vSphere 7 and later an opaque network and a port group show the same switch: the port group is the one to use.
    if found.iter().any(|s| s.switch.is_some()) {
        found.retain(|s| s.switch.is_some());
    }
    found
}

/// The one of several candidates that these compute clusters can use.
///
/// # Errors
/// `port_group_ambiguous` if that leaves none or several.
pub fn choose<'a>(
    network: &Network,
    candidates: &[&'a Segment],
    clusters: &BTreeSet<String>,
) -> Result<&'a Segment, Failure> {
    let usable = |s: &&Segment| !clusters.is_empty() && clusters.is_subset(&s.clusters);
    let usable: Vec<_> = candidates.iter().copied().filter(usable).collect();
    match (candidates, usable.as_slice()) {
        (&[one], _) | (_, &[one]) => Ok(one),
        _ => Err(ambiguous(network, candidates, clusters)),
    }
}

/// The name of a network's switch in NSX-T, which vCenter shows.
fn nsx_t_name(network: &Network) -> String {
    let id = network.id.as_str();
    let (first, last) = (id.get(..5).unwrap_or(id), id.get(id.len().saturating_sub(5)..).unwrap_or(id));
    let suffix = format!("_{first}...{last}");
    let name = if network.name.is_empty() { "network" } else { &network.name };
    let name: String = name.chars().take(NSX_NAME_MAX - suffix.len()).collect();
    format!("{name}{suffix}")
}

/// Whether the NSX-v plugin would give a port group this name for this network.
fn is_nsx_v(name: &str, network: &str) -> bool {
    let Some(front) = name.strip_suffix(network).and_then(|f| f.strip_suffix('-')) else {
        return false;
    };
    match front.strip_prefix("vxw-") {
        Some(wire) => wire.contains("-virtualwire-") && wire.contains("-sid-"),
        None => front.starts_with("dvs-"),
    }
}

fn ambiguous(network: &Network, found: &[&Segment], clusters: &BTreeSet<String>) -> Failure {
    let names: Vec<_> = found
        .iter()
        .map(|s| {
            let switch = s.switch.as_deref().unwrap_or("no switch");
            format!("{} ({}, {}, {switch})", s.name, s.key, s.datacenter)
        })
        .collect();
    let among = match clusters.len() {
        0 => String::new(),
        _ => format!(
            ", and the hosts of {} do not tell which one to use",
            clusters.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
        ),
    };
    let (count, names) = (found.len(), names.join("; "));
    Failure::new(
        "port_group_ambiguous",
        format!("{count} port groups in vCenter back the network {} ({}){among}: {names}", network.name, network.id),
    )
    .hint("Set `vcenter.switch` to the distributed switch of this site's hosts; Howdah then ignores the other port groups.")
}

/// The code of the failure that no segment has appeared.
pub const NOT_FOUND: &str = "port_group_not_found";

/// The failure when no segment has appeared in time.
pub fn not_found(network: &Network, seen: usize) -> Failure {
    Failure::new(
        NOT_FOUND,
        format!(
            "no port group in vCenter backs the network {} ({}); Howdah checked {seen} port groups",
            network.name, network.id
        ),
    )
    .hint(
        "Check that the network's NSX transport zone covers this vCenter, that the service's vCenter user may read \
         its port groups, and that the site's vCenter is the right one.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0b7c8d6e-1111-4222-8333-444455556666";

    fn network() -> Network {
        Network { id: ID.into(), name: "data".into(), project: "p".into(), external: false }
    }

    fn segment(key: &str, name: &str) -> Segment {
        Segment {
            key: key.into(),
            name: name.to_owned(),
            switch: Some("dvs-21".to_owned()),
            datacenter: "dc1".to_owned(),
            segment_id: None,
            logical_switch: None,
            clusters: BTreeSet::new(),
        }
    }

    const SWITCH: &str = "9d0c7e11-5555-4666-8777-888899990000";

    fn found(backend: NetworkBackend, segments: &[Segment]) -> Vec<&str> {
        candidates(&network(), backend, &[SWITCH].into(), segments).into_iter().map(|s| s.key.as_str()).collect()
    }

    fn wire(n: u32, clusters: &[&str]) -> Segment {
        Segment {
            switch: Some(format!("dvs-{n}")),
            clusters: clusters.iter().map(|c| (*c).to_owned()).collect(),
            ..segment(&format!("dvportgroup-{n}"), &format!("vxw-dvs-{n}-virtualwire-7-sid-5001-{ID}"))
        }
    }

    #[test]
    fn each_backend_knows_its_own_forms_only() {
        let wire = wire(1, &[]);
        let provider = segment("dvportgroup-2", &format!("dvs-21-data-{ID}"));
        let named = segment("dvportgroup-3", "data");
        let by_id = segment("dvportgroup-4", ID);
        let policy = Segment { segment_id: Some(format!("/infra/segments/{ID}")), ..segment("dvportgroup-5", "shown") };
        let switch = Segment { logical_switch: Some(SWITCH.to_owned()), ..segment("dvportgroup-6", "shown") };
        let opaque = Segment { logical_switch: Some(SWITCH.to_owned()), switch: None, ..segment("network-7", "shown") };
        let short = segment("dvportgroup-8", "data_0b7c8...56666");
        let other = segment("dvportgroup-9", "vxw-dvs-21-virtualwire-8-sid-5002-ffffffff-1111-4222-8333-444455556666");
        // NSX gives its switch an ID of its own: one that is equal to Neutron's belongs to something else.
        let stranger = Segment { logical_switch: Some(ID.to_owned()), ..segment("dvportgroup-10", "shown") };
        let (v, t, ml2) = (NetworkBackend::NsxV, NetworkBackend::NsxT, NetworkBackend::Ml2);
        let rows = [
            (&wire, vec![v]),
            (&provider, vec![v]),
            (&named, vec![ml2]),
            (&by_id, vec![ml2]),
            (&policy, vec![t]),
            (&switch, vec![t]),
            (&opaque, vec![t]),
            (&short, vec![t]),
            (&other, vec![]),
            (&stranger, vec![]),
        ];
        for (segment, backends) in rows {
            for backend in [v, t, ml2] {
                let expected = if backends.contains(&backend) { vec![segment.key.as_str()] } else { vec![] };
                assert_eq!(found(backend, &[other.clone(), segment.clone()]), expected, "{backend:?} {}", segment.name);
            }
        }
    }

    #[test]
    fn a_name_that_only_ends_like_it_is_not_it() {
        assert!(found(NetworkBackend::NsxV, &[segment("x", &format!("backup-of-{ID}"))]).is_empty());
    }

    #[test]
    fn the_better_rule_wins() {
        let policy = Segment { segment_id: Some(format!("/infra/segments/{ID}")), ..segment("policy", "shown") };
        let switch = Segment { logical_switch: Some(SWITCH.to_owned()), ..segment("switch", "shown") };
        let short = segment("short", "data_0b7c8...56666");
        let all = [short, policy, switch];
        assert_eq!(found(NetworkBackend::NsxT, &all), ["switch"]);
        assert_eq!(found(NetworkBackend::NsxT, &all[..2]), ["policy"]);
        let opaque = Segment { switch: None, ..all[2].clone() };
        assert_eq!(
            found(NetworkBackend::NsxT, &[opaque, all[2].clone()]),
            ["switch"],
            "the port group, not its shadow"
        );
    }

    #[test]
    fn names_of_nsx_t() {
        let named = |name: &str| nsx_t_name(&Network { name: name.into(), ..network() });
        assert_eq!(named("data"), "data_0b7c8...56666");
        assert_eq!(named(""), "network_0b7c8...56666");
        assert_eq!(named(&"x".repeat(100)).len(), NSX_NAME_MAX);
    }

    #[test]
    fn of_several_the_compute_clusters_decide() {
        let segments = [wire(1, &["c1"]), wire(2, &["c2", "c3"])];
        let all: Vec<_> = segments.iter().collect();
        let chosen = |clusters: &[&str]| {
            let clusters = clusters.iter().map(|c| (*c).to_owned()).collect();
            choose(&network(), &all, &clusters).map(|s| s.key.as_str().to_owned())
        };
        assert_eq!(chosen(&["c1"]).unwrap(), "dvportgroup-1");
        assert_eq!(chosen(&["c2", "c3"]).unwrap(), "dvportgroup-2");
        for clusters in [&["c1", "c2"][..], &["c9"], &[]] {
            assert_eq!(chosen(clusters).unwrap_err().code, "port_group_ambiguous", "{clusters:?}");
        }
        assert_eq!(choose(&network(), &all[..1], &BTreeSet::new()).unwrap().key.as_str(), "dvportgroup-1");
        let failures = [chosen(&["c1", "c2"]).unwrap_err(), chosen(&[]).unwrap_err()];
        insta::assert_snapshot!(failures.map(|f| f.to_string()).join("\n"));
    }
}
