//! The stored documents and their versions: the format of a cluster, and upgrades from older
//! versions.
//!
//! Each document has a field `v`. Reading applies the upgrades from that version on, one after the
//! other. Invariant: a document of a newer version, or with an unknown value, is never guessed at: it
//! becomes an [`Unreadable`] row, which is shown and not changed.
//!
//! | from | to | what changed in the state |
//! |---|---|---|
//! | 1 (no `v`) | 2 | `create_call`, `asked` and `task` became the journal; VMs and ports of the nodes became identity and ledger |
//! | 2 | 3 | nothing; in the record the specification's fields became their digest, see below |
//! | 3 | 4 | nothing; in the record `wanted` and `spec.node_groups` became the shape |
//!
//! The fields of a specification moved from the record to the sealed secrets. That needs the
//! installation's key, so the store does it when it opens a database ([`take_specification`]), before
//! any read.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::ids::{ClusterKey, SiteName};
use crate::known::ClusterState;
use crate::mark::MarkKey;
use crate::site::registrar::Registration;
use crate::specification::Specification;
use crate::wanted::ClusterRecord;

/// The version of new documents.
pub const VERSION: u64 = 4;

/// Upgrades the fields of a state by one version, given its record.
type Upgrade = fn(&Value, &mut Map<String, Value>);

/// The upgrades from version 1 on.
const UPGRADES: &[Upgrade] = &[from_1, |_, _| (), |_, _| ()];

/// A stored cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// A readable cluster.
    Cluster(Box<(ClusterRecord, ClusterState)>),
    /// A newer version wrote it, or it is damaged: it is shown and not changed.
    Unreadable(Unreadable),
}

impl Row {
    /// What it is kept under.
    pub fn key(&self) -> ClusterKey {
        match self {
            Self::Cluster(cluster) => cluster.0.key(),
            Self::Unreadable(row) => row.key.clone(),
        }
    }

    /// The cluster, if it can be read.
    pub fn cluster(self) -> Option<(ClusterRecord, ClusterState)> {
        match self {
            Self::Cluster(cluster) => Some(*cluster),
            Self::Unreadable(_) => None,
        }
    }
}

/// A stored cluster whose documents cannot be read: the content of its other columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// What it is kept under.
    pub key: ClusterKey,
    /// Its site.
    pub site: SiteName,
    /// Its name.
    pub name: String,
    /// Why the document cannot be read, without quoting it.
    pub why: String,
}

/// A kind of documents that belong to a site, not to one of its clusters.
#[derive(Debug)]
pub struct SiteKind {
    /// What they are stored under, and called in messages.
    pub name: &'static str,
    /// Whether this is a readable document of that name.
    pub reads: fn(name: &str, text: &str) -> bool,
}

/// Network registrations in the cluster manager.
pub const REGISTRATION: SiteKind =
    SiteKind { name: "registration", reads: |name, text| read_registration(name, text).is_some() };

/// Reads the registration of a name; `None` if a newer version wrote it, or it is damaged.
pub fn read_registration(name: &str, text: &str) -> Option<Registration> {
    version("registration", text).ok()?;
    serde_json::from_str(text).ok().filter(|read: &Registration| read.name == name)
}

/// The text of a document.
///
/// # Errors
/// If it cannot be expressed in JSON; no value of the documents' types causes that.
pub fn write<T: Serialize>(document: &T) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        v: u64,
        #[serde(flatten)]
        document: &'a T,
    }
    serde_json::to_string(&Versioned { v: VERSION, document })
}

/// Reads a record and its state, whichever version wrote them.
///
/// # Errors
/// Why they cannot be read; the text does not quote them.
pub fn read(record: &str, state: &str) -> Result<(ClusterRecord, ClusterState), String> {
    if (version("record", record)?, version("state", state)?) == (VERSION, VERSION) {
        return Ok((current("record", record)?, current("state", state)?));
    }
    let (mut record, record_version) = versioned("record", record)?;
    let (mut state, version) = versioned("state", state)?;
    for upgrade in UPGRADES.iter().skip(usize::try_from(version - 1).unwrap_or(usize::MAX)) {
        if let Some(fields) = state.as_object_mut() {
            upgrade(&record, fields);
        }
    }
    shape_from_3(&mut record, record_version);
    Ok((typed("record", record)?, typed("state", state)?))
}

