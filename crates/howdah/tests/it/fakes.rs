//! Servers that misbehave.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// A server that gives scripted answers and closes the connection. It ends with its handle.
pub struct Fake {
    pub url: String,
    address: std::net::SocketAddr,
    ended: Arc<AtomicBool>,
}

impl Fake {
    /// Answers with the status, type and body that the script has for a request.
    pub fn by_request(answer: impl Fn(&str) -> (&'static str, &'static str, String) + Send + Sync + 'static) -> Self {
        Self::saying(move |request| {
            let (status, kind, body) = answer(request);
            whole(status, kind, &body, body.len())
        })
    }

    /// A service with the clusters of a list: it lists them, and shows each under its ID.
    pub fn with_clusters(list: &Value) -> Self {
        let list = list.clone();
        Self::by_request(move |request| {
            let all = list["clusters"].as_array().unwrap();
            let asked = all.iter().find(|c| request.contains(&format!("/v1/clusters/{}", c["id"].as_str().unwrap())));
            ("200 OK", "application/json", asked.unwrap_or(&list).to_string())
        })
    }

    /// `head` is the status line and headers; `announced` is the Content-Length that it claims.
    pub fn new(status: &str, kind: &str, body: &str, announced: usize) -> Self {
        let answer = whole(status, kind, body, announced);
        Self::saying(move |_| answer.clone())
    }

    fn saying(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let answer = Arc::new(answer);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let answer = Arc::clone(&answer);
                thread::spawn(move || stream.map(|s| say(s, &*answer)));
            }
        });
        Self { url: format!("http://{address}"), address, ended }
    }
}

fn whole(status: &str, kind: &str, body: &str, announced: usize) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {announced}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn say(mut stream: TcpStream, answer: &dyn Fn(&str) -> String) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut request = Vec::new();
    let mut some = [0; 4096];
    // Read the head and a body with a Content-Length; then answer.
    while let Ok(n @ 1..) = stream.read(&mut some) {
        request.extend_from_slice(&some[..n]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
        if body.len() >= length {
            break;
        }
    }
    let head = String::from_utf8_lossy(&request).into_owned();
    let _ = stream.write_all(answer(&head).as_bytes());
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the listener, so that it sees the end.
        let _ = TcpStream::connect(self.address);
    }
}
