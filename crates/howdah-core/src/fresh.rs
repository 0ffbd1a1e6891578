//! Facts with the moment of their query.
//!
//! Invariant: neither a partial nor an old answer can prove absence. Only [`Listing::whole_after`] can,
//! and only for a complete list that was requested after the relevant moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::time::{Mono, Stamp};

/// The newest answer to one question.
#[derive(Debug, Clone, PartialEq)]
pub struct Known<T>(Option<Answer<T>>);

#[derive(Debug, Clone, PartialEq)]
struct Answer<T> {
    value: T,
    asked: Stamp,
    asked_at: Mono,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Known<T> {
    /// Records an answer unless a newer query has been answered already. Returns whether it was
    /// recorded.
    pub fn learn(&mut self, asked: Stamp, asked_at: Mono, value: T) -> bool {
        let newer = self.0.as_ref().is_some_and(|old| old.asked >= asked);
        if !newer {
            self.0 = Some(Answer { value, asked, asked_at });
        }
        !newer
    }

    /// The last answer, for display and for uses that need no verdict.
    pub fn last(&self) -> Option<&T> {
        self.0.as_ref().map(|a| &a.value)
    }

    /// The answer, if its query was sent after this.
    pub fn after(&self, floor: Stamp) -> Option<&T> {
        self.0.as_ref().filter(|a| a.asked > floor).map(|a| &a.value)
    }

    /// When the query of the last answer was sent.
    pub fn asked(&self) -> Option<Stamp> {
        self.0.as_ref().map(|a| a.asked)
    }

    /// The age of the last answer, counted from its query: its content may be as old as that.
    pub fn age(&self, now: Mono) -> Option<Duration> {
        self.0.as_ref().map(|a| now.since(a.asked_at))
    }
}

/// Objects of one kind, known from complete lists, single answers and removals, which may arrive in any
/// order.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<K, T> {
    items: BTreeMap<K, (T, Stamp)>,
    removed: BTreeMap<K, Stamp>,
    whole: Option<(Stamp, Mono)>,
}

impl<K, T> Default for Listing<K, T> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), removed: BTreeMap::new(), whole: None }
    }
}

impl<K: Ord + Clone, T> Listing<K, T> {
    /// A complete list whose query was sent at `asked`: it replaces older knowledge and keeps newer.
    pub fn complete(&mut self, asked: Stamp, asked_at: Mono, items: impl IntoIterator<Item = (K, T)>) {
        let items: Vec<_> = items.into_iter().collect();
        let listed: BTreeSet<K> = items.iter().map(|(key, _)| key.clone()).collect();
        self.partial(asked, items);
        self.items.retain(|key, (_, learnt)| *learnt > asked || listed.contains(key));
        if self.whole.is_none_or(|(old, _)| old < asked) {
            self.whole = Some((asked, asked_at));
        }
    }

    /// Some objects as of a moment; for the answer of a write, the moment of its arrival.
    pub fn partial(&mut self, as_of: Stamp, items: impl IntoIterator<Item = (K, T)>) {
        for (key, item) in items {
            let removed = self.removed.get(&key).is_some_and(|when| *when > as_of);
            let newer = self.items.get(&key).is_some_and(|(_, learnt)| *learnt > as_of);
            if !removed && !newer {
                self.items.insert(key, (item, as_of));
            }
        }
    }

    /// One object is gone as of a moment: an older list cannot bring it back.
    pub fn remove(&mut self, as_of: Stamp, key: &K) {
        if self.items.get(key).is_none_or(|(_, learnt)| *learnt <= as_of) {
            self.items.remove(key);
        }
        self.removed.insert(key.clone(), as_of);
    }

    /// The objects that are known to exist; this never proves the absence of others.
    pub fn present(&self) -> impl Iterator<Item = &T> {
        self.items.values().map(|(item, _)| item)
    }

    /// One of them.
    pub fn get(&self, key: &K) -> Option<&T> {
        self.items.get(key).map(|(item, _)| item)
    }

    /// As of when one of them is known.
    pub fn as_of(&self, key: &K) -> Option<Stamp> {
        self.items.get(key).map(|(_, learnt)| *learnt)
    }

    /// All objects, if a complete list was requested after this: only then does absence from it count.
    pub fn whole_after(&self, floor: Stamp) -> Option<Whole<'_, K, T>> {
        self.whole.filter(|(asked, _)| *asked > floor).map(|_| Whole(self))
    }

    /// How old the newest complete list is.
    pub fn age(&self, now: Mono) -> Option<Duration> {
        self.whole.map(|(_, at)| now.since(at))
    }
}

/// A complete list that was requested after a given moment.
pub struct Whole<'a, K, T>(&'a Listing<K, T>);

impl<K, T> Whole<'_, K, T> {
    /// Whether no object matches.
    pub fn none(&self, mut fits: impl FnMut(&T) -> bool) -> bool {
        !self.0.items.values().any(|(item, _)| fits(item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Ticker;

    const NOW: Mono = Mono::new(Duration::from_secs(9));

    #[test]
    fn an_older_question_never_replaces_a_newer_answer() {
        let ticker = Ticker::default();
        let (first, second) = (ticker.tick(), ticker.tick());
        let mut known = Known::default();
        assert!(known.learn(second, NOW, "stopped"));
        assert!(!known.learn(first, NOW, "running"), "its question was asked before");
        assert_eq!(known.last(), Some(&"stopped"));
        assert_eq!((known.after(first), known.after(second)), (Some(&"stopped"), None));
    }

    #[test]
    fn an_answer_is_as_old_as_its_question() {
        let asked_at = Mono::new(Duration::from_secs(2));
        let mut known = Known::default();
        known.learn(Ticker::default().tick(), asked_at, "running");
        assert_eq!(known.age(NOW), Some(Duration::from_secs(7)));
    }

    #[test]
    fn a_list_asked_for_before_a_write_ended_does_not_take_back_what_the_write_made() {
        let ticker = Ticker::default();
        let mut list = Listing::default();
        let asked = ticker.tick();
        list.partial(ticker.tick(), [("new", 1)]);
        list.complete(asked, NOW, [("old", 0)]);
        assert_eq!(list.present().copied().collect::<Vec<_>>(), [1, 0]);
        list.complete(ticker.tick(), NOW, [("old", 0)]);
        assert_eq!(list.present().copied().collect::<Vec<_>>(), [0], "a newer list knows better");
    }

    #[test]
    fn an_older_list_does_not_bring_back_what_was_removed() {
        let ticker = Ticker::default();
        let mut list = Listing::default();
        let asked = ticker.tick();
        list.partial(ticker.tick(), [("a", 1)]);
        list.remove(ticker.tick(), &"a");
        list.complete(asked, NOW, [("a", 1)]);
        assert_eq!(list.present().count(), 0);
        list.complete(ticker.tick(), NOW, [("a", 1)]);
        assert_eq!(list.present().count(), 1, "it was made again");
    }

    #[test]
    fn absence_needs_a_complete_list_asked_for_in_time() {
        let ticker = Ticker::default();
        let mut list = Listing::default();
        let before = ticker.tick();
        list.partial(ticker.tick(), [("a", 1)]);
        assert!(list.whole_after(Stamp::START).is_none(), "parts never make a whole");
        list.complete(before, NOW, []);
        let floor = ticker.tick();
        assert!(list.whole_after(floor).is_none(), "it was asked for too early");
        list.complete(ticker.tick(), NOW, []);
        assert!(list.whole_after(floor).is_some_and(|w| w.none(|_| true)));
        assert_eq!(list.age(NOW), Some(Duration::ZERO));
    }
}
