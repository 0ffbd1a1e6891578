//! Connects to a server with a self-signed certificate: refused first, then trusted by its fingerprint.
//!
//! ```text
//! cargo run -p howdah-transport --example pin
//! ```

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use axum::Router;
use howdah_testkit::tls::TlsServer;
use howdah_transport::{Deadlines, Fingerprint, Http, TransportError, Trust};
use reqwest::Method;

async fn get(url: &str, trust: &Trust) -> Result<String, TransportError> {
    let http = Http::new(trust, Deadlines::default())?;
    let answer = http.send(http.request(Method::GET, url)).await?;
    // The body is read up to a limit.
    let body = http.body(answer).await?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// Asks twice.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> Result<(), Box<dyn Error>> {
    let server = TlsServer::start(Router::new().fallback(async || "hello")).await;
    let Err(refused) = get(&server.url(), &Trust::System).await else {
        return Err("a certificate that nobody signed was trusted".into());
    };
    println!("refused: {refused}");
    println!("hint: {}", refused.hint().unwrap_or_default());
    let pin = Trust::Pin(Fingerprint::of(&server.certificate));
    println!("with the pin: {}", get(&server.url(), &pin).await?);
    Ok(())
}
