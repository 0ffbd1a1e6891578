//! The HTTP transport that the adapters share: whom to trust, how long to wait, when to repeat.
//!
//! * [`Trust`]: system roots, a CA file, a SHA-256 pin, or (loudly) nobody;
//! * [`Http`]: a client with deadlines that follows no redirect and uses no proxy, so that it
//!   contacts exactly the host that the operator configured, and that reads no answer without end;
//! * [`TransportError`]: what went wrong on the way, in words for an operator;
//! * [`Backoff`] and [`retry`]: bounded repeats with jitter.
//!
//! It knows nothing of SOAP, JSON or sessions: those are the adapters'.
//!
//! `examples/pin.rs` trusts a server by its fingerprint.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod entropy;
mod http_client;
mod retry;
mod trust;

pub use entropy::SystemEntropy;
pub use http_client::{ANSWER_LIMIT, Deadlines, Http, TransportError};
pub use retry::{Backoff, retry};
pub use trust::{Fingerprint, FingerprintError, Trust};
