//! The client of the native API. Every method sends one request, or one for each page of a list. It neither
//! waits nor prints; its callers do.

use std::path::PathBuf;
use std::time::Duration;

use howdah_api as api;
use howdah_transport::{Deadlines, Http, TransportError, Trust};
use http::Method;
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::exit::Failed;
use crate::sse::{EVENT_LIMIT, Frame, Frames, TooLarge};

/// How long a stream is read before it is opened again.
const STREAM: Duration = Duration::from_secs(3600);

/// A Howdah service.
#[derive(Clone)]
pub struct Service {
    http: Http,
    base: String,
    token: Option<SecretString>,
    /// The site whose OpenStack issued the token, if known.
    site: Option<String>,
    /// How long to retry while the service cannot be reached or is not ready.
    pub patience: Duration,
}

impl Service {
    /// A service at `endpoint`: `https://…`, `http://…` or `unix:/path`.
    pub fn new(
        endpoint: &str,
        ca_file: Option<PathBuf>,
        token: Option<SecretString>,
        patience: Duration,
    ) -> Result<Self, Failed> {
        let deadlines = Deadlines::default();
        let (http, base) = match endpoint.strip_prefix("unix:") {
            // The host name is never resolved; a URL just needs one.
            Some(path) => (Http::unix(std::path::Path::new(path), deadlines), "http://howdah".to_owned()),
            None => {
                let trust = ca_file.map_or(Trust::System, Trust::CaFile);
                (Http::new(&trust, deadlines), endpoint.trim_end_matches('/').to_owned())
            }
        };
        Ok(Self { http: http.map_err(Failed::Service)?, base, token, site: None, patience })
    }

    /// The same service, with a token from this site's OpenStack.
    pub fn at(mut self, site: Option<String>) -> Self {
        let named = |site: &String| !site.is_empty() && http::HeaderValue::from_str(site).is_ok();
        self.site = site.filter(named).or(self.site);
        self
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.http.request(method, &format!("{}/v1{path}", self.base));
        if let Some(site) = &self.site {
            request = request.header("X-Howdah-Site", site);
        }
        match &self.token {
            Some(token) => request.header("X-Auth-Token", token.expose_secret()),
            None => request,
        }
    }

    /// A request about a known cluster. It names the project, so that the service may answer that the cluster is
    /// gone.
    fn about(&self, method: Method, cluster: &api::Cluster, path: &str) -> RequestBuilder {
        self.at_place(method, &cluster.site, &cluster.project, cluster.id, path)
    }

