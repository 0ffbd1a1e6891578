//! Property collectors: create, wait, remove. Everything here belongs to one login; the caller handles a
//! lost login.

use std::time::Duration;

use crate::error::Error;
use crate::fault::{Fault, FaultKind};
use crate::request::{self, Ref};
use crate::session::{Live, Session};
use crate::xml::Element;

/// The longest single wait. Proxies and firewalls close connections that are idle for longer.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How late an answer may be after the requested wait.
const GRACE: Duration = Duration::from_secs(30);

/// The result of a wait.
#[derive(Debug)]
pub(crate) struct UpdateSet {
    pub(crate) version: String,
    pub(crate) filters: Vec<FilterUpdate>,
    /// The result is truncated; continue immediately.
    pub(crate) truncated: bool,
}

/// The updates of one filter.
#[derive(Debug)]
pub(crate) struct FilterUpdate {
    pub(crate) filter: String,
    pub(crate) objects: Vec<ObjectUpdate>,
}

/// The update of one object; the same object may come several times in one set.
#[derive(Debug)]
pub(crate) struct ObjectUpdate {
    pub(crate) obj: Ref,
    /// The object left the filter; otherwise it is new or changed.
    pub(crate) left: bool,
    pub(crate) changes: Vec<PropertyChange>,
}

/// A property's new value; `None` if it no longer has one.
#[derive(Debug)]
pub(crate) struct PropertyChange {
    pub(crate) path: String,
    pub(crate) value: Option<Element>,
}

pub(crate) async fn create_collector(session: &Session, live: &Live) -> Result<Ref, Error> {
    make(session, live, &request::plain("CreatePropertyCollector", &live.content.collector)).await
}

pub(crate) async fn create_filter(
    session: &Session,
    live: &Live,
    collector: &Ref,
    properties: Vec<Element>,
    objects: Vec<Element>,
) -> Result<Ref, Error> {
    make(session, live, &request::create_filter(collector, properties, objects)).await
}

pub(crate) async fn create_view(session: &Session, live: &Live, container: &Ref, types: &[&str]) -> Result<Ref, Error> {
    make(session, live, &request::container_view(&live.content.views, container, types)).await
}

async fn make(session: &Session, live: &Live, request: &Element) -> Result<Ref, Error> {
    let answer = session.call_in(live, request).await?;
    answer
        .child("returnval")
        .and_then(Ref::read)
        .ok_or_else(|| Error::Incomplete { method: request.name.clone(), missing: "returnval" })
}

/// Removes a collector with its filters. A failure does not matter: it ends with its session.
pub(crate) async fn destroy_collector(session: &Session, live: &Live, collector: &Ref) {
    destroy(session, live, "DestroyPropertyCollector", collector).await;
}

/// Removes an object by its own method, if it still exists.
pub(crate) async fn destroy(session: &Session, live: &Live, method: &str, what: &Ref) {
    if let Err(error) = session.call_in(live, &request::plain(method, what)).await {
        tracing::debug!(object = %what.value, %error, "could not be removed");
    }
}

/// Waits for updates after `version`; `None` after the timeout.
pub(crate) async fn wait(
    session: &Session,
    live: &Live,
    collector: &Ref,
    version: &str,
    longest: Duration,
) -> Result<Option<UpdateSet>, Error> {
    let longest = longest.clamp(Duration::from_secs(1), LONGEST_WAIT);
    let request = request::wait_for_updates(collector, version, longest.as_secs());
    let answer = session.call_for(live, &request, longest + GRACE).await?;
    let Some(set) = answer.child("returnval") else { return Ok(None) };
    // Also inside an update: of an object, or of a property.
    let objects = set
        .all("filterSet")
        .flat_map(|f| f.all("missingSet").chain(f.all("objectSet").flat_map(|o| o.all("missingSet"))));
    let faults = objects.filter_map(|m| m.child("fault")).map(Fault::of_localized);
    match faults.into_iter().find(|f| f.kind == FaultKind::NotAuthenticated) {
        Some(fault) => Err(Error::Refused { method: request.name, fault: Box::new(fault) }),
        None => Ok(Some(read_set(set))),
    }
}

fn read_set(set: &Element) -> UpdateSet {
    UpdateSet {
        version: set.text_of("version").unwrap_or_default().to_owned(),
        filters: set.all("filterSet").map(read_filter).collect(),
        truncated: set.child("truncated").is_some_and(Element::is_true),
    }
}

fn read_filter(update: &Element) -> FilterUpdate {
    let mut objects: Vec<_> = update.all("objectSet").filter_map(read_update).collect();
    // Objects in a filter that do not exist. One that vCenter could not read stays.
    let is_gone = |m: &&Element| {
        let fault = m.child("fault").map(|f| Fault::of_localized(f).kind);
        fault.is_none_or(|kind| kind == FaultKind::ManagedObjectNotFound)
    };
    let missing = update.all("missingSet").filter(is_gone).filter_map(|m| Ref::read(m.child("obj")?));
    objects.extend(missing.map(|obj| ObjectUpdate { obj, left: true, changes: Vec::new() }));
    FilterUpdate { filter: update.text_of("filter").unwrap_or_default().to_owned(), objects }
}

fn read_update(update: &Element) -> Option<ObjectUpdate> {
    let changes = update.all("changeSet").filter_map(|c| {
        let kept = !matches!(c.text_of("op"), Some("remove" | "indirectRemove"));
        Some(PropertyChange { path: c.text_of("name")?.to_owned(), value: c.child("val").filter(|_| kept).cloned() })
    });
    Some(ObjectUpdate {
        obj: Ref::read(update.child("obj")?)?,
        left: update.text_of("kind") == Some("leave"),
        changes: changes.collect(),
    })
}
