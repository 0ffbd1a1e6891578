//! Small values that the tests of several modules start from: the cluster `c` of project `p1` with
//! one node, as it looks in each system.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use uuid::Uuid;

use crate::action::Action;
use crate::failure::RemoteError;
use crate::ids::{ClusterId, Mac, OperationId};
use crate::intent::Journal;
use crate::known::{ClusterState, Likeness, OperationProgress};
use crate::mark::{Mark, MarkKey};
use crate::own::{Match, Ours, Ownership, Pass, Place, ownership};
use crate::seen::Seen;
use crate::systems::manager::{ManagedCluster, ManagedNode, ManagedStatus, ManagedTask, TaskState};
use crate::systems::networking::{FixedIp, Network, NetworkingFeatures, Port, Subnet};
use crate::systems::vcenter::{NicFacts, Power, Segment, Tools, VmFacts};
use crate::time::{Clock, Mono, Stamp, Ticker};
use crate::trouble::Failed;
use crate::wanted::{ClusterRecord, ClusterSpec, OperationKind, OperationRequest, RemedyPolicy, Shape, WaitFor};

pub(crate) const MAC: Mac = mac(0);
pub(crate) const VM_UUID: Uuid = Uuid::from_u128(0x5000);
pub(crate) const PASS: Pass = Pass::new(ClusterId(Uuid::from_u128(1)), 1);

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The key of this installation.
pub(crate) fn marks() -> MarkKey {
    MarkKey::new(b"this installation")
}

/// The MAC of node `n`.
pub(crate) const fn mac(n: u8) -> Mac {
    Mac::new([0, 80, 86, 1, 2, 3 + n])
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
            specification: None,
            secrets: None,
            wait_for: WaitFor::Addresses,
            remedy: RemedyPolicy::Auto,
        },
        shape: Shape::first(vec![]),
        operation: OperationRequest {
            id: OperationId(Uuid::from_u128(2)),
            kind: OperationKind::Create,
            requested: at(0),
            by: None,
            request: None,
        },
        created: at(0),
    }
}

/// A state in which the operation of [`record`] has been taken up.
pub(crate) fn state() -> ClusterState {
    let operation = record().operation;
    ClusterState {
        operation: Some(OperationProgress::begun(operation.id, operation.kind, at(0))),
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
        clusters: BTreeSet::new(),
    }
}

pub(crate) fn vm() -> VmFacts {
    vm_of_node(0)
}

/// The VM of node `n`, just cloned.
pub(crate) fn vm_of_node(n: u8) -> VmFacts {
    VmFacts {
        vm: format!("vm-{}", n + 1).as_str().into(),
        name: Some(format!("c-worker-{n}").as_str().into()),
        instance_uuid: Some(Uuid::from_u128(0x5000 + u128::from(n))),
        power: Power::Off,
        boot_time: None,
        tools: Tools::NotRunning,
        nics: vec![NicFacts {
            key: 4000,
            mac: Some(mac(n)),
            segment: Some(segment().key),
            external_id: None,
            connected: true,
            addresses: vec![],
        }],
    }
}

/// The same VM, up with the address.
pub(crate) fn up(address: &str) -> VmFacts {
    let mut vm = vm();
    vm.power = Power::On;
    vm.tools = Tools::Running;
    vm.nics[0].addresses = vec![address.parse().unwrap()];
    vm
}

/// The port of the VM's card, as we make it.
pub(crate) fn good_port() -> Port {
    let mark = Mark::new(record().id, "c-worker-0".into(), 0);
    Port {
        id: "port-1".into(),
        name: mark.port_name(),
        project: "p1".into(),
        network: "net-1".into(),
        mac: MAC,
        fixed_ips: vec![FixedIp { subnet: "sub-1".into(), address: "10.0.0.5".parse().unwrap() }],
        device_owner: crate::attach::DEVICE_OWNER.into(),
        device_id: VM_UUID.to_string(),
        description: marks().describe(&"p1".into(), &mark, MAC),
        security_groups: vec![],
        vnic_index: None,
        logical_switch: None,
        binding: None,
        status: "DOWN".into(),
    }
}

/// The description that the first release gave to that port.
pub(crate) fn first_mark() -> String {
    format!("howdah/1 cluster={} node=c-worker-0 nic=0", record().id)
}

