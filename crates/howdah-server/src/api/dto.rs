//! What goes over the wire of the native API. Invariant: nothing here can hold a secret on its
//! way out; on its way in a secret is a [`SecretString`] from the first moment. A field may be
//! added, never renamed: clients of other versions read this. A word that may get company in a later
//! version (a status, what a condition is about) is a plain string here, so that a client can show it.

use std::collections::BTreeMap;

use howdah_core::condition::ConditionStatus;
use howdah_core::event::Level;
use howdah_core::known::OperationState;
use howdah_core::specification::Specification;
use howdah_core::stage::Stage;
use howdah_core::wanted::{OperationKind, RemedyPolicy, WaitFor};
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A cluster as it is wanted: the body of `PUT /v1/clusters/{id}`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterBody {
    /// Letters, digits and `_`; unique in the site.
    #[schema(example = "hadoop_1")]
    pub name: String,
    /// The distribution, as the cluster manager names it.
    #[schema(example = "apache")]
    pub cluster_type: String,
    /// Network, by name or id.
    pub network: String,
    /// Subnet, by name or id.
    pub subnet: String,
    /// Security groups, by name or id; none is the project's default.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub security_groups: Vec<String>,
    /// The site; absent: the one that the host names below belong to, or the default.
    #[serde(default)]
    pub site: Option<String>,
    /// Host name of the site's BDE: chooses the site, is never contacted as such.
    #[serde(default)]
    pub bde_endpoint: Option<String>,
    /// Host name of the site's vCenter: chooses the site, is never contacted as such.
    #[serde(default)]
    pub vcm_server: Option<String>,
    /// The nodes' root password.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>, format = Password)]
    pub cluster_password: Option<SecretString>,
    /// BDE user; used only where the operator allows it.
    #[serde(default)]
    pub username: Option<String>,
    /// BDE password; used only where the operator allows it.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>, format = Password)]
    pub password: Option<SecretString>,
    /// Registered resource pools; all if absent.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub resource_pools: Option<Vec<String>>,
    /// Registered datastores; all if absent.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub datastores: Option<Vec<String>>,
    /// Node groups; the distribution's default if absent.
    #[serde(default)]
    #[schema(max_items = 20)]
    pub node_groups: Option<Vec<NodeGroupBody>>,
    /// Application manager; the cluster manager's default if absent.
    #[serde(default)]
    pub app_manager: Option<String>,
    /// What may be done to a node that missed its lease.
    #[serde(default)]
    #[schema(value_type = Option<RemedyWord>)]
    pub remedy: Option<RemedyPolicy>,
    /// When the create counts as done.
    #[serde(default)]
    #[schema(value_type = Option<WaitForWord>)]
    pub wait_for: Option<WaitFor>,
    /// Further fields of the cluster manager's own specification: sizes, roles, disks, placement and
    /// the services' configuration; others where the operator allows them. Kept as a secret.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub specification: Option<Specification>,
    /// A file of the 2015 plugin on the service's host; read only where the operator allows it.
    #[serde(default)]
    pub vio_config: Option<String>,
    /// A file of the 2015 plugin on the service's host; read only where the operator allows it.
    #[serde(default)]
    pub bde_config: Option<String>,
    /// What the cluster shall be.
    #[serde(default)]
    pub state: StateWord,
}

/// A node group of a [`ClusterBody`].
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeGroupBody {
    /// Letters and digits.
    pub name: String,
    /// Roles, as the distribution names them.
    #[schema(max_items = 20)]
    pub roles: Vec<String>,
    /// How many nodes.
    #[schema(minimum = 1)]
    pub count: u32,
    /// CPUs of a node.
    #[serde(default)]
    pub cpu: Option<u32>,
    /// Memory of a node, in MiB.
    #[serde(default)]
    pub memory_mb: Option<u32>,
    /// Data disks of a node together, in GiB.
    #[serde(default)]
    pub disk_gb: Option<u32>,
}

/// The body of `PUT /v1/clusters/{id}/state`.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StateBody {
    /// What the cluster shall be.
    pub state: StateWord,
}

/// What a cluster can be asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateWord {
    /// Up.
    #[default]
    Running,
    /// Switched off.
    Stopped,
}

/// What a cluster shall be, deletion included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WantedWord {
    /// Up.
    Running,
    /// Switched off.
    Stopped,
    /// Gone.
    Deleted,
}

