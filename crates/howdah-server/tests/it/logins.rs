//! Which tokens are brought to Keystone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use howdah_core::time::Clock;
use howdah_core::time::Mono;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;
use tokio::sync::Notify;

use crate::fakes::now;
use crate::harness::{ANN, Service, code};

/// A clock that goes when it is told to.
#[derive(Default)]
struct ByHand(AtomicU64);

impl Clock for ByHand {
    fn now(&self) -> Timestamp {
        now()
    }
    fn mono(&self) -> Mono {
        Mono::new(Duration::from_millis(self.0.load(Ordering::Relaxed)))
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        std::future::pending().boxed()
    }
}

struct Answer {
    status: u16,
    code: String,
    retry_after: Option<String>,
}

async fn ask(service: &Service, token: impl AsRef<[u8]>) -> Answer {
    let response = service.request(Method::GET, "/v1/clusters").header("X-Auth-Token", token.as_ref()).send();
    let response = response.await.unwrap();
    let retry_after = response.headers().get("retry-after").map(|v| v.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    Answer { status, code: code(&body).to_owned(), retry_after }
}

fn asked(service: &Service) -> usize {
    service.cloud.shown.lock().unwrap().len()
}

#[tokio::test]
async fn what_cannot_be_a_token_is_refused_without_asking_keystone() {
    let service = Service::new().await;
    for token in [vec![b'x'; 8193], vec![b'x'; 70_000], b"two words".to_vec(), "\u{e4}".as_bytes().to_vec()] {
        let answer = ask(&service, &token).await;
        assert_eq!((answer.status, answer.code.as_str()), (401, "token_invalid"), "{} bytes", token.len());
    }
    assert_eq!(ask(&service, "").await.code, "token_missing");
    assert_eq!(asked(&service), 0);
    assert_eq!(ask(&service, vec![b'x'; 8192]).await.code, "token_invalid");
    assert_eq!(asked(&service), 1, "as long as a token may be");
}

#[tokio::test]
async fn a_token_that_was_just_refused_is_not_asked_about_again() {
    let clock = Arc::new(ByHand::default());
    let service = Service::with(|parts| parts.clock = clock.clone()).await;
    for _ in 0..100 {
        assert_eq!(ask(&service, "rubbish").await.status, 401);
    }
    assert_eq!(asked(&service), 1);
    clock.0.store(10_000, Ordering::Relaxed);
    assert_eq!(ask(&service, "rubbish").await.status, 401);
    assert_eq!(asked(&service), 2);
}

#[tokio::test]
async fn who_sends_many_bad_tokens_has_to_wait_and_those_known_to_be_good_do_not() {
    let clock = Arc::new(ByHand::default());
    let service = Service::with(|parts| parts.clock = clock.clone()).await;
    service.cloud.known.lock().unwrap().push(ANN.to_owned());
    for n in 0..20 {
        assert_eq!(ask(&service, format!("bad-{n}")).await.status, 401, "{n}");
    }
    for n in 20..50 {
        let answer = ask(&service, format!("bad-{n}")).await;
        assert_eq!((answer.status, answer.code.as_str()), (429, "too_many_logins"), "{n}");
        assert_eq!(answer.retry_after.as_deref(), Some("1"));
    }
    assert_eq!(asked(&service), 20);
    // Only a call can verify this one.
    assert_eq!(ask(&service, "bob@p2:member").await.status, 429);
    assert_eq!(ask(&service, ANN).await.status, 200);
    assert_eq!(ask(&service, "bad-0").await.status, 401, "known to be bad");
    clock.0.store(1_000, Ordering::Relaxed);
    assert_eq!(ask(&service, "bob@p2:member").await.status, 200, "good ones do not count");
    assert_eq!(ask(&service, "rob@p2:member").await.status, 200);
    assert_eq!(ask(&service, "bad-50").await.status, 401);
    assert_eq!(ask(&service, "bad-51").await.status, 429);
}

#[tokio::test]
async fn good_tokens_never_use_up_the_burst_and_a_keystone_that_fails_does_not_either() {
    let service = Service::new().await;
    for n in 0..100 {
        assert_eq!(ask(&service, format!("u{n}@p1:member")).await.status, 200, "{n}");
    }
    *service.cloud.down.lock().unwrap() = true;
    for n in 0..100 {
        assert_eq!(ask(&service, format!("v{n}@p1:member")).await.status, 503, "{n}");
    }
    *service.cloud.down.lock().unwrap() = false;
    assert_eq!(ask(&service, "bad").await.status, 401);
}

/// Waits until this many tokens are at Keystone.
async fn until_asked(service: &Service, count: usize) {
    let look = async {
        while asked(service) < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.expect("not all were asked about");
}

#[tokio::test]
async fn a_slow_keystone_gets_so_many_questions_and_no_more() {
    let service = Arc::new(Service::new().await);
    let done = Arc::new(Notify::new());
    *service.cloud.slow.lock().unwrap() = Some(done.clone());
    let waiting: Vec<_> = (0..64)
        .map(|n| {
            let service = service.clone();
            tokio::spawn(async move { ask(&service, format!("u{n}@p1:member")).await.status })
        })
        .collect();
    until_asked(&service, 64).await;
    service.cloud.known.lock().unwrap().push(ANN.to_owned());
    for _ in 0..10 {
        let answer = ask(&service, "late@p1:member").await;
        assert_eq!((answer.status, answer.code.as_str()), (503, "keystone_busy"));
        assert_eq!(answer.retry_after.as_deref(), Some("5"));
        assert_eq!(ask(&service, ANN).await.status, 200);
    }
    assert_eq!(asked(&service), 64);
    *service.cloud.slow.lock().unwrap() = None;
    done.notify_waiters();
    for status in waiting {
        assert_eq!(status.await.unwrap(), 200);
    }
    assert_eq!(ask(&service, "late@p1:member").await.status, 200);
}

#[tokio::test]
async fn who_does_not_wait_for_the_refusal_has_had_it_all_the_same() {
    let service = Service::new().await;
    *service.cloud.slow.lock().unwrap() = Some(Arc::default());
    for n in 0..20 {
        let hasty = service.request(Method::GET, "/v1/clusters").header("X-Auth-Token", format!("bad-{n}"));
        let sent = tokio::spawn(hasty.send());
        until_asked(&service, n + 1).await;
        sent.abort();
    }
    *service.cloud.slow.lock().unwrap() = None;
    // The service sees the end of a connection a moment later.
    let look = async {
        while ask(&service, "bob@p2:member").await.status != 429 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.expect("broken off attempts do not count");
}
