//! Connections: accepted, bounded, answered.
//!
//! * `seats`: who has to go where there is no room (pure);
//! * `seat`: a connection's seat, which follows its requests and answers;
//! * `socket`: what is listened on.
//!
//! Invariants: a listener outlives whatever clients and the system do to it; each listener has seats of
//! its own, so that what happens at one leaves the others alone; a client that is silent, or slow to
//! say what it wants, never keeps out one that says it.

mod seat;
mod seats;
mod socket;

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Router, http::Request};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::api::Peer;
use seat::{Room, Seat};
use socket::Socket;

pub(crate) use socket::Incoming;

/// The largest head of a request: a token of 16 KiB, which is more than Keystone gives out, and all
/// other fields.
const HEAD_LIMIT: usize = 64 * 1024;
/// How long to wait for a descriptor where the system has none; an ended connection ends the wait.
const NO_DESCRIPTOR: Duration = Duration::from_millis(100);

/// What a listener allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at a time.
    pub connections: usize,
    /// For a TLS handshake.
    pub handshake: Duration,
    /// For the head of a request, counted from the connection or from the last answer.
    pub head: Duration,
}

impl Bounds {
    /// So many connections at a time, with the usual patience.
    pub const fn of(connections: usize) -> Self {
        Self { connections, handshake: Duration::from_secs(10), head: Duration::from_secs(30) }
    }
}

/// Answers until `stopping`, and then as long as the requests under way need.
pub(crate) async fn answer(incoming: Incoming, limits: Bounds, router: Router, mut stopping: watch::Receiver<bool>) {
    let room = Room::new(limits.connections);
    let mut connections = JoinSet::new();
    let mut stop = stopping.clone();
    let mut stopped = pin!(stop.wait_for(|stop| *stop));
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => continue,
            accepted = incoming.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                let seat = tokio::select! {
                    _ = &mut stopped => break,
                    seat = take(&room) => seat,
                };
                connections.spawn(converse(socket, peer, seat, limits, router.clone(), stopping.clone()));
            }
            // The client's fault, and its loss.
            Err(e) if is_of_the_client(&e) => {}
            Err(e) => {
                tracing::warn!("cannot accept connections: {e}; closing the one that has waited longest");
                room.dismiss();
                let _ = tokio::time::timeout(NO_DESCRIPTOR, room.changed()).await;
            }
        }
    }
    drop(incoming);
    let _ = stopping.wait_for(|stop| *stop).await;
    while connections.join_next().await.is_some() {}
}

async fn take(room: &std::sync::Arc<Room>) -> Seat {
    loop {
        match room.admit() {
            Some(seat) => return seat,
            None => room.changed().await,
        }
    }
}

fn is_of_the_client(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::NotConnected
    )
}

/// One connection, until it ends or is dismissed.
async fn converse(
    socket: Socket,
    peer: Peer,
    seat: Seat,
    limits: Bounds,
    router: Router,
    stopping: watch::Receiver<bool>,
) {
    let talk = async {
        match socket {
            Socket::Tcp(stream) => http(stream, peer, &seat, limits, router, stopping).await,
            Socket::Unix(stream) => http(stream, peer, &seat, limits, router, stopping).await,
            Socket::Tls(stream, acceptor) => {
                match tokio::time::timeout(limits.handshake, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => http(stream, peer, &seat, limits, router, stopping).await,
                    Ok(Err(e)) => tracing::debug!(?peer, "TLS handshake failed: {e}"),
                    Err(_) => tracing::debug!(?peer, "TLS handshake took too long"),
                }
            }
        }
    };
    tokio::select! {
        () = talk => {}
        () = seat.dismissed() => tracing::debug!(?peer, "closed to make room: it had waited longest"),
    }
}

async fn http<S>(
    stream: S,
    peer: Peer,
    seat: &Seat,
    limits: Bounds,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let (mut request, exchange) = seat.begin(request);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().oneshot(request);
        async move { answer.await.map(|response| exchange.answer(response)) as Result<_, Infallible> }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(TokioIo::new(stream), service)
    );
    let mut ending = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(e) = ended {
                    tracing::debug!(?peer, "a connection ended: {e}");
                }
                return;
            }
            _ = stopping.wait_for(|stop| *stop), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
