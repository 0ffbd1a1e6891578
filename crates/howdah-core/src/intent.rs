//! The journal of sent calls, written before their effect.
//!
//! It answers two questions: may the effect of a call exist, and from when on does a look decide
//! about it?
//!
//! ```text
//!   planned -> saved -> Sent -+-> Done      the call succeeded
//!                             +-> Refused   it was refused: it has no effect
//!                             +-> Unknown --(settles)--> a look requested after that decides:
//!                                                        seen: Done, not seen: Absent
//! ```
//!
//! | phase | in flight | effect may exist | a look decides if requested after |
//! |---|---|---|---|
//! | `Sent` | yes | yes | (never) |
//! | `Unknown`, not settled | no | yes, or may still come | (never) |
//! | `Unknown`, settled | no | yes | the settling |
//! | `Done` | no | yes | the answer |
//! | `Refused`, `Absent` | no | no | the answer, the settling |
//!
//! An entry's key is a [`Call`]: the verb and its object. A provisioner that makes one call for the whole
//! cluster has one entry per verb; one that clones node by node has one per node.
//!
//! Invariant: a call that was `Sent` when the process ended is `Unknown` for the next process, and its time
//! to settle counts from that process's start.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};

use crate::ids::{NodeName, OperationId, TaskId};
use crate::policy::Policy;
use crate::time::{Mono, Stamp, Ticker};

/// The kind of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Create the cluster.
    Found,
    /// Power on and start services.
    Start,
    /// Stop services and power off.
    Stop,
    /// Resume a failed create.
    Resume,
    /// Delete the cluster.
    Remove,
    /// A burst of port creates: the entry stays as long as one of them may have an effect.
    Ports,
    /// The clone of a node, by the tests' port-first provisioner.
    #[cfg(test)]
    Clone,
}

/// The object of a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The cluster as a whole.
    Cluster,
    /// One node.
    Node(NodeName),
}

/// The key of an entry. Stored as `verb`, or `verb node`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Call {
    /// What was asked for.
    pub verb: Verb,
    /// Its object.
    pub subject: Subject,
}

impl From<Verb> for Call {
    fn from(verb: Verb) -> Self {
        Self { verb, subject: Subject::Cluster }
    }
}

impl TryFrom<String> for Call {
    type Error = serde::de::value::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (verb, subject) = match text.split_once(' ') {
            Some((verb, node)) => (verb, Subject::Node(node.into())),
            None => (text.as_str(), Subject::Cluster),
        };
        Ok(Self { verb: Verb::deserialize(verb.into_deserializer())?, subject })
    }
}

impl From<Call> for String {
    fn from(call: Call) -> Self {
        let verb = call.verb.word();
        match call.subject {
            Subject::Cluster => verb.to_owned(),
            Subject::Node(node) => format!("{verb} {node}"),
        }
    }
}

impl Verb {
    /// Calls that the cluster manager runs in the background, one at a time.
    pub const MANAGER: [Self; 5] = [Self::Found, Self::Start, Self::Stop, Self::Resume, Self::Remove];

    /// The word that is stored.
    const fn word(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Resume => "resume",
            Self::Remove => "remove",
            Self::Ports => "ports",
            #[cfg(test)]
            Self::Clone => "clone",
        }
    }
}

/// The phase of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Stored, and sent right after that.
    Sent,
    /// The answer was lost: it may have had its effect, or still have it.
    Unknown,
    /// It succeeded, or its effect was seen.
    Done,
    /// Refused, without effect.
    Refused,
    /// A look after it settled did not show its effect.
    Absent,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// For which operation.
    pub operation: OperationId,
    /// When it was sent, as wall time for display.
    pub at: Timestamp,
    /// Its phase.
    pub phase: Phase,
    /// An earlier try of the same call ended unknown: a conflict now may be the effect of that try.
    #[serde(default)]
    pub earlier: bool,
    /// The task that it started, if the answer named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Until when an unknown call may still take effect.
    #[serde(skip)]
    settles: Option<Mono>,
    /// A look requested after this shows the effect or its absence.
    #[serde(skip)]
    ended: Stamp,
}

/// Whether the effect of a call may exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existence {
    /// It was never sent.
    Never,
    /// It is in flight or has not settled: absence proves nothing.
    Open,
    /// Its answer is unknown and it has settled: a look requested after this decides.
    Settled(Stamp),
    /// It succeeded: absence after this is a loss.
    Answered(Stamp),
    /// It had no effect, as of this moment.
    Without(Stamp),
}

impl Intent {
    /// Whether its effect may exist.
    const fn existence(&self) -> Existence {
        match self.phase {
            Phase::Sent => Existence::Open,
            Phase::Unknown if self.settles.is_some() => Existence::Open,
            Phase::Unknown => Existence::Settled(self.ended),
            Phase::Done => Existence::Answered(self.ended),
            Phase::Refused | Phase::Absent => Existence::Without(self.ended),
        }
    }
}

/// The relevant calls: the newest one under each key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Journal(BTreeMap<Call, Intent>);

