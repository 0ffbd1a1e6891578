//! The create job's part in vCenter: each VM is cloned, reconfigured, given its disks, and only
//! then powered on and waited for. All VMs of a cluster go this way side by side.

use std::time::Duration;

use futures::future::join_all;
use howdah_core::ids::VmRef;

use crate::world::bde::jobs::{Job, Step, Stopped};
use crate::world::bde::{BdeNode, NodeStatus};
use crate::world::clock::Span;
use crate::world::faults::Inner;
use crate::world::timings::Timings;
use crate::world::vcenter::vctask::VcFault;
use crate::world::vcenter::vm_ops::{CloneSpec, Reconfigure};

/// Steps of a create.
const STEPS: f64 = 15.0;

/// How long another create may keep this one waiting.
const PATIENCE: Duration = Duration::from_secs(240 * 60);

/// What a node needs to be made.
#[derive(Debug, Clone)]
struct Plan {
    node: String,
    /// What an interrupted create has of it.
    begun: Option<VmRef>,
    group: String,
    cpu: u32,
    memory_mb: u32,
    disk_gb: u32,
    place: usize,
}

impl Job {
    /// Makes the nodes that have no VM, and installs the software on them. `goes_on`: what an
    /// interrupted create has begun is finished as well.
    pub(crate) async fn create(&self, goes_on: bool) -> Step {
        let turn = {
            let turns = self.world.turns();
            let wait = turns.acquire_owned();
            tokio::select! {
                turn = wait => turn.map_err(|_| Stopped::Dead)?,
                () = self.world.sleep(PATIENCE) => {
                    let says = "Another cluster is being created.";
                    return Err(Stopped::failed("VC_PROVIDER.CONCURRENT_CLUSTER_CREATING", says));
                }
            }
        };
        self.pause(|t| t.plan, "plan").await?;
        self.progress(1.0, STEPS)?;
        self.state(|s| s.bde.clusters.get_mut(&self.cluster).map(crate::world::bde::BdeCluster::plan_nodes))?;
        let plans = self.plans(goes_on);
        for plan in &plans {
            self.node(&plan.node, |n| n.action = Some("Cloning VM".to_owned()))?;
        }
        self.progress(2.0, STEPS)?;
        self.state(|s| s.make_cluster_folder(&self.cluster))?;
        let made = plans.iter().map(|plan| self.make(plan, plans.len()));
        let ended: Vec<Step> = join_all(made).await;
        drop(turn);
        if ended.contains(&Err(Stopped::Dead)) {
            return Err(Stopped::Dead);
        }
        self.progress(4.0, STEPS)?;
        if let Some(failed) = ended.into_iter().find(Step::is_err) {
            return failed;
        }
        self.verify_nodes()?;
        self.progress(5.0, STEPS)?;
        let nodes: Vec<_> = plans.into_iter().map(|p| p.node).collect();
        self.provision(&nodes).await?;
        self.progress(STEPS, STEPS)
    }

    fn plans(&self, goes_on: bool) -> Vec<Plan> {
        self.look(|s, c| {
            let below = c.folder.as_deref().filter(|_| goes_on).map(|f| s.vc.vms_below(f)).unwrap_or_default();
            let clone_of = |name: &str| below.iter().find(|v| s.vm(v).is_some_and(|v| v.name == name)).cloned();
            let is_up = |n: &BdeNode| matches!(n.status, NodeStatus::VmReady | NodeStatus::ServiceReady);
            let mut place = 0;
            let mut plans = Vec::new();
            for group in &c.groups {
                for node in &group.nodes {
                    place += 1;
                    if node.vm.is_none() || (goes_on && !is_up(node)) {
                        plans.push(Plan {
                            node: node.name.clone(),
                            begun: node.vm.clone().or_else(|| clone_of(&node.name)),
                            group: group.request.name.clone(),
                            cpu: group.cpu,
                            memory_mb: group.memory_mb,
                            disk_gb: group.disk_gb,
                            place,
                        });
                    }
                }
            }
            plans
        })
    }

