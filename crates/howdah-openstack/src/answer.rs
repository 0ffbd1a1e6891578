//! Parses answers: the expected JSON, the error bodies of Neutron and Keystone, and pages of a proxy or
//! dashboard. It decides nothing.

use bytes::Bytes;
use howdah_core::failure::System;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, Refusal};

/// How much of an unexpected answer is shown.
const SHOWN: usize = 120;

/// An answer with its body read to the end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) system: System,
    pub(crate) step: &'static str,
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

#[derive(Deserialize)]
struct NeutronError {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct PlainError {
    #[serde(default)]
    title: String,
    #[serde(default)]
    message: String,
}

impl Answer {
    /// The body as the expected type.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|e| self.bad(e.to_string()))
    }

    /// Checks that the body is empty; a page there means that another server has answered.
    pub(crate) fn nothing(&self) -> Result<(), Error> {
        if self.body.trim_ascii().is_empty() { Ok(()) } else { Err(self.bad("it should be empty".to_owned())) }
    }

    /// The answer if its status is a success, else its error.
    pub(crate) fn checked(self) -> Result<Self, Error> {
        if (200..300).contains(&self.status) { Ok(self) } else { Err(self.error()) }
    }

    pub(crate) fn bad(&self, reason: String) -> Error {
        let (reason, shown) = match page_title(&self.body) {
            Some(title) => ("an HTML page".to_owned(), title),
            None if self.body.is_empty() => ("it is empty".to_owned(), "nothing".to_owned()),
            None => (reason, beginning(&self.body)),
        };
        Error::BadAnswer { system: self.system, step: self.step, status: self.status, reason, shown }
    }

    fn error(&self) -> Error {
        let refused = |kind: &str, message: String| Error::Refused {
            system: self.system,
            step: self.step,
            status: self.status,
            refusal: Refusal::named(kind),
            message: sentence(&message),
        };
        let Ok(Value::Object(mut body)) = serde_json::from_slice(&self.body) else {
            return self.bad("not a JSON object".to_owned());
        };
        // Neutron's errors; some of the oldest are plain strings.
        if let Some(inner) = body.remove("NeutronError") {
            if let Value::String(message) = inner {
                return refused(reason(self.status), message);
            }
            if let Ok(e) = serde_json::from_value::<NeutronError>(inner) {
                return refused(&e.kind, e.message);
            }
        }
        // Errors of Keystone, and of the token check in front of Neutron.
        if let Some(Ok(e)) = body.remove("error").map(serde_json::from_value::<PlainError>) {
            let kind = if e.title.is_empty() { reason(self.status) } else { &e.title };
            return refused(kind, e.message);
        }
        // The middleware in front of Neutron when Keystone is not available.
        if let Some(Value::String(message)) = body.remove("message") {
            return refused(reason(self.status), message);
        }
        self.bad("a JSON object that is not an error".to_owned())
    }
}

fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("error")
}

/// One line without its final full stop, because more text follows.
fn sentence(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.trim_end_matches('.');
    if line.is_empty() { "it gives no reason".to_owned() } else { line.to_owned() }
}

fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    if line.chars().count() > SHOWN { format!("{cut}…") } else { cut }
}

fn page_title(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let begin = text.trim_start().get(..14)?.to_ascii_lowercase();
    if !begin.starts_with("<!doctype html") && !begin.starts_with("<html") {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title>").map(|at| at + 7).and_then(|from| {
        let to = from + lower.get(from..)?.find("</title>")?;
        text.get(from..to)
    });
    Some(beginning(title.unwrap_or(&text).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &'static str) -> String {
        let answer =
            Answer { system: System::Neutron, step: "create ports", status, body: Bytes::from_static(body.as_bytes()) };
        let e = answer.checked().unwrap_err();
        format!("{} {:?}: {e}", e.code(), e.kind())
    }

    #[test]
    fn every_shape_of_error_is_told_in_words() {
        let said = [
            said(
                409,
                r#"{"NeutronError": {"type": "MacAddressInUse", "message": "The mac address x is in use.", "detail": ""}}"#,
            ),
            said(400, r#"{"NeutronError": "Unrecognized attribute(s) 'vnic_index'"}"#),
            said(
                401,
                r#"{"error": {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}}"#,
            ),
            said(503, r#"{"message": "The server is currently unavailable.", "code": "503 Service Unavailable"}"#),
            said(500, ""),
            said(400, r#"{"fault": 1}"#),
            said(404, "<!DOCTYPE html><html><head><title>Login - Dashboard</title>"),
            said(502, "<html>\n<head><title>502 Bad Gateway</title></head>"),
            said(
                500,
                "Traceback: words \u{7} and words and words and words and words and words and words and words and words and words and words and words",
            ),
            said(418, "[1]"),
        ];
        insta::assert_snapshot!(said.join("\n"), @r#"
        neutron_mac_in_use Conflict: could not create ports: The mac address x is in use (MacAddressInUse, HTTP 409)
        neutron_request_refused Invalid: could not create ports: Unrecognized attribute(s) 'vnic_index' (Bad Request, HTTP 400)
        neutron_token_refused Credentials: could not create ports: The request you have made requires authentication (Unauthorized, HTTP 401)
        neutron_unavailable Unavailable: could not create ports: The server is currently unavailable (Service Unavailable, HTTP 503)
        neutron_internal_error Internal: could not create ports: unexpected answer (it is empty, HTTP 500): nothing
        neutron_bad_answer BadAnswer: could not create ports: unexpected answer (a JSON object that is not an error, HTTP 400): {"fault": 1}
        neutron_bad_answer BadAnswer: could not create ports: unexpected answer (an HTML page, HTTP 404): Login - Dashboard
        neutron_unreachable Unreachable: could not create ports: unexpected answer (an HTML page, HTTP 502): 502 Bad Gateway
        neutron_internal_error Internal: could not create ports: unexpected answer (not a JSON object, HTTP 500): Traceback: words  and words and words and words and words and words and words and words and words and words and words an…
        neutron_bad_answer BadAnswer: could not create ports: unexpected answer (not a JSON object, HTTP 418): [1]
        "#);
    }
}
