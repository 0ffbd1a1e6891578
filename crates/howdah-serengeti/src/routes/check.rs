//! Checks of the form of requests, in the order of the service.

use std::net::Ipv4Addr;

use crate::names::{is_cluster_name, is_group_name, is_resource_name};
use crate::release::Release;
use crate::wire::{ClusterCreate, ClusterType, DnsType, ErrorBody, NetworkAdd, code};

use super::ServerProfile;

/// Checks the request to register a network, and sets the defaults of a lenient server.
pub(super) fn network(network: &mut NetworkAdd, profile: &ServerProfile) -> Result<(), ErrorBody> {
    let blank = |text: &Option<String>| text.as_ref().is_none_or(|t| t.trim().is_empty());
    if profile.lenient && network.dns_type.is_none() {
        network.dns_type = Some(DnsType::Normal);
    }
    let mut missing = Vec::new();
    if blank(&network.name) {
        missing.push("name");
    }
    if blank(&network.port_group) {
        missing.push("portGroup");
    }
    if profile.release >= Release::V2_2 && network.dns_type.is_none() {
        missing.push("dnsType");
    }
    let wants_hostname = matches!(profile.release, Release::V2_2 | Release::V2_2Patch2);
    if wants_hostname && network.is_generate_hostname.is_none() {
        missing.push("generateHostname");
    }
    if !missing.is_empty() {
        let message = format!("Missing parameters: {}.", missing.join(", "));
        return Err(ErrorBody::new(code::MISSING_PARAMETER, message));
    }
    if profile.release >= Release::V2_3 {
        network.is_generate_hostname = Some(network.dns_type.is_some_and(|d| d != DnsType::Normal));
    }
    resource_name("name", network.name.as_deref().unwrap_or_default())?;
    if network.is_dhcp { Ok(()) } else { addresses(network) }
}

fn addresses(network: &NetworkAdd) -> Result<(), ErrorBody> {
    let is_address = |text: &str| text.parse::<Ipv4Addr>().is_ok();
    let netmask = network.netmask.as_deref().unwrap_or_default();
    let mask = netmask.parse::<Ipv4Addr>().map(u32::from).unwrap_or(0);
    // Ones, then zeros; at least one of each.
    if mask == 0 || mask == u32::MAX || mask.leading_ones() + mask.trailing_zeros() != 32 {
        return Err(ErrorBody::invalid("netmask", netmask));
    }
    let others = [("gateway", &network.gateway), ("primary DNS", &network.dns1), ("secondary DNS", &network.dns2)];
    for (what, value) in others {
        if let Some(bad) = value.as_deref().filter(|v| !is_address(v)) {
            return Err(ErrorBody::invalid(what, bad));
        }
    }
    if network.dns_type == Some(DnsType::Dynamic) {
        return Err(ErrorBody::invalid("dns TYPE", "DYNAMIC"));
    }
    let Some(blocks) = &network.ip_blocks else {
        return Err(ErrorBody::new(code::INTERNAL_ERROR, "Internal server error: no IP blocks."));
    };
    let is_host = |ip: Ipv4Addr| {
        let host = u32::from(ip) & !mask;
        host != 0 && host != !mask
    };
    for block in blocks {
        let fits = match (block.begin_ip.parse::<Ipv4Addr>(), block.end_ip.parse::<Ipv4Addr>()) {
            (Ok(begin), Ok(end)) => begin <= end && is_host(begin) && is_host(end),
            _ => false,
        };
        if !fits {
            return Err(ErrorBody::invalid("IP block", &format!("{}-{}", block.begin_ip, block.end_ip)));
        }
    }
    Ok(())
}

