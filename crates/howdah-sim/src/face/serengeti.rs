//! The Serengeti REST API over HTTP, in front of the simulated world: the routes of
//! `howdah-serengeti`, as strict as the site's release.
//!
//! Calls are counted, delayed and failed under the names of `howdah_core`'s `ClusterManager`
//! methods where there is one, so that a fault rule means the same through either face.

pub(crate) mod show;
pub(crate) mod take;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use howdah_core::failure::{ErrorKind, System};
use howdah_serengeti::Release;
use howdah_serengeti::routes::{Backend, Change, LoginRefusal, Outcome, Refusal, ServerProfile};
use howdah_serengeti::wire::{
    AppManagerRead, ClusterCreate, ClusterRead, DatastoreRead, DistroRead, ErrorBody, NetworkAdd, NetworkRead,
    ResourcePoolRead, TaskRead, code,
};
use secrecy::{ExposeSecret, SecretString};

use crate::World;
use crate::world::bde::{Bde, ClusterAction};
use crate::world::bde_error::BdeError;
use crate::world::state::State;
use crate::world::trip::Arrival;

/// The routes, for clients that come without TLS.
pub fn router(world: World) -> Router {
    serve(world, false)
}

/// The routes, for clients that come by TLS.
pub fn secure_router(world: World) -> Router {
    serve(world, true)
}

fn serve(world: World, secure: bool) -> Router {
    let version = world.read(|s| s.bde.version.clone());
    let release = version.parse().unwrap_or_else(|_| Release::from_hello(Some(&version)));
    let profile = ServerProfile { secure, ..ServerProfile::appliance(release) };
    howdah_serengeti::routes::router(Arc::new(Face(world)), profile)
}

struct Face(World);

/// A logged-in user. A restart of the appliance ends all sessions.
#[derive(Clone)]
struct Session {
    life: u64,
}

impl Face {
    /// Carries a call as the fault rules say, and does its work.
    async fn call<T: Send + 'static>(
        &self,
        method: &str,
        object: &str,
        work: impl FnOnce(&World) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        match self.0.depart(System::Bde, method, object).carry(|world| async move { work(&world) }).await {
            Arrival::Answered(outcome) => outcome,
            Arrival::Refused(kind) => Err(injected(kind)),
            Arrival::Lost => Err(Refusal::Broken),
        }
    }

    /// The same, for a look at the tables.
    async fn look<T: Send + 'static>(
        &self,
        method: &str,
        object: &str,
        look: impl FnOnce(&Bde) -> T + Send + 'static,
    ) -> Outcome<T> {
        self.call(method, object, |world| Ok(world.read(|s| look(&s.bde)))).await
    }
}

/// An injected fault, as an appliance or something in front of it would show it.
fn injected(kind: ErrorKind) -> Refusal {
    let page = |status| Refusal::Page { status, heading: "A fault was injected here".to_owned() };
    let error = |code| Refusal::from(ErrorBody::new(code, "A fault was injected here."));
    match kind {
        ErrorKind::Unreachable | ErrorKind::NoAnswer | ErrorKind::Certificate => Refusal::Broken,
        ErrorKind::Credentials => Refusal::LoggedOut,
        ErrorKind::Forbidden => page(403),
        ErrorKind::BadAnswer => page(200),
        ErrorKind::NotFound => error(code::NOT_FOUND),
        ErrorKind::Conflict => error(code::ALREADY_EXISTS),
        ErrorKind::Invalid => error(code::INVALID_PARAMETER),
        ErrorKind::Exhausted => error("NETWORK.OUT_OF_IP_ADDR"),
        ErrorKind::Unavailable => error("TASK.EXECUTOR_OVERLOADED"),
        ErrorKind::Internal => error(code::INTERNAL_ERROR),
    }
}

fn refused(error: BdeError) -> Refusal {
    ErrorBody::new(error.code(), error.to_string()).into()
}

#[async_trait]
impl Backend for Face {
    type User = Session;

    async fn log_in(&self, name: &str, password: &SecretString) -> Result<Session, LoginRefusal> {
        // BDE has no accounts of its own.
        let check = |s: &mut State| {
            let session = Session { life: s.bde.life };
            s.signs_on(name, password.expose_secret()).then_some(session).ok_or(LoginRefusal::Credentials)
        };
        match self.0.depart(System::Bde, "login", name).attend(async { self.0.write(check) }).await {
            Arrival::Answered(outcome) => outcome,
            Arrival::Refused(ErrorKind::Credentials) => Err(LoginRefusal::Credentials),
            Arrival::Refused(_) | Arrival::Lost => {
                Err(LoginRefusal::Unreachable("a fault was injected here".to_owned()))
            }
        }
    }

