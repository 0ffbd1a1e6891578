//! What changes something in vCenter. Every such method starts a task there, and then:
//!
//! ```text
//!  send --accepted--> wait on the task --success--> done
//!    |                      +---------error------> refused (busy: send again, bounded)
//!    +--no answer--> look: its task? --> wait on it
//!                          its effect? --> done
//!                          neither --> send again, once
//! ```
//!
//! Invariant: after a request whose fate is unknown nothing is sent again before vCenter was asked.

use std::time::Duration;

use howdah_core::ids::VmRef;
use howdah_transport::Backoff;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::error::Error;
use crate::fault::{Fault, FaultKind};
use crate::request::{self, Ref};
use crate::retrieve::{Object, Wanted, retrieve};
use crate::session::{Live, Session};
use crate::update;
use crate::vm::{self, DEVICES};
use crate::xml::Element;

/// Tasks that the server counts as older than our request by no more than this are taken for it:
/// its clock is read after the fact.
const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// A change to a VM.
pub(crate) struct Change {
    pub(crate) vm: Ref,
    pub(crate) request: Element,
    /// How vCenter names the kind of task that it starts.
    pub(crate) description: &'static str,
    /// The power state that it leads to, if it does.
    pub(crate) leads_to: Option<&'static str>,
}

impl Change {
    pub(crate) fn power(vm: &VmRef, method: &str, description: &'static str, leads_to: Option<&'static str>) -> Self {
        let vm = vm_ref(vm);
        let request = request::plain(method, &vm);
        Self { vm, request, description, leads_to }
    }
}

pub(crate) fn vm_ref(vm: &VmRef) -> Ref {
    Ref::new("VirtualMachine", vm.as_str())
}

/// Carries out a change and waits for its end.
pub(crate) async fn carry_out(session: &Session, change: &Change, limit: Duration) -> Result<(), Error> {
    let busy = Backoff { first: Duration::from_millis(500), max: Duration::from_secs(5), attempts: 6 };
    let is_busy = |e: &Error| matches!(e.fault_kind(), Some(FaultKind::TaskInProgress | FaultKind::ConcurrentAccess));
    let result = howdah_transport::retry(&busy, is_busy, || once(session, change, limit)).await;
    match result {
        // "It is on already" is what was wanted.
        Err(e) if is_there_already(&e, change) => Ok(()),
        other => other,
    }
}

fn is_there_already(error: &Error, change: &Change) -> bool {
    let (Some(fault), Some(wanted)) = (error.fault(), change.leads_to) else {
        return false;
    };
    fault.kind == FaultKind::InvalidPowerState && fault.about.as_deref().is_none_or(|state| state == wanted)
}

async fn once(session: &Session, change: &Change, limit: Duration) -> Result<(), Error> {
    let mut repeated = false;
    loop {
        let sent = Instant::now();
        let task = match session.call(|_| change.request.clone()).await {
            Ok(answer) => answer
                .child("returnval")
                .and_then(Ref::read)
                .ok_or_else(|| Error::Incomplete { method: change.request.name.clone(), missing: "task" })?,
            Err(e) if e.is_ambiguous() => {
                tracing::warn!(vm = %change.vm.value, error = %e, "no answer to a change; looking for its effect");
                match look(session, change, sent).await? {
                    Seen::Task(task) => task,
                    Seen::Effect => return Ok(()),
                    Seen::Nothing if repeated => return Err(e),
                    Seen::Nothing => {
                        repeated = true;
                        continue;
                    }
                }
            }
            Err(e) => return Err(e),
        };
        return wait(session, &task, change, limit).await;
    }
}

enum Seen {
    Task(Ref),
    Effect,
    Nothing,
}

/// Looks whether a request that got no answer has done something.
async fn look(session: &Session, change: &Change, sent: Instant) -> Result<Seen, Error> {
    let backoff = Backoff { first: Duration::from_millis(500), max: Duration::from_secs(10), attempts: 6 };
    howdah_transport::retry(
        &backoff,
        |e: &Error| e.kind().is_transient(),
        || async {
            let now = session.call(|_| request::current_time()).await?;
            let elapsed = SignedDuration::try_from(sent.elapsed()).unwrap_or(SignedDuration::MAX);
            let since: Option<Timestamp> =
                now.text_of("returnval").and_then(|t| t.parse().ok()).map(|t: Timestamp| t - elapsed - SLACK);
            let paths = &["recentTask", "runtime.powerState"];
            let Some(found) = read(session, "VirtualMachine", paths, &[&change.vm]).await?.pop() else {
                return Err(Error::NoVm { vm: change.vm.value.clone() });
            };
            let recent: Vec<Ref> = found.properties.get("recentTask").map(refs).unwrap_or_default();
            let recent: Vec<&Ref> = recent.iter().collect();
            let tasks = read(session, "Task", &["info.descriptionId", "info.queueTime"], &recent).await?;
            let ours = tasks.into_iter().find(|t| {
                let queued = t.text("info.queueTime").and_then(|q| q.parse::<Timestamp>().ok());
                t.text("info.descriptionId") == Some(change.description)
                    && queued.zip(since).is_some_and(|(q, s)| q >= s)
            });
            Ok(match ours {
                Some(task) => Seen::Task(task.obj),
                None if change.leads_to.is_some() && found.text("runtime.powerState") == change.leads_to => {
                    Seen::Effect
                }
                None => Seen::Nothing,
            })
        },
    )
    .await
}

