//! A client of an appliance: [`ClusterManager`] over the
//! Serengeti API.
//!
//! ```text
//!   manager.rs   the calls
//!   translate.rs the meaning of the answers for the core
//!   spec.rs      a request's body for the appliance's release
//!   session.rs   login (one at a time), the cookie, one repeat after an expired session
//!   reading.rs   an answer's head and body: JSON, error body, HTML page, maintenance
//! ```
//!
//! Invariants: a write is repeated only after a 401, which the service sends before it reads the
//! request; decisions use an error's code; the client contacts only the configured host, whatever a
//! `Location` says; no text contains a password.

mod manager;
mod reading;
mod session;
mod spec;
pub mod translate;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::TaskId;
use howdah_core::systems::Remote;
use howdah_core::systems::manager::ClusterManager;
use howdah_core::systems::manager::{ManagedTask, TaskState};
use howdah_core::time::Clock;
use howdah_transport::meter::{Meter, unmetered};
use howdah_transport::{Deadlines, Http, LoginPace, Trust};
use secrecy::SecretString;

use crate::body::Rules;
use crate::error::Error;
use session::Sessions;

/// How long to wait for the appliance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For an answer.
    pub answer: Duration,
    /// For the answer to a call that first reads vCenter's inventory (create, resume, registration of a
    /// network): that takes minutes with a large inventory.
    pub check: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), answer: Duration::from_secs(60), check: Duration::from_secs(15 * 60) }
    }
}

/// The address and credentials of an appliance.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `https://host:8443`. Plain HTTP is allowed for loopback addresses only.
    pub url: String,
    /// A vCenter user.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// The trusted certificates.
    pub trust: Trust,
    /// The logins of the account, shared with every other client that uses it: BDE verifies each at vCenter.
    pub pace: Arc<LoginPace>,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// A client of one appliance. It logs in with its first call.
pub struct Client {
    sessions: Sessions,
    rules: Rules,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.sessions.base()).finish_non_exhaustive()
    }
}

impl Client {
    /// Creates a client of the appliance at `settings.url`. Makes no call.
    ///
    /// # Errors
    /// If the address or the trust cannot be used.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        Self::metered(settings, unmetered())
    }

    /// The same with a meter for its calls.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn metered(settings: Settings, meter: Arc<dyn Meter>) -> Result<Self, Error> {
        let base = base(&settings.url)?;
        let deadlines = Deadlines { connect: settings.timeouts.connect, answer: settings.timeouts.answer };
        let http = Http::new(&settings.trust, deadlines).map_err(|e| Error::transport("set up the connection", e))?;
        Ok(Self { sessions: Sessions::new(http, base, settings, meter), rules: Rules::default() })
    }

    /// The same client with a site's rules for requests.
    #[must_use]
    pub fn with_rules(self, rules: Rules) -> Self {
        Self { rules, ..self }
    }

    /// Logs out of the current session, if any. A later call logs in again.
    ///
    /// # Errors
    /// If the appliance cannot be reached; its session then expires after half an hour.
    pub async fn log_out(&self) -> Result<(), Error> {
        self.sessions.log_out().await
    }
}

/// `https://host:port`, from the operator's form of it.
fn base(url: &str) -> Result<String, Error> {
    // The part before an `@` may be a password.
    let shown = url.rsplit('@').next().unwrap_or_default();
    let refuse = |reason| Error::Address { url: shown.to_owned(), reason };
    let parsed = reqwest::Url::parse(url).map_err(|_| refuse("it is not a URL; write https://host:8443"))?;
    let host = parsed.host_str().filter(|h| !h.is_empty()).ok_or_else(|| refuse("it has no host"))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(refuse("the user name and password have their own settings"));
    }
    match parsed.scheme() {
        "https" => {}
        "http" if is_loopback(host) => {}
        "http" => return Err(refuse("it would send the password in clear text; write https://")),
        _ => return Err(refuse("it must start with https://")),
    }
    if !matches!(parsed.path().trim_end_matches('/'), "" | "/serengeti" | "/serengeti/api") {
        return Err(refuse("it has a path; write https://host:8443"));
    }
    Ok(parsed.origin().ascii_serialization())
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Polls a task until its end: every `every`, for at most `limit`, on the clock's time. Calls `seen` with
/// every answer.
///
/// # Errors
/// The manager's message for a failed task; an unknown task; a task that did not end in time, with its
/// last state; or the manager's first permanent error.
pub async fn follow(
    manager: &dyn ClusterManager,
    task: &TaskId,
    clock: &dyn Clock,
    every: Duration,
    limit: Duration,
    mut seen: impl FnMut(&ManagedTask) + Send,
) -> Remote<()> {
    let start = clock.mono();
    let fail = |kind, code, message| Err(RemoteError::new(System::Bde, kind, code, message));
    loop {
        let last = match manager.task(task).await {
            Ok(None) => {
                return fail(ErrorKind::NotFound, "bde_task_not_found", format!("task {task} is unknown"));
            }
            Ok(Some(found)) => {
                seen(&found);
                match found.state {
                    TaskState::Completed => return Ok(()),
                    TaskState::Failed => {
                        let said = found.error.unwrap_or_else(|| "BDE gives no reason".to_owned());
                        return fail(ErrorKind::Internal, "bde_task_failed", format!("task {task} failed: {said}"));
                    }
                    TaskState::Running => format!("it was at {:.0} %", found.progress * 100.0),
                }
            }
            Err(error) if error.kind.is_transient() => format!("the last query failed: {error}"),
            Err(error) => return Err(error),
        };
        if clock.mono().since(start) >= limit {
            let message = format!("task {task} did not end within {} s: {last}", limit.as_secs());
            return fail(ErrorKind::NoAnswer, "bde_task_no_end", message);
        }
        clock.sleep(every).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_brought_into_one_form_or_refused() {
        for (written, is) in [
            ("https://bde:8443", "https://bde:8443"),
            ("https://BDE:8443/serengeti/", "https://bde:8443"),
            ("https://bde:8443/serengeti/api", "https://bde:8443"),
            ("http://127.0.0.1:1234", "http://127.0.0.1:1234"),
            ("http://[::1]:1234", "http://[::1]:1234"),
        ] {
            assert_eq!(base(written).unwrap(), is, "{written}");
        }
        let refused: Vec<_> = ["bde", "http://bde", "https://a:b@bde", "ftp://bde", "https://bde/sdk"]
            .iter()
            .map(|u| base(u).unwrap_err().to_string())
            .collect();
        insta::assert_debug_snapshot!(refused, @r#"
        [
            "the address \"bde\" is invalid: it is not a URL; write https://host:8443",
            "the address \"http://bde\" is invalid: it would send the password in clear text; write https://",
            "the address \"bde\" is invalid: the user name and password have their own settings",
            "the address \"ftp://bde\" is invalid: it must start with https://",
            "the address \"https://bde/sdk\" is invalid: it has a path; write https://host:8443",
        ]
        "#);
    }
}
