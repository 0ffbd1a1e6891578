//! A controller's working memory for one cluster, and what happens around a pass.
//!
//! Invariant: a pass works on a copy. If the store fails, the copy is dropped and the pass is made again later.
//! What a pass does is in [`super::pass`].

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered};
use tokio::sync::Notify;

use super::Controller;
use super::act::{Answer, Flight, Snapshot, perform};
use super::operation::request_of;
use crate::action::{Action, Key};
use crate::document::Row;
use crate::event::Event;
use crate::failure::chain;
use crate::findings::Findings;
use crate::ids::ClusterKey;
use crate::intent::Verb;
use crate::known::{ClusterState, OperationState};
use crate::observe::Memo;
use crate::request::within;
use crate::seen::Seen;
use crate::site::keeper::Fresh;
use crate::site::turns::Seat;
use crate::systems::Remote;
use crate::systems::manager::TaskState;
use crate::systems::vcenter::WatchEvent;
use crate::time::Mono;
use crate::trouble::Troubles;
use crate::wanted::ClusterRecord;

pub(super) type Watch = BoxStream<'static, Remote<WatchEvent>>;
pub(super) type Done = (Flight, Remote<Answer>);

pub(super) struct Session<'a> {
    pub(super) controller: &'a Controller,
    pub(super) record: ClusterRecord,
    pub(super) state: ClusterState,
    pub(super) seen: Seen,
    pub(super) troubles: Troubles,
    pub(super) events: Vec<Event>,
    pub(super) findings: Findings,
    pub(super) memo: Memo,
    /// Until when a port whose answer was lost may still turn up.
    pub(super) ports_settle: Option<Mono>,
    pub(super) in_flight: BTreeSet<Key>,
    pub(super) running: FuturesUnordered<BoxFuture<'static, Done>>,
    pub(super) waves: usize,
    pub(super) watch: Option<Watch>,
    pub(super) opening: Option<BoxFuture<'static, Remote<Watch>>>,
    pub(super) seat: Seat,
    pub(super) passes: u64,
    pub(super) last_pass: Mono,
    pub(super) saved: ClusterState,
    pub(super) saved_at: Mono,
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
            memo: Memo::default(),
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
                tracing::warn!(cluster = %self.record.id, error = %chain(&error), "the store is failing");
                let ended = self.controller.ticker.tick();
                self.in_trouble(vec![Key::Store], "save the cluster's state", &error, None, ended);
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

    /// Which list of the manager's clusters will do: none while an operation runs, or if the last look is
    /// recent, because a caller that looks again so early needs the newest facts.
    fn which_looks(&self) -> Option<Fresh> {
        let Controller { clock, policy, ticker, .. } = self.controller;
        if self.state.operation.as_ref().is_some_and(|o| o.state == OperationState::Running) {
            return None;
        }
        match self.seen.cluster.age(clock.mono()) {
            None => Some(Fresh::After(ticker.tick())),
            Some(age) => (age >= policy.idle_poll).then(|| Fresh::Within(policy.shared_lasts())),
        }
    }

    /// Which list of ports is sufficient: if the own list is only old, a recent one of another cluster. A caller
    /// that needs a new list earlier needs the current state.
    fn which_ports(&self) -> Fresh {
        let Controller { clock, policy, ticker, .. } = self.controller;
        match self.seen.ports.age(clock.mono()) {
            Some(age) if age >= policy.idle_poll => Fresh::Within(policy.shared_lasts()),
            _ => Fresh::After(ticker.tick()),
        }
    }

    pub(super) fn start(&mut self, actions: Vec<Action>) {
        if actions.is_empty() {
            return;
        }
        let snapshot = Arc::new(Snapshot {
            controller: self.controller.clone(),
            record: self.record.clone(),
            segment: self.state.segment.clone(),
            registration: self.state.registration.clone(),
            newest_task: self.state.journal.newest_task().cloned(),
            looks: self.which_looks(),
            ended_task: self.seen.task.last().cloned().flatten().filter(|t| t.state != TaskState::Running),
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
            let request = request_of(&self.record, &self.state);
            self.running.push(within(request, perform(snapshot.clone(), flight)).boxed());
        }
    }
}

/// The code of the error that says that a record cannot be read.
const UNREADABLE: &str = "cluster_unreadable";
