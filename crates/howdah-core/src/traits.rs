//! The traits through which the outside world comes in. One adapter crate implements each; the
//! simulated site implements all of them.
//!
//! Contract for every implementation: a call has a deadline and ends; it is repeated inside only
//! where a repeat is safe; an error says in its [`kind`](crate::failure::ErrorKind) whether the
//! call may have taken effect. Nothing here is called twice for the same effect without a
//! look-up in between: that is the caller's part.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;
use secrecy::SecretString;
use uuid::Uuid;

use crate::cluster::{ClusterRecord, ClusterState, Event, OperationRequest, Registration, Secrets, Wanted};
use crate::document::Row;
use crate::facts::{
    Catalog, Demand, ManagedChange, ManagedCluster, ManagedSpec, ManagedTask, Network, NetworkingFeatures, Port,
    PortChange, PortQuery, PortRequest, Principal, Quota, RegisteredNetwork, Segment, Subnet, Unregistered, VmFacts,
    WatchEvent,
};
use crate::failure::RemoteError;
use crate::ids::{
    ClusterId, ClusterKey, ClusterName, NetworkId, OperationId, PortId, ProjectId, SecurityGroupId, SiteName, SubnetId,
    TaskId, VmRef,
};
use crate::rights::Standing;
use crate::time::Mono;

/// The result of a remote call.
pub type Remote<T> = Result<T, RemoteError>;

/// Who makes the VMs: BDE.
#[async_trait]
pub trait ClusterManager: Send + Sync {
    /// The manager's version as it says itself; for people and for the log.
    async fn version(&self) -> Remote<String>;

    /// What can be asked for, of this application manager or of the manager's default. One that there
    /// is not is missing in the catalogue, and has no distributions.
    async fn catalog(&self, app_manager: Option<&str>) -> Remote<Catalog>;

    /// What the request for this cluster claims: the checks before a create look at it. Asks nobody.
    /// `Invalid` if the site takes no such request.
    fn demand(&self, spec: &ManagedSpec) -> Remote<Demand>;

    /// All registered networks.
    async fn networks(&self) -> Remote<Vec<RegisteredNetwork>>;

    /// Registers a network. `Conflict` if the name is taken.
    async fn register_network(&self, network: &RegisteredNetwork) -> Remote<()>;

    /// Removes a registration.
    async fn unregister_network(&self, name: &str) -> Remote<Unregistered>;

    /// A cluster and its nodes; `None` if there is none of that name.
    async fn cluster(&self, name: &ClusterName) -> Remote<Option<ManagedCluster>>;

    /// Starts a create. `Conflict` if the name is taken.
    async fn create_cluster(&self, spec: &ManagedSpec) -> Remote<TaskId>;

    /// Starts a start, stop or resume.
    async fn change_cluster(&self, name: &ClusterName, change: ManagedChange) -> Remote<TaskId>;

    /// Starts a delete; `None` if there is nothing to delete.
    async fn delete_cluster(&self, name: &ClusterName) -> Remote<Option<TaskId>>;

    /// A task; `None` if the manager does not know it.
    async fn task(&self, task: &TaskId) -> Remote<Option<ManagedTask>>;

    /// The newest task of each cluster that is there, whoever asked for it.
    async fn tasks(&self) -> Remote<Vec<ManagedTask>>;
}

/// vCenter Server.
#[async_trait]
pub trait VCenter: Send + Sync {
    /// Product and version; for people and for the log.
    async fn version(&self) -> Remote<String>;

    /// The port groups and opaque networks of every datacenter.
    async fn segments(&self) -> Remote<Vec<Segment>>;

    /// These VMs as they are now; those that are gone are left out.
    async fn vms(&self, vms: &[VmRef]) -> Remote<Vec<VmFacts>>;

    /// Follows the VMs in the folder of this cluster, from before the folder exists until the
    /// stream is dropped. Lost connections are healed inside and told as
    /// [`WatchEvent::Reset`]; an `Err` item reports one that is not healed yet.
    async fn watch(&self, cluster: &ClusterName) -> Remote<BoxStream<'static, Remote<WatchEvent>>>;

    /// Powers a VM on; fine if it is on.
    async fn power_on(&self, vm: &VmRef) -> Remote<()>;

    /// Powers a VM off, hard; fine if it is off.
    async fn power_off(&self, vm: &VmRef) -> Remote<()>;

