//! The backend trait of the routes.

use async_trait::async_trait;
use secrecy::SecretString;

use crate::wire::{
    AppManagerRead, ClusterCreate, ClusterRead, DatastoreRead, DistroRead, ErrorBody, NetworkAdd, NetworkRead,
    ResourcePoolRead, TaskRead,
};

/// Why a call fails.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// With the service's error body.
    Error(ErrorBody),
    /// With an HTML page, like Tomcat or a proxy.
    Page {
        /// Status.
        status: u16,
        /// Its heading.
        heading: String,
    },
    /// The session has expired.
    LoggedOut,
    /// The connection breaks before the answer is complete.
    Broken,
}

impl From<ErrorBody> for Refusal {
    fn from(body: ErrorBody) -> Self {
        Self::Error(body)
    }
}

/// The result of a call.
pub type Outcome<T> = Result<T, Refusal>;

/// Why a login is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginRefusal {
    /// The name or password is wrong.
    Credentials,
    /// The system that verifies them cannot be reached; the message.
    Unreachable(String),
}

/// A change of a cluster's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Power on, start services.
    Start,
    /// Stop services, power off.
    Stop,
    /// Resume a failed create.
    Resume,
}

/// The backend of the routes.
///
/// The routes have checked names and required fields, but not whether the named objects exist. Lookups of
/// one object have defaults that use the lists.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// A logged-in user.
    type User: Clone + Send + Sync + 'static;

    /// Checks a name and password. An empty name makes the password a session of vCenter.
    async fn log_in(&self, name: &str, password: &SecretString) -> Result<Self::User, LoginRefusal>;

    /// Whether a user's login is still valid; checked at each call.
    fn is_valid(&self, _user: &Self::User) -> bool {
        true
    }

    /// Whether only reads are accepted.
    fn in_maintenance(&self) -> bool {
        false
    }

    /// Why writes cannot be served, if initialisation failed.
    fn not_initialised(&self) -> Option<String> {
        None
    }

    /// All networks.
    async fn networks(&self, user: &Self::User) -> Outcome<Vec<NetworkRead>>;

    /// Registers a network.
    async fn add_network(&self, user: &Self::User, network: NetworkAdd) -> Outcome<()>;

    /// Removes a network's registration.
    async fn remove_network(&self, user: &Self::User, name: &str) -> Outcome<()>;

    /// All resource pools.
    async fn resource_pools(&self, user: &Self::User) -> Outcome<Vec<ResourcePoolRead>>;

    /// All datastores.
    async fn datastores(&self, user: &Self::User) -> Outcome<Vec<DatastoreRead>>;

    /// All application managers.
    async fn app_managers(&self, user: &Self::User) -> Outcome<Vec<AppManagerRead>>;

    /// The distributions of an application manager, which exists.
    async fn distros(&self, user: &Self::User, app_manager: &str) -> Outcome<Vec<DistroRead>>;

    /// An application manager's default: the first of vendor BIGTOP, if there is one.
    async fn default_distro(&self, user: &Self::User, app_manager: &str) -> Outcome<Option<DistroRead>> {
        let distros = self.distros(user, app_manager).await?;
        Ok(distros.into_iter().find(|d| d.vendor.as_deref() == Some("BIGTOP")))
    }

    /// All clusters, with their nodes if `details`.
    async fn clusters(&self, user: &Self::User, details: bool) -> Outcome<Vec<ClusterRead>>;

    /// A cluster, with its nodes if `details`.
    async fn cluster(&self, user: &Self::User, name: &str, details: bool) -> Outcome<ClusterRead>;

    /// The request of a cluster.
    async fn cluster_spec(&self, user: &Self::User, name: &str) -> Outcome<ClusterCreate>;

    /// Starts a create; its task.
    async fn create_cluster(&self, user: &Self::User, cluster: ClusterCreate) -> Outcome<i64>;

    /// Starts a change of state; its task. `force` continues with the nodes that started.
    async fn change_cluster(&self, user: &Self::User, name: &str, change: Change, force: bool) -> Outcome<i64>;

    /// Starts a delete; its task.
    async fn delete_cluster(&self, user: &Self::User, name: &str) -> Outcome<i64>;

    /// The newest task of each cluster.
    async fn tasks(&self, user: &Self::User) -> Outcome<Vec<TaskRead>>;

    /// A task.
    async fn task(&self, user: &Self::User, id: i64) -> Outcome<TaskRead>;
}
