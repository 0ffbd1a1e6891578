//! Waiting: for answers and for what the vCenter watch says, and keeping that watch open.
//!
//! Invariant: waiting can be dropped at any moment without losing anything that has come in.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use super::session::{Done, Session, Watch, WatchTrouble};
use crate::action::Action;
use crate::failure::clause;
use crate::systems::Remote;
use crate::systems::vcenter::WatchEvent;
use crate::time::Mono;
use crate::trouble;

impl Session<'_> {
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

    fn answered(&mut self, (flight, answer): Done) {
        for key in flight.action.keys() {
            self.in_flight.remove(&key);
        }
        if matches!(flight.action, Action::CreatePorts(..)) {
            self.waves -= 1;
        }
        self.absorb(flight, answer);
    }

    fn watched(&mut self, event: Option<Remote<WatchEvent>>) {
        match event {
            Some(Ok(event)) => {
                self.watch_trouble = None;
                self.seen.apply(event);
            }
            Some(Err(error)) => self.watch_is_down(clause(&error)),
            None => {
                // It ended without a word; not at once again, in case it does so every time.
                self.watch = None;
                self.watch_is_down("it ended without a word".to_owned());
            }
        }
    }

    /// Begins to open the watch if there is none, but not while its last try is too fresh. That it
    /// is down is a condition of the cluster.
    pub(super) fn keep_watching(&mut self, now: Mono) {
        let fresh = self.watch_trouble.as_ref().is_some_and(|t| t.not_before > now);
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
            Err(error) => self.watch_is_down(clause(&error)),
        }
    }

    fn watch_is_down(&mut self, says: String) {
        let now = self.controller.clock.mono();
        let tries = self.watch_trouble.as_ref().map_or(0, |t| t.tries) + 1;
        let since = self.watch_trouble.as_ref().map_or(now, |t| t.since);
        let wait = trouble::pause(&self.controller.policy, tries, self.controller.entropy.fraction());
        self.watch_trouble = Some(WatchTrouble { since, tries, not_before: now.plus(wait), says });
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
        let key = self.record.key();
        self.controller.store.save(&key, &self.state, &std::mem::take(&mut self.events)).await
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
