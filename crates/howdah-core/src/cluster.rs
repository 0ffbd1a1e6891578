//! What a cluster is wanted to be ([`ClusterRecord`]) and what is known of it ([`ClusterState`]).
//!
//! The record has one writer, the API; the state has one writer, the cluster's controller. So
//! neither needs to lock the other out, and a signal between them carries no data. Everything
//! here is stored as JSON, in the version that [`crate::document`] writes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::condition::{ClusterCondition, Condition};
use crate::facts::{ManagedStatus, Network, Segment, Subnet};
use crate::failure::Failure;
use crate::ids::{
    ClusterId, ClusterKey, ClusterName, GroupName, Mac, NodeName, OperationId, PortId, ProjectId, SecurityGroupId,
    SiteName, VmRef,
};
use crate::intent::Journal;
use crate::specification::{SealedSpecification, Specification};
use crate::stage::Stage;

// ---------------------------------------------------------------- wanted

/// What a cluster shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Up, with an address on every node.
    Running,
    /// There, switched off.
    Stopped,
    /// Gone, with everything that was made for it.
    Deleted,
}

/// What has to be true for a create to count as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// Every node has the address that its port promises.
    #[default]
    Addresses,
    /// Besides, the cluster manager says that the software runs.
    Services,
}

/// What may be done to a node that missed its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemedyPolicy {
    /// Whatever the decision table allows.
    #[default]
    Auto,
    /// At most a bounce of the card.
    Bounce,
    /// Nothing.
    Off,
}

/// A node group as asked for. Sizes left out are the cluster manager's choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeGroup {
    /// Its name.
    pub name: GroupName,
    /// Roles, as the distribution names them.
    pub roles: Vec<String>,
    /// How many nodes.
    pub count: u32,
    /// CPUs of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Memory of a node, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// Data disks of a node together, in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_gb: Option<u32>,
}

/// The part of a cluster that cannot be changed after it was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// Distribution.
    pub distro: String,
    /// Application manager; the cluster manager's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_manager: Option<String>,
    /// The network, as the requester was allowed to see it.
    pub network: Network,
    /// The subnet, likewise.
    pub subnet: Subnet,
    /// Security groups; none is the project's default.
    #[serde(default)]
    pub security_groups: Vec<SecurityGroupId>,
    /// Resource pools by their registered names; all if empty.
    #[serde(default)]
    pub resource_pools: Vec<String>,
    /// Datastores by their registered names; all if empty.
    #[serde(default)]
    pub datastores: Vec<String>,
    /// Node groups; the distribution's default template if empty.
    #[serde(default)]
    pub node_groups: Vec<NodeGroup>,
    /// Further fields of the cluster manager's own specification: that there are some. The fields
    /// are among the [`Secrets`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specification: Option<SealedSpecification>,
    /// When a create counts as done.
    #[serde(default)]
    pub wait_for: WaitFor,
    /// What may be done to a node that missed its lease.
    #[serde(default)]
    pub remedy: RemedyPolicy,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Bring it up for the first time, or finish that.
    Create,
    /// Switch it on.
    Start,
    /// Switch it off.
    Stop,
    /// Remove it.
    Delete,
}

/// An operation as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRequest {
    /// Chosen by the service when it accepted the request.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// When it was accepted.
    pub requested: Timestamp,
    /// The id of the Keystone user who asked; none for the operator on the service's own host, and for
    /// what was asked before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A cluster as it is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// Chosen by the caller.
    pub id: ClusterId,
    /// Where it lives.
    pub site: SiteName,
    /// Whose it is.
    pub project: ProjectId,
    /// Unique in the site.
    pub name: ClusterName,
    /// The unchangeable part.
    pub spec: ClusterSpec,
    /// What it shall be.
    pub wanted: Wanted,
    /// The newest operation.
    pub operation: OperationRequest,
    /// When it was asked for first.
    pub created: Timestamp,
}

/// The project of clusters that a local user of the service's own host asked for without naming
/// one. It is none of Keystone's.
pub const LOCAL_PROJECT: &str = "local";

impl ClusterRecord {
    /// What it is kept under.
    pub fn key(&self) -> ClusterKey {
        ClusterKey { project: self.project.clone(), id: self.id }
    }

    /// The Keystone project that its ports belong to, and whose quota they use: the cluster's own,
    /// or the network's where the cluster's is none of Keystone's.
    pub fn port_project(&self) -> &ProjectId {
        if self.project.as_str() == LOCAL_PROJECT { &self.spec.network.project } else { &self.project }
    }
}

/// What must never be shown: kept sealed, and only for as long as it is needed.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// The nodes' root password.
    pub cluster_password: Option<SecretString>,
    /// Cluster manager credentials of the template, where the operator allows them: user, password.
    pub credentials: Option<(String, SecretString)>,
    /// Further fields of the cluster manager's own specification.
    pub specification: Option<Specification>,
}

// ---------------------------------------------------------------- known

/// A cluster in one word, for people and for Heat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterStatus {
    /// Accepted; nothing has been done yet.
    #[default]
    Pending,
    /// Being created, or a failed create is being finished.
    Creating,
    /// As wanted.
    Running,
    /// Being switched off.
    Stopping,
    /// Switched off.
    Stopped,
    /// Being switched on.
    Starting,
    /// Being removed.
    Deleting,
    /// Up, but not as it should be: its conditions and those of its nodes say what is wrong.
    Degraded,
    /// It was there and is not any more: somebody removed it from the cluster manager.
    Gone,
    /// The last operation failed; see its failure.
    Error,
}