fn refs(array: &Element) -> Vec<Ref> {
    array.children.iter().filter_map(Ref::read).collect()
}

async fn read(session: &Session, ty: &str, paths: &[&str], of: &[&Ref]) -> Result<Vec<Object>, Error> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let wanted =
        Wanted { properties: vec![request::properties(ty, paths)], objects: request::objects(of.iter().copied()) };
    retrieve(session, &wanted).await
}

/// What is known of a task.
#[derive(Default)]
struct Task {
    state: String,
    progress: u32,
    fault: Option<Fault>,
}

/// Waits for a task's end. Tasks outlive sessions, so a lost session only costs another start.
async fn wait(session: &Session, task: &Ref, change: &Change, limit: Duration) -> Result<(), Error> {
    let deadline = Instant::now() + limit;
    let backoff = Backoff { first: Duration::from_millis(200), max: Duration::from_secs(10), attempts: u32::MAX };
    let mut failures = 0;
    let mut seen = Task { state: "queued".to_owned(), ..Task::default() };
    loop {
        let live = session.live().await;
        let ended = match &live {
            Ok(live) => wait_in(session, live, task, deadline, &mut seen).await,
            Err(_) => Ok(false),
        };
        let error = match (live, ended) {
            (Ok(_), Ok(true)) => break,
            (Ok(_), Ok(false)) => None,
            (Ok(live), Err(e)) => {
                if e.fault_kind() == Some(FaultKind::NotAuthenticated) {
                    session.bury(&live).await;
                }
                Some(e)
            }
            (Err(e), _) => Some(e),
        };
        let lost = error.is_some();
        if let Some(e) = error {
            let session_lost = matches!(
                e.fault_kind(),
                Some(
                    FaultKind::NotAuthenticated
                        | FaultKind::RequestCanceled
                        | FaultKind::InvalidCollectorVersion
                        | FaultKind::ManagedObjectNotFound
                )
            );
            if !session_lost && !e.kind().is_transient() {
                return Err(e);
            }
            tracing::debug!(task = %task.value, error = %e, "waiting for a task was interrupted");
        }
        if Instant::now() >= deadline {
            return Err(Error::TaskUnfinished {
                method: change.request.name.clone(),
                vm: change.vm.value.clone(),
                task: task.value.clone(),
                waited: limit,
                state: seen.state,
                progress: seen.progress,
            });
        }
        if lost {
            failures += 1;
            tokio::time::sleep(backoff.delay(failures)).await;
        }
    }
    match seen.fault {
        Some(fault) => {
            let (method, vm) = (change.request.name.clone(), change.vm.value.clone());
            Err(Error::Task { method, vm, fault: Box::new(fault) })
        }
        None => Ok(()),
    }
}

/// Waits within one login; whether the task has ended.
async fn wait_in(
    session: &Session,
    live: &Live,
    task: &Ref,
    deadline: Instant,
    seen: &mut Task,
) -> Result<bool, Error> {
    // A collector of its own: two waiters on one would take each other's updates.
    let collector = update::create_collector(session, live).await?;
    let properties = vec![request::properties("Task", &["info.state", "info.progress", "info.error"])];
    let result = async {
        update::create_filter(session, live, &collector, properties, request::objects([task])).await?;
        let mut version = String::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let Some(set) = update::wait(session, live, &collector, &version, left).await? else {
                continue;
            };
            version = set.version;
            for change in set.filters.iter().flat_map(|f| &f.objects).flat_map(|o| &o.changes) {
                match (change.path.as_str(), &change.value) {
                    ("info.state", Some(v)) => seen.state.clone_from(&v.text),
                    ("info.progress", Some(v)) => seen.progress = v.text.parse().unwrap_or(seen.progress),
                    ("info.error", Some(v)) => seen.fault = Some(Fault::of_localized(v)),
                    _ => {}
                }
            }
            match seen.state.as_str() {
                "success" => {
                    seen.fault = None;
                    return Ok(true);
                }
                "error" => return Ok(true),
                _ => {}
            }
        }
    }
    .await;
    update::destroy_collector(session, live, &collector).await;
    result
}

/// Sets the NSX attachment of a card, if it is not set so already.
pub(crate) async fn set_external_id(
    session: &Session,
    vm: &VmRef,
    nic_key: i32,
    port: &str,
    limit: Duration,
) -> Result<(), Error> {
    let reference = vm_ref(vm);
    let found = read(session, "VirtualMachine", &[DEVICES], &[&reference]).await?.pop();
    let found = found.ok_or_else(|| Error::NoVm { vm: vm.to_string() })?;
    let devices = found.properties.get(DEVICES).map(|d| d.children.as_slice()).unwrap_or_default();
    let device = devices.iter().find(|d| vm::key(d) == Some(nic_key) && vm::is_nic(d));
    let mut device = device.cloned().ok_or_else(|| Error::NoNic { vm: vm.to_string(), key: nic_key })?;
    if device.text_of("externalId") == Some(port) {
        return Ok(());
    }
    crate::schema::put(&mut device, "VirtualEthernetCard", Element::leaf("externalId", port));
    let request = request::edit_device(&reference, device);
    // Setting it twice does no harm, so a repeat after a lost answer needs no effect to look for.
    let change = Change { vm: reference, request, description: "VirtualMachine.reconfigure", leads_to: None };
    carry_out(session, &change, limit).await
}
