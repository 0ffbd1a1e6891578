//! vSphere's single sign-on: the accounts of vCenter, which BDE's logins are verified against too (Serengeti,
//! `AuthenticationProvider` of its `SecurityConfig`), and the lockout.
//!
//! Rule (vSphere's default lockout policy): the fifth refused login of an account within 180 s locks it for 300 s;
//! a good login resets the count.

use jiff::{SignedDuration, Timestamp};

use crate::world::state::State;

const REFUSED_MOST: usize = 5;
const COUNTED_FOR: SignedDuration = SignedDuration::from_secs(180);
const LOCKED_FOR: SignedDuration = SignedDuration::from_secs(300);

/// The refused logins of an account.
#[derive(Debug, Default)]
pub struct Account {
    refused: Vec<Timestamp>,
    locked_until: Option<Timestamp>,
    /// How often it was locked.
    pub lockouts: u32,
}

impl Account {
    /// How many refused logins count now.
    pub fn refused(&self) -> usize {
        self.refused.len()
    }
}

impl State {
    /// Whether SSO accepts this login, at vCenter or for BDE.
    pub(crate) fn signs_on(&mut self, user: &str, password: &str) -> bool {
        let accounts = [&self.settings.vcenter_login, &self.settings.bde_login];
        let good = accounts.iter().any(|a| a.user.eq_ignore_ascii_case(user) && a.password == password);
        let now = self.now;
        let account = self.vc.sso.entry(user.to_lowercase()).or_default();
        if account.locked_until.is_some_and(|until| now < until) {
            return false;
        }
        if good {
            account.refused.clear();
            return true;
        }
        account.refused.retain(|when| now.duration_since(*when) < COUNTED_FOR);
        account.refused.push(now);
        if account.refused.len() >= REFUSED_MOST {
            account.locked_until = Some(now + LOCKED_FOR);
            account.lockouts += 1;
            account.refused.clear();
        }
        false
    }
}
