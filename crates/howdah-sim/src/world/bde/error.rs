//! The cluster manager's refusals: each with its code, its arguments, and the status that the
//! newest version answers with. Older versions' deviations are the business of the HTTP face.

use howdah_core::failure::{ErrorKind, RemoteError, System};

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
    fn from(e: BdeError) -> Self {
        let (kind, code) = match (&e, e.code()) {
            (BdeError::NotFound { .. }, _) => (ErrorKind::NotFound, "bde_not_found"),
            (BdeError::AlreadyExists { what: "Cluster", .. }, _) => (ErrorKind::Conflict, "bde_cluster_name_taken"),
            (BdeError::AlreadyExists { .. }, _) => (ErrorKind::Conflict, "bde_already_exists"),
            (BdeError::Maintenance, _) => (ErrorKind::Unavailable, "bde_maintenance"),
            (BdeError::Internal(_), _) => (ErrorKind::Internal, "bde_internal"),
            (_, "VC_PROVIDER.NETWORK_NOT_FOUND") => (ErrorKind::NotFound, "bde_port_group_unknown"),
            (_, "NETWORK.NETWORK_IN_USE") => (ErrorKind::Conflict, "bde_network_in_use"),
            (
                _,
                "CLUSTER.CANNOT_DELETE"
                | "CLUSTER.CANNOT_START"
                | "CLUSTER.CANNOT_STOP"
                | "CLUSTER.CANNOT_UPDATE"
                | "CLUSTER.IS_RUNNING"
                | "CLUSTER.IS_STOPPED",
            ) => (ErrorKind::Conflict, "bde_cluster_state"),
            _ => (ErrorKind::Invalid, "bde_refused"),
        };
        Self::new(System::Bde, kind, code, e.to_string())
    }
}
