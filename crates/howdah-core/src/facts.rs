//! What the systems around us said last: plain values, filled in by the adapters.
//!
//! Invariant: a fact is what was *seen*, never what was concluded from it; anything that may be
//! absent in the remote system is an `Option` here. No wire words: an adapter translates HTTP
//! codes, SOAP faults and enum spellings before a fact reaches this module.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cluster::{Likeness, NodeGroup};
use crate::ids::{
    ClusterName, GroupName, Mac, NetworkId, NodeName, PortId, ProjectId, SecurityGroupId, SegmentKey, SubnetId, TaskId,
    VmRef,
};
use crate::specification::Specification;

// ---------------------------------------------------------------- the cluster manager

/// A network as it is registered in the cluster manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredNetwork {
    /// The name under which clusters refer to it.
    pub name: String,
    /// The port group's name in vCenter, exactly.
    pub port_group: String,
    /// Whether nodes on it ask for their addresses.
    pub dhcp: bool,
}

/// What became of the wish to remove a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unregistered {
    /// It is gone.
    Removed,
    /// It was not there.
    Absent,
    /// A cluster still uses it.
    InUse,
}

/// What the cluster manager can offer: names for the checks before a create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Distributions of the application manager that was asked for.
    pub distros: Vec<String>,
    /// Registered resource pools.
    pub resource_pools: Vec<String>,
    /// Registered datastores.
    pub datastores: Vec<String>,
    /// Application managers; where none was asked for, perhaps not all of them.
    pub app_managers: Vec<String>,
}

/// What a request claims, read off the very body that is sent for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    /// How many nodes; `None` if that is left to the distribution's template.
    pub nodes: Option<u64>,
    /// Resource pools by their registered names, wherever the body has them.
    pub resource_pools: BTreeSet<String>,
    /// Datastores likewise.
    pub datastores: BTreeSet<String>,
    /// Application manager; the manager's default if absent.
    pub app_manager: Option<String>,
}

/// A cluster as the manager is asked for it.
#[derive(Debug, Clone)]
pub struct ManagedSpec {
    /// Name, unique in the manager.
    pub name: ClusterName,
    /// Distribution.
    pub distro: String,
    /// Application manager; the manager's default if absent.
    pub app_manager: Option<String>,
    /// Resource pools by their registered names; all if empty.
    pub resource_pools: Vec<String>,
    /// Datastores by their registered names; all if empty.
    pub datastores: Vec<String>,
    /// Registered network for all traffic.
    pub network: String,
    /// Node groups; the distribution's default template if empty.
    pub node_groups: Vec<NodeGroup>,
    /// The nodes' root password; random if absent.
    pub password: Option<SecretString>,
    /// Further fields of the manager's own cluster specification, laid under the ones above.
    pub specification: Option<Specification>,
}

/// A change of a cluster's running state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagedChange {
    /// Power on and start services.
    Start,
    /// Stop services and power off.
    Stop,
    /// Take up a create that failed.
    Resume,
}

/// Where the manager says that a cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagedStatus {
    /// A create or resume is running.
    Provisioning,
    /// A create failed; it can be resumed or deleted.
    ProvisionError,
    /// All is well.
    Running,
    /// VMs run; some service is unhealthy.
    ServiceWarning,
    /// VMs run; services are stopped.
    ServiceStopped,
    /// A stop is running.
    Stopping,
    /// VMs are off.
    Stopped,
    /// A start is running.
    Starting,
    /// A delete is running.
    Deleting,
    /// A start, stop or delete failed.
    Error,
    /// Any other work in progress: resize, configuration, upgrade, maintenance.
    Busy,
}

impl ManagedStatus {
    /// Whether the manager would accept a delete.
    pub const fn is_stable(self) -> bool {
        matches!(
            self,
            Self::ProvisionError
                | Self::Running
                | Self::ServiceWarning
                | Self::ServiceStopped
                | Self::Stopped
                | Self::Error
        )
    }

    /// Whether its VMs are up and nothing is being done to them.
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Running | Self::ServiceWarning | Self::ServiceStopped)
    }
}

