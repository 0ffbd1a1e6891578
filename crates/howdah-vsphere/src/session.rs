//! A vCenter session: it logs in on first use, and exactly one of its users logs in again after it
//! has expired.
//!
//! Invariants: at most one login is in progress; a call that the server refused because of an expired session
//! had no effect, so only that call is repeated, once. Objects of a session (views, collectors, filters)
//! end with it: their users call [`Session::call_in`] and start again.

use std::sync::Arc;
use std::time::Duration;

use howdah_core::failure::System;
use howdah_transport::LoginPace;
use howdah_transport::meter::{Failed, Meter, Whose, measure};
use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::client::Settings;
use crate::error::Error;
use crate::fault::{Fault, FaultKind};
use crate::request::{self, Ref};
use crate::wire::Wire;
use crate::xml::Element;

/// Idle sessions expire after half an hour, unless the server's administrator set a shorter time.
const KEEP_ALIVE: Duration = Duration::from_secs(300);

/// How long a refused login is not retried: a retry every second would lock the account within five.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// The server's singletons.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) root: Ref,
    pub(crate) collector: Ref,
    pub(crate) views: Ref,
    pub(crate) sessions: Ref,
    pub(crate) product: String,
}

/// One login.
#[derive(Debug)]
pub(crate) struct Live {
    version: String,
    cookie: Option<SecretString>,
    pub(crate) content: Content,
}

/// A session, alive or not at this moment.
#[derive(Debug)]
pub(crate) struct Session {
    wire: Wire,
    meter: Arc<dyn Meter>,
    user: String,
    password: SecretString,
    pace: Arc<LoginPace>,
    deadline: Duration,
    /// The purpose of the session, for the log.
    purpose: &'static str,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    live: Option<Arc<Live>>,
    used: Instant,
    refused: Option<(Instant, Box<Fault>)>,
}

impl Session {
    pub(crate) fn new(wire: Wire, meter: Arc<dyn Meter>, settings: &Settings, purpose: &'static str) -> Self {
        let (user, password) = (settings.username.clone(), settings.password.clone());
        let (pace, deadline) = (Arc::clone(&settings.pace), settings.timeouts.call);
        let state = Mutex::new(State { live: None, used: Instant::now(), refused: None });
        Self { wire, meter, user, password, pace, deadline, purpose, state }
    }

    /// The current login; logs in if there is none.
    pub(crate) async fn live(&self) -> Result<Arc<Live>, Error> {
        let mut state = self.state.lock().await;
        state.used = Instant::now();
        if let Some(live) = &state.live {
            return Ok(live.clone());
        }
        if let Some((when, fault)) = &state.refused
            && when.elapsed() < REFUSED_FOR
        {
            return Err(Error::Refused { method: "Login".to_owned(), fault: fault.clone() });
        }
        let login = self.pace.login(
            self.measured("Login", self.log_in()),
            |e| e.fault_kind() == Some(FaultKind::InvalidLogin),
            |wait| Error::LoginHeld { user: self.user.clone(), wait },
        );
        let live = login.await.inspect_err(|e| {
            let refused = e.fault().filter(|f| f.kind == FaultKind::InvalidLogin);
            state.refused = refused.map(|f| (Instant::now(), Box::new(f.clone())));
        })?;
        state.refused = None;
        let live = Arc::new(live);
        state.live = Some(live.clone());
        Ok(live)
    }

    /// Drops an expired login, unless another user of the session has already replaced it.
    pub(crate) async fn bury(&self, dead: &Arc<Live>) {
        let mut state = self.state.lock().await;
        if state.live.as_ref().is_some_and(|l| Arc::ptr_eq(l, dead)) {
            tracing::info!(purpose = self.purpose, "the vCenter session has ended");
            state.live = None;
        }
    }

