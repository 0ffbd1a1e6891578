//! Requests to the cluster manager: the checks in their documented order, then the job.
//!
//! Every request is refused or accepted at once; what takes time goes on in `jobs`.

use crate::world::World;
use crate::world::bde::checks::resource_name;
use crate::world::bde::error::BdeError;
use crate::world::bde::{BdeCluster, BdeNetwork, BdeStatus, BdeTask, BdeTaskStatus, ClusterAction, ClusterRequest};
use crate::world::state::State;

type Answer<T> = Result<T, BdeError>;

impl World {
    /// `POST /networks`.
    ///
    /// # Errors
    /// A bad name, a name that is taken, or a port group that is not in vCenter.
    pub fn bde_add_network(&self, mut network: BdeNetwork) -> Answer<()> {
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
            network.origin = s.actor.origin;
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
        self.spawn_job(&name, task, crate::world::bde::jobs::Work::Create);
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
            ClusterAction::Start => crate::world::bde::jobs::Work::Start,
            ClusterAction::Stop => crate::world::bde::jobs::Work::Stop,
            ClusterAction::Resume => crate::world::bde::jobs::Work::Resume,
        };
        self.spawn_job(name, task, work);
        Ok(task)
    }

    /// `DELETE /cluster/{name}`: the id of the task.
    ///
    /// # Errors
    /// If it is not there, or is not stable.
    pub fn bde_delete(&self, name: &str) -> Answer<i64> {
        let task = self.write(|s| s.accept_delete(name))?;
        self.spawn_job(name, task, crate::world::bde::jobs::Work::Delete);
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
            let work = if grows {
                crate::world::bde::jobs::Work::Grow
            } else {
                crate::world::bde::jobs::Work::Shrink(group.to_owned())
            };
            Ok((task, work))
        })?;
        self.spawn_job(name, task, work);
        Ok(task)
    }

    /// `GET /tasks`: the newest task of each cluster that exists, by the cluster's name.
    pub fn bde_tasks(&self) -> Vec<BdeTask> {
        self.read(|s| s.bde.newest_tasks().cloned().collect())
    }

    /// Restarts the appliance: it abandons its work and never resumes it.
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
        (ClusterAction::Resume, S::ProvisionError | S::Expanding) => Ok(S::Provisioning),
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

    /// The checks of a delete; its task.
    pub(crate) fn accept_delete(&mut self, name: &str) -> Answer<i64> {
        self.writable()?;
        let status = self.cluster(name)?.status;
        if !status.is_stable() {
            let message = format!(
                "Cannot delete cluster {name}: it is {}; it should be in RUNNING, STOPPED, ERROR or another stable status.",
                status.as_str()
            );
            return Err(BdeError::Other { code: "CLUSTER.CANNOT_DELETE", status: 409, message });
        }
        self.begin(name, BdeStatus::Deleting, "DELETE")
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
}