    async fn make(&self, plan: &Plan, of: usize) -> Step {
        let outcome = self.make_vm(plan).await;
        if let Err(Stopped::Failed { message, .. }) = &outcome {
            self.state(|s| {
                let stamp = s.now;
                if let Some(node) = s.bde.clusters.get_mut(&self.cluster).and_then(|c| c.node_mut(&plan.node)) {
                    node.action = Some("VM creation failed".to_owned());
                    node.action_failed = true;
                    node.error = Some(format!("[{stamp}] {message}"));
                }
            })?;
        }
        self.state(|s| {
            if let Some(task) = s.bde.tasks.get_mut(&self.task) {
                let share = 1.0 / of.max(1) as f64 / STEPS;
                task.progress = (task.progress + share).min(3.0 / STEPS);
            }
        })?;
        outcome
    }

    async fn make_vm(&self, plan: &Plan) -> Step {
        let cloned = plan.begun.clone().filter(|vm| self.world.read(|s| s.vm(vm).is_some_and(|v| v.configured)));
        let vm = match cloned {
            Some(vm) => vm,
            None => self.clone_node(plan).await?,
        };
        let at = |what: &str| format!("{}/{what}", plan.node);
        self.on_vm(&vm, |t| t.reconfigure, &at("nics"), || self.plug_in(plan, &vm)).await?;
        self.pause(|t| t.configure, &at("drs")).await?;
        let disk = Reconfigure { add_disks_gb: vec![plan.disk_gb], ..Reconfigure::default() };
        self.on_vm(&vm, |t| t.disks, &at("disks"), || self.reconfigure(&vm, &disk)).await?;
        let extra = || {
            let machine_id = self.state(|s| s.machine_id(&self.cluster))?;
            let extra_config = vec![("machine.id".to_owned(), machine_id)];
            self.reconfigure(&vm, &Reconfigure { extra_config, ..Reconfigure::default() })
        };
        self.on_vm(&vm, |t| t.configure, &at("extra"), extra).await?;
        self.pause(|t| t.configure, &at("ha")).await?;
        let extra_config = vec![("disk.EnableUUID".to_owned(), "TRUE".to_owned())];
        let uuid = Reconfigure { extra_config, ..Reconfigure::default() };
        self.on_vm(&vm, |t| t.configure, &at("uuid"), || self.reconfigure(&vm, &uuid)).await?;
        self.power_on_and_wait(&plan.node, &vm).await
    }

    async fn clone_node(&self, plan: &Plan) -> Step<VmRef> {
        let asked = self.world.now();
        let together = self.world.read(|s| s.settings.timings.clone_together);
        let slots = self.world.clone_slots();
        // A slot of the storage: vCenter queues what goes beyond them.
        let _slot = if together { None } else { Some(slots.acquire_owned().await.map_err(|_| Stopped::Dead)?) };
        let spec = self.state(|s| s.clone_spec(&self.cluster, &plan.group, &plan.node, plan.place))?;
        let failed = |says: String| Stopped::failed("CLUSTERING_SERVICE.VM_CREATION_FAILED", says);
        let (template, spec) = spec.ok_or_else(|| failed("There is no node template.".to_owned()))?;
        let vm = match &plan.begun {
            Some(vm) => vm.clone(),
            None => {
                self.remove_orphan(&spec).await?;
                let vm = self.state(|s| s.add_clone(&template, &spec).inspect(|vm| s.note_clone(vm, asked)))?;
                vm.map_err(|e| failed(e.message))?
            }
        };
        let time = self.world.read(|s| {
            let span = s.settings.timings.clone;
            if together { Span::exactly(span.to).at(0.0) } else { s.dice.span(span, "clone", &spec.subject) }
        });
        let (world, clone) = (self.world.clone(), vm.clone());
        // vCenter finishes it even if the appliance is restarted meanwhile.
        self.world.spawn(async move {
            world.sleep(time).await;
            world.write(|s| s.finish_clone(&clone));
        });
        self.rest(time).await?;
        let broken = self.state(|s| s.fails(Inner::Clone, &plan.node))?;
        if broken {
            let _ = self.world.destroy_now(&vm);
            return Err(failed(format!("Cannot create VM {}: a fault was injected here.", plan.node)));
        }
        self.state(|s| {
            s.finish_clone(&vm);
            let host = s.vm(&vm).and_then(|v| s.vc.hosts.get(&v.host)).map(|h| h.name.clone());
            let cluster = s.bde.clusters.get_mut(&self.cluster);
            let pool = cluster.as_ref().and_then(|c| c.rp_names.first().cloned());
            if let Some(node) = cluster.and_then(|c| c.node_mut(&plan.node)) {
                node.vm = Some(vm.clone());
                node.status = NodeStatus::PoweredOff;
                node.action = Some("Reconfiguring VM".to_owned());
                node.host = host;
                node.pool = pool;
                node.incarnation += 1;
            }
        })?;
        Ok(vm)
    }

