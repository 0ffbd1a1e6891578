//! Combines the queries of many callers: the state of tasks, and the device lists of VMs. One task of the
//! runtime makes the calls; it starts with the first query and ends with the client.
//!
//! Invariant: tasks are queried at most every [`POLL`], all awaited ones in one call; device lists
//! that are requested during a read are read in one call after it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use howdah_core::ids::VmRef;
use howdah_transport::Backoff;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::error::Error;
use crate::fault::Fault;
use crate::request::{self, Ref};
use crate::retrieve::{BULK, Object, Wanted, retrieve};
use crate::session::Session;
use crate::vm::DEVICES;
use crate::xml::Element;

/// How often tasks are queried.
const POLL: Duration = Duration::from_millis(500);

/// The state of a task.
#[derive(Debug, Clone, Default)]
pub(crate) struct Task {
    pub(crate) state: String,
    pub(crate) progress: u32,
    pub(crate) fault: Option<Fault>,
    /// The permanent error of its query, if any.
    pub(crate) refused: Option<Arc<Error>>,
}

impl Task {
    fn has_ended(&self) -> bool {
        matches!(self.state.as_str(), "success" | "error") || self.refused.is_some()
    }
}

type Follow = (Ref, watch::Sender<Task>);
type Read = (VmRef, oneshot::Sender<Result<Option<Element>, Arc<Error>>>);

/// Asks for many.
pub(crate) struct Together {
    session: Arc<Session>,
    tasks: OnceLock<mpsc::UnboundedSender<Follow>>,
    reads: OnceLock<mpsc::UnboundedSender<Read>>,
}

impl Together {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        Self { session, tasks: OnceLock::new(), reads: OnceLock::new() }
    }

    /// Waits until a task has ended, up to a limit. Returns its last state.
    pub(crate) async fn end_of(&self, task: &Ref, limit: Duration) -> Task {
        let follow = self.tasks.get_or_init(|| {
            let (send, receive) = mpsc::unbounded_channel();
            tokio::spawn(follow_tasks(Arc::clone(&self.session), receive));
            send
        });
        let (to, mut seen) = watch::channel(Task { state: "queued".to_owned(), ..Task::default() });
        // It ends after the last sender, so it still receives this.
        let _ = follow.send((task.clone(), to));
        let _ = tokio::time::timeout(limit, seen.wait_for(Task::has_ended)).await;
        seen.borrow().clone()
    }

    /// A VM's device list; `None` if the VM does not exist.
    pub(crate) async fn devices(&self, vm: &VmRef) -> Result<Option<Element>, Error> {
        let reads = self.reads.get_or_init(|| {
            let (send, receive) = mpsc::unbounded_channel();
            tokio::spawn(read_devices(Arc::clone(&self.session), receive));
            send
        });
        let (to, answer) = oneshot::channel();
        let _ = reads.send((vm.clone(), to));
        let lost = || Error::Incomplete { method: "RetrievePropertiesEx".to_owned(), missing: "answer" };
        answer.await.map_err(|_| lost())?.map_err(Error::Shared)
    }
}

async fn follow_tasks(session: Arc<Session>, mut new: mpsc::UnboundedReceiver<Follow>) {
    let backoff = Backoff { first: POLL, max: Duration::from_secs(10), attempts: u32::MAX };
    let mut tasks: BTreeMap<Ref, watch::Sender<Task>> = BTreeMap::new();
    let mut failures = 0;
    loop {
        if tasks.is_empty() {
            match new.recv().await {
                Some((task, to)) => tasks.insert(task, to),
                None => return,
            };
        }
        while let Ok((task, to)) = new.try_recv() {
            tasks.insert(task, to);
        }
        let asked = Instant::now();
        match read_tasks(&session, tasks.keys()).await {
            Ok(found) => {
                failures = 0;
                let found: BTreeMap<_, _> = found.into_iter().map(|o| (o.obj.clone(), o)).collect();
                for (task, to) in &tasks {
                    match found.get(task) {
                        Some(object) if object.withheld.is_some() => {}
                        Some(object) => to.send_modify(|task| note(task, object)),
                        // vCenter keeps ended tasks for a while only.
                        None => {
                            let gone = Arc::new(Error::TaskGone { task: task.value.clone() });
                            to.send_modify(|task| task.refused = Some(gone));
                        }
                    }
                }
            }
            // Tasks outlive sessions and interruptions.
            Err(error) if error.kind().is_transient() => {
                tracing::debug!(%error, tasks = tasks.len(), "cannot query tasks");
                failures += 1;
            }
            Err(error) => {
                let error = Arc::new(error);
                tasks.values().for_each(|to| to.send_modify(|task| task.refused = Some(Arc::clone(&error))));
            }
        }
        tasks.retain(|_, to| !to.is_closed() && !to.borrow().has_ended());
        if !tasks.is_empty() {
            let pause = if failures > 0 { backoff.delay(failures) } else { POLL };
            tokio::time::sleep_until(asked + pause).await;
        }
    }
}

async fn read_tasks(session: &Session, tasks: impl Iterator<Item = &Ref>) -> Result<Vec<Object>, Error> {
    let paths = &["info.state", "info.progress", "info.error"];
    let wanted = Wanted { properties: vec![request::properties("Task", paths)], objects: request::objects(tasks) };
    retrieve(session, &wanted).await
}

fn note(task: &mut Task, object: &Object) {
    object.text("info.state").unwrap_or_default().clone_into(&mut task.state);
    task.progress = object.text("info.progress").and_then(|p| p.parse().ok()).unwrap_or(task.progress);
    let fault = object.properties.get("info.error").filter(|_| task.state == "error");
    task.fault = fault.map(Fault::of_localized);
}

async fn read_devices(session: Arc<Session>, mut reads: mpsc::UnboundedReceiver<Read>) {
    let mut asked = Vec::new();
    while reads.recv_many(&mut asked, BULK).await > 0 {
        let refs: Vec<_> = asked.iter().map(|(vm, _)| Ref::new("VirtualMachine", vm.as_str())).collect();
        let wanted = Wanted {
            properties: vec![request::properties("VirtualMachine", &[DEVICES])],
            objects: request::objects(&refs),
        };
        let found = retrieve(&session, &wanted).await.map_err(Arc::new);
        for (vm, to) in asked.drain(..) {
            let of_vm = |objects: &Vec<Object>| {
                let object = objects.iter().find(|o| o.obj.value == vm.as_str())?;
                Some(object.properties.get(DEVICES).cloned().unwrap_or_else(|| Element::new("val")))
            };
            // The caller may be gone.
            let _ = to.send(found.as_ref().map(of_vm).map_err(Arc::clone));
        }
    }
}
