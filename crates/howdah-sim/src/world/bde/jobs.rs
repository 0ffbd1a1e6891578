//! The cluster manager's jobs: create, resume, start, stop, delete, resize.
//!
//! A job is one tokio task on the world's clock. It belongs to one life of the appliance: after
//! a restart it finds that out at its next step and ends without a word, as a killed one would.

use std::time::Duration;

use futures::future::join_all;
use howdah_core::ids::VmRef;

use crate::world::World;
use crate::world::bde::{BdeCluster, BdeNode, BdeStatus, BdeTaskStatus, NodeStatus};
use crate::world::clock::Span;
use crate::world::faults::Inner;
use crate::world::settings::Timings;
use crate::world::state::State;

/// What a job does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    Create,
    /// The rest of a create or resume.
    GoOn,
    Resume,
    Start,
    Stop,
    Delete,
    Grow,
    Shrink(String),
}

/// Why a job did not get to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The appliance was restarted.
    Dead,
    /// A step failed.
    Failed {
        /// Code of the catalogue.
        code: &'static str,
        /// What it says.
        message: String,
    },
}

impl Stopped {
    pub(crate) fn failed(code: &'static str, message: impl Into<String>) -> Self {
        Self::Failed { code, message: message.into() }
    }
}

/// One job.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) world: World,
    pub(crate) cluster: String,
    pub(crate) task: i64,
    life: u64,
}

pub(crate) type Step<T = ()> = Result<T, Stopped>;

impl World {
    /// The manager goes on with what a cluster's status says that it does: for a world that was put
    /// together in the middle of it. Nothing happens if the status is one of rest.
    pub fn bde_go_on(&self, name: &str) {
        let due = self.read(|s| {
            let cluster = s.bde.clusters.get(name)?;
            let work = match cluster.status {
                BdeStatus::Provisioning => Work::GoOn,
                BdeStatus::Starting => Work::Start,
                BdeStatus::Stopping => Work::Stop,
                BdeStatus::Deleting => Work::Delete,
                _ => return None,
            };
            Some((cluster.task, work))
        });
        if let Some((task, work)) = due {
            self.spawn_job(name, task, work);
        }
    }

    pub(crate) fn spawn_job(&self, cluster: &str, task: i64, work: Work) {
        let life = self.read(|s| s.bde.life);
        let job = Job { world: self.clone(), cluster: cluster.to_owned(), task, life };
        self.spawn(async move { job.run(work).await });
    }
}

impl Job {
    async fn run(self, work: Work) {
        let outcome = self.steps(&work).await;
        self.world.write(|s| {
            if s.bde.life == self.life {
                s.end_job(&self, &work, outcome);
            }
        });
    }

    async fn steps(&self, work: &Work) -> Step {
        self.state(|s| {
            if let Some(task) = s.bde.tasks.get_mut(&self.task) {
                task.status = BdeTaskStatus::Started;
            }
        })?;
        match work {
            Work::Create | Work::Grow => self.create(false).await,
            Work::GoOn => self.create(true).await,
            Work::Resume => {
                self.pause(|t| t.plan, "resume").await?;
                self.delete_bad_nodes().await?;
                self.create(false).await
            }
            Work::Start => self.start().await,
            Work::Stop => self.stop().await,
            Work::Delete => self.delete().await,
            Work::Shrink(group) => self.shrink(group).await,
        }
    }

    /// Changes the state, unless this job is dead.
    pub(crate) fn state<R>(&self, change: impl FnOnce(&mut State) -> R) -> Step<R> {
        self.world.write(|s| if s.bde.life == self.life { Ok(change(s)) } else { Err(Stopped::Dead) })
    }

    /// Changes a node.
    pub(crate) fn node(&self, name: &str, change: impl FnOnce(&mut BdeNode)) -> Step {
        self.state(|s| {
            if let Some(node) = s.bde.clusters.get_mut(&self.cluster).and_then(|c| c.node_mut(name)) {
                change(node);
            }
        })
    }

    /// Takes some time of the settings.
    pub(crate) async fn pause(&self, span: impl FnOnce(&Timings) -> Span, subject: &str) -> Step {
        let span = self.world.read(|s| span(&s.settings.timings));
        let time = self.world.dice().span(span, "job", &format!("{}/{subject}", self.cluster));
        self.rest(time).await
    }

    /// Takes some time.
    pub(crate) async fn rest(&self, time: Duration) -> Step {
        self.world.sleep(time).await;
        if self.world.read(|s| s.bde.life) == self.life { Ok(()) } else { Err(Stopped::Dead) }
    }

    /// So many of so many steps are done.
    pub(crate) fn progress(&self, done: f64, of: f64) -> Step {
        self.state(|s| {
            if let Some(task) = s.bde.tasks.get_mut(&self.task) {
                task.progress = (done / of).clamp(0.0, 1.0).max(task.progress);
            }
        })
    }

