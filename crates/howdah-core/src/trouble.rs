//! Failing calls: since when they fail, and when to retry.
//!
//! Invariant: pauses apply when the next actions are chosen, so a call that fails repeatedly takes no other
//! call's turn. A trouble belongs to one key. A wave of ports that was refused for its content is split, so
//! that one bad MAC address blocks only itself.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::Key;
use crate::failure::{ErrorKind, Failure, RemoteError, System, chain, clause};
use crate::ids::OperationId;
use crate::time::{Mono, Stamp};

/// A call that failed and has not succeeded since.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// What it is about.
    pub key: Key,
    /// When it failed first.
    pub since: Mono,
    /// How often in a row.
    pub tries: u32,
    /// The earliest time of the next try.
    pub not_before: Mono,
    /// The operation that needed it when it failed last, if any.
    pub operation: Option<OperationId>,
    /// The system.
    pub system: System,
    /// The kind of failure.
    pub kind: ErrorKind,
    /// What was to be done: `could not ...`.
    pub purpose: &'static str,
    /// The error, as a failure.
    pub failure: Failure,
    /// The same as the end of a sentence.
    pub says: String,
    /// The next try needs a look that was requested after this.
    pub look_after: Stamp,
}

impl Trouble {
    /// Whether a retry cannot help until a person changes something.
    pub const fn is_lasting(&self) -> bool {
        !self.kind.is_transient()
    }

    /// Whether the failure ends the operation that needs the call. A conflict does not end it: the state has
    /// changed, and a new look shows the next action. Nor does the first refusal of a wave of ports: each
    /// port is tried alone first.
    pub fn is_final(&self) -> bool {
        let in_a_wave = matches!(self.key, Key::Mac(_)) && self.tries < 2;
        self.is_lasting() && self.kind != ErrorKind::Conflict && !in_a_wave
    }
}

/// A new failure.
pub struct Failed<'a> {
    /// What the call was about.
    pub keys: Vec<Key>,
    /// What was to be done: `could not ...`.
    pub purpose: &'static str,
    /// The answer.
    pub error: &'a RemoteError,
    /// The operation that needed the call, if any.
    pub operation: Option<OperationId>,
    /// When it ended, in the order of calls and answers.
    pub ended: Stamp,
    /// When it ended, on the monotonic clock.
    pub now: Mono,
}

/// All troubles of a controller.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Troubles(BTreeMap<Key, Trouble>);

impl Troubles {
    /// A call failed. `wait` gives the pause after so many failures in a row ([`Policy::pause`](crate::policy::Policy::pause)).
    pub fn add(&mut self, failed: &Failed<'_>, mut wait: impl FnMut(u32) -> Duration) {
        let &Failed { ref keys, purpose, error, operation, ended, now } = failed;
        for key in keys {
            let before = self.0.get(key).filter(|t| t.operation == operation);
            let tries = before.map_or(0, |t| t.tries) + 1;
            let since = before.map_or(now, |t| t.since);
            let trouble = Trouble {
                key: key.clone(),
                since,
                tries,
                not_before: now.plus(wait(tries)),
                operation,
                system: error.system,
                kind: error.kind,
                purpose,
                failure: Failure { message: chain(error), ..Failure::from(error) },
                says: clause(error),
                look_after: ended,
            };
            self.0.insert(key.clone(), trouble);
        }
    }

    /// A call succeeded, or is no longer needed.
    pub fn calm(&mut self, keys: &[Key]) {
        for key in keys {
            self.0.remove(key);
        }
    }

    /// A new request retries everything immediately. A trouble stays until its call succeeds.
    pub fn hurry(&mut self, now: Mono) {
        for trouble in self.0.values_mut() {
            trouble.not_before = trouble.not_before.min(now);
        }
    }

    /// Drops calls without a retry for a long time: they are no longer needed. The watch and the store are
    /// always needed, and stay until they succeed, however rarely they report a failure.
    pub fn tidy(&mut self, now: Mono, idle: Duration) {
        self.0.retain(|key, t| matches!(key, Key::Watch | Key::Store) || now.since(t.not_before) < idle);
    }

