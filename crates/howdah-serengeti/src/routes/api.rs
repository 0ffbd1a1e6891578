//! One arm per call: read the request, ask the backend, shape the answer.

use http::Method;

use super::backend::{Backend, Change, Outcome, Refusal};
use super::check;
use super::place::Place;
use super::reply::Reply;
use super::service::{Incoming, Service};
use crate::release::Release;
use crate::wire::{
    AppManagerRead, ClusterCreate, ClusterRead, DistroRead, ErrorBody, Hello, NetworkAdd, NetworkRead, code,
};

/// The application manager of `/distros`.
const BUILT_IN: &str = "Default";

impl<B: Backend> Service<B> {
    pub(super) async fn call(&self, user: &B::User, place: Place, incoming: &Incoming) -> Outcome<Reply> {
        let release = self.profile.release;
        match (&place, &incoming.method) {
            (_, &(Method::GET | Method::HEAD)) => self.get(user, place, incoming).await,
            (Place::Networks, &Method::POST) => {
                self.initialised()?;
                let mut network: NetworkAdd = self.read(incoming)?;
                check::network(&mut network, &self.profile)?;
                self.backend.add_network(user, network).await?;
                Ok(Reply::Done)
            }
            (Place::Network(name), &Method::DELETE) => {
                self.initialised()?;
                check::resource_name("network name", name)?;
                self.backend.remove_network(user, name).await?;
                Ok(Reply::Done)
            }
            (Place::Clusters, &Method::POST) => {
                self.initialised()?;
                let mut cluster: ClusterCreate = self.read(incoming)?;
                if !check::knows(cluster.kind, release) {
                    return Err(self.bad_call("DEFAULT is not a type"));
                }
                check::cluster(&cluster, &self.profile)?;
                self.settle_manager(user, &mut cluster).await?;
                Ok(Reply::Accepted(self.backend.create_cluster(user, cluster).await?))
            }
            (Place::Cluster(name), &Method::DELETE) => {
                self.initialised()?;
                check::cluster_name(name)?;
                Ok(Reply::Accepted(self.backend.delete_cluster(user, name).await?))
            }
            (Place::Cluster(name) | Place::ClusterAction(name), &Method::PUT) => {
                self.change(user, name, incoming).await
            }
            // No appliance supports it, but the 2015 plugin sends nothing else.
            (Place::Cluster(name), &Method::POST) if self.profile.lenient && incoming.parameter("state").is_some() => {
                self.change(user, name, incoming).await
            }
            (_, method) => Err(self.wrong_method(method)),
        }
    }

    async fn get(&self, user: &B::User, place: Place, incoming: &Incoming) -> Outcome<Reply> {
        let release = self.profile.release;
        let details = incoming.flag("details");
        match place {
            Place::Hello => match release.hello() {
                Some(version) => Reply::plain(&Hello { version: Some(version.to_owned()) }),
                None => Ok(Reply::Done),
            },
            Place::Tasks => Reply::body(&self.backend.tasks(user).await?, release),
            Place::Task(id) => {
                let id = id.parse().map_err(|_| self.bad_call("the task is not a number"))?;
                Reply::body(&self.backend.task(user, id).await?, release)
            }
            Place::Clusters => {
                let clusters = self.backend.clusters(user, self.with_nodes(details)).await?;
                let clusters: Vec<_> = clusters.into_iter().map(|c| self.shaped(c, details)).collect();
                Reply::body(&clusters, release)
            }
            Place::Cluster(name) => {
                check::cluster_name(&name)?;
                let cluster = self.backend.cluster(user, &name, self.with_nodes(details)).await?;
                Reply::body(&self.shaped(cluster, details), release)
            }
            Place::ClusterSpec(name) => {
                check::cluster_name(&name)?;
                Reply::body(&exported(self.backend.cluster_spec(user, &name).await?), release)
            }
            Place::Networks => {
                let networks = self.backend.networks(user).await?;
                let networks: Vec<_> = networks.into_iter().map(|n| allocations(n, details)).collect();
                Reply::body(&networks, release)
            }
            Place::Network(name) => {
                let networks = self.backend.networks(user).await?;
                let network = one(networks, "Network", &name, |n| n.name == name)?;
                Reply::body(&allocations(network, details), release)
            }
            Place::ResourcePools => Reply::body(&self.backend.resource_pools(user).await?, release),
            Place::ResourcePool(name) => {
                let pools = self.backend.resource_pools(user).await?;
                Reply::body(&one(pools, "Resource pool", &name, |p| p.rp_name == name)?, release)
            }
            Place::Datastores => Reply::body(&self.backend.datastores(user).await?, release),
            Place::Datastore(name) => {
                let stores = self.backend.datastores(user).await?;
                Reply::body(&one(stores, "Data store", &name, |d| d.name == name)?, release)
            }
            Place::AppManagers => Reply::body(&self.backend.app_managers(user).await?, release),
            Place::AppManagerTypes => Reply::plain(&["ClouderaManager", "Ambari"]),
            Place::AppManager(name) => Reply::body(&self.manager(user, &name).await?, release),
            Place::AppManagerDistros(name) => Reply::body(&self.distros(user, &name).await?, release),
            Place::AppManagerDefault(name) => {
                self.manager(user, &name).await?;
                match self.backend.default_distro(user, &name).await? {
                    Some(distro) => Reply::body(&distro, release),
                    None => Ok(Reply::Done),
                }
            }
            Place::AppManagerDistro(name, distro) => Reply::body(&self.distro(user, &name, &distro).await?, release),
            Place::AppManagerRoles(name, distro) => {
                let distros = self.distros(user, &name).await?;
                // Only this call compares case-sensitively.
                let found = one(distros, "Distro", &distro, |d| d.name == distro)?;
                Reply::plain(&found.roles.unwrap_or_default())
            }
            Place::Distros => Reply::body(&self.distros(user, BUILT_IN).await?, release),
            Place::Distro(distro) => Reply::body(&self.distro(user, BUILT_IN, &distro).await?, release),
            Place::ClusterAction(_) => Err(self.wrong_method(&incoming.method)),
        }
    }