/// Reads a record alone.
///
/// # Errors
/// As [`read`].
pub fn read_record(record: &str) -> Result<ClusterRecord, String> {
    if version("record", record)? == VERSION {
        return current("record", record);
    }
    let (mut record, version) = versioned("record", record)?;
    shape_from_3(&mut record, version);
    typed("record", record)
}

/// Upgrades a record of a version before 4: goal and node groups became the shape.
fn shape_from_3(record: &mut Value, version: u64) {
    let Some(fields) = record.as_object_mut().filter(|_| version < 4) else { return };
    let goal = fields.remove("wanted").unwrap_or_default();
    let spec = fields.get_mut("spec").and_then(Value::as_object_mut);
    let groups = spec.and_then(|spec| spec.remove("node_groups")).unwrap_or_else(|| json!([]));
    fields.insert("shape".to_owned(), json!({"generation": 1, "goal": goal, "node_groups": groups}));
}

/// Removes the specification from a record of a version before 3, which had its fields in clear text:
/// returns the fields, and the record with their digest. `None` if there are none, or if this version
/// does not support the record.
pub fn take_specification(record: &str, marks: &MarkKey, cluster: &ClusterKey) -> Option<(Specification, String)> {
    let (mut record, version) = versioned("record", record).ok()?;
    let document = record.as_object_mut().filter(|_| version < 3)?;
    let spec = document.get_mut("spec")?.as_object_mut()?;
    let Some(Value::Object(fields)) = spec.remove("specification") else { return None };
    let specification = Specification::new(fields);
    spec.insert("specification".to_owned(), json!(specification.sealed(marks, cluster, None)));
    document.insert("v".to_owned(), json!(3));
    Some((specification, record.to_string()))
}

/// The version that wrote a document, if it is one that this Howdah reads.
fn version(what: &str, text: &str) -> Result<u64, String> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(default = "first")]
        v: u64,
    }
    fn first() -> u64 {
        1
    }
    match serde_json::from_str(text) {
        Ok(Head { v }) if (1..=VERSION).contains(&v) => Ok(v),
        Ok(Head { v }) => Err(format!("its {what} has version {v}, but this Howdah supports versions 1 to {VERSION}")),
        Err(e) if e.is_data() => Err(format!("its {what} has no readable version")),
        Err(_) => Err(format!("its {what} is not JSON")),
    }
}

/// The document as a tree, for upgrades, and the version that wrote it.
fn versioned(what: &str, text: &str) -> Result<(Value, u64), String> {
    let version = version(what, text)?;
    Ok((serde_json::from_str(text).map_err(|_| format!("its {what} is not JSON"))?, version))
}

/// Reads a document of the current version without a tree: states are large, and every change reads them.
fn current<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, String> {
    // Only a failure is worth the search for its place.
    serde_json::from_str(text).or_else(|_| typed(what, &mut serde_json::Deserializer::from_str(text)))
}

/// Reads a document; an error names the place of the unknown value.
fn typed<'de, T: DeserializeOwned>(what: &str, document: impl Deserializer<'de>) -> Result<T, String> {
    serde_path_to_error::deserialize(document).map_err(|e| format!("its {what} has an unknown value at `{}`", e.path()))
}

/// A field of an object inside an object; null if one of them is missing.
fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(value, |v, name| &v[*name])
}

