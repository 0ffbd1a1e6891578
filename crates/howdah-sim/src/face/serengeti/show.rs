//! The world's tables as the wire shows them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use howdah_serengeti::wire::{
    AppManagerRead, ClusterCreate, ClusterRead, ClusterStatus, DatastoreDetail, DatastoreRead, DistroRead, DnsType,
    IpBlock, IpConfig, NetworkRead, NodeGroupCreate, NodeGroupRead, NodeRead, ResourcePoolRead, Storage, TaskRead,
    TaskStatus,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::world::bde::{
    AppManager, Bde, BdeCluster, BdeDatastore, BdeGroup, BdeNetwork, BdeNode, BdePool, BdeTask, BdeTaskStatus,
    ClusterRequest, Distro, GroupRequest,
};

/// A word of the world in the wire's enumeration: both spell as the manager does.
fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::from(text)).ok()
}

pub(super) fn network(network: &BdeNetwork) -> NetworkRead {
    let shown = NetworkRead {
        dhcp: network.fixed.is_none(),
        dns_type: word::<DnsType>(network.dns_type.as_str()),
        is_generate_hostname: Some(network.generate_hostname),
        ..NetworkRead::dhcp(network.name.as_str(), network.port_group.as_str())
    };
    let Some(fixed) = &network.fixed else {
        return shown;
    };
    let block = |(begin, end): &(IpAddr, IpAddr)| IpBlock { begin_ip: begin.to_string(), end_ip: end.to_string() };
    let blocks: Vec<_> = fixed.blocks.iter().map(block).collect();
    NetworkRead {
        dns1: fixed.dns1.clone(),
        dns2: fixed.dns2.clone(),
        gateway: fixed.gateway.clone(),
        netmask: Some(fixed.netmask.clone()),
        free_ip_blocks: Some(blocks.clone()),
        all_ip_blocks: Some(blocks),
        assigned_ip_blocks: Some(Vec::new()),
        ..shown
    }
}

/// All pools, with the nodes of all clusters.
pub(super) fn pools(bde: &Bde) -> Vec<ResourcePoolRead> {
    bde.pools.values().map(|p| pool(bde, p, bde.clusters.values())).collect()
}

fn pool<'a>(bde: &'a Bde, pool: &BdePool, clusters: impl Iterator<Item = &'a BdeCluster>) -> ResourcePoolRead {
    let groups = clusters.flat_map(|c| c.groups.iter().map(move |g| (c, g)));
    let nodes = groups.flat_map(|(c, g)| g.nodes.iter().map(move |n| (c, g, n)));
    let users = nodes.filter(|(.., n)| n.pool.as_ref() == Some(&pool.name));
    ResourcePoolRead {
        rp_name: pool.name.clone(),
        vc_cluster: pool.vc_cluster.clone(),
        rp_vsphere_name: pool.vc_pool.clone(),
        total_ram_in_mb: 0,
        used_ram_in_mb: 0,
        total_cpu_in_mhz: 0,
        used_cpu_in_mhz: 0,
        nodes: Some(users.map(|(c, g, n)| node(bde, c, g, n)).collect()),
    }
}

pub(super) fn datastore(store: &BdeDatastore) -> DatastoreRead {
    let detail = |name: &String| DatastoreDetail {
        vc_datastore_name: name.clone(),
        host: None,
        total_storage_size_gb: 0.0,
        free_space_gb: 0.0,
    };
    DatastoreRead {
        name: store.name.clone(),
        kind: store.kind.clone(),
        total_space_gb: 0.0,
        free_space_gb: 0.0,
        regex: Some(if store.regex { "TRUE" } else { "FALSE" }.to_owned()),
        datastore_read_details: Some(store.spec.iter().map(detail).collect()),
    }
}

pub(super) fn manager(bde: &Bde, manager: &AppManager) -> AppManagerRead {
    let managed = bde.clusters.iter().filter(|(_, c)| c.app_manager == manager.name);
    AppManagerRead {
        name: manager.name.clone(),
        description: Some(manager.description.clone()),
        kind: Some(manager.kind.clone()),
        url: Some(manager.url.clone()),
        username: Some(manager.username.clone()),
        managed_clusters: Some(managed.map(|(name, _)| name.clone()).collect()),
        ..AppManagerRead::built_in(Some(&manager.version))
    }
}

pub(super) fn distro(distro: &Distro) -> DistroRead {
    DistroRead {
        name: distro.name.clone(),
        vendor: Some(distro.vendor.clone()),
        version: Some(distro.version.clone()),
        hve_supported: distro.hve,
        roles: Some(distro.roles.clone()),
    }
}