    async fn change(&self, user: &B::User, name: &str, incoming: &Incoming) -> Outcome<Reply> {
        self.initialised()?;
        check::cluster_name(name)?;
        let change = match incoming.parameter("state") {
            Some("start") => Change::Start,
            Some("stop") => Change::Stop,
            Some("resume") => Change::Resume,
            Some(other) => return Err(ErrorBody::invalid("cluster state", other).into()),
            None => return Err(self.bad_call("the parameter state is missing")),
        };
        let task = self.backend.change_cluster(user, name, change, incoming.flag("force")).await?;
        Ok(Reply::Accepted(task))
    }

    /// Sets the application manager, which must exist.
    async fn settle_manager(&self, user: &B::User, cluster: &mut ClusterCreate) -> Outcome<()> {
        let name = cluster.app_manager.take().filter(|n| !n.trim().is_empty()).unwrap_or_else(|| BUILT_IN.to_owned());
        if self.backend.app_managers(user).await?.iter().all(|m| m.name != name) {
            return Err(ErrorBody::not_found("application manager", &name).into());
        }
        cluster.app_manager = Some(name);
        Ok(())
    }

    async fn manager(&self, user: &B::User, name: &str) -> Outcome<AppManagerRead> {
        self.manager_name(name)?;
        let managers = self.backend.app_managers(user).await?;
        managers.into_iter().find(|m| m.name == name).ok_or_else(|| {
            let message = format!("Application manager {name} not found.");
            Refusal::from(ErrorBody::new(code::APPMANAGER_NOT_FOUND, message))
        })
    }

    async fn distros(&self, user: &B::User, manager: &str) -> Outcome<Vec<DistroRead>> {
        self.manager(user, manager).await?;
        self.backend.distros(user, manager).await
    }

    async fn distro(&self, user: &B::User, manager: &str, name: &str) -> Outcome<DistroRead> {
        one(self.distros(user, manager).await?, "Distro", name, |d| d.name.eq_ignore_ascii_case(name))
    }

    /// Whether the answer includes nodes. Before 2.3 it always did.
    fn with_nodes(&self, details: bool) -> bool {
        details || self.profile.lenient || self.profile.release < Release::V2_3
    }

    fn shaped(&self, mut cluster: ClusterRead, details: bool) -> ClusterRead {
        if !self.with_nodes(details) {
            for group in &mut cluster.node_groups {
                group.instances = None;
            }
        }
        cluster
    }
}

/// The matching one, or the refusal for an unknown name.
fn one<T>(all: Vec<T>, kind: &str, name: &str, fits: impl Fn(&T) -> bool) -> Outcome<T> {
    all.into_iter().find(fits).ok_or_else(|| ErrorBody::not_found(kind, name).into())
}

fn allocations(mut network: NetworkRead, details: bool) -> NetworkRead {
    if !details {
        network.ip_alloc_entries = None;
    }
    network
}

/// A specification in the form of `/spec`: usable for another cluster, without the password.
fn exported(cluster: ClusterCreate) -> ClusterCreate {
    ClusterCreate {
        name: None,
        network_config: None,
        distro_vendor: None,
        distro_version: None,
        password: None,
        topology_policy: None,
        vc_clusters: None,
        networkings: None,
        validate_config: None,
        spec_file: false,
        ..cluster
    }
}
