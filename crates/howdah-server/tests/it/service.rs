//! Listening, TLS, the UNIX socket, metrics, and a graceful end.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use howdah_core::failure::{ErrorKind, System, chain};
use howdah_core::store::Page;
use howdah_server::ServerError;
use howdah_server::api::AuthMode;
use howdah_server::config::{Server, TlsFiles};
use howdah_server::runtime::SystemClock;
use howdah_server::serve::start;
use howdah_store::MemoryStore;
use howdah_transport::meter::Failed;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::fakes::{FakeCloud, Idle, Nobody, now};
use crate::harness::{ANN, Service, but, client, code, key, parts, path, wish};

fn server() -> Server {
    Server { listen: Some("127.0.0.1:0".parse().unwrap()), unix: None, auth: AuthMode::Keystone, tls: None }
}

async fn refused(server: &Server) -> ServerError {
    let parts = parts(Arc::new(MemoryStore::new()), &Arc::new(FakeCloud::default()), &Arc::new(Idle::default()));
    start(server, parts).await.err().expect("a refusal")
}

#[tokio::test]
async fn clusters_in_the_store_are_taken_up_at_the_start() {
    let first = Service::new().await;
    first.create(1).await;
    first.create(2).await;
    let store = first.store.clone();
    let second = Service::with(move |parts| parts.store = store).await;
    assert_eq!(second.get("/v1/clusters").await.1["clusters"].as_array().unwrap().len(), 2);
    assert_eq!(second.idle.started.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn both_listeners_answer_until_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("howdah.sock");
    let both = Server { unix: Some(socket.clone()), ..server() };
    let service = Service::on(both.clone(), client().build().unwrap(), |_| {}).await;
    let by_socket = client().unix_socket(socket.clone()).build().unwrap();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    let answer = by_socket.get("http://x/v1/clusters").header("X-Auth-Token", ANN).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    // A token is asked for on the socket too, where auth is not local.
    assert_eq!(by_socket.get("http://x/v1/clusters").send().await.unwrap().status(), 401);
    assert_eq!(service.get("/v1/clusters").await.0, 200);
    let e = refused(&Server { listen: service.running.tcp, ..server() }).await;
    assert!(
        chain(&e).starts_with(&format!("cannot listen on {}: Address already in use", service.running.tcp.unwrap()))
    );
    assert_eq!(e.hint().unwrap(), "Check for another running howdah. server.listen sets the address.");
    let e = refused(&both).await;
    assert_eq!(chain(&e), format!("another process listens on {}", socket.display()));
    service.running.stop();
    service.running.wait().await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn tls() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = client().tls_certs_only([trusted]).build().unwrap();
    let mut service = Service::on(Server { tls: Some(files.clone()), ..server() }, client, |_| {}).await;
    let address = service.running.tcp.unwrap();
    service.base = format!("https://{address}");
    // Somebody who says nothing holds up nobody.
    let _silent = tokio::net::TcpStream::connect(address).await.unwrap();
    assert_eq!(service.put(&path(1), wish(1)).await.0, 202);
    assert!(crate::harness::client().build().unwrap().get(&service.base).send().await.is_err(), "not trusted");

    std::fs::write(&files.key, "rubbish").unwrap();
    let e = refused(&Server { tls: Some(files.clone()), ..server() }).await;
    assert!(chain(&e).contains("cannot use the TLS file"), "{}", chain(&e));
    let other = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    std::fs::write(&files.key, other.signing_key.serialize_pem()).unwrap();
    let e = refused(&Server { tls: Some(files), ..server() }).await;
    assert!(chain(&e).starts_with("cannot use this TLS certificate with this key"), "{}", chain(&e));
}

#[tokio::test]
async fn what_is_counted_can_be_read() {
    let service = Service::new().await;
    service.create(1).await;
    service.get(&path(7)).await;
    service.get("/v1/nothing").await;
    let text = service.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    for line in [
        "howdah_clusters{site=\"main\",status=\"pending\"} 1",
        "howdah_operations{kind=\"create\",state=\"running\"} 1",
        "howdah_controllers 1",
        "howdah_api_request_seconds_count{method=\"PUT\",route=\"/v1/clusters/{id}\",status=\"202\"} 1",
        "howdah_api_request_seconds_count{method=\"GET\",route=\"/v1/clusters/{id}\",status=\"404\"} 1",
        "howdah_api_request_seconds_count{method=\"GET\",route=\"none\",status=\"404\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn who_reads_the_metrics_makes_nobody_read_clusters() {
    use std::sync::atomic::Ordering;
    let inner = Arc::new(MemoryStore::new());
    inner.insert_unreadable(&key(8), "odd");
    let store = Arc::new(crate::odd_store::OddStore::new(inner.clone()));
    let own = store.clone();
    let service = Service::with(move |parts| parts.store = own).await;
    service.create(1).await;
    service.create(2).await;
    service.end(2, None).await;
    service.create(3).await;
    service.store.remove(&key(3), &[]).await.unwrap();
    let (status, _) = service.ask(ANN, Method::DELETE, &path(2), None).await;
    assert_eq!(status, 202);
    let before = store.looks.load(Ordering::SeqCst);
    let response = service.request(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    for line in [
        "howdah_clusters{site=\"main\",status=\"pending\"} 1",
        "howdah_clusters{site=\"main\",status=\"deleting\"} 1",
        "howdah_clusters{site=\"main\",status=\"unreadable\"} 1",
        "howdah_operations{kind=\"create\",state=\"running\"} 1",
        "howdah_operations{kind=\"delete\",state=\"running\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    assert_eq!(store.looks.load(Ordering::SeqCst), before);
    // A list of all, such as each sweep's, corrects what the store never told.
    inner.insert_unreadable(&key(1), "c1");
    service.store.list(None, Page::WHOLE).await.unwrap();
    let text = service.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(text.contains("howdah_clusters{site=\"main\",status=\"unreadable\"} 2"), "{text}");
}

#[tokio::test]
async fn the_sites_and_their_health() {
    let service = Service::with(|parts| {
        let down = Failed { kind: ErrorKind::Unreachable, code: "bde_unreachable" };
        for (system, failed) in [(System::Bde, Some(down)), (System::VCenter, None)] {
            parts.metrics.heard("main", system, now(), failed);
        }
    })
    .await;
    let sites = service.get("/v1/sites").await.1;
    insta::assert_json_snapshot!(sites);
}

#[tokio::test]
async fn a_cluster_whose_site_is_gone_from_the_configuration_waits() {
    let first = Service::new().await;
    first.put(&path(1), but(wish(1), json!({"site": "lab"}))).await;
    let store = first.store.clone();
    let second = Service::with(move |parts| {
        parts.store = store;
        parts.sites.truncate(1);
        parts.controllers = None;
    })
    .await;
    let (status, shown) = second.get(&path(1)).await;
    assert_eq!((status, shown["site"].as_str(), shown["status"].as_str()), (200, Some("lab"), Some("pending")));
    // A request that no controller would run is refused: its client would wait forever.
    for (method, end, body) in [(Method::DELETE, "", None), (Method::PUT, "/state", Some(json!({"state": "stopped"})))]
    {
        let (status, answer) = second.ask(ANN, method, &format!("{}{end}", path(1)), body).await;
        assert_eq!((status, code(&answer)), (409, "site_gone"), "{answer}");
    }
    let text = second.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(text.contains("howdah_controllers 1"), "{text}");
    second.running.stop();
    second.running.wait().await;
}

#[tokio::test]
async fn a_template_with_credentials_gets_a_client_of_its_own() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let service = Service::with(move |parts| {
        parts.templates.credentials = true;
        parts.controllers = None;
        parts.sites[0].manager_as = Some(Arc::new(move |user, password| {
            tell.send((user.to_owned(), password.expose_secret().to_owned())).unwrap();
            Ok(Arc::new(Nobody::default()))
        }));
    })
    .await;
    service.create(1).await;
    service.put(&path(2), but(wish(2), json!({"username": "tenant", "password": "sesame"}))).await;
    let made = tokio::time::timeout(std::time::Duration::from_secs(10), told.recv()).await.unwrap();
    assert_eq!(made, Some(("tenant".to_owned(), "sesame".to_owned())), "for the second alone");
    service.running.stop();
    service.running.wait().await;
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn secrets_that_cannot_be_read_are_a_condition_and_nobody_elses_account_is_used() {
    let store = Arc::new(MemoryStore::new());
    let (first, own) = (store.clone(), store.clone());
    let accepting = Service::with(move |parts| {
        parts.store = first;
        parts.templates.credentials = true;
    })
    .await;
    accepting.put(&path(1), but(wish(1), json!({"username": "tenant", "password": "sesame"}))).await;
    store.set_secrets_unreadable(&key(1), true);

    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let own_manager = Arc::new(Nobody::default());
    let manager = own_manager.clone();
    let service = Service::with(move |parts| {
        parts.sites[0].manager = manager;
        parts.store = own;
        parts.clock = Arc::new(SystemClock);
        parts.controllers = None;
        parts.sites[0].manager_as = Some(Arc::new(move |user, _| {
            tell.send(user.to_owned()).unwrap();
            Ok(Arc::new(Nobody::default()))
        }));
    })
    .await;
    let condition = async || {
        let shown = service.get(&path(1)).await.1;
        let all = shown["conditions"].as_array().unwrap().clone();
        all.into_iter().find(|c| c["type"] == "SecretsReadable").unwrap_or_default()
    };
    let until = async |status: &str| {
        for _ in 0..1000 {
            let seen = condition().await;
            if seen["status"] == status {
                return seen;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("never {status}: {}", service.get(&path(1)).await.1);
    };
    let seen = until("False").await;
    assert_eq!(seen["reason"], "secrets_unreadable");
    assert_eq!(own_manager.asked.load(std::sync::atomic::Ordering::Relaxed), 0, "BDE was asked with other credentials");
    let (_, events) = service.get(&format!("{}/events", path(1))).await;
    let reasons: Vec<_> = events["events"].as_array().unwrap().iter().map(|e| e["reason"].clone()).collect();
    assert_eq!(reasons.iter().filter(|r| *r == "secrets_unreadable").count(), 1, "told once: {reasons:?}");
    // The operator has put the right key back.
    store.set_secrets_unreadable(&key(1), false);
    let made = tokio::time::timeout(std::time::Duration::from_secs(20), told.recv()).await.unwrap();
    assert_eq!(made.as_deref(), Some("tenant"));
    until("True").await;
    service.running.stop();
    service.running.wait().await;
}
