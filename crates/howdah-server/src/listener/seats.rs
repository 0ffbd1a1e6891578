//! The seats of a listener's connections, and which one to dismiss for a new connection. Pure.
//!
//! ```text
//!             +-----------------------------------------------+
//!             v                                               |
//!   new --> waiting --request complete------> busy --answer sent
//!             |
//!             +--no free seat for a new one, and this one has waited longest--> dismissed
//! ```
//!
//! Waiting is everything that costs a client nothing: a handshake, a partial head or body, the pause between
//! two requests. So silent clients take seats only from each other, and a client that sends its request
//! gets a seat. Invariants: the number of taken seats never exceeds the limit; a busy connection is never
//! dismissed.

use std::collections::BTreeMap;

/// One connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SeatId(u64);

/// One request on a connection, with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExchangeId(u64);

/// The seats of one listener. A `T` notifies a connection of its dismissal.
#[derive(Debug)]
pub(super) struct Seats<T> {
    limit: usize,
    /// Numbers seats, exchanges and waits.
    next: u64,
    taken: BTreeMap<SeatId, Seat<T>>,
    /// The waiting connections, in order.
    waiting: BTreeMap<u64, SeatId>,
}

#[derive(Debug)]
struct Seat<T> {
    dismissal: T,
    /// Its place in `waiting`; `None` if it is busy.
    waits: Option<u64>,
    /// The last request, until its answer is sent.
    exchange: Option<ExchangeId>,
}

impl<T> Seats<T> {
    /// Seats for `limit` connections, at least one.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), next: 0, taken: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Adds a waiting connection; returns the one dismissed for it. `None` if all are busy.
    pub(super) fn admit(&mut self, dismissal: T) -> Option<(SeatId, Option<T>)> {
        let dismissed = if self.taken.len() < self.limit { None } else { Some(self.dismiss()?) };
        let (id, turn) = (SeatId(self.number()), self.number());
        self.taken.insert(id, Seat { dismissal, waits: Some(turn), exchange: None });
        self.waiting.insert(turn, id);
        Some((id, dismissed))
    }

    /// Takes the seat of the connection that has waited longest.
    pub(super) fn dismiss(&mut self) -> Option<T> {
        let (_, id) = self.waiting.pop_first()?;
        self.taken.remove(&id).map(|seat| seat.dismissal)
    }

    /// The head of a request has arrived.
    pub(super) fn begin(&mut self, id: SeatId) -> ExchangeId {
        let exchange = ExchangeId(self.number());
        if let Some(seat) = self.taken.get_mut(&id) {
            seat.exchange = Some(exchange);
        }
        exchange
    }

    /// The whole request has arrived. No effect once it is answered.
    pub(super) fn busy(&mut self, id: SeatId, exchange: ExchangeId) {
        if let Some(seat) = self.taken.get_mut(&id)
            && seat.exchange == Some(exchange)
            && let Some(turn) = seat.waits.take()
        {
            self.waiting.remove(&turn);
        }
    }

    /// The answer is sent.
    pub(super) fn answered(&mut self, id: SeatId, exchange: ExchangeId) {
        let turn = self.number();
        if let Some(seat) = self.taken.get_mut(&id)
            && seat.exchange == Some(exchange)
        {
            seat.exchange = None;
            if let Some(before) = seat.waits.replace(turn) {
                self.waiting.remove(&before);
            }
            self.waiting.insert(turn, id);
        }
    }

    /// The connection has ended; a dismissed one has lost its seat already.
    pub(super) fn leave(&mut self, id: SeatId) {
        if let Some(turn) = self.taken.remove(&id).and_then(|seat| seat.waits) {
            self.waiting.remove(&turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_has_waited_longest_goes_first_and_the_busy_stay() {
        let mut seats = Seats::new(3);
        let [a, b, c] = ["a", "b", "c"].map(|name| seats.admit(name).unwrap().0);
        let first = seats.begin(a);
        seats.busy(a, first);
        assert_eq!(seats.admit("d").unwrap().1, Some("b"), "a is busy");
        // Its seat belongs to d by now.
        seats.leave(b);
        seats.answered(a, first);
        assert_eq!(seats.admit("e").unwrap().1, Some("c"), "a has waited for a moment only");
        // The rest of a request that was answered before it was read.
        seats.busy(a, first);
        let _ = c;
        assert_eq!(seats.admit("f").unwrap().1, Some("d"));
        assert_eq!(seats.admit("g").unwrap().1, Some("a"));
    }

    #[test]
    fn when_all_are_busy_a_new_one_has_to_wait() {
        let mut seats = Seats::new(1);
        let (a, _) = seats.admit("a").unwrap();
        let exchange = seats.begin(a);
        assert!(seats.admit("b").is_some(), "a head alone is not a request");
        seats.busy(a, exchange);
        let (b, _) = seats.admit("c").unwrap();
        let exchange = seats.begin(b);
        seats.busy(b, exchange);
        assert!(seats.admit("d").is_none());
        seats.leave(b);
        assert_eq!(seats.admit("d").unwrap().1, None);
    }

    proptest! {
        #[test]
        fn there_is_never_a_seat_too_many_and_no_busy_one_is_lost(
            limit in 1_usize..6,
            steps in prop::collection::vec((0_u8..5, 0_usize..8), 0..200),
        ) {
            let mut seats = Seats::new(limit);
            // Every connection there was: its id, its exchange if it is in one, whether it is busy.
            let mut all: Vec<(SeatId, Option<ExchangeId>, bool)> = vec![];
            for (what, which) in steps {
                let at = which.min(all.len().saturating_sub(1));
                match (what, all.get_mut(at)) {
                    (0, _) | (_, None) => {
                        let busy = all.iter().filter(|(.., busy)| *busy).count();
                        match seats.admit(all.len()) {
                            Some((id, dismissed)) => {
                                prop_assert!(dismissed.is_none_or(|at| !all[at].2), "a busy one was dismissed");
                                all.push((id, None, false));
                            }
                            None => prop_assert_eq!(busy, limit),
                        }
                    }
                    (1, Some((id, exchange, false))) => *exchange = Some(seats.begin(*id)),
                    (2, Some((id, Some(exchange), busy))) => {
                        seats.busy(*id, *exchange);
                        *busy = seats.taken.contains_key(id);
                    }
                    (3, Some((id, exchange @ Some(_), busy))) => {
                        seats.answered(*id, exchange.take().unwrap());
                        *busy = false;
                    }
                    (4, Some((id, exchange, busy))) => {
                        seats.leave(*id);
                        (*exchange, *busy) = (None, false);
                    }
                    _ => {}
                }
                prop_assert!(seats.taken.len() <= limit);
                let waiting = seats.taken.values().filter(|seat| seat.waits.is_some()).count();
                prop_assert_eq!(waiting, seats.waiting.len());
                for (id, _, busy) in &all {
                    prop_assert!(!busy || seats.taken.get(id).is_some_and(|seat| seat.waits.is_none()));
                }
            }
        }
    }
}
