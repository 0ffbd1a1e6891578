//! The watch within one login: waits for updates, and makes the calls that they require in parallel.
//! Any error ends it; the caller restarts and compares.
//!
//! Invariant: no other call delays a wait, and an update alone is enough to report a VM. A short pause
//! between two waits combines simultaneous changes in one call; an update after a quiet time is reported
//! immediately.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::site::Site;
use super::{Age, Command, Ended, RESYNC};
use crate::error::Error;
use crate::fault::FaultKind;
use crate::request::{self, Ref};
use crate::retrieve::{Object, Wanted, retrieve_in};
use crate::session::{Live, Session};
use crate::update::{self, LONGEST_WAIT, UpdateSet};
use crate::vm::{DEVICES, LIGHT, PARENT};

/// How long a cancelled wait may take to end.
const CANCEL: Duration = Duration::from_secs(2);
/// The pause between a set of updates and the next wait while VMs are being created: their ports are urgent.
const PAUSE: Duration = Duration::from_millis(150);
/// The pause while all VMs are on.
const LONG_PAUSE: Duration = Duration::from_secs(1);
/// The maximum number of folders in one filter, and in one read.
const FOLDERS: usize = 100;
/// The maximum number of concurrent calls of [`Job`].
const JOBS: usize = 4;

/// A pending call.
enum Job {
    Open(Vec<String>),
    ReadFolders,
    Read(Vec<String>),
    Remove(Ref),
    Cancel,
}

/// The result of a call.
enum Done {
    Opened(Vec<String>, Result<Ref, Error>),
    FoldersRead(Age, Result<Vec<Object>, Error>),
    Read(Vec<String>, Age, Result<Vec<Object>, Error>),
    Nothing,
}

type Wait<'a> = Pin<Box<dyn Future<Output = Result<Option<UpdateSet>, Error>> + Send + 'a>>;

/// The state within a login.
struct Watch<'a> {
    session: &'a Session,
    live: &'a Live,
    collector: Ref,
    folder_view: Ref,
    folder_filter: Ref,
    version: String,
    jobs: VecDeque<Job>,
    running: FuturesUnordered<BoxFuture<'a, Done>>,
    /// Filters are being created, or are pending.
    opening: usize,
    /// The current wait may not include the newest filter.
    outdated: bool,
    /// A wait is being cancelled, with the time of the next try.
    cancelled: Option<Instant>,
}

pub(super) async fn follow(
    session: &Session,
    site: &mut Site,
    commands: &mut mpsc::UnboundedReceiver<Command>,
    failures: &mut u32,
) -> Ended {
    let live = match session.live().await {
        Ok(live) => live,
        Err(e) => return Ended::Lost(e),
    };
    let result = async {
        let mut watch = Watch::start(session, &live).await?;
        let result = watch.run(site, commands, failures).await;
        if result.is_ok() {
            update::destroy_collector(session, &live, &watch.collector).await;
            update::destroy(session, &live, "DestroyView", &watch.folder_view).await;
        }
        result
    }
    .await;
    match result {
        Ok(ended) => ended,
        Err(e) => {
            // No leftover of it may be used again.
            session.bury(&live).await;
            Ended::Lost(e)
        }
    }
}

impl<'a> Watch<'a> {
    async fn start(session: &'a Session, live: &'a Live) -> Result<Self, Error> {
        let collector = update::create_collector(session, live).await?;
        let folder_view = update::create_view(session, live, &live.content.root, &["Folder"]).await?;
        let wanted = folders(&folder_view);
        let folder_filter = update::create_filter(session, live, &collector, wanted.properties, wanted.objects).await?;
        Ok(Self {
            session,
            live,
            collector,
            folder_view,
            folder_filter,
            version: String::new(),
            jobs: VecDeque::from([Job::ReadFolders]),
            running: FuturesUnordered::new(),
            opening: 0,
            outdated: false,
            cancelled: None,
        })
    }

    async fn run(
        &mut self,
        site: &mut Site,
        commands: &mut mpsc::UnboundedReceiver<Command>,
        failures: &mut u32,
    ) -> Result<Ended, Error> {
        let mut wait = Some(self.wait());
        let mut wait_at = Instant::now();
        let mut resync_at = Instant::now() + RESYNC;
        loop {
            while let Ok(command) = commands.try_recv() {
                site.take(command);
            }
            if site.is_empty() {
                return Ok(if commands.is_closed() { Ended::Closed } else { Ended::Idle });
            }
            if Instant::now() >= resync_at {
                self.resync(site);
                resync_at = Instant::now() + RESYNC;
            }
            if wait.is_none() && Instant::now() >= wait_at {
                wait = Some(self.wait());
            }
            self.rearrange(site, wait.is_some());
            site.tell();
            self.start_calls(site);
            let mut timer = self.cancelled.map_or(resync_at, |again| again.min(resync_at));
            if wait.is_none() {
                timer = timer.min(wait_at);
            }
            tokio::select! {
                result = ended(&mut wait) => {
                    wait_at = Instant::now();
                    match result {
                        Ok(Some(set)) => {
                            self.take(site, &set);
                            wait_at += if set.truncated { Duration::ZERO } else { self.pause(site) };
                        }
                        Ok(None) => {}
                        Err(e) if self.cancelled.is_some() && e.fault_kind() == Some(FaultKind::RequestCanceled) => {}
                        Err(e) => return Err(e),
                    }
                    *failures = 0;
                    wait = None;
                }
                Some(done) = self.running.next() => self.finish(site, done)?,
                command = commands.recv() => match command {
                    Some(command) => site.take(command),
                    None => return Ok(Ended::Closed),
                },
                () = tokio::time::sleep_until(timer) => {}
            }
        }
    }