    fn at_place(&self, method: Method, site: &str, project: &str, id: Uuid, path: &str) -> RequestBuilder {
        let known = self.clone().at(Some(site.to_owned()));
        known.request(method, &format!("/clusters/{id}{path}")).query(&[("project", project)])
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failed> {
        let response = self.http.send(request).await.map_err(Failed::Service)?;
        let response = refusal(response, &self.http).await?;
        let (server, status) = (response.url().origin().ascii_serialization(), response.status().as_u16());
        let body = self.http.body(response).await.map_err(Failed::Service)?;
        serde_json::from_slice(&body).map_err(|_| Failed::NotHowdah { server, status })
    }

    /// `PUT /v1/clusters/{id}`.
    pub async fn want(&self, id: Uuid, body: &Value) -> Result<api::Accepted, Failed> {
        self.answer(self.request(Method::PUT, &format!("/clusters/{id}")).json(body)).await
    }

    /// `PUT /v1/clusters/{id}/state`.
    pub async fn want_state(&self, cluster: &api::Cluster, state: api::State) -> Result<api::Accepted, Failed> {
        self.answer(self.about(Method::PUT, cluster, "/state").json(&api::StateBody { state })).await
    }

    /// `DELETE /v1/clusters/{id}`.
    pub async fn delete(&self, cluster: &api::Cluster) -> Result<api::Accepted, Failed> {
        self.answer(self.about(Method::DELETE, cluster, "")).await
    }

    /// `GET /v1/clusters`: the short form of all clusters, page after page.
    pub async fn list(&self) -> Result<api::Clusters, Failed> {
        let mut all: api::Clusters = self.answer(self.request(Method::GET, "/clusters")).await?;
        while let Some(marker) = all.next.take() {
            let request = self.request(Method::GET, "/clusters").query(&[("marker", marker)]);
            let page: api::Clusters = self.answer(request).await?;
            all.clusters.extend(page.clusters);
            all.unreadable.extend(page.unreadable);
            all.next = page.next;
        }
        Ok(all)
    }

    /// `GET /v1/clusters/{id}`.
    pub async fn show(&self, id: Uuid) -> Result<api::Cluster, Failed> {
        self.answer(self.request(Method::GET, &format!("/clusters/{id}"))).await
    }

    /// `GET /readyz`: an error if the service is not ready, and whether the reason is its database:
    /// then no operation can end.
    pub async fn ready(&self) -> Result<(), (Failed, bool)> {
        let request = self.http.request(Method::GET, &format!("{}/readyz", self.base));
        let response = self.http.send(request).await.map_err(|e| (Failed::Service(e), false))?;
        if response.status().is_success() {
            return Ok(());
        }
        let body = self.http.body(response).await.map_err(|e| (Failed::Service(e), false))?;
        let error = serde_json::from_slice::<api::ErrorBody>(&body).ok().map(|body| body.error);
        let store = error.as_ref().and_then(|e| e.details.get("store")).is_some_and(|store| store != "ok");
        let (message, hint) = match error {
            Some(e) => (e.message, e.hint),
            None => ("the service is not ready".to_owned(), None),
        };
        Err((Failed::Unavailable { message, hint }, store))
    }

    /// A cluster by its name or id.
    pub async fn find(&self, name: &str) -> Result<api::Cluster, Failed> {
        if let Ok(id) = name.parse() {
            return self.show(id).await;
        }
        let all = self.list().await?;
        if let Some(odd) = all.unreadable.iter().find(|c| c.name == name) {
            return Err(unreadable(odd));
        }
        let mut found: Vec<_> = all.clusters.into_iter().filter(|c| c.name == name).collect();
        match (found.pop(), found.len()) {
            (Some(one), 0) => self.answer(self.at_place(Method::GET, &one.site, &one.project, one.id, "")).await,
            (None, _) => Err(Failed::Refused {
                code: "cluster_not_found".to_owned(),
                message: format!("no cluster has the name or ID {name}"),
                hint: Some("List the clusters with: howdah cluster list".to_owned()),
            }),
            (Some(_), more) => Err(Failed::Refused {
                code: "cluster_ambiguous".to_owned(),
                message: format!("{} clusters in different sites have the name {name}", more + 1),
                hint: Some("Use the ID instead.".to_owned()),
            }),
        }
    }

    /// Streams the events of a cluster after event `last`. The capability of an operation still works
    /// when the token has expired.
    pub async fn follow(
        &self,
        cluster: &api::Cluster,
        capability: Option<&SecretString>,
        last: Option<u64>,
    ) -> Result<Follow, Failed> {
        let mut request =
            self.about(Method::GET, cluster, "/events").header("Accept", "text/event-stream").timeout(STREAM);
        if let Some(capability) = capability {
            request = request.header("X-Howdah-Capability", capability.expose_secret());
        }
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = self.http.send(request).await.map_err(Failed::Service)?;
        let response = refusal(response, &self.http).await?;
        Ok(Follow { http: self.http.clone(), response, frames: Frames::default() })
    }
}

/// A stream of a cluster's events.
pub struct Follow {
    http: Http,
    response: Response,
    frames: Frames,
}

impl Follow {
    /// The next frame; `None` when the stream ends for any reason: then the caller can open it
    /// again after the last event.
    ///
    /// # Errors
    /// If an event is too large: a retry would not help.
    pub async fn next(&mut self) -> Result<Option<Frame>, Failed> {
        loop {
            if let Some(frame) = self.frames.next() {
                return Ok(Some(frame));
            }
            let Ok(Some(piece)) = self.http.piece(&mut self.response).await else {
                return Ok(None);
            };
            self.frames.feed(&piece).map_err(|TooLarge| {
                let server = self.response.url().origin().ascii_serialization();
                let call = format!("one event of {}", self.response.url().path());
                Failed::Service(TransportError::TooLarge { server, call, limit: EVENT_LIMIT })
            })?;
        }
    }
}

/// The answer if it is a success, else the service's refusal.
async fn refusal(response: Response, http: &Http) -> Result<Response, Failed> {
    if response.status().is_success() {
        return Ok(response);
    }
    let (server, status) = (response.url().origin().ascii_serialization(), response.status().as_u16());
    let body = http.body(response).await.map_err(Failed::Service)?;
    match serde_json::from_slice::<api::ErrorBody>(&body) {
        Ok(api::ErrorBody { error }) if status == 503 => {
            Err(Failed::Unavailable { message: error.message, hint: error.hint })
        }
        Ok(body) => Err(refused(body)),
        Err(_) => Err(Failed::NotHowdah { server, status }),
    }
}

/// The service's refusal.
pub fn refused(api::ErrorBody { error }: api::ErrorBody) -> Failed {
    Failed::Refused { code: error.code, message: error.message, hint: error.hint }
}

/// The failure for a cluster that the service cannot read.
pub fn unreadable(cluster: &api::UnreadableCluster) -> Failed {
    Failed::Refused {
        code: "cluster_unreadable".to_owned(),
        message: format!("cluster {} ({}) cannot be read: {}", cluster.name, cluster.id, cluster.status_reason),
        hint: Some(
            "A newer howdah may have written it. Ask the operator to install that version again. Until then, the \
             service does not change the cluster."
                .to_owned(),
        ),
    }
}

/// Whether the failure concerns the connection or the service as a whole, so that a retry may help.
pub fn is_passing(failed: &Failed) -> bool {
    match failed {
        Failed::Unavailable { .. } => true,
        Failed::Service(e) => !matches!(e, TransportError::Certificate { .. } | TransportError::TooLarge { .. }),
        Failed::NotHowdah { status, .. } => matches!(status, 502..=504),
        _ => false,
    }
}
