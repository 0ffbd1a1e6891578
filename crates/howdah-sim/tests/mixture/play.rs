//! Plays a seed's script and says what was wrong in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use howdah_core::ids::{ClusterKey, VmRef};
use howdah_core::intent::{Phase, Verb};
use howdah_core::known::{ClusterStatus, OperationState};
use howdah_core::store::Store;
use howdah_core::wanted::Goal;
use howdah_sim::crashing::Side;
use howdah_sim::ending::{self, FOR_EVER};
use howdah_sim::service::Service;
use howdah_sim::world::bde::BdeStatus;
use howdah_sim::world::neutron::{PortBody, PortUpdate};
use howdah_sim::world::strangers::{Neighbour, PortForm, Stranger};
use howdah_sim::{SiteSettings, World};
use jiff::SignedDuration;

use crate::script::{Action, Script, draw};

/// What a seed came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub seed: u64,
    /// How often each operation, fault, stranger and action really took place.
    pub tally: BTreeMap<String, u64>,
    /// What was wrong; empty if nothing.
    pub wrong: Vec<String>,
}

struct Play {
    world: World,
    service: Service,
    keys: BTreeMap<&'static str, ClusterKey>,
    /// Names that a stranger has had in the cluster manager.
    strangers: BTreeSet<&'static str>,
    /// Clusters of ours that somebody deleted.
    deleted: BTreeSet<&'static str>,
    outcome: Outcome,
    trace: bool,
    /// The service is away until then.
    away: Option<Duration>,
    full: Option<Duration>,
}

/// A seed in a runtime of its own, in virtual time.
pub fn seed(seed: u64, trace: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    match runtime {
        Ok(runtime) => runtime.block_on(play(seed, trace)),
        Err(e) => Outcome { seed, wrong: vec![e.to_string()], ..Outcome::default() },
    }
}

async fn play(seed: u64, trace: bool) -> Outcome {
    let script = draw(seed);
    let world = World::new(SiteSettings { seed, backend: script.backend, ..SiteSettings::default() });
    let service = Service::new(world.clone());
    let mut play = Play {
        world,
        service,
        keys: BTreeMap::new(),
        strangers: BTreeSet::new(),
        deleted: BTreeSet::new(),
        outcome: Outcome { seed, ..Outcome::default() },
        trace,
        away: None,
        full: None,
    };
    play.run(script).await;
    play.outcome
}

impl Play {
    async fn run(&mut self, script: Script) {
        let _ = self.world.add_neighbour(&Neighbour::new("db-1"));
        self.world.guard();
        let rules: Vec<_> =
            script.rules.into_iter().map(|(word, rule)| (word, self.world.write(|s| s.faults.add(rule)))).collect();
        self.service.start().await;
        let mut actions = script.actions.into_iter().peekable();
        loop {
            let next = actions.peek().map(|(at, _)| *at).into_iter().chain(self.away).chain(self.full).min();
            let Some(next) = next else { break };
            self.until(next).await;
            if self.away.is_some_and(|at| at <= self.now()) {
                self.away = None;
                self.service.start().await;
            }
            if self.full.is_some_and(|at| at <= self.now()) {
                self.full = None;
                self.service.store().fail_writes(false);
            }
            if let Some((_, action)) = actions.next_if(|(at, _)| *at <= self.now()) {
                self.take(action).await;
            }
        }
        for (word, rule) in rules {
            let met = self.world.read(|s| s.faults.met(rule));
            *self.outcome.tally.entry(word.to_owned()).or_default() += u64::from(met);
        }
        self.judge().await;
    }

    fn now(&self) -> Duration {
        self.world.clock().elapsed()
    }

    /// Lets time pass; a store that goes down on its way takes the service along.
    async fn until(&mut self, moment: Duration) {
        let wait = moment.saturating_sub(self.now());
        let store = self.service.store().clone();
        tokio::select! {
            () = self.world.sleep(wait) => {}
            () = store.crashed() => {
                self.count("crash: at a store write");
                self.service.kill().await;
                store.revive();
                self.away = Some(self.now() + Duration::from_secs(3));
            }
        }
    }

    fn count(&mut self, word: &str) {
        *self.outcome.tally.entry(word.to_owned()).or_default() += 1;
    }

    async fn take(&mut self, action: Action) {
        let done = self.does(&action).await;
        if self.trace {
            eprintln!("{:>9.3} s  {} {action:?}", self.now().as_secs_f64(), if done { "    " } else { "(no)" });
        }
        // The armed crash is counted when it comes.
        if done && !matches!(action, Action::CrashAtWrite { .. }) {
            self.count(action.word());
        }
    }

