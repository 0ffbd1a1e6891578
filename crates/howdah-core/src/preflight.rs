//! The checks before the first VM is created.
//!
//! Each failure is a message on which a template author can act. All checks run, and the first failure in
//! the order below is reported: the author's input comes before what the operator provides.

use crate::failure::Failure;
use crate::systems::manager::{Catalog, Demand};
use crate::systems::networking::{Network, Quota, Subnet};
use crate::wanted::ClusterRecord;

/// The input of the checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The offer of the cluster manager.
    pub catalog: Catalog,
    /// The network, as the service sees it.
    pub network: Option<Network>,
    /// The subnet, as the service sees it.
    pub subnet: Option<Subnet>,
    /// The project's port quota; `None` if the service may not see it.
    pub quota: Option<Quota>,
}

/// The requested number of nodes of a record; `None` if the distribution's template decides. For counts
/// of accepted clusters; before acceptance, and for the checks of a create, use the [`Demand`].
pub fn nodes_asked(record: &ClusterRecord) -> Option<u64> {
    let groups = &record.shape.node_groups;
    if groups.is_empty() {
        return record.spec.specification.as_ref().and_then(|s| s.nodes);
    }
    Some(groups.iter().map(|g| u64::from(g.count)).sum())
}

/// Checks a create, given the demand of the body that will be sent for it.
///
/// # Errors
/// The first reason for which it would fail.
pub fn check(record: &ClusterRecord, demand: &Demand, found: &Found) -> Result<(), Failure> {
    let spec = &record.spec;
    if let Some(manager) = &demand.app_manager {
        listed("app_manager", "application manager", manager, &found.catalog.app_managers, false)?;
    }
    // Names of distributions are compared case-insensitively, as the cluster manager does.
    listed("distro", "distribution", &spec.distro, &found.catalog.distros, true)?;
    for pool in &demand.resource_pools {
        let pools: Vec<_> = found.catalog.resource_pools.iter().map(|p| p.name.clone()).collect();
        listed("resource_pool", "resource pool", pool, &pools, false)?;
    }
    for datastore in &demand.datastores {
        listed("datastore", "datastore", datastore, &found.catalog.datastores, false)?;
    }
    network_serves(record, found)?;
    enough_room(demand, found)
}

/// A foreign cluster in the cluster manager has the name.
pub fn name_taken(record: &ClusterRecord) -> Failure {
    Failure::new(
        "cluster_name_taken",
        format!("BDE already has a cluster named {}, and Howdah did not create it", record.name),
    )
    .hint("Choose another `cluster_name`, or delete that cluster in BDE.")
}

fn listed(code: &str, kind: &str, name: &str, known: &[String], any_case: bool) -> Result<(), Failure> {
    let same = |k: &String| {
        if any_case { k.eq_ignore_ascii_case(name) } else { k == name }
    };
    if known.iter().any(same) {
        return Ok(());
    }
    let hint = if known.is_empty() {
        format!("BDE has no {kind}: register one first.")
    } else {
        format!("BDE has: {}.", known.join(", "))
    };
    Err(Failure::new(format!("{code}_not_found"), format!("BDE has no {kind} named {name}")).hint(hint))
}

fn network_serves(record: &ClusterRecord, found: &Found) -> Result<(), Failure> {
    let spec = &record.spec;
    let Some(network) = &found.network else {
        return Err(Failure::new(
            "network_not_found",
            format!(
                "the network {} ({}) does not exist, or the service has no access to it",
                spec.network.name, spec.network.id
            ),
        ));
    };
    if network.external {
        return Err(Failure::new(
            "network_external",
            format!("the network {} is external; nodes cannot be attached to it", network.name),
        )
        .hint("Use a project network that a router connects to it."));
    }
    let Some(subnet) = &found.subnet else {
        return Err(Failure::new("subnet_not_found", format!("the subnet {} does not exist", spec.subnet.id)));
    };
    if subnet.network != network.id {
        return Err(Failure::new(
            "subnet_of_other_network",
            format!("the subnet {} ({}) does not belong to the network {}", subnet.name, subnet.id, network.name),
        )
        .hint("Use a subnet of the same network."));
    }
    if !subnet.dhcp {
        return Err(Failure::new(
            "subnet_without_dhcp",
            format!(
                "DHCP is off for the subnet {} ({}); its nodes would never get an address",
                subnet.name, subnet.cidr
            ),
        )
        .hint("Enable it with `openstack subnet set --dhcp`, or use another subnet."));
    }
    Ok(())
}

