//! Keystone's tables as plain data, tokens and application credentials among them.

mod tokens;

use std::collections::BTreeMap;

use howdah_core::failure::{ErrorKind, RemoteError, System};
use jiff::Timestamp;

/// A domain, project or user is named within a domain; this is the only one.
pub const DOMAIN_ID: &str = "default";
/// Its name.
pub const DOMAIN_NAME: &str = "Default";

/// A project.
#[derive(Debug, Clone)]
pub struct Project {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// `enabled`.
    pub enabled: bool,
}

/// A user.
#[derive(Debug, Clone)]
pub struct User {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Password. Simulated, so not a secret.
    pub password: String,
    /// `enabled`.
    pub enabled: bool,
}

/// An application credential.
#[derive(Debug, Clone)]
pub struct AppCredential {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Secret.
    pub secret: String,
    /// User id.
    pub user: String,
    /// Project id.
    pub project: String,
    /// Role names.
    pub roles: Vec<String>,
}

/// A token.
#[derive(Debug, Clone)]
pub struct Token {
    /// What goes into `X-Auth-Token`.
    pub id: String,
    /// User id.
    pub user: String,
    /// Project id; none if unscoped.
    pub project: Option<String>,
    /// Role names.
    pub roles: Vec<String>,
    /// `password`, `token`, `application_credential`.
    pub methods: Vec<&'static str>,
    /// Audit id.
    pub audit_id: String,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

/// An endpoint in the catalogue.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// `network`, `identity`, ...
    pub service: String,
    /// `neutron`, `keystone`, ...
    pub name: String,
    /// Region.
    pub region: String,
    /// URL, for all three interfaces.
    pub url: String,
}

/// Keystone.
#[derive(Debug, Default)]
pub struct Keystone {
    /// Projects by id.
    pub projects: BTreeMap<String, Project>,
    /// Users by id.
    pub users: BTreeMap<String, User>,
    /// Roles by user id and project id.
    pub assignments: BTreeMap<(String, String), Vec<String>>,
    /// Application credentials by id.
    pub app_credentials: BTreeMap<String, AppCredential>,
    /// Tokens by id.
    pub tokens: BTreeMap<String, Token>,
    /// Catalogue; the site fills in its URLs.
    pub catalog: Vec<Endpoint>,
    /// Counts tokens.
    pub next: u64,
}

impl Keystone {
    /// A project by id or name.
    pub fn project(&self, id_or_name: &str) -> Option<&Project> {
        self.projects.get(id_or_name).or_else(|| self.projects.values().find(|p| p.name == id_or_name))
    }

    /// A user by id or name.
    pub fn user(&self, id_or_name: &str) -> Option<&User> {
        self.users.get(id_or_name).or_else(|| self.users.values().find(|u| u.name == id_or_name))
    }

    /// A token that has not ended.
    pub fn valid(&self, token: &str, now: Timestamp) -> Option<&Token> {
        self.tokens.get(token).filter(|t| t.expires > now)
    }
}

/// How a token is asked for.
#[derive(Debug, Clone)]
pub enum Method {
    /// User (id or name) and password.
    Password {
        /// User.
        user: String,
        /// Password.
        password: String,
    },
    /// Another token.
    Token(String),
    /// Application credential: id, or name with the user, and secret.
    AppCredential {
        /// Id, or name.
        credential: String,
        /// User, where the credential is named.
        user: Option<String>,
        /// Secret.
        secret: String,
    },
}

/// An error of Keystone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct KeystoneError {
    /// HTTP status.
    pub status: u16,
    /// `Unauthorized`, `Not Found`, ...
    pub title: &'static str,
    /// What it says.
    pub message: String,
}

impl KeystoneError {
    /// 401.
    pub fn unauthorized() -> Self {
        Self {
            status: 401,
            title: "Unauthorized",
            message: "The request you have made requires authentication.".to_owned(),
        }
    }

    /// 403.
    pub fn forbidden(message: &str) -> Self {
        Self { status: 403, title: "Forbidden", message: message.to_owned() }
    }

    /// 404.
    pub fn not_found(what: &str, id: &str) -> Self {
        Self { status: 404, title: "Not Found", message: format!("Could not find {what}: {id}.") }
    }
}

impl From<KeystoneError> for RemoteError {
    fn from(e: KeystoneError) -> Self {
        let (kind, code) = match e.status {
            401 => (ErrorKind::Credentials, "keystone_credentials_refused"),
            403 => (ErrorKind::Forbidden, "keystone_forbidden"),
            404 => (ErrorKind::NotFound, "keystone_not_found"),
            _ => (ErrorKind::Internal, "keystone_internal_error"),
        };
        Self::new(System::Keystone, kind, code, e.message)
    }
}
