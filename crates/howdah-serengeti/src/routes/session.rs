//! The sessions. They are in memory: a restart ends them, as on an appliance.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, header};
use tokio::time::Instant;
use uuid::Uuid;

/// The cookie's name.
const COOKIE: &str = "JSESSIONID";

pub(super) struct Sessions<U> {
    idle: Duration,
    open: Mutex<HashMap<String, Open<U>>>,
}

struct Open<U> {
    user: U,
    used: Instant,
}

impl<U: Clone> Sessions<U> {
    pub(super) fn new(idle: Duration) -> Self {
        Self { idle, open: Mutex::default() }
    }

    /// Opens a session with a new ID. The IDs in the request end: an ID that others may know must not
    /// become a logged-in one.
    pub(super) fn open(&self, user: U, sent: &HeaderMap) -> String {
        let id = Uuid::new_v4().simple().to_string().to_uppercase();
        let mut open = self.lock();
        for old in ids(sent) {
            open.remove(old);
        }
        // No other code removes unused sessions.
        open.retain(|_, s| s.used.elapsed() < self.idle);
        open.insert(id.clone(), Open { user, used: Instant::now() });
        id
    }

    /// The user of the session that a request belongs to.
    pub(super) fn user(&self, sent: &HeaderMap) -> Option<U> {
        let mut open = self.lock();
        ids(sent).find_map(|id| {
            let session = open.get_mut(id).filter(|s| s.used.elapsed() < self.idle)?;
            session.used = Instant::now();
            Some(session.user.clone())
        })
    }

    /// Ends the sessions that a request belongs to.
    pub(super) fn close(&self, sent: &HeaderMap) {
        let mut open = self.lock();
        for id in ids(sent) {
            open.remove(id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Open<U>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session IDs of a request. The service's own command line sends two `Cookie` headers.
fn ids(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|c| c.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// The `Set-Cookie` of a login.
pub(super) fn cookie(id: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={id}; Path=/serengeti/{secure}; HttpOnly")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, cookie.parse().unwrap());
        }
        headers
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_lives_while_it_is_used() {
        let sessions = Sessions::new(Duration::from_secs(60));
        let id = sessions.open("me", &sent(&[]));
        let cookies = sent(&["JSESSIONID=dead", &format!("a=b; JSESSIONID={id}")]);
        for _ in 0..3 {
            tokio::time::advance(Duration::from_secs(40)).await;
            assert_eq!(sessions.user(&cookies), Some("me"));
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(sessions.user(&cookies), None);
    }

    #[tokio::test]
    async fn a_login_replaces_the_session_that_comes_along() {
        let sessions = Sessions::new(Duration::from_secs(60));
        let first = sessions.open("me", &sent(&[]));
        let cookies = sent(&[&format!("JSESSIONID={first}")]);
        let second = sessions.open("you", &cookies);
        assert_eq!(sessions.user(&cookies), None);
        let cookies = sent(&[&format!("JSESSIONID={second}")]);
        assert_eq!(sessions.user(&cookies), Some("you"));
        sessions.close(&cookies);
        assert_eq!(sessions.user(&cookies), None);
    }
}
