//! A connection's seat: it is released when the connection ends, and follows each request and its
//! answer through their bodies. Invariant: a seat is busy exactly from the last byte of a request to the
//! last byte of its answer.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::seats::{ExchangeId, SeatId, Seats};

/// The seats of a listener, shared by its connections.
pub(super) struct Room {
    seats: Mutex<Seats<CancellationToken>>,
    changed: Notify,
}

impl Room {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { seats: Mutex::new(Seats::new(limit)), changed: Notify::new() })
    }

    fn seats(&self) -> MutexGuard<'_, Seats<CancellationToken>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat; another connection may be dismissed for it. `None` if all are busy.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Seat> {
        let dismissal = CancellationToken::new();
        let (id, dismissed) = self.seats().admit(dismissal.clone())?;
        if let Some(other) = dismissed {
            other.cancel();
        }
        Some(Seat { held: Arc::new(Held { room: Arc::clone(self), id }), dismissal })
    }

    /// Dismisses the connection that has waited longest.
    pub(super) fn dismiss(&self) {
        if let Some(other) = self.seats().dismiss() {
            other.cancel();
        }
    }

    /// Waits until a seat may be free.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// The seat of one connection.
#[derive(Clone)]
pub(super) struct Seat {
    held: Arc<Held>,
    dismissal: CancellationToken,
}

struct Held {
    room: Arc<Room>,
    id: SeatId,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.seats().leave(self.id);
        self.room.changed.notify_one();
    }
}

impl Seat {
    /// Ends when the connection is dismissed.
    pub(super) async fn dismissed(&self) {
        self.dismissal.cancelled().await;
    }

    /// The head of a request has arrived. From now on the seat follows its body and its answer.
    pub(super) fn begin(&self, request: Request<Incoming>) -> (Request<Body>, Exchange) {
        let exchange = Exchange { held: Arc::clone(&self.held), id: self.held.room.seats().begin(self.held.id) };
        let whole = exchange.clone();
        let request = request.map(|inner| {
            if inner.is_end_stream() {
                whole.received();
                return Body::empty();
            }
            Body::new(Received { inner, exchange: whole })
        });
        (request, exchange)
    }
}

/// A request and its answer.
#[derive(Clone)]
pub(super) struct Exchange {
    held: Arc<Held>,
    id: ExchangeId,
}

impl Exchange {
    fn received(&self) {
        self.held.room.seats().busy(self.held.id, self.id);
    }

    /// The answer, followed until it is sent.
    pub(super) fn answer(self, response: Response<Body>) -> Response<Sent> {
        response.map(|inner| Sent { inner, exchange: self })
    }
}

/// The body of a request.
struct Received {
    inner: Incoming,
    exchange: Exchange,
}

impl HttpBody for Received {
    type Data = <Incoming as HttpBody>::Data;
    type Error = <Incoming as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if frame.is_none() || self.inner.is_end_stream() {
            self.exchange.received();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Received {
    /// The handler does not need the rest.
    fn drop(&mut self) {
        self.exchange.received();
    }
}

/// The body of an answer.
pub(super) struct Sent {
    inner: Body,
    exchange: Exchange,
}

impl HttpBody for Sent {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        let held = &self.exchange.held;
        held.room.seats().answered(held.id, self.exchange.id);
        held.room.changed.notify_one();
    }
}
