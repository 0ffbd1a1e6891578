//! How a run ends: exit codes, and failures as the user reads them.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | success |
//! | 1 | the request was refused, or the operation failed |
//! | 2 | the command line, a file or the configuration is invalid |
//! | 3 | the service cannot be reached |
//! | 4 | the service still reports that it is not ready after the retries |
//! | 5 | another service has taken the database over |
//! | 130 | interrupted with Ctrl-C |

use std::path::PathBuf;
use std::process::ExitCode;

use howdah_core::failure::{ErrorKind, RemoteError, chain};
use howdah_core::text::printable;
use howdah_transport::TransportError;

use crate::template::TemplateError;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failed {
    /// An argument is invalid in a way that the parser cannot detect.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The template was refused.
    #[error("{path}")]
    Template {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: TemplateError,
    },
    /// The configuration was refused; its text is a full report.
    #[error("{0}")]
    Config(String),
    /// The service cannot be reached.
    #[error("cannot use the Howdah service")]
    Service(#[source] TransportError),
    /// The answer does not come from a Howdah service.
    #[error("{server} answered {status}, but the answer is not from a Howdah service")]
    NotHowdah {
        /// Which server.
        server: String,
        /// HTTP status.
        status: u16,
    },
    /// The service refused.
    #[error("{message}")]
    Refused {
        /// Stable code.
        code: String,
        /// Its sentence.
        message: String,
        /// Its hint.
        hint: Option<String>,
    },
    /// The service reports that it is not ready.
    #[error("the service is not available (503): {message}")]
    Unavailable {
        /// Its sentence.
        message: String,
        /// Its hint.
        hint: Option<String>,
    },
    /// A remote system refused before the request to the service.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The operation failed.
    #[error("{what} failed: {message}")]
    Operation {
        /// The operation and the cluster.
        what: String,
        /// Why it failed.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The service itself could not run.
    #[error("{what}")]
    Run {
        /// What failed.
        what: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another service has taken the database over.
    #[error("this service has ended")]
    TakenOver(#[source] howdah_server::ServerError),
    /// Standard output failed.
    #[error("cannot write to standard output")]
    Stdout(#[source] std::io::Error),
    /// The reader closed standard output.
    #[error("standard output was closed")]
    ClosedPipe,
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl Failed {
    /// An invalid argument.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    /// The exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::ClosedPipe => 0,
            Self::Usage { .. } | Self::Read { .. } | Self::Write { .. } | Self::Template { .. } | Self::Config(_) => 2,
            Self::Service(_) | Self::NotHowdah { .. } => 3,
            Self::Unavailable { .. } => 4,
            Self::TakenOver(_) => 5,
            Self::Remote(e) if e.kind == ErrorKind::Unreachable => 3,
            Self::Interrupted => 130,
            _ => 1,
        })
    }

    /// What to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage { hint, .. }
            | Self::Refused { hint, .. }
            | Self::Unavailable { hint, .. }
            | Self::Operation { hint, .. } => hint.clone(),
            Self::Template { source, .. } => source.hint().map(str::to_owned),
            Self::Service(source) => source.hint(),
            Self::NotHowdah { .. } => Some("Check the service's address: --endpoint or HOWDAH_ENDPOINT.".to_owned()),
            Self::Remote(e) => e.hint.clone(),
            Self::TakenOver(e) => e.hint(),
            _ => None,
        }
    }

    /// The message, its causes and its hint, as they are printed.
    pub fn report(&self) -> String {
        let hint = self.hint().map(|h| format!("\nhint: {}", printable(&h))).unwrap_or_default();
        let said = match self {
            // A line for each problem.
            Self::Config(said) => said.clone(),
            _ => chain(self),
        };
        format!("error: {said}{hint}")
    }
}
