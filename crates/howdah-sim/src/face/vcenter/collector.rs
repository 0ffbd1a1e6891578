//! Property collectors: filters that remember what they have told, version tokens that advance, and
//! waits that end with the next change.
//!
//! Invariants: what a filter has told adds up to what was to be seen when it told it; an answer
//! that was lost can be asked for once more with the version before it; no wait outlives its
//! session.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use howdah_core::ids::VmRef;
use howdah_vsphere::xml::Element;
use tokio::sync::watch;

use super::collect::{Spec, Views};
use super::fault::Fault;
use super::value::{Ref, Value};
use crate::world::state::State;

/// The most object updates in one answer, whatever the client asks for.
const POLICY: usize = 100;

/// A property collector.
#[derive(Debug)]
pub(super) struct Collector {
    state: Mutex<Told>,
    /// Moves when a filter comes or goes.
    pub(super) filters: watch::Sender<u64>,
    /// Moves when waits are cancelled.
    pub(super) cancelled: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Told {
    version: u64,
    filters: BTreeMap<String, Filter>,
    /// The last answer, and the version that it was for.
    last: Option<(u64, Element)>,
}

#[derive(Debug)]
struct Filter {
    spec: Spec,
    reported: BTreeMap<Ref, Reported>,
    missing: Vec<Ref>,
}

#[derive(Debug)]
struct Reported {
    /// A VM's revision at that time, where it says all.
    revision: Option<u64>,
    values: Vec<(String, Value)>,
}

impl Collector {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(Told::default()), filters: watch::Sender::new(0), cancelled: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, id: String, spec: Spec) {
        let filter = Filter { spec, reported: BTreeMap::new(), missing: Vec::new() };
        self.lock().filters.insert(id, filter);
        self.filters.send_modify(|n| *n += 1);
    }

    pub(super) fn remove(&self, id: &str) -> bool {
        self.lock().filters.remove(id).is_some()
    }

    pub(super) fn cancel(&self) {
        self.cancelled.send_modify(|n| *n += 1);
    }

    /// Prepares a wait from a version: `Ok(Some)` is an answer that had been lost.
    pub(super) fn begin(&self, version: &str) -> Result<Option<Element>, Fault> {
        let mut told = self.lock();
        if version.is_empty() {
            told.last = None;
            for filter in told.filters.values_mut() {
                filter.reported.clear();
                filter.missing.clear();
            }
            return Ok(None);
        }
        match (version.parse::<u64>(), &told.last) {
            (Ok(v), _) if v == told.version => Ok(None),
            (Ok(v), Some((before, answer))) if v == *before => Ok(Some(answer.clone())),
            _ => Err(Fault::new("InvalidCollectorVersion", "The version is not known to this collector.")),
        }
    }

    /// What has changed since it was told last, if anything has.
    pub(super) fn collect(
        &self,
        s: &State,
        views: &Views,
        version: (u32, u32),
        most: usize,
    ) -> Result<Option<Element>, Fault> {
        let mut told = self.lock();
        let mut left = if most == 0 { POLICY } else { most.min(POLICY) };
        let mut sets = Vec::new();
        let mut truncated = false;
        for (id, filter) in &mut told.filters {
            let (objects, missing, more) = filter.collect(s, views, version, &mut left)?;
            truncated |= more;
            if !objects.is_empty() || !missing.is_empty() {
                let set = Element::new("filterSet").with(Element::reference("filter", "PropertyFilter", id));
                sets.push(set.with_all(objects).with_all(missing));
            }
        }
        if sets.is_empty() {
            return Ok(None);
        }
        let before = told.version;
        told.version += 1;
        let mut answer = Element::new("returnval").with_leaf("version", told.version).with_all(sets);
        if truncated {
            answer = answer.with_leaf("truncated", true);
        }
        told.last = Some((before, answer.clone()));
        Ok(Some(answer))
    }
}

/// Updates, reports of missing objects, and whether there are more.
type Updates = (Vec<Element>, Vec<Element>, bool);

impl Filter {
    fn collect(&mut self, s: &State, views: &Views, version: (u32, u32), left: &mut usize) -> Result<Updates, Fault> {
        let selected = self.spec.select(s, views)?;
        let shortcut = self.spec.only_of_the_vm();
        let mut updates = Vec::new();
        let mut gone: Vec<Ref> = self.reported.keys().cloned().collect();
        let there: HashSet<&Ref> = selected.objects.iter().collect();
        gone.retain(|r| !there.contains(r));
        for obj in &selected.objects {
            let revision = if shortcut && obj.ty == "VirtualMachine" {
                s.vm(&VmRef::new(obj.value.clone())).map(|v| v.revision)
            } else {
                None
            };
            let before = self.reported.get(obj);
            if revision.is_some() && before.is_some_and(|b| b.revision == revision) {
                continue;
            }
            let values = self.spec.values(s, obj, version)?;
            let (kind, changes) = match before {
                None => ("enter", values.iter().filter(|(_, v)| *v != Value::Unset).map(change).collect::<Vec<_>>()),
                Some(before) => {
                    let known = |c: &&(String, Value)| !before.values.contains(c);
                    ("modify", values.iter().filter(known).map(change).collect())
                }
            };
            if kind == "modify" && changes.is_empty() {
                self.reported.insert(obj.clone(), Reported { revision, values });
                continue;
            }
            if *left == 0 {
                return Ok((updates, Vec::new(), true));
            }
            *left -= 1;
            updates.push(update(kind, obj, changes));
            self.reported.insert(obj.clone(), Reported { revision, values });
        }
        for obj in gone {
            if *left == 0 {
                return Ok((updates, Vec::new(), true));
            }
            *left -= 1;
            updates.push(update("leave", &obj, Vec::new()));
            self.reported.remove(&obj);
        }
        let news: Vec<_> = selected.missing.into_iter().filter(|m| !self.missing.contains(m)).collect();
        let missing = news.iter().map(|m| {
            let fault = Fault::not_found(m.ty, &m.value).localized("fault");
            Element::new("missingSet").with(m.element("obj")).with(fault)
        });
        let missing = missing.collect();
        self.missing.extend(news);
        Ok((updates, missing, false))
    }
}

fn update(kind: &str, obj: &Ref, changes: Vec<Element>) -> Element {
    Element::new("objectSet").with_leaf("kind", kind).with(obj.element("obj")).with_all(changes)
}

fn change((path, value): &(String, Value)) -> Element {
    let change = Element::new("changeSet").with_leaf("name", path).with_leaf("op", "assign");
    match value.clone().property("val") {
        Some(val) => change.with(val),
        None => change,
    }
}
