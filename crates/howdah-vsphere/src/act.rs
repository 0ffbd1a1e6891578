//! Changes in vCenter. Every such method starts a task there, and then:
//!
//! ```text
//!  send --accepted--> wait on the task --success--> done
//!    |                      +---------error------> refused (busy: send again, bounded)
//!    +--no answer--> look: its task? --> wait on it
//!                          its effect? --> done
//!                          neither --> send again, once
//! ```
//!
//! Invariant: after a request with an unknown result, the client queries vCenter before it repeats it.

use std::time::Duration;

use howdah_core::ids::VmRef;
use howdah_transport::Backoff;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::error::Error;
use crate::fault::FaultKind;
use crate::request::{self, Ref};
use crate::retrieve::{Object, Wanted, retrieve};
use crate::session::Session;
use crate::together::Together;
use crate::vm;
use crate::xml::Element;

/// A task that is older than our request by at most this, by the server's clock, counts as ours: the client
/// reads that clock after the request.
const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// A change to a VM.
pub(crate) struct Change {
    pub(crate) vm: Ref,
    pub(crate) request: Element,
    /// vCenter's name for the kind of task that it starts.
    pub(crate) description: &'static str,
    /// The power state that it leads to, if any.
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

/// Makes a change and waits for its end.
pub(crate) async fn carry_out(
    session: &Session,
    together: &Together,
    change: &Change,
    limit: Duration,
) -> Result<(), Error> {
    let busy = Backoff { first: Duration::from_millis(500), max: Duration::from_secs(5), attempts: 6 };
    let is_busy = |e: &Error| matches!(e.fault_kind(), Some(FaultKind::TaskInProgress | FaultKind::ConcurrentAccess));
    let result = howdah_transport::retry(&busy, is_busy, || once(session, together, change, limit)).await;
    match result {
        // "Already on" is a success.
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

async fn once(session: &Session, together: &Together, change: &Change, limit: Duration) -> Result<(), Error> {
    let mut repeated = false;
    loop {
        let sent = Instant::now();
        let task = match session.call(|_| change.request.clone()).await {
            Ok(answer) => answer
                .child("returnval")
                .and_then(Ref::read)
                .ok_or_else(|| Error::Incomplete { method: change.request.name.clone(), missing: "task" })?,
            Err(e) if e.is_ambiguous() => {
                tracing::warn!(vm = %change.vm.value, error = %e, "no answer to a change; checking for its effect");
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
        return wait(together, &task, change, limit).await;
    }
}

enum Seen {
    Task(Ref),
    Effect,
    Nothing,
}

/// Checks whether a request without an answer had an effect.
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

/// Waits for a task's end.
async fn wait(together: &Together, task: &Ref, change: &Change, limit: Duration) -> Result<(), Error> {
    let seen = together.end_of(task, limit).await;
    let (method, vm) = (change.request.name.clone(), change.vm.value.clone());
    match (seen.refused, seen.fault, seen.state.as_str()) {
        (Some(refused), ..) => Err(Error::Shared(refused)),
        (None, Some(fault), _) => Err(Error::Task { method, vm, fault: Box::new(fault) }),
        (None, None, "success") => Ok(()),
        _ => Err(Error::TaskUnfinished {
            method,
            vm,
            task: task.value.clone(),
            waited: limit,
            state: seen.state,
            progress: seen.progress,
        }),
    }
}

/// Sets the NSX attachment of a card, unless it is set already.
pub(crate) async fn set_external_id(
    session: &Session,
    together: &Together,
    vm: &VmRef,
    nic_key: i32,
    port: &str,
    limit: Duration,
) -> Result<(), Error> {
    let reference = vm_ref(vm);
    let devices = together.devices(vm).await?.ok_or_else(|| Error::NoVm { vm: vm.to_string() })?;
    let devices = &devices.children;
    let device = devices.iter().find(|d| vm::key(d) == Some(nic_key) && vm::is_nic(d));
    let mut device = device.cloned().ok_or_else(|| Error::NoNic { vm: vm.to_string(), key: nic_key })?;
    if device.text_of("externalId") == Some(port) {
        return Ok(());
    }
    crate::schema::put(&mut device, "VirtualEthernetCard", Element::leaf("externalId", port));
    let request = request::edit_device(&reference, device);
    // Setting it is idempotent, so a repeat after a lost answer needs no check.
    let change = Change { vm: reference, request, description: "VirtualMachine.reconfigure", leads_to: None };
    carry_out(session, together, &change, limit).await
}
