//! A controller's working memory for one cluster, and one pass of its loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered};
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;

use super::Controller;
use super::act::{Answer, Snapshot, perform};
use crate::cluster::{
    Asked, ClusterRecord, ClusterState, CreateCall, Event, Level, OperationKind, OperationProgress, OperationState,
    Wanted,
};
use crate::decide::{Action, Key, Outcome, View, decide, since};
use crate::facts::WatchEvent;
use crate::failure::{RemoteError, chain};
use crate::ids::ClusterId;
use crate::observe::{observe, status};
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

type Watch = BoxStream<'static, Remote<WatchEvent>>;
pub(super) type Done = (Action, Remote<Answer>);

pub(super) struct Session<'a> {
    pub(super) controller: &'a Controller,
    pub(super) record: ClusterRecord,
    pub(super) state: ClusterState,
    pub(super) seen: Seen,
    pub(super) trouble: BTreeMap<Key, Trouble>,
    pub(super) events: Vec<Event>,
    pub(super) in_flight: BTreeSet<Key>,
    running: FuturesUnordered<BoxFuture<'static, Done>>,
    waves: usize,
    watch: Option<Watch>,
    opening: Option<BoxFuture<'static, Remote<Watch>>>,
    watch_trouble: Option<Trouble>,
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
            Some(Outcome::Failed(failure)) => self.finish(OperationState::Failed, Some(failure), now),
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

    // ------------------------------------------------------------ waiting

    /// Ends when an answer or a vCenter update has come in, and takes in all there are.
    pub(super) async fn something_happens(&mut self) {
        tokio::select! {
            Some(done) = self.running.next(), if !self.running.is_empty() => self.answered(done),
            opened = opened(&mut self.opening), if self.opening.is_some() => self.opened(opened),
            event = next(&mut self.watch), if self.watch.is_some() => self.watched(event),
            else => std::future::pending().await,
        }
        while let Some(Some(done)) = self.running.next().now_or_never() {
            self.answered(done);
        }
        while self.watch.is_some() {
            match next(&mut self.watch).now_or_never() {
                Some(event) => self.watched(event),
                None => break,
            }
        }
    }

    fn answered(&mut self, (action, answer): Done) {
        for key in action.keys() {
            self.in_flight.remove(&key);
        }
        if matches!(action, Action::CreatePorts(_)) {
            self.waves -= 1;
        }
        let now = self.controller.clock.now();
        self.absorb(action, answer, now);
    }

    fn watched(&mut self, event: Option<Remote<WatchEvent>>) {
        match event {
            Some(Ok(event)) => {
                self.watch_trouble = None;
                self.seen.apply(event);
            }
            Some(Err(error)) => self.watch_is_down(&error),
            None => {
                // It ended without a word; not at once again, in case it does so every time.
                self.watch = None;
                self.watch_trouble = Some(self.next_trouble(self.watch_trouble, self.controller.clock.now()));
            }
        }
    }

    /// Begins to open the watch if there is none, but not while its last try is too fresh. What it
    /// fails with is told as an event; the operation's own calls decide whether vCenter is given up.
    fn keep_watching(&mut self, now: Timestamp) {
        let fresh = self.watch_trouble.is_some_and(|t| t.not_before > now);
        if self.watch.is_some() || self.opening.is_some() || fresh {
            return;
        }
        let (vcenter, name) = (self.controller.site.vcenter.clone(), self.record.name.clone());
        self.opening = Some(async move { vcenter.watch(&name).await }.boxed());
    }

    fn opened(&mut self, watch: Remote<Watch>) {
        self.opening = None;
        match watch {
            Ok(stream) => {
                self.seen.apply(WatchEvent::Reset);
                self.watch = Some(stream);
            }
            Err(error) => self.watch_is_down(&error),
        }
    }

    fn watch_is_down(&mut self, error: &RemoteError) {
        let now = self.controller.clock.now();
        if self.watch_trouble.is_none() {
            self.events.push(Event {
                at: now,
                level: Level::Warning,
                reason: "watch_lost".to_owned(),
                node: None,
                message: format!("The watch on the cluster's VMs is down and will be set up again: {}.", chain(error)),
            });
        }
        self.watch_trouble = Some(self.next_trouble(self.watch_trouble, now));
    }

    /// Lets what is under way end, for a while; then writes everything down.
    pub(super) async fn drain(&mut self, limit: Duration) -> Remote<()> {
        let deadline = self.controller.clock.sleep(limit);
        let all = async {
            while let Some(done) = self.running.next().await {
                self.answered(done);
            }
        };
        tokio::select! { () = all => {} () = deadline => {} }
        self.controller.store.save(&self.record.id, &self.state, &std::mem::take(&mut self.events)).await
    }
}

async fn next(watch: &mut Option<Watch>) -> Option<Remote<WatchEvent>> {
    match watch {
        Some(stream) => stream.next().await,
        None => None,
    }
}

async fn opened(opening: &mut Option<BoxFuture<'static, Remote<Watch>>>) -> Remote<Watch> {
    match opening {
        Some(future) => future.await,
        None => std::future::pending().await,
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
