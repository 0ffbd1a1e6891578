//! What an appliance, or whatever answers in its place, writes into its errors is shown and not obeyed.

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::routing::any;
use howdah_core::failure::Failure;
use howdah_core::systems::manager::ClusterManager;
use howdah_core::text::first_unfit;
use howdah_serengeti::{Client, Settings, Timeouts};
use howdah_transport::Trust;
use serde_json::json;
use tokio::net::TcpListener;

const ODD: &str = "\u{1b}]0;title\u{7}\u{9b}2J\nforged\u{2028}\u{202e}";

#[tokio::test]
async fn no_error_has_what_a_terminal_obeys() {
    for (status, kind, body) in [
        (500, "application/json", json!({"code": ODD, "message": ODD}).to_string()),
        (404, "application/json", json!({"code": "BDD.NOT_FOUND", "message": ODD}).to_string()),
        (
            500,
            "application/json",
            json!({"code": "BDD.ACCESS_NOT_ALLOWED_IN_MAINTENANCE_MODE", "message": ODD}).to_string(),
        ),
        (405, "text/plain", ODD.to_owned()),
        (503, "text/plain", ODD.to_owned()),
        (401, "text/html", format!("<html><h1>{ODD}</h1></html>")),
        (500, "text/html", format!("<html><title>{ODD}</title></html>")),
        (200, "application/json", format!("{{\"version\": \"{ODD}\"")),
        (302, "text/plain", String::new()),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let (shown, sent) = (format!("{status} {body:?}"), body);
        // A header cannot hold worse.
        let to = "https://elsewhere/\u{e9}\t";
        let answer = move || async move { (status, [(CONTENT_TYPE, kind), (LOCATION, to)], sent) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(answer))).await });
        let settings = Settings {
            url,
            username: "u".to_owned(),
            password: "p".into(),
            trust: Trust::Insecure,
            pace: std::sync::Arc::default(),
            timeouts: Timeouts::default(),
        };
        let client = Client::new(settings).unwrap();
        let errors = [client.version().await.err(), client.cluster(&"c".parse().unwrap()).await.err()];
        for e in errors.into_iter().flatten() {
            let failure = Failure::from(&e);
            for text in [&e.message, &failure.message, failure.hint.as_ref().unwrap_or(&String::new())] {
                assert_eq!(first_unfit(text), None, "{shown}: {text:?}");
            }
        }
    }
}
