//! The remote systems: one file each, with its trait, what it is asked, and what it says. One adapter
//! crate implements each trait; the simulated site implements all of them.
//!
//! Contract for every implementation: a call has a deadline and ends; it is repeated inside only
//! where a repeat is safe; an error says in its [`kind`](crate::failure::ErrorKind) whether the
//! call may have taken effect. Nothing here is called twice for the same effect without a
//! lookup in between: that is the caller's part.

pub mod identity;
pub mod manager;
pub mod networking;
pub mod vcenter;

use crate::failure::RemoteError;

/// The result of a remote call.
pub type Remote<T> = Result<T, RemoteError>;
