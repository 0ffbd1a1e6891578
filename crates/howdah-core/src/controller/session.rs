//! A controller's working memory for one cluster, and one pass of its loop.
//!
//! ```text
//!  reload what is wanted -> take up a new operation -> settle the journal -> whose is it?
//!   -> observe -> decide -> guard -> journal -> save -> start
//! ```
//!
//! Invariant: a pass works on a copy. Nothing is started unless the copy was saved where something
//! depends on it; if the store fails, the copy is dropped and the pass is made again later.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered};
use tokio::sync::Notify;

use super::Controller;
use super::act::{Answer, Flight, Snapshot, perform};
use crate::action::{Action, Key};
use crate::decide::{Decision, Outcome, View, decide};
use crate::document::Row;
use crate::event::{Event, Level};
use crate::failure::{Failure, chain};
use crate::findings::Findings;
use crate::health::{self, Signs};
use crate::ids::ClusterKey;
use crate::intent::{Existence, Phase, Verb};
use crate::known::{ClusterState, OperationProgress, OperationState};
use crate::observe::{Sight, observe};
use crate::own::{self, Owner, Ownership, Pass};
use crate::report;
use crate::seen::Seen;
use crate::site::keeper::Fresh;
use crate::site::turns::{self, Claim, Place, Seat};
use crate::stage::Stage;
use crate::systems::Remote;
use crate::systems::manager::ManagedCluster;
use crate::systems::vcenter::{Vms, WatchEvent};
use crate::time::Mono;
use crate::trouble::{Trouble, Troubles};
use crate::wanted::{ClusterRecord, Goal, OperationKind};

pub(super) type Watch = BoxStream<'static, Remote<WatchEvent>>;
pub(super) type Done = (Flight, Remote<Answer>);

/// A trouble that was not tried again for so long is not wanted any more.
const TROUBLE_LASTS: Duration = Duration::from_secs(300);
/// Watched time alone is written down this often.
const WATCHED_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Session<'a> {
    pub(super) controller: &'a Controller,
    pub(super) record: ClusterRecord,
    pub(super) state: ClusterState,
    pub(super) seen: Seen,
    pub(super) troubles: Troubles,
    pub(super) events: Vec<Event>,
    pub(super) findings: Findings,
    /// Until when a port whose answer was lost may still turn up.
    pub(super) ports_settle: Option<Mono>,
    pub(super) in_flight: BTreeSet<Key>,
    pub(super) running: FuturesUnordered<BoxFuture<'static, Done>>,
    pub(super) waves: usize,
    pub(super) watch: Option<Watch>,
    pub(super) opening: Option<BoxFuture<'static, Remote<Watch>>>,
    seat: Seat,
    passes: u64,
    last_pass: Mono,
    saved: ClusterState,
    saved_at: Mono,
}

/// What became of a pass.
pub(super) enum Passed {
    /// The next one is due after this at the latest.
    Again(Duration),
    /// The cluster is gone.
    Removed,
    /// Its documents cannot be read: it is left alone.
    Unreadable,
}

impl<'a> Session<'a> {
    /// Takes a cluster up from the store; `None` if it is not there, or cannot be read.
    pub(super) async fn begin(
        controller: &'a Controller,
        key: &ClusterKey,
        wake: &Arc<Notify>,
    ) -> Remote<Result<Self, Passed>> {
        let (record, mut state) = match controller.store.load(key).await? {
            Some(Row::Cluster(cluster)) => *cluster,
            Some(Row::Unreadable(_)) => return Ok(Err(Passed::Unreadable)),
            None => return Ok(Err(Passed::Removed)),
        };
        let now = controller.clock.mono();
        let saved = state.clone();
        state.journal.resume(now, &controller.policy);
        let ports_settle = state.journal.open_until(&[Verb::Ports]);
        let seat = controller.site.turns.seat(key.clone(), &state, Arc::clone(wake));
        Ok(Ok(Self {
            controller,
            record,
            saved,
            saved_at: now,
            state,
            seen: Seen::default(),
            troubles: Troubles::default(),
            events: vec![],
            findings: Findings { begun: controller.ticker.tick(), ..Findings::default() },
            ports_settle,
            in_flight: BTreeSet::new(),
            running: FuturesUnordered::new(),
            waves: 0,
            watch: None,
            opening: None,
            seat,
            passes: 0,
            last_pass: now,
        }))
    }

