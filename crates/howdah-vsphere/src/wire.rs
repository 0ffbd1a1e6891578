//! One SOAP call over HTTP: send, read, distinguish answers, faults and other content. It is stateless and
//! repeats nothing; [`crate::session`] handles sessions. Request bodies are never logged.

use std::time::{Duration, Instant};

use howdah_core::request::{RequestId, current};
use howdah_transport::{Http, TransportError};
use http::header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};

use crate::error::Error;
use crate::fault::Fault;
use crate::xml::Element;

const COOKIE_NAME: &str = "vmware_soap_session";

/// The newest supported API; older ones back to [`OLDEST`] work as well.
const NEWEST: (u32, u32) = (9, 0);
const OLDEST: &str = "5.5";

/// A vCenter endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    http: Http,
    base: String,
}

/// An answer, and the session cookie that came with it.
pub(crate) struct Answer {
    pub(crate) body: Element,
    pub(crate) cookie: Option<SecretString>,
}

/// The size limit of the list of API versions: real ones have a few KiB.
const VERSIONS_LIMIT: usize = 1024 * 1024;

impl Wire {
    /// `url` is the server's root or its `/sdk`.
    pub(crate) fn new(http: Http, url: &str) -> Self {
        let base = url.trim_end_matches('/');
        let base = base.strip_suffix("/sdk").unwrap_or(base);
        Self { http, base: base.trim_end_matches('/').to_owned() }
    }

    /// The API version to use: the server's own if supported, else its newest supported one. A server
    /// without a list gets the oldest.
    pub(crate) async fn version(&self, deadline: Duration) -> Result<String, Error> {
        let url = format!("{}/sdk/vimServiceVersions.xml", self.base);
        let request = self.http.request(Method::GET, &url).timeout(deadline);
        let failed = |source| Error::Send { method: "the query for its API versions".to_owned(), source };
        let answer = self.http.send(request).await.map_err(failed)?;
        let good = answer.status().is_success();
        let body = self.http.body_within(answer, VERSIONS_LIMIT).await.map_err(failed)?;
        let version = if good { Element::parse(&body).ok().and_then(|d| choose(&d)) } else { None };
        Ok(version.unwrap_or_else(|| OLDEST.to_owned()))
    }

    /// Calls a method; the answer's body is the element inside SOAP's.
    pub(crate) async fn post(
        &self,
        version: &str,
        cookie: Option<&SecretString>,
        request: &Element,
        deadline: Duration,
    ) -> Result<Answer, Error> {
        let method = request.name.clone();
        let started = Instant::now();
        let url = format!("{}/sdk", self.base);
        let mut post = self
            .http
            .request(Method::POST, &url)
            .timeout(deadline)
            .header(CONTENT_TYPE, "text/xml; charset=utf-8")
            .header("SOAPAction", format!("urn:vim25/{version}"))
            .body(request.envelope(current().as_ref().map(RequestId::as_str)));
        if let Some(mut value) = cookie.and_then(|c| HeaderValue::from_str(c.expose_secret()).ok()) {
            value.set_sensitive(true);
            post = post.header(COOKIE, value);
        }
        let failed = |source: TransportError| Error::Send { method: method.clone(), source };
        let answer = self.http.send(post).await.map_err(failed)?;
        let status = answer.status();
        let html = is_html(answer.headers());
        let cookie = session_cookie(answer.headers());
        let bytes = self.http.body(answer).await.map_err(failed)?;
        tracing::trace!(%method, status = status.as_u16(), bytes = bytes.len(), took = ?started.elapsed(), "SOAP call");

        // A web page may be well-formed XML, so check for it first.
        let begins =
            |tag: &[u8]| bytes.trim_ascii_start().get(..tag.len()).is_some_and(|b| b.eq_ignore_ascii_case(tag));
        if html || begins(b"<!doctype html") || begins(b"<html") {
            return Err(Error::Html { url, method, status: status.as_u16() });
        }
        let envelope = match Element::parse(&bytes) {
            Ok(envelope) => envelope,
            Err(_) if !status.is_success() => {
                return Err(Error::Status { url, method, status: status.as_u16() });
            }
            Err(source) => {
                return Err(Error::Answer { method, bytes: bytes.len(), source });
            }
        };
        let body = envelope.children.into_iter().find(|c| c.name == "Body");
        let Some(body) = body.and_then(|b| b.children.into_iter().next()) else {
            return Err(Error::Incomplete { method, missing: "SOAP body" });
        };
        if body.name == "Fault" {
            return Err(Error::Refused { method, fault: Box::new(Fault::of_soap(&body)) });
        }
        if !status.is_success() {
            return Err(Error::Status { url, method, status: status.as_u16() });
        }
        Ok(Answer { body, cookie })
    }
}

