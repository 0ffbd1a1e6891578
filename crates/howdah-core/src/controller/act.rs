//! Runs one action against the site's systems. Stateless: it gets its input and returns the
//! answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Controller;
use crate::action::Action;
use crate::failure::{ErrorKind, Failure, RemoteError, System};
use crate::ids::{OperationId, PortId, TaskId};
use crate::policy::NetworkBackend;
use crate::preflight::{self, Found};
use crate::report;
use crate::rights::Standing;
use crate::segment;
use crate::site::keeper::{Fresh, Told};
use crate::systems::Remote;
use crate::systems::manager::{ManagedChange, ManagedCluster, ManagedSpec, ManagedTask, ResourcePool, TaskState};
use crate::systems::networking::{NetworkingFeatures, Port};
use crate::systems::vcenter::{Segment, VmFacts};
use crate::time::{Mono, Stamp};
use crate::wanted::ClusterRecord;

/// The answer of an action.
pub(super) enum Answer {
    /// The port group, if there is one yet, and how many were looked at.
    Segment(Result<Option<Segment>, Failure>, usize),
    /// Whether the checks passed, and whether the service may not look at the requester's rights.
    Checked(Result<(), Failure>, bool),
    /// What Neutron can do, and all ports on the network, as of when they were really listed.
    Ports(NetworkingFeatures, Told<Vec<Port>>),
    /// Under which name the network is registered.
    Registered(String),
    /// What the manager shows.
    Looked(Look),
    /// VMs as they are now.
    Vms(Vec<VmFacts>),
    /// A task that was started; `None` if there was nothing to do.
    Task(Option<TaskId>),
    /// Ports that were made or changed.
    Made(Vec<Port>),
    /// The index that a port has now.
    Indexed(PortId, Option<u32>),
    /// A port that is gone.
    Deleted(PortId),
    /// The card names this port now.
    Attached(PortId),
    /// The use of the registration has been given up.
    Released,
}

/// What the manager shows.
pub(super) struct Look {
    pub(super) cluster: Option<ManagedCluster>,
    /// Our newest task.
    pub(super) task: Option<ManagedTask>,
    /// Everybody's tasks, if they matter.
    pub(super) tasks: Option<Vec<ManagedTask>>,
    /// When its oldest part was requested.
    pub(super) asked: Stamp,
    /// The same by the clock.
    pub(super) asked_at: Mono,
}

/// An action in flight: its operation, and when it was sent.
#[derive(Clone)]
pub(super) struct Flight {
    pub(super) action: Action,
    pub(super) operation: Option<OperationId>,
    pub(super) asked: Stamp,
    /// The same by the clock.
    pub(super) asked_at: Mono,
}

/// What an action is given: everything as it was when the action was decided.
pub(super) struct Snapshot {
    pub(super) controller: Controller,
    pub(super) record: ClusterRecord,
    pub(super) segment: Option<Segment>,
    pub(super) registration: Option<String>,
    pub(super) newest_task: Option<TaskId>,
    /// Which list of the manager's clusters will do; `None` if the cluster is read by name.
    pub(super) looks: Option<Fresh>,
    /// Our newest task, if it is known to have ended: it does not change from then on.
    pub(super) ended_task: Option<ManagedTask>,
    /// Which lists of ports will do.
    pub(super) ports: Fresh,
    /// The checks have passed before: the requester's rights may have gone since.
    pub(super) again: bool,
}

/// Runs the action.
pub(super) async fn perform(snapshot: Arc<Snapshot>, flight: Flight) -> (Flight, Remote<Answer>) {
    let answer = snapshot.perform(&flight).await;
    (flight, answer)
}

