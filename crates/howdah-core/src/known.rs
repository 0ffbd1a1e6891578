//! The known state of a cluster. Only the cluster's controller writes it.
//!
//! It is stored as JSON, in the version that [`crate::document`] writes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
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

/// The status of a cluster, for users and Heat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterStatus {
    /// Accepted; the controller has not started on it.
    #[default]
    Pending,
    /// Being created, or a failed create is being resumed.
    Creating,
    /// Running.
    Running,
    /// Being stopped.
    Stopping,
    /// Stopped.
    Stopped,
    /// Being started.
    Starting,
    /// Being deleted.
    Deleting,
    /// Running with a problem; its conditions and those of its nodes give the reason.
    Degraded,
    /// It no longer exists: others deleted it in the cluster manager.
    Gone,
    /// The last operation failed; its failure has the reason.
    Error,
}

/// The state of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// In progress.
    #[default]
    Running,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
}

/// The progress and result of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationProgress {
    /// Which one.
    pub id: OperationId,
    /// What it does.
    pub kind: OperationKind,
    /// Where it is.
    pub state: OperationState,
    /// When the controller started it.
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
    /// For how long controllers have watched it. Time without a running process does not count.
    #[serde(default)]
    pub watched: Duration,
    /// For how long it waited for its turn at the cluster manager; not part of `watched`.
    #[serde(default)]
    pub waited: Duration,
    /// For how long nodes lacked their address after the cluster manager had finished, while all of this was
    /// visible.
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

/// The evidence that the cluster in the cluster manager is this one and not another of the same name. It
/// belongs to one create call; the next one starts with none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Identity {
    /// What the create call requested. The cluster in the manager is compared with this, never with the
    /// current wanted state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Likeness>,
    /// Its VMs with their instance UUIDs, recorded while the cluster was known to be ours.
    #[serde(default)]
    pub vms: BTreeMap<VmRef, Uuid>,
    /// A resume of ours may replace its VMs: until it has ended, VMs that are not recorded are no evidence
    /// against it.
    #[serde(default)]
    pub renewed: bool,
    /// The create succeeded: the cluster was seen running.
    #[serde(default)]
    pub made: bool,
    /// It existed and is gone: a cluster that only resembles it is not ours.
    #[serde(default)]
    pub dissolved: bool,
}

/// The features by which a cluster in the cluster manager is compared. Empty fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Likeness {
    /// Distribution; compared case-insensitively, as the cluster manager does.
    #[serde(default)]
    pub distro: String,
    /// The defined number of nodes of each group.
    #[serde(default)]
    pub groups: BTreeMap<String, u32>,
    /// Registered networks.
    #[serde(default)]
    pub networks: BTreeSet<String>,
}

impl Likeness {
    /// The first difference of `there`.
    pub fn difference(&self, there: &Self) -> Option<String> {
        let words = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        let groups = |groups: &BTreeMap<String, u32>| {
            groups.iter().map(|(name, count)| format!("{name} x {count}")).collect::<Vec<_>>().join(", ")
        };
        let comparable = |one: bool, other: bool| !one && !other;
        if comparable(self.distro.is_empty(), there.distro.is_empty())
            && !self.distro.eq_ignore_ascii_case(&there.distro)
        {
            return Some(format!("its distribution is {}, not {}", there.distro, self.distro));
        }
        if comparable(self.groups.is_empty(), there.groups.is_empty()) && self.groups != there.groups {
            return Some(format!("its node groups are {}, not {}", groups(&there.groups), groups(&self.groups)));
        }
        if comparable(self.networks.is_empty(), there.networks.is_empty()) && self.networks != there.networks {
            return Some(format!("its network is {}, not {}", words(&there.networks), words(&self.networks)));
        }
        None
    }
}

/// A Neutron port that was created for the cluster and is not known to be gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnPort {
    /// The node of its card.
    pub node: NodeName,
    /// Its MAC address, once seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// Its fixed address: a replacement port requests the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// The identifiers that a provisioner chose for a node before creating it: repeated calls send the same
/// values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePlan {
    /// The instance UUID of its VM.
    pub instance: Uuid,
    /// The MAC of its card.
    pub mac: Mac,
}

/// The known state of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    /// The node group's name.
    pub group: String,
    /// Roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Its plan; `None` if the cluster manager chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<NodePlan>,
    /// The VM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm: Option<VmRef>,
    /// The VM's instance UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_uuid: Option<Uuid>,
    /// MAC address of its card on our network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// The Neutron port of the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<PortId>,
    /// The port's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<IpAddr>,
    /// The guest's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The stage of its boot.
    pub stage: Stage,
    /// The status that the cluster manager reports, for display.
    #[serde(default)]
    pub manager_says: String,
    /// Its conditions.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// What it went through.
    #[serde(default)]
    pub history: NodeHistory,
}

impl NodeState {
    /// A node of which only the name is known.
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

/// Nodes by name. Copies of a state share them: each pass of a controller works on a copy, and most nodes
/// do not change.
pub type Nodes = BTreeMap<NodeName, Arc<NodeState>>;

/// The known state of a cluster.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ClusterState {
    /// The status.
    #[serde(default)]
    pub status: ClusterStatus,
    /// The last generation of the wanted shape that the controller observed.
    #[serde(default)]
    pub observed_generation: u64,
    /// The newest operation that the controller started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationProgress>,
    /// The port group that backs the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<Segment>,
    /// The name of the network's registration in the cluster manager, from the registrar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<String>,
    /// The journal of sent calls.
    #[serde(default)]
    pub journal: Journal,
    /// The evidence for the cluster in the cluster manager.
    #[serde(default)]
    pub identity: Identity,
    /// Every port that was created for it and is not known to be gone.
    #[serde(default)]
    pub ports: BTreeMap<PortId, OwnPort>,
    /// The first release started to delete it and dropped each node with its VM: until the ports have been
    /// listed, ports of the record's project with that release's unkeyed mark of this cluster join the
    /// ledger.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ledger_lost: bool,
    /// The conditions of the cluster as a whole.
    #[serde(default)]
    pub conditions: Vec<ClusterCondition>,
    /// The manager's last seen status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager_status: Option<ManagedStatus>,
    /// Its nodes.
    #[serde(default)]
    pub nodes: Nodes,
    /// 0.0 to 1.0, for display: it never decreases within an operation.
    #[serde(default)]
    pub progress: f64,
}