    /// One pass. A failure of the store is no end: nothing was started, and it is made again.
    pub(super) async fn pass(&mut self) -> Passed {
        match self.try_pass().await {
            Ok(passed) => {
                self.troubles.calm(&[Key::Store]);
                passed
            }
            Err(error) => {
                tracing::warn!(cluster = %self.record.id, error = %chain(&error), "the store fails");
                let ended = self.controller.ticker.tick();
                self.in_trouble(vec![Key::Store], "write down what is known", &error, None, ended);
                let pause = self.troubles.wait(&[Key::Store], self.controller.clock.mono());
                Passed::Again(pause.unwrap_or_default())
            }
        }
    }

    async fn try_pass(&mut self) -> Remote<Passed> {
        match self.controller.store.wanted(&self.record.key()).await {
            Ok(Some(record)) => self.record = record,
            Ok(None) => return Ok(Passed::Removed),
            Err(e) if e.code == UNREADABLE => return Ok(Passed::Unreadable),
            Err(e) => return Err(e),
        }
        let before = (self.state.clone(), self.events.len());
        let tried = self.work().await;
        if tried.is_err() {
            self.state = before.0;
            self.events.truncate(before.1);
        }
        tried
    }

    async fn work(&mut self) -> Remote<Passed> {
        let now = self.controller.clock.mono();
        self.passes += 1;
        let watched = now.since(self.last_pass);
        self.last_pass = now;
        self.take_up();
        self.settle(now);
        self.keep_watching(now);
        self.troubles.tidy(now, TROUBLE_LASTS);
        let pass = Pass::new(self.record.id, self.passes);
        let own = self.whose(pass);
        let entropy = Arc::clone(&self.controller.entropy);
        self.controller.site.provision.prepare(&self.record, &mut self.state, &mut || entropy.uuid());
        let vms = self.see(pass, &own);
        let place = self.seat.place();
        self.count_time(watched, &own, place.is_some());
        let Decision { mut actions, outcome, mut again, conflict, claim } = self.decide(pass, &own, place, now);
        self.note_conditions(&own, conflict, place, now);
        drop(vms);
        // Writes of an operation that has just failed are not begun.
        if outcome.is_some() && self.record.shape.goal != Goal::Running {
            actions.retain(|a| a.pass().is_none());
        }
        actions.retain(|a| a.pass().is_none_or(|p| p == pass) && a.turn().is_none_or(|p| p == pass));
        match outcome {
            Some(Outcome::Removed) => {
                self.finish(OperationState::Succeeded, None);
                self.controller.store.remove(&self.record.key(), &self.events).await?;
                return Ok(Passed::Removed);
            }
            Some(Outcome::Succeeded) => {
                self.finish(OperationState::Succeeded, None);
                self.forget_password().await?;
            }
            Some(Outcome::Failed(failure)) => {
                let current = self.state.operation.as_ref().map(|o| o.id);
                let of_ports = |t: &Trouble| matches!(t.key, Key::Mac(_)) && t.operation == current;
                let ports = self.troubles.iter().find(|(_, t)| of_ports(t));
                let failure = report::because_of_ports(failure, ports.map(|(_, t)| t.says.as_str()));
                self.finish(OperationState::Failed, Some(failure));
            }
            None => {}
        }
        self.state.status = health::status(self.record.shape.goal, &self.state, &own, &self.seen);
        let intent = self.write_intents(&actions);
        let turn = self.seat.turn(pass);
        let claim = self.claim(claim, turn.is_some(), now);
        self.seat.claim(claim, self.record.operation.requested).await?;
        if turn.is_none() && self.seat.turn(pass).is_some() {
            again = Duration::ZERO;
        }
        if let Some(wait) = self.save(intent, now).await? {
            again = again.min(wait);
        }
        self.start(actions);
        let idle = self.watch.is_none() && self.opening.is_none();
        if let Some(pause) = self.troubles.wait(&[Key::Watch], now).filter(|_| idle) {
            again = again.min(pause);
        }
        Ok(Passed::Again(again))
    }

