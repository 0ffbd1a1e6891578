//! A cache of verified tokens, so that a client that polls every second does not cause a call to Keystone
//! every second. It has hashes, never tokens; entries expire by the monotonic clock; the size is bounded.
//! Refused tokens are not cached.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use howdah_core::systems::identity::Principal;
use howdah_core::time::Mono;
use secrecy::{ExposeSecret, SecretString};

const MOST: usize = 4096;

type Hash = [u8; 32];

#[derive(Default)]
pub(crate) struct Seen {
    tokens: Mutex<HashMap<Hash, (Principal, Mono)>>,
}

impl Seen {
    /// The requester, if cached.
    pub(crate) fn get(&self, token: &SecretString, now: Mono) -> Option<Principal> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(&hash(token)).filter(|(_, until)| now < *until).map(|(who, _)| who.clone())
    }

    /// Caches it until then.
    pub(crate) fn put(&self, token: &SecretString, who: Principal, until: Mono, now: Mono) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MOST {
            tokens.retain(|_, (_, until)| now < *until);
        }
        if tokens.len() >= MOST {
            // All are valid: tokens arrive faster than they expire. Clearing the cache is safe.
            tokens.clear();
        }
        tokens.insert(hash(token), (who, until));
    }

    /// Drops it: a server has just refused it.
    pub(crate) fn forget(&self, token: &SecretString) {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(token));
    }
}

fn hash(token: &SecretString) -> Hash {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.expose_secret().as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who() -> Principal {
        Principal {
            user: "u".into(),
            user_name: "u".into(),
            project: "p".into(),
            roles: vec![],
            is_admin_project: true,
            expires: None,
        }
    }

    #[test]
    fn it_ends_when_it_should_and_never_grows_past_its_bound() {
        let seen = Seen::default();
        let at = |s| Mono::new(std::time::Duration::from_secs(s));
        seen.put(&"t".into(), who(), at(60), at(0));
        assert_eq!(seen.get(&"t".into(), at(59)), Some(who()));
        assert_eq!(seen.get(&"t".into(), at(60)), None);
        assert_eq!(seen.get(&"other".into(), at(0)), None);
        seen.forget(&"t".into());
        assert_eq!(seen.get(&"t".into(), at(0)), None);
        for n in 0..=MOST {
            seen.put(&format!("t{n}").into(), who(), at(60), at(0));
        }
        assert!(seen.tokens.lock().unwrap().len() <= MOST);
    }
}