impl Journal {
    /// At the start of a process: answers to the previous process are lost, and its stamps mean nothing.
    pub fn resume(&mut self, now: Mono, policy: &Policy) {
        for (call, intent) in &mut self.0 {
            intent.ended = Stamp::START;
            if matches!(intent.phase, Phase::Sent | Phase::Unknown) {
                intent.phase = Phase::Unknown;
                intent.settles = Some(now.plus(policy.settles(call.verb)));
            }
        }
    }

    /// Records a call; the caller saves it before sending.
    pub fn sent(&mut self, call: impl Into<Call>, operation: OperationId, at: Timestamp) {
        let call = call.into();
        let earlier = self.0.get(&call).is_some_and(|old| old.earlier || old.phase == Phase::Unknown);
        let phase = Phase::Sent;
        let intent = Intent { operation, at, phase, earlier, task: None, settles: None, ended: Stamp::START };
        self.0.insert(call, intent);
    }

    /// It succeeded, perhaps with a task.
    pub fn done(&mut self, call: impl Into<Call>, task: Option<TaskId>, ended: Stamp) {
        if let Some(intent) = self.0.get_mut(&call.into()) {
            intent.phase = Phase::Done;
            intent.task = task;
            intent.ended = ended;
        }
    }

    /// It was refused.
    pub fn refused(&mut self, call: impl Into<Call>, ended: Stamp) {
        if let Some(intent) = self.0.get_mut(&call.into()) {
            intent.phase = Phase::Refused;
            intent.ended = ended;
        }
    }

    /// Its answer was lost.
    pub fn lost(&mut self, call: impl Into<Call>, ended: Stamp, now: Mono, policy: &Policy) {
        let call = call.into();
        if let Some(intent) = self.0.get_mut(&call) {
            intent.phase = Phase::Unknown;
            intent.ended = ended;
            intent.settles = Some(now.plus(policy.settles(call.verb)));
        }
    }

    /// Stamps the calls that have settled: looks requested from now on decide about them.
    pub fn settle(&mut self, now: Mono, ticker: &Ticker) {
        for intent in self.0.values_mut() {
            if intent.phase == Phase::Unknown && intent.settles.is_some_and(|at| at <= now) {
                intent.settles = None;
                intent.ended = ticker.tick();
            }
        }
    }

    /// A look has decided about a call whose answer was lost.
    pub fn resolve(&mut self, call: impl Into<Call>, phase: Phase) {
        if let Some(intent) = self.0.get_mut(&call.into()) {
            intent.phase = phase;
            intent.settles = None;
        }
    }

    /// A look at the manager that was requested at this moment shows the effects of all calls that had
    /// settled before: these calls are resolved, for the next process too. Ownership resolves the create, see
    /// [`crate::own`].
    pub fn looked(&mut self, asked: Stamp) {
        for (call, intent) in &mut self.0 {
            let settled = intent.phase == Phase::Unknown && intent.settles.is_none() && intent.ended < asked;
            if settled && !matches!(call.verb, Verb::Found | Verb::Ports) {
                intent.phase = Phase::Absent;
            }
        }
    }

    /// A burst has ended: none of its calls can still take effect.
    pub fn forget(&mut self, call: impl Into<Call>) {
        self.0.remove(&call.into());
    }

    /// Whether no call was ever sent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The newest calls of these verbs, for any object.
    fn of(&self, verbs: &[Verb]) -> impl Iterator<Item = &Intent> {
        self.0.iter().filter(|(call, _)| verbs.contains(&call.verb)).map(|(_, intent)| intent)
    }

    /// The newest call under a key.
    pub fn get(&self, call: impl Into<Call>) -> Option<&Intent> {
        self.0.get(&call.into())
    }

    /// Whether the effect of the newest call may exist.
    pub fn existence(&self, call: impl Into<Call>) -> Existence {
        self.0.get(&call.into()).map_or(Existence::Never, Intent::existence)
    }

    /// Whether the call was made for this operation and may have taken effect: it is then not repeated for
    /// this operation.
    pub fn asked(&self, call: impl Into<Call>, operation: OperationId) -> bool {
        self.0.get(&call.into()).is_some_and(|intent| {
            intent.operation == operation && matches!(intent.existence(), Existence::Open | Existence::Answered(_))
        })
    }

    /// When the last of these calls ended; `None` while one of them is in flight or may still take
    /// effect. A look requested after the stamp is a verdict about all of them.
    pub fn quiet(&self, verbs: &[Verb]) -> Option<Stamp> {
        let mut floor = Stamp::START;
        for intent in self.of(verbs) {
            match intent.existence() {
                Existence::Never => {}
                Existence::Open => return None,
                Existence::Settled(at) | Existence::Answered(at) | Existence::Without(at) => floor = floor.max(at),
            }
        }
        Some(floor)
    }

    /// Until when the slowest of these calls may still take effect, if its answer is lost.
    pub fn open_until(&self, verbs: &[Verb]) -> Option<Mono> {
        self.of(verbs).filter(|i| i.phase == Phase::Unknown).filter_map(|i| i.settles).max()
    }

