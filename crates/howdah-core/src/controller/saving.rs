//! What a pass writes down: intents before their effects, and what is known.
//!
//! Invariant: what an action depends on is in the store before the action starts. The rest is written now and
//! then, so that a busy cluster does not write all the time.

use std::time::Duration;

use super::session::Session;
use crate::action::Action;
use crate::health;
use crate::intent::{Phase, Verb};
use crate::known::ClusterState;
use crate::systems::Remote;
use crate::time::Mono;

/// Watched time alone is written down this often.
const WATCHED_EVERY: Duration = Duration::from_secs(60);

impl Session<'_> {
    /// The nodes have their password now. Credentials of the template are needed to the end, and
    /// what cannot be read is left as it is.
    pub(super) async fn forget_password(&mut self) -> Remote<()> {
        let (store, key) = (&self.controller.store, self.record.key());
        match store.secrets(&key).await {
            Ok(secrets) if secrets.credentials.is_none() => store.forget_secrets(&key).await,
            Err(e) if e.code != health::SECRETS_UNREADABLE => Err(e),
            _ => Ok(()),
        }
    }

    /// What must be in the store before these actions start. Returns whether anything must.
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

    /// Writes down what is known, at once if something depends on it, else now and then. Returns
    /// when to come back for what was put off.
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
