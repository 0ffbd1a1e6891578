//! The adapters' HTTP transport: trust, deadlines, retries.
//!
//! * [`Trust`]: system roots, a CA file, a SHA-256 pin, or no verification (with a warning);
//! * [`Http`]: a client with deadlines that follows no redirect and uses no proxy, so that it
//!   contacts exactly the configured host, and that limits the size of answers;
//! * [`TransportError`]: transport errors, with messages for an operator;
//! * [`Backoff`] and [`retry`]: bounded retries with jitter;
//! * [`meter`]: counts calls, in one place of each adapter.
//!
//! It does not handle SOAP, JSON or sessions; the adapters do.
//!
//! `examples/pin.rs` trusts a server by its fingerprint.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod entropy;
mod http_client;
pub mod meter;
mod pace;
mod retry;
mod trust;

pub use entropy::SystemEntropy;
pub use http_client::{ANSWER_LIMIT, Deadlines, Http, TransportError};
pub use pace::{LoginPace, LoginPaces};
pub use retry::{Backoff, retry};
pub use trust::{Fingerprint, FingerprintError, Trust};