impl Snapshot {
    async fn perform(&self, flight: &Flight) -> Remote<Answer> {
        let Controller { site, clock, ticker, .. } = &self.controller;
        match &flight.action {
            Action::FindSegment => {
                let fresh = Fresh::After(flight.asked);
                let segments = site.segments.list(fresh, &site.vcenter, clock.as_ref(), ticker).await?.answer;
                Ok(Answer::Segment(self.segment(fresh, &segments).await?, segments.len()))
            }
            Action::Check => self.check().await,
            Action::ListPorts => {
                let network = &self.record.spec.network.id;
                let (features, ports) =
                    site.ports.list(network, self.ports, &site.networking, clock.as_ref(), ticker).await?;
                Ok(Answer::Ports(features, ports))
            }
            Action::Look => self.look(flight).await.map(Answer::Looked),
            Action::LookAtVms(vms) => site.vcenter.vms(vms).await.map(Answer::Vms),
            Action::Register(_) => self.register().await.map(Answer::Registered),
            Action::Create(..) => self.create().await,
            Action::Start(_) => self.change(ManagedChange::Start).await,
            Action::Stop(_) => self.change(ManagedChange::Stop).await,
            Action::Resume(..) => self.change(ManagedChange::Resume).await,
            Action::Delete(_) => site.manager.delete_cluster(&self.record.name).await.map(Answer::Task),
            Action::CreatePorts(_, requests) => site.networking.create_ports(requests).await.map(Answer::Made),
            Action::Repair(port, change) => {
                Ok(Answer::Made(vec![site.networking.update_port(port.port(), change).await?]))
            }
            Action::SetIndex(port, index) => {
                let held = site.networking.set_vnic_index(port.port(), *index).await?;
                Ok(Answer::Indexed(port.port().clone(), held))
            }
            Action::Attach(vm, key, port) => {
                site.vcenter.set_external_id(vm.vm(), *key, port).await?;
                Ok(Answer::Attached(port.clone()))
            }
            Action::DeletePort(port) => {
                site.networking.delete_port(port.port()).await?;
                Ok(Answer::Deleted(port.port().clone()))
            }
            Action::Release => {
                site.registrar.release(&self.record.key(), site.manager.as_ref()).await?;
                Ok(Answer::Released)
            }
            #[cfg(test)]
            Action::Clone(..) | Action::PowerOn(_) => unreachable!("decided in tests, carried out by no system"),
        }
    }

    /// The segment of the cluster's network. Other systems are asked only for what vCenter cannot tell.
    async fn segment(&self, fresh: Fresh, segments: &[Segment]) -> Remote<Result<Option<Segment>, Failure>> {
        let Controller { site, clock, ticker, .. } = &self.controller;
        let network = &self.record.spec.network;
        let ports = match site.networks.backend {
            NetworkBackend::NsxT => {
                site.ports.list(&network.id, fresh, &site.networking, clock.as_ref(), ticker).await?.1.answer
            }
            NetworkBackend::NsxV | NetworkBackend::Ml2 => Arc::default(),
        };
        let switches = ports.iter().filter_map(|p| p.logical_switch.as_deref()).collect();
        let candidates = segment::candidates(network, site.networks.backend, &switches, segments);
        let clusters = if candidates.len() > 1 { self.compute_clusters().await? } else { BTreeSet::new() };
        match candidates.as_slice() {
            [] => Ok(Ok(None)),
            several => Ok(segment::choose(network, several, &clusters).cloned().map(Some)),
        }
    }

    /// The compute clusters of vCenter that the nodes may be created in: those of the requested resource pools,
    /// or of all that the manager may use.
    async fn compute_clusters(&self) -> Remote<BTreeSet<String>> {
        let manager = &self.controller.site.manager;
        let demand = manager.demand(&self.managed_spec().await?)?;
        let pools = manager.catalog(demand.app_manager.as_deref()).await?.resource_pools;
        let wanted = |p: &ResourcePool| demand.resource_pools.is_empty() || demand.resource_pools.contains(&p.name);
        Ok(pools.into_iter().filter(wanted).map(|p| p.cluster).filter(|c| !c.is_empty()).collect())
    }

    async fn check(&self) -> Remote<Answer> {
        let site = &self.controller.site;
        let standing = match &self.record.operation.by {
            Some(user) if self.again => site.identity.still_may(user, &self.record.project).await?,
            _ => Standing::Good,
        };
        if let Standing::Lost(why) = standing {
            return Ok(Answer::Checked(Err(report::not_allowed_any_more(&self.record, &why)), false));
        }
        let spec = &self.record.spec;
        // The checks use the body that will be sent, from all sources.
        let demand = match site.manager.demand(&self.managed_spec().await?) {
            Ok(demand) => demand,
            Err(e) if !e.kind.is_transient() => return Ok(Answer::Checked(Err(Failure::from(&e)), false)),
            Err(e) => return Err(e),
        };
        let found = Found {
            catalog: site.manager.catalog(demand.app_manager.as_deref()).await?,
            network: site.networking.network(&spec.network.id).await?,
            subnet: site.networking.subnet(&spec.subnet.id).await?,
            quota: site.networking.port_quota(self.record.port_project()).await?,
        };
        Ok(Answer::Checked(preflight::check(&self.record, &demand, &found), standing == Standing::Hidden))
    }

