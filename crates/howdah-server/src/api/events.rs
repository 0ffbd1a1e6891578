//! A cluster's events: a list, or a stream (server-sent events).
//!
//! A stream sends each event once, in order, and the cluster's document after each change. It ends with
//! `gone`, with `unreadable` if the stored cluster cannot be read, or with `ended` and the reason if the
//! reader has lost the right to read. Invariants: the only state between two requests is the number of the
//! last event, so a client can resume at any replica after any interruption. A stream ends at most a minute
//! after its reader's right, unless Keystone is not available.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::ACCEPT;
use axum::http::request::Parts;
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, Stream};
use howdah_api::{Cluster, ErrorBody, Events};
use howdah_core::document::Row;
use howdah_core::ids::ClusterKey;
use howdah_core::systems::Remote;
use tokio::sync::watch;

use super::auth::Reader;
use super::clusters::parse;
use super::query::{After, And, Checked, Scope, Site};
use super::streams::Place;
use super::visible::of_reader;
use super::{ApiError, Routes, view};

/// The maximum number of events in one list, or in one read of a stream.
const PAGE: usize = 1000;
/// How often an idle stream sends a comment, so that proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often a stream reads without a signal, in case one was lost.
const LOOK: Duration = Duration::from_secs(30);
/// How often the right of a stream's reader is verified.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// Lists or streams the events of a cluster.
///
/// With `Accept: text/event-stream` the answer is a stream: `event: event` (id: its number, data: Event) for
/// each event, `event: cluster` (data: Cluster) after each change of the cluster, `event: gone` at the
/// end; or `event: unreadable` (data: UnreadableCluster) if the stored cluster cannot be read; or
/// `event: ended` (data: ErrorBody) if the token or the capability is no longer valid.
#[utoipa::path(
    get, path = "/v1/clusters/{id}/events", tag = "clusters", params(("id" = uuid::Uuid, Path), Scope, After, Site),
    responses(
        (status = 200, description = "A list, or a stream", content(
            (Events = "application/json"), (String = "text/event-stream"),
        )),
        (status = "default", body = ErrorBody),
    ),
    security(("token" = []), ("capability" = [])),
)]
pub(super) async fn follow(
    State(routes): State<Routes>,
    Path(id): Path<String>,
    Checked(And(scope, After { after })): Checked<And<Scope, After>>,
    parts: Parts,
) -> Result<Response, ApiError> {
    let id = parse(&id)?;
    let (reader, key) = of_reader(&routes, &parts, &id, &scope).await?;
    let accepts =
        |kind: &str| parts.headers.get_all(ACCEPT).iter().filter_map(|v| v.to_str().ok()).any(|v| v.contains(kind));
    if !accepts("text/event-stream") {
        let events = routes.store.events(&key, after, PAGE).await?;
        let events = events.iter().map(|(number, event)| view::event(*number, event)).collect();
        return Ok(Json(Events { events }).into_response());
    }
    let project = match &reader {
        Reader::Caller(caller) => &caller.project,
        Reader::Bearer { key, .. } => &key.project,
    };
    let place = routes.streams.take(project, routes.door.streams())?;
    let resumed = parts.headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok());
    let following = Following {
        // Subscribe before the first read, so that no change is missed.
        changed: routes.changes.subscribe(key.clone()),
        stopping: routes.stopping.clone(),
        due: routes.clock.sleep(ASK_AGAIN),
        _place: place,
        reader,
        all_projects: scope.all_projects,
        routes,
        key,
        after: resumed.unwrap_or(after),
        shown: None,
        frames: VecDeque::new(),
        ended: false,
    };
    Ok(Sse::new(following.stream()).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

struct Following {
    routes: Routes,
    key: ClusterKey,
    reader: Reader,
    _place: Place,
    all_projects: bool,
    /// Until the next verification of the right to read.
    due: BoxFuture<'static, ()>,
    changed: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    after: u64,
    shown: Option<Cluster>,
    frames: VecDeque<Frame>,
    ended: bool,
}

impl Following {
    fn stream(self) -> impl Stream<Item = Result<Frame, Infallible>> {
        stream::unfold(self, |mut following| async move {
            let frame = following.next().await?;
            Some((Ok(frame), following))
        })
    }

    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Some(frame);
            }
            if self.ended || *self.stopping.borrow() {
                return None;
            }
            if (&mut self.due).now_or_never().is_some() {
                self.ask_again().await;
                continue;
            }
            self.changed.mark_unchanged();
            match self.look().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(e) => {
                    tracing::warn!(cluster = %self.key, "a stream ends: {}", howdah_core::failure::chain(&e));
                    return None;
                }
            }
            let due = tokio::select! {
                changed = self.changed.changed() => changed.ok().map(|()| false)?,
                () = &mut self.due => true,
                () = tokio::time::sleep(LOOK) => false,
                _ = self.stopping.wait_for(|stopping| *stopping) => return None,
            };
            if due {
                self.ask_again().await;
            }
        }
    }

    /// Ends the stream if its reader has lost the right. If that cannot be verified, the stream continues.
    async fn ask_again(&mut self) {
        self.due = self.routes.clock.sleep(ASK_AGAIN);
        match self.reader.again(&self.routes, &self.key, self.all_projects).await {
            Ok(()) => {}
            Err(ApiError::Remote(e)) => {
                let why = howdah_core::failure::chain(&e);
                tracing::debug!(cluster = %self.key, "cannot verify whether a stream may continue: {why}");
            }
            Err(e) => {
                tracing::debug!(cluster = %self.key, code = e.code(), "a stream ends");
                self.frames.push_back(frame("ended", &e.body()));
                self.ended = true;
            }
        }
    }

    /// Reads new events and documents; returns whether there were any.
    async fn look(&mut self) -> Remote<bool> {
        // The document first: this read or an earlier one has sent all events that led to it.
        let loaded = self.routes.store.load(&self.key).await?;
        let events = self.routes.store.events(&self.key, self.after, PAGE).await?;
        let all_told = events.len() < PAGE;
        for (number, event) in &events {
            self.frames.push_back(frame("event", &view::event(*number, event)).id(number.to_string()));
            self.after = *number;
        }
        match loaded {
            Some(Row::Cluster(cluster)) => {
                let document = view::cluster(&cluster.0, &cluster.1);
                if self.shown.as_ref() != Some(&document) {
                    self.frames.push_back(frame("cluster", &document));
                    self.shown = Some(document);
                }
            }
            Some(Row::Unreadable(row)) if all_told => {
                self.frames.push_back(frame("unreadable", &view::unreadable(&row)));
                self.ended = true;
            }
            None if all_told => {
                self.frames.push_back(Frame::default().event("gone").data("{}"));
                self.ended = true;
            }
            Some(Row::Unreadable(_)) | None => {}
        }
        Ok(!self.frames.is_empty())
    }
}

fn frame<T: serde::Serialize>(name: &str, data: &T) -> Frame {
    // JSON of our own types, in one line: neither step can fail.
    let text = serde_json::to_string(data).unwrap_or_default();
    Frame::default().event(name).data(text)
}