    /// Looks at the cluster.
    pub(crate) fn look<R: Default>(&self, look: impl FnOnce(&State, &BdeCluster) -> R) -> R {
        self.world.read(|s| s.bde.clusters.get(&self.cluster).map(|c| look(s, c)).unwrap_or_default())
    }

    /// Nodes with their VMs, as far as they have one.
    pub(crate) fn vms(&self) -> Vec<(String, VmRef)> {
        self.look(|_, c| c.nodes().filter_map(|n| Some((n.name.clone(), n.vm.clone()?))).collect())
    }

    /// Every node must have its addresses.
    pub(crate) fn verify_nodes(&self) -> Step {
        let missing = self.state(|s| {
            let stamp = s.now;
            let mut missing = Vec::new();
            for node in s.bde.clusters.get_mut(&self.cluster).into_iter().flat_map(BdeCluster::nodes_mut) {
                if matches!(node.status, NodeStatus::VmReady | NodeStatus::ServiceReady) {
                    continue;
                }
                missing.push(node.name.clone());
                if node.error.is_none() {
                    node.action = Some("Failed to query IP address".to_owned());
                    node.action_failed = true;
                    node.error = Some(format!("[{stamp}] Cannot get the IP address of VM {}.", node.name));
                }
            }
            missing
        })?;
        if missing.is_empty() {
            return Ok(());
        }
        let says = format!("Cannot get the IP address of VM {}.", missing.join(", "));
        Err(Stopped::failed("CLUSTERING_SERVICE.CANNOT_GET_IP_ADDRESS", says))
    }

    /// Installs the software on all nodes.
    pub(crate) async fn provision(&self, nodes: &[String]) -> Step {
        let each = nodes.iter().map(|name| async move {
            self.node(name, |n| n.action = Some("Setting password".to_owned()))?;
            self.pause(|t| t.password, &format!("{name}/password")).await?;
            self.node(name, |n| n.action = Some("Bootstrapping VM".to_owned()))?;
            self.pause(|t| t.software, &format!("{name}/software")).await?;
            if self.state(|s| s.fails(Inner::Software, name))? {
                self.node(name, |n| {
                    n.status = NodeStatus::BootstrapFailed;
                    n.action_failed = true;
                    n.error = Some(format!("Bootstrapping {name} failed."));
                })?;
                let says = format!("Bootstrapping of node {name} failed.");
                return Err(Stopped::failed("SOFTWARE_MANAGEMENT.CLUSTER_OPERATIOIN_FAILURE", says));
            }
            self.node(name, |n| {
                n.status = NodeStatus::ServiceReady;
                n.action = None;
            })
        });
        join_all(each).await.into_iter().collect()
    }
}

impl State {
    fn end_job(&mut self, job: &Job, work: &Work, outcome: Step) {
        let now = self.now;
        let failed = outcome.is_err();
        if let Some(task) = self.bde.tasks.get_mut(&job.task) {
            task.ended = Some(now);
            match outcome {
                Ok(()) => {
                    task.status = BdeTaskStatus::Completed;
                    task.progress = 1.0;
                }
                Err(Stopped::Failed { code, message }) => {
                    task.status = BdeTaskStatus::Failed;
                    task.error = Some(message);
                    task.error_code = Some(code.to_owned());
                }
                Err(Stopped::Dead) => task.status = BdeTaskStatus::Abandoned,
            }
        }
        if *work == Work::Delete && !failed {
            let folder = self.bde.clusters.remove(&job.cluster).and_then(|c| c.folder);
            if let Some(folder) = folder {
                self.remove_cluster_folders(&folder);
            }
            return;
        }
        let Some(cluster) = self.bde.clusters.get_mut(&job.cluster) else {
            return;
        };
        cluster.status = match (work, failed) {
            (Work::Create | Work::Resume | Work::GoOn, true) => BdeStatus::ProvisionError,
            (Work::Stop, false) => BdeStatus::Stopped,
            (Work::Start | Work::Stop | Work::Delete | Work::Shrink(_), true) => BdeStatus::Error,
            _ => BdeStatus::Running,
        };
    }

    pub(crate) fn remove_cluster_folders(&mut self, folder: &str) {
        let parent = self.vc.folders.get(folder).and_then(|f| f.parent.clone()).unwrap_or_default();
        let below: Vec<_> =
            self.vc.folders.get(folder).map(|f| f.children.iter().cloned().collect()).unwrap_or_default();
        for child in below {
            self.vc.remove_empty_folders(&child, folder);
        }
        self.vc.remove_empty_folders(folder, &parent);
    }
}
