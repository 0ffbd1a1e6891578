//! Text that a terminal or a log would obey: refused where it comes in, whatever field it is in, and shown
//! as escapes where it goes out.

use howdah_core::failure::Failure;
use howdah_core::store::Page;
use howdah_core::text::first_unfit;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{ANN, Service, but, code, event, key, path, wish};

/// One of each sort.
const ODD: [char; 9] = ['\0', '\n', '\r', '\t', '\u{1b}', '\u{7f}', '\u{9b}', '\u{2028}', '\u{202e}'];

/// Every text field of the body, with the field that a refusal has to name; `?` stands for the odd text.
fn bodies() -> Vec<(&'static str, Value)> {
    let mut all: Vec<_> = [
        "name",
        "cluster_type",
        "network",
        "subnet",
        "site",
        "bde_endpoint",
        "vcm_server",
        "cluster_password",
        "username",
        "password",
        "app_manager",
        "vio_config",
        "bde_config",
        "state",
        "remedy",
        "wait_for",
    ]
    .into_iter()
    .map(|field| (field, json!({ field: "?" })))
    .collect();
    all.extend([
        ("security_groups[1]", json!({"security_groups": ["web", "?"]})),
        ("resource_pools[0]", json!({"resource_pools": ["?"]})),
        ("datastores[0]", json!({"datastores": ["?"]})),
        ("node_groups[0].name", json!({"node_groups": [{"name": "?", "roles": ["r"], "count": 1}]})),
        ("node_groups[0].roles[1]", json!({"node_groups": [{"name": "w", "roles": ["r", "?"], "count": 1}]})),
        (
            "specification.nodeGroups[0].configuration.hadoop.core.x",
            json!({"specification":
            {"nodeGroups": [{"configuration": {"hadoop": {"core": {"x": "?"}}}}]}}),
        ),
        ("specification.a.b", json!({"specification": {"a": {"b": "?"}}})),
        // In the name of an unknown field.
        ("colour", json!({"colour": "?"})),
    ]);
    all
}