/// A cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cluster {
    /// Chosen by whoever asked for it.
    pub id: Uuid,
    /// Where it lives.
    pub site: String,
    /// The Keystone project it belongs to.
    pub project: String,
    /// Unique in the site.
    pub name: String,
    /// The distribution.
    pub cluster_type: String,
    /// What it shall be.
    pub wanted: WantedWord,
    /// What it is, in one word.
    #[schema(value_type = StatusWord)]
    pub status: String,
    /// The same in a sentence.
    pub status_reason: String,
    /// What is true of the cluster as a whole.
    #[serde(default)]
    pub conditions: Vec<ClusterCondition>,
    /// Of the operation, 0.0 to 1.0.
    pub progress: f64,
    /// Its network.
    pub network: Named,
    /// Its subnet.
    pub subnet: SubnetView,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// How many nodes it has, as far as that is known.
    pub node_count: usize,
    /// How many nodes are at each stage of their boot.
    pub stages: Stages,
    /// The newest operation.
    pub operation: Operation,
    /// Its nodes, by group and number.
    pub nodes: Vec<Node>,
    /// Addresses by node group.
    pub addresses: BTreeMap<String, Vec<String>>,
    /// The address of the node that clients of the cluster talk to, where one can be told.
    pub master_address: Option<String>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
}

/// An id with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Named {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubnetView {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// `10.0.0.0/24`.
    pub cidr: String,
}

/// Nodes by stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Stages {
    /// Planned; there is no VM yet.
    pub planned: usize,
    /// The VM exists and is off.
    pub cloned: usize,
    /// The VM is on and its user space has not reported.
    pub booting: usize,
    /// User space is up, without a usable address.
    pub no_address: usize,
    /// It has the address that its port promises.
    pub addressed: usize,
}

/// One request in progress, or ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    /// Chosen by the service.
    pub id: Uuid,
    /// What it does.
    #[schema(value_type = OperationWord)]
    pub kind: OperationKind,
    /// Where it is.
    #[schema(value_type = OperationStateWord)]
    pub state: OperationState,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub requested: Timestamp,
    /// When work on it began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Reason>,
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// A code that does not change.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// `<cluster>-<group>-<index>`.
    pub name: String,
    /// Its group.
    pub group: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// Where it is in its boot.
    #[schema(value_type = StageWord)]
    pub stage: Stage,
    /// The address that it has.
    pub address: Option<String>,
    /// Its card's address on the wire.
    pub mac: Option<String>,
    /// Its card's Neutron port.
    pub port_id: Option<String>,
    /// Its VM in vCenter.
    pub vm_id: Option<String>,
    /// Its VM's instance UUID.
    pub instance_uuid: Option<Uuid>,
    /// What the cluster manager says of it.
    pub manager_says: String,
    /// What is true of it.
    pub conditions: Vec<Condition>,
}

/// Something that is true of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    #[schema(value_type = ConditionTypeWord)]
    pub kind: String,
    /// Yes, no, or not known.
    #[schema(value_type = ConditionStatusWord)]
    pub status: ConditionStatus,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Since when it has this status.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// Something that is true of a cluster as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClusterCondition {
    /// What it is about.
    #[serde(rename = "type")]
    #[schema(value_type = ClusterConditionTypeWord)]
    pub kind: String,
    /// Yes, no, or not known.
    #[schema(value_type = ConditionStatusWord)]
    pub status: ConditionStatus,
    /// One word, or the code of an error.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Since when it has this status.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// Something that happened to a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number in the cluster, from 1.
    pub id: u64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How grave.
    #[schema(value_type = LevelWord)]
    pub level: Level,
    /// A stable word.
    pub reason: String,
    /// The node it happened to.
    pub node: Option<String>,
    /// A sentence.
    pub message: String,
}

/// The answer to a write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Accepted {
    /// The cluster as it is now.
    pub cluster: Cluster,
    /// The operation that fulfils the request.
    pub operation: Operation,
    /// Allows reading this one cluster and its events, in the header `X-Howdah-Capability`, for
    /// as long as the cluster exists and some days after; no token is needed with it.
    pub capability: String,
}

/// All clusters that the requester may see.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Clusters {
    /// By time of creation.
    pub clusters: Vec<Cluster>,
    /// Those whose stored documents cannot be read; left out if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<UnreadableCluster>,
}

