//! One run of one cell: a site with strangers beside us, an operation, and a fault at the n-th call of
//! a kind.

use std::time::Duration;

use howdah_core::action::Kind;
use howdah_core::failure::ErrorKind;
use howdah_core::ids::ClusterKey;
use howdah_core::known::{ClusterStatus, OperationState};
use howdah_core::policy::NetworkBackend as Backend;
use howdah_core::wanted::{Goal, OperationKind};
use howdah_sim::ending::{self, FOR_EVER};
use howdah_sim::service::Service;
use howdah_sim::world::faults::{Effect, FaultRule, Inner};
use howdah_sim::world::neutron::PortUpdate;
use howdah_sim::world::strangers::{Neighbour, Stranger};
use howdah_sim::{SiteSettings, World};

use crate::table::{Damage, Fault, Operation, call};

/// A cell, and which of the calls of its kind is met.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    pub kind: Kind,
    pub damage: Damage,
    pub operation: Operation,
    pub backend: Backend,
    pub fault: Fault,
    pub nth: u32,
}

/// How long a killed service is away.
const AWAY: Duration = Duration::from_secs(30);

struct Run {
    cell: Cell,
    world: World,
    service: Service,
    rule: u64,
    wrong: Vec<String>,
}

/// Runs it. Returns whether the fault fired, and what was wrong.
pub async fn run(cell: Cell, bend: impl FnOnce(&mut Service)) -> (bool, Vec<String>) {
    let world = World::new(SiteSettings { seed: 7, backend: cell.backend, ..SiteSettings::default() });
    let mut service = Service::new(world.clone());
    // So that an operation lasts until the cards are attached.
    service.networks().require_attachment = true;
    bend(&mut service);
    let mut run = Run { cell, world, service, rule: 0, wrong: vec![] };
    if let Err(why) = run.strangers() {
        return (false, vec![why]);
    }
    run.service.start().await;
    run.play().await;
    let fired = run.world.read(|s| s.faults.met(run.rule)) > 0;
    let wrong = ending::clear(&mut run.service).await;
    run.wrong.extend(wrong);
    (fired, run.wrong)
}

impl Run {
    fn strangers(&self) -> Result<(), String> {
        // Where a stranger has registered the network, we have no registration of our own.
        if !matches!(self.cell.kind, Kind::Register | Kind::Release) {
            self.world.add_stranger(&Stranger::new("others", 1)).map_err(|e| e.to_string())?;
        }
        self.world.add_neighbour(&Neighbour::new("db-1")).map_err(|e| e.to_string())?;
        self.world.guard();
        Ok(())
    }

    async fn play(&mut self) {
        let Ok(key) = self.prepare().await else {
            return self.wrong.push("the cluster could not be asked for".to_owned());
        };
        match self.cell.operation {
            Operation::Create => {}
            Operation::Stop => self.want(&key, Goal::Stopped, OperationKind::Stop).await,
            Operation::Start => self.want(&key, Goal::Running, OperationKind::Start).await,
            Operation::Delete => self.want(&key, Goal::Deleted, OperationKind::Delete).await,
            Operation::DeleteInCreate => self.delete_in_create(&key).await,
        }
        self.meet(&key).await;
        self.judge(&key).await;
    }

    /// The cluster as the operation finds it; the rule is armed.
    async fn prepare(&mut self) -> Result<ClusterKey, ()> {
        let creates = matches!(self.cell.operation, Operation::Create | Operation::DeleteInCreate);
        if creates && self.cell.damage != Damage::CloneFails {
            self.arm();
        }
        if self.cell.damage == Damage::CloneFails {
            self.world.write(|s| s.faults.add(FaultRule::inner(Inner::Clone, "c1-worker-1").times(1)));
        }
        let key = self.service.create("c1", 2).await.map_err(drop)?;
        if self.cell.damage == Damage::CloneFails {
            self.service.ended(&key, FOR_EVER).await;
            self.arm();
            self.want(&key, Goal::Running, OperationKind::Create).await;
        }
        if creates {
            return Ok(key);
        }
        self.service.ended(&key, FOR_EVER).await;
        self.world.wait_until(|s| s.bde.clusters.get("c1").is_some_and(|c| c.status.is_stable())).await;
        if self.cell.operation == Operation::Start {
            self.want(&key, Goal::Stopped, OperationKind::Stop).await;
            self.service.ended(&key, FOR_EVER).await;
        }
        // Armed while the service is away, if it is: its first calls are met too.
        self.damage().await;
        if self.rule == 0 {
            self.arm();
        }
        Ok(key)
    }

    /// Somebody does something while the service is away, so that it is seen with the operation.
    async fn damage(&mut self) {
        let port =
            self.world.read(|s| s.neutron.ports.values().find(|p| p.name.starts_with("c1-")).map(|p| p.id.clone()));
        let Some(port) = port.filter(|_| self.cell.damage != Damage::None) else {
            return;
        };
        self.service.kill().await;
        let done = match self.cell.damage {
            Damage::PortDeleted => self.world.by_hand_delete_port(&port),
            Damage::PortChanged => {
                let update = PortUpdate { description: Some("mine now".to_owned()), ..PortUpdate::default() };
                self.world.by_hand_edit_port(&port, &update)
            }
            Damage::None | Damage::CloneFails | Damage::Restart => Ok(()),
        };
        self.wrong.extend(done.err().map(|e| format!("the damage could not be done: {e}")));
        self.arm();
        self.service.start().await;
    }

