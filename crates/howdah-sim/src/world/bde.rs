//! The cluster manager's tables as plain data. The checks before an operation are in
//! `bde_ops`, the jobs in `bde_jobs`, its errors in `bde_error`.
//!
//! Statuses carry the manager's own spelling (`as_str`), since that is what both faces show.

use std::collections::BTreeMap;
use std::net::IpAddr;

use howdah_core::ids::VmRef;
use jiff::Timestamp;
use uuid::Uuid;

/// `dnsType` of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DnsType {
    /// Names are in DNS, or none are used.
    #[default]
    Normal,
    /// Nodes register by dynamic DNS.
    Dynamic,
    /// The manager makes the names.
    Others,
}

impl DnsType {
    /// As the manager spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Dynamic => "DYNAMIC",
            Self::Others => "OTHERS",
        }
    }

    /// From the manager's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Normal, Self::Dynamic, Self::Others].into_iter().find(|d| d.as_str() == text)
    }
}

/// Static addressing of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticAddresses {
    /// Netmask.
    pub netmask: String,
    /// Gateway.
    pub gateway: Option<String>,
    /// First DNS server.
    pub dns1: Option<String>,
    /// Second DNS server.
    pub dns2: Option<String>,
    /// Blocks: first and last address.
    pub blocks: Vec<(IpAddr, IpAddr)>,
}

/// A registered network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BdeNetwork {
    /// Registered name.
    pub name: String,
    /// Port group's name in vCenter.
    pub port_group: String,
    /// `dnsType`.
    pub dns_type: DnsType,
    /// `isGenerateHostname`.
    pub generate_hostname: bool,
    /// Absent: DHCP.
    pub fixed: Option<StaticAddresses>,
}

impl BdeNetwork {
    /// A DHCP network.
    pub fn dhcp(name: &str, port_group: &str) -> Self {
        Self {
            name: name.to_owned(),
            port_group: port_group.to_owned(),
            dns_type: DnsType::Normal,
            generate_hostname: false,
            fixed: None,
        }
    }
}

/// A registered resource pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BdePool {
    /// Registered name.
    pub name: String,
    /// vCenter cluster.
    pub vc_cluster: String,
    /// vCenter pool; empty: the cluster's root pool.
    pub vc_pool: String,
}

/// A registered datastore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BdeDatastore {
    /// Registered name.
    pub name: String,
    /// `SHARED`, `LOCAL`, ...
    pub kind: String,
    /// vCenter names or patterns.
    pub spec: Vec<String>,
    /// Whether `spec` holds regular expressions.
    pub regex: bool,
}

/// A distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distro {
    /// Name.
    pub name: String,
    /// Vendor.
    pub vendor: String,
    /// Version.
    pub version: String,
    /// Whether it knows virtualisation's extra topology.
    pub hve: bool,
    /// Roles.
    pub roles: Vec<String>,
}

/// An application manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppManager {
    /// Name; the built-in one is `Default`.
    pub name: String,
    /// Type.
    pub kind: String,
    /// Free text.
    pub description: String,
    /// URL, empty for the built-in one.
    pub url: String,
    /// User, empty for the built-in one.
    pub username: String,
    /// Version.
    pub version: String,
    /// Distributions.
    pub distros: Vec<Distro>,
}

macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// As the manager spells it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

spelled! {
    /// Status of a cluster.
    BdeStatus {
        /// Create or resume runs.
        Provisioning = "PROVISIONING",
        /// Create failed.
        ProvisionError = "PROVISION_ERROR",
        /// All well.
        Running = "RUNNING",
        /// Some service is unhealthy.
        ServiceWarning = "SERVICE_WARNING",
        /// Services are stopped.
        ServiceStopped = "SERVICE_STOPPED",
        /// Stop runs.
        Stopping = "STOPPING",
        /// VMs are off.
        Stopped = "STOPPED",
        /// Start runs.
        Starting = "STARTING",
        /// Resize runs.
        Updating = "UPDATING",
        /// Shrink, scale or disk fix runs.
        Maintenance = "MAINTENANCE",
        /// Configuration runs.
        Configuring = "CONFIGURING",
        /// Configuration failed.
        ConfigureError = "CONFIGURE_ERROR",
        /// Delete runs.
        Deleting = "DELETING",
        /// Start, stop or delete failed.
        Error = "ERROR",
    }
}