pub(crate) fn cluster(bde: &Bde, cluster: &BdeCluster) -> ClusterRead {
    let status = word(cluster.status.as_str()).unwrap_or(ClusterStatus::Unknown);
    let pools = cluster.rp_names.iter().filter_map(|name| bde.pools.get(name));
    ClusterRead {
        distro: Some(cluster.distro.name.clone()),
        distro_vendor: Some(cluster.distro.vendor.clone()),
        app_manager: Some(cluster.app_manager.clone()),
        instance_num: cluster.defined(),
        node_groups: cluster.groups.iter().map(|g| group(bde, cluster, g)).collect(),
        resource_pools: Some(pools.map(|p| pool(bde, p, std::iter::once(cluster))).collect()),
        version: Some(cluster.version.clone()),
        cluster_clone_type: Some("simple".to_owned()),
        template_name: bde.template.as_ref().map(|_| "node-template".to_owned()),
        topology_policy: cluster.request.topology.clone().or_else(|| Some("NONE".to_owned())),
        ..ClusterRead::new(cluster.request.name.as_str(), status)
    }
}

fn group(bde: &Bde, cluster: &BdeCluster, group: &BdeGroup) -> NodeGroupRead {
    NodeGroupRead {
        name: group.request.name.clone(),
        roles: Some(group.request.roles.clone()),
        cpu_num: signed(group.cpu),
        mem_capacity_mb: signed(group.memory_mb),
        swap_ratio: Some(1.0),
        networking: None,
        storage: Some(Storage {
            kind: group.request.storage.clone().or_else(|| Some("SHARED".to_owned())),
            size_gb: signed(group.disk_gb),
            ds_names: Some(cluster.ds_names.clone()),
            ..Storage::default()
        }),
        instance_num: group.request.count,
        instances: Some(group.nodes.iter().map(|n| node(bde, cluster, group, n)).collect()),
        placement_policies: None,
        compute_only: false,
    }
}

fn node(bde: &Bde, cluster: &BdeCluster, group: &BdeGroup, node: &BdeNode) -> NodeRead {
    let made = node.vm.is_some();
    NodeRead {
        name: node.name.clone(),
        mo_id: node.vm.as_ref().map(|vm| format!("null:VirtualMachine:{vm}")),
        status: Some(node.status.as_str().to_owned()),
        action: node.action.clone(),
        action_failed: node.action_failed,
        err_message: node.error.clone(),
        host_name: node.host.clone(),
        rack: None,
        ip_configs: Some(addresses(bde, cluster, node)),
        roles: Some(group.request.roles.clone()),
        cpu_number: if made { signed(group.cpu) } else { 0 },
        memory: if made { i64::from(group.memory_mb) } else { 0 },
        volumes: None,
        version: Some(cluster.version.clone()),
    }
}

/// By traffic type; `0.0.0.0` stands for an address that is not known yet.
fn addresses(bde: &Bde, cluster: &BdeCluster, node: &BdeNode) -> BTreeMap<String, Vec<IpConfig>> {
    let config = |traffic: &str, name: &String| IpConfig {
        port_group_name: bde.networks.get(name).map(|n| n.port_group.clone()),
        network_name: Some(name.clone()),
        traffic_type: Some(traffic.to_owned()),
        ip_address: node.addresses.get(name).map_or_else(|| "0.0.0.0".to_owned(), ToString::to_string),
        fqdn: None,
    };
    let networks = cluster.request.networks.iter().filter(|(_, names)| !names.is_empty());
    networks.map(|(traffic, names)| (traffic.clone(), names.iter().map(|n| config(traffic, n)).collect())).collect()
}

/// A cluster as it was asked for, its groups filled in from the template if there was one.
pub(super) fn spec(request: &ClusterRequest) -> ClusterCreate {
    let mut spec: ClusterCreate = serde_json::from_value(request.raw.clone()).unwrap_or_default();
    spec.name = Some(request.name.clone());
    if spec.node_groups.as_ref().is_none_or(Vec::is_empty) {
        spec.node_groups = Some(request.groups.iter().map(group_spec).collect());
    }
    spec
}

fn group_spec(group: &GroupRequest) -> NodeGroupCreate {
    NodeGroupCreate {
        name: Some(group.name.clone()),
        roles: Some(group.roles.clone()),
        instance_num: signed(group.count),
        instance_type: group.instance_type.clone(),
        cpu_num: group.cpu.map(signed),
        mem_capacity_mb: group.memory_mb.map(signed),
        storage: Some(Storage {
            kind: group.storage.clone(),
            size_gb: group.disk_gb.map_or(0, signed),
            ..Storage::default()
        }),
        ha_flag: group.ha.clone(),
        ..NodeGroupCreate::default()
    }
}

pub(crate) fn task(task: &BdeTask) -> TaskRead {
    TaskRead {
        id: task.id,
        status: word(task.status.as_str()).unwrap_or(TaskStatus::Unknown),
        kind: Some(task.kind.to_owned()),
        progress: Some(if task.status == BdeTaskStatus::Completed { 1.0 } else { task.progress }),
        progress_message: None,
        error_message: task.error.clone(),
        work_dir: None,
        target: Some(task.target.clone()),
        succeed_nodes: Vec::new(),
        fail_nodes: Vec::new(),
    }
}

fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
