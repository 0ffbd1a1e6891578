//! Whose turn it is: a pure function of who has a turn, who waits, and who was served when.
//!
//! The next cluster is chosen by project, so that no project waits for another's whole queue:
//!
//! 1. the project with the fewest creates at the manager,
//! 2. of those, the one that was served longest ago,
//! 3. of those, the one with the oldest request;
//!
//! and within the project its oldest request. Invariant: no cluster waits while a turn is free; a
//! request never takes a turn from another cluster.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use crate::ids::{ClusterKey, ProjectId};

/// Where a cluster is in the queue: its place, and how many wait in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub position: usize,
    /// All that wait at the site.
    pub of: usize,
}

/// A site's turns, and who waits for one.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    /// Who has a turn, oldest first.
    serving: VecDeque<ClusterKey>,
    /// Who waits, and since which request.
    waiting: BTreeMap<ClusterKey, Timestamp>,
    /// When each project was given its last turn; a project that never was is not in here.
    served: BTreeMap<ProjectId, u64>,
    /// Turns given so far.
    given: u64,
}

impl Queue {
    pub(super) fn has_turn(&self, key: &ClusterKey) -> bool {
        self.serving.contains(key)
    }

    /// It waits from now on, unless it has a turn.
    pub(super) fn wait(&mut self, key: &ClusterKey, requested: Timestamp) {
        if !self.has_turn(key) {
            self.waiting.insert(key.clone(), requested);
        }
    }

    /// It has a turn from now on, whether one is free or not: the manager is at work on it.
    pub(super) fn occupy(&mut self, key: &ClusterKey) {
        if !self.has_turn(key) {
            self.give(key);
        }
    }

    /// It no longer has a turn or waits.
    pub(super) fn leave(&mut self, key: &ClusterKey) {
        self.waiting.remove(key);
        self.serving.retain(|k| k != key);
    }

    /// Assigns the free turns, up to this number in total.
    pub(super) fn serve(&mut self, turns: usize) {
        while self.serving.len() < turns {
            let Some(next) = self.next() else {
                return;
            };
            self.give(&next);
        }
    }

    /// All that wait, in the order in which they will be served if nobody comes or goes and those
    /// who have a turn end in the order in which they got it.
    pub(super) fn order(&self) -> Vec<ClusterKey> {
        // Each project's requests, the oldest last.
        let mut lines: BTreeMap<&ProjectId, Vec<(Timestamp, &ClusterKey)>> = BTreeMap::new();
        for (key, requested) in &self.waiting {
            lines.entry(&key.project).or_default().push((*requested, key));
        }
        lines.values_mut().for_each(|line| line.sort_by(|a, b| b.cmp(a)));
        let mut ahead = Self { waiting: BTreeMap::new(), ..self.clone() };
        let mut order = Vec::with_capacity(self.waiting.len());
        loop {
            ahead.serving.pop_front();
            let Some(next) = ahead.best(lines.values().filter_map(|line| line.last().copied())) else {
                return order;
            };
            lines.get_mut(&next.project).map(Vec::pop);
            ahead.give(&next);
            order.push(next);
        }
    }

    fn give(&mut self, key: &ClusterKey) {
        self.waiting.remove(key);
        self.serving.push_back(key.clone());
        self.given += 1;
        self.served.insert(key.project.clone(), self.given);
    }

    fn next(&self) -> Option<ClusterKey> {
        self.best(self.waiting.iter().map(|(key, requested)| (*requested, key)))
    }

    /// Who of these comes first.
    fn best<'a>(&self, waiting: impl Iterator<Item = (Timestamp, &'a ClusterKey)>) -> Option<ClusterKey> {
        let at_work = |project: &ProjectId| self.serving.iter().filter(|k| k.project == *project).count();
        let served = |project: &ProjectId| self.served.get(project).copied().unwrap_or(0);
        // The key last: two requests of one moment have an order too.
        let ranked = waiting.map(|(when, key)| (at_work(&key.project), served(&key.project), when, key));
        ranked.min().map(|(.., key)| key.clone())
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