/// What the create call asked for, and what the manager shows of it.
pub(crate) fn likeness() -> Likeness {
    Likeness { distro: "bigtop".into(), groups: [("worker".into(), 1)].into(), networks: ["net".into()].into() }
}

pub(crate) fn managed(status: ManagedStatus) -> ManagedCluster {
    ManagedCluster {
        status,
        status_text: format!("{status:?}").to_uppercase(),
        node_count: 1,
        likeness: likeness(),
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

pub(crate) fn task(id: &str, target: &str, state: TaskState) -> ManagedTask {
    ManagedTask { id: id.into(), target: target.into(), state, progress: 0.3, error: None }
}

/// The token of a cluster that is ours.
pub(crate) fn ours() -> Ours {
    let place = Place::Present { asked: Ticker::default().tick(), by: Match::Identity };
    match ownership(PASS, &Journal::default(), false, place, Stamp::START) {
        Ownership::Ours(ours) => ours,
        other => panic!("{other:?}"),
    }
}

/// A controller's eyes: each look is asked for after everything before it, unless a stamp says otherwise.
pub(crate) struct Eyes {
    pub(crate) ticker: Ticker,
    pub(crate) now: Mono,
    pub(crate) seen: Seen,
}

impl Default for Eyes {
    fn default() -> Self {
        // Long enough after the clock's beginning for everything that a test says was before.
        Self { ticker: Ticker::default(), now: Mono::new(seconds(100_000)), seen: Seen::default() }
    }
}

/// An action failed now.
pub(crate) fn failed<'a>(
    action: &Action,
    error: &'a RemoteError,
    operation: Option<OperationId>,
    eyes: &Eyes,
) -> Failed<'a> {
    let (keys, purpose) = (action.keys(), action.purpose());
    Failed { keys, purpose, error, operation, ended: eyes.ticker.tick(), now: eyes.now }
}

impl Eyes {
    /// The watch tells these VMs and no others.
    pub(crate) fn watch(&mut self, vms: impl IntoIterator<Item = VmFacts>) {
        self.seen.vms = vms.into_iter().map(|vm| (vm.vm.clone(), Arc::new(vm))).collect();
        self.seen.vms_synced = true;
    }

    /// Neutron lists these ports and no others.
    pub(crate) fn list(&mut self, ports: impl IntoIterator<Item = Port>) {
        let asked = self.ticker.tick();
        self.list_asked(asked, ports);
    }

    pub(crate) fn list_asked(&mut self, asked: Stamp, ports: impl IntoIterator<Item = Port>) {
        self.seen.features = Some(NetworkingFeatures { vnic_index: true });
        self.seen.ports.complete(asked, self.now, ports.into_iter().map(|p| (p.id.clone(), p)));
    }

    /// The manager shows this.
    pub(crate) fn look(&mut self, cluster: Option<ManagedCluster>) {
        let asked = self.ticker.tick();
        self.look_asked(asked, cluster);
    }

    pub(crate) fn look_asked(&mut self, asked: Stamp, cluster: Option<ManagedCluster>) {
        self.seen.cluster.learn(asked, self.now, cluster);
    }

    /// The manager shows our newest task.
    pub(crate) fn task(&mut self, task: ManagedTask) {
        self.seen.task.learn(self.ticker.tick(), self.now, Some(task));
    }

    /// Each VM is asked for.
    pub(crate) fn check(&mut self, vms: impl IntoIterator<Item = VmFacts>) {
        let vms = vms.into_iter().map(|vm| (vm.vm.clone(), Arc::new(vm))).collect();
        self.seen.checked.learn(self.ticker.tick(), self.now, vms);
    }
}

/// These VMs and ports, and a manager that provisions the cluster.
pub(crate) fn seen(vms: Vec<VmFacts>, ports: Vec<Port>) -> Seen {
    let mut eyes = Eyes::default();
    eyes.watch(vms);
    eyes.list(ports);
    eyes.look(Some(managed(ManagedStatus::Provisioning)));
    eyes.seen
}

/// A clock that is set by hand.
#[derive(Default)]
pub(crate) struct Hand(pub(crate) Mutex<Duration>);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
    fn mono(&self) -> Mono {
        Mono::new(*self.0.lock().unwrap())
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        unreachable!("nothing that asks for this clock sleeps")
    }
}
