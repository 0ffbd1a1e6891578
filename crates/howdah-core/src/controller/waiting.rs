//! Waiting: for answers and for what the vCenter watch says, and keeping that watch open.
//!
//! Invariant: waiting can be dropped at any moment without losing anything that has come in.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;

use super::session::{Done, Session, Watch};
use crate::action::Action;
use crate::cluster::{Event, Level};
use crate::facts::WatchEvent;
use crate::failure::{RemoteError, clause};
use crate::traits::Remote;

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
    pub(super) fn keep_watching(&mut self, now: Timestamp) {
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
                message: format!("The watch on the cluster's VMs is down and will be set up again: {}.", clause(error)),
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
