//! Converts the appliance's answers to the core's types. Pure: the simulator uses it too, so that production
//! and simulation interpret an answer in the same way.

use std::collections::{BTreeMap, BTreeSet};

use howdah_core::ids::{NodeName, TaskId, VmRef};
use howdah_core::known::Likeness;
use howdah_core::systems::manager::{ManagedCluster, ManagedNode, ManagedStatus, ManagedTask, TaskState};

use crate::error::Error;
use crate::wire::{ClusterRead, ClusterStatus, NodeGroupRead, NodeRead, TaskRead, TaskStatus};

fn status(status: ClusterStatus) -> ManagedStatus {
    match status {
        ClusterStatus::Provisioning => ManagedStatus::Provisioning,
        ClusterStatus::ProvisionError => ManagedStatus::ProvisionError,
        ClusterStatus::Running => ManagedStatus::Running,
        // The VMs run, but a part of their software failed.
        ClusterStatus::ServiceWarning | ClusterStatus::ConfigureError | ClusterStatus::UpgradeError => {
            ManagedStatus::ServiceWarning
        }
        ClusterStatus::ServiceStopped => ManagedStatus::ServiceStopped,
        ClusterStatus::Stopping => ManagedStatus::Stopping,
        ClusterStatus::Stopped => ManagedStatus::Stopped,
        ClusterStatus::Starting => ManagedStatus::Starting,
        ClusterStatus::Deleting => ManagedStatus::Deleting,
        ClusterStatus::Error => ManagedStatus::Error,
        ClusterStatus::Updating
        | ClusterStatus::Expanding
        | ClusterStatus::Configuring
        | ClusterStatus::Maintenance
        | ClusterStatus::Upgrading
        | ClusterStatus::VhmRunning
        | ClusterStatus::VmReconfiguring
        | ClusterStatus::Na
        | ClusterStatus::Unknown => ManagedStatus::Busy,
    }
}

/// Converts a cluster. `step` names the call in errors.
///
/// # Errors
/// If a node group's name or a node's VM reference cannot be read.
pub fn cluster(read: ClusterRead, step: &str) -> Result<ManagedCluster, Error> {
    let likeness = likeness(&read);
    let mut nodes = Vec::new();
    for group in read.node_groups {
        let NodeGroupRead { name, roles, instances, .. } = group;
        let group_name = name.parse().map_err(|error| Error::Answer {
            step: step.to_owned(),
            status: 200,
            said: format!("a node group's name is invalid: {error}"),
        })?;
        let mut of_group = instances.unwrap_or_default();
        of_group.sort_by_key(|n| NodeName::new(n.name.as_str()).index());
        for read in of_group {
            nodes.push(ManagedNode {
                vm: vm(&read, step)?,
                status_text: said_of(&read),
                error: read.err_message.filter(|_| read.action_failed).map(without_time),
                name: NodeName::new(read.name),
                roles: read.roles.or_else(|| roles.clone()).unwrap_or_default(),
                group: Clone::clone(&group_name),
            });
        }
    }
    // A stable sort: nodes keep their order within a group.
    nodes.sort_by(|a, b| a.group.cmp(&b.group));
    Ok(ManagedCluster {
        status: status(read.status),
        status_text: serde_json::to_value(read.status)
            .ok()
            .and_then(|word| word.as_str().map(str::to_owned))
            .unwrap_or_default(),
        node_count: read.instance_num as usize,
        likeness,
        nodes,
    })
}

/// The features of the cluster's request, as far as the appliance shows them. Only nodes list the networks,
/// and nodes exist once they are planned.
fn likeness(read: &ClusterRead) -> Likeness {
    let groups: BTreeMap<_, _> = read.node_groups.iter().map(|g| (g.name.clone(), g.instance_num)).collect();
    let nodes = read.node_groups.iter().flat_map(|g| g.instances.iter().flatten());
    let addresses = nodes.flat_map(|n| n.ip_configs.iter().flat_map(BTreeMap::values).flatten());
    let networks: BTreeSet<_> =
        addresses.filter_map(|a| a.network_name.clone()).filter(|name| !name.is_empty()).collect();
    Likeness { distro: read.distro.clone().unwrap_or_default(), groups, networks }
}

/// The last of the three parts of `<server>:VirtualMachine:<value>`.
fn vm(node: &NodeRead, step: &str) -> Result<Option<VmRef>, Error> {
    let Some(mo_id) = node.mo_id.as_deref().filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    match mo_id.split(':').collect::<Vec<_>>().as_slice() {
        [_, "VirtualMachine", vm] if !vm.is_empty() => Ok(Some(VmRef::new(*vm))),
        _ => Err(Error::Answer {
            step: step.to_owned(),
            status: 200,
            said: format!("the moId {mo_id:?} of node {:?} does not refer to a virtual machine", node.name),
        }),
    }
}

fn said_of(node: &NodeRead) -> String {
    let words = [node.status.as_deref(), node.action.as_deref()];
    words.into_iter().flatten().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(", ")
}

/// A node's error starts with a time in brackets; events have their own time.
fn without_time(message: String) -> String {
    match message.strip_prefix('[').and_then(|m| m.split_once(']')) {
        Some((_, rest)) => rest.trim_start().to_owned(),
        None => message,
    }
}

/// Converts a task.
pub fn task(id: TaskId, read: TaskRead) -> ManagedTask {
    let state = match read.status {
        TaskStatus::Completed => TaskState::Completed,
        TaskStatus::Failed | TaskStatus::Abandoned | TaskStatus::Stopped => TaskState::Failed,
        TaskStatus::Starting | TaskStatus::Started | TaskStatus::Stopping | TaskStatus::Unknown => TaskState::Running,
    };
    // Jobs that work node by node store the message at the nodes.
    let node = || read.fail_nodes.iter().find_map(|n| Some(format!("{}: {}", n.node_name, n.error_message.as_ref()?)));
    let error = match state {
        TaskState::Failed => read
            .error_message
            .clone()
            .filter(|m| !m.is_empty())
            .or_else(node)
            .or_else(|| (read.status != TaskStatus::Failed).then(|| "the task was abandoned".to_owned())),
        _ => None,
    };
    let progress = if state == TaskState::Completed { 1.0 } else { read.progress.unwrap_or(0.0).clamp(0.0, 1.0) };
    ManagedTask { id, target: read.target.unwrap_or_default(), state, progress, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ManagedCluster {
        cluster(serde_json::from_str(text).unwrap(), "look").unwrap()
    }

    #[test]
    fn the_likeness_is_what_the_appliance_shows_and_no_more() {
        assert_eq!(read(r#"{"name": "c", "status": "PROVISIONING"}"#).likeness, Likeness::default());
        let cluster = read(
            r#"{"name": "c", "status": "RUNNING", "distro": "Mesos", "nodeGroups": [
                {"name": "master", "instanceNum": 1, "instances": null},
                {"name": "worker", "instanceNum": 3, "instances": [
                    {"name": "c-worker-0", "ipConfigs": null},
                    {"name": "c-worker-1", "ipConfigs": {"MGT_NETWORK": [{"networkName": "net"}, {"networkName": ""}, {}]}},
                    {"name": "c-worker-2", "ipConfigs": {"MGT_NETWORK": [{"networkName": "net"}], "HDFS_NETWORK": [{"networkName": "data"}]}}]}]}"#,
        );
        let likeness = Likeness {
            distro: "Mesos".to_owned(),
            groups: [("master".to_owned(), 1), ("worker".to_owned(), 3)].into(),
            networks: ["data".to_owned(), "net".to_owned()].into(),
        };
        assert_eq!(cluster.likeness, likeness);
    }
}