    /// A VM of the name that an earlier life left behind is in the way.
    async fn remove_orphan(&self, spec: &CloneSpec) -> Step {
        let orphan = self.state(|s| {
            let below = s.vc.vms_below(&spec.folder);
            below.into_iter().find(|v| s.vm(v).is_some_and(|v| v.name == spec.name))
        })?;
        match orphan {
            Some(vm) => self.destroy(vec![(spec.name.clone(), vm)]).await,
            None => Ok(()),
        }
    }

    /// The first card goes to the management network, keeping its address; the others are added.
    fn plug_in(&self, plan: &Plan, vm: &VmRef) -> Step {
        let nics = self.state(|s| s.nic_changes(&self.cluster))?;
        let nics = nics.map_err(|missing| {
            let says = format!("VM {}: port group {missing} is not there.", plan.node);
            Stopped::failed("VC.CONFIG_VM_FAILED", says)
        })?;
        let size =
            Reconfigure { nics, cpus: Some(plan.cpu), memory_mb: Some(plan.memory_mb), ..Reconfigure::default() };
        self.reconfigure(vm, &size)?;
        self.state(|s| {
            let now = s.now;
            s.journal.of(vm).mac_final.get_or_insert(now);
        })
    }

    /// A task of vCenter on a VM: it takes some time, and then its work is done. BDE does not repeat one that vCenter
    /// refuses with `TaskInProgress` (Serengeti, `VcTask.java`).
    async fn on_vm(
        &self,
        vm: &VmRef,
        span: impl FnOnce(&Timings) -> Span,
        subject: &str,
        work: impl FnOnce() -> Step,
    ) -> Step {
        let refused = |e: VcFault| Stopped::failed("VC.CONFIG_VM_FAILED", e.message);
        self.state(|s| s.begin_work(vm))?.map_err(refused)?;
        let rested = self.pause(span, subject).await;
        // vCenter ends the task even if the appliance is restarted meanwhile.
        self.world.write(|s| s.end_work(vm));
        rested?;
        work()
    }

    fn reconfigure(&self, vm: &VmRef, change: &Reconfigure) -> Step {
        let failed = |e: VcFault| Stopped::failed("VC.CONFIG_VM_FAILED", e.message);
        self.world.reconfigure_now(vm, change).map_err(failed)
    }

    /// Powers a node on and waits for its addresses. Running out of time is not an error here:
    /// the check of all nodes that follows is what fails.
    pub(crate) async fn power_on_and_wait(&self, node: &str, vm: &VmRef) -> Step {
        let power_on = || {
            if self.state(|s| s.fails(Inner::PowerOn, node))? {
                let says = format!("Cannot power on VM {node}: a fault was injected here.");
                return Err(Stopped::failed("VC.POWER_ON_VM_FAILED", says));
            }
            // Somebody else may have switched it on.
            let _ = self.world.power_on_now(vm);
            Ok(())
        };
        self.on_vm(vm, |t| t.power, &format!("{node}/on"), power_on).await?;
        self.world.wait_for_addresses(vm).await;
        self.state(|_| ())
    }
}
