//! Carrying out one action against the site's systems. Stateless: it is given what it needs and
//! returns what it learnt.

use std::sync::Arc;

use super::Controller;
use crate::action::Action;
use crate::cluster::{ClusterRecord, ClusterState, CreateCall, Registration};
use crate::facts::{
    ManagedChange, ManagedCluster, ManagedSpec, ManagedTask, NetworkingFeatures, Port, PortQuery, RegisteredNetwork,
    Segment, Unregistered,
};
use crate::failure::Failure;
use crate::ids::{PortId, TaskId};
use crate::preflight::{self, Found};
use crate::seen::Seen;
use crate::traits::Remote;
use crate::{seen, segment};

/// What an action learnt.
pub(super) enum Answer {
    /// The port group, if there is one yet, and how many were looked at.
    Segment(Result<Option<Segment>, Failure>, usize),
    /// Whether the checks passed.
    Checked(Result<(), Failure>),
    /// What Neutron can do, and the ports of interest.
    Ports(NetworkingFeatures, Vec<Port>),
    /// Under which name the network is registered.
    Registered(String),
    /// The cluster and its task.
    Looked(Option<ManagedCluster>, Option<ManagedTask>),
    /// A task that was started; `None` if there was nothing to do.
    Task(Option<TaskId>),
    /// Ports that were made or changed.
    Made(Vec<Port>),
    /// The index that a port has now.
    Indexed(PortId, Option<u32>),
    /// A port that is gone.
    Deleted(PortId),
    /// The registration is gone or left to others.
    Unregistered,
    /// Nothing to learn: vCenter's own update will tell.
    Done,
}

/// What an action is given: everything as it was when the action was decided.
pub(super) struct Snapshot {
    pub(super) controller: Controller,
    pub(super) record: ClusterRecord,
    pub(super) state: ClusterState,
    pub(super) seen: Seen,
}

/// Carries the action out.
pub(super) async fn perform(snapshot: Arc<Snapshot>, action: Action) -> (Action, Remote<Answer>) {
    let answer = snapshot.perform(&action).await;
    (action, answer)
}

impl Snapshot {
    async fn perform(&self, action: &Action) -> Remote<Answer> {
        let site = &self.controller.site;
        match action {
            Action::FindSegment => {
                let segments = site.vcenter.segments().await?;
                let found = segment::backing(&self.record.spec.network, &segments).map(|s| s.cloned());
                Ok(Answer::Segment(found, segments.len()))
            }
            Action::Check => self.check().await,
            Action::ListPorts => {
                let features = match self.seen.features {
                    Some(features) => features,
                    None => site.networking.features().await?,
                };
                let query = PortQuery { network: Some(self.record.spec.network.id.clone()), macs: vec![] };
                let ports = site.networking.ports(&query).await?;
                Ok(Answer::Ports(features, seen::of_interest(&self.record, &self.seen.vms, ports)))
            }
            Action::Register => self.register().await.map(Answer::Registered),
            Action::Look => {
                let cluster = site.manager.cluster(&self.record.name).await?;
                // While the manager works its status says enough; its task is asked for the reason
                // why it stopped.
                let working = cluster.as_ref().is_some_and(|c| !c.status.is_stable());
                let task = match &self.state.task {
                    Some(task) if !working => site.manager.task(task).await?,
                    _ => None,
                };
                Ok(Answer::Looked(cluster, task))
            }
            Action::Create(prior) => self.create(*prior).await,
            Action::Change(change) => self.change(*change).await,
            Action::Delete => site.manager.delete_cluster(&self.record.name).await.map(Answer::Task),
            Action::CreatePorts(requests) => site.networking.create_ports(requests).await.map(Answer::Made),
            Action::Repair(port, change) => Ok(Answer::Made(vec![site.networking.update_port(port, change).await?])),
            Action::SetIndex(port, index) => {
                let held = site.networking.set_vnic_index(port, *index).await?;
                Ok(Answer::Indexed(port.clone(), held))
            }
            Action::Attach(vm, key, port) => {
                site.vcenter.set_external_id(vm, *key, port).await?;
                Ok(Answer::Done)
            }
            Action::DeletePort(port) => {
                site.networking.delete_port(port).await?;
                Ok(Answer::Deleted(port.clone()))
            }
            Action::Unregister => self.unregister().await,
        }
    }

