//! A controller's working memory for one cluster, and one pass of its loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered};
use jiff::Timestamp;

use super::Controller;
use super::act::{Answer, Snapshot, perform};
use crate::action::{Action, Key};
use crate::cluster::{
    Asked, ClusterRecord, ClusterState, CreateCall, Event, Level, OperationKind, OperationProgress, OperationState,
    Wanted,
};
use crate::decide::{Outcome, View, decide, since};
use crate::facts::WatchEvent;
use crate::ids::ClusterId;
use crate::observe::{observe, status};
use crate::report;
use crate::seen::Seen;
use crate::traits::Remote;

/// A call that failed and will be tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble {
    /// When it failed first.
    pub(super) since: Timestamp,
    /// How often in a row.
    pub(super) tries: u32,
    /// Not before then.
    pub(super) not_before: Timestamp,
}

pub(super) type Watch = BoxStream<'static, Remote<WatchEvent>>;
pub(super) type Done = (Action, Remote<Answer>);

pub(super) struct Session<'a> {
    pub(super) controller: &'a Controller,
    pub(super) record: ClusterRecord,
    pub(super) state: ClusterState,
    pub(super) seen: Seen,
    pub(super) trouble: BTreeMap<Key, Trouble>,
    pub(super) events: Vec<Event>,
    /// Why ports could not be made, while they cannot.
    pub(super) port_error: Option<String>,
    pub(super) in_flight: BTreeSet<Key>,
    pub(super) running: FuturesUnordered<BoxFuture<'static, Done>>,
    pub(super) waves: usize,
    pub(super) watch: Option<Watch>,
    pub(super) opening: Option<BoxFuture<'static, Remote<Watch>>>,
    pub(super) watch_trouble: Option<Trouble>,
    saved: ClusterState,
    saved_at: Timestamp,
    gone: bool,
}

