//! The rules of the store, once for every database: what a change of a cluster, decided on what was found,
//! makes of it.
//!
//! | change | not there | removed | cannot be read | there |
//! |---|---|---|---|---|
//! | insert | new row, if the name is free | as new; event numbers go on | ID taken | ID taken |
//! | want | not found | not found | refused | record, if `seen` is the newest operation; takes the name if it runs |
//! | save | not found | not found | refused | state; may free the name |
//! | add events | not found | not found | refused | events |
//! | remove | nothing | nothing | refused | a tombstone: its events and capabilities stay |
//! | forget secrets | nothing | nothing | refused | no secrets |
//! | put capability | not found | capability | refused | capability |
//!
//! Invariants: every plan holds only for the version of the row that it was decided on, so two writers never
//! mix; whatever writes a record or a state writes what is searched for with it. Nothing here reads a
//! database.

use howdah_core::document::{self, Row};
use howdah_core::event::Event;
use howdah_core::ids::ClusterKey;
use howdah_core::known::ClusterState;
use howdah_core::naming::{holds_name, takes_name};
use howdah_core::store::Change;
use howdah_core::usage::Usage;
use howdah_core::wanted::ClusterRecord;
use jiff::Timestamp;
use serde::Serialize;

use crate::StoreError;
use crate::backend::{Condition, Entry, Found, Place, Write};
use crate::seal::{Sealer, hex};
use crate::secrets::seal;

/// Events kept of one cluster; older ones go first. A cluster that flaps for months must not
/// fill the disk.
const EVENTS_KEPT: u64 = 10_000;

pub(crate) const SECRETS: &str = "secrets";
pub(crate) const CAPABILITY: &str = "capability";

/// What to do, and what must still be true then.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) writes: Vec<Write>,
}

/// What a change is decided on.
pub(crate) struct Before {
    pub(crate) found: Option<Found>,
    /// This service wrote the state that is stored; it was not read.
    pub(crate) is_own: bool,
}

/// The plan for a change of this cluster.
pub(crate) fn plan(
    change: Change<'_>,
    key: &ClusterKey,
    Before { found, is_own }: Before,
    sealer: &Sealer,
) -> Result<Plan, StoreError> {
    let mut plan = Plan::default();
    plan.conditions.push(Condition::Version(key.clone(), found.as_ref().map(|f| f.entry.version)));
    match change {
        Change::Insert { record, secrets, events } => {
            let version = match found {
                Some(there) if there.entry.removed.is_none() => return Err(StoreError::IdTaken { key: key.clone() }),
                // Who could read the old one must not read the new one.
                Some(old) => {
                    plan.writes.push(Write::Clear(key.clone()));
                    old.entry.version
                }
                None => 0,
            };
            let state = ClusterState::default();
            let entry = Entry {
                key: key.clone(),
                site: record.site.clone(),
                name: record.name.to_string(),
                created: record.created,
                removed: None,
                holds_name: true,
                nodes: 0,
                creates: 0,
                version,
            };
            plan.name_is_free(&entry);
            plan.row(entry, record, &state)?;
            plan.document(Place::state(key), encode("state", &state)?);
            if let Some(sealed) = seal(sealer, key, secrets)? {
                plan.document(Place::of(key, SECRETS, ""), sealed);
            }
            plan.append(key, events)?;
        }
        Change::Want { seen, goal, operation, .. } => {
            let (mut entry, mut record, state) = readable(key, found)?;
            if record.operation.id != *seen {
                return Err(StoreError::Changed { key: key.clone() });
            }
            record.shape = record.shape.with_goal(goal);
            record.operation = operation.clone();
            if takes_name(goal) {
                plan.name_is_free(&entry);
                entry.holds_name = true;
            }
            plan.row(entry, &record, &state)?;
        }
        Change::Save { state, events, .. } => {
            let (mut entry, record) = if is_own {
                readable_record(key, found)?
            } else {
                let (entry, record, _) = readable(key, found)?;
                (entry, record)
            };
            entry.holds_name &= holds_name(&record, state);
            plan.row(entry, &record, state)?;
            plan.document(Place::state(key), encode("state", state)?);
            plan.append(key, events)?;
        }
        Change::AddEvents { events, .. } => {
            readable(key, found)?;
            plan.append(key, events)?;
        }
        Change::Remove { events, .. } if is_there(found.as_ref()) => {
            let (mut entry, record, state) = readable(key, found)?;
            entry.removed = Some(Timestamp::now());
            plan.row(entry, &record, &state)?;
            plan.writes.push(Write::Document(Place::of(key, SECRETS, ""), None));
            plan.append(key, events)?;
        }
        Change::ForgetSecrets { .. } if is_there(found.as_ref()) => {
            readable(key, found)?;
            plan.writes.push(Write::Document(Place::of(key, SECRETS, ""), None));
        }
        Change::PutCapability { hash, .. } => {
            if found.is_none() || is_there(found.as_ref()) {
                readable(key, found)?;
            }
            plan.document(Place::of(key, CAPABILITY, &hex(hash)), String::new());
        }
        Change::Remove { .. } | Change::ForgetSecrets { .. } | Change::SiteDocument { .. } | Change::Try => {}
    }
    Ok(plan)
}