    /// Resets a VM, hard.
    async fn reset(&self, vm: &VmRef) -> Remote<()>;

    /// Sets a card's NSX-T attachment, leaving everything else of it as it is.
    async fn set_external_id(&self, vm: &VmRef, nic_key: i32, port: &PortId) -> Remote<()>;
}

/// OpenStack Networking, with the service's own credentials.
#[async_trait]
pub trait Networking: Send + Sync {
    /// Optional features.
    async fn features(&self) -> Remote<NetworkingFeatures>;

    /// A network by id.
    async fn network(&self, id: &NetworkId) -> Remote<Option<Network>>;

    /// A subnet by id, with its use.
    async fn subnet(&self, id: &SubnetId) -> Remote<Option<Subnet>>;

    /// Port quota of a project; `None` if the service may not see it.
    async fn port_quota(&self, project: &ProjectId) -> Remote<Option<Quota>>;

    /// Ports that fit.
    async fn ports(&self, query: &PortQuery) -> Remote<Vec<Port>>;

    /// Makes all of them or none. `Conflict` if a MAC is in use. The MACs must differ: Neutron
    /// takes a minute and a half to refuse a request that names one twice.
    async fn create_ports(&self, requests: &[PortRequest]) -> Remote<Vec<Port>>;

    /// Changes a port.
    async fn update_port(&self, id: &PortId, change: &PortChange) -> Remote<Port>;

    /// Sets NSX-v's card index and reads it back: what comes back is what Neutron holds then.
    async fn set_vnic_index(&self, id: &PortId, index: u32) -> Remote<Option<u32>>;

    /// Deletes a port; fine if it is gone.
    async fn delete_port(&self, id: &PortId) -> Remote<()>;
}

/// What a requester asked to use, as ids or names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkWish {
    /// Network, by name or id.
    pub network: String,
    /// Subnet, by name or id.
    pub subnet: String,
    /// Security groups, by name or id.
    pub security_groups: Vec<String>,
}

/// The same, found with the requester's own rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkGrant {
    /// Network.
    pub network: Network,
    /// Subnet.
    pub subnet: Subnet,
    /// Security groups.
    pub security_groups: Vec<SecurityGroupId>,
}

/// The code of an error that says that a requester's token is not good.
pub const TOKEN_REFUSED: &str = "token_refused";

/// OpenStack Identity, and the requester's view of Networking.
#[async_trait]
pub trait Identity: Send + Sync {
    /// Verifies a token. `Credentials` with [`TOKEN_REFUSED`] if it is not good; with any other
    /// code it is the service's own credentials that were refused.
    async fn authenticate(&self, token: &SecretString) -> Remote<Principal>;

    /// The same, asked anew: what is remembered of a question of before does not count.
    async fn authenticate_anew(&self, token: &SecretString) -> Remote<Principal>;

    /// Whether a user still has the right to write in a project, asked with the service's own
    /// credentials. That these may not ask is [`Standing::Hidden`] and no error.
    async fn still_may(&self, user: &str, project: &ProjectId) -> Remote<Standing>;

    /// Whom [`authenticate`](Self::authenticate) found a moment ago, as far as the adapter believes that
    /// without asking again. Asks nobody.
    fn recall(&self, token: &SecretString) -> Option<Principal>;

    /// Whether the service's own login is good, asked now: what the health of Keystone is told by.
    async fn own_login(&self) -> Remote<()>;

    /// Finds what was asked for with the requester's token, so that nobody gets the use of a
    /// network, subnet or group that they may not see. `NotFound` names what was not found.
    /// Without a token (a local user, who is the operator) the service's own rights count.
    async fn grant(&self, token: Option<&SecretString>, wish: &NetworkWish) -> Remote<NetworkGrant>;
}

/// What is remembered of a cluster, be it there or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// What it is kept under.
    pub key: ClusterKey,
    /// Where it lives, or lived.
    pub site: SiteName,
    /// Whether it was removed.
    pub removed: bool,
}

/// The database. Every change is one transaction: it happens as a whole or not at all.
#[async_trait]
pub trait Store: Send + Sync {
    /// Adds a cluster with its first operation, its secrets and its first events. `Conflict` (code
    /// `cluster_id_taken` or `cluster_name_taken`) if the id in its project is taken, or another
    /// cluster of its site holds the name (see [`crate::naming`]).
    async fn insert(&self, record: &ClusterRecord, secrets: &Secrets, events: &[Event]) -> Remote<()>;

