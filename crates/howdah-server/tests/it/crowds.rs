//! Many silent and slow clients on each listener: a client that sends a whole request gets an answer.
//!
//! The limits of time are far above each test's, so that only room that is made lets anybody in.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use howdah_server::api::AuthMode;
use howdah_server::config::{Server, TlsFiles};
use howdah_server::listener::Bounds;
use howdah_server::serve::Connections;
use reqwest::{Client, Method};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::harness::{ANN, Service, client, event, key, path};

/// As many as the operating system's usual limit of open files, and as many again.
const CROWD: usize = 2000;
/// A good request is made after so many of them.
const EACH: usize = 200;
/// Far longer than any test.
const FOREVER: Duration = Duration::from_secs(3600);

/// A head that does not end, and one of a body that does not.
const HALF_A_HEAD: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: howdah\r\n";

fn half_a_body() -> Vec<u8> {
    let target = path(77);
    format!("PUT {target} HTTP/1.1\r\nHost: howdah\r\nX-Auth-Token: {ANN}\r\nContent-Length: 900\r\n\r\n{{")
        .into_bytes()
}

fn limits(connections: usize) -> Bounds {
    Bounds { handshake: FOREVER, head: FOREVER, ..Bounds::of(connections) }
}

/// A service with both listeners, of few seats; TLS if wanted.
struct Place {
    service: Service,
    socket: PathBuf,
    over_unix: Client,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn new(tls: bool, seats: usize) -> Self {
        Self::with(tls, limits(seats)).await
    }

    async fn with(tls: bool, limits: Bounds) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("howdah.sock");
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        std::fs::write(&files.certificate, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
        let server = Server {
            listen: Some("127.0.0.1:0".parse().unwrap()),
            unix: Some(socket.clone()),
            auth: AuthMode::Keystone,
            tls: tls.then_some(files),
        };
        // A connection for each request: one that is kept could have been dismissed.
        let fresh = || client().pool_max_idle_per_host(0);
        let over_tcp = fresh().tls_certs_only([trusted]).build().unwrap();
        let mut service =
            Service::on(server, over_tcp, |p| p.connections = Connections { tcp: limits, unix: limits }).await;
        if tls {
            service.base = format!("https://{}", service.address());
        }
        let over_unix = fresh().unix_socket(socket.clone()).build().unwrap();
        Self { service, socket, over_unix, _folder: folder }
    }

    /// The stream of cluster 1's events: an answer that goes on.
    async fn stream(&self) -> reqwest::Response {
        let request = self.service.request(Method::GET, &format!("{}/events", path(1)));
        request.header("X-Auth-Token", ANN).header("Accept", "text/event-stream").send().await.unwrap()
    }

    /// A request over each listener.
    async fn answers(&self, after: usize) {
        let over_tcp = self.service.request(Method::GET, "/v1/clusters").header("X-Auth-Token", ANN).send();
        let over_unix = self.over_unix.get("http://howdah/healthz").send();
        let (over_tcp, over_unix) = tokio::join!(over_tcp, over_unix);
        for (what, answer) in [("TCP", over_tcp), ("the UNIX socket", over_unix)] {
            match answer {
                Ok(answer) => assert_eq!(answer.status(), 200, "over {what}, after {after}"),
                Err(e) => panic!("over {what}, after {after}: {e:?}"),
            }
        }
    }
}

impl Service {
    fn address(&self) -> SocketAddr {
        self.running.tcp.unwrap()
    }
}

/// This process holds both ends.
fn allow_descriptors() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let needed = 8 * CROWD as u64;
    if current.is_none_or(|current| current >= needed) {
        return;
    }
    let wanted = maximum.map_or(needed, |maximum| maximum.min(needed));
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).unwrap();
    assert!(wanted >= 3 * CROWD as u64, "the limit of open files is {wanted}: too few for {CROWD} clients");
}

async fn over_tcp(address: SocketAddr, says: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // What has been closed already may refuse it.
    let _ = stream.write_all(says).await;
    stream
}

