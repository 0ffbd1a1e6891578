//! What is known of a cluster. Its one writer is the cluster's controller.
//!
//! It is stored as JSON, in the version that [`crate::document`] writes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::condition::{ClusterCondition, Condition};
use crate::failure::Failure;
use crate::history::NodeHistory;
use crate::ids::{Mac, NodeName, OperationId, PortId, VmRef};
use crate::intent::Journal;
use crate::stage::Stage;
use crate::systems::manager::ManagedStatus;
use crate::systems::vcenter::Segment;
use crate::wanted::{ClusterRecord, OperationKind};

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

impl OperationProgress {
    /// An operation that was just taken up.
    pub const fn begun(id: OperationId, kind: OperationKind, now: Timestamp) -> Self {
        Self {
            id,
            kind,
            state: OperationState::Running,
            started: now,
            ended: None,
            failure: None,
            checked: false,
            watched: Duration::ZERO,
            waited: Duration::ZERO,
            without_address: Duration::ZERO,
        }
    }
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
    /// The create call ended well: it was seen up.
    #[serde(default)]
    pub made: bool,
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

/// What was chosen for a node before it was made, by a provisioner that chooses: sent as it is, however
/// often the calls are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePlan {
    /// The instance UUID of its VM.
    pub instance: Uuid,
    /// The MAC of its card.
    pub mac: Mac,
}

/// A node as it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeState {
    /// The node group's name.
    pub group: String,
    /// Roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// What was chosen for it; nothing where the cluster manager chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<NodePlan>,
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
    /// What it went through.
    #[serde(default)]
    pub history: NodeHistory,
}

impl NodeState {
    /// A node of which nothing but its name is known.
    pub fn planned(record: &ClusterRecord, name: &NodeName) -> Self {
        let middle = name.as_str().strip_prefix(&format!("{}-", record.name)).unwrap_or(name.as_str());
        let group = middle.rsplit_once('-').map_or(middle, |(group, _)| group);
        Self {
            group: group.to_owned(),
            roles: vec![],
            plan: None,
            vm: None,
            instance_uuid: None,
            mac: None,
            port: None,
            promised: None,
            address: None,
            stage: Stage::Planned,
            manager_says: String::new(),
            conditions: vec![],
            history: NodeHistory::default(),
        }
    }
}

/// A cluster as it is known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ClusterState {
    /// In one word.
    #[serde(default)]
    pub status: ClusterStatus,
    /// The generation of the wanted shape that the controller took up last.
    #[serde(default)]
    pub observed_generation: u64,
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