impl Plan {
    fn name_is_free(&mut self, entry: &Entry) {
        self.conditions.push(Condition::NameFree(entry.key.clone(), entry.site.clone(), entry.name.clone()));
    }

    /// The next version of a row, with what follows from record and state.
    fn row(&mut self, entry: Entry, record: &ClusterRecord, state: &ClusterState) -> Result<(), StoreError> {
        let Usage { nodes, creates, .. } = Usage::of(record, state);
        let entry = Entry { nodes, creates, version: entry.version + 1, ..entry };
        self.writes.push(Write::Row(entry, encode("record", record)?));
        Ok(())
    }

    fn document(&mut self, place: Place, text: String) {
        self.writes.push(Write::Document(place, Some(text)));
    }

    fn append(&mut self, key: &ClusterKey, events: &[Event]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let text = |event| serde_json::to_string(event).map_err(|source| StoreError::Encode { what: "event", source });
        let texts = events.iter().map(text).collect::<Result<_, _>>()?;
        self.writes.push(Write::Append(key.clone(), texts, EVENTS_KEPT));
        Ok(())
    }
}

pub(crate) fn encode<T: Serialize>(what: &'static str, document: &T) -> Result<String, StoreError> {
    document::write(document).map_err(|source| StoreError::Encode { what, source })
}

fn is_there(found: Option<&Found>) -> bool {
    found.is_some_and(|found| found.entry.removed.is_none())
}

fn present(key: &ClusterKey, found: Option<Found>) -> Result<Found, StoreError> {
    found.filter(|found| found.entry.removed.is_none()).ok_or_else(|| StoreError::Gone { key: key.clone() })
}

/// The door to every change of a cluster: it is there, and it can be read.
fn readable(key: &ClusterKey, found: Option<Found>) -> Result<(Entry, ClusterRecord, ClusterState), StoreError> {
    let found = present(key, found)?;
    match row(&found) {
        Row::Cluster(cluster) => {
            let (record, state) = *cluster;
            Ok((found.entry, record, state))
        }
        Row::Unreadable(row) => Err(StoreError::Unreadable { key: row.key, why: row.why }),
    }
}

/// The same where the state is known to be readable.
fn readable_record(key: &ClusterKey, found: Option<Found>) -> Result<(Entry, ClusterRecord), StoreError> {
    let found = present(key, found)?;
    match record(&found) {
        Ok(record) => Ok((found.entry, record)),
        Err(why) => Err(StoreError::Unreadable { key: key.clone(), why }),
    }
}

/// The record that was found; or why it cannot be read.
pub(crate) fn record(found: &Found) -> Result<ClusterRecord, String> {
    let record = document::read_record(found.record.as_deref().ok_or("its record is not text")?)?;
    is_of(&found.entry, record)
}

/// A cluster as the rest of Howdah sees it.
pub(crate) fn row(found: &Found) -> Row {
    let read = || {
        let record = found.record.as_deref().ok_or("its record is not text")?;
        let state = found.state.as_deref().ok_or("its state is not text")?;
        let (record, state) = document::read(record, state)?;
        Ok((is_of(&found.entry, record)?, state))
    };
    let Entry { key, site, name, .. } = &found.entry;
    let unreadable = |why| document::Unreadable { key: key.clone(), site: site.clone(), name: name.clone(), why };
    read().map_or_else(|why| Row::Unreadable(unreadable(why)), |cluster| Row::Cluster(Box::new(cluster)))
}

fn is_of(entry: &Entry, record: ClusterRecord) -> Result<ClusterRecord, String> {
    let is_it = record.key() == entry.key && record.site == entry.site && record.name.as_str() == entry.name;
    if is_it { Ok(record) } else { Err("its record is that of another cluster".to_owned()) }
}
