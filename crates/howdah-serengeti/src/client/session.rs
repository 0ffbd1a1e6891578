//! The session with an appliance: one login for all callers, one repeat after an expired session.
//!
//! This module handles the cookie itself because an unauthenticated answer may set one too: only a login's
//! cookie counts. Invariant: at most one login is in progress, and its result applies to every caller that
//! waited for it; a refused login is not repeated for a while, so that a wrong password cannot
//! lock the account in vCenter.

use std::sync::Arc;
use std::time::Duration;

use howdah_core::failure::System;
use howdah_transport::meter::{Failed, Meter, Whose, measure};
use howdah_transport::{Backoff, Http, TransportError, retry};
use http::{Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Settings;
use super::reading::{Answer, accept, read};
use crate::error::Error;
use crate::release::Release;
use crate::wire::Hello;

/// How long the result of a refused login applies to later calls.
const REFUSED_FOR: Duration = Duration::from_secs(30);

const FORM: &[u8] = b"application/x-www-form-urlencoded";
const LOG_OUT: &str = "/serengeti/j_spring_security_logout";

/// A call below `/serengeti/api`.
pub(super) struct Call {
    pub(super) method: Method,
    /// With its query, names encoded.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// The step, for messages.
    pub(super) step: String,
    /// Whether the appliance reads vCenter's inventory before it answers.
    pub(super) slow: bool,
    /// Secrets in the body, to remove from quoted answers.
    pub(super) secrets: Vec<SecretString>,
}

impl Call {
    pub(super) fn get(path: impl Into<String>, step: impl Into<String>) -> Self {
        Self::new(Method::GET, path, step)
    }

    pub(super) fn new(method: Method, path: impl Into<String>, step: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None, step: step.into(), slow: false, secrets: vec![] }
    }

    /// The method and the collection, such as `GET cluster`.
    fn label(&self) -> String {
        let collection = self.path.split(['/', '?']).next().unwrap_or_default();
        format!("{} {collection}", self.method)
    }
}

/// A successful login.
pub(super) struct Session {
    number: u64,
    cookie: SecretString,
    /// The answer to `hello`.
    pub(super) version: Option<String>,
    pub(super) release: Release,
}

pub(super) struct Sessions {
    http: Http,
    base: String,
    settings: Settings,
    meter: Arc<dyn Meter>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    logins: u64,
    /// How and when the last login failed.
    failed: Option<(Instant, Error)>,
}

