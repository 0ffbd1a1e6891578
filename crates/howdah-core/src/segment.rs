//! Which port group backs a Neutron network.
//!
//! Rules (sources: the vmware-nsx plugins and Nova's VMware driver):
//!
//! * NSX-T on vSphere 7 and later: the port group's segment id ends with the network's UUID;
//!   on an N-VDS the opaque network's id, or the port group's logical switch id, is the UUID;
//! * NSX-v virtual wires: `vxw-<dvs>-virtualwire-<n>-sid-<n>-<uuid>`, one on every switch of the
//!   transport zone;
//! * NSX-v provider networks: `<dvs>-<network name>-<uuid>`;
//! * anything else, such as ML2 over a trunked VLAN: a port group whose name is the UUID, or
//!   exactly the network's name.
//!
//! The first rule with a match wins. Several matches are an error that lists them: taking the first
//! could put a cluster on the wrong switch.

use crate::failure::Failure;
use crate::systems::networking::Network;
use crate::systems::vcenter::Segment;

/// Finds the one segment of a network.
///
/// `Ok(None)` means that it does not exist *yet*: NSX creates port groups some time after Neutron's
/// answer, so the caller retries for a while.
///
/// # Errors
/// `port_group_ambiguous` if several match equally well.
pub fn backing<'a>(network: &Network, segments: &'a [Segment]) -> Result<Option<&'a Segment>, Failure> {
    let id = network.id.as_str();
    let rules: [&dyn Fn(&Segment) -> bool; 5] = [
        &|s| s.segment_id.as_deref().is_some_and(|p| p.rsplit('/').next() == Some(id)),
        &|s| s.logical_switch.as_deref() == Some(id),
        &|s| is_nsx_v(&s.name, id),
        &|s| s.name == id,
        &|s| !network.name.is_empty() && s.name == network.name,
    ];
    for rule in rules {
        let found: Vec<_> = segments.iter().filter(|s| rule(s)).collect();
        match found.as_slice() {
            [] => {}
            [one] => return Ok(Some(one)),
            several => return Err(ambiguous(network, several)),
        }
    }
    Ok(None)
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

fn ambiguous(network: &Network, found: &[&Segment]) -> Failure {
    let names: Vec<_> = found
        .iter()
        .map(|s| {
            let switch = s.switch.as_deref().unwrap_or("no switch");
            format!("{} ({}, {}, {switch})", s.name, s.key, s.datacenter)
        })
        .collect();
    Failure::new(
        "port_group_ambiguous",
        format!("{} port groups in vCenter back the network {} ({}): {}", found.len(), network.name, network.id, names.join("; ")),
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
        }
    }

    fn found(segments: &[Segment]) -> Option<&str> {
        backing(&network(), segments).unwrap().map(|s| s.key.as_str())
    }

    #[test]
    fn each_form_is_found() {
        let wire = segment("dvportgroup-1", &format!("vxw-dvs-21-virtualwire-7-sid-5001-{ID}"));
        let provider = segment("dvportgroup-2", &format!("dvs-21-data-{ID}"));
        let plain = segment("dvportgroup-3", "data");
        let by_id = segment("dvportgroup-4", ID);
        let nsx_t = Segment { segment_id: Some(format!("/infra/segments/{ID}")), ..segment("dvportgroup-5", "shown") };
        let opaque = Segment { logical_switch: Some(ID.to_owned()), switch: None, ..segment("network-6", "shown") };
        let other = segment("dvportgroup-9", "vxw-dvs-21-virtualwire-8-sid-5002-ffffffff-1111-4222-8333-444455556666");
        for s in [&wire, &provider, &plain, &by_id, &nsx_t, &opaque] {
            assert_eq!(found(&[other.clone(), s.clone()]), Some(s.key.as_str()), "{}", s.name);
        }
        assert_eq!(found(&[other]), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn a_name_that_only_ends_like_it_is_not_it() {
        assert_eq!(found(&[segment("x", &format!("backup-of-{ID}"))]), None);
    }

    #[test]
    fn the_better_rule_wins() {
        let nsx_t = Segment { segment_id: Some(format!("/infra/segments/{ID}")), ..segment("good", "shown") };
        assert_eq!(found(&[segment("weak", "data"), nsx_t]), Some("good"));
    }

    #[test]
    fn several_are_an_error_that_names_them() {
        let wire = |n: u32| Segment {
            switch: Some(format!("dvs-{n}")),
            ..segment(&format!("dvportgroup-{n}"), &format!("vxw-dvs-{n}-virtualwire-7-sid-5001-{ID}"))
        };
        let segments = [wire(1), wire(2)];
        let failure = backing(&network(), &segments).unwrap_err();
        insta::assert_snapshot!(failure.to_string());
    }
}
