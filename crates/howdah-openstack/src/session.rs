//! The client: one HTTP connection pool, one token, one way to send a request.
//!
//! A request of the service carries the service's token, which is renewed before it expires, and once
//! after a server refuses it. Callers that need a token during a login wait for that login and share its
//! result, also a failure, so that wrong credentials are not tried a hundred times.
//! A request for a requester carries their token and never falls back to the service's.
//!
//! Keystone's clock dates a token's expiry. The token's lifetime is the difference of two such dates, and
//! the monotonic clock measures its use.
//!
//! Only idempotent requests are repeated, and only after a broken connection or a gateway's "not now". This
//! covers servers that silently close idle connections; for other requests the caller gets an ambiguous
//! error and looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use howdah_core::failure::{ErrorKind, System};
use howdah_core::request::{HEADER, current};
use howdah_core::time::Clock;
use howdah_core::time::Mono;
use howdah_transport::meter::{Failed, Meter, Whose, measure, unmetered};
use howdah_transport::{ANSWER_LIMIT, Backoff, Http, Trust, retry};
use http::{HeaderMap, HeaderValue, Method};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use crate::answer::Answer;
use crate::endpoint::below;
use crate::keystone::{Service, TokenBody, TokenInfo, login};
use crate::seen::Seen;
use crate::settings::Settings;
use crate::{Credentials, Error, endpoint};

/// Retries of an idempotent request within one call; the controller retries later.
const REPEATS: Backoff = Backoff { first: Duration::from_millis(200), max: Duration::from_secs(2), attempts: 3 };

/// How long before its expiry a token is renewed at the latest.
const MARGIN: Duration = Duration::from_secs(120);

/// A client of one OpenStack. Cheap to clone; all clones share token and connections.
#[derive(Clone)]
pub struct OpenStack {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seen: Seen,
    http: Http,
    meter: Arc<dyn Meter>,
    login: Mutex<Login>,
    /// The number of ended logins, successful or not.
    logins: AtomicU64,
}

#[derive(Default)]
struct Login {
    token: Option<Arc<Token>>,
    failed: Option<Error>,
}

/// The service's token with its catalogue.
pub(crate) struct Token {
    pub(crate) value: SecretString,
    renew_at: Option<Mono>,
    neutron: Result<Url, Error>,
    catalog: Vec<Service>,
    /// The project it is scoped to.
    pub(crate) project: Option<String>,
}

/// A request under construction.
pub(crate) struct Call {
    pub(crate) system: System,
    /// For messages: "could not ...".
    pub(crate) step: &'static str,
    pub(crate) method: Method,
    /// Path below the endpoint, parts unescaped.
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    /// Its own deadline.
    pub(crate) deadline: Option<Duration>,
    /// Whether it is idempotent.
    pub(crate) repeatable: bool,
    /// `X-Subject-Token`.
    pub(crate) subject: Option<SecretString>,
}

impl Call {
    pub(crate) fn new(system: System, step: &'static str, method: Method, path: &[&str]) -> Self {
        // A second POST could create a second object; all other methods are idempotent.
        let repeatable = method != Method::POST;
        let path = path.iter().map(|&p| p.to_owned()).collect();
        Self { system, step, method, path, query: vec![], body: None, deadline: None, repeatable, subject: None }
    }

    /// A request to Neutron.
    pub(crate) fn neutron(step: &'static str, method: Method, path: &[&str]) -> Self {
        let path: Vec<&str> = std::iter::once("v2.0").chain(path.iter().copied()).collect();
        Self::new(System::Neutron, step, method, &path)
    }

    /// The method and the collection, such as `POST ports`.
    fn label(&self) -> String {
        format!("{} {}", self.method, self.path.get(1).map_or("", String::as_str))
    }

    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    pub(crate) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

/// The token of a request.
#[derive(Clone, Copy)]
pub(crate) enum As<'a> {
    /// The service's, for its own work.
    Service,
    /// The service's, for a question that a requester's words are part of.
    ServiceFor,
    /// A requester's.
    Requester(&'a SecretString),
}

impl As<'_> {
    const fn whose(self) -> Whose {
        match self {
            Self::Service => Whose::Service,
            Self::ServiceFor | Self::Requester(_) => Whose::Requester,
        }
    }
}

