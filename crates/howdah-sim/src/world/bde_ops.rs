//! Requests to the cluster manager: the checks in their documented order, then the job.
//!
//! Every request is refused or accepted at once; what takes time goes on in `bde_jobs`.

use std::collections::BTreeMap;

use super::World;
use super::bde::{
    BdeCluster, BdeGroup, BdeNetwork, BdeStatus, BdeTask, BdeTaskStatus, ClusterAction, ClusterRequest, Distro,
    GroupRequest,
};
use super::bde_error::BdeError;
use super::state::State;

type Answer<T> = Result<T, BdeError>;

impl World {
    /// `POST /networks`.
    ///
    /// # Errors
    /// A bad name, a name that is taken, or a port group that is not in vCenter.
    pub fn bde_add_network(&self, network: BdeNetwork) -> Answer<()> {
        self.write(|s| {
            s.writable()?;
            resource_name("network name", &network.name)?;
            if s.bde.networks.contains_key(&network.name) {
                return Err(BdeError::AlreadyExists { what: "Network", name: network.name });
            }
            if s.vc.port_group_named(&network.port_group).is_none() {
                let says = format!("Network {} is not found in vCenter Server.", network.port_group);
                return Err(BdeError::refused("VC_PROVIDER.NETWORK_NOT_FOUND", says));
            }
            s.bde.networks.insert(network.name.clone(), network);
            Ok(())
        })
    }

    /// `DELETE /network/{name}`.
    ///
    /// # Errors
    /// If it is not there, or a cluster uses it.
    pub fn bde_remove_network(&self, name: &str) -> Answer<()> {
        self.write(|s| {
            s.writable()?;
            if !s.bde.networks.contains_key(name) {
                return Err(BdeError::NotFound { what: "Network", name: name.to_owned() });
            }
            if let Some(user) = s.bde.user_of_network(name) {
                let says = format!("Network {name} is used by cluster {user}.");
                return Err(BdeError::refused("NETWORK.NETWORK_IN_USE", says));
            }
            s.bde.networks.remove(name);
            Ok(())
        })
    }

    /// `POST /clusters`: the id of the task.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn bde_create(&self, request: ClusterRequest) -> Answer<i64> {
        let name = request.name.clone();
        let task = self.write(|s| s.accept_create(request))?;
        self.spawn_job(&name, task, super::bde_jobs::Work::Create);
        Ok(task)
    }

    /// `PUT /cluster/{name}/action`: the id of the task.
    ///
    /// # Errors
    /// If it is not there, or its status does not allow it.
    pub fn bde_action(&self, name: &str, action: ClusterAction) -> Answer<i64> {
        let task = self.write(|s| {
            s.writable()?;
            let status = s.cluster(name)?.status;
            let next = allowed(name, status, action)?;
            s.begin(name, next, "INNER")
        })?;
        let work = match action {
            ClusterAction::Start => super::bde_jobs::Work::Start,
            ClusterAction::Stop => super::bde_jobs::Work::Stop,
            ClusterAction::Resume => super::bde_jobs::Work::Resume,
        };
        self.spawn_job(name, task, work);
        Ok(task)
    }

    /// `DELETE /cluster/{name}`: the id of the task.
    ///
    /// # Errors
    /// If it is not there, or is not stable.
    pub fn bde_delete(&self, name: &str) -> Answer<i64> {
        let task = self.write(|s| {
            s.writable()?;
            let status = s.cluster(name)?.status;
            if !status.is_stable() {
                let message = format!(
                    "Cannot delete cluster {name}: it is {}; it should be in RUNNING, STOPPED, ERROR or another stable status.",
                    status.as_str()
                );
                return Err(BdeError::Other { code: "CLUSTER.CANNOT_DELETE", status: 409, message });
            }
            s.begin(name, BdeStatus::Deleting, "DELETE")
        })?;
        self.spawn_job(name, task, super::bde_jobs::Work::Delete);
        Ok(task)
    }

    /// `PUT /cluster/{name}/nodegroup/{group}/instancenum`: the id of the task.
    ///
    /// # Errors
    /// If cluster or group is not there, the status does not allow it, or nothing is to be done.
    pub fn bde_resize(&self, name: &str, group: &str, count: u32, force: bool) -> Answer<i64> {
        let (task, work) = self.write(|s| {
            s.writable()?;
            let cluster = s.cluster(name)?;
            let Some(found) = cluster.groups.iter().find(|g| g.request.name == group) else {
                let says = format!("Node group {group} is not found in cluster {name}.");
                return Err(BdeError::refused("CLUSTER.NODEGROUP_NOT_FOUND", says));
            };
            if !cluster.status.is_active() {
                let says = format!("Cannot update cluster {name}: it is {}.", cluster.status.as_str());
                return Err(BdeError::refused("CLUSTER.CANNOT_UPDATE", says));
            }
            let old = found.request.count;
            if count == old && !force {
                let says = format!("Node group {group} of cluster {name} already has {old} instances.");
                return Err(BdeError::refused("CLUSTER.NO_NEED_TO_RESIZE", says));
            }
            let grows = count >= old;
            let (status, kind) =
                if grows { (BdeStatus::Updating, "INNER") } else { (BdeStatus::Maintenance, "SHRINK") };
            let task = s.begin(name, status, kind)?;
            let cluster = s.bde.clusters.get_mut(name);
            if let Some(found) = cluster.and_then(|c| c.groups.iter_mut().find(|g| g.request.name == group)) {
                found.request.count = count;
            }
            let work =
                if grows { super::bde_jobs::Work::Grow } else { super::bde_jobs::Work::Shrink(group.to_owned()) };
            Ok((task, work))
        })?;
        self.spawn_job(name, task, work);
        Ok(task)
    }

    /// The appliance starts anew: what it was doing is given up, never taken up again.
    pub fn bde_restart(&self) {
        self.write(|s| {
            s.bde.life += 1;
            let now = s.now;
            for cluster in s.bde.clusters.values_mut() {
                cluster.status = match cluster.status {
                    BdeStatus::Provisioning => BdeStatus::ProvisionError,
                    BdeStatus::Configuring | BdeStatus::Deleting | BdeStatus::Starting | BdeStatus::Stopping => {
                        BdeStatus::Error
                    }
                    other => other,
                };
            }
            for task in s.bde.tasks.values_mut().filter(|t| !t.status.is_final()) {
                task.status = BdeTaskStatus::Abandoned;
                task.progress = 0.0;
                task.ended = Some(now);
            }
        });
    }
}

