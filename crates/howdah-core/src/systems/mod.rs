//! The remote systems: one file each, with its trait, its requests and its answers. One adapter
//! crate implements each trait; the simulated site implements all of them.
//!
//! Contract for every implementation: a call has a deadline and ends; the implementation retries only
//! idempotent calls; an error's [`kind`](crate::failure::ErrorKind) shows whether the call may have taken
//! effect. Contract for callers: no second call for the same effect without a lookup in between.

pub mod identity;
pub mod manager;
pub mod networking;
pub mod vcenter;

use crate::failure::RemoteError;

/// The result of a remote call.
pub type Remote<T> = Result<T, RemoteError>;