fn from_1(record: &Value, state: &mut Map<String, Value>) {
    let call = state.remove("create_call").unwrap_or_default();
    let task = state.remove("task").unwrap_or_default();
    let mut operation = state.remove("operation").unwrap_or_default();
    let asked = operation.as_object_mut().and_then(|o| o.remove("asked")).unwrap_or_default();
    let begun = at(&operation, &["started"]).clone();
    let mut journal = Map::new();
    let mut note = |verb: &str, at: &Value, phase: &str| {
        // A state without an operation has sent nothing.
        if let Some(id) = operation.get("id") {
            journal.insert(verb.to_owned(), json!({"operation": id, "at": at, "phase": phase}));
        }
    };
    match at(&call, &["is"]).as_str() {
        Some("sent") => note("found", at(&call, &["at"]), "unknown"),
        Some("accepted") => note("found", &begun, "done"),
        _ => {}
    }
    // The old version did not store whether these were answered: a look decides, as after a crash.
    for what in asked.as_array().into_iter().flatten() {
        match (what.as_str(), what["change"].as_str()) {
            (Some("delete"), _) => note("remove", &begun, "unknown"),
            (_, Some(change @ ("start" | "stop" | "resume"))) => note(change, &begun, "unknown"),
            _ => {}
        }
    }
    let newest = ["remove", "resume", "stop", "start", "found"].into_iter().find(|v| journal.contains_key(*v));
    if let Some(entry) = newest.and_then(|v| journal.get_mut(v)).filter(|_| task.is_string()) {
        entry["task"] = task;
    }
    // Without a create call of ours, these are the VMs and ports of a foreign cluster of this name: the
    // first version showed them as its own.
    let founded = journal.contains_key("found");
    if !founded {
        state.remove("nodes");
    }
    let (mut vms, mut ports) = (Map::new(), Map::new());
    for (name, node) in state.get("nodes").and_then(Value::as_object).into_iter().flatten() {
        if let (Some(vm), Some(_)) = (node["vm"].as_str(), node["instance_uuid"].as_str()) {
            vms.insert(vm.to_owned(), node["instance_uuid"].clone());
        }
        // A node whose VM was destroyed has lost its MAC, not its port.
        if let Some(port) = node["port"].as_str() {
            let own = json!({"node": name, "mac": node.get("mac"), "address": node.get("promised")});
            ports.insert(port.to_owned(), own);
        }
    }
    if founded {
        let groups = at(record, &["spec", "node_groups"]).as_array().into_iter().flatten();
        let groups: Map<_, _> =
            groups.filter_map(|g| Some((g["name"].as_str()?.to_owned(), g["count"].clone()))).collect();
        let networks: Vec<_> = state.get("registration").filter(|r| r.is_string()).into_iter().cloned().collect();
        let distro = at(record, &["spec", "distro"]);
        let sent = json!({"distro": distro, "groups": groups, "networks": networks});
        state.insert("identity".to_owned(), json!({"sent": sent, "vms": vms}));
        let deletes = operation["kind"] == "delete";
        state.insert("ledger_lost".to_owned(), Value::Bool(deletes));
    }
    if !operation.is_null() {
        state.insert("operation".to_owned(), operation);
    }
    state.insert("journal".to_owned(), Value::Object(journal));
    state.insert("ports".to_owned(), Value::Object(ports));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::{Existence, Phase, Verb};
    use crate::test_support::{record, state};

    /// As versions 1 to 3 wrote it.
    fn first_record() -> Value {
        let mut record = serde_json::to_value(record()).unwrap();
        let mut shape = record.as_object_mut().unwrap().remove("shape").unwrap();
        record["wanted"] = shape["goal"].take();
        record["spec"]["node_groups"] = shape["node_groups"].take();
        record
    }

    fn upgraded(state: &Value) -> ClusterState {
        read(&first_record().to_string(), &state.to_string()).unwrap().1
    }

    #[test]
    fn what_is_written_is_read() {
        let (record, state) = (record(), state());
        let (text, state_text) = (write(&record).unwrap(), write(&state).unwrap());
        assert!(text.starts_with(&format!("{{\"v\":{VERSION},")), "{text}");
        assert_eq!(read(&text, &state_text), Ok((record.clone(), state)));
        assert_eq!(read_record(&text), Ok(record));
    }

    #[test]
    fn a_newer_version_and_an_unknown_word_are_unreadable_and_not_quoted() {
        let good = write(&state()).unwrap();
        let says = |record: String, state: &str| read(&record, state).unwrap_err();
        let newer = write(&record()).unwrap().replacen(&format!("\"v\":{VERSION}"), "\"v\":9", 1);
        assert_eq!(says(newer, &good), "its record has version 9, but this Howdah supports versions 1 to 4");
        let word = write(&record()).unwrap().replace("\"running\"", "\"hibernated\"");
        let said = says(word, &good);
        assert!(said.contains("`shape.goal`") && !said.contains("hibernated"), "{said}");
        assert_eq!(says("{".to_owned(), &good), "its record is not JSON");
        assert_eq!(says("{\"v\":\"x\"}".to_owned(), &good), "its record has no readable version");
    }

    #[test]
    fn a_specification_in_clear_gives_way_to_its_digest() {
        let (marks, key) = (MarkKey::new(b"secret"), record().key());
        let take = |record: &Value| take_specification(&record.to_string(), &marks, &key);
        let mut old = first_record();
        assert!(take(&old).is_none());
        old["spec"]["specification"] = json!({"topologyPolicy": "hush"});
        for v in [None, Some(2)] {
            if let Some(v) = v {
                old["v"] = json!(v);
            }
            let (found, new) = take(&old).unwrap();
            assert_eq!(found.expose(), r#"{"topologyPolicy":"hush"}"#);
            assert!(!new.contains("hush"), "{new}");
            let kept = read_record(&new).unwrap().spec.specification.unwrap();
            assert_eq!((kept.digest, kept.nodes), (found.digest(&marks, &key), None));
            assert!(take_specification(&new, &marks, &key).is_none(), "once is enough");
        }
        // Documents of a newer version and nonsense are not changed.
        old["v"] = json!(9);
        assert!(take(&old).is_none() && take(&json!({"spec": 5})).is_none());
    }

    #[test]
    fn goal_and_node_groups_become_the_shape() {
        let mut old = first_record();
        old["v"] = json!(3);
        old["wanted"] = json!("stopped");
        old["spec"]["node_groups"] = json!([{"name": "worker", "roles": [], "count": 3}]);
        let new = read_record(&old.to_string()).unwrap();
        assert_eq!((new.shape.generation, new.shape.goal), (1, crate::wanted::Goal::Stopped));
        assert_eq!(new.shape.node_groups[0].count, 3);
        assert_eq!(read(&old.to_string(), "{}").unwrap().0, new);
    }

    #[test]
    fn the_first_version_is_brought_up() {
        let operation = json!({"id": record().operation.id, "kind": "delete", "state": "running",
            "started": "2026-01-01T00:00:00Z", "asked": ["create", {"change": "stop"}, "delete"]});
        let node = json!({"group": "worker", "stage": "addressed", "vm": "vm-1", "instance_uuid": uuid::Uuid::nil(),
            "mac": "00:50:56:01:02:03", "port": "port-1", "promised": "10.0.0.5"});
        // Its VM was destroyed.
        let bare = json!({"group": "worker", "stage": "planned", "port": "port-2"});
        let old = json!({"status": "deleting", "operation": operation, "create_call": {"is": "accepted"},
            "task": "12", "registration": "net", "nodes": {"c-worker-0": node, "c-worker-1": bare}});
        let new = upgraded(&old);
        assert_eq!(new.journal.get(Verb::Found).unwrap().phase, Phase::Done);
        assert_eq!(new.journal.get(Verb::Stop).unwrap().phase, Phase::Unknown);
        assert_eq!(new.journal.get(Verb::Remove).unwrap().task, Some("12".into()));
        assert_eq!(new.identity.vms.len(), 1);
        assert_eq!(new.identity.sent.unwrap().networks, ["net".to_owned()].into());
        assert_eq!(new.ports[&"port-1".into()].address, Some("10.0.0.5".parse().unwrap()));
        assert_eq!(new.ports[&"port-2".into()].mac, None);
        assert!(new.ledger_lost, "it forgot nodes while it deleted");
    }

    #[test]
    fn each_create_call_of_the_first_version_keeps_its_meaning() {
        let operation = json!({"id": record().operation.id, "kind": "create", "state": "running",
            "started": "2026-01-01T00:00:00Z"});
        let state = |call: Value| upgraded(&json!({"operation": operation, "create_call": call}));
        assert_eq!(state(json!({"is": "not_sent"})).journal.existence(Verb::Found), Existence::Never);
        let sent = state(json!({"is": "sent", "at": "2026-01-01T00:00:05Z"}));
        assert_eq!(sent.journal.get(Verb::Found).unwrap().phase, Phase::Unknown);
        assert!(sent.identity.sent.is_some(), "what was sent is compared with what is there");
        assert!(!sent.ledger_lost, "its nodes have their ports");
        assert_eq!(upgraded(&json!({})).journal.existence(Verb::Found), Existence::Never);
    }
}