/// Where an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// Not ended.
    #[default]
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationProgress {
    /// Which one.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// Where it is.
    pub state: OperationState,
    /// When the controller took it up.
    pub started: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The checks before the first change have passed.
    #[serde(default)]
    pub checked: bool,
    /// For how long controllers have worked on it. Time in which no process ran does not count.
    #[serde(default)]
    pub watched: Duration,
    /// For how long it waited for its turn at the cluster manager; no part of `watched`.
    #[serde(default)]
    pub waited: Duration,
    /// For how long nodes lacked their address although the cluster manager had finished and all
    /// of this was being watched.
    #[serde(default)]
    pub without_address: Duration,
}

/// What makes the cluster in the cluster manager this one, and no other of the same name.
/// Evidence belongs to one create call and begins anew with the next.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Identity {
    /// What the create call asked for. What is there is compared with this, never with what is
    /// wanted now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Likeness>,
    /// Its VMs, with their instance UUIDs: recorded while the cluster was known to be ours.
    #[serde(default)]
    pub vms: BTreeMap<VmRef, Uuid>,
    /// A resume of ours may be replacing its VMs: until it has ended, other VMs than the recorded
    /// ones do not speak against it.
    #[serde(default)]
    pub renewed: bool,
    /// It was there and is gone: nothing that only looks like it is ours any more.
    #[serde(default)]
    pub dissolved: bool,
}

/// What a cluster looks like in the cluster manager. Empty fields are not compared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Likeness {
    /// Distribution; compared without case, as the cluster manager does.
    #[serde(default)]
    pub distro: String,
    /// How many nodes each group is defined with.
    #[serde(default)]
    pub groups: BTreeMap<String, u32>,
    /// Registered networks.
    #[serde(default)]
    pub networks: BTreeSet<String>,
}

impl Likeness {
    /// The first thing in which `there` differs.
    pub fn difference(&self, there: &Self) -> Option<String> {
        let words = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        let groups = |groups: &BTreeMap<String, u32>| {
            groups.iter().map(|(name, count)| format!("{name} x {count}")).collect::<Vec<_>>().join(", ")
        };
        let comparable = |one: bool, other: bool| !one && !other;
        if comparable(self.distro.is_empty(), there.distro.is_empty())
            && !self.distro.eq_ignore_ascii_case(&there.distro)
        {
            return Some(format!("its distribution is {} and not {}", there.distro, self.distro));
        }
        if comparable(self.groups.is_empty(), there.groups.is_empty()) && self.groups != there.groups {
            return Some(format!("its node groups are {} and not {}", groups(&there.groups), groups(&self.groups)));
        }
        if comparable(self.networks.is_empty(), there.networks.is_empty()) && self.networks != there.networks {
            return Some(format!("its network is {} and not {}", words(&there.networks), words(&self.networks)));
        }
        None
    }
}

/// A Neutron port that was made for the cluster and is not known to be gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnPort {
    /// The node whose card it is.
    pub node: NodeName,
    /// Its MAC address, once it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// Its fixed address: a port that is made again asks for the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// A network's registration in the cluster manager that Howdah made, or is about to make. It
/// belongs to the site; its one writer is the site's [registrar](crate::registrar).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Registered name.
    pub name: String,
    /// Port group name.
    pub port_group: String,
    /// Clusters that use it. With the last one it is removed.
    #[serde(default)]
    pub users: BTreeSet<ClusterKey>,
    /// A call to make it is under way, or its answer is not known: it may still turn up.
    #[serde(default)]
    pub open: bool,
}

/// A node as it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeState {
    /// The node group's name.
    pub group: String,
    /// Roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The VM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm: Option<VmRef>,
    /// The VM's instance UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_uuid: Option<Uuid>,
    /// Address on the wire of the card on our network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// The card's Neutron port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<PortId>,
    /// The address that the port promises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<IpAddr>,
    /// The address that the guest has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Where it is in its boot.
    pub stage: Stage,
    /// What the cluster manager says of it, for people.
    #[serde(default)]
    pub manager_says: String,
    /// What is true of it.
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

/// A cluster as it is known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ClusterState {
    /// In one word.
    #[serde(default)]
    pub status: ClusterStatus,
    /// The newest operation that the controller took up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationProgress>,
    /// The port group that backs the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<Segment>,
    /// The name of the network's registration in the cluster manager, as the registrar gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<String>,
    /// What was asked for.
    #[serde(default)]
    pub journal: Journal,
    /// What makes the cluster in the cluster manager this one.
    #[serde(default)]
    pub identity: Identity,
    /// Every port made for it that is not known to be gone.
    #[serde(default)]
    pub ports: BTreeMap<PortId, OwnPort>,
    /// The first release began to delete it, and forgot each node with its VM: until the ports have
    /// been listed, those of the record's project that bear that release's unkeyed mark of this
    /// cluster join the ledger.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ledger_lost: bool,
    /// What is true of the cluster as a whole.
    #[serde(default)]
    pub conditions: Vec<ClusterCondition>,
    /// The manager's status, as seen last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager_status: Option<ManagedStatus>,
    /// Nodes by name.
    #[serde(default)]
    pub nodes: BTreeMap<NodeName, NodeState>,
    /// 0.0 to 1.0, for people: it never goes back within an operation.
    #[serde(default)]
    pub progress: f64,
}

/// How grave an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As expected.
    Info,
    /// Not as expected; work goes on.
    Warning,
    /// Something failed.
    Error,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// How grave.
    pub level: Level,
    /// A stable word: `port_created`, `operation_failed`, ...
    pub reason: String,
    /// To which node, if to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeName>,
    /// A sentence.
    pub message: String,
}