async fn over_unix(socket: &Path, says: &[u8]) -> UnixStream {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let _ = stream.write_all(says).await;
    stream
}

async fn crowd_over_tcp(tls: bool, says: &[u8]) {
    allow_descriptors();
    let place = Place::new(tls, 100).await;
    let mut held = Vec::new();
    for n in 1..=CROWD {
        held.push(over_tcp(place.service.address(), says).await);
        if n % EACH == 0 {
            place.answers(n).await;
        }
    }
}

#[tokio::test]
async fn half_sent_heads_over_tcp_keep_nobody_out() {
    crowd_over_tcp(false, HALF_A_HEAD).await;
}

#[tokio::test]
async fn half_sent_bodies_over_tcp_keep_nobody_out() {
    crowd_over_tcp(false, &half_a_body()).await;
}

#[tokio::test]
async fn silent_handshakes_keep_nobody_out() {
    crowd_over_tcp(true, b"").await;
}

#[tokio::test]
async fn half_sent_heads_over_the_unix_socket_keep_nobody_out() {
    allow_descriptors();
    let place = Place::new(false, 100).await;
    let mut held = Vec::new();
    for n in 1..=CROWD {
        held.push(over_unix(&place.socket, HALF_A_HEAD).await);
        if n % EACH == 0 {
            place.answers(n).await;
        }
    }
}

#[tokio::test]
async fn who_is_being_answered_stays() {
    let place = Place::new(false, 4).await;
    place.service.create(1).await;
    let mut stream = place.stream().await;
    let mut read = stream.chunk().await.unwrap().unwrap().to_vec();
    let mut held = Vec::new();
    for _ in 0..40 {
        held.push(over_tcp(place.service.address(), HALF_A_HEAD).await);
    }
    place.answers(40).await;
    let (_, state) = place.service.stored(1).await;
    place.service.store.save(&key(1), &state, &[event("after_the_crowd")]).await.unwrap();
    while !String::from_utf8_lossy(&read).contains("after_the_crowd") {
        let chunk = tokio::time::timeout(Duration::from_secs(10), stream.chunk()).await.expect("the event");
        read.extend_from_slice(&chunk.unwrap().expect("the stream goes on"));
    }
}

/// Reads to the end that the service makes.
async fn closed(mut stream: TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut read)).await;
    // Reset is an end as well.
    let _ = end.expect("the service closes it");
    read
}

#[tokio::test]
async fn what_is_half_sent_is_waited_for_so_long_and_no_longer() {
    let soon = Bounds { handshake: Duration::from_millis(100), head: Duration::from_millis(100), ..Bounds::of(9) };
    for (tls, says) in [(false, HALF_A_HEAD), (false, b"" as &[u8]), (true, b"")] {
        let place = Place::with(tls, soon).await;
        closed(over_tcp(place.service.address(), says).await).await;
    }
    // The pause between two requests.
    let place = Place::with(false, soon).await;
    let whole = b"GET /healthz HTTP/1.1\r\nHost: howdah\r\n\r\n";
    let read = closed(over_tcp(place.service.address(), whole).await).await;
    assert!(read.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&read));
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let place = Place::new(false, 9).await;
    let mut stream = TcpStream::connect(place.service.address()).await.unwrap();
    let line = format!("X-Filler: {}\r\n", "x".repeat(1000));
    let _ = stream.write_all(HALF_A_HEAD).await;
    for _ in 0..200 {
        if stream.write_all(line.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read).await;
    assert!(read.is_empty() || read.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&read));
    place.answers(1).await;
}

#[tokio::test]
async fn when_all_are_being_answered_the_next_one_waits_its_turn() {
    let place = Place::new(false, 1).await;
    place.service.create(1).await;
    let stream = place.stream().await;
    let waiting = place.service.request(Method::GET, "/healthz").send();
    tokio::pin!(waiting);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(early.is_err(), "the only seat is taken");
    drop(stream);
    assert_eq!(waiting.await.unwrap().status(), 200);
}