fn enough_room(demand: &Demand, found: &Found) -> Result<(), Failure> {
    // Without node groups the distribution decides; one node is the minimum.
    let asked = demand.nodes.unwrap_or(1);
    if let Some(subnet) = &found.subnet {
        let free = subnet.capacity.saturating_sub(subnet.used);
        if free < asked {
            return Err(Failure::new(
                "subnet_full",
                format!(
                    "the cluster needs {asked} addresses, but the subnet {} ({}) has only {free} of {} free",
                    subnet.name, subnet.cidr, subnet.capacity
                ),
            )
            .hint("Use a larger subnet, or delete unused ports."));
        }
    }
    if let Some(Quota { limit: Some(limit), used }) = found.quota {
        let free = limit.saturating_sub(used);
        if free < asked {
            return Err(Failure::new(
                "port_quota_exceeded",
                format!(
                    "the cluster needs {asked} ports, but the project's quota leaves only {free} ({used} of {limit} in use)"
                ),
            )
            .hint("Ask an administrator for a larger port quota, or delete unused ports."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::specification::SealedSpecification;
    use crate::systems::manager::ResourcePool;
    use crate::test_support::{network, record, subnet};
    use crate::wanted::NodeGroup;

    fn found() -> Found {
        Found {
            catalog: Catalog {
                distros: vec!["BigTop".into(), "mesos".into()],
                resource_pools: vec![ResourcePool { name: "openstackRP".into(), cluster: "cluster1".into() }],
                datastores: vec!["ds1".into()],
                app_managers: vec!["Default".into(), "cm".into()],
            },
            network: Some(network()),
            subnet: Some(subnet()),
            quota: Some(Quota { limit: Some(500), used: 10 }),
        }
    }

    fn twenty() -> Demand {
        Demand { nodes: Some(20), resource_pools: ["openstackRP".into()].into(), ..Demand::default() }
    }

    fn names(name: &str) -> BTreeSet<String> {
        [name.to_owned()].into()
    }

    #[test]
    fn a_good_request_passes() {
        let good = |demand: &Demand, found: &Found| check(&record(), demand, found);
        assert_eq!(good(&twenty(), &found()), Ok(()));
        assert_eq!(good(&Demand::default(), &Found { quota: None, ..found() }), Ok(()));
        assert_eq!(good(&twenty(), &Found { quota: Some(Quota { limit: None, used: 9 }), ..found() }), Ok(()));
        let full = Demand { datastores: names("ds1"), app_manager: Some("cm".into()), ..twenty() };
        assert_eq!(good(&full, &found()), Ok(()));
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let mut no_distro = record();
        no_distro.spec.distro = "cdh".into();
        let no_pool = Demand { resource_pools: names("gold"), ..twenty() };
        let rows = [
            (no_distro, twenty(), found()),
            (record(), Demand { app_manager: Some("ambari".into()), ..twenty() }, found()),
            (record(), no_pool.clone(), found()),
            (record(), no_pool, Found { catalog: Catalog { resource_pools: vec![], ..found().catalog }, ..found() }),
            (record(), Demand { datastores: names("fast"), ..twenty() }, found()),
            (record(), twenty(), Found { network: None, ..found() }),
            (record(), twenty(), Found { network: Some(Network { external: true, ..network() }), ..found() }),
            (record(), twenty(), Found { subnet: None, ..found() }),
            (record(), twenty(), Found { subnet: Some(Subnet { network: "other".into(), ..subnet() }), ..found() }),
            (record(), twenty(), Found { subnet: Some(Subnet { dhcp: false, ..subnet() }), ..found() }),
            (record(), twenty(), Found { subnet: Some(Subnet { used: 240, ..subnet() }), ..found() }),
            (record(), twenty(), Found { quota: Some(Quota { limit: Some(100), used: 95 }), ..found() }),
        ];
        let said: Vec<_> = rows
            .iter()
            .map(|(record, demand, found)| {
                let failure = check(record, demand, found).unwrap_err();
                format!("{}: {failure}", failure.code)
            })
            .collect();
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn nodes_are_counted_wherever_they_are_asked_for() {
        let mut record = record();
        assert_eq!(nodes_asked(&record), None);
        record.spec.specification = Some(SealedSpecification { digest: String::new(), nodes: Some(7) });
        assert_eq!(nodes_asked(&record), Some(7));
        let group = NodeGroup {
            name: "worker".parse().unwrap(),
            roles: vec![],
            count: 20,
            cpu: None,
            memory_mb: None,
            disk_gb: None,
        };
        record.shape.node_groups = vec![group];
        assert_eq!(nodes_asked(&record), Some(20), "the groups win over those of the specification");
    }
}