/// A cluster as the manager shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct ManagedCluster {
    /// Its status.
    pub status: ManagedStatus,
    /// The manager's own word for that, for people.
    pub status_text: String,
    /// How many nodes are defined, over all groups.
    pub node_count: usize,
    /// What it was made from, as far as the manager shows it.
    pub likeness: Likeness,
    /// Its nodes, as far as the manager has planned them; sorted by group, then index.
    pub nodes: Vec<ManagedNode>,
}

/// A node as the manager shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedNode {
    /// `<cluster>-<group>-<index>`.
    pub name: NodeName,
    /// The node group's name.
    pub group: GroupName,
    /// Roles.
    pub roles: Vec<String>,
    /// The VM, once it is cloned.
    pub vm: Option<VmRef>,
    /// The manager's words for status and action, for people: not to be decided on.
    pub status_text: String,
    /// What went wrong with this node, if anything.
    pub error: Option<String>,
}

/// A task of the manager.
#[derive(Debug, Clone, PartialEq)]
pub struct ManagedTask {
    /// Its id; a later task has a larger number.
    pub id: TaskId,
    /// The name of the cluster it is about.
    pub target: String,
    /// Where it is.
    pub state: TaskState,
    /// 0.0 to 1.0.
    pub progress: f64,
    /// What it says of its failure.
    pub error: Option<String>,
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Not ended.
    Running,
    /// Ended well.
    Completed,
    /// Ended badly, or given up.
    Failed,
}

// ---------------------------------------------------------------- vCenter

/// A dvPortgroup or an opaque network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// What a NIC's backing names.
    pub key: SegmentKey,
    /// The name, unescaped.
    pub name: String,
    /// The moref of its distributed switch; none for an opaque network.
    pub switch: Option<String>,
    /// The datacenter's name, for messages.
    pub datacenter: String,
    /// NSX-T policy path (`/infra/segments/<id>`), on vSphere 7 and later.
    pub segment_id: Option<String>,
    /// NSX logical switch UUID (also an opaque network's id).
    pub logical_switch: Option<String>,
}

/// Power state of a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// Running.
    On,
    /// Not running.
    Off,
    /// Suspended to disk.
    Suspended,
}

/// What is known of the guest's tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tools {
    /// User space is up.
    Running,
    /// Installed (or not known to be absent) and silent.
    #[default]
    NotRunning,
    /// There are none: never wait for them.
    NotInstalled,
}

/// A VM as vCenter shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmFacts {
    /// Its reference.
    pub vm: VmRef,
    /// Its name; absent for a moment while it is being cloned.
    pub name: Option<NodeName>,
    /// Nova's and NSX's handle of it.
    pub instance_uuid: Option<Uuid>,
    /// Power state.
    pub power: Power,
    /// Server time of the last power on.
    pub boot_time: Option<Timestamp>,
    /// Guest tools.
    pub tools: Tools,
    /// Its cards, by key.
    pub nics: Vec<NicFacts>,
}

/// A card of a VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicFacts {
    /// Device key; 4000 is the first card.
    pub key: i32,
    /// Its address on the wire; absent for a moment while it is being made.
    pub mac: Option<Mac>,
    /// What it is plugged into, if that is a dvPortgroup or opaque network.
    pub segment: Option<SegmentKey>,
    /// NSX-T attachment: the port id that NSX should plug it into.
    pub external_id: Option<String>,
    /// Whether the link is up as the guest sees it.
    pub connected: bool,
    /// Addresses that the guest's tools report for it, link-local ones left out.
    pub addresses: Vec<IpAddr>,
}

impl NicFacts {
    /// The index NSX-v knows the card by: the device key less 4000.
    pub const fn index(&self) -> u32 {
        (self.key - 4000).unsigned_abs()
    }
}

/// What a watch on a cluster's folder says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// A VM as it is now: new or changed, the adapter need not know which.
    Vm(VmFacts),
    /// A VM that is gone.
    Gone(VmRef),
    /// The connection was lost and is back: everything known so far is void; the present state
    /// follows as [`WatchEvent::Vm`]s.
    Reset,
    /// The present state has been told completely (after start and after [`WatchEvent::Reset`]).
    Synced,
}

// ---------------------------------------------------------------- Neutron