impl Sessions {
    pub(super) fn new(http: Http, base: String, settings: Settings, meter: Arc<dyn Meter>) -> Self {
        Self { http, base, settings, meter, state: Mutex::default() }
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The session; logs in if there is none, or if it is the expired one in `found_dead`.
    pub(super) async fn session(&self, found_dead: Option<u64>) -> Result<Arc<Session>, Error> {
        let asked = Instant::now();
        // Held during the login: other callers wait for it.
        let mut state = self.state.lock().await;
        if let Some(session) = state.session.as_ref().filter(|s| Some(s.number) != found_dead) {
            return Ok(session.clone());
        }
        state.session = None;
        if let Some((when, error)) = &state.failed {
            let refused = matches!(error, Error::LoginRefused { .. });
            // It failed while this caller waited, or was refused not long ago.
            if *when >= asked || refused && when.elapsed() < REFUSED_FOR {
                return Err(error.clone());
            }
        }
        state.logins += 1;
        let login = self.settings.pace.login(
            self.measured("POST login", self.log_in(state.logins)),
            |e| matches!(e, Error::LoginRefused { .. }),
            |wait| Error::LoginHeld { user: self.settings.username.clone(), wait },
        );
        match login.await {
            Ok(session) => {
                let session = Arc::new(session);
                state.session = Some(session.clone());
                state.failed = None;
                Ok(session)
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Makes a call, with a second login if the session has expired. That repeat is safe for writes too: the
    /// service sends a 401 before it reads the request.
    pub(super) async fn call(&self, call: &Call) -> Result<Answer, Error> {
        let session = self.session(None).await?;
        self.measured(&call.label(), self.answered(call, session)).await
    }

    /// Every call passes here, and so does every login.
    async fn measured<T>(&self, method: &str, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let failed = |error: &Error| Some(Failed { kind: error.kind(), code: error.code() });
        measure(self.meter.as_ref(), (System::Bde, method, Whose::Service), failed, answer).await
    }

    async fn answered(&self, call: &Call, session: Arc<Session>) -> Result<Answer, Error> {
        let answer = self.send(call, &session).await?;
        let answer = if answer.status == StatusCode::UNAUTHORIZED {
            tracing::debug!(url = self.base, "the session has expired");
            let session = self.session(Some(session.number)).await?;
            self.send(call, &session).await?
        } else {
            answer
        };
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(Error::SessionRefused { step: call.step.clone() });
        }
        accept(answer, &call.step).map_err(|e| self.scrub(e, &call.secrets))
    }

    pub(super) async fn log_out(&self) -> Result<(), Error> {
        let Some(session) = self.state.lock().await.session.take() else {
            return Ok(());
        };
        self.end(&session.cookie).await
    }

    async fn log_in(&self, number: u64) -> Result<Session, Error> {
        let step = "log in";
        let Settings { username, password, .. } = &self.settings;
        let form = [("j_username", username.as_str()), ("j_password", password.expose_secret())];
        let answer = self
            .exchange(step, true, || {
                let url = format!("{}/serengeti/j_spring_security_check", self.base);
                self.http.request(Method::POST, &url).header(header::CONTENT_TYPE, FORM).form(&form)
            })
            .await?;
        let said = || self.without_secrets(answer.heading(), &[]);
        match answer.status {
            StatusCode::UNAUTHORIZED => return Err(Error::LoginRefused { user: username.clone(), said: said() }),
            // The service's own command line recognises this case by the same word.
            StatusCode::INTERNAL_SERVER_ERROR if said().contains("Connection") => {
                return Err(Error::VCenterUnreachable { said: said() });
            }
            _ => {}
        }
        let answer = accept(answer, step).map_err(|e| self.scrub(e, &[]))?;
        let Some(cookie) = answer.cookie else {
            return Err(Error::Answer {
                step: step.to_owned(),
                status: answer.status.as_u16(),
                said: "it sets no JSESSIONID cookie".to_owned(),
            });
        };
        let mut session = Session { number, cookie: SecretString::from(cookie), version: None, release: Release::V2_1 };
        match self.hello(&session).await {
            Ok(version) => {
                session.release = Release::from_hello(version.as_deref());
                session.version = version;
                tracing::debug!(url = self.base, release = %session.release, "logged in");
                Ok(session)
            }
            Err(error) => {
                // This session is unused; do not leave it for half an hour.
                if let Err(error) = self.end(&session.cookie).await {
                    tracing::debug!(%error, "could not end the unused session");
                }
                Err(error)
            }
        }
    }

    /// The version that the server reports; none before 2.2.
    async fn hello(&self, session: &Session) -> Result<Option<String>, Error> {
        let call = Call::get("hello", "read the version");
        let answer = self.send(&call, session).await?;
        match answer.status {
            StatusCode::NOT_FOUND => return Ok(None),
            StatusCode::UNAUTHORIZED => return Err(Error::SessionRefused { step: call.step }),
            _ => {}
        }
        let answer = accept(answer, &call.step).map_err(|e| self.scrub(e, &[]))?;
        if answer.body.is_empty() {
            return Ok(None);
        }
        Ok(answer.json::<Hello>(&call.step)?.version)
    }

    async fn end(&self, cookie: &SecretString) -> Result<(), Error> {
        // The answer is a redirect, which is not followed: the session has ended.
        self.exchange("log out", true, || {
            let url = format!("{}{LOG_OUT}", self.base);
            self.http.request(Method::GET, &url).header(header::COOKIE, cookie.expose_secret())
        })
        .await?;
        Ok(())
    }

    async fn send(&self, call: &Call, session: &Session) -> Result<Answer, Error> {
        let url = format!("{}/serengeti/api/{}", self.base, call.path);
        self.exchange(&call.step, call.method == Method::GET, || {
            let mut request = self
                .http
                .request(call.method.clone(), &url)
                .header(header::COOKIE, session.cookie.expose_secret())
                .header(header::ACCEPT, "application/json, text/html")
                .header(header::CONTENT_TYPE, "application/json");
            if call.slow {
                request = request.timeout(self.settings.timeouts.check);
            }
            match &call.body {
                Some(body) => request.body(body.to_string()),
                // A PUT without a body still needs its length.
                None if call.method != Method::GET => request.body(""),
                None => request,
            }
        })
        .await
    }

    /// Sends a request and reads the answer. Repeats requests that were never sent; reads are also repeated
    /// after a broken connection.
    async fn exchange(
        &self,
        step: &str,
        repeatable: bool,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<Answer, Error> {
        let backoff = Backoff { first: Duration::from_millis(200), max: Duration::from_secs(2), attempts: 3 };
        let transient = |e: &TransportError| match e {
            TransportError::Connect { .. } => true,
            TransportError::Broken { .. } => repeatable,
            _ => false,
        };
        let request = &request;
        retry(&backoff, transient, || async move { read(&self.http, self.http.send(request()).await?).await })
            .await
            .map_err(|e| Error::transport(step, e))
    }

    /// An error whose text quotes the appliance, without the secrets that were sent to it.
    fn scrub(&self, error: Error, secrets: &[SecretString]) -> Error {
        match error {
            Error::Refused { step, mut body } => {
                body.message = self.without_secrets(std::mem::take(&mut body.message), secrets);
                Error::Refused { step, body }
            }
            Error::Page { step, status, heading } => {
                Error::Page { step, status, heading: self.without_secrets(heading, secrets) }
            }
            Error::Answer { step, status, said } => {
                Error::Answer { step, status, said: self.without_secrets(said, secrets) }
            }
            other => other,
        }
    }

    fn without_secrets(&self, text: String, secrets: &[SecretString]) -> String {
        [&self.settings.password]
            .into_iter()
            .chain(secrets)
            .map(ExposeSecret::expose_secret)
            .filter(|s| !s.is_empty())
            .fold(text, |text, secret| text.replace(secret, "***"))
    }
}
