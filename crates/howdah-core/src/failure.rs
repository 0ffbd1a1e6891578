//! Errors that cross a trait ([`RemoteError`]) and failures that are stored ([`Failure`]).
//!
//! A [`RemoteError`] has the system, the kind (it decides whether a retry can help), a stable code, a
//! message, and a hint if the user can act. A [`Failure`] is the same in a flat form that survives a
//! restart and a newer version; it also names the nodes that it concerns. Invariant: neither contains a
//! secret or a `Debug` dump, and their texts are [`printable`](crate::text::printable): every adapter's error
//! passes this module, which makes them so.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::NodeName;
use crate::text::into_printable;

/// A system that Howdah talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum System {
    /// The cluster manager: VMware Big Data Extensions.
    Bde,
    /// vCenter Server.
    #[serde(rename = "vcenter")]
    VCenter,
    /// OpenStack Networking.
    Neutron,
    /// OpenStack Identity.
    Keystone,
    /// Howdah's own database.
    Store,
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bde => "BDE",
            Self::VCenter => "vCenter",
            Self::Neutron => "Neutron",
            Self::Keystone => "Keystone",
            Self::Store => "the store",
        })
    }
}

/// The kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// No connection could be made, or it broke.
    Unreachable,
    /// A connection was made but no answer came within the deadline.
    NoAnswer,
    /// The certificate is not trusted.
    Certificate,
    /// The credentials were refused.
    Credentials,
    /// The credentials are valid but do not permit this.
    Forbidden,
    /// The named object does not exist.
    NotFound,
    /// The named object exists already, or conflicts with the request.
    Conflict,
    /// A quota or a pool is used up.
    Exhausted,
    /// The request is invalid.
    Invalid,
    /// The system does not accept requests now (maintenance, start-up).
    Unavailable,
    /// The answer is not the expected one.
    BadAnswer,
    /// An internal error of the remote system.
    Internal,
}

impl ErrorKind {
    /// Whether a retry of the same call may succeed without any change by a person.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable | Self::NoAnswer | Self::Unavailable | Self::BadAnswer | Self::Internal)
    }

    /// Whether the call may have taken effect although it failed.
    pub const fn is_ambiguous(self) -> bool {
        matches!(self, Self::Unreachable | Self::NoAnswer | Self::BadAnswer | Self::Internal)
    }
}

/// An error of a remote system.
#[derive(Debug, thiserror::Error)]
#[error("{system}: {message}")]
pub struct RemoteError {
    /// The system.
    pub system: System,
    /// The kind.
    pub kind: ErrorKind,
    /// A stable code, such as `bde_cluster_name_taken`.
    pub code: &'static str,
    /// One sentence for the user, without the system's name and the cause.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
    /// The cause, for the log and for the printed chain.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl RemoteError {
    /// An error without hint and cause.
    pub fn new(system: System, kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self { system, kind, code, message: into_printable(message), hint: None, source: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(into_printable(hint));
        self
    }

    /// The same without its cause; the message contains the cause's text.
    #[must_use]
    pub fn for_others(&self) -> Self {
        let full = chain(self);
        let message = full.strip_prefix(&format!("{}: ", self.system)).unwrap_or(&full).to_owned();
        Self { hint: self.hint.clone(), ..Self::new(self.system, self.kind, self.code, message) }
    }

    /// The same with its cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// A failure that is stored, shown and sent: code, message, hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable code, part of the API.
    pub code: String,
    /// What happened, with what was seen last.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The nodes that it is about, all of them: the sentence names a few. None if it is not about nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeName>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: into_printable(message), hint: None, nodes: vec![] }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(into_printable(hint));
        self
    }

    /// The same about these nodes.
    #[must_use]
    pub fn about<'a>(mut self, nodes: impl IntoIterator<Item = &'a NodeName>) -> Self {
        self.nodes = nodes.into_iter().cloned().collect();
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}. Hint: {hint}", self.message.trim_end_matches('.')),
            None => f.write_str(&self.message),
        }
    }
}

impl From<&RemoteError> for Failure {
    fn from(e: &RemoteError) -> Self {
        Self { code: e.code.to_owned(), message: chain(e), hint: e.hint.clone(), nodes: vec![] }
    }
}

/// The error and its causes on one printable line, each once: `a: b: c`.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = into_printable(error.to_string());
    let mut cause = error.source();
    while let Some(e) = cause {
        let said = into_printable(e.to_string());
        // Some libraries repeat their source in their own text.
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = e.source();
    }
    text
}

/// The same without a final full stop, for the end of a sentence that adds its own.
pub fn clause(error: &dyn std::error::Error) -> String {
    let mut text = chain(error);
    text.truncate(text.trim_end_matches('.').len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_says_each_cause_once() {
        let io = std::io::Error::other("connection refused");
        let e = RemoteError::new(System::Bde, ErrorKind::Unreachable, "bde_unreachable", "cannot be reached")
            .caused_by(io)
            .hint("Check bde.url.");
        assert_eq!(chain(&e), "BDE: cannot be reached: connection refused");
        assert_eq!(clause(&std::io::Error::other("It is closed.")), "It is closed");
        assert_eq!(Failure::from(&e).to_string(), "BDE: cannot be reached: connection refused. Hint: Check bde.url.");
    }

    #[test]
    fn what_others_say_is_shown_and_not_obeyed() {
        let odd = "\u{1b}]0;x\u{7}gone.\n2026-01-01 INFO all is well";
        let shown = "\\u{1b}]0;x\\u{7}gone.\\n2026-01-01 INFO all is well";
        let e = RemoteError::new(System::Bde, ErrorKind::Internal, "x", odd).hint(odd);
        assert_eq!((e.message.as_str(), e.hint.as_deref()), (shown, Some(shown)));
        let caused =
            RemoteError::new(System::Bde, ErrorKind::Internal, "x", "no").caused_by(std::io::Error::other(odd));
        assert_eq!(Failure::from(&caused).message, format!("BDE: no: {shown}"));
        assert_eq!(clause(&caused), format!("BDE: no: {shown}"));
        let failure = Failure::new("x", odd).hint(odd);
        assert_eq!((failure.message.as_str(), failure.hint.as_deref()), (shown, Some(shown)));
    }
}