    /// One cluster; `None` if it never was or has been removed.
    async fn load(&self, key: &ClusterKey) -> Remote<Option<Row>>;

    /// What one cluster is wanted to be; `None` if it never was or has been removed. `Invalid`
    /// (code `cluster_unreadable`) if its record cannot be read.
    async fn wanted(&self, key: &ClusterKey) -> Remote<Option<ClusterRecord>>;

    /// The clusters of this id, in whichever projects.
    async fn find(&self, id: &ClusterId) -> Remote<Vec<ClusterKey>>;

    /// The same with those that were removed and are still remembered.
    async fn traces(&self, id: &ClusterId) -> Remote<Vec<Trace>>;

    /// All clusters, or those of a project, by creation time.
    async fn list(&self, project: Option<&ProjectId>) -> Remote<Vec<Row>>;

    /// Writes down a new wanted state and the operation that asks for it. `Conflict` (code
    /// `cluster_changed`) if the newest operation is not `seen` any more: somebody else was faster.
    /// Where the name was freed it is taken again if the cluster is wanted running; `Conflict` (code
    /// `cluster_name_taken`) if another cluster holds it by then.
    async fn want(
        &self,
        key: &ClusterKey,
        seen: &OperationId,
        wanted: Wanted,
        operation: &OperationRequest,
    ) -> Remote<()>;

    /// Writes down what the controller knows, and the events of it. A name that the state does not
    /// hold any more is free from then on.
    async fn save(&self, key: &ClusterKey, state: &ClusterState, events: &[Event]) -> Remote<()>;

    /// Adds events without touching the state, which belongs to the controller: for the API.
    async fn add_events(&self, key: &ClusterKey, events: &[Event]) -> Remote<()>;

    /// Removes a cluster and its secrets; fine if it is gone. Its events stay readable for a while.
    async fn remove(&self, key: &ClusterKey, events: &[Event]) -> Remote<()>;

    /// The secrets of a cluster; `Unavailable` (code `secrets_unreadable`) if there are some that
    /// the key file does not open: that may pass when the operator puts the right one back.
    async fn secrets(&self, key: &ClusterKey) -> Remote<Secrets>;

    /// Forgets the secrets of a cluster; fine if there are none.
    async fn forget_secrets(&self, key: &ClusterKey) -> Remote<()>;

    /// Events with a larger number than `after`, oldest first, at most `limit`, with their numbers.
    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Remote<Vec<(u64, Event)>>;

    /// Network registrations in a site's cluster manager that we made, or are about to make.
    async fn registrations(&self, site: &SiteName) -> Remote<Vec<Registration>>;

    /// Writes a registration down, in place of the one of its name.
    async fn save_registration(&self, site: &SiteName, registration: &Registration) -> Remote<()>;

    /// Forgets a registration; fine if it is not there.
    async fn remove_registration(&self, site: &SiteName, name: &str) -> Remote<()>;

    /// Remembers the hash of a read capability for a cluster, for as long as the cluster is remembered
    /// itself; fine if it is known. Also for one that was removed in the meantime: its end can be read.
    async fn put_capability(&self, key: &ClusterKey, hash: &[u8; 32]) -> Remote<()>;

    /// The cluster of this id that the hash is a capability of. Capabilities outlive the cluster
    /// for as long as its events do, so that a delete can be followed to its end.
    async fn by_capability(&self, id: &ClusterId, hash: &[u8; 32]) -> Remote<Option<ClusterKey>>;

    /// Writes something that nobody reads: whether a change could be kept now.
    async fn try_write(&self) -> Remote<()>;
}

/// Time. Production uses the system's clock, tests a virtual one, the demo a fast one.
pub trait Clock: Send + Sync {
    /// Now by the wall clock, which may be stepped: for people, and for comparison with other
    /// systems' own dates.
    fn now(&self) -> Timestamp;

    /// Now by a clock that only goes forward: for ages, pauses and patience.
    fn mono(&self) -> Mono;

    /// Ends after this much of the clock's time.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Randomness. Production uses the system's, tests a seeded one.
pub trait Entropy: Send + Sync {
    /// A version 4 UUID.
    fn uuid(&self) -> Uuid;

    /// From 0.0 up to, not including, 1.0: for jitter.
    fn fraction(&self) -> f64;
}