    fn is_valid(&self, session: &Session) -> bool {
        self.0.read(|s| s.bde.life == session.life)
    }

    fn in_maintenance(&self) -> bool {
        self.0.read(|s| s.bde.maintenance)
    }

    async fn networks(&self, _: &Session) -> Outcome<Vec<NetworkRead>> {
        self.look("networks", "", |bde| bde.networks.values().map(show::network).collect()).await
    }

    async fn add_network(&self, _: &Session, network: NetworkAdd) -> Outcome<()> {
        let network = take::network(network);
        let name = network.name.clone();
        self.call("register_network", &name, move |world| world.bde_add_network(network).map_err(refused)).await
    }

    async fn remove_network(&self, _: &Session, name: &str) -> Outcome<()> {
        let target = name.to_owned();
        self.call("unregister_network", name, move |world| world.bde_remove_network(&target).map_err(refused)).await
    }

    async fn resource_pools(&self, _: &Session) -> Outcome<Vec<ResourcePoolRead>> {
        self.look("resource_pools", "", show::pools).await
    }

    async fn datastores(&self, _: &Session) -> Outcome<Vec<DatastoreRead>> {
        self.look("datastores", "", |bde| bde.datastores.values().map(show::datastore).collect()).await
    }

    async fn app_managers(&self, _: &Session) -> Outcome<Vec<AppManagerRead>> {
        // A part of several calls, but not a call of its own: not counted.
        Ok(self.0.read(|s| s.bde.managers.values().map(|m| show::manager(&s.bde, m)).collect()))
    }

    async fn distros(&self, _: &Session, manager: &str) -> Outcome<Vec<DistroRead>> {
        let wanted = manager.to_owned();
        self.look("distros", manager, move |bde| {
            let distros = bde.managers.get(&wanted).map(|m| m.distros.as_slice());
            distros.unwrap_or_default().iter().map(show::distro).collect()
        })
        .await
    }

    async fn clusters(&self, _: &Session, _: bool) -> Outcome<Vec<ClusterRead>> {
        self.look("clusters", "", |bde| bde.clusters.values().map(|c| show::cluster(bde, c)).collect()).await
    }

    async fn cluster(&self, _: &Session, name: &str, _: bool) -> Outcome<ClusterRead> {
        let wanted = name.to_owned();
        let look = move |bde: &Bde| bde.clusters.get(&wanted).map(|c| show::cluster(bde, c));
        let found = self.look("cluster", name, look).await?;
        found.ok_or_else(|| ErrorBody::not_found("Cluster", name).into())
    }

    async fn cluster_spec(&self, _: &Session, name: &str) -> Outcome<ClusterCreate> {
        let wanted = name.to_owned();
        let look = move |bde: &Bde| bde.clusters.get(&wanted).map(|c| show::spec(&c.request));
        let found = self.look("cluster_spec", name, look).await?;
        let message = || format!("There is no configuration of cluster {name}.");
        found.ok_or_else(|| ErrorBody::new(code::CLUSTER_CONFIG_NOT_FOUND, message()).into())
    }

    async fn create_cluster(&self, _: &Session, cluster: ClusterCreate) -> Outcome<i64> {
        let request = take::cluster(cluster);
        let name = request.name.clone();
        self.call("create_cluster", &name, move |world| world.bde_create(request).map_err(refused)).await
    }

    async fn change_cluster(&self, _: &Session, name: &str, change: Change, _: bool) -> Outcome<i64> {
        let action = match change {
            Change::Start => ClusterAction::Start,
            Change::Stop => ClusterAction::Stop,
            Change::Resume => ClusterAction::Resume,
        };
        let target = name.to_owned();
        self.call("change_cluster", name, move |world| world.bde_action(&target, action).map_err(refused)).await
    }

    async fn delete_cluster(&self, _: &Session, name: &str) -> Outcome<i64> {
        let target = name.to_owned();
        self.call("delete_cluster", name, move |world| world.bde_delete(&target).map_err(refused)).await
    }

    async fn tasks(&self, _: &Session) -> Outcome<Vec<TaskRead>> {
        self.look("tasks", "", |bde| bde.newest_tasks().map(show::task).collect()).await
    }

    async fn task(&self, _: &Session, id: i64) -> Outcome<TaskRead> {
        let name = id.to_string();
        let found = self.look("task", &name, move |bde| bde.tasks.get(&id).map(show::task)).await?;
        found.ok_or_else(|| ErrorBody::not_found("Task", &name).into())
    }
}