    /// The manager's task from the newest call that started one.
    pub fn newest_task(&self) -> Option<&TaskId> {
        let calls = self.of(&Verb::MANAGER).filter(|i| i.task.is_some());
        calls.max_by_key(|i| (i.ended, i.at)).and_then(|i| i.task.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::test_support::at;

    const OP: OperationId = OperationId(Uuid::from_u128(7));
    const T0: Mono = Mono::new(Duration::ZERO);

    fn sent(verb: Verb) -> Journal {
        let mut journal = Journal::default();
        journal.sent(verb, OP, at(0));
        journal
    }

    #[test]
    fn an_answer_closes_the_question() {
        let (ticker, mut journal) = (Ticker::default(), sent(Verb::Stop));
        assert_eq!(journal.existence(Verb::Found), Existence::Never);
        assert_eq!(journal.existence(Verb::Stop), Existence::Open);
        assert_eq!(journal.quiet(&Verb::MANAGER), None);
        let end = ticker.tick();
        journal.done(Verb::Stop, Some("7".into()), end);
        assert_eq!(journal.existence(Verb::Stop), Existence::Answered(end));
        assert_eq!(journal.quiet(&Verb::MANAGER), Some(end));
        assert!(journal.asked(Verb::Stop, OP) && !journal.asked(Verb::Stop, OperationId(Uuid::nil())));
        assert_eq!(journal.newest_task(), Some(&"7".into()));
    }

    #[test]
    fn a_lost_answer_is_open_until_it_settles() {
        let (ticker, policy, mut journal) = (Ticker::default(), Policy::default(), sent(Verb::Found));
        journal.lost(Verb::Found, ticker.tick(), T0, &policy);
        journal.settle(T0, &ticker);
        assert_eq!(journal.existence(Verb::Found), Existence::Open);
        let settled = T0.plus(policy.settles(Verb::Found));
        assert_eq!(journal.open_until(&Verb::MANAGER), Some(settled));
        journal.settle(settled, &ticker);
        assert!(matches!(journal.existence(Verb::Found), Existence::Settled(_)));
        assert!(!journal.asked(Verb::Found, OP), "it may be asked for again once a look has refuted it");
    }

    #[test]
    fn a_look_after_a_lost_call_settled_closes_it_for_good() {
        let (ticker, policy) = (Ticker::default(), Policy::default());
        for verb in [Verb::Start, Verb::Stop, Verb::Resume, Verb::Remove] {
            let mut journal = sent(verb);
            journal.lost(verb, ticker.tick(), T0, &policy);
            journal.looked(ticker.tick());
            assert_eq!(journal.existence(verb), Existence::Open, "{verb:?} has not settled");
            let asked = ticker.tick();
            journal.settle(T0.plus(policy.settles(verb)), &ticker);
            let settled = journal.quiet(&[verb]);
            journal.looked(asked);
            assert!(matches!(journal.existence(verb), Existence::Settled(_)), "{verb:?}: that look was before it");
            journal.looked(ticker.tick());
            assert_eq!(journal.quiet(&[verb]), settled);
            journal.resume(T0, &policy);
            assert!(matches!(journal.existence(verb), Existence::Without(_)), "{verb:?}, also after a restart");
            assert_eq!(journal.quiet(&[verb]), Some(Stamp::START), "a later process has its own stamps");
        }
    }

    #[test]
    fn a_call_about_one_node_is_kept_beside_that_of_another_and_read_back() {
        let clone = |node: &str| Call { verb: Verb::Clone, subject: Subject::Node(node.into()) };
        let mut journal = sent(Verb::Found);
        journal.sent(clone("c-worker-0"), OP, at(1));
        journal.sent(clone("c-worker-1"), OP, at(1));
        let ticker = Ticker::default();
        journal.done(clone("c-worker-0"), None, ticker.tick());
        assert_eq!(journal.quiet(&[Verb::Clone]), None, "the other one is in flight");
        journal.refused(clone("c-worker-1"), ticker.tick());
        assert!(journal.quiet(&[Verb::Clone]).is_some());
        let text = serde_json::to_value(&journal).unwrap();
        assert_eq!(text["clone c-worker-1"]["phase"], "refused");
        assert_eq!(text["found"]["phase"], "sent", "as it was stored before there were calls about nodes");
        let back: Journal = serde_json::from_value(text).unwrap();
        assert_eq!(back.get(clone("c-worker-0")).unwrap().phase, Phase::Done);
        assert!(serde_json::from_str::<Journal>(r#"{"dance c-worker-1": {}}"#).is_err());
    }

    #[test]
    fn what_was_in_flight_at_a_crash_is_unknown_afterwards() {
        let policy = Policy::default();
        let text = serde_json::to_string(&sent(Verb::Remove)).unwrap();
        let mut journal: Journal = serde_json::from_str(&text).unwrap();
        let start = Mono::new(Duration::from_secs(1000));
        journal.resume(start, &policy);
        assert_eq!(journal.open_until(&Verb::MANAGER), Some(start.plus(policy.settles(Verb::Remove))));
        // The next try remembers that an earlier one may have got through.
        journal.sent(Verb::Remove, OP, at(9));
        assert!(journal.get(Verb::Remove).unwrap().earlier);
    }
}
