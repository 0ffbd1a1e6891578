//! What fails, since when, and when it may be tried again.
//!
//! Invariant: a pause is decided where the choice of what to do is made, so a call that keeps
//! failing takes no other call's turn. A trouble belongs to one key; a wave of ports that was
//! refused for what is in it is split, so that one bad MAC address holds back only itself.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::action::{Action, Key};
use crate::failure::{ErrorKind, Failure, RemoteError, System, chain, clause};
use crate::ids::OperationId;
use crate::policy::Policy;
use crate::time::{Mono, Stamp};

/// One call that failed and has not succeeded since.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// What it is about.
    pub key: Key,
    /// When it failed first.
    pub since: Mono,
    /// How often in a row.
    pub tries: u32,
    /// Not before then.
    pub not_before: Mono,
    /// During which operation it failed last.
    pub operation: Option<OperationId>,
    /// Who refused.
    pub system: System,
    /// What kind of refusal.
    pub kind: ErrorKind,
    /// What was to be done: `could not ...`.
    pub purpose: &'static str,
    /// The error, as a failure.
    pub failure: Failure,
    /// The same as the end of a sentence.
    pub says: String,
    /// Before the next try, a look that was asked for after this.
    pub look_after: Stamp,
}

impl Trouble {
    /// Whether somebody has to change something before a repeat can help.
    pub const fn is_lasting(&self) -> bool {
        !self.kind.is_transient()
    }

    /// Whether the operation that needs the call ends by it. A conflict does not end it: something has
    /// changed under the call, and a new look shows what is to be done now. Nor does the first
    /// refusal of a wave of ports: each of them is tried alone first.
    pub fn is_final(&self) -> bool {
        let in_a_wave = matches!(self.key, Key::Mac(_)) && self.tries < 2;
        self.is_lasting() && self.kind != ErrorKind::Conflict && !in_a_wave
    }
}

/// The pause after so many failures in a row: doubled each time up to a limit, with jitter
/// (`fraction` is from 0.0 to 1.0) that takes up to half of it away.
pub fn pause(policy: &Policy, tries: u32, fraction: f64) -> Duration {
    let full = policy.retry_first.saturating_mul(2u32.saturating_pow(tries.saturating_sub(1))).min(policy.retry_max);
    full.mul_f64(0.5 + fraction / 2.0)
}

/// All troubles of a controller.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Troubles(BTreeMap<Key, Trouble>);

impl Troubles {
    /// A call failed. `pause`: how long until the next try is the caller's part, by [`pause`].
    pub fn add(
        &mut self,
        action: &Action,
        error: &RemoteError,
        operation: Option<OperationId>,
        ended: Stamp,
        now: Mono,
        mut wait: impl FnMut(u32) -> Duration,
    ) {
        for key in action.keys() {
            let before = self.0.get(&key).filter(|t| t.operation == operation);
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
                purpose: action.purpose(),
                failure: Failure { message: chain(error), ..Failure::from(error) },
                says: clause(error),
                look_after: ended,
            };
            self.0.insert(key, trouble);
        }
    }

    /// A call succeeded, or is not wanted any more.
    pub fn calm(&mut self, keys: &[Key]) {
        for key in keys {
            self.0.remove(key);
        }
    }

    /// A new request tries everything at once. What fails is known to fail until it succeeds.
    pub fn hurry(&mut self, now: Mono) {
        for trouble in self.0.values_mut() {
            trouble.not_before = trouble.not_before.min(now);
        }
    }

    /// Forgets what has not been tried for a long time: it is not wanted any more.
    pub fn tidy(&mut self, now: Mono, idle: Duration) {
        self.0.retain(|_, t| now.since(t.not_before) < idle);
    }

    /// The trouble of a key.
    pub fn get(&self, key: &Key) -> Option<&Trouble> {
        self.0.get(key)
    }

    /// How long until all of these keys may be tried again; `None` if they may now.
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

    #[test]
    fn the_pause_doubles_up_to_its_limit_and_jitter_takes_half_at_most() {
        let policy = Policy::default();
        let steps: Vec<_> = (1..=8).map(|tries| pause(&policy, tries, 1.0).as_millis()).collect();
        assert_eq!(steps, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        assert_eq!(pause(&policy, 1, 0.0).as_millis(), 250);
        assert_eq!(pause(&policy, u32::MAX, 0.0).as_millis(), 15_000);
    }

    #[test]
    fn one_key_in_trouble_holds_back_only_itself() {
        let (now, mut troubles) = (Mono::default(), Troubles::default());
        let error = RemoteError::new(System::Neutron, ErrorKind::Unreachable, "neutron_unreachable", "is down.");
        troubles.add(&Action::ListPorts, &error, None, Stamp::START, now, |_| Duration::from_secs(2));
        assert_eq!(troubles.wait(&[Key::Ports, Key::Look], now), Some(Duration::from_secs(2)));
        assert_eq!(troubles.wait(&[Key::Look], now), None);
        let trouble = troubles.get(&Key::Ports).unwrap();
        assert_eq!((trouble.tries, trouble.is_lasting(), trouble.says.as_str()), (1, false, "Neutron: is down"));
        troubles.tidy(now.plus(Duration::from_secs(400)), Duration::from_secs(300));
        assert_eq!(troubles.get(&Key::Ports), None);
    }

    #[test]
    fn a_new_request_tries_at_once_and_counts_its_own_failures() {
        let (now, mut troubles) = (Mono::default(), Troubles::default());
        let operation = |n| Some(OperationId(uuid::Uuid::from_u128(n)));
        let error = RemoteError::new(System::Bde, ErrorKind::Invalid, "bde_refused", "does not");
        let fails = |troubles: &mut Troubles, n| {
            troubles
                .add(&Action::Look, &error, operation(n), Stamp::START, now, |tries| Duration::from_secs(tries.into()));
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
                troubles.add(action, &error, None, Stamp::START, Mono::default(), |_| Duration::ZERO);
            }
            troubles.iter().next().unwrap().1.is_final()
        };
        assert!(final_after(&Action::Check, ErrorKind::Forbidden, 1));
        assert!(!final_after(&Action::Check, ErrorKind::Unreachable, 9), "it may pass");
        assert!(!final_after(&Action::Check, ErrorKind::Conflict, 9), "something changed: it is looked at again");
    }
}