    /// Begins the newest operation if it is not the one being worked on.
    fn take_up(&mut self) {
        let wanted = self.record.operation.clone();
        if self.state.operation.as_ref().is_some_and(|o| o.id == wanted.id) {
            return;
        }
        if let Some(old) = self.state.operation.as_ref().filter(|o| o.state == OperationState::Running) {
            let message = format!("{} gives way to {}.", word(old.kind), word(wanted.kind));
            self.tell(Level::Info, "operation_superseded", message);
        }
        let message = format!("{} of cluster {} started.", word(wanted.kind), self.record.name);
        self.tell(Level::Info, "operation_started", message);
        self.state.operation = Some(OperationProgress {
            id: wanted.id,
            kind: wanted.kind,
            state: OperationState::Running,
            started: self.controller.clock.now(),
            ended: None,
            failure: None,
            checked: false,
            watched: Duration::ZERO,
            waited: Duration::ZERO,
            without_address: Duration::ZERO,
        });
        self.state.progress = 0.0;
        self.state.observed_generation = self.record.shape.generation;
        self.troubles.hurry(self.controller.clock.mono());
        self.findings = self.findings.next(self.controller.ticker.tick());
    }

    /// What has had time to settle is open to a verdict from now on; a burst of port writes ends
    /// when none of them can have an effect any more.
    fn settle(&mut self, now: Mono) {
        self.state.journal.settle(now, &self.controller.ticker);
        let lost = self.ports_settle.is_some_and(|until| until > now);
        let flying = self.in_flight.iter().any(|k| matches!(k, Key::Mac(_)));
        if self.state.journal.get(Verb::Ports).is_some() && !flying && !lost {
            self.state.journal.forget(Verb::Ports);
            self.ports_settle = None;
            self.findings.ports_ended = self.controller.ticker.tick();
        }
    }

    /// Whose the place is, and what follows from that for what is remembered.
    fn whose(&mut self, pass: Pass) -> Ownership {
        if let Some(asked) = self.seen.cluster.asked() {
            self.state.journal.looked(asked);
        }
        let own = self.judge(pass);
        match &own {
            // Seen and ours: the create got through. From now on its absence is a loss.
            Ownership::Ours(_) => {
                if self.state.journal.get(Verb::Found).is_some_and(|i| i.phase == Phase::Unknown) {
                    self.state.journal.resolve(Verb::Found, Phase::Done);
                }
                self.controller.site.provision.record(&mut self.state, &self.seen);
            }
            // Looked for after everything that could bring it: it never got through.
            Ownership::Vacant(_) => {
                if self.state.journal.get(Verb::Found).is_some_and(|i| i.phase == Phase::Unknown) {
                    self.state.journal.resolve(Verb::Found, Phase::Absent);
                }
            }
            Ownership::Gone => self.state.identity.dissolved = true,
            Ownership::Foreign(_) | Ownership::Pending | Ownership::Unknown => {}
        }
        own
    }

    fn judge(&self, pass: Pass) -> Ownership {
        let place = own::place(self.controller.site.provision.as_ref(), &self.state, &self.seen);
        own::ownership(pass, &self.state.journal, self.state.identity.dissolved, place, self.findings.begun)
    }

    /// Brings what is known up to what was seen. Returns the VMs that are ours.
    fn see(&mut self, pass: Pass, own: &Ownership) -> Vms {
        let (vms, cluster) = match own {
            Ownership::Ours(ours) => {
                let (record, state, seen) = (&self.record, &self.state, &self.seen);
                let owner =
                    Owner { ours: *ours, record, state, seen, provision: self.controller.site.provision.as_ref() };
                (
                    owner.vms().map(|(_, vm)| (vm.vm.clone(), vm.clone())).collect(),
                    self.seen.cluster.last().and_then(Option::as_ref),
                )
            }
            _ => (Vms::new(), None),
        };
        let sight = Sight {
            pass,
            record: &self.record,
            // Before the place was looked at, nothing of it is visible to us.
            seen: &self.seen,
            vms: &vms,
            cluster,
            marks: &self.controller.marks,
            backend: self.controller.site.backend,
            now: self.controller.clock.now(),
        };
        let told = if matches!(own, Ownership::Unknown) { vec![] } else { observe(&sight, &mut self.state) };
        self.events.extend(told);
        vms
    }

