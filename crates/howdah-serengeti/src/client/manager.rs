//! Implements the core's trait with calls to an appliance. [`super::translate`] interprets the answers.
//!
//! The only call to change a cluster's state that every release supports is
//! `PUT cluster/{name}?state=`: 2.1 and 2.2.0 have no `/action`, later releases forward to it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use howdah_core::ids::{ClusterName, TaskId};
use howdah_core::systems::Remote;
use howdah_core::systems::manager::ClusterManager;
use howdah_core::systems::manager::{
    Catalog, Demand, ManagedChange, ManagedCluster, ManagedSpec, ManagedTask, RegisteredNetwork, ResourcePool,
    Unregistered,
};
use http::Method;
use serde_json::{Value, json};

use super::session::Call;
use super::translate::{cluster, task};
use super::{Client, spec};
use crate::body::{BUILT_IN, Body};
use crate::error::Error;
use crate::names::in_path;
use crate::release::Release;
use crate::wire::{
    AppManagerRead, ClusterRead, DatastoreRead, DistroRead, ErrorBody, NetworkRead, ResourcePoolRead, TaskRead, code,
};

#[async_trait]
impl ClusterManager for Client {
    async fn version(&self) -> Remote<String> {
        let session = self.sessions.session(None).await?;
        Ok(session.version.clone().unwrap_or_else(|| "2.1 or older".to_owned()))
    }

    async fn catalog(&self, app_manager: Option<&str>) -> Remote<Catalog> {
        // The appliance queries each manager before it lists them, so list them only if needed.
        let app_managers = match app_manager {
            None | Some(BUILT_IN) => vec![BUILT_IN.to_owned()],
            Some(_) => self.app_managers().await?,
        };
        // An unknown one has no distributions; querying them would be an error.
        let distros = match app_manager {
            Some(manager) if !app_managers.iter().any(|m| m == manager) => vec![],
            _ => self.distros(app_manager).await?.into_iter().map(|d| d.name).collect(),
        };
        let step = "list the resource pools";
        let pools: Vec<ResourcePoolRead> = self.sessions.call(&Call::get("resourcepools", step)).await?.json(step)?;
        let step = "list the datastores";
        let stores: Vec<DatastoreRead> = self.sessions.call(&Call::get("datastores", step)).await?.json(step)?;
        Ok(Catalog {
            distros,
            resource_pools: pools
                .into_iter()
                .map(|p| ResourcePool { name: p.rp_name, cluster: p.vc_cluster })
                .collect(),
            datastores: stores.into_iter().map(|d| d.name).collect(),
            app_managers,
        })
    }

    fn demand(&self, spec: &ManagedSpec) -> Remote<Demand> {
        Ok(Body::build(spec, &self.rules).map_err(Error::from)?.demand)
    }

    async fn networks(&self) -> Remote<Vec<RegisteredNetwork>> {
        let step = "list the networks";
        let networks: Vec<NetworkRead> = self.sessions.call(&Call::get("networks", step)).await?.json(step)?;
        let fact = |n: NetworkRead| RegisteredNetwork { name: n.name, port_group: n.port_group, dhcp: n.dhcp };
        Ok(networks.into_iter().map(fact).collect())
    }

    async fn register_network(&self, network: &RegisteredNetwork) -> Remote<()> {
        let release = self.sessions.session(None).await?.release;
        let mut body = json!({ "name": network.name, "portGroup": network.port_group, "isDhcp": network.dhcp });
        if release >= Release::V2_2 {
            // Required from this release on; earlier releases refuse it as unknown.
            body["dnsType"] = json!("NORMAL");
            body["isGenerateHostname"] = json!(false);
        }
        let mut call = Call::new(Method::POST, "networks", format!("register network {:?}", network.name));
        call.body = Some(body);
        call.slow = true;
        self.sessions.call(&call).await?;
        Ok(())
    }

    async fn unregister_network(&self, name: &str) -> Remote<Unregistered> {
        let call = Call::new(Method::DELETE, format!("network/{}", in_path(name)), format!("remove network {name:?}"));
        match self.sessions.call(&call).await {
            Ok(_) => Ok(Unregistered::Removed),
            Err(e) if e.is(code::NOT_FOUND) => Ok(Unregistered::Absent),
            Err(e) if e.is(code::NETWORK_IN_USE) => Ok(Unregistered::InUse),
            Err(e) => Err(e.into()),
        }
    }

