//! The stream of a cluster's events: once each, in order, across breaks, to the end.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use howdah_core::time::Clock;
use howdah_core::time::Mono;
use howdah_server::limits::Limits;
use jiff::Timestamp;
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::sync::watch;

use crate::harness::{ANN, Service, event, key, path};

/// Reads frames off a stream, bounded in time.
struct Stream {
    response: Response,
    text: String,
}

#[derive(Debug, PartialEq)]
struct Frame {
    event: String,
    id: Option<u64>,
    data: Value,
}

impl Stream {
    async fn open(service: &Service, query: &str, last: Option<&str>) -> Self {
        Self::open_with(service, query, last, ("X-Auth-Token", ANN)).await
    }

    async fn open_with(service: &Service, query: &str, last: Option<&str>, right: (&str, &str)) -> Self {
        let mut request = service
            .request(Method::GET, &format!("{}/events{query}", path(1)))
            .header(right.0, right.1)
            .header("Accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next frame; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let value = |name: &str| frame.lines().find_map(|l| l.strip_prefix(name)).map(|v| v.trim().to_owned());
                let read = Frame {
                    event: value("event:").unwrap(),
                    id: value("id:").map(|n| n.parse().unwrap()),
                    data: serde_json::from_str(&value("data:").unwrap()).unwrap(),
                };
                self.text = rest.to_owned();
                return Some(read);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.response.chunk()).await;
            match chunk.expect("a frame, or the end").unwrap() {
                Some(bytes) => self.text.push_str(std::str::from_utf8(&bytes).unwrap()),
                None => return None,
            }
        }
    }

    /// The next `n` frames, short: `event 3 ended`, `cluster running`, `gone`.
    async fn take(&mut self, n: usize) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..n {
            let frame = self.next().await.expect("another frame");
            told.push(match frame.event.as_str() {
                "event" => format!("event {} {}", frame.id.unwrap(), frame.data["reason"].as_str().unwrap()),
                "cluster" => format!("cluster {}", frame.data["status"].as_str().unwrap()),
                other => other.to_owned(),
            });
        }
        told
    }
}

#[tokio::test]
async fn a_project_has_so_many_streams_and_no_more() {
    let service = Service::with(|p| p.limits = Limits { streams: Some(2), ..Limits::NONE }).await;
    service.create(1).await;
    service.create(2).await;
    let mut streams = [Stream::open(&service, "", None).await, Stream::open(&service, "", None).await];
    let asked = async || {
        let request = service.request(Method::GET, &format!("{}/events", path(2)));
        request.header("X-Auth-Token", ANN).header("Accept", "text/event-stream").send().await.unwrap()
    };
    let refused = asked().await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"]["code"], "too_many_streams");
    // A list holds nothing, and a place is free as soon as its stream has ended.
    assert_eq!(service.get(&format!("{}/events", path(1))).await.0, 200);
    service.store.remove(&key(1), &[event("removed")]).await.unwrap();
    while streams[0].next().await.is_some() {}
    assert_eq!(asked().await.status(), 200);
}

