//! A request to a server on loopback that this tool started. Not a general client.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::run::Done;

/// `GET http://127.0.0.1:port/path`, as JSON.
pub fn get(base: &str, path: &str) -> Done<Value> {
    let why = |e: &dyn std::fmt::Display| format!("GET {base}{path}: {e}");
    let address = base.strip_prefix("http://").ok_or_else(|| why(&"only http"))?.trim_end_matches('/');
    let mut stream = TcpStream::connect(address).map_err(|e| why(&e))?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(|e| why(&e))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").map_err(|e| why(&e))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|e| why(&e))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| why(&"no answer"))?;
    if !head.contains(" 200 ") {
        return Err(why(&head.lines().next().unwrap_or_default()));
    }
    serde_json::from_str(body).map_err(|e| why(&e))
}