/// A cluster whose stored documents cannot be read: a newer version wrote them, or they are damaged.
/// Nothing is done about it, and nothing can be asked of it (409 `cluster_unreadable`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnreadableCluster {
    /// Chosen by whoever asked for it.
    pub id: Uuid,
    /// Where it lives.
    pub site: String,
    /// The Keystone project it belongs to.
    pub project: String,
    /// Unique in the site.
    pub name: String,
    /// Always `unreadable`.
    #[schema(value_type = UnreadableWord)]
    pub status: String,
    /// What was found in place of a document.
    pub status_reason: String,
}

/// Events of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Events {
    /// Oldest first; at most 1000, ask again after the last one's id.
    pub events: Vec<Event>,
}

/// A site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Site {
    /// As the operator named it.
    pub name: String,
    /// Whether it is taken where none is named.
    pub default: bool,
    /// How its OpenStack implements networks.
    pub network_backend: String,
    /// Host name of its BDE.
    pub bde: String,
    /// Host name of its vCenter.
    pub vcenter: String,
    /// What each of its systems said last.
    pub systems: Vec<SystemHealth>,
}

/// What is known of a remote system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SystemHealth {
    /// `bde`, `vcenter`, `neutron` or `keystone`.
    pub system: String,
    /// `ok`, `failing`, or `unknown` before the first call.
    pub health: String,
    /// The code of the last failure.
    pub code: Option<String>,
    /// When that was seen.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
}

/// All sites.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SiteList {
    /// In the order of the configuration.
    pub sites: Vec<Site>,
}

/// An error answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorView,
}

/// An error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorView {
    /// A code that does not change.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Further facts, by name.
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// A string that goes into a [`SecretString`]. Anything else is refused without being quoted, as
/// serde would do.
fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    match serde_json::Value::deserialize(from)? {
        serde_json::Value::Null => Ok(None),
        serde_json::Value::String(text) => Ok(Some(SecretString::from(text))),
        _ => Err(serde::de::Error::custom("a password must be a string")),
    }
}

/// The core's words, once more for the API document alone: the core knows nothing of OpenAPI.
/// A test compares them with what the core writes.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($word:literal = $variant:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(ToSchema)]
        #[allow(dead_code, missing_docs, reason = "only its schema is used")]
        pub enum $name { $(#[schema(rename = $word)] $variant),* }

        impl $name {
            /// The words.
            pub const WORDS: &'static [&'static str] = &[$($word),*];
        }
    )*};
}

words! {
    /// A cluster's status.
    StatusWord {
        "pending" = Pending, "creating" = Creating, "running" = Running, "stopping" = Stopping,
        "stopped" = Stopped, "starting" = Starting, "deleting" = Deleting, "degraded" = Degraded, "gone" = Gone,
        "error" = Error,
    }
    /// The status of a cluster that cannot be read.
    UnreadableWord { "unreadable" = Unreadable }
    /// What an operation does.
    OperationWord { "create" = Create, "start" = Start, "stop" = Stop, "delete" = Delete }
    /// Where an operation is.
    OperationStateWord { "running" = Running, "succeeded" = Succeeded, "failed" = Failed }
    /// Where a node is in its boot.
    StageWord {
        "planned" = Planned, "cloned" = Cloned, "booting" = Booting, "no_address" = NoAddress,
        "addressed" = Addressed,
    }
    /// How grave an event is.
    LevelWord { "info" = Info, "warning" = Warning, "error" = Error }
    /// What a condition of a node is about.
    ConditionTypeWord {
        "VmExists" = VmExists, "PortReady" = PortReady, "Attached" = Attached, "Addressed" = Addressed,
    }
    /// What a condition of a cluster is about.
    ClusterConditionTypeWord {
        "Owned" = Owned, "BdeReachable" = BdeReachable, "VcenterReachable" = VcenterReachable,
        "NeutronReachable" = NeutronReachable, "BdeReady" = BdeReady, "PortsReady" = PortsReady,
        "SecretsReadable" = SecretsReadable,
    }
    /// Yes, no, or not known.
    ConditionStatusWord { "True" = True, "False" = False, "Unknown" = Unknown }
    /// What may be done to a node that missed its lease.
    RemedyWord { "auto" = Auto, "bounce" = Bounce, "off" = Off }
    /// When a create counts as done.
    WaitForWord { "addresses" = Addresses, "services" = Services }
}
