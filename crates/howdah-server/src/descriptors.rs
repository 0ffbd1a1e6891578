//! The limit of this process's file descriptors. Invariant: it raises the soft limit up to the hard limit;
//! if the system refuses, it keeps the current limit.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A higher limit is useless: this is far above the seats of all listeners.
const ENOUGH: u64 = 65_536;

/// Raises the limit as far as permitted, and returns it.
pub(crate) fn raise() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `None` is no limit.
    let current = current.unwrap_or(ENOUGH);
    let wanted = maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if wanted <= current {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => wanted,
        // A service manager may forbid it: LimitNOFILE of the unit then sets the limit.
        Err(e) => {
            tracing::info!(current, "cannot raise the limit of open files: {e}");
            current
        }
    }
}