    /// The trouble of a key.
    pub fn get(&self, key: &Key) -> Option<&Trouble> {
        self.0.get(key)
    }

    /// How long until all of these keys may be retried; `None` if they may be now.
    pub fn wait(&self, keys: &[Key], now: Mono) -> Option<Duration> {
        keys.iter().filter_map(|k| self.0.get(k)).map(|t| t.not_before.since(now)).max().filter(|w| !w.is_zero())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Trouble)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;

    fn failed<'a>(action: &Action, error: &'a RemoteError, operation: Option<OperationId>) -> Failed<'a> {
        let (keys, purpose) = (action.keys(), action.purpose());
        Failed { keys, purpose, error, operation, ended: Stamp::START, now: Mono::default() }
    }

    #[test]
    fn one_key_in_trouble_holds_back_only_itself() {
        let (now, mut troubles) = (Mono::default(), Troubles::default());
        let error = RemoteError::new(System::Neutron, ErrorKind::Unreachable, "neutron_unreachable", "is down.");
        troubles.add(&failed(&Action::ListPorts, &error, None), |_| Duration::from_secs(2));
        assert_eq!(troubles.wait(&[Key::Ports, Key::Look], now), Some(Duration::from_secs(2)));
        assert_eq!(troubles.wait(&[Key::Look], now), None);
        let trouble = troubles.get(&Key::Ports).unwrap();
        assert_eq!((trouble.tries, trouble.is_lasting(), trouble.says.as_str()), (1, false, "Neutron: is down"));
        troubles.tidy(now.plus(Duration::from_secs(400)), Duration::from_secs(300));
        assert_eq!(troubles.get(&Key::Ports), None);
        for key in [Key::Watch, Key::Store] {
            let fails = Failed { keys: vec![key.clone()], ..failed(&Action::ListPorts, &error, None) };
            troubles.add(&fails, |_| Duration::ZERO);
            troubles.tidy(now.plus(Duration::from_secs(9000)), Duration::from_secs(300));
            assert!(troubles.get(&key).is_some(), "{key:?} has not succeeded");
        }
    }

    #[test]
    fn a_new_request_tries_at_once_and_counts_its_own_failures() {
        let (now, mut troubles) = (Mono::default(), Troubles::default());
        let operation = |n| Some(OperationId(uuid::Uuid::from_u128(n)));
        let error = RemoteError::new(System::Bde, ErrorKind::Invalid, "bde_refused", "does not");
        let fails = |troubles: &mut Troubles, n| {
            troubles.add(&failed(&Action::Look, &error, operation(n)), |tries| Duration::from_secs(tries.into()));
        };
        fails(&mut troubles, 1);
        fails(&mut troubles, 1);
        assert_eq!(troubles.wait(&[Key::Look], now), Some(Duration::from_secs(2)));
        troubles.hurry(now);
        assert_eq!(troubles.wait(&[Key::Look], now), None);
        assert_eq!(troubles.get(&Key::Look).unwrap().tries, 2, "it has not succeeded yet");
        fails(&mut troubles, 2);
        assert_eq!(troubles.get(&Key::Look).unwrap().tries, 1);
    }

    #[test]
    fn what_ends_an_operation() {
        let final_after = |action: &Action, kind, tries| {
            let mut troubles = Troubles::default();
            for _ in 0..tries {
                let error = RemoteError::new(System::Neutron, kind, "neutron_refused", "does not");
                troubles.add(&failed(action, &error, None), |_| Duration::ZERO);
            }
            troubles.iter().next().unwrap().1.is_final()
        };
        assert!(final_after(&Action::Check, ErrorKind::Forbidden, 1));
        assert!(!final_after(&Action::Check, ErrorKind::Unreachable, 9), "it may pass");
        assert!(!final_after(&Action::Check, ErrorKind::Conflict, 9), "something changed: it is looked at again");
    }
}