    /// Does it; whether it could be done.
    async fn does(&mut self, action: &Action) -> bool {
        match action {
            Action::Create { name, nodes } => match self.service.create(name, *nodes).await {
                Ok(key) => self.keys.insert(name, key).is_none(),
                Err(_) => false,
            },
            Action::Want { name, goal, kind } => {
                let Some(key) = self.keys.get(name).cloned() else { return false };
                // The API takes nothing but deletes for a cluster that is being deleted.
                let record = self.service.store().inner().wanted(&key).await.ok().flatten();
                if record.is_none_or(|r| r.shape.goal == Goal::Deleted && *goal != Goal::Deleted) {
                    return false;
                }
                if !self.service.has_ended(&key).await {
                    self.count("operation: superseded");
                }
                self.service.want(&key, *goal, *kind).await.unwrap_or(false)
            }
            Action::Crash { away } => {
                self.service.kill().await;
                self.away = Some(self.now() + *away);
                true
            }
            Action::CrashAtWrite { writes } => {
                let side = if writes % 2 == 0 { Side::Before } else { Side::After };
                self.service.store().crash_after(*writes, side);
                true
            }
            Action::StoreFull { lasts } => {
                self.service.store().fail_writes(true);
                self.full = Some(self.now() + *lasts);
                true
            }
            Action::ClockStep { hours } => {
                self.world.clock().step(SignedDuration::from_hours(*hours));
                true
            }
            Action::Stranger { name, nodes } => {
                let form = if *nodes % 2 == 0 { PortForm::Of2015 } else { PortForm::Compute };
                let done = self.world.add_stranger(&Stranger::new(name, *nodes).with_ports(form)).is_ok();
                if done {
                    self.strangers.insert(name);
                }
                done
            }
            Action::BdeRestart => {
                self.world.bde_restart();
                true
            }
            Action::Unregistered => {
                let ours = self.world.service_part().registrations;
                ours.first().is_some_and(|name| self.world.bde_remove_network(name).is_ok())
            }
            Action::DeletedByHand { name, remade } => {
                let on_its_way = self.has_a_call_on_its_way(name).await;
                if on_its_way && remade.is_some() {
                    self.count("person: remake put off, a call of ours was on its way");
                }
                self.delete_by_hand(name, remade.filter(|_| !on_its_way))
            }
            Action::ByHand { name, action } => self.is_ours(name) && self.world.bde_action(name, *action).is_ok(),
            Action::Stuck { name, status } => {
                let stable = self.world.read(|s| s.bde.clusters.get(*name).is_some_and(|c| c.status.is_stable()));
                stable && self.is_ours(name) && self.world.by_hand_stick(name, *status).is_ok()
            }
            Action::VmOff { name } => self.vm(name).is_some_and(|vm| self.world.by_hand_power_off(&vm).is_ok()),
            Action::VmDestroyed { name } => self.vm(name).is_some_and(|vm| self.world.by_hand_destroy(&vm).is_ok()),
            Action::PortDeleted { name, address_taken } => self.delete_port(name, *address_taken),
            Action::PortChanged { name } => {
                let update = PortUpdate { description: Some("mine now".to_owned()), ..PortUpdate::default() };
                let Some(port) = self.port(name) else { return false };
                if !self.knows(name, &port).await {
                    self.count("person: change of a port put off, its id was not known yet");
                    return false;
                }
                self.world.by_hand_edit_port(&port, &update).is_ok()
            }
        }
    }

    /// People leave strangers' things alone here: what is done by hand is done to ours.
    fn is_ours(&self, name: &str) -> bool {
        self.world.service_part().clusters.iter().any(|c| c == name)
    }

    /// Whether the ID of a port is stored. Until the answer to its create is stored, only its mark shows the
    /// owner: removing the mark before that makes it a foreign port permanently.
    async fn knows(&self, name: &str, port: &str) -> bool {
        let Some(key) = self.keys.get(name) else { return false };
        self.service.state(key).await.is_some_and(|s| s.ports.keys().any(|id| id.as_str() == port))
    }

    /// BDE knows clusters by name: what was sent to ours and has not arrived hits whatever has the name by
    /// then. That is told in ARCHITECTURE.md, and nothing that a client can do cures it.
    async fn has_a_call_on_its_way(&self, name: &str) -> bool {
        let Some(key) = self.keys.get(name) else { return false };
        let state = self.service.state(key).await;
        let phase = |verb: &Verb| state.as_ref().and_then(|s| s.journal.get(*verb)).map(|i| i.phase);
        Verb::MANAGER.iter().filter_map(phase).any(|p| matches!(p, Phase::Sent | Phase::Unknown))
    }

