//! Connections: accept, limit, answer.
//!
//! * `seats`: which connection to close when all seats are taken (pure);
//! * `seat`: a connection's seat, which follows its requests and answers;
//! * `socket`: the sockets.
//!
//! Invariants: a listener survives errors of clients and of the system; each listener has its own seats,
//! so that listeners do not affect each other; a silent or slow client never blocks one that sends its
//! request.

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

/// The size limit of a request's head: a token of 16 KiB, which is more than Keystone issues, and all other
/// fields.
const HEAD_LIMIT: usize = 64 * 1024;
/// How long to wait for a descriptor when none is free; the end of a connection ends the wait.
const NO_DESCRIPTOR: Duration = Duration::from_millis(100);

/// The limits of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Maximum number of connections.
    pub connections: usize,
    /// Timeout of a TLS handshake.
    pub handshake: Duration,
    /// Timeout of a request's head, from the connection or from the last answer.
    pub head: Duration,
}

impl Bounds {
    /// This many connections, with the default timeouts.
    pub const fn of(connections: usize) -> Self {
        Self { connections, handshake: Duration::from_secs(10), head: Duration::from_secs(30) }
    }
}

/// Serves until `stopping`, and then until the running requests end.
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
            // An error of the client.
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

/// Serves one connection until it ends or is dismissed.
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
