//! The configuration: one TOML file; the environment can override every key.
//!
//! * `source`, `section`: the file and the environment, key by key, with the origin of each value;
//! * `problem`: problems with their lines, and the [`Report`] for `howdah config check`;
//! * `schema`: the keys, and the rules between them;
//! * `site`, `rules`: those of one site;
//! * `legacy`: the files of 2015-style templates.
//!
//! The variable of a key is its path in capitals: `server.listen` is `HOWDAH_SERVER_LISTEN`,
//! `bde.url` of the site `main` is `HOWDAH_SITE_MAIN_BDE_URL`. Invariant: a secret's value is
//! never in a problem, nor in a report. Nothing here makes a remote call.

mod legacy;
mod problem;
mod rules;
mod schema;
mod section;
mod site;
mod source;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use howdah_core::ids::SiteName;
use howdah_core::policy::Networks;
use howdah_serengeti::Rules;
use howdah_transport::Trust;
use secrecy::SecretString;

pub use legacy::{LegacyError, Templates};
pub use problem::{ConfigError, Entry, Origin, Problem, Report, Severity};

use crate::api::AuthMode;
use crate::limits::Limits;
use source::Source;

/// Environment variables by name.
pub type Env = BTreeMap<String, String>;

/// The variables of this process. A variable that is not UTF-8 cannot be ours.
pub fn process_env() -> Env {
    std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect()
}

/// The configuration of the service.
#[derive(Debug, Clone)]
pub struct Config {
    /// The listeners and the authentication.
    pub server: Server,
    /// The database.
    pub store: howdah_store::Options,
    /// Permissions for templates.
    pub templates: Templates,
    /// The limits of a project.
    pub limits: Limits,
    /// The sites.
    pub sites: Vec<Site>,
}

/// The listeners and the authentication.
#[derive(Debug, Clone)]
pub struct Server {
    /// TCP.
    pub listen: Option<SocketAddr>,
    /// UNIX socket.
    pub unix: Option<PathBuf>,
    /// How requesters authenticate.
    pub auth: AuthMode,
    /// TLS on TCP.
    pub tls: Option<TlsFiles>,
}

/// Certificate chain and key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, own certificate first.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// One site.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its name.
    pub name: SiteName,
    /// Whether requests without a site use it.
    pub default: bool,
    /// The networks of its OpenStack.
    pub networks: Networks,
    /// The rules for requests.
    pub rules: Rules,
    /// BDE.
    pub bde: Endpoint,
    /// vCenter.
    pub vcenter: Endpoint,
    /// The prefix of the name of the folder with BDE's clusters.
    pub folder_prefix: String,
    /// If set, only port groups of this distributed switch count.
    pub switch: Option<String>,
    /// Keystone and Neutron.
    pub openstack: howdah_openstack::Settings,
}

/// A remote system with a user and a password.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its address.
    pub url: String,
    /// The host in it.
    pub host: String,
    /// User.
    pub username: String,
    /// Password.
    pub password: SecretString,
    /// The trusted certificates.
    pub trust: Trust,
}

impl Config {
    /// Reads the file and the environment. Problems that do not prevent the start are logged as warnings, such
    /// as an `insecure` endpoint.
    ///
    /// # Errors
    /// All errors, each with its position.
    pub fn load(path: &Path, env: &Env) -> Result<Self, ConfigError> {
        let (config, report) = read(path, env);
        for problem in report.warnings() {
            tracing::warn!(hint = problem.hint.as_deref(), "{}: warning: {}", problem.origin, problem.message);
        }
        config.ok_or_else(|| ConfigError { problems: report.errors().cloned().collect() })
    }

    /// The same with the origin of every value and all problems.
    pub fn check(path: &Path, env: &Env) -> Report {
        read(path, env).1
    }
}

fn read(path: &Path, env: &Env) -> (Option<Config>, Report) {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) => return (None, Report::unreadable(path, &e)),
    };
    let mut source = Source::new(path, &text, env);
    let config = schema::read(&mut source);
    let report = source.into_report();
    (config.filter(|_| report.is_good()), report)
}