/// A Neutron network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// UUID.
    pub id: NetworkId,
    /// Name, for people.
    pub name: String,
    /// The project that owns it.
    pub project: ProjectId,
    /// Whether it is router:external.
    pub external: bool,
}

/// A Neutron subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// UUID.
    pub id: SubnetId,
    /// Name, for people.
    pub name: String,
    /// The network it belongs to.
    pub network: NetworkId,
    /// `10.0.0.0/24`.
    pub cidr: String,
    /// 4 or 6.
    pub ip_version: u8,
    /// Whether it hands out leases.
    pub dhcp: bool,
    /// Addresses in its allocation pools.
    pub capacity: u64,
    /// Of those, how many ports hold already.
    pub used: u64,
}

/// A quota and its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The limit; none is unlimited.
    pub limit: Option<u64>,
    /// In use.
    pub used: u64,
}

/// Optional features of the Neutron that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NetworkingFeatures {
    /// `vnic_index` on ports (NSX-v).
    pub vnic_index: bool,
}

/// A port as Neutron shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// UUID.
    pub id: PortId,
    /// Name.
    pub name: String,
    /// Project that owns it.
    pub project: ProjectId,
    /// Network.
    pub network: NetworkId,
    /// MAC address.
    pub mac: Mac,
    /// Fixed addresses.
    pub fixed_ips: Vec<FixedIp>,
    /// Who uses it: `compute:...`, `network:dhcp`, empty.
    pub device_owner: String,
    /// What uses it: our instance UUID, or a VM's name with the 2015 plugin.
    pub device_id: String,
    /// Free text; holds the mark, see [`crate::mark`].
    pub description: String,
    /// Security groups.
    pub security_groups: Vec<SecurityGroupId>,
    /// NSX-v's card index, where the extension is offered and it took.
    pub vnic_index: Option<u32>,
    /// `ACTIVE`, `DOWN`, ... For people: it says little on an unbound port.
    pub status: String,
}

/// An address of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedIp {
    /// The subnet.
    pub subnet: SubnetId,
    /// The address.
    pub address: IpAddr,
}

/// A port to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRequest {
    /// Network.
    pub network: NetworkId,
    /// Subnet of its one fixed address.
    pub subnet: SubnetId,
    /// The card's address.
    pub mac: Mac,
    /// The fixed address to ask for; Neutron's choice if absent.
    pub address: Option<IpAddr>,
    /// `<vm>-port<n>`.
    pub name: String,
    /// The project it shall belong to.
    pub project: ProjectId,
    /// Begins with `compute:`.
    pub device_owner: String,
    /// The VM's instance UUID.
    pub device_id: Uuid,
    /// Groups; none is the project's default.
    pub security_groups: Vec<SecurityGroupId>,
    /// The mark.
    pub description: String,
}

/// What to change of a port: fields left `None` stay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortChange {
    /// See [`PortRequest::device_owner`].
    pub device_owner: Option<String>,
    /// See [`PortRequest::device_id`].
    pub device_id: Option<Uuid>,
    /// See [`PortRequest::name`].
    pub name: Option<String>,
    /// See [`PortRequest::description`].
    pub description: Option<String>,
    /// See [`PortRequest::security_groups`].
    pub security_groups: Option<Vec<SecurityGroupId>>,
}

/// Which ports to list. Conditions hold together; within one, any value fits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortQuery {
    /// On this network.
    pub network: Option<NetworkId>,
    /// With one of these addresses.
    pub macs: Vec<Mac>,
}

// ---------------------------------------------------------------- Keystone

/// Who is asking, as Keystone vouches for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// User id.
    pub user: String,
    /// User name, for people.
    pub user_name: String,
    /// The project the token is scoped to.
    pub project: ProjectId,
    /// Role names.
    pub roles: Vec<String>,
    /// Whether the role `admin` counts as the operator's: not where Keystone has one project for
    /// administration and says that the token's is another (`is_admin_project` in a token's body).
    pub is_admin_project: bool,
    /// When the token ends.
    pub expires: Option<Timestamp>,
}

/// The facts about a set of VMs, by reference.
pub type Vms = BTreeMap<VmRef, VmFacts>;
