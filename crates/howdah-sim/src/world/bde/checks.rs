//! The checks before a create, in the order in which the cluster manager makes them.

use std::collections::BTreeMap;

use crate::world::bde::error::BdeError;
use crate::world::bde::{BdeCluster, BdeGroup, BdeStatus, ClusterRequest, Distro, GroupRequest};
use crate::world::state::State;

type Answer<T> = Result<T, BdeError>;

/// Letters and digits, `_`, `-`, white space.
pub(super) fn resource_name(what: &'static str, name: &str) -> Answer<()> {
    let good = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c.is_whitespace();
    if name.is_empty() || !name.chars().all(good) {
        return Err(BdeError::InvalidParameter { what, value: name.to_owned() });
    }
    Ok(())
}

impl State {
    pub(crate) fn accept_create(&mut self, mut request: ClusterRequest) -> Answer<i64> {
        self.writable()?;
        let name = request.name.clone();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(BdeError::InvalidParameter { what: "cluster name", value: name });
        }
        let manager =
            request.app_manager.clone().filter(|m| !m.trim().is_empty()).unwrap_or_else(|| "Default".to_owned());
        let distro = self.distro(&manager, request.distro.as_deref().filter(|d| !d.trim().is_empty()))?;
        if request.groups.is_empty() {
            request.groups =
                crate::world::bde::templates::groups(&distro, request.kind.as_deref().unwrap_or("DEFAULT"))?;
        }
        check_lengths(&request)?;
        check_groups(&name, &request.groups)?;
        let ds_names = self.registered_datastores(&request.ds_names)?;
        let rp_names = self.registered_pools(&request.rp_names)?;
        self.check_networks(&request)?;
        check_roles(&distro, &request.groups)?;
        if self.bde.clusters.contains_key(&name) {
            return Err(BdeError::AlreadyExists { what: "Cluster", name });
        }
        self.check_port_groups(&request)?;
        request.groups.retain(|g| g.count > 0);
        let groups = request.groups.iter().map(plan).collect::<Answer<Vec<_>>>()?;
        let made = self.bde.made.entry(name.clone()).or_default();
        *made += 1;
        let cluster = BdeCluster {
            ordinal: *made,
            request,
            distro,
            app_manager: manager,
            rp_names,
            ds_names,
            groups,
            status: BdeStatus::Provisioning,
            task: 0,
            version: self.bde.version.clone(),
            created: self.now,
            folder: None,
            origin: self.actor.origin,
        };
        self.bde.clusters.insert(name.clone(), cluster);
        self.begin(&name, BdeStatus::Provisioning, "INNER")
    }

    fn distro(&self, manager: &str, name: Option<&str>) -> Answer<Distro> {
        let missing = || BdeError::NotFound { what: "application manager", name: manager.to_owned() };
        let found = self.bde.managers.get(manager).ok_or_else(missing)?;
        let distro = match name {
            Some(name) => found.distros.iter().find(|d| d.name.eq_ignore_ascii_case(name)),
            None => found.distros.iter().find(|d| d.vendor == "BIGTOP"),
        };
        let name = name.unwrap_or_default().to_owned();
        distro.cloned().ok_or(BdeError::NotFound { what: "Distro", name })
    }

    fn registered_datastores(&self, names: &[String]) -> Answer<Vec<String>> {
        if let Some(missing) = names.iter().find(|n| !self.bde.datastores.contains_key(*n)) {
            let message = format!("Datastore {missing} is not found.");
            return Err(BdeError::Other { code: "VC_PROVIDER.DATASTORE_NOT_FOUND", status: 404, message });
        }
        if self.bde.datastores.is_empty() {
            return Err(BdeError::refused("CLUSTER_CONFIG.NO_DATASTORE_ADDED", "No datastore has been added."));
        }
        Ok(if names.is_empty() { self.bde.datastores.keys().cloned().collect() } else { names.to_vec() })
    }

    fn registered_pools(&self, names: &[String]) -> Answer<Vec<String>> {
        if let Some(missing) = names.iter().find(|n| !self.bde.pools.contains_key(*n)) {
            let message = format!("Resource pool {missing} is not found.");
            return Err(BdeError::Other { code: "VC_PROVIDER.RESOURCE_POOL_NOT_FOUND", status: 404, message });
        }
        if self.bde.pools.is_empty() {
            return Err(BdeError::refused("CLUSTER_CONFIG.NO_RESOURCE_POOL_ADDED", "No resource pool has been added."));
        }
        Ok(if names.is_empty() { self.bde.pools.keys().cloned().collect() } else { names.to_vec() })
    }

    fn check_networks(&self, request: &ClusterRequest) -> Answer<()> {
        let name = &request.name;
        if request.networks.get("MGT_NETWORK").is_none_or(Vec::is_empty) {
            let says = format!("Network is not specified for cluster {name}.");
            return Err(BdeError::refused("CLUSTER_CONFIG.NETWORK_IS_NOT_SPECIFIED", says));
        }
        match request.networks.values().flatten().find(|n| !self.bde.networks.contains_key(*n)) {
            Some(missing) => {
                let says = format!("Network {missing} of cluster {name} is not found.");
                Err(BdeError::refused("CLUSTER_CONFIG.NETWORK_IS_NOT_FOUND", says))
            }
            None => Ok(()),
        }
    }

    fn check_port_groups(&self, request: &ClusterRequest) -> Answer<()> {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for name in request.networks.values().flatten() {
            let Some(network) = self.bde.networks.get(name) else { continue };
            if seen.insert(&network.port_group, name).is_some_and(|other| other != name) {
                return Err(BdeError::PortGroupTwice);
            }
        }
        Ok(())
    }
}