    fn delete_by_hand(&mut self, name: &'static str, remade: Option<u32>) -> bool {
        if !self.is_ours(name) || self.world.by_hand_delete_cluster(name).is_err() {
            return false;
        }
        self.deleted.insert(name);
        if let Some(nodes) = remade {
            let stranger = Stranger::new(name, nodes).with_ports(PortForm::None);
            if self.world.add_stranger(&stranger).is_ok() {
                self.strangers.insert(name);
            }
        }
        true
    }

    fn vm(&self, name: &str) -> Option<VmRef> {
        let ours = self.is_ours(name);
        self.world.read(|s| {
            let mut vms = s.vc.vms.values().filter(|v| ours && v.configured && v.cluster.as_deref() == Some(name));
            vms.next().map(|v| v.moref.clone())
        })
    }

    fn port(&self, name: &str) -> Option<String> {
        let prefix = format!("{name}-");
        self.world.read(|s| {
            let ours = |p: &&howdah_sim::world::neutron::NeutronPort| {
                p.name.starts_with(&prefix) && p.description.starts_with("howdah/")
            };
            s.neutron.ports.values().find(ours).map(|p| p.id.clone())
        })
    }

    fn delete_port(&self, name: &str, address_taken: bool) -> bool {
        let Some(port) = self.port(name) else { return false };
        let held = self
            .world
            .read(|s| s.neutron.ports.get(&port).map(|p| (p.network.clone(), p.fixed_ips.first().map(|f| f.1))));
        if self.world.by_hand_delete_port(&port).is_err() {
            return false;
        }
        if let Some((network, address)) = held.filter(|_| address_taken) {
            let body = PortBody { network, fixed_ips: Some(vec![(None, address)]), ..PortBody::default() };
            return self.world.add_foreign_port(body).is_ok();
        }
        true
    }

    /// Every operation ends, what it says is true, and after that everything can be cleared away.
    async fn judge(&mut self) {
        self.world.write(|s| s.faults.clear());
        self.service.store().revive();
        self.service.store().fail_writes(false);
        self.service.start().await;
        let keys = self.keys.clone();
        for (name, key) in &keys {
            if !self.service.ended(key, FOR_EVER).await {
                let last = ending::last(&self.service, key).await;
                self.outcome.wrong.push(format!("{name} does not end: {last}"));
            }
            self.says_what_is_true(name, key).await;
        }
        // An operator corrects statuses that BDE cannot leave on its own.
        self.world.write(|s| {
            use BdeStatus as S;
            for cluster in s.bde.clusters.values_mut() {
                let works = s.bde.tasks.get(&cluster.task).is_some_and(|t| !t.status.is_final());
                let stuck = matches!(cluster.status, S::Updating | S::Maintenance | S::Upgrading | S::Expanding);
                if stuck && !works {
                    cluster.status = S::Error;
                }
            }
        });
        let wrong = ending::clear(&mut self.service).await;
        self.outcome.wrong.extend(wrong);
    }

    async fn says_what_is_true(&mut self, name: &'static str, key: &ClusterKey) {
        let Some(state) = self.service.state(key).await else {
            return self.count("end: removed");
        };
        let Some(operation) = &state.operation else { return };
        let code = operation.failure.as_ref().map(|f| f.code.as_str()).unwrap_or_default();
        self.count(&match operation.state {
            OperationState::Succeeded => "end: succeeded".to_owned(),
            _ => format!("end: {code}"),
        });
        let (deleted, taken) = (self.deleted.contains(name), self.strangers.contains(name));
        let gone = matches!(code, "cluster_vanished" | "cluster_replaced") || state.status == ClusterStatus::Gone;
        let false_words = [
            (gone && !deleted, "it says that it is gone, and nobody deleted it"),
            (code == "cluster_replaced" && !taken, "it says that another is in its place, and there is none"),
            (code == "cluster_name_taken" && !taken, "it says that its name is taken, and nobody took it"),
            (code == "bde_stuck" && !self.outcome.tally.contains_key("BDE: stuck status"), "nothing was ever stuck"),
        ];
        for (is_false, says) in false_words {
            if is_false {
                self.outcome.wrong.push(format!("{name}: {says}: {}", ending::last(&self.service, key).await));
            }
        }
        if self.trace {
            for (number, event) in self.service.store().events(key, 0, usize::MAX).await.unwrap_or_default() {
                eprintln!("{name} {number:>4}  {}  {}: {}", event.at, event.reason, event.message);
            }
        }
    }
}