fn with(value: &Value, odd: char) -> Value {
    let replaced = |text: &str| if text == "?" { format!("x{odd}y") } else { text.to_owned() };
    match value {
        Value::String(text) => Value::String(replaced(text)),
        Value::Array(all) => all.iter().map(|v| with(v, odd)).collect(),
        Value::Object(all) => all.iter().map(|(k, v)| (replaced(k), with(v, odd))).collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn no_field_of_a_body_takes_it() {
    let service = Service::new().await;
    for (field, change) in bodies() {
        for odd in ODD {
            let (status, body) = service.put(&path(1), but(wish(1), with(&change, odd))).await;
            assert_eq!((status, code(&body)), (400, "invalid_field"), "{field} {odd:?}: {body}");
            assert_eq!(body["error"]["details"]["field"], field, "{odd:?}");
            let says = format!("{field}: contains the control character U+{:04X}", u32::from(odd));
            assert_eq!(body["error"]["message"], says);
        }
    }
    // Names of fields, at any depth, and the other body that there is.
    for (field, change) in
        [("x\\u{1b}y", json!({"?": 1})), ("specification.a.x\\u{1b}y", json!({"specification": {"a": {"?": 1}}}))]
    {
        let (status, body) = service.put(&path(1), but(wish(1), with(&change, '\u{1b}'))).await;
        assert_eq!((status, body["error"]["details"]["field"].as_str()), (400, Some(field)), "{body}");
    }
    let (status, body) = service.put(&format!("{}/state", path(1)), json!({"state": "running\n"})).await;
    assert_eq!((status, body["error"]["details"]["field"].as_str()), (400, Some("state")));
    assert!(service.store.list(None, Page::WHOLE).await.unwrap().is_empty());
    // What people write is taken.
    let (status, body) = service.put(&path(1), but(wish(1), json!({"app_manager": "größer 日本語 🦀"}))).await;
    assert_eq!(status, 202, "{body}");
}

#[tokio::test]
async fn nor_does_a_query_or_a_path() {
    let service = Service::new().await;
    for (query, field) in [
        ("project=a%0Ab", "project"),
        ("site=%1B%5D0%3Bx", "site"),
        ("all_projects=%C2%9B", "all_projects"),
        ("%0A=1", "\\n"),
    ] {
        for path in [path(1), format!("{}/events", path(1))] {
            let (status, body) = service.get(&format!("{path}?{query}")).await;
            assert_eq!((status, code(&body)), (400, "invalid_field"), "{query}: {body}");
            assert_eq!(body["error"]["details"]["field"], field);
        }
        let (status, _) = service.put(&format!("{}?{query}", path(1)), wish(1)).await;
        assert_eq!(status, 400, "{query}");
    }
    for path in ["/v1/clusters/%0A%1B", "/v1/%0A%1B"] {
        let (status, body) = service.get(path).await;
        assert!((400..500).contains(&status));
        assert_eq!(first_unfit(body["error"]["message"].as_str().unwrap()), None, "{body}");
    }
}

/// Sends a request with these bytes as a header, which no client library would.
async fn raw(service: &Service, header: &[u8]) -> String {
    let mut stream = TcpStream::connect(service.running.tcp.unwrap()).await.unwrap();
    let head = format!("GET /v1/clusters HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: {ANN}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(header).await.unwrap();
    stream.write_all(b"\r\n\r\n").await.unwrap();
    let mut answer = vec![];
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn nor_does_a_header_that_is_used_as_text() {
    let service = Service::new().await;
    for value in [&b"X-Howdah-Site: a\tb"[..], b"X-Howdah-Site: \xc2\x9b31m", b"X-Howdah-Site: \xff"] {
        let answer = raw(&service, value).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("\"field\":\"x-howdah-site\""), "{answer}");
    }
    // HTTP itself takes no others.
    for value in [&b"X-Howdah-Site: a\x1bb"[..], b"X-Howdah-Site: a\x7fb", b"X-Howdah-Site: a\0b"] {
        assert!(raw(&service, value).await.starts_with("HTTP/1.1 400 "));
    }
}

#[tokio::test]
async fn a_local_users_project_is_plain_text_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::local(&folder).await;
    for value in [&b"p\t1"[..], b"p\xc2\x9b", b"p\xff"] {
        let value = reqwest::header::HeaderValue::from_bytes(value).unwrap();
        let response = service.request(Method::PUT, &path(1)).header("X-Project-Id", value).json(&wish(1)).send();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 400);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["details"]["field"], "x-project-id", "not taken for the project `local`: {body}");
    }
    assert!(service.store.list(None, Page::WHOLE).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_others_said_is_shown_as_escapes_in_every_sentence() {
    let service = Service::new().await;
    service.create(1).await;
    let odd = "\u{1b}]0;x\u{7}gone\n2026-01-01 INFO all is well \u{202e}";
    service.end(1, Some(Failure::new("bde_failed", odd).hint(odd))).await;
    // As an older version stored them.
    let (_, mut state) = service.stored(1).await;
    let operation = state.operation.as_mut().unwrap();
    operation.failure =
        Some(Failure { code: "bde_failed".into(), message: odd.into(), hint: Some(odd.into()), nodes: vec![] });
    let mut told = event("told");
    told.message = odd.to_owned();
    service.store.save(&key(1), &state, &[told]).await.unwrap();
    let (_, shown) = service.get(&path(1)).await;
    let (_, events) = service.get(&format!("{}/events", path(1))).await;
    for text in [
        &shown["status_reason"],
        &shown["operation"]["error"]["message"],
        &shown["operation"]["error"]["hint"],
        &events["events"].as_array().unwrap().last().unwrap()["message"],
    ] {
        let text = text.as_str().unwrap();
        assert_eq!(first_unfit(text), None, "{text:?}");
        assert!(text.starts_with("\\u{1b}]0;x\\u{7}gone\\n2026-01-01"), "{text}");
    }
}
