//! How many descriptors this process may have. Invariant: it only ever allows itself what it was allowed
//! to; where that is refused, it works with what there is.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More is of no use: it is far above the seats of all listeners.
const ENOUGH: u64 = 65_536;

/// Raises the limit as far as this process may, and says what it is.
pub(crate) fn raise() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // None is no limit.
    let current = current.unwrap_or(ENOUGH);
    let wanted = maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if wanted <= current {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => wanted,
        // A service manager may forbid it: LimitNOFILE of the unit says how many there are then.
        Err(e) => {
            tracing::info!(current, "cannot raise the limit of open files: {e}");
            current
        }
    }
}