fn is_html(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).is_some_and(|v| v.starts_with("text/html"))
}

/// The session's cookie for requests, `name=value`, without the attributes.
fn session_cookie(headers: &HeaderMap) -> Option<SecretString> {
    headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok()?.split(';').next())
        .map(str::trim)
        .find(|pair| pair.split_once('=').is_some_and(|(name, value)| name.trim() == COOKIE_NAME && !value.is_empty()))
        .map(|pair| pair.to_owned().into())
}

/// The version to use, from the server's list.
fn choose(document: &Element) -> Option<String> {
    let vim = document.all("namespace").find(|n| n.text_of("name") == Some("urn:vim25"))?;
    let own = vim.text_of("version").map(str::trim);
    if let Some(own) = own.filter(|v| is_known(v)) {
        return Some(own.to_owned());
    }
    let prior = vim.child("priorVersions")?;
    let known = prior.all("version").map(|v| v.text.trim()).filter(|v| is_known(v));
    known.max_by_key(|v| numbers(v)).map(str::to_owned)
}

fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|n| n.parse().ok()).collect()
}

fn is_known(version: &str) -> bool {
    let Some(n) = numbers(version) else {
        return false;
    };
    let head = (n.first().copied().unwrap_or(0), n.get(1).copied().unwrap_or(0));
    head >= (5, 5) && head <= NEWEST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(own: &str, prior: &[&str]) -> Element {
        let prior = Element::new("priorVersions").with_all(prior.iter().map(|v| Element::leaf("version", v)));
        let other = Element::new("namespace").with_leaf("name", "urn:vim2").with_leaf("version", "2.0");
        let vim = Element::new("namespace").with_leaf("name", "urn:vim25").with_leaf("version", own).with(prior);
        Element::new("namespaces").with(other).with(vim)
    }

    #[test]
    fn the_newest_known_version_is_spoken() {
        assert_eq!(choose(&versions("6.7.3", &["6.5"])).as_deref(), Some("6.7.3"));
        assert_eq!(choose(&versions("8.0.2.0", &["7.0"])).as_deref(), Some("8.0.2.0"));
        assert_eq!(choose(&versions("10.1", &["6.5", "9.0.0.0", "8.0.3.0", "dev"])).as_deref(), Some("9.0.0.0"));
        assert_eq!(choose(&versions("4.1", &["4.0"])), None);
        assert_eq!(choose(&Element::new("namespaces")), None);
    }

    #[test]
    fn the_cookie_is_cut_out() {
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, HeaderValue::from_static("other=1; Path=/"));
        headers.append(SET_COOKIE, HeaderValue::from_static("vmware_soap_session=\"5a-b\"; Path=/; HttpOnly; Secure"));
        assert_eq!(session_cookie(&headers).unwrap().expose_secret(), "vmware_soap_session=\"5a-b\"");
        assert!(session_cookie(&HeaderMap::new()).is_none());
    }

    #[test]
    fn the_endpoint_may_be_given_in_any_form() {
        let http = Http::new(&howdah_transport::Trust::Insecure, howdah_transport::Deadlines::default()).unwrap();
        for url in ["https://vc.example", "https://vc.example/", "https://vc.example/sdk", "https://vc.example/sdk/"] {
            assert_eq!(Wire::new(http.clone(), url).base, "https://vc.example");
        }
    }
}
