//! Fair turns in front of the cluster manager, which creates one cluster at a time: without them, a
//! request for two hundred clusters would block everyone else for days.
//!
//! ```text
//!   ready to create --> waits --> has a turn --> create call --> the manager works --> out
//!                         |            |              |
//!                         +------------+--------------+--> ended, deleted, dropped: out
//! ```
//!
//! There is one [`Turns`] for each site, and a controller has a [`Seat`] there for its life. At each
//! pass it says what it is at ([`Claim`]); nothing is handed from pass to pass, so a signal that is
//! lost costs time only, and a seat that is dropped is free.
//!
//! Invariants: a create is sent only with a [`Turn`], which only a seat can make, for one pass. At
//! most so many clusters have a turn at a time, unless the manager was at work on more than that
//! already. No turn is given before the store was read for those at which the manager may be at work
//! since before this process. What it does not do: order what others ask of the manager, see there
//! how far a create is, or count starts, stops and deletes, which do not wait for each other.

mod queue;
mod words;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::document::Row;
use crate::ids::{ClusterKey, SiteName};
use crate::intent::{Phase, Verb};
use crate::known::ClusterState;
use crate::own::Pass;
use crate::stage::Stage;
use crate::store::{Page, Store};
use crate::systems::Remote;
use crate::systems::manager::ManagedStatus;

pub use queue::Place;
use queue::Queue;
pub use words::waits;

/// It is this cluster's turn: its create may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn(Pass);

impl Turn {
    /// The round in which it was made.
    pub const fn pass(&self) -> Pass {
        self.0
    }

    /// One for the tests of decisions.
    #[cfg(test)]
    pub(crate) const fn of(pass: Pass) -> Self {
        Self(pass)
    }
}

/// What a cluster is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nothing that takes a turn.
    Out,
    /// It could be asked for now.
    Ready,
    /// It was asked for, and the manager is not known to have done with it.
    AtManager,
}

/// Whether the manager may be at work on a create or resume of ours: from before the call until
/// the status settles, or until every node has its address, which is when the manager goes on to
/// the next cluster. Software that is still installed holds nobody up.
pub fn is_at_manager(state: &ClusterState) -> bool {
    let phase = |verb| state.journal.get(verb).map(|intent| intent.phase);
    let open = |verb| matches!(phase(verb), Some(Phase::Sent | Phase::Unknown));
    if open(Verb::Found) || open(Verb::Resume) {
        return true;
    }
    let made = phase(Verb::Found) == Some(Phase::Done) && !state.identity.dissolved;
    let works = matches!(state.manager_status, None | Some(ManagedStatus::Provisioning));
    let addressed = !state.nodes.is_empty() && state.nodes.values().all(|n| n.stage == Stage::Addressed);
    made && works && !addressed
}

/// A site's turns.
pub struct Turns {
    site: SiteName,
    store: Arc<dyn Store>,
    /// How many clusters are with the manager at a time.
    at_once: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    queue: Queue,
    /// Those that wait, in order; kept so that a look costs nothing.
    places: BTreeMap<ClusterKey, Place>,
    /// Whom to wake when something changed for them.
    seats: BTreeMap<ClusterKey, Arc<Notify>>,
    /// The store was read.
    founded: bool,
}

impl std::fmt::Debug for Turns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Turns({})", self.site)
    }
}

impl Turns {
    /// The turns of a site. There must be no others for it. `at_once`: how many clusters are with
    /// the manager at a time.
    pub fn new(site: SiteName, store: Arc<dyn Store>, at_once: usize) -> Self {
        Self { site, store, at_once, table: Mutex::default() }
    }