    async fn cluster(&self, name: &ClusterName) -> Remote<Option<ManagedCluster>> {
        // Since 2.3 an answer without details has no nodes.
        let path = format!("cluster/{}?details=true", in_path(name.as_str()));
        let step = format!("read cluster \"{name}\"");
        match self.sessions.call(&Call::get(path, step.as_str())).await {
            Ok(answer) => Ok(Some(cluster(answer.json(&step)?, &step)?)),
            Err(e) if e.is(code::NOT_FOUND) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    async fn clusters(&self) -> Remote<BTreeMap<String, ManagedCluster>> {
        let step = "list the clusters";
        let all: Vec<Value> = self.sessions.call(&Call::get("clusters?details=true", step)).await?.json(step)?;
        // Each is read separately, so that one unreadable cluster does not hide the others.
        let one = |value: Value| {
            let read: ClusterRead = serde_json::from_value(value).ok()?;
            let name = read.name.clone();
            Some((name, cluster(read, step).ok()?))
        };
        Ok(all.into_iter().filter_map(one).collect())
    }

    async fn create_cluster(&self, spec: &ManagedSpec) -> Remote<TaskId> {
        let session = self.sessions.session(None).await?;
        let version = session.version.as_deref().unwrap_or("2.1 or older");
        let mut body = spec::body(spec, &self.rules, session.release, version)?;
        if body.needs_type() {
            let vendor = self.vendor(spec, body.demand.app_manager.as_deref()).await?;
            body.fields.insert("type".to_owned(), json!(spec::template(vendor.as_deref(), session.release)));
        }
        let mut call = Call::new(Method::POST, "clusters", format!("create cluster \"{}\"", spec.name));
        call.body = Some(Value::Object(body.fields));
        call.slow = true;
        call.secrets = body.secrets;
        Ok(self.sessions.call(&call).await?.task(&call.step)?)
    }

    async fn change_cluster(&self, name: &ClusterName, change: ManagedChange) -> Remote<TaskId> {
        let word = match change {
            ManagedChange::Start => "start",
            ManagedChange::Stop => "stop",
            ManagedChange::Resume => "resume",
        };
        let path = format!("cluster/{}?state={word}", in_path(name.as_str()));
        let mut call = Call::new(Method::PUT, path, format!("{word} cluster \"{name}\""));
        call.slow = true;
        Ok(self.sessions.call(&call).await?.task(&call.step)?)
    }

    async fn delete_cluster(&self, name: &ClusterName) -> Remote<Option<TaskId>> {
        let path = format!("cluster/{}", in_path(name.as_str()));
        let call = Call::new(Method::DELETE, path, format!("delete cluster \"{name}\""));
        match self.sessions.call(&call).await {
            Ok(answer) => Ok(Some(answer.task(&call.step)?)),
            Err(e) if e.is(code::NOT_FOUND) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    async fn task(&self, id: &TaskId) -> Remote<Option<ManagedTask>> {
        let step = format!("read task {id}");
        let call = Call::get(format!("task/{}", in_path(id.as_str())), step.as_str());
        match self.sessions.call(&call).await {
            Ok(answer) => Ok(Some(task(id.clone(), answer.json(&step)?))),
            Err(e) if e.is(code::NOT_FOUND) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    async fn tasks(&self) -> Remote<Vec<ManagedTask>> {
        let step = "list the tasks";
        let tasks: Vec<TaskRead> = self.sessions.call(&Call::get("tasks", step)).await?.json(step)?;
        Ok(tasks.into_iter().map(|t| task(TaskId::new(t.id.to_string()), t)).collect())
    }
}

impl Client {
    async fn distros(&self, app_manager: Option<&str>) -> Result<Vec<DistroRead>, Error> {
        let manager = app_manager.unwrap_or(BUILT_IN);
        let step = format!("list the distributions of application manager {manager:?}");
        let call = Call::get(format!("appmanager/{}/distros", in_path(manager)), step.as_str());
        match self.sessions.call(&call).await {
            Ok(answer) => answer.json(&step),
            // 2.0 has no application managers.
            Err(Error::Page { status: 404, .. }) if app_manager.is_none() => {
                self.sessions.call(&Call::get("distros", step.as_str())).await?.json(&step)
            }
            Err(e) => Err(e),
        }
    }

    async fn app_managers(&self) -> Result<Vec<String>, Error> {
        let step = "list the application managers";
        match self.sessions.call(&Call::get("appmanagers", step)).await {
            Ok(answer) => Ok(answer.json::<Vec<AppManagerRead>>(step)?.into_iter().map(|m| m.name).collect()),
            // 2.0 has only the built-in one, without this name.
            Err(Error::Page { status: 404, .. }) => Ok(vec![BUILT_IN.to_owned()]),
            Err(e) => Err(e),
        }
    }

    /// The vendor of the requested distribution; names are compared case-insensitively.
    async fn vendor(&self, spec: &ManagedSpec, app_manager: Option<&str>) -> Result<Option<String>, Error> {
        let distros = self.distros(app_manager).await?;
        match distros.into_iter().find(|d| d.name.eq_ignore_ascii_case(&spec.distro)) {
            Some(distro) => Ok(distro.vendor),
            None => Err(Error::Refused {
                step: format!("create cluster \"{}\"", spec.name),
                body: Box::new(ErrorBody::not_found("Distro", &spec.distro)),
            }),
        }
    }
}
