//! The Serengeti REST API over HTTP, in front of the simulated world: the routes of
//! `howdah-serengeti`, as strict as the release that the site says it has.
//!
//! Calls are counted, delayed and failed under the names of `howdah_core`'s `ClusterManager`
//! methods where there is one, so that a fault rule means the same through either face.

mod show;
mod take;
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

/// Somebody who is logged in. A restart of the appliance ends all sessions.
#[derive(Clone)]
struct Session {
    life: u64,
}

impl Face {
    /// Counts a call, lets it meet the fault rules, and does its work.
    async fn call<T>(&self, method: &str, object: &str, work: impl FnOnce(&World) -> Outcome<T>) -> Outcome<T> {
        let verdict = self.0.call(System::Bde, method, object).await;
        if let Some(kind) = verdict.refuse {
            return Err(injected(kind));
        }
        let outcome = work(&self.0);
        if verdict.lose_answer { Err(Refusal::Broken) } else { outcome }
    }

    /// The same, for a look at the tables.
    async fn look<T>(&self, method: &str, object: &str, look: impl FnOnce(&Bde) -> T) -> Outcome<T> {
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
        let verdict = self.0.call(System::Bde, "login", name).await;
        match verdict.refuse {
            Some(ErrorKind::Credentials) => return Err(LoginRefusal::Credentials),
            Some(_) => return Err(LoginRefusal::Unreachable("a fault was injected here".to_owned())),
            None => {}
        }
        self.0.read(|s| {
            let login = &s.settings.bde_login;
            if login.user == name && login.password == password.expose_secret() {
                Ok(Session { life: s.bde.life })
            } else {
                Err(LoginRefusal::Credentials)
            }
        })
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
        self.call("register_network", &name, |world| world.bde_add_network(network).map_err(refused)).await
    }

    async fn remove_network(&self, _: &Session, name: &str) -> Outcome<()> {
        self.call("unregister_network", name, |world| world.bde_remove_network(name).map_err(refused)).await
    }

    async fn resource_pools(&self, _: &Session) -> Outcome<Vec<ResourcePoolRead>> {
        self.look("resource_pools", "", show::pools).await
    }

    async fn datastores(&self, _: &Session) -> Outcome<Vec<DatastoreRead>> {
        self.look("datastores", "", |bde| bde.datastores.values().map(show::datastore).collect()).await
    }

    async fn app_managers(&self, _: &Session) -> Outcome<Vec<AppManagerRead>> {
        // A step of several calls, none of them by itself: not counted.
        Ok(self.0.read(|s| s.bde.managers.values().map(|m| show::manager(&s.bde, m)).collect()))
    }

    async fn distros(&self, _: &Session, manager: &str) -> Outcome<Vec<DistroRead>> {
        self.look("distros", manager, |bde| {
            let distros = bde.managers.get(manager).map(|m| m.distros.as_slice());
            distros.unwrap_or_default().iter().map(show::distro).collect()
        })
        .await
    }

    async fn clusters(&self, _: &Session, _: bool) -> Outcome<Vec<ClusterRead>> {
        self.look("clusters", "", |bde| bde.clusters.values().map(|c| show::cluster(bde, c)).collect()).await
    }

    async fn cluster(&self, _: &Session, name: &str, _: bool) -> Outcome<ClusterRead> {
        let found = self.look("cluster", name, |bde| bde.clusters.get(name).map(|c| show::cluster(bde, c))).await?;
        found.ok_or_else(|| ErrorBody::not_found("Cluster", name).into())
    }

    async fn cluster_spec(&self, _: &Session, name: &str) -> Outcome<ClusterCreate> {
        let found =
            self.look("cluster_spec", name, |bde| bde.clusters.get(name).map(|c| show::spec(&c.request))).await?;
        let message = || format!("There is no configuration of cluster {name}.");
        found.ok_or_else(|| ErrorBody::new(code::CLUSTER_CONFIG_NOT_FOUND, message()).into())
    }

    async fn create_cluster(&self, _: &Session, cluster: ClusterCreate) -> Outcome<i64> {
        let request = take::cluster(cluster);
        let name = request.name.clone();
        self.call("create_cluster", &name, |world| world.bde_create(request).map_err(refused)).await
    }

    async fn change_cluster(&self, _: &Session, name: &str, change: Change, _: bool) -> Outcome<i64> {
        let action = match change {
            Change::Start => ClusterAction::Start,
            Change::Stop => ClusterAction::Stop,
            Change::Resume => ClusterAction::Resume,
        };
        self.call("change_cluster", name, |world| world.bde_action(name, action).map_err(refused)).await
    }

    async fn delete_cluster(&self, _: &Session, name: &str) -> Outcome<i64> {
        self.call("delete_cluster", name, |world| world.bde_delete(name).map_err(refused)).await
    }

    async fn tasks(&self, _: &Session) -> Outcome<Vec<TaskRead>> {
        let newest = |bde: &Bde| bde.clusters.values().filter_map(|c| bde.tasks.get(&c.task)).map(show::task).collect();
        self.look("tasks", "", newest).await
    }

    async fn task(&self, _: &Session, id: i64) -> Outcome<TaskRead> {
        let name = id.to_string();
        let found = self.look("task", &name, |bde| bde.tasks.get(&id).map(show::task)).await?;
        found.ok_or_else(|| ErrorBody::not_found("Task", &name).into())
    }
}