/// Checks the request to create a cluster.
pub(super) fn cluster(cluster: &ClusterCreate, profile: &ServerProfile) -> Result<(), ErrorBody> {
    cluster_name(cluster.name.as_deref().unwrap_or_default())?;
    let groups = cluster.node_groups.as_deref().unwrap_or_default();
    if groups.is_empty() && !profile.lenient && profile.release == Release::V2_1 && cluster.kind.is_none() {
        // That release expands a template only for an explicit type, and fails without one.
        return Err(ErrorBody::new(code::INTERNAL_ERROR, "Internal server error: there are no node groups."));
    }
    if groups.is_empty() && cluster.spec_file {
        return Err(ErrorBody::new(code::NODE_GROUP_NOT_EXISTING, "There is no node group in the specification."));
    }
    for group in groups {
        let name = group.name.as_deref().unwrap_or_default();
        if !is_group_name(name) {
            let message = format!("The node group name {name:?} is invalid.");
            return Err(ErrorBody::new(code::NODE_GROUP_NAME_IS_INVALID, message));
        }
    }
    Ok(())
}

/// Whether the release has this type: `DEFAULT` needs 2.2.
pub(super) fn knows(kind: Option<ClusterType>, release: Release) -> bool {
    release >= Release::V2_2 || kind != Some(ClusterType::Default)
}

/// Checks a cluster's name.
pub(super) fn cluster_name(name: &str) -> Result<(), ErrorBody> {
    if is_cluster_name(name) { Ok(()) } else { Err(ErrorBody::invalid("cluster name", name)) }
}

/// Checks the name of a network, resource pool, datastore or application manager.
pub(super) fn resource_name(what: &str, name: &str) -> Result<(), ErrorBody> {
    if is_resource_name(name) { Ok(()) } else { Err(ErrorBody::invalid(what, name)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn check(body: Value, profile: ServerProfile) -> String {
        let mut add: NetworkAdd = serde_json::from_value(body).unwrap();
        match network(&mut add, &profile) {
            Ok(()) => format!("{:?} {:?}", add.dns_type, add.is_generate_hostname),
            Err(error) => format!("{}: {}", error.code, error.message),
        }
    }

    #[test]
    fn a_network_of_the_2015_plugin_is_taken_by_2_1_and_by_a_lenient_server() {
        let body = || json!({"name": "net", "portGroup": "pg", "isDhcp": "true"});
        let on = |release| check(body(), ServerProfile::appliance(release));
        assert_eq!(on(Release::V2_1), "None None");
        assert_eq!(on(Release::V2_2), "BDD.MISSING_PARAMETER: Missing parameters: dnsType, generateHostname.");
        assert_eq!(on(Release::V2_3), "BDD.MISSING_PARAMETER: Missing parameters: dnsType.");
        assert_eq!(check(body(), ServerProfile::lenient()), "Some(Normal) Some(false)");
    }

    #[test]
    fn static_networks_are_checked_for_sense() {
        let with = |change: Value| {
            let mut body = json!({
                "name": "net", "portGroup": "pg", "dnsType": "NORMAL", "netmask": "255.255.255.0",
                "gateway": "10.0.0.1", "ipBlocks": [{"beginIp": "10.0.0.2", "endIp": "10.0.0.9"}],
            });
            body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            check(body, ServerProfile::lenient())
        };
        assert_eq!(with(json!({})), "Some(Normal) Some(false)");
        for (change, says) in [
            (json!({"name": "a.b"}), "BDD.INVALID_PARAMETER: Invalid value: name=a.b."),
            (json!({"netmask": "255.0.255.0"}), "BDD.INVALID_PARAMETER: Invalid value: netmask=255.0.255.0."),
            (json!({"gateway": "x"}), "BDD.INVALID_PARAMETER: Invalid value: gateway=x."),
            (json!({"dnsType": "DYNAMIC"}), "BDD.INVALID_PARAMETER: Invalid value: dns TYPE=DYNAMIC."),
            (json!({"ipBlocks": null}), "BDD.INTERNAL_ERROR: Internal server error: no IP blocks."),
            (
                json!({"ipBlocks": [{"beginIp": "10.0.0.2", "endIp": "10.0.0.255"}]}),
                "BDD.INVALID_PARAMETER: Invalid value: IP block=10.0.0.2-10.0.0.255.",
            ),
        ] {
            assert_eq!(with(change), says);
        }
    }
}
