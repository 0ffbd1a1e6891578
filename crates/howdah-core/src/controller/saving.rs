//! What a pass saves: intents before their effects, and the known state.
//!
//! Invariant: the state on which an action depends is in the store before the action starts. Everything else
//! is saved at intervals, so that a busy cluster does not write constantly.

use std::time::Duration;

use super::session::Session;
use crate::action::Action;
use crate::health;
use crate::intent::{Phase, Verb};
use crate::known::ClusterState;
use crate::systems::Remote;
use crate::time::Mono;

/// How often a change of the watched time alone is saved.
const WATCHED_EVERY: Duration = Duration::from_secs(60);

impl Session<'_> {
    /// The nodes have their password now. The template's credentials are needed until the end, and
    /// unreadable secrets stay as they are.
    pub(super) async fn forget_password(&mut self) -> Remote<()> {
        let (store, key) = (&self.controller.store, self.record.key());
        match store.secrets(&key).await {
            Ok(secrets) if secrets.credentials.is_none() => store.forget_secrets(&key).await,
            Err(e) if e.code != health::SECRETS_UNREADABLE => Err(e),
            _ => Ok(()),
        }
    }

    /// Records what must be in the store before these actions start. Returns whether there is anything.
    pub(super) fn write_intents(&mut self, start: &[Action]) -> bool {
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

    /// Saves the known state: immediately if something depends on it, else at intervals. Returns when the
    /// deferred save is due.
    pub(super) async fn save(&mut self, intent: bool, now: Mono) -> Remote<Option<Duration>> {
        let ended = |s: &ClusterState| s.operation.as_ref().map(|o| (o.id, o.state));
        let must = intent || ended(&self.state) != ended(&self.saved);
        let age = now.since(self.saved_at);
        let news = !self.events.is_empty() || !same_but_for_time(&self.state, &self.saved);
        if !must && !news && (age < WATCHED_EVERY || self.state == self.saved) {
            return Ok(None);
        }
        let every = self.controller.policy.save_every(self.state.nodes.len());
        if !must && age < every {
            return Ok(Some(every - age));
        }
        self.controller.store.save(&self.record.key(), &self.state, &self.events).await?;
        self.events.clear();
        self.saved = self.state.clone();
        self.saved_at = now;
        Ok(None)
    }
}

/// Elapsed time alone is not a change.
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
