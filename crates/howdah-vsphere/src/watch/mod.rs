//! The watch on the clusters' VMs: one task, one session and one property collector for a whole site,
//! for any number of clusters.
//!
//! ```text
//!            first listener            all set up               update, command, resync
//!  idle ---------------------> starting ---------> following <-----------+
//!   ^  ^                          |                   |  |  |            |
//!   |  +--------------------------+--- last listener -+  |  +------------+
//!   |                             |       leaves         |
//!   +-- waiting <-----------------+----------------------+  connection, session or collector lost
//!       (backoff)
//! ```
//!
//! Invariants: the events of a listener add up to the last state of vCenter; after a lost connection it gets
//! [`WatchEvent::Reset`] first. The number of calls depends only on the watched clusters' VMs: the
//! site-wide filter covers folders, and VMs are read from the clusters' folders down, many folders in
//! one call.

mod folders;
mod follow;
mod site;
mod vms;

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::stream::{BoxStream, Stream, StreamExt};
use howdah_core::failure::ErrorKind;
use howdah_core::ids::ClusterName;
use howdah_core::systems::Remote;
use howdah_core::systems::vcenter::WatchEvent;
use howdah_transport::Backoff;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::error::Error;
use crate::fault::FaultKind;
use crate::session::Session;
use site::Site;

/// How often everything is read again, in case an update was lost.
pub(crate) const RESYNC: Duration = Duration::from_secs(600);

/// The pause after a refused login: vCenter locks accounts.
const AFTER_REFUSED_LOGIN: Duration = Duration::from_secs(300);

/// A moment in the order of updates: the number of the set of updates.
type Age = u64;

/// The sender of a listener.
type Listener = mpsc::UnboundedSender<Remote<WatchEvent>>;

/// A command for the task.
enum Command {
    Listen { cluster: String, id: u64, to: Listener },
    Leave { cluster: String, id: u64 },
}

/// The handle of the task; the task starts with the first stream and ends when the handle and all
/// streams are gone.
pub(crate) struct Watcher {
    session: Arc<Session>,
    folder_prefix: String,
    commands: OnceLock<mpsc::UnboundedSender<Command>>,
    next: AtomicU64,
}

impl Watcher {
    pub(crate) fn new(session: Arc<Session>, folder_prefix: String) -> Self {
        Self { session, folder_prefix, commands: OnceLock::new(), next: AtomicU64::new(0) }
    }

    /// Watches a cluster's VMs until the stream is dropped.
    pub(crate) fn watch(&self, cluster: &ClusterName) -> BoxStream<'static, Remote<WatchEvent>> {
        let commands = self.commands.get_or_init(|| {
            let (send, receive) = mpsc::unbounded_channel();
            tokio::spawn(run(self.session.clone(), self.folder_prefix.clone(), receive));
            send
        });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (to, events) = mpsc::unbounded_channel();
        let cluster = cluster.as_str().to_owned();
        // The task ends only after the last sender, so it still receives this.
        let _ = commands.send(Command::Listen { cluster: cluster.clone(), id, to });
        Watching { events, commands: commands.clone(), cluster, id }.boxed()
    }
}

/// The receiving end of a listener.
struct Watching {
    events: mpsc::UnboundedReceiver<Remote<WatchEvent>>,
    commands: mpsc::UnboundedSender<Command>,
    cluster: String,
    id: u64,
}

impl Stream for Watching {
    type Item = Remote<WatchEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll_recv(cx)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Leave { cluster: std::mem::take(&mut self.cluster), id: self.id });
    }
}

/// Why the watch ended.
enum Ended {
    /// No listener is left.
    Idle,
    /// No listener can be added.
    Closed,
    /// An error.
    Lost(Error),
}

async fn run(session: Arc<Session>, folder_prefix: String, mut commands: mpsc::UnboundedReceiver<Command>) {
    let backoff = Backoff { first: Duration::from_millis(250), max: Duration::from_secs(30), attempts: u32::MAX };
    let mut site = Site::new(folder_prefix);
    let mut failures = 0;
    loop {
        while site.is_empty() {
            match commands.recv().await {
                Some(command) => site.take(command),
                None => return,
            }
        }
        match follow::follow(&session, &mut site, &mut commands, &mut failures).await {
            Ended::Idle => {
                site.lose();
                session.log_out().await;
            }
            Ended::Closed => return session.log_out().await,
            Ended::Lost(error) => {
                let expected = failures == 0 && is_end_of_session(&error);
                failures += 1;
                site.lose();
                if expected {
                    tracing::info!(%error, "restarting the watch");
                } else {
                    tracing::warn!(error = %howdah_core::failure::chain(&error), failures, "the watch was interrupted");
                }
                let wait = match error.kind() {
                    ErrorKind::Credentials => AFTER_REFUSED_LOGIN,
                    _ if expected => Duration::ZERO,
                    _ => backoff.delay(failures),
                };
                if !expected {
                    site.tell_error(error);
                }
                pause(wait, &mut site, &mut commands).await;
            }
        }
    }
}

/// Waits, and handles commands meanwhile.
async fn pause(wait: Duration, site: &mut Site, commands: &mut mpsc::UnboundedReceiver<Command>) {
    let until = Instant::now() + wait;
    while !site.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, commands.recv()).await {
            Ok(Some(command)) => site.take(command),
            Ok(None) | Err(_) => return,
        }
    }
}

/// Whether the session or its objects are gone while the server is healthy.
fn is_end_of_session(error: &Error) -> bool {
    matches!(
        error.fault_kind(),
        Some(
            FaultKind::NotAuthenticated
                | FaultKind::RequestCanceled
                | FaultKind::InvalidCollectorVersion
                | FaultKind::ManagedObjectNotFound
        )
    )
}
