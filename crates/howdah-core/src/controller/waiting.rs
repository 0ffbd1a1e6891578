//! Waits for answers and for updates of the vCenter watch, and keeps that watch open.
//!
//! Invariant: the wait can be dropped at any moment without losing anything that has arrived.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use super::Why;
use super::session::{Done, Session, Watch};
use crate::action::{Action, Key};
use crate::failure::{ErrorKind, RemoteError, System};
use crate::systems::Remote;
use crate::systems::vcenter::WatchEvent;
use crate::time::Mono;

impl Session<'_> {
    /// Ends when an answer or a vCenter update has arrived, and processes all that are available. Says which
    /// came first.
    pub(super) async fn something_happens(&mut self) -> Why {
        let why = tokio::select! {
            Some(done) = self.running.next(), if !self.running.is_empty() => {
                let kind = done.0.action.kind();
                self.answered(done);
                Why::Answer(kind)
            }
            opened = opened(&mut self.opening), if self.opening.is_some() => {
                self.opened(opened);
                Why::Watch
            }
            event = next(&mut self.watch), if self.watch.is_some() => {
                self.watched(event);
                Why::Watch
            }
            else => std::future::pending().await,
        };
        while let Some(Some(done)) = self.running.next().now_or_never() {
            self.answered(done);
        }
        while self.watch.is_some() {
            match next(&mut self.watch).now_or_never() {
                Some(event) => self.watched(event),
                None => break,
            }
        }
        why
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
                self.troubles.calm(&[Key::Watch]);
                self.seen.apply(event);
            }
            Some(Err(error)) => self.watch_is_down(&error),
            None => {
                // It ended without an error; pause before the next try, in case it always does.
                self.watch = None;
                let says = "the watch ended without an error";
                self.watch_is_down(&RemoteError::new(
                    System::VCenter,
                    ErrorKind::Unavailable,
                    "vcenter_watch_lost",
                    says,
                ));
            }
        }
    }

    /// Opens the watch if there is none and its last try is long enough ago. A watch that is down is a
    /// condition of the cluster.
    pub(super) fn keep_watching(&mut self, now: Mono) {
        let pause = self.troubles.wait(&[Key::Watch], now);
        if self.watch.is_some() || self.opening.is_some() || pause.is_some() {
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
        let ended = self.controller.ticker.tick();
        self.in_trouble(vec![Key::Watch], "watch the cluster's VMs", error, None, ended);
    }

    /// Waits a while for running actions to end, then saves everything.
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