impl BdeStatus {
    /// May be deleted.
    pub const fn is_stable(self) -> bool {
        matches!(
            self,
            Self::ProvisionError
                | Self::Running
                | Self::ServiceWarning
                | Self::ServiceStopped
                | Self::Stopped
                | Self::ConfigureError
                | Self::Error
        )
    }

    /// May be resized, stopped, configured.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::ServiceWarning)
    }
}

spelled! {
    /// Status of a node; shown as its description.
    NodeStatus {
        /// Planned, or removed.
        NotExist = "Not Exist",
        /// Host disconnected.
        Unavailable = "Unavailable",
        /// Off.
        PoweredOff = "Powered Off",
        /// On, no address yet.
        PoweredOn = "Powered On",
        /// On, with an address on every network.
        VmReady = "VM Ready",
        /// Software could not be installed.
        BootstrapFailed = "Bootstrap Failed",
        /// Software runs.
        ServiceReady = "Service Ready",
    }
}

spelled! {
    /// Status of a task.
    BdeTaskStatus {
        /// Accepted.
        Starting = "STARTING",
        /// Running.
        Started = "STARTED",
        /// Ended well.
        Completed = "COMPLETED",
        /// Ended badly.
        Failed = "FAILED",
        /// Given up: the manager was restarted in the middle.
        Abandoned = "ABANDONED",
    }
}

impl BdeTaskStatus {
    /// Whether it has ended.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Abandoned)
    }
}

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

/// A node group as it is asked for, with everything filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupRequest {
    /// Name.
    pub name: String,
    /// Roles.
    pub roles: Vec<String>,
    /// Nodes.
    pub count: u32,
    /// `SMALL`, ...
    pub instance_type: Option<String>,
    /// CPUs.
    pub cpu: Option<u32>,
    /// Memory.
    pub memory_mb: Option<u32>,
    /// Data disks together.
    pub disk_gb: Option<u32>,
    /// `SHARED`, `LOCAL`, `TEMPFS`.
    pub storage: Option<String>,
    /// `off`, `on`, `ft`.
    pub ha: Option<String>,
    /// Pools of its own.
    pub rp_names: Vec<String>,
}

impl GroupRequest {
    /// A group with default sizes.
    pub fn new(name: &str, roles: &[&str], count: u32) -> Self {
        Self {
            name: name.to_owned(),
            roles: roles.iter().map(|r| (*r).to_owned()).collect(),
            count,
            instance_type: None,
            cpu: None,
            memory_mb: None,
            disk_gb: None,
            storage: None,
            ha: None,
            rp_names: Vec::new(),
        }
    }
}

/// A cluster as it is asked for.
#[derive(Debug, Clone, Default)]
pub struct ClusterRequest {
    /// Name.
    pub name: String,
    /// Application manager; `Default` if absent or blank.
    pub app_manager: Option<String>,
    /// Distribution; the manager's default if absent or blank.
    pub distro: Option<String>,
    /// `DEFAULT`, `HDFS`, ...
    pub kind: Option<String>,
    /// Registered networks by traffic type.
    pub networks: BTreeMap<String, Vec<String>>,
    /// Registered pools; all if empty.
    pub rp_names: Vec<String>,
    /// Registered datastores; all if empty.
    pub ds_names: Vec<String>,
    /// Groups; the distribution's template if empty.
    pub groups: Vec<GroupRequest>,
    /// Nodes' root password. Never shown.
    pub password: Option<secrecy::SecretString>,
    /// `topologyPolicy`.
    pub topology: Option<String>,
    /// The request as it came, without the password, for `GET spec`.
    pub raw: serde_json::Value,
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
    /// Counts restarts: a job of an older life is dead.
    pub life: u64,
}

impl Bde {
    /// A cluster's node by the name of its VM.
    pub fn node(&self, cluster: &str, node: &str) -> Option<&BdeNode> {
        self.clusters.get(cluster)?.nodes().find(|n| n.name == node)
    }

    /// The cluster that uses a registered network, if any.
    pub fn user_of_network(&self, name: &str) -> Option<&str> {
        self.clusters.iter().find(|(_, c)| c.networks().iter().any(|n| n == name)).map(|(n, _)| n.as_str())
    }
}