/// Letters and digits, `_`, `-`, white space.
fn resource_name(what: &'static str, name: &str) -> Answer<()> {
    let good = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c.is_whitespace();
    if name.is_empty() || !name.chars().all(good) {
        return Err(BdeError::InvalidParameter { what, value: name.to_owned() });
    }
    Ok(())
}

/// The status during an action, if the status before allows it.
fn allowed(name: &str, status: BdeStatus, action: ClusterAction) -> Answer<BdeStatus> {
    use BdeStatus as S;
    let refuse = |code, verb: &str| {
        let says = format!("Cannot {verb} cluster {name}: it is {}.", status.as_str());
        Err(BdeError::refused(code, says))
    };
    match (action, status) {
        (ClusterAction::Start, S::Stopped | S::Error) => Ok(S::Starting),
        (ClusterAction::Start, _) if status.is_active() => refuse("CLUSTER.IS_RUNNING", "start"),
        (ClusterAction::Start, _) => refuse("CLUSTER.CANNOT_START", "start"),
        (ClusterAction::Stop, S::Running | S::ServiceWarning | S::ServiceStopped | S::Error) => Ok(S::Stopping),
        (ClusterAction::Stop, S::Stopped) => refuse("CLUSTER.IS_STOPPED", "stop"),
        (ClusterAction::Stop, _) => refuse("CLUSTER.CANNOT_STOP", "stop"),
        (ClusterAction::Resume, S::ProvisionError) => Ok(S::Provisioning),
        (ClusterAction::Resume, _) => refuse("CLUSTER.CANNOT_UPDATE", "resume"),
    }
}

impl State {
    /// A cluster.
    ///
    /// # Errors
    /// 404 if it is not there.
    pub fn cluster(&self, name: &str) -> Answer<&BdeCluster> {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(BdeError::InvalidParameter { what: "cluster name", value: name.to_owned() });
        }
        self.bde.clusters.get(name).ok_or_else(|| BdeError::NotFound { what: "Cluster", name: name.to_owned() })
    }

    pub(crate) fn writable(&self) -> Answer<()> {
        if self.bde.maintenance { Err(BdeError::Maintenance) } else { Ok(()) }
    }

    /// A new task for a cluster, which gets a new status.
    pub(crate) fn begin(&mut self, name: &str, status: BdeStatus, kind: &'static str) -> Answer<i64> {
        self.bde.next_task += 1;
        let id = self.bde.next_task;
        let task = BdeTask {
            id,
            kind,
            target: name.to_owned(),
            status: BdeTaskStatus::Starting,
            progress: 0.0,
            error: None,
            error_code: None,
            started: self.now,
            ended: None,
        };
        self.bde.tasks.insert(id, task);
        if let Some(cluster) = self.bde.clusters.get_mut(name) {
            cluster.status = status;
            cluster.task = id;
            for node in cluster.nodes_mut() {
                node.action = None;
                node.action_failed = false;
                node.error = None;
            }
        }
        Ok(id)
    }

    fn accept_create(&mut self, mut request: ClusterRequest) -> Answer<i64> {
        self.writable()?;
        let name = request.name.clone();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(BdeError::InvalidParameter { what: "cluster name", value: name });
        }
        let manager =
            request.app_manager.clone().filter(|m| !m.trim().is_empty()).unwrap_or_else(|| "Default".to_owned());
        let distro = self.distro(&manager, request.distro.as_deref().filter(|d| !d.trim().is_empty()))?;
        if request.groups.is_empty() {
            request.groups = super::bde_templates::groups(&distro, request.kind.as_deref().unwrap_or("DEFAULT"))?;
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
        let cluster = BdeCluster {
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