    /// The next wait. It continues where the previous one ended, so no update is lost.
    fn wait(&mut self) -> Wait<'a> {
        (self.outdated, self.cancelled) = (false, None);
        let (session, live, collector, version) =
            (self.session, self.live, self.collector.clone(), self.version.clone());
        Box::pin(async move { update::wait(session, live, &collector, &version, LONGEST_WAIT).await })
    }

    fn pause(&self, site: &Site) -> Duration {
        if site.is_calm() { LONG_PAUSE } else { PAUSE }
    }

    fn take(&mut self, site: &mut Site, set: &UpdateSet) {
        self.version.clone_from(&set.version);
        site.begin_set();
        for filter in &set.filters {
            if filter.filter == self.folder_filter.value {
                filter.objects.iter().for_each(|o| site.update_folder(o));
            } else {
                site.update_vms(&filter.filter, &filter.objects);
            }
        }
    }

    /// Adds new folders to filters, and drops old ones.
    fn rearrange(&mut self, site: &mut Site, waits: bool) {
        let (open, close) = site.rearrange();
        self.jobs.extend(close.into_iter().map(Job::Remove));
        for folders in open.chunks(FOLDERS) {
            self.open(folders.to_vec());
        }
        // A wait that started before the filter existed may not report its updates. Cancel it instead of
        // dropping it, because its updates must not be lost. The cancel may overtake it; it is then repeated.
        if waits && self.outdated && self.opening == 0 && self.cancelled.is_none_or(|again| Instant::now() >= again) {
            self.cancelled = Some(Instant::now() + CANCEL);
            self.jobs.push_front(Job::Cancel);
        }
    }

    fn open(&mut self, folders: Vec<String>) {
        self.opening += 1;
        self.jobs.push_front(Job::Open(folders));
    }

    /// Reads everything again, in case an update was lost.
    fn resync(&mut self, site: &Site) {
        self.jobs.push_back(Job::ReadFolders);
        self.jobs.extend(site.open().chunks(FOLDERS).map(|folders| Job::Read(folders.to_vec())));
    }

    /// Starts pending calls up to the limit.
    fn start_calls(&mut self, site: &mut Site) {
        while self.running.len() < JOBS
            && let Some(job) = self.jobs.pop_front()
        {
            self.running.push(self.call(job, site.age()));
        }
        if self.running.is_empty() {
            site.nothing_is_read();
        }
    }

    fn call(&self, job: Job, age: Age) -> BoxFuture<'a, Done> {
        let (session, live, collector) = (self.session, self.live, self.collector.clone());
        match job {
            Job::Open(folders) => Box::pin(async move {
                let Wanted { properties, objects } = vms(&folders);
                let filter = update::create_filter(session, live, &collector, properties, objects).await;
                Done::Opened(folders, filter)
            }),
            Job::ReadFolders => {
                let wanted = self::folders(&self.folder_view);
                Box::pin(async move { Done::FoldersRead(age, retrieve_in(session, live, &wanted).await) })
            }
            Job::Read(folders) => Box::pin(async move {
                let objects = retrieve_in(session, live, &vms(&folders)).await;
                Done::Read(folders, age, objects)
            }),
            Job::Remove(filter) => Box::pin(async move {
                update::destroy(session, live, "DestroyPropertyFilter", &filter).await;
                Done::Nothing
            }),
            Job::Cancel => Box::pin(async move {
                update::destroy(session, live, "CancelWaitForUpdates", &collector).await;
                Done::Nothing
            }),
        }
    }

    fn finish(&mut self, site: &mut Site, done: Done) -> Result<(), Error> {
        let is_gone = |e: &Error| e.fault_kind() == Some(FaultKind::ManagedObjectNotFound);
        match done {
            Done::Opened(folders, result) => {
                self.opening -= 1;
                match result {
                    // Create the filter before reading its content, so that no change is missed.
                    Ok(filter) => {
                        site.opened(&folders, filter);
                        self.outdated = true;
                        self.jobs.push_front(Job::Read(folders));
                    }
                    // One is gone meanwhile; an update will report it.
                    Err(e) if is_gone(&e) => match folders.as_slice() {
                        [folder] => site.vanished(folder),
                        several => several.iter().for_each(|folder| self.open(vec![folder.clone()])),
                    },
                    Err(e) => return Err(e),
                }
            }
            Done::FoldersRead(asked, objects) => site.read_folders(&objects?, asked),
            Done::Read(folders, asked, objects) => match objects {
                Ok(objects) => site.read_vms(&folders, &objects, asked),
                Err(e) if is_gone(&e) => match folders.as_slice() {
                    [folder] => site.vanished(folder),
                    several => self.jobs.extend(several.iter().map(|folder| Job::Read(vec![folder.clone()]))),
                },
                Err(e) => return Err(e),
            },
            Done::Nothing => {}
        }
        Ok(())
    }
}

/// The end of a wait, if there is one.
async fn ended(wait: &mut Option<Wait<'_>>) -> Result<Option<UpdateSet>, Error> {
    match wait {
        Some(wait) => wait.await,
        None => std::future::pending().await,
    }
}

fn folders(view: &Ref) -> Wanted {
    Wanted {
        properties: vec![request::properties("Folder", &["name", "parent"])],
        objects: request::viewed(view, Vec::new()),
    }
}

/// The VMs in these folders.
fn vms(folders: &[String]) -> Wanted {
    let paths: Vec<&str> = LIGHT.iter().copied().chain([PARENT, DEVICES]).collect();
    Wanted {
        properties: vec![request::properties("VirtualMachine", &paths)],
        objects: request::below(folders.iter().map(|f| Ref::new("Folder", f))),
    }
}