    /// Calls a method on an object that outlives sessions.
    pub(crate) async fn call(&self, build: impl Fn(&Content) -> Element) -> Result<Element, Error> {
        let live = self.live().await?;
        match self.call_in(&live, &build(&live.content)).await {
            Err(e) if e.fault_kind() == Some(FaultKind::NotAuthenticated) => {
                self.bury(&live).await;
                let live = self.live().await?;
                self.call_in(&live, &build(&live.content)).await
            }
            other => other,
        }
    }

    /// Calls a method within this login and no other.
    pub(crate) async fn call_in(&self, live: &Live, request: &Element) -> Result<Element, Error> {
        self.call_for(live, request, self.deadline).await
    }

    /// The same with a deadline of its own.
    pub(crate) async fn call_for(&self, live: &Live, request: &Element, deadline: Duration) -> Result<Element, Error> {
        let answer = self.wire.post(&live.version, live.cookie.as_ref(), request, deadline);
        Ok(self.measured(&request.name, answer).await?.body)
    }

    /// Every call passes here, and so does every login.
    async fn measured<T>(&self, method: &str, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let failed = |error: &Error| {
            // A session that has ended is renewed, and says nothing about the server.
            let ended = error.fault_kind() == Some(FaultKind::NotAuthenticated);
            (!ended).then(|| Failed { kind: error.kind(), code: error.code() })
        };
        measure(self.meter.as_ref(), (System::VCenter, method, Whose::Service), failed, answer).await
    }

    /// Ends the login, if there is one. A failure does not matter: the session expires.
    pub(crate) async fn log_out(&self) {
        let live = self.state.lock().await.live.take();
        if let Some(live) = live
            && let Err(error) = self.call_in(&live, &request::logout(&live.content.sessions)).await
        {
            tracing::debug!(purpose = self.purpose, %error, "could not end the vCenter session");
        }
    }

    /// Keeps an existing login from expiring; ends with the session.
    pub(crate) fn keep_alive(self: &Arc<Self>) -> tokio::task::JoinHandle<()> {
        let session = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(KEEP_ALIVE).await;
                let Some(session) = session.upgrade() else {
                    return;
                };
                session.keep_alive_once().await;
            }
        })
    }

    async fn keep_alive_once(&self) {
        let live = {
            let state = self.state.lock().await;
            match &state.live {
                Some(live) if state.used.elapsed() + Duration::from_secs(1) >= KEEP_ALIVE => live.clone(),
                _ => return,
            }
        };
        match self.call_in(&live, &request::current_time()).await {
            Ok(_) => {}
            Err(e) if e.fault_kind() == Some(FaultKind::NotAuthenticated) => self.bury(&live).await,
            Err(error) => tracing::debug!(purpose = self.purpose, %error, "keep-alive failed"),
        }
    }

    async fn log_in(&self) -> Result<Live, Error> {
        let version = self.wire.version(self.deadline).await?;
        let hello = self.wire.post(&version, None, &request::service_content(), self.deadline).await?;
        let content = read_content(&hello.body)?;
        let login = request::login(&content.sessions, &self.user, &self.password);
        let answer = self.wire.post(&version, hello.cookie.as_ref(), &login, self.deadline).await?;
        tracing::info!(purpose = self.purpose, product = %content.product, api = %version, "logged in to vCenter");
        Ok(Live { version, cookie: answer.cookie.or(hello.cookie), content })
    }
}

fn read_content(body: &Element) -> Result<Content, Error> {
    let lacks = |missing| Error::Incomplete { method: "RetrieveServiceContent".to_owned(), missing };
    let content = body.child("returnval").ok_or_else(|| lacks("returnval"))?;
    let reference = |name: &'static str| content.child(name).and_then(Ref::read).ok_or_else(|| lacks(name));
    Ok(Content {
        root: reference("rootFolder")?,
        collector: reference("propertyCollector")?,
        // A stand-alone ESXi host has one too; a server without one is unusable.
        views: reference("viewManager")?,
        sessions: reference("sessionManager")?,
        product: content.at(&["about", "fullName"]).map(|e| e.text.clone()).unwrap_or_default(),
    })
}