impl<'a> Session<'a> {
    /// Takes a cluster up from the store; `None` if it is not there.
    pub(super) async fn begin(controller: &'a Controller, id: ClusterId) -> Remote<Option<Self>> {
        let Some((record, state)) = controller.store.load(&id).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            controller,
            record,
            saved: state.clone(),
            saved_at: controller.clock.now(),
            state,
            seen: Seen::default(),
            trouble: BTreeMap::new(),
            events: vec![],
            port_error: None,
            in_flight: BTreeSet::new(),
            running: FuturesUnordered::new(),
            waves: 0,
            watch: None,
            opening: None,
            watch_trouble: None,
            gone: false,
        }))
    }

    /// Reads what is wanted now.
    pub(super) async fn reload(&mut self) -> Remote<()> {
        match self.controller.store.load(&self.record.id).await? {
            Some((record, _)) => self.record = record,
            None => self.gone = true,
        }
        Ok(())
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Observe, decide, save, start. Returns how long it may be until the next pass; `None` when
    /// the cluster is gone.
    pub(super) async fn pass(&mut self) -> Remote<Option<Duration>> {
        let now = self.controller.clock.now();
        self.take_up(now);
        self.keep_watching(now);
        let told = observe(&self.record, &mut self.state, &self.seen, self.controller.site.backend, now);
        self.events.extend(told);
        let decision = decide(&View {
            record: &self.record,
            state: &self.state,
            seen: &self.seen,
            in_flight: &self.in_flight,
            waves: self.waves,
            policy: &self.controller.policy,
            backend: self.controller.site.backend,
            now,
        });
        let mut again = decision.again;
        let mut start = Vec::new();
        if decision.outcome.is_none() || self.record.wanted == Wanted::Running {
            for action in decision.actions {
                match self.held_back(&action, now) {
                    Some(wait) => again = again.min(wait),
                    None => start.push(action),
                }
            }
        }
        match decision.outcome {
            Some(Outcome::Removed) => {
                self.finish(OperationState::Succeeded, None, now);
                self.controller.store.remove(&self.record.id, &std::mem::take(&mut self.events)).await?;
                return Ok(None);
            }
            Some(Outcome::Succeeded) => {
                self.finish(OperationState::Succeeded, None, now);
                self.forget_password().await?;
            }
            Some(Outcome::Failed(failure)) => {
                let failure = report::because_of_ports(failure, self.port_error.as_deref());
                self.finish(OperationState::Failed, Some(failure), now);
            }
            None => {}
        }
        self.state.status = status(&self.state);
        let intent = self.write_intents(&start, now);
        if let Some(wait) = self.save(intent, now).await? {
            again = again.min(wait);
        }
        self.start(start);
        let idle = self.watch.is_none() && self.opening.is_none();
        if let Some(trouble) = self.watch_trouble.filter(|_| idle) {
            again = again.min(since(now, trouble.not_before));
        }
        Ok(Some(again))
    }

    /// Begins the newest operation if it is not the one being worked on.
    fn take_up(&mut self, now: Timestamp) {
        let wanted = &self.record.operation;
        if self.state.operation.as_ref().is_some_and(|o| o.id == wanted.id) {
            return;
        }
        if let Some(old) = &mut self.state.operation
            && old.state == OperationState::Running
        {
            self.events.push(Event {
                at: now,
                level: Level::Info,
                reason: "operation_superseded".to_owned(),
                node: None,
                message: format!("{} gives way to {}.", word(old.kind), word(wanted.kind)),
            });
        }
        self.events.push(Event {
            at: now,
            level: Level::Info,
            reason: "operation_started".to_owned(),
            node: None,
            message: format!("{} of cluster {} started.", word(wanted.kind), self.record.name),
        });
        self.state.operation = Some(OperationProgress {
            id: wanted.id,
            kind: wanted.kind,
            state: OperationState::Running,
            started: now,
            ended: None,
            failure: None,
            checked: false,
            asked: vec![],
        });
        self.state.progress = 0.0;
        self.trouble.clear();
        // Whatever was seen before the request is stale for it.
        self.seen.forget_manager();
        self.seen.ports = None;
    }

    pub(super) fn finish(&mut self, end: OperationState, failure: Option<crate::failure::Failure>, now: Timestamp) {
        let Some(operation) = &mut self.state.operation else {
            return;
        };
        let took = since(operation.started, now).as_secs();
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
        self.events.push(Event { at: now, level, reason: reason.to_owned(), node: None, message });
    }

    /// The nodes have their password now. Credentials of the template are needed to the end.
    async fn forget_password(&mut self) -> Remote<()> {
        let store = &self.controller.store;
        if store.secrets(&self.record.id).await?.credentials.is_none() {
            store.forget_secrets(&self.record.id).await?;
        }
        Ok(())
    }

    /// What must be in the store before these actions start. Returns whether anything must.
    fn write_intents(&mut self, start: &[Action], now: Timestamp) -> bool {
        let mut intent = false;
        for action in start {
            let asked = match action {
                Action::Create(_) => {
                    self.state.create_call = CreateCall::Sent { at: now };
                    Asked::Create
                }
                Action::Change(change) => Asked::Change(*change),
                Action::Delete => Asked::Delete,
                _ => continue,
            };
            if let Some(operation) = &mut self.state.operation
                && !operation.asked.contains(&asked)
            {
                operation.asked.push(asked);
            }
            intent = true;
        }
        intent
    }

    /// Writes down what is known, at once if something depends on it, else now and then. Returns
    /// when to come back for what was put off.
    async fn save(&mut self, intent: bool, now: Timestamp) -> Remote<Option<Duration>> {
        let ended = |s: &ClusterState| s.operation.as_ref().map(|o| (o.id, o.state));
        let must = intent || ended(&self.state) != ended(&self.saved);
        if !must && self.events.is_empty() && self.state == self.saved {
            return Ok(None);
        }
        let age = since(self.saved_at, now);
        let every = self.controller.policy.save_every;
        if !must && age < every {
            return Ok(Some(every - age));
        }
        self.controller.store.save(&self.record.id, &self.state, &self.events).await?;
        self.events.clear();
        self.saved = self.state.clone();
        self.saved_at = now;
        Ok(None)
    }

    /// How long this action has to wait because it failed a moment ago.
    fn held_back(&self, action: &Action, now: Timestamp) -> Option<Duration> {
        action
            .keys()
            .iter()
            .filter_map(|k| self.trouble.get(k))
            .map(|t| since(now, t.not_before))
            .max()
            .filter(|wait| !wait.is_zero())
    }

    fn start(&mut self, actions: Vec<Action>) {
        if actions.is_empty() {
            return;
        }
        let snapshot = Arc::new(Snapshot {
            controller: self.controller.clone(),
            record: self.record.clone(),
            state: self.state.clone(),
            seen: self.seen.clone(),
        });
        for action in actions {
            self.in_flight.extend(action.keys());
            if matches!(action, Action::CreatePorts(_)) {
                self.waves += 1;
            }
            self.running.push(perform(snapshot.clone(), action).boxed());
        }
    }
}

fn word(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Create => "Create",
        OperationKind::Start => "Start",
        OperationKind::Stop => "Stop",
        OperationKind::Delete => "Delete",
    }
}
