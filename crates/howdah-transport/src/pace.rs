//! The pace of an account's logins: vCenter locks an account after a few refused ones, and each login at BDE is one
//! at vCenter too.
//!
//! Invariant: over all sessions that share a pace, at most [`MOST`] logins are refused within [`WINDOW`]. Only one
//! login of the account is under way at a time: two could be refused together.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// vSphere's SSO locks an account at the fifth refused login within [`WINDOW`] (its default lockout policy). Two are
/// left for people.
const MOST: usize = 3;

/// The time in which vSphere's SSO counts refused logins, by default.
const WINDOW: Duration = Duration::from_secs(180);

/// The logins of one account, shared by every session that uses it.
#[derive(Debug, Default)]
pub struct LoginPace(Mutex<VecDeque<Instant>>);

impl LoginPace {
    /// Tries a login, unless too many of the account's were refused lately; then `held` makes the error, from the
    /// time until the next one may be tried.
    ///
    /// # Errors
    /// The login's, or `held`'s.
    pub async fn login<T, E>(
        &self,
        login: impl Future<Output = Result<T, E>>,
        is_refusal: impl FnOnce(&E) -> bool,
        held: impl FnOnce(Duration) -> E,
    ) -> Result<T, E> {
        let mut refused = self.0.lock().await;
        refused.retain(|when| when.elapsed() < WINDOW);
        if let Some(oldest) = refused.front().filter(|_| refused.len() >= MOST) {
            return Err(held(WINDOW.saturating_sub(oldest.elapsed())));
        }
        let result = login.await;
        match &result {
            // A good login resets the count of SSO.
            Ok(_) => refused.clear(),
            Err(error) if is_refusal(error) => refused.push_back(Instant::now()),
            Err(_) => {}
        }
        result
    }

    fn is_calm(&self) -> bool {
        self.0.try_lock().is_ok_and(|refused| refused.iter().all(|when| when.elapsed() >= WINDOW))
    }
}

/// The paces of the accounts of a site.
#[derive(Debug, Default)]
pub struct LoginPaces(std::sync::Mutex<BTreeMap<String, Arc<LoginPace>>>);

impl LoginPaces {
    /// The pace of an account; every session that logs in as it gets the same one.
    pub fn of(&self, account: &str) -> Arc<LoginPace> {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What nobody uses is kept for as long as it matters: a refused session is often created again.
        paces.retain(|_, pace| Arc::strong_count(pace) > 1 || !pace.is_calm());
        // vSphere's account names do not depend on the case.
        Arc::clone(paces.entry(account.to_lowercase()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn however_many_sessions_try_three_logins_are_refused_in_three_minutes() {
        let (pace, asked) = (Arc::new(LoginPace::default()), AtomicUsize::new(0));
        let attempt = async |answer: Result<(), &'static str>| {
            let server = async {
                asked.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(1)).await;
                answer
            };
            pace.login(server, |e| *e == "refused", |_| "held").await
        };
        let together = futures::future::join_all((0..9).map(|_| attempt(Err("refused")))).await;
        assert_eq!(together.iter().filter(|r| **r == Err("held")).count(), 6);
        assert_eq!(asked.load(Ordering::Relaxed), MOST);
        tokio::time::sleep(WINDOW).await;
        // What says nothing about the password does not count, and a good login resets the count.
        for answer in [Err("refused"), Err("refused"), Err("no answer"), Ok(()), Err("refused"), Err("refused")] {
            assert_eq!(attempt(answer).await, answer);
        }
        assert_eq!(attempt(Err("refused")).await, Err("refused"));
        assert_eq!(attempt(Ok(())).await, Err("held"));
        tokio::time::sleep(WINDOW).await;
        assert_eq!(attempt(Ok(())).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_has_one_pace_which_outlives_its_sessions() {
        let paces = LoginPaces::default();
        assert!(Arc::ptr_eq(&paces.of("Admin@vsphere.local"), &paces.of("admin@vsphere.local")));
        for n in 0..5 {
            let refused = paces.of("admin").login(async { Err::<(), _>("refused") }, |_| true, |_| "held").await;
            assert_eq!(refused, Err(if n < MOST { "refused" } else { "held" }));
        }
        tokio::time::sleep(WINDOW).await;
        let _other = paces.of("other");
        assert_eq!(paces.0.lock().unwrap().len(), 1, "what is calm and unused is forgotten");
    }
}
