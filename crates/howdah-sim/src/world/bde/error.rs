//! The cluster manager's refusals: each with its code, its arguments, and the status that the
//! newest version answers with. Older versions' deviations are the business of the HTTP face.

use howdah_core::failure::{RemoteError, System};
use howdah_serengeti::wire::ErrorBody;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BdeError {
    /// `BDD.NOT_FOUND`
    #[error("{what} {name} is not found.")]
    NotFound {
        /// `Cluster`, `Network`, `Distro`, ...
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// `BDD.ALREADY_EXISTS`
    #[error("{what} {name} already exists.")]
    AlreadyExists {
        /// `Cluster`, `Network`, ...
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// `BDD.INVALID_PARAMETER`
    #[error("Invalid value: {what}={value}.")]
    InvalidParameter {
        /// `cluster name`, `IP block`, ...
        what: &'static str,
        /// What was given.
        value: String,
    },
    /// `BDD.MISSING_PARAMETER`
    #[error("Missing parameter: {}.", .0.join(", "))]
    MissingParameter(Vec<&'static str>),
    /// `BDD.INTERNAL_ERROR`
    #[error("Internal error: {0}")]
    Internal(String),
    /// `BDD.ACCESS_NOT_ALLOWED_IN_MAINTENANCE_MODE`
    #[error("The server is in maintenance mode: only read requests are allowed.")]
    Maintenance,
    /// `BDD.PG_REFERENCED_MULTI_TIMES`
    #[error("Several of the networks are on one port group.")]
    PortGroupTwice,
    /// Any other of the catalogue that only needs its code and sentence.
    #[error("{message}")]
    Other {
        /// `CLUSTER.CANNOT_STOP`, ...
        code: &'static str,
        /// HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
}

impl BdeError {
    /// A refusal of the catalogue with status 400.
    pub fn refused(code: &'static str, message: impl Into<String>) -> Self {
        Self::Other { code, status: 400, message: message.into() }
    }

    /// The code, such as `BDD.NOT_FOUND`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "BDD.NOT_FOUND",
            Self::AlreadyExists { .. } => "BDD.ALREADY_EXISTS",
            Self::InvalidParameter { .. } => "BDD.INVALID_PARAMETER",
            Self::MissingParameter(_) => "BDD.MISSING_PARAMETER",
            Self::Internal(_) => "BDD.INTERNAL_ERROR",
            Self::Maintenance => "BDD.ACCESS_NOT_ALLOWED_IN_MAINTENANCE_MODE",
            Self::PortGroupTwice => "BDD.PG_REFERENCED_MULTI_TIMES",
            Self::Other { code, .. } => code,
        }
    }

    /// The HTTP status of the newest version.
    pub const fn status(&self) -> u16 {
        match self {
            Self::NotFound { .. } => 404,
            Self::AlreadyExists { .. }
            | Self::InvalidParameter { .. }
            | Self::MissingParameter(_)
            | Self::PortGroupTwice => 400,
            Self::Internal(_) => 500,
            Self::Maintenance => 503,
            Self::Other { status, .. } => *status,
        }
    }
}

impl From<BdeError> for RemoteError {
    /// What the production client makes of the same refusal, so that a run in process and one over the
    /// wire cannot differ in what an error means.
    fn from(e: BdeError) -> Self {
        let body = Box::new(ErrorBody::new(e.code(), e.to_string()));
        let meant = Self::from(howdah_serengeti::Error::Refused { step: String::new(), body });
        Self { hint: meant.hint, ..Self::new(System::Bde, meant.kind, meant.code, e.to_string()) }
    }
}