#[tokio::test]
async fn a_stream_tells_everything_once_and_ends() {
    let service = Service::new().await;
    service.create(1).await;
    let cluster = key(1);
    service.store.add_events(&cluster, &[event("begun")]).await.unwrap();
    let mut stream = Stream::open(&service, "", None).await;
    assert_eq!(stream.take(2).await, ["event 1 begun", "cluster pending"]);
    service.end(1, None).await;
    assert_eq!(stream.take(2).await, ["event 2 ended", "cluster running"]);
    // An event that changes nothing in the document brings no second copy of it.
    service.store.add_events(&cluster, &[event("noted")]).await.unwrap();
    service.store.remove(&cluster, &[event("removed")]).await.unwrap();
    assert_eq!(stream.take(3).await, ["event 3 noted", "event 4 removed", "gone"]);
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_stream_is_resumed_where_it_broke() {
    let service = Service::new().await;
    service.create(1).await;
    let all: Vec<_> = ["a", "b", "c", "d"].map(event).to_vec();
    service.store.add_events(&key(1), &all).await.unwrap();
    let mut stream = Stream::open(&service, "", Some("2")).await;
    assert_eq!(stream.take(3).await, ["event 3 c", "event 4 d", "cluster pending"]);
    let mut stream = Stream::open(&service, "?after=3", None).await;
    assert_eq!(stream.take(2).await, ["event 4 d", "cluster pending"]);
    let mut stream = Stream::open(&service, "?after=1", Some("4")).await;
    assert_eq!(stream.take(1).await, ["cluster pending"], "the header is newer than the address");
    let (_, list) = service.get(&format!("{}/events?after=2", path(1))).await;
    assert_eq!(list["events"].as_array().unwrap().len(), 2);
    assert_eq!(list["events"][0]["id"], 3);
}

#[tokio::test]
async fn many_events_come_in_order() {
    let service = Service::new().await;
    service.create(1).await;
    let mut stream = Stream::open(&service, "", None).await;
    assert_eq!(stream.take(1).await, ["cluster pending"]);
    let store = service.store.clone();
    let writing = tokio::spawn(async move {
        for _ in 0..50 {
            let wave: Vec<_> = (0..50).map(|_| event("x")).collect();
            store.add_events(&key(1), &wave).await.unwrap();
        }
    });
    for number in 1..=2500 {
        assert_eq!(stream.next().await.unwrap().id, Some(number));
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn a_stream_ends_when_the_service_does() {
    let service = Service::new().await;
    service.create(1).await;
    let mut stream = Stream::open(&service, "", None).await;
    stream.take(1).await;
    service.running.stop();
    assert_eq!(stream.next().await, None);
    service.running.wait().await;
}

/// A clock on which minutes pass when a test says so. What waits is counted.
struct Minutes {
    passed: watch::Sender<u64>,
}

impl Minutes {
    fn pass(&self) {
        self.passed.send_modify(|n| *n += 1);
    }
}

impl Clock for Minutes {
    fn now(&self) -> Timestamp {
        crate::fakes::now()
    }
    fn mono(&self) -> Mono {
        Mono::default()
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        let mut passed = self.passed.subscribe();
        async move {
            let _ = passed.changed().await;
        }
        .boxed()
    }
}

async fn with_minutes() -> (Service, Arc<Minutes>) {
    let clock = Arc::new(Minutes { passed: watch::Sender::new(0) });
    let own = clock.clone();
    let service = Service::with(move |parts| parts.clock = own).await;
    (service, clock)
}

#[tokio::test]
async fn a_stream_ends_within_a_minute_of_its_token_and_says_why() {
    let (service, clock) = with_minutes().await;
    service.create(1).await;
    let mut stream = Stream::open(&service, "", None).await;
    assert_eq!(stream.take(1).await, ["cluster pending"]);
    // Asked again past what is believed for a while, and good; and not ended because Keystone is away.
    clock.pass();
    service.store.add_events(&key(1), &[event("one")]).await.unwrap();
    assert_eq!(stream.take(1).await, ["event 1 one"]);
    *service.cloud.down.lock().unwrap() = true;
    clock.pass();
    service.store.add_events(&key(1), &[event("two")]).await.unwrap();
    assert_eq!(stream.take(1).await, ["event 2 two"]);
    *service.cloud.down.lock().unwrap() = false;
    service.cloud.revoked.lock().unwrap().push(ANN.to_owned());
    service.store.add_events(&key(1), &[event("three")]).await.unwrap();
    assert_eq!(stream.take(1).await, ["event 3 three"], "until the minute is over");
    clock.pass();
    let last = stream.next().await.unwrap();
    assert_eq!((last.event.as_str(), last.data["error"]["code"].as_str()), ("ended", Some("token_invalid")));
    assert!(last.data["error"]["hint"].is_string());
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_stream_by_capability_needs_no_token_and_ends_with_the_capability() {
    let (service, clock) = with_minutes().await;
    let capability = service.create(1).await["capability"].as_str().unwrap().to_owned();
    let right = ("X-Howdah-Capability", capability.as_str());
    let mut stream = Stream::open_with(&service, "", None, right).await;
    assert_eq!(stream.take(1).await, ["cluster pending"]);
    service.cloud.revoked.lock().unwrap().push(ANN.to_owned());
    *service.cloud.down.lock().unwrap() = true;
    for n in 1..=3 {
        clock.pass();
        service.store.add_events(&key(1), &[event("on")]).await.unwrap();
        assert_eq!(stream.take(1).await, [format!("event {n} on")]);
    }
    // The id is used again: the new cluster is not the bearer's. Nothing is told to others meanwhile.
    let (record, _) = service.stored(1).await;
    let inner = service.store.clone();
    inner.remove(&key(1), &[]).await.unwrap();
    assert_eq!(stream.take(1).await, ["gone"]);
    inner.insert(&record, &howdah_core::wanted::Secrets::default(), &[]).await.unwrap();
    let answer = service.request(Method::GET, &path(1)).header(right.0, right.1).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "cluster_not_visible");
}

#[tokio::test]
async fn an_admins_stream_of_another_project_ends_with_the_role() {
    let (service, clock) = with_minutes().await;
    service.create(1).await;
    let admin = "adm@p2:admin";
    let mut stream = Stream::open_with(&service, "?all_projects=true", None, ("X-Auth-Token", admin)).await;
    assert_eq!(stream.take(1).await, ["cluster pending"]);
    clock.pass();
    service.store.add_events(&key(1), &[event("on")]).await.unwrap();
    assert_eq!(stream.take(1).await, ["event 1 on"]);
    service.cloud.demoted.lock().unwrap().push(admin.to_owned());
    clock.pass();
    let last = stream.next().await.unwrap();
    assert_eq!((last.event.as_str(), last.data["error"]["code"].as_str()), ("ended", Some("not_admin")));
    assert_eq!(stream.next().await, None);
}
