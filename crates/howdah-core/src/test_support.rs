//! Small values that the tests of several modules start from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use crate::cluster::{
    ClusterRecord, ClusterSpec, ClusterState, OperationKind, OperationProgress, OperationRequest, OperationState,
    RemedyPolicy, WaitFor, Wanted,
};
use crate::facts::{
    FixedIp, ManagedCluster, ManagedNode, ManagedStatus, Network, NetworkingFeatures, NicFacts, Port, Power, Segment,
    Subnet, Tools, VmFacts,
};
use crate::ids::{ClusterId, Mac, OperationId};
use crate::mark::Mark;
use crate::seen::Seen;

pub(crate) const MAC: Mac = Mac::new([0, 80, 86, 1, 2, 3]);
pub(crate) const VM_UUID: Uuid = Uuid::from_u128(0x5000);

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub(crate) fn network() -> Network {
    Network { id: "net-1".into(), name: "data".into(), project: "p1".into(), external: false }
}

pub(crate) fn subnet() -> Subnet {
    Subnet {
        id: "sub-1".into(),
        name: "data-v4".into(),
        network: "net-1".into(),
        cidr: "10.0.0.0/24".into(),
        ip_version: 4,
        dhcp: true,
        capacity: 253,
        used: 1,
    }
}

pub(crate) fn record() -> ClusterRecord {
    ClusterRecord {
        id: ClusterId(Uuid::from_u128(1)),
        site: "main".into(),
        project: "p1".into(),
        name: "c".parse().unwrap(),
        spec: ClusterSpec {
            distro: "bigtop".into(),
            app_manager: None,
            network: network(),
            subnet: subnet(),
            security_groups: vec![],
            resource_pools: vec!["openstackRP".into()],
            datastores: vec![],
            node_groups: vec![],
            specification: None,
            wait_for: WaitFor::Addresses,
            remedy: RemedyPolicy::Auto,
        },
        wanted: Wanted::Running,
        operation: OperationRequest {
            id: OperationId(Uuid::from_u128(2)),
            kind: OperationKind::Create,
            requested: at(0),
        },
        created: at(0),
    }
}

/// A state in which the operation of [`record`] has been taken up.
pub(crate) fn state() -> ClusterState {
    let operation = record().operation;
    ClusterState {
        operation: Some(OperationProgress {
            id: operation.id,
            kind: operation.kind,
            state: OperationState::Running,
            started: at(0),
            ended: None,
            failure: None,
            checked: false,
            asked: vec![],
        }),
        ..ClusterState::default()
    }
}

pub(crate) fn segment() -> Segment {
    Segment {
        key: "dvportgroup-7".into(),
        name: "vxw-dvs-1-virtualwire-1-sid-5000-net-1".into(),
        switch: Some("dvs-1".into()),
        datacenter: "dc1".into(),
        segment_id: None,
        logical_switch: None,
    }
}

pub(crate) fn vm() -> VmFacts {
    VmFacts {
        vm: "vm-1".into(),
        name: Some("c-worker-0".into()),
        instance_uuid: Some(VM_UUID),
        power: Power::Off,
        boot_time: None,
        tools: Tools::NotRunning,
        nics: vec![NicFacts {
            key: 4000,
            mac: Some(MAC),
            segment: Some(segment().key),
            external_id: None,
            connected: true,
            addresses: vec![],
        }],
    }
}

pub(crate) fn good_port() -> Port {
    let mark = Mark { cluster: record().id, node: "c-worker-0".into(), nic: 0 };
    Port {
        id: "port-1".into(),
        name: mark.port_name(),
        project: "p1".into(),
        network: "net-1".into(),
        mac: MAC,
        fixed_ips: vec![FixedIp { subnet: "sub-1".into(), address: "10.0.0.5".parse().unwrap() }],
        device_owner: crate::attachment::DEVICE_OWNER.into(),
        device_id: VM_UUID.to_string(),
        description: mark.to_string(),
        security_groups: vec![],
        vnic_index: None,
        status: "DOWN".into(),
    }
}

pub(crate) fn managed(status: ManagedStatus) -> ManagedCluster {
    ManagedCluster {
        status,
        status_text: format!("{status:?}").to_uppercase(),
        node_count: 1,
        nodes: vec![ManagedNode {
            name: "c-worker-0".into(),
            group: "worker".parse().unwrap(),
            roles: vec!["hadoop_datanode".into()],
            vm: Some("vm-1".into()),
            status_text: "Powered Off".into(),
            error: None,
        }],
    }
}

pub(crate) fn seen(vms: Vec<VmFacts>, ports: Vec<Port>) -> Seen {
    Seen {
        manager: None,
        manager_at: None,
        task: None,
        vms: vms.into_iter().map(|vm| (vm.vm.clone(), vm)).collect::<BTreeMap<_, _>>(),
        vms_synced: true,
        ports: Some(ports),
        ports_at: Some(at(0)),
        features: Some(NetworkingFeatures { vnic_index: true }),
    }
}