    /// What the manager may be at work on keeps its turn, whatever is wanted of it by now: until it has
    /// done with it, or has forgotten it.
    fn claim(&self, decided: Claim, has_turn: bool, now: Mono) -> Claim {
        // What was known of the manager before it answered is not known any more.
        let answered = |verb| match self.state.journal.existence(verb) {
            Existence::Answered(end) => self.seen.cluster.after(end).is_none(),
            _ => false,
        };
        if has_turn && (answered(Verb::Found) || answered(Verb::Resume)) {
            return Claim::AtManager;
        }
        let forgotten =
            self.findings.stuck(&self.seen, now).is_some_and(|stuck| stuck >= self.controller.policy.stuck_after);
        if turns::is_at_manager(&self.state) && !forgotten { Claim::AtManager } else { decided }
    }

    /// Time counts while we watch, but not while it waits for its turn. That nodes lack their address counts once the manager has
    /// finished, as long as manager and VMs are being seen.
    fn count_time(&mut self, watched: Duration, own: &Ownership, waits: bool) {
        let up = |c: &ManagedCluster| c.status.is_up();
        let finished = matches!(own, Ownership::Ours(_))
            && self.seen.cluster.last().and_then(Option::as_ref).is_some_and(up)
            && self.seen.vms_synced;
        let lacking = self.state.nodes.values().any(|n| n.stage != Stage::Addressed);
        let Some(operation) = self.state.operation.as_mut().filter(|o| o.state == OperationState::Running) else {
            return;
        };
        if waits {
            operation.waited += watched;
            return;
        }
        operation.watched += watched;
        if !lacking {
            operation.without_address = Duration::ZERO;
        } else if finished && self.record.shape.goal == Goal::Running {
            // At least a moment, so that the deadline is known from the first sight on.
            operation.without_address += watched.max(Duration::from_millis(1));
        }
    }

    fn decide(&self, pass: Pass, own: &Ownership, place: Option<Place>, now: Mono) -> Decision {
        decide(&View {
            pass,
            record: &self.record,
            state: &self.state,
            seen: &self.seen,
            own,
            provision: self.controller.site.provision.as_ref(),
            marks: &self.controller.marks,
            troubles: &self.troubles,
            findings: &self.findings,
            in_flight: &self.in_flight,
            waves: self.waves,
            policy: &self.controller.policy,
            backend: self.controller.site.backend,
            now,
            turn: self.seat.turn(pass),
            waits: place.is_some(),
        })
    }

    fn note_conditions(&mut self, own: &Ownership, conflict: Option<Failure>, place: Option<Place>, now: Mono) {
        let signs = Signs {
            own,
            seen: &self.seen,
            troubles: &self.troubles,
            port: conflict.map(|f| (f.code.clone(), f.to_string())),
            place,
            stuck: self.findings.stuck(&self.seen, now),
            stuck_after: self.controller.policy.stuck_after,
            now: self.controller.clock.now(),
            mono: now,
        };
        let told = health::conditions(&signs, &mut self.state);
        self.events.extend(told);
    }

    fn finish(&mut self, end: OperationState, failure: Option<Failure>) {
        let now = self.controller.clock.now();
        let Some(operation) = &mut self.state.operation else {
            return;
        };
        let took = operation.watched.as_secs();
        let (level, reason, message) = match &failure {
            None => (Level::Info, "operation_succeeded", format!("{} done after {took} s.", word(operation.kind))),
            Some(f) => {
                (Level::Error, "operation_failed", format!("{} failed after {took} s: {f}", word(operation.kind)))
            }
        };
        operation.state = end;
        operation.ended = Some(now);
        operation.failure = failure;
        if end == OperationState::Succeeded {
            self.state.progress = 1.0;
        }
        self.tell(level, reason, message);
    }

