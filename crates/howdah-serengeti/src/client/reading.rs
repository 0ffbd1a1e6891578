//! Classifies an answer: JSON, an error body, a page of Tomcat, a maintenance message.
//!
//! Invariant: every unexpected answer becomes an error that describes it; a status alone decides nothing.

use bytes::Bytes;
use howdah_core::ids::TaskId;
use howdah_transport::{Http, TransportError};
use http::{StatusCode, header};
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::wire::{ErrorBody, code};

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) location: Option<String>,
    /// The first `JSESSIONID=...` that it sets.
    pub(super) cookie: Option<String>,
    html: bool,
    pub(super) body: Bytes,
}

pub(super) async fn read(http: &Http, response: reqwest::Response) -> Result<Answer, TransportError> {
    let text = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let cookie = response
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok()?.split(';').next())
        .find(|c| c.starts_with("JSESSIONID="))
        .map(str::to_owned);
    let html = text(header::CONTENT_TYPE).is_some_and(|t| t.starts_with("text/html"));
    let (status, location) = (response.status(), text(header::LOCATION));
    let body = http.body(response).await?;
    let html = html || looks_like_html(&body);
    Ok(Answer { status, location, cookie, html, body })
}

/// Accepts a successful answer; converts any other to its error.
pub(super) fn accept(answer: Answer, step: &str) -> Result<Answer, Error> {
    let (status, step) = (answer.status, step.to_owned());
    if !answer.html {
        if status.is_success() {
            return Ok(answer);
        }
        if let Ok(body) = serde_json::from_slice::<ErrorBody>(&answer.body) {
            return Err(match body.code.as_str() {
                code::MAINTENANCE => Error::Maintenance { step, said: body.message },
                _ => Error::Refused { step, body: Box::new(body) },
            });
        }
    }
    if status.is_redirection() {
        return Err(Error::Redirected { step, to: answer.location.unwrap_or_else(|| "nowhere".to_owned()) });
    }
    if answer.html {
        return Err(Error::Page { step, status: status.as_u16(), heading: answer.heading() });
    }
    let said = answer.excerpt();
    Err(match status {
        // A filter in front of the service sends it in plain text.
        StatusCode::METHOD_NOT_ALLOWED => Error::Maintenance { step, said },
        _ => Error::Answer { step, status: status.as_u16(), said },
    })
}

impl Answer {
    /// The body as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, step: &str) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let said = if self.body.is_empty() { "it is empty".to_owned() } else { error.to_string() };
            Error::Answer { step: step.to_owned(), status: self.status.as_u16(), said }
        })
    }

    /// The number at the end of `Location`. The rest is ignored: it contains the host name of the
    /// request.
    pub(super) fn task(&self, step: &str) -> Result<TaskId, Error> {
        let last = self.location.as_deref().and_then(|l| l.rsplit('/').next()).unwrap_or_default();
        if last.is_empty() || !last.bytes().all(|b| b.is_ascii_digit()) {
            let said = match &self.location {
                Some(location) => format!("its Location {location:?} does not end in a task number"),
                None => "it has no Location header, so the task is unknown".to_owned(),
            };
            return Err(Error::Answer { step: step.to_owned(), status: self.status.as_u16(), said });
        }
        Ok(TaskId::new(last))
    }

    /// The page's heading, or its title.
    pub(super) fn heading(&self) -> String {
        let page = String::from_utf8_lossy(&self.body);
        let text = ["h1", "title", "body"].iter().find_map(|tag| element(&page, tag)).unwrap_or_default();
        if text.is_empty() { "an empty page".to_owned() } else { shortened(&text) }
    }

    fn excerpt(&self) -> String {
        let text = shortened(&String::from_utf8_lossy(&self.body));
        if text.is_empty() { "it is empty".to_owned() } else { text }
    }
}

fn looks_like_html(body: &[u8]) -> bool {
    body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<')
}

/// The text inside the first such element, without tags and entities.
fn element(page: &str, tag: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let start = lower.find(&format!("<{tag}"))?;
    let open = start + page.get(start..)?.find('>')? + 1;
    let end = lower.get(open..)?.find(&format!("</{tag}")).map_or(page.len(), |n| open + n);
    let mut text = String::new();
    let mut inside = false;
    for c in page.get(open..end)?.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            _ if !inside => text.push(c),
            _ => {}
        }
    }
    for (entity, is) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")]
    {
        text = text.replace(entity, is);
    }
    Some(text).filter(|t| !t.trim().is_empty())
}

/// On one line, and shortened for display.
fn shortened(text: &str) -> String {
    const LIMIT: usize = 200;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            location: None,
            cookie: None,
            html: looks_like_html(body.as_bytes()),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn answers_become_errors_that_say_what_they_were() {
        let errors: Vec<_> = [
            answer(404, r#"{"code":"BDD.NOT_FOUND","message":"Cluster demo not found."}"#),
            answer(500, "<html><head><title>Error</title></head><body><h1>HTTP Status 500 - A &amp; B</h1></body>"),
            answer(200, "<!DOCTYPE html><HTML><title>Sign in</title></HTML>"),
            answer(502, "<html></html>"),
            answer(405, "The service is being maintained."),
            answer(302, ""),
            answer(503, ""),
            answer(400, &"x".repeat(300)),
        ]
        .into_iter()
        .map(|a| accept(a, "read cluster \"demo\"").err().map(|e| e.to_string()))
        .collect();
        insta::assert_debug_snapshot!(errors, @r#"
        [
            Some(
                "could not read cluster \"demo\": Cluster demo not found. (BDD.NOT_FOUND)",
            ),
            Some(
                "could not read cluster \"demo\": the answer is an HTML page (status 500): HTTP Status 500 - A & B",
            ),
            Some(
                "could not read cluster \"demo\": the answer is an HTML page (status 200): Sign in",
            ),
            Some(
                "could not read cluster \"demo\": the answer is an HTML page (status 502): an empty page",
            ),
            Some(
                "could not read cluster \"demo\": the appliance is in maintenance mode: The service is being maintained.",
            ),
            Some(
                "could not read cluster \"demo\": the answer redirects to nowhere",
            ),
            Some(
                "could not read cluster \"demo\": unexpected answer with status 503: it is empty",
            ),
            Some(
                "could not read cluster \"demo\": unexpected answer with status 400: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...",
            ),
        ]
        "#);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_stumble(status in 100u16..1000, body in "(<h1>|</h1>|<|>|&amp;|[\\PC]){0,40}") {
            let _ = accept(answer(status, &body), "x").map(|a| (a.json::<Value>("x").is_ok(), a.heading()));
        }
    }

    #[test]
    fn only_the_end_of_a_location_counts() {
        let with = |location: Option<&str>| {
            let mut answer = answer(202, "");
            answer.location = location.map(str::to_owned);
            answer.task("create cluster \"x\"").map_err(|e| e.to_string())
        };
        assert_eq!(with(Some("https://elsewhere/serengeti/api/task/17")), Ok(TaskId::new("17")));
        insta::assert_debug_snapshot!([with(None), with(Some("/task/x")), with(Some(""))], @r#"
        [
            Err(
                "could not create cluster \"x\": unexpected answer with status 202: it has no Location header, so the task is unknown",
            ),
            Err(
                "could not create cluster \"x\": unexpected answer with status 202: its Location \"/task/x\" does not end in a task number",
            ),
            Err(
                "could not create cluster \"x\": unexpected answer with status 202: its Location \"\" does not end in a task number",
            ),
        ]
        "#);
    }
}