impl OpenStack {
    /// Creates a client. Makes no call.
    ///
    /// # Errors
    /// If the trust cannot be set up, for example because the CA file is missing.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Self::metered(settings, clock, unmetered())
    }

    /// The same with a meter for its calls.
    ///
    /// # Errors
    /// As [`OpenStack::new`].
    pub fn metered(settings: Settings, clock: Arc<dyn Clock>, meter: Arc<dyn Meter>) -> Result<Self, Error> {
        if settings.trust == Trust::Insecure {
            let server = settings.auth_url.as_str();
            tracing::warn!(server, "certificates are not verified: the password can be intercepted");
        }
        let http = Http::new(&settings.trust, settings.deadlines)
            .map_err(|e| Error::SetUp { system: System::Keystone, source: e.into() })?;
        Ok(Self {
            inner: Arc::new(Inner {
                settings,
                clock,
                seen: Seen::default(),
                http,
                meter,
                login: Mutex::default(),
                logins: AtomicU64::new(0),
            }),
        })
    }

    /// Logs in unless there is a token, and finds Neutron. For checks of a configuration; other calls do this
    /// automatically. Returns Neutron's address.
    ///
    /// # Errors
    /// If the login is refused or the catalogue has no Neutron.
    pub async fn check(&self) -> Result<Url, Error> {
        let token = self.token().await?;
        self.base(System::Neutron, &token)
    }

    /// This client's token, for a request to another service.
    ///
    /// # Errors
    /// If the login is refused.
    pub async fn bearer(&self) -> Result<SecretString, Error> {
        Ok(self.token().await?.value.clone())
    }

    /// The address of another service in the catalogue, by its type; `None` if it has none.
    ///
    /// # Errors
    /// If the login is refused, or a token must not go there.
    pub async fn endpoint_of(&self, kind: &str) -> Result<Option<String>, Error> {
        let token = self.token().await?;
        let settings = &self.inner.settings;
        let Some(found) = endpoint::of(&token.catalog, kind, settings.interface, settings.region.as_deref()) else {
            return Ok(None);
        };
        if let Ok(url) = Url::parse(found) {
            endpoint::guarded(kind, url, settings)?;
        }
        Ok(Some(found.to_owned()))
    }

    /// Sends a request and returns its successful answer.
    pub(crate) async fn call(&self, who: As<'_>, call: &Call) -> Result<Answer, Error> {
        self.measured(call, who.whose(), self.answered(who, call)).await
    }

    /// The answer; with a new token if the service's own turns out to be refused.
    async fn answered(&self, who: As<'_>, call: &Call) -> Result<Answer, Error> {
        let token = self.token().await?;
        let base = self.base(call.system, &token)?;
        match who {
            As::Requester(theirs) => self.repeat(call, &base, Some(theirs)).await.map_err(|e| {
                if e.is_unauthorized() {
                    self.inner.seen.forget(theirs);
                    return Error::RequesterToken;
                }
                e
            }),
            As::Service | As::ServiceFor => match self.repeat(call, &base, Some(&token.value)).await {
                Err(e) if e.is_unauthorized() => {
                    tracing::debug!(system = %call.system, step = call.step, "token refused; getting a new one");
                    self.discard(&token).await;
                    let token = self.token().await?;
                    self.repeat(call, &base, Some(&token.value)).await.map_err(|e| {
                        if e.is_unauthorized() { Error::OwnToken { system: call.system, step: call.step } } else { e }
                    })
                }
                other => other,
            },
        }
    }

    /// Every call passes here, and so does every login.
    async fn measured<T>(
        &self,
        call: &Call,
        whose: Whose,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let failed = |error: &Error| match error {
            // The answer to the question whether the token is good.
            Error::RequesterToken => None,
            _ => Some(Failed { kind: error.kind(), code: error.code() }),
        };
        measure(self.inner.meter.as_ref(), (call.system, &call.label(), whose), failed, answer).await
    }

    /// The service's token, valid for some more time.
    pub(crate) async fn token(&self) -> Result<Arc<Token>, Error> {
        let before = self.inner.logins.load(Ordering::Acquire);
        let mut login = self.inner.login.lock().await;
        let now = self.inner.clock.mono();
        if let Some(token) = login.token.as_ref().filter(|t| t.renew_at.is_none_or(|at| now < at)) {
            return Ok(token.clone());
        }
        // Another caller's login failed while we waited for the lock: share the failure.
        if self.inner.logins.load(Ordering::Acquire) != before
            && let Some(error) = &login.failed
        {
            return Err(error.clone());
        }
        let result = self.log_in().await;
        match &result {
            Ok(token) => *login = Login { token: Some(token.clone()), failed: None },
            Err(error) => *login = Login { token: None, failed: Some(error.clone()) },
        }
        self.inner.logins.fetch_add(1, Ordering::Release);
        result
    }

    async fn discard(&self, refused: &Arc<Token>) {
        let mut login = self.inner.login.lock().await;
        // Only if there is no newer one meanwhile.
        if login.token.as_ref().is_some_and(|t| Arc::ptr_eq(t, refused)) {
            login.token = None;
        }
    }

    async fn log_in(&self) -> Result<Arc<Token>, Error> {
        let step = "log in";
        let refused = |e: Error| if e.is_unauthorized() { Error::Credentials { step } } else { e };
        let asked = self.inner.clock.mono();
        let settings = &self.inner.settings;
        let path = ["v3", "auth", "tokens"];
        let (headers, answer) = match (login(&settings.credentials), &settings.credentials) {
            (None, Credentials::Token { token, .. }) => {
                let mut call = Call::new(System::Keystone, step, Method::GET, &path);
                call.subject = Some(token.clone());
                let answer = self.repeat_whole(&call, &settings.auth_url, Some(token));
                self.measured(&call, Whose::Service, async { answer.await.map_err(refused) }).await
            }
            (body, _) => {
                let mut call = Call::new(System::Keystone, step, Method::POST, &path);
                call.body = body;
                // An extra token does no harm.
                call.repeatable = true;
                let answer = self.repeat_whole(&call, &settings.auth_url, None);
                self.measured(&call, Whose::Service, async { answer.await.map_err(refused) }).await
            }
        }?;

        let value = match (&settings.credentials, headers.get("x-subject-token").and_then(|v| v.to_str().ok())) {
            (_, Some(value)) => value.into(),
            (Credentials::Token { token, project: None }, None) => token.clone(),
            (_, None) => return Err(answer.bad("it has no X-Subject-Token".to_owned())),
        };
        let info = answer.json::<TokenBody>()?.token;
        let neutron = match &settings.neutron_url {
            Some(url) => Ok(url.clone()),
            None => endpoint::neutron(&info.catalog, settings.interface, settings.region.as_deref())
                .and_then(|url| endpoint::guarded(endpoint::NETWORK, url, settings)),
        };
        let renew_at = self.renew_at(asked, &info);
        tracing::debug!(user = %info.user.name, expires = ?info.expires_at, ?renew_at, "authenticated with Keystone");
        let project = info.project.map(|p| p.id);
        Ok(Arc::new(Token { value, renew_at, neutron, catalog: info.catalog, project }))
    }

    /// A tenth of its lifetime before the token expires, at most two minutes. After a suspend of the host it
    /// may have expired earlier: a server then refuses it, and it is renewed.
    fn renew_at(&self, asked: Mono, info: &TokenInfo) -> Option<Mono> {
        // A ready token cannot be renewed.
        login(&self.inner.settings.credentials)?;
        let expires = info.expires_at?;
        let issued = info.issued_at.unwrap_or_else(|| self.inner.clock.now());
        let life = Duration::try_from(expires.duration_since(issued)).unwrap_or_default();
        let margin = (life / 10).min(MARGIN);
        Some(asked.plus(life - margin))
    }

    pub(crate) fn base(&self, system: System, token: &Token) -> Result<Url, Error> {
        match system {
            System::Neutron => token.neutron.clone(),
            _ => Ok(self.inner.settings.auth_url.clone()),
        }
    }

    /// Sends with a token; retries if that is safe and may help.
    pub(crate) async fn repeat(&self, call: &Call, base: &Url, token: Option<&SecretString>) -> Result<Answer, Error> {
        self.repeat_whole(call, base, token).await.map(|(_, answer)| answer)
    }

    async fn repeat_whole(
        &self,
        call: &Call,
        base: &Url,
        token: Option<&SecretString>,
    ) -> Result<(HeaderMap, Answer), Error> {
        let may_help = |e: &Error| match e {
            Error::Transport { source, .. } => {
                e.kind() == ErrorKind::Unreachable && (call.repeatable || source.was_not_sent())
            }
            _ => call.repeatable && matches!(e.kind(), ErrorKind::Unavailable | ErrorKind::Unreachable),
        };
        retry(&REPEATS, may_help, || self.send(call, base, token)).await
    }

    async fn send(&self, call: &Call, base: &Url, token: Option<&SecretString>) -> Result<(HeaderMap, Answer), Error> {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let mut url = below(base, &path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let http = &self.inner.http;
        let mut request = http.request(call.method.clone(), url.as_str()).header("accept", "application/json");
        for (name, token) in [("x-auth-token", token), ("x-subject-token", call.subject.as_ref())] {
            if let Some(token) = token {
                request = request.header(name, header(token)?);
            }
        }
        if let Some(id) = current() {
            request = request.header(HEADER, id.as_str());
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        if let Some(deadline) = call.deadline {
            request = request.timeout(deadline);
        }
        let failed = |e: howdah_transport::TransportError| Error::Transport {
            system: call.system,
            step: call.step,
            source: e.into(),
        };
        let response = http.send(request).await.map_err(failed)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = http.body_within(response, answer_limit(call.system)).await.map_err(failed)?;
        let answer = Answer { system: call.system, step: call.step, status, body }.checked().inspect_err(|error| {
            // The ID for the server's own log.
            let request_id = headers.get(HEADER).and_then(|v| v.to_str().ok());
            tracing::debug!(%error, request_id, "refused");
        })?;
        Ok((headers, answer))
    }
}

/// A token with the catalogue of a large cloud has about 100 KiB; lists of ports have megabytes.
const fn answer_limit(system: System) -> usize {
    match system {
        System::Keystone => 4 * 1024 * 1024,
        _ => ANSWER_LIMIT,
    }
}

/// A token as a header, hidden in debug output. A text that is not a valid header is not a token.
fn header(token: &SecretString) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(token.expose_secret()).map_err(|_| Error::RequesterToken)?;
    value.set_sensitive(true);
    Ok(value)
}
