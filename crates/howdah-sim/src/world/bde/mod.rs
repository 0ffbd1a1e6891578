//! The cluster manager: its tables as plain data. The checks before an operation are in
//! `requests`, the jobs in `jobs` and `create`, its refusals in [`error`].

mod catalog;
mod checks;
mod create;
pub mod error;
mod events;
pub(crate) mod jobs;
mod placement;
mod power;
mod request;
mod requests;
mod status;
mod templates;

pub use catalog::{AppManager, BdeDatastore, BdeNetwork, BdePool, Distro, DnsType, StaticAddresses};
pub use request::{ClusterRequest, GroupRequest};
pub use status::{BdeStatus, BdeTaskStatus, NodeStatus};

use std::collections::BTreeMap;
use std::net::IpAddr;

use howdah_core::ids::VmRef;
use jiff::Timestamp;
use uuid::Uuid;

use crate::world::actor::Origin;

/// A task.
#[derive(Debug, Clone, PartialEq)]
pub struct BdeTask {
    /// Id.
    pub id: i64,
    /// `INNER`, `DELETE`, `SHRINK`.
    pub kind: &'static str,
    /// The cluster.
    pub target: String,
    /// Where it is.
    pub status: BdeTaskStatus,
    /// 0.0 to 1.0.
    pub progress: f64,
    /// Message of the step that failed.
    pub error: Option<String>,
    /// Code of the same.
    pub error_code: Option<String>,
    /// When it was accepted.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub struct BdeNode {
    /// `<cluster>-<group>-<index>`.
    pub name: String,
    /// The VM once it is cloned.
    pub vm: Option<VmRef>,
    /// Status.
    pub status: NodeStatus,
    /// What is being done, for people.
    pub action: Option<String>,
    /// Whether that failed.
    pub action_failed: bool,
    /// Why it failed.
    pub error: Option<String>,
    /// ESXi host's name.
    pub host: Option<String>,
    /// Registered pool it was placed in.
    pub pool: Option<String>,
    /// Address by registered network, once known.
    pub addresses: BTreeMap<String, IpAddr>,
    /// How many VMs this node has had: the seed of the next one's randomness.
    pub incarnation: u32,
}

impl BdeNode {
    /// A node that is planned.
    pub fn planned(name: String) -> Self {
        Self {
            name,
            vm: None,
            status: NodeStatus::NotExist,
            action: None,
            action_failed: false,
            error: None,
            host: None,
            pool: None,
            addresses: BTreeMap::new(),
            incarnation: 0,
        }
    }
}

/// A node group.
#[derive(Debug, Clone, PartialEq)]
pub struct BdeGroup {
    /// As asked for; `count` follows resizes.
    pub request: GroupRequest,
    /// CPUs.
    pub cpu: u32,
    /// Memory.
    pub memory_mb: u32,
    /// Data disks together.
    pub disk_gb: u32,
    /// Nodes by index.
    pub nodes: Vec<BdeNode>,
}

/// A cluster.
#[derive(Debug, Clone)]
pub struct BdeCluster {
    /// As asked for.
    pub request: ClusterRequest,
    /// Distribution.
    pub distro: Distro,
    /// Application manager.
    pub app_manager: String,
    /// Registered pools it may use.
    pub rp_names: Vec<String>,
    /// Registered datastores it may use.
    pub ds_names: Vec<String>,
    /// Groups.
    pub groups: Vec<BdeGroup>,
    /// Status.
    pub status: BdeStatus,
    /// Its newest task.
    pub task: i64,
    /// The manager's version that made it.
    pub version: String,
    /// When it was accepted.
    pub created: Timestamp,
    /// vCenter folder of its VMs, once it is made.
    pub folder: Option<String>,
    /// Who asked for it.
    pub origin: Origin,
    /// How many clusters have had this name, this one counted: the seed of its VMs' randomness.
    pub ordinal: u32,
}

impl BdeCluster {
    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &BdeNode> {
        self.groups.iter().flat_map(|g| &g.nodes)
    }

    /// All nodes, to change them.
    pub fn nodes_mut(&mut self) -> impl Iterator<Item = &mut BdeNode> {
        self.groups.iter_mut().flat_map(|g| &mut g.nodes)
    }

    /// A node by name.
    pub fn node_mut(&mut self, name: &str) -> Option<&mut BdeNode> {
        self.nodes_mut().find(|n| n.name == name)
    }

    /// Adds the nodes that are defined and not there yet.
    pub fn plan_nodes(&mut self) {
        let cluster = &self.request.name;
        for group in &mut self.groups {
            let name = &group.request.name;
            let planned = u32::try_from(group.nodes.len()).unwrap_or(u32::MAX);
            group
                .nodes
                .extend((planned..group.request.count).map(|i| BdeNode::planned(format!("{cluster}-{name}-{i}"))));
        }
    }

    /// How many nodes are defined, over all groups.
    pub fn defined(&self) -> u32 {
        self.groups.iter().map(|g| g.request.count).sum()
    }

    /// Registered networks in use, each once, the primary one first.
    pub fn networks(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let management = self.request.networks.get("MGT_NETWORK").into_iter().flatten();
        for name in management.chain(self.request.networks.values().flatten()) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }
}

/// A change of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterAction {
    /// Power on, start services.
    Start,
    /// Stop services, power off.
    Stop,
    /// Take up a failed create.
    Resume,
}

/// The cluster manager.
#[derive(Debug, Default)]
pub struct Bde {
    /// Version.
    pub version: String,
    /// The appliance's own UUID, part of folder and pool names.
    pub uuid: Uuid,
    /// Reads only.
    pub maintenance: bool,
    /// Root folder of its VMs.
    pub root_folder: String,
    /// Node template.
    pub template: Option<VmRef>,
    /// Registered networks.
    pub networks: BTreeMap<String, BdeNetwork>,
    /// Registered pools.
    pub pools: BTreeMap<String, BdePool>,
    /// Registered datastores.
    pub datastores: BTreeMap<String, BdeDatastore>,
    /// Application managers.
    pub managers: BTreeMap<String, AppManager>,
    /// Racks: hosts by rack.
    pub racks: BTreeMap<String, Vec<String>>,
    /// Clusters.
    pub clusters: BTreeMap<String, BdeCluster>,
    /// Tasks, those of deleted clusters among them.
    pub tasks: BTreeMap<i64, BdeTask>,
    /// Counts tasks.
    pub next_task: i64,
    /// How many clusters have had each name.
    pub made: BTreeMap<String, u32>,
    /// Counts restarts: a job of an older life is dead.
    pub life: u64,
}

impl Bde {
    /// A cluster's node by the name of its VM.
    pub fn node(&self, cluster: &str, node: &str) -> Option<&BdeNode> {
        self.clusters.get(cluster)?.nodes().find(|n| n.name == node)
    }

    /// What `GET /tasks` lists: the newest task of each cluster that exists. A deleted cluster's are
    /// not in it, though `GET /task/{id}` knows them still (Serengeti's `JobManager`).
    pub fn newest_tasks(&self) -> impl Iterator<Item = &BdeTask> {
        self.clusters.values().filter_map(|c| self.tasks.get(&c.task))
    }

    /// The cluster that uses a registered network, if any.
    pub fn user_of_network(&self, name: &str) -> Option<&str> {
        self.clusters.iter().find(|(_, c)| c.networks().iter().any(|n| n == name)).map(|(n, _)| n.as_str())
    }
}
