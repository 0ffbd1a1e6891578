//! Which tokens are verified with Keystone, and how many at once: clients without rights must not be able
//! to overload Keystone through the service.
//!
//! ```text
//!   malformed -------------------> refused      no call
//!   verified a moment ago -------> valid        no call, whatever its sender sent before
//!   refused a moment ago --------> refused      no call
//!   many of the sender refused --> 429          no call
//!   limit of calls reached ------> 503          no call
//!   else ------------------------> Keystone
//! ```
//!
//! Invariant: one sender can make Keystone refuse a burst of tokens and then one per second; an
//! attempt that its sender aborts counts as refused. Tokens are kept as hashes, for seconds; both tables
//! are bounded. Times come from the monotonic clock.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderValue;
use howdah_core::systems::identity::Principal;
use howdah_core::systems::identity::{Identity, TOKEN_REFUSED};
use howdah_core::time::Clock;
use howdah_core::time::Mono;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::ApiError;
use super::auth::{Peer, hash};

/// The maximum length of a token, in bytes. Fernet tokens have up to 255 (`max_token_size` of Keystone's
/// `[DEFAULT]`, and `keystone-manage doctor`), JWS tokens some hundred more. PKI tokens of releases from
/// NSX-v's time contain the catalogue and have up to 8,190 bytes, Apache's limit for one header
/// (`LimitRequestFieldSize`).
const LONGEST: usize = 8192;
/// How long a refused token is refused without a call.
const REMEMBERED: Duration = Duration::from_secs(10);
/// How many refused tokens are cached.
const REFUSED_MOST: usize = 4096;
/// The burst of refused tokens of one sender.
const BURST: u32 = 20;
/// The time until one more is allowed.
const EVERY: Duration = Duration::from_secs(1);
/// How many senders are tracked.
const SENDERS_MOST: usize = 4096;
/// How many verifications may run at the same time.
const AT_ONCE: usize = 64;

/// A well-formed Keystone token; `None` for anything else.
pub(super) fn shaped(value: &HeaderValue) -> Option<SecretString> {
    let text = value.to_str().ok()?.trim();
    let good = !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|b| b.is_ascii_graphic());
    good.then(|| SecretString::from(text))
}

/// A sender: an IPv4 address, an IPv6 /64 network (the smallest assignment, RFC 6177), or a user of this
/// host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sender {
    V4(Ipv4Addr),
    V6([u16; 4]),
    Local(u32),
}

impl From<Peer> for Sender {
    fn from(peer: Peer) -> Self {
        match peer {
            Peer::Local { uid } => Self::Local(uid),
            Peer::Remote { address } => match address.to_canonical() {
                IpAddr::V4(address) => Self::V4(address),
                IpAddr::V6(address) => {
                    let [a, b, c, d, ..] = address.segments();
                    Self::V6([a, b, c, d])
                }
            },
        }
    }
}

/// The used part of each sender's burst: a token bucket, stored as the moment when it will be full again.
/// A missing sender has a full bucket.
#[derive(Default)]
struct Buckets {
    full_at: HashMap<Sender, Mono>,
}

impl Buckets {
    /// How long the sender must wait; `None` if not at all.
    fn wait(&self, sender: Sender, now: Mono) -> Option<Duration> {
        let used = self.full_at.get(&sender).map_or(Duration::ZERO, |full_at| full_at.since(now));
        let wait = (used + EVERY).saturating_sub(EVERY * BURST);
        (!wait.is_zero()).then_some(wait)
    }

    /// Takes one out.
    fn take(&mut self, sender: Sender, now: Mono) {
        if self.full_at.len() >= SENDERS_MOST && !self.full_at.contains_key(&sender) {
            self.full_at.retain(|_, full_at| now < *full_at);
            // All buckets are in use: drop the fullest, which loses least.
            if self.full_at.len() >= SENDERS_MOST
                && let Some(least) = self.full_at.iter().min_by_key(|(_, full_at)| **full_at).map(|(s, _)| *s)
            {
                self.full_at.remove(&least);
            }
        }
        let full_at = self.full_at.entry(sender).or_insert(now);
        *full_at = (*full_at).max(now).plus(EVERY);
    }
}

/// Tokens that a Keystone refused a moment ago.
#[derive(Default)]
struct Refused {
    until: HashMap<[u8; 32], Mono>,
}

impl Refused {
    fn has(&self, token: &[u8; 32], now: Mono) -> bool {
        self.until.get(token).is_some_and(|until| now < *until)
    }

    fn put(&mut self, token: [u8; 32], now: Mono) {
        if self.until.len() >= REFUSED_MOST {
            self.until.retain(|_, until| now < *until);
        }
        if self.until.len() >= REFUSED_MOST {
            // All are recent: dropping them costs calls, and those are limited.
            self.until.clear();
        }
        self.until.insert(token, now.plus(REMEMBERED));
    }
}

#[derive(Default)]
struct Kept {
    buckets: Buckets,
    refused: Refused,
}

/// The gate to Keystone for all requests.
pub(super) struct Logins {
    kept: Mutex<Kept>,
    slots: Semaphore,
}

impl Default for Logins {
    fn default() -> Self {
        Self { kept: Mutex::default(), slots: Semaphore::new(AT_ONCE) }
    }
}

impl Logins {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the verification of a request's token.
    pub(super) fn attempt<'a>(&'a self, token: &'a SecretString, peer: Peer, clock: &'a dyn Clock) -> Attempt<'a> {
        Attempt { logins: self, token, sender: peer.into(), clock, counts: false }
    }
}

