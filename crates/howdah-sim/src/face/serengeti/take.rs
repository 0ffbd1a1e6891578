//! Requests of the wire as the world takes them.

use std::net::IpAddr;

use howdah_serengeti::wire::{ClusterCreate, ClusterType, DnsType, IpBlock, NetworkAdd, NodeGroupCreate};

use crate::world::bde::{BdeNetwork, ClusterRequest, GroupRequest, StaticAddresses};

/// A network; what must be there has been checked by the routes.
pub(super) fn network(add: NetworkAdd) -> BdeNetwork {
    let block = |b: IpBlock| Some((b.begin_ip.parse::<IpAddr>().ok()?, b.end_ip.parse::<IpAddr>().ok()?));
    let fixed = (!add.is_dhcp).then(|| StaticAddresses {
        netmask: add.netmask.unwrap_or_default(),
        gateway: add.gateway,
        dns1: add.dns1,
        dns2: add.dns2,
        blocks: add.ip_blocks.unwrap_or_default().into_iter().filter_map(block).collect(),
    });
    BdeNetwork {
        dns_type: match add.dns_type {
            None | Some(DnsType::Normal) => crate::world::bde::DnsType::Normal,
            Some(DnsType::Dynamic) => crate::world::bde::DnsType::Dynamic,
            Some(DnsType::Others) => crate::world::bde::DnsType::Others,
        },
        generate_hostname: add.is_generate_hostname.unwrap_or_default(),
        fixed,
        ..BdeNetwork::dhcp(&add.name.unwrap_or_default(), &add.port_group.unwrap_or_default())
    }
}

/// A cluster.
pub(crate) fn cluster(mut create: ClusterCreate) -> ClusterRequest {
    let password = create.password.take().map(|p| p.0);
    // Without the password: it may be shown.
    let raw = serde_json::to_value(&create).unwrap_or_default();
    ClusterRequest {
        name: create.name.unwrap_or_default(),
        app_manager: create.app_manager,
        distro: create.distro,
        kind: create.kind.map(|k| kind(k).to_owned()),
        networks: create.network_config.unwrap_or_default(),
        rp_names: create.rp_names.unwrap_or_default(),
        ds_names: create.ds_names.unwrap_or_default(),
        groups: create.node_groups.unwrap_or_default().into_iter().map(group).collect(),
        password,
        topology: create.topology_policy,
        raw,
    }
}

const fn kind(kind: ClusterType) -> &'static str {
    match kind {
        ClusterType::Default => "DEFAULT",
        ClusterType::Hdfs => "HDFS",
        ClusterType::HdfsMapred => "HDFS_MAPRED",
        ClusterType::HdfsHbase => "HDFS_HBASE",
    }
}

fn group(create: NodeGroupCreate) -> GroupRequest {
    let positive = |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
    GroupRequest {
        name: create.name.unwrap_or_default(),
        roles: create.roles.unwrap_or_default(),
        count: u32::try_from(create.instance_num).unwrap_or(0),
        instance_type: create.instance_type,
        cpu: positive(create.cpu_num),
        memory_mb: positive(create.mem_capacity_mb),
        disk_gb: positive(create.storage.as_ref().map(|s| s.size_gb)),
        storage: create.storage.and_then(|s| s.kind),
        ha: create.ha_flag,
        rp_names: create.rp_names.unwrap_or_default(),
    }
}