    /// The nodes have their password now. Credentials of the template are needed to the end, and
    /// what cannot be read is left as it is.
    async fn forget_password(&mut self) -> Remote<()> {
        let (store, key) = (&self.controller.store, self.record.key());
        match store.secrets(&key).await {
            Ok(secrets) if secrets.credentials.is_none() => store.forget_secrets(&key).await,
            Err(e) if e.code != health::SECRETS_UNREADABLE => Err(e),
            _ => Ok(()),
        }
    }

    /// What must be in the store before these actions start. Returns whether anything must.
    fn write_intents(&mut self, start: &[Action]) -> bool {
        let Some(operation) = self.state.operation.as_ref().map(|o| o.id) else {
            return false;
        };
        let mut intent = false;
        for action in start {
            let Some(call) = action.call() else {
                continue;
            };
            self.controller.site.provision.about_to_send(call.verb, &self.record, &mut self.state);
            let journal = &mut self.state.journal;
            let going_on =
                call.verb == Verb::Ports && journal.get(call.clone()).is_some_and(|i| i.phase == Phase::Sent);
            if !going_on {
                journal.sent(call, operation, self.controller.clock.now());
                intent = true;
            }
        }
        intent
    }

    /// Writes down what is known, at once if something depends on it, else now and then. Returns
    /// when to come back for what was put off.
    async fn save(&mut self, intent: bool, now: Mono) -> Remote<Option<Duration>> {
        let ended = |s: &ClusterState| s.operation.as_ref().map(|o| (o.id, o.state));
        let must = intent || ended(&self.state) != ended(&self.saved);
        let age = now.since(self.saved_at);
        let news = !self.events.is_empty() || !same_but_for_time(&self.state, &self.saved);
        if !must && !news && (age < WATCHED_EVERY || self.state == self.saved) {
            return Ok(None);
        }
        let every = self.controller.policy.save_every;
        if !must && age < every {
            return Ok(Some(every - age));
        }
        self.controller.store.save(&self.record.key(), &self.state, &self.events).await?;
        self.events.clear();
        self.saved = self.state.clone();
        self.saved_at = now;
        Ok(None)
    }

    /// Which list of ports will do: where the own one has only become old, one that another cluster asked for
    /// lately. Whoever wants another so early wants to see what has happened by now.
    fn which_ports(&self) -> Fresh {
        let Controller { clock, policy, ticker, .. } = self.controller;
        match self.seen.ports.age(clock.mono()) {
            Some(age) if age >= policy.idle_poll => Fresh::Within(policy.shared_lasts()),
            _ => Fresh::After(ticker.tick()),
        }
    }

    fn start(&mut self, actions: Vec<Action>) {
        if actions.is_empty() {
            return;
        }
        let snapshot = Arc::new(Snapshot {
            controller: self.controller.clone(),
            record: self.record.clone(),
            segment: self.state.segment.clone(),
            registration: self.state.registration.clone(),
            newest_task: self.state.journal.newest_task().cloned(),
            ports: self.which_ports(),
            again: self.state.operation.as_ref().is_some_and(|o| o.checked),
        });
        let operation = self.state.operation.as_ref().map(|o| o.id);
        for action in actions {
            self.in_flight.extend(action.keys());
            if matches!(action, Action::CreatePorts(..)) {
                self.waves += 1;
            }
            let (asked, asked_at) = (self.controller.ticker.tick(), self.controller.clock.mono());
            let flight = Flight { action, operation, asked, asked_at };
            self.running.push(perform(snapshot.clone(), flight).boxed());
        }
    }
}

/// The code of the error that says that a record cannot be read.
const UNREADABLE: &str = "cluster_unreadable";

/// Time that goes by is no news by itself.
fn same_but_for_time(one: &ClusterState, other: &ClusterState) -> bool {
    let times = |s: &ClusterState| s.operation.as_ref().map(|o| (o.watched, o.waited, o.without_address));
    if times(one) == times(other) {
        return one == other;
    }
    let mut one = one.clone();
    if let (Some(mine), Some((watched, waited, without_address))) = (one.operation.as_mut(), times(other)) {
        mine.watched = watched;
        mine.waited = waited;
        mine.without_address = without_address;
    }
    one == *other
}

fn word(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Create => "Create",
        OperationKind::Start => "Start",
        OperationKind::Stop => "Stop",
        OperationKind::Delete => "Delete",
    }
}