fn check_lengths(request: &ClusterRequest) -> Answer<()> {
    let longest = request.groups.iter().map(|g| g.name.len()).max().unwrap_or(6);
    let limit = (80 - 36 - 1_usize).min((80_usize - 6).saturating_sub(longest));
    if request.name.len() > limit {
        let says = format!("The name of cluster {} is longer than {limit} characters.", request.name);
        return Err(BdeError::refused("CLUSTER_CONFIG.CLUSTER_NAME_TOO_LONG", says));
    }
    Ok(())
}

fn check_groups(cluster: &str, groups: &[GroupRequest]) -> Answer<()> {
    if groups.iter().all(|g| g.count == 0) {
        let says = format!("No node group exists in the specification of cluster {cluster}.");
        return Err(BdeError::refused("CLUSTER_CONFIG.NODE_GROUP_NOT_EXISTING", says));
    }
    let bad = |g: &&GroupRequest| {
        g.name.is_empty() || g.name.len() > 80 || !g.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '+')
    };
    match groups.iter().find(bad) {
        Some(group) => {
            let says = format!("Node group name {:?} is invalid.", group.name);
            Err(BdeError::refused("CLUSTER_CONFIG.NODE_GROUP_NAME_IS_INVALID", says))
        }
        None => Ok(()),
    }
}

/// Roles outside the built-in Hadoop list are customised: they pass any distribution.
fn check_roles(distro: &Distro, groups: &[GroupRequest]) -> Answer<()> {
    let built_in = |r: &str| r.starts_with("hadoop_") || r.starts_with("hbase_") || r.starts_with("hive") || r == "pig";
    let unknown: Vec<_> = groups
        .iter()
        .flat_map(|g| &g.roles)
        .filter(|r| built_in(r) && !distro.roles.contains(r))
        .map(|r| format!("role {r} is not supported by distro {}", distro.name))
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(BdeError::refused("CLUSTER_CONFIG.INVALID_SPECIFICATION", unknown.join(",")))
    }
}

/// A group with sizes filled in; its nodes come with the job's plan.
fn plan(request: &GroupRequest) -> Answer<BdeGroup> {
    if request.roles.is_empty() {
        let says = format!("No Hadoop role is specified for node group {}.", request.name);
        return Err(BdeError::refused("CLUSTER_CONFIG.NO_HADOOP_ROLE_SPECIFIED", says));
    }
    let (cpu, memory) = match request.instance_type.as_deref() {
        Some("MEDIUM") => (2, 7500),
        Some("LARGE") => (4, 15_000),
        Some("EXTRA_LARGE") => (8, 30_000),
        _ => (1, 3748),
    };
    let memory_mb = request.memory_mb.unwrap_or(memory) / 4 * 4;
    if memory_mb < 1024 {
        return Err(BdeError::InvalidParameter { what: "memory", value: memory_mb.to_string() });
    }
    Ok(BdeGroup {
        cpu: request.cpu.unwrap_or(cpu),
        memory_mb,
        disk_gb: request.disk_gb.unwrap_or(50),
        nodes: Vec::new(),
        request: request.clone(),
    })
}
