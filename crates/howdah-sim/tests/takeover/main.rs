//! A database of an older schema, with the world around it: this version takes both over, and every
//! operation in it ends.
//!
//! ```text
//!   stored:   the database file, opened and migrated in real time --> rows, secrets, registrations
//!   planted:  the world that was stored with it                   --> a simulated site
//!   ends:     a simulated service over both, in virtual time       --> what became of each cluster
//! ```

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ends;
mod planted;
mod stored;
mod written;