    async fn check(&self) -> Remote<Answer> {
        let site = &self.controller.site;
        let spec = &self.record.spec;
        let found = Found {
            catalog: site.manager.catalog(spec.app_manager.as_deref()).await?,
            network: site.networking.network(&spec.network.id).await?,
            subnet: site.networking.subnet(&spec.subnet.id).await?,
            quota: site.networking.port_quota(self.record.port_project()).await?,
            name_taken: site.manager.cluster(&self.record.name).await?.is_some(),
        };
        Ok(Answer::Checked(preflight::check(&self.record, &found)))
    }

    /// Looks the network's registration up and makes it only if there is none. That it is ours is
    /// stored before it is made, so that a crash in between leaves nothing behind for ever.
    async fn register(&self) -> Remote<String> {
        let site = &self.controller.site;
        let Some(segment) = &self.state.segment else {
            return Ok(String::new());
        };
        let known = site.manager.networks().await?;
        if let Some(found) = known.iter().find(|n| n.port_group == segment.name && n.dhcp) {
            return Ok(found.name.clone());
        }
        let network = RegisteredNetwork {
            // Letters, digits, `-`: what the cluster manager takes; and the same at every try.
            name: format!("howdah-{}", self.record.spec.network.id),
            port_group: segment.name.clone(),
            dhcp: true,
        };
        let ours = Registration { name: network.name.clone(), port_group: network.port_group.clone() };
        self.controller.store.own_registration(&site.name, &ours).await?;
        site.manager.register_network(&network).await?;
        Ok(network.name)
    }

    async fn create(&self, prior: CreateCall) -> Remote<Answer> {
        let spec = &self.record.spec;
        let secrets = self.controller.store.secrets(&self.record.id).await?;
        let wish = ManagedSpec {
            name: self.record.name.clone(),
            distro: spec.distro.clone(),
            app_manager: spec.app_manager.clone(),
            resource_pools: spec.resource_pools.clone(),
            datastores: spec.datastores.clone(),
            network: self.state.registration.clone().unwrap_or_default(),
            node_groups: spec.node_groups.clone(),
            password: secrets.cluster_password,
            specification: spec.specification.clone(),
        };
        tracing::info!(cluster = %self.record.id, name = %self.record.name, ?prior, "asking for the cluster");
        self.controller.site.manager.create_cluster(&wish).await.map(|task| Answer::Task(Some(task)))
    }

    async fn change(&self, change: ManagedChange) -> Remote<Answer> {
        let task = self.controller.site.manager.change_cluster(&self.record.name, change).await?;
        Ok(Answer::Task(Some(task)))
    }

    /// Removes the registration if we made it and no other cluster of ours is on that network.
    async fn unregister(&self) -> Remote<Answer> {
        let site = &self.controller.site;
        let Some(name) = &self.state.registration else {
            return Ok(Answer::Unregistered);
        };
        let ours = self.controller.store.registrations(&site.name).await?.iter().any(|r| r.name == *name);
        let network = &self.record.spec.network.id;
        let shared = self
            .controller
            .store
            .list(None)
            .await?
            .iter()
            .any(|(r, _)| r.id != self.record.id && r.site == site.name && r.spec.network.id == *network);
        if ours && !shared {
            match site.manager.unregister_network(name).await? {
                Unregistered::Removed | Unregistered::Absent => {
                    self.controller.store.disown_registration(&site.name, name).await?;
                }
                // A cluster that is not ours uses it; it stays, and stays marked as ours.
                Unregistered::InUse => {}
            }
        }
        Ok(Answer::Unregistered)
    }
}