    /// The cluster and our newest task. Everybody's tasks only if these two do not explain why nothing
    /// happens: while a create waits for its turn, and in a busy status without a task.
    async fn look(&self, flight: &Flight) -> Remote<Look> {
        if let Some(look) = self.listed().await? {
            return Ok(look);
        }
        let manager = &self.controller.site.manager;
        let cluster = manager.cluster(&self.record.name).await?;
        let task = match &self.newest_task {
            Some(task) => manager.task(task).await?,
            None => None,
        };
        let runs = task.as_ref().is_some_and(|t| t.state == TaskState::Running);
        let cloned = cluster.as_ref().is_some_and(|c| c.nodes.iter().any(|n| n.vm.is_some()));
        let works = cluster.as_ref().is_some_and(|c| !c.status.is_stable());
        let tasks = if works && !(runs && cloned) { Some(self.tasks(flight.asked).await?) } else { None };
        Ok(Look { cluster, task, tasks, asked: flight.asked, asked_at: flight.asked_at })
    }

    /// The same from the shared lists; `None` if they will not do or do not show the cluster. An existing
    /// cluster's newest task is in the list of tasks, so no task is read by its ID.
    async fn listed(&self) -> Remote<Option<Look>> {
        let Controller { site, clock, ticker, .. } = &self.controller;
        let (Some(fresh), Some(looks)) = (self.looks, &site.looks) else {
            return Ok(None);
        };
        let Told { answer, asked, asked_at } = looks.clusters(fresh, &site.manager, clock.as_ref(), ticker).await?;
        let Some(cluster) = answer.get(self.record.name.as_str()).cloned() else {
            return Ok(None);
        };
        let ended = self.ended_task.clone().filter(|ended| self.newest_task.as_ref() == Some(&ended.id));
        if cluster.status.is_stable() && (ended.is_some() || self.newest_task.is_none()) {
            return Ok(Some(Look { cluster: Some(cluster), task: ended, tasks: None, asked, asked_at }));
        }
        let tasks = self.tasks(asked).await?;
        let task = ended.or_else(|| tasks.iter().find(|t| self.newest_task.as_ref() == Some(&t.id)).cloned());
        let tasks = (!cluster.status.is_stable()).then_some(tasks);
        Ok(Some(Look { cluster: Some(cluster), task, tasks, asked, asked_at }))
    }

    /// Everybody's tasks, from a list that was requested after this.
    async fn tasks(&self, floor: Stamp) -> Remote<Vec<ManagedTask>> {
        let Controller { site, clock, ticker, .. } = &self.controller;
        match &site.looks {
            Some(looks) => {
                let told = looks.tasks(Fresh::After(floor), &site.manager, clock.as_ref(), ticker).await?;
                Ok(told.answer.to_vec())
            }
            None => site.manager.tasks().await,
        }
    }

    async fn register(&self) -> Remote<String> {
        let site = &self.controller.site;
        let Some(segment) = &self.segment else {
            return Ok(String::new());
        };
        let network = &self.record.spec.network.id;
        site.registrar.need(&self.record.key(), site.manager.as_ref(), network, segment).await
    }

    async fn create(&self) -> Remote<Answer> {
        let wish = self.managed_spec().await?;
        tracing::info!(cluster = %self.record.id, name = %self.record.name, "requesting the cluster");
        self.controller.site.manager.create_cluster(&wish).await.map(|task| Answer::Task(Some(task)))
    }

    /// The cluster as the manager is asked for it, secrets included.
    async fn managed_spec(&self) -> Remote<ManagedSpec> {
        let spec = &self.record.spec;
        let secrets = self.controller.store.secrets(&self.record.key()).await?;
        if spec.specification.is_some() && secrets.specification.is_none() {
            // Without it another cluster would be made than was asked for.
            let says = "the specification of this cluster was deleted when its create succeeded";
            let gone = RemoteError::new(System::Store, ErrorKind::Invalid, "specification_forgotten", says);
            return Err(gone.hint("Delete the cluster, then create it again."));
        }
        Ok(ManagedSpec {
            name: self.record.name.clone(),
            distro: spec.distro.clone(),
            app_manager: spec.app_manager.clone(),
            resource_pools: spec.resource_pools.clone(),
            datastores: spec.datastores.clone(),
            network: self.registration.clone().unwrap_or_default(),
            node_groups: self.record.shape.node_groups.clone(),
            password: secrets.cluster_password,
            specification: secrets.specification,
        })
    }

    async fn change(&self, change: ManagedChange) -> Remote<Answer> {
        let task = self.controller.site.manager.change_cluster(&self.record.name, change).await?;
        Ok(Answer::Task(Some(task)))
    }
}