    fn arm(&mut self) {
        let (system, method) = call(self.cell.kind);
        let rule = |effect| FaultRule::new(system, method, effect).times(1).skipping(self.cell.nth);
        let rule = match self.cell.fault {
            Fault::Refused => rule(Effect::Refuse { kind: ErrorKind::Unavailable }),
            Fault::RequestLost | Fault::CrashBefore => rule(Effect::LoseRequest),
            Fault::AnswerLost => rule(Effect::LoseAnswer),
            Fault::LateEffect => rule(Effect::Late { seconds: 25.0 }),
            Fault::SlowAnswer | Fault::NewerRequest => rule(Effect::Delay).answered_after(20.0),
            Fault::CrashInFlight => rule(Effect::Delay).delayed(40.0),
            Fault::CrashAfter => rule(Effect::Delay).answered_after(20.0),
        };
        self.rule = self.world.write(|s| s.faults.add(rule));
    }

    async fn want(&mut self, key: &ClusterKey, goal: Goal, kind: OperationKind) {
        if let Err(e) = self.service.want(key, goal, kind).await {
            self.wrong.push(format!("{kind:?} was not taken: {e}"));
        }
    }

    /// The delete comes with the call that is met, or, for calls of the delete itself, half-way.
    async fn delete_in_create(&mut self, key: &ClusterKey) {
        let deletes = matches!(self.cell.kind, Kind::Delete | Kind::DeletePort | Kind::Release);
        if deletes {
            self.world.wait_until(|s| s.neutron.ports.values().any(|p| p.name.starts_with("c1-"))).await;
        } else {
            self.until(self.world.until_met(self.rule, 1)).await;
        }
        self.want(key, Goal::Deleted, OperationKind::Delete).await;
    }

    /// Waits for a state of the world, with a limit: a missing call is not a failure.
    async fn until(&self, event: impl Future<Output = ()>) {
        tokio::select! {
            () = event => {}
            () = self.world.sleep(Duration::from_secs(1800)) => {}
        }
    }

    /// What the fault asks for besides its rule, at the moment at which it fires.
    async fn meet(&mut self, key: &ClusterKey) {
        match self.cell.fault {
            Fault::CrashBefore | Fault::CrashInFlight => {
                self.until(self.world.until_met(self.rule, 1)).await;
                self.crash().await;
            }
            Fault::CrashAfter => {
                self.until(self.world.until_landed(self.rule, 1)).await;
                self.crash().await;
            }
            Fault::NewerRequest => {
                self.until(self.world.until_landed(self.rule, 1)).await;
                match self.cell.operation {
                    Operation::Stop => self.want(key, Goal::Running, OperationKind::Start).await,
                    _ => self.want(key, Goal::Stopped, OperationKind::Stop).await,
                }
            }
            Fault::Refused | Fault::RequestLost | Fault::AnswerLost | Fault::LateEffect | Fault::SlowAnswer => {}
        }
    }

    async fn crash(&mut self) {
        self.service.kill().await;
        self.world.sleep(AWAY).await;
        self.service.start().await;
    }

    /// One fault that passes is survived by every operation, and its end says what is true.
    async fn judge(&mut self, key: &ClusterKey) {
        if !self.service.ended(key, FOR_EVER).await {
            return self.wrong.push(format!("it does not end: {}", ending::last(&self.service, key).await));
        }
        let state = self.service.state(key).await;
        let deletes = matches!(self.cell.operation, Operation::Delete | Operation::DeleteInCreate);
        let Some(state) = state else {
            if !deletes {
                self.wrong.push("the cluster is gone".to_owned());
            }
            return;
        };
        if deletes {
            return self.wrong.push(format!("it is not gone: {}", ending::last(&self.service, key).await));
        }
        if state.status == ClusterStatus::Gone {
            self.wrong.push("it says gone, and nobody deleted it".to_owned());
        }
        let Some(operation) = &state.operation else {
            return self.wrong.push("no operation".to_owned());
        };
        // A stop that overtakes the create call has nothing to stop.
        let nothing = operation.failure.as_ref().is_some_and(|f| f.code == "nothing_to_stop");
        if operation.state != OperationState::Succeeded && !(nothing && self.cell.fault == Fault::NewerRequest) {
            return self.wrong.push(format!("it failed: {}", ending::last(&self.service, key).await));
        }
        if matches!(operation.kind, OperationKind::Create | OperationKind::Start) {
            for (name, node) in &state.nodes {
                let reports = node.vm.as_ref().is_some_and(|vm| {
                    self.world.read(|s| {
                        s.vm(vm).is_some_and(|v| v.nics[0].reported.iter().any(|a| Some(*a) == node.promised))
                    })
                });
                if !reports || node.port.is_none() {
                    self.wrong.push(format!("{name} does not have its address, and the operation ended well"));
                }
            }
        }
    }
}