    /// A seat for a cluster's controller, which is woken when something changes for it.
    pub fn seat(self: &Arc<Self>, key: ClusterKey, state: &ClusterState, wake: Arc<Notify>) -> Seat {
        let mut table = self.table();
        table.seats.insert(key.clone(), wake);
        if is_at_manager(state) {
            table.queue.occupy(&key);
        }
        drop(table);
        Seat { turns: Arc::clone(self), key }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing below panics half-way through a change.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those at which the manager may be at work since before this process come first.
    async fn found(&self) -> Remote<()> {
        if self.table().founded {
            return Ok(());
        }
        let rows = self.store.list(None, Page::WHOLE).await?;
        let mut table = self.table();
        if !table.founded {
            for (record, state) in rows.into_iter().filter_map(Row::cluster) {
                let key = record.key();
                // Who has a seat says itself what it is at.
                if record.site == self.site && is_at_manager(&state) && !table.seats.contains_key(&key) {
                    table.queue.occupy(&key);
                }
            }
            table.founded = true;
        }
        Ok(())
    }
}

impl Table {
    fn change(&mut self, at_once: usize, change: impl FnOnce(&mut Queue)) {
        change(&mut self.queue);
        if self.founded {
            self.queue.serve(at_once);
        }
        let order = self.queue.order();
        let of = order.len();
        let placed = order.into_iter().enumerate();
        let places: BTreeMap<_, _> = placed.map(|(n, key)| (key, Place { position: n + 1, of })).collect();
        let position = |places: &BTreeMap<ClusterKey, Place>, key| places.get(key).map(|p| p.position);
        // How many wait behind it is no reason to wake anybody.
        for (key, wake) in &self.seats {
            if position(&places, key) != position(&self.places, key) {
                wake.notify_one();
            }
        }
        self.places = places;
    }
}

/// A controller's place at the turns of its site, for its life.
#[derive(Debug)]
pub struct Seat {
    turns: Arc<Turns>,
    key: ClusterKey,
}

impl Seat {
    /// Says what the cluster is at. `requested`: when the present operation was asked for.
    ///
    /// # Errors
    /// If the store cannot be read for those that were there before; only with [`Claim::Ready`].
    pub async fn claim(&self, claim: Claim, requested: Timestamp) -> Remote<()> {
        if claim == Claim::Ready {
            self.turns.found().await?;
        }
        let mut table = self.turns.table();
        let (has_turn, waits) = (table.queue.has_turn(&self.key), table.places.contains_key(&self.key));
        let as_before = match claim {
            Claim::Out => !has_turn && !waits,
            Claim::Ready => has_turn || waits,
            Claim::AtManager => has_turn,
        };
        if !as_before {
            table.change(self.turns.at_once, |queue| match claim {
                Claim::Out => queue.leave(&self.key),
                Claim::Ready => queue.wait(&self.key, requested),
                Claim::AtManager => queue.occupy(&self.key),
            });
        }
        Ok(())
    }

    /// The turn, if it is this cluster's: good for this round.
    pub fn turn(&self, pass: Pass) -> Option<Turn> {
        self.turns.table().queue.has_turn(&self.key).then_some(Turn(pass))
    }

    /// The place in the queue, if it waits.
    pub fn place(&self) -> Option<Place> {
        self.turns.table().places.get(&self.key).copied()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.turns.table();
        table.seats.remove(&self.key);
        table.change(self.turns.at_once, |queue| queue.leave(&self.key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{at, record, state};

    #[test]
    fn what_the_manager_may_be_at_work_on_keeps_its_turn() {
        let operation = record().operation.id;
        let with = |verb, phase, status| {
            let mut state = state();
            state.journal.sent(Verb::Found, operation, at(0));
            state.journal.resolve(Verb::Found, Phase::Done);
            state.journal.sent(verb, operation, at(0));
            state.journal.resolve(verb, phase);
            state.manager_status = status;
            state
        };
        let is = |verb, phase, status| is_at_manager(&with(verb, phase, status));
        let (making, up) = (Some(ManagedStatus::Provisioning), Some(ManagedStatus::Running));
        assert!(!is_at_manager(&state()), "it was never asked for");
        assert!(is(Verb::Found, Phase::Sent, None) && is(Verb::Found, Phase::Unknown, None));
        assert!(is(Verb::Found, Phase::Done, None), "it was not looked at since");
        assert!(is(Verb::Found, Phase::Done, making));
        assert!(
            !is(Verb::Found, Phase::Done, up) && !is(Verb::Found, Phase::Done, Some(ManagedStatus::ProvisionError))
        );
        assert!(!is(Verb::Found, Phase::Refused, None) && !is(Verb::Found, Phase::Absent, making));
        assert!(is(Verb::Resume, Phase::Sent, Some(ManagedStatus::ProvisionError)));
        let mut gone = with(Verb::Found, Phase::Done, making);
        gone.identity.dissolved = true;
        assert!(!is_at_manager(&gone));
    }
}
