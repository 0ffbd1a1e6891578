//! What the routes need to know and to have done.

use async_trait::async_trait;
use secrecy::SecretString;

use crate::wire::{
    AppManagerRead, ClusterCreate, ClusterRead, DatastoreRead, DistroRead, ErrorBody, NetworkAdd, NetworkRead,
    ResourcePoolRead, TaskRead,
};

/// Why a call is not answered as it was meant.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// In the service's own form.
    Error(ErrorBody),
    /// By a page, as Tomcat or something in front of it would.
    Page {
        /// Status.
        status: u16,
        /// What its heading says.
        heading: String,
    },
    /// The session is not good any more.
    LoggedOut,
    /// The connection breaks before the answer is complete.
    Broken,
}

impl From<ErrorBody> for Refusal {
    fn from(body: ErrorBody) -> Self {
        Self::Error(body)
    }
}

/// What a call comes to.
pub type Outcome<T> = Result<T, Refusal>;

/// Why a login is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginRefusal {
    /// Name or password are wrong.
    Credentials,
    /// Whoever should check them cannot be reached; says so.
    Unreachable(String),
}

/// A change of a cluster's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Power on, start services.
    Start,
    /// Stop services, power off.
    Stop,
    /// Take up a failed create.
    Resume,
}

/// What stands behind the routes.
///
/// Names and required fields have been checked when a call arrives here; whether the named things
/// exist has not. Look-ups of one thing among few have defaults that go by the lists.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Somebody who is logged in.
    type User: Clone + Send + Sync + 'static;

    /// Checks a name and password. An empty name makes the password a session of vCenter.
    async fn log_in(&self, name: &str, password: &SecretString) -> Result<Self::User, LoginRefusal>;

    /// Whether somebody's login still holds; asked at each call.
    fn is_valid(&self, _user: &Self::User) -> bool {
        true
    }

    /// Whether only reads are taken.
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

    /// A cluster as it was asked for.
    async fn cluster_spec(&self, user: &Self::User, name: &str) -> Outcome<ClusterCreate>;

    /// Starts a create; its task.
    async fn create_cluster(&self, user: &Self::User, cluster: ClusterCreate) -> Outcome<i64>;

    /// Starts a change of state; its task. `force` goes on with the nodes that came up.
    async fn change_cluster(&self, user: &Self::User, name: &str, change: Change, force: bool) -> Outcome<i64>;

    /// Starts a delete; its task.
    async fn delete_cluster(&self, user: &Self::User, name: &str) -> Outcome<i64>;

    /// The newest task of each cluster.
    async fn tasks(&self, user: &Self::User) -> Outcome<Vec<TaskRead>>;

    /// A task.
    async fn task(&self, user: &Self::User, id: i64) -> Outcome<TaskRead>;
}