/// The verification of a token, by one Keystone after the other.
pub(super) struct Attempt<'a> {
    logins: &'a Logins,
    token: &'a SecretString,
    sender: Sender,
    clock: &'a dyn Clock,
    /// Whether dropping it counts as a refusal; true also during a call.
    counts: bool,
}

impl Attempt<'_> {
    /// The requester, verified by this Keystone; `None` if it refuses the token.
    ///
    /// # Errors
    /// `too_many_logins`, `keystone_busy`; the errors of Keystone's adapter.
    pub(super) async fn ask(&mut self, realm: &str, identity: &dyn Identity) -> Result<Option<Principal>, ApiError> {
        if let Some(principal) = identity.recall(self.token) {
            self.counts = false;
            return Ok(Some(principal));
        }
        // Another Keystone may accept a token that this one refuses.
        let key = hash(&format!("{realm}\n{}", self.token.expose_secret()));
        let now = self.clock.mono();
        {
            let kept = self.logins.kept();
            if kept.refused.has(&key, now) {
                return Ok(None);
            }
            if let Some(wait) = kept.buckets.wait(self.sender, now) {
                return Err(ApiError::TooManyLogins { wait });
            }
        }
        let _slot = self.logins.slots.try_acquire().map_err(|_| ApiError::KeystoneBusy)?;
        let before = std::mem::replace(&mut self.counts, true);
        match identity.authenticate(self.token).await {
            Ok(principal) => {
                self.counts = false;
                Ok(Some(principal))
            }
            Err(e) if e.code == TOKEN_REFUSED => {
                self.logins.kept().refused.put(key, self.clock.mono());
                Ok(None)
            }
            Err(e) => {
                self.counts = before;
                Err(ApiError::Remote(e))
            }
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.counts {
            self.logins.kept().buckets.take(self.sender, self.clock.mono());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Mono {
        Mono::new(Duration::from_millis(millis))
    }

    fn v4(last: u32) -> Sender {
        Sender::V4(Ipv4Addr::from(last))
    }

    #[test]
    fn a_burst_then_one_a_second_and_a_rest_fills_it_again() {
        let (mut buckets, one) = (Buckets::default(), v4(1));
        for n in 0..BURST {
            assert_eq!(buckets.wait(one, at(0)), None, "{n}");
            buckets.take(one, at(0));
        }
        assert_eq!(buckets.wait(one, at(0)), Some(Duration::from_secs(1)));
        assert_eq!(buckets.wait(one, at(400)), Some(Duration::from_millis(600)));
        assert_eq!(buckets.wait(v4(2), at(0)), None, "each has a bucket of its own");
        assert_eq!(buckets.wait(one, at(1000)), None);
        buckets.take(one, at(1000));
        assert_eq!(buckets.wait(one, at(1000)), Some(Duration::from_secs(1)));
        // Concurrent attempts are charged afterwards.
        for _ in 0..10 {
            buckets.take(one, at(1000));
        }
        assert_eq!(buckets.wait(one, at(1000)), Some(Duration::from_secs(11)));
        // A long pause does not enlarge the burst.
        for _ in 0..BURST {
            assert_eq!(buckets.wait(one, at(3_600_000)), None);
            buckets.take(one, at(3_600_000));
        }
        assert!(buckets.wait(one, at(3_600_000)).is_some());
    }

    #[test]
    fn the_table_of_senders_has_a_bound_and_the_worst_stay_in_it() {
        let mut buckets = Buckets::default();
        for _ in 0..2 * BURST {
            buckets.take(v4(0), at(0));
        }
        for n in 1..2 * SENDERS_MOST as u32 {
            buckets.take(v4(n), at(0));
            assert!(buckets.full_at.len() <= SENDERS_MOST);
        }
        assert!(buckets.wait(v4(0), at(0)).is_some());
        // A full bucket is dropped.
        buckets.take(v4(u32::MAX), at(3_600_000));
        assert_eq!(buckets.full_at.len(), 1);
    }

    #[test]
    fn refused_tokens_are_remembered_for_a_while_and_not_without_bound() {
        let mut refused = Refused::default();
        refused.put([1; 32], at(0));
        assert!(refused.has(&[1; 32], at(9_999)) && !refused.has(&[2; 32], at(0)));
        assert!(!refused.has(&[1; 32], at(10_000)));
        for n in 0..=REFUSED_MOST {
            refused.put(hash(&n.to_string()), at(20_000));
            assert!(refused.until.len() <= REFUSED_MOST);
        }
    }

    #[test]
    fn senders_are_addresses_networks_and_local_users() {
        let of = |address: &str| Sender::from(Peer::Remote { address: address.parse().unwrap() });
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::2"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        assert_ne!(Sender::from(Peer::Local { uid: 0 }), Sender::from(Peer::Local { uid: 1 }));
    }

    #[test]
    fn tokens_have_a_shape() {
        let is = |bytes: &[u8]| shaped(&HeaderValue::from_bytes(bytes).unwrap()).is_some();
        assert!(is(b"gAAAAABn-_x=") && is(b" padded ") && is(&[b'x'; LONGEST]));
        for bad in [b"".as_slice(), b" ", b"two words", b"tab\tbed", "\u{e4}".as_bytes(), &[b'x'; LONGEST + 1]] {
            assert!(!is(bad), "{}", String::from_utf8_lossy(bad));
        }
    }
}
