//! Node groups for a create that names none: the cluster manager's own templates.

use crate::world::bde::error::BdeError;
use crate::world::bde::{Distro, GroupRequest};

fn group(name: &str, count: u32, size: &str, ha: bool, roles: &[&str]) -> GroupRequest {
    let mut group = GroupRequest::new(name, roles, count);
    group.instance_type = Some(size.to_owned());
    group.ha = Some(if ha { "on" } else { "off" }.to_owned());
    group
}

/// The groups of a distribution's template for a type of cluster.
///
/// # Errors
/// If the manager ships no such template: an internal error, as it answers itself.
pub(crate) fn groups(distro: &Distro, kind: &str) -> Result<Vec<GroupRequest>, BdeError> {
    let zookeeper = || group("zookeeper", 3, "SMALL", true, &["zookeeper"]);
    match (distro.vendor.as_str(), kind) {
        ("MESOS", "DEFAULT") => Ok(vec![
            zookeeper(),
            group("master", 2, "MEDIUM", true, &["mesos_master", "mesos_chronos", "mesos_marathon"]),
            group("slave", 3, "MEDIUM", false, &["mesos_slave", "mesos_docker"]),
        ]),
        (_, "HDFS") => Ok(vec![
            group("master", 1, "MEDIUM", true, &["hadoop_namenode"]),
            group("worker", 3, "SMALL", false, &["hadoop_datanode"]),
            group("client", 1, "SMALL", false, &["hadoop_client"]),
        ]),
        (_, "HDFS_MAPRED") => Ok(vec![
            group("master", 1, "MEDIUM", true, &["hadoop_namenode", "hadoop_resourcemanager"]),
            group("worker", 3, "MEDIUM", false, &["hadoop_datanode", "hadoop_nodemanager"]),
            group("client", 1, "SMALL", false, &["hadoop_client", "hive", "hive_server", "pig"]),
        ]),
        (_, "HDFS_HBASE") => Ok(vec![
            zookeeper(),
            group("master", 1, "MEDIUM", true, &["hadoop_namenode", "hbase_master"]),
            group("worker", 3, "SMALL", false, &["hadoop_datanode", "hbase_regionserver"]),
            group("client", 1, "SMALL", false, &["hadoop_client", "hbase_client"]),
        ]),
        (vendor, "DEFAULT") => {
            let file = format!("{}-default-template-spec.json", vendor.to_lowercase());
            Err(BdeError::Internal(format!("can not find template {file}")))
        }
        (_, other) => Err(BdeError::InvalidParameter { what: "cluster type", value: other.to_owned() }),
    }
}
