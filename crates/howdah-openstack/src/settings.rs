//! Where OpenStack is and as whom to log in. [`Keys`] is what a person wrote, from whichever
//! source; [`Settings`] is what it comes to after all rules were applied. Nothing here asks a server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use howdah_transport::{Deadlines, Trust};
use secrecy::SecretString;
use url::Url;

use crate::Error;

/// The domain of users and projects that are given by name without one.
const DEFAULT_DOMAIN: &str = "default";

/// Which of a service's endpoints to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Interface {
    /// For everybody.
    #[default]
    Public,
    /// For services among each other.
    Internal,
    /// For administration.
    Admin,
}

impl Interface {
    /// The catalogue's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Interface {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        // Older files say `publicURL`.
        match s.strip_suffix("URL").unwrap_or(s) {
            "public" => Ok(Self::Public),
            "internal" => Ok(Self::Internal),
            "admin" => Ok(Self::Admin),
            _ => {
                Err(Error::BadSetting { key: "interface", reason: format!("{s:?} is none of public, internal, admin") })
            }
        }
    }
}

/// A user or project: by id, or by name in a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By id; needs no domain.
    Id(String),
    /// By name.
    Name {
        /// The name.
        name: String,
        /// Its domain.
        domain: Domain,
    },
}

/// A domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Domain {
    /// By id.
    Id(String),
    /// By name.
    Name(String),
}

/// As whom to log in.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// User and password, for a project.
    Password {
        /// The user.
        user: Named,
        /// The password.
        password: SecretString,
        /// The project.
        project: Named,
    },
    /// An application credential; it brings its project with it.
    ApplicationCredential {
        /// The credential: by id, or by its name and its user.
        credential: ApplicationCredential,
        /// Its secret.
        secret: SecretString,
    },
    /// A ready token. It cannot be renewed after its end.
    Token {
        /// The token.
        token: SecretString,
        /// The project to use it for; its own if absent.
        project: Option<Named>,
    },
}

/// How an application credential is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplicationCredential {
    /// By id.
    Id(String),
    /// By name, which is unique for its user only.
    Name {
        /// The name.
        name: String,
        /// Its user.
        user: Named,
    },
}

/// Everything that the client needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Keystone, without a version: `http://host:5000`.
    pub auth_url: Url,
    /// As whom to log in.
    pub credentials: Credentials,
    /// Which region's Neutron.
    pub region: Option<String>,
    /// Which of its endpoints.
    pub interface: Interface,
    /// Neutron, without a version, if the catalogue shall not be asked.
    pub neutron_url: Option<Url>,
    /// Whom to trust.
    pub trust: Trust,
    /// How long to wait.
    pub deadlines: Deadlines,
    /// How long a requester's token is believed to be good without asking again.
    pub token_cache: Duration,
}

/// What a person wrote, key by key, under the names that `clouds.yaml` and the `OS_` variables use.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "the names are those of every OpenStack client")]
pub struct Keys {
    pub auth_url: Option<String>,
    pub username: Option<String>,
    pub user_id: Option<String>,
    pub password: Option<SecretString>,
    pub user_domain_id: Option<String>,
    pub user_domain_name: Option<String>,
    pub project_id: Option<String>,
    pub project_name: Option<String>,
    pub project_domain_id: Option<String>,
    pub project_domain_name: Option<String>,
    pub application_credential_id: Option<String>,
    pub application_credential_name: Option<String>,
    pub application_credential_secret: Option<SecretString>,
    pub token: Option<SecretString>,
    pub region: Option<String>,
    pub interface: Option<String>,
    pub neutron_url: Option<String>,
    pub cacert: Option<PathBuf>,
    /// `false` switches verification off; anything explicit in [`Keys::settings`]' `trust` wins.
    pub verify: Option<bool>,
}

impl Keys {
    /// Reads one cloud of a `clouds.yaml`, and of a `secure.yaml` beside it. Without a name the
    /// file must have exactly one.
    ///
    /// # Errors
    /// If a file cannot be read or understood, or the cloud is not in it.
    pub fn from_clouds_file(path: &Path, cloud: Option<&str>) -> Result<Self, Error> {
        crate::clouds::read(path, cloud)
    }

    /// Reads a `vio.config` file of 2015 (`KEY=value` lines with `OS_` names), or any file of
    /// `export OS_...=...` lines.
    ///
    /// # Errors
    /// If it cannot be read or understood.
    pub fn from_vio_config(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::ReadFile { path: path.to_owned(), source: source.into() })?;
        Self::from_vio_text(&text, path)
    }

    /// The same from a text; `path` is for messages.
    ///
    /// # Errors
    /// If it cannot be understood.
    pub fn from_vio_text(text: &str, path: &Path) -> Result<Self, Error> {
        crate::vio::parse(text, path)
    }

    /// These keys, and `other`'s where these have none.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            auth_url: self.auth_url.or(other.auth_url),
            username: self.username.or(other.username),
            user_id: self.user_id.or(other.user_id),
            password: self.password.or(other.password),
            user_domain_id: self.user_domain_id.or(other.user_domain_id),
            user_domain_name: self.user_domain_name.or(other.user_domain_name),
            project_id: self.project_id.or(other.project_id),
            project_name: self.project_name.or(other.project_name),
            project_domain_id: self.project_domain_id.or(other.project_domain_id),
            project_domain_name: self.project_domain_name.or(other.project_domain_name),
            application_credential_id: self.application_credential_id.or(other.application_credential_id),
            application_credential_name: self.application_credential_name.or(other.application_credential_name),
            application_credential_secret: self.application_credential_secret.or(other.application_credential_secret),
            token: self.token.or(other.token),
            region: self.region.or(other.region),
            interface: self.interface.or(other.interface),
            neutron_url: self.neutron_url.or(other.neutron_url),
            cacert: self.cacert.or(other.cacert),
            verify: self.verify.or(other.verify),
        }
    }

    /// What it comes to. `trust` is the operator's explicit choice; without one, `cacert` and
    /// `verify` decide.
    ///
    /// # Errors
    /// If something is missing, or is no URL.
    pub fn settings(self, trust: Option<Trust>) -> Result<Settings, Error> {
        let auth_url = self.auth_url.as_deref().ok_or_else(|| Error::MissingSetting {
            key: "auth_url",
            hint: "Set it to Keystone's address, such as https://keystone.example:5000/v3.".to_owned(),
        })?;
        let trust = trust.unwrap_or_else(|| match (self.verify, &self.cacert) {
            (Some(false), _) => Trust::Insecure,
            (_, Some(path)) => Trust::CaFile(path.clone()),
            (_, None) => Trust::System,
        });
        Ok(Settings {
            auth_url: base_url("auth_url", auth_url)?,
            region: self.region.clone(),
            interface: self.interface.as_deref().map(str::parse).transpose()?.unwrap_or_default(),
            neutron_url: self.neutron_url.as_deref().map(|u| base_url("neutron_url", u)).transpose()?,
            trust,
            deadlines: Deadlines::default(),
            token_cache: Duration::from_secs(60),
            credentials: self.credentials()?,
        })
    }

    /// Application credential before password before token: a token in the files of 2015 is
    /// often none (the shipped one repeats the tenant id there).
    fn credentials(self) -> Result<Credentials, Error> {
        let user = named(self.user_id, self.username, self.user_domain_id, self.user_domain_name);
        let project = named(self.project_id, self.project_name, self.project_domain_id, self.project_domain_name);
        if let Some(secret) = self.application_credential_secret {
            let credential = match (self.application_credential_id, self.application_credential_name, user) {
                (Some(id), _, _) => ApplicationCredential::Id(id),
                (None, Some(name), Some(user)) => ApplicationCredential::Name { name, user },
                (None, Some(_), None) => {
                    return Err(missing("username", "An application credential's name is unique for its user only."));
                }
                (None, None, _) => {
                    return Err(missing("application_credential_id", "There is a secret, but not whose."));
                }
            };
            return Ok(Credentials::ApplicationCredential { credential, secret });
        }
        if let Some(password) = self.password {
            let user = user.ok_or_else(|| missing("username", "There is a password, but not whose."))?;
            let project = project.ok_or_else(|| {
                missing("project_name", "Without a project, Keystone gives a token that is good for nothing.")
            })?;
            return Ok(Credentials::Password { user, password, project });
        }
        if let Some(token) = self.token {
            return Ok(Credentials::Token { token, project });
        }
        Err(missing(
            "password",
            "Set username, password and project_name, or application_credential_id and \
             application_credential_secret, or token.",
        ))
    }
}

fn missing(key: &'static str, hint: &str) -> Error {
    Error::MissingSetting { key, hint: hint.to_owned() }
}

fn named(
    id: Option<String>,
    name: Option<String>,
    domain_id: Option<String>,
    domain_name: Option<String>,
) -> Option<Named> {
    if let Some(id) = id {
        return Some(Named::Id(id));
    }
    let domain = match (domain_id, domain_name) {
        (Some(id), _) => Domain::Id(id),
        (None, Some(name)) => Domain::Name(name),
        (None, None) => Domain::Id(DEFAULT_DOMAIN.to_owned()),
    };
    name.map(|name| Named::Name { name, domain })
}

/// A service's address without slash and version at its end: `/v3` and `/v2.0` are ours to add.
pub(crate) fn base_url(key: &'static str, text: &str) -> Result<Url, Error> {
    let bad = |reason: String| Error::BadSetting { key, reason };
    let mut url = Url::parse(text.trim()).map_err(|e| bad(format!("{text:?} is no URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(bad(format!("{text:?} does not begin with http:// or https://")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("a URL with a user in it is refused".to_owned()));
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/');
    let path = ["/v3", "/v2.0", "/v2"].iter().find_map(|v| path.strip_suffix(v)).unwrap_or(path).to_owned();
    url.set_path(path.trim_end_matches('/'));
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_slashes_are_taken_off() {
        for (given, kept) in [
            ("http://h:5000/v2.0", "http://h:5000/"),
            ("http://h:5000/v3/", "http://h:5000/"),
            ("http://h/identity", "http://h/identity"),
            ("https://h:9696/", "https://h:9696/"),
            (" http://h/identity/v3 ", "http://h/identity"),
        ] {
            assert_eq!(base_url("auth_url", given).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let said: Vec<String> = ["keystone", "ftp://h/", "http://u:secret@h/"]
            .iter()
            .map(|u| base_url("auth_url", u).unwrap_err().to_string())
            .collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        the OpenStack setting `auth_url` is not usable: "keystone" is no URL: relative URL without a base
        the OpenStack setting `auth_url` is not usable: "ftp://h/" does not begin with http:// or https://
        the OpenStack setting `auth_url` is not usable: a URL with a user in it is refused
        "#);
    }

    #[test]
    fn what_is_missing_is_named() {
        let keys = |k: Keys| k.settings(None).unwrap_err();
        let with_url = || Keys { auth_url: Some("http://h".into()), ..Keys::default() };
        let said: Vec<String> = [
            keys(Keys::default()),
            keys(with_url()),
            keys(Keys { password: Some("p".into()), ..with_url() }),
            keys(Keys { password: Some("p".into()), username: Some("u".into()), ..with_url() }),
            keys(Keys { application_credential_secret: Some("s".into()), ..with_url() }),
            keys(Keys { interface: Some("outer".into()), token: Some("t".into()), ..with_url() }),
        ]
        .iter()
        .map(|e| format!("{e} / {}", e.hint().unwrap_or_default()))
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        the OpenStack setting `auth_url` is missing / Set it to Keystone's address, such as https://keystone.example:5000/v3.
        the OpenStack setting `password` is missing / Set username, password and project_name, or application_credential_id and application_credential_secret, or token.
        the OpenStack setting `username` is missing / There is a password, but not whose.
        the OpenStack setting `project_name` is missing / Without a project, Keystone gives a token that is good for nothing.
        the OpenStack setting `application_credential_id` is missing / There is a secret, but not whose.
        the OpenStack setting `interface` is not usable: "outer" is none of public, internal, admin /
        "#);
    }

    #[test]
    fn an_explicit_trust_wins_over_what_a_file_says() {
        let keys = |verify, cacert: Option<&str>| Keys {
            auth_url: Some("https://h".into()),
            token: Some("t".into()),
            verify,
            cacert: cacert.map(PathBuf::from),
            ..Keys::default()
        };
        let trust = |k: Keys, explicit| k.settings(explicit).unwrap().trust;
        assert_eq!(trust(keys(None, None), None), Trust::System);
        assert_eq!(trust(keys(Some(true), Some("/ca.pem")), None), Trust::CaFile("/ca.pem".into()));
        assert_eq!(trust(keys(Some(false), Some("/ca.pem")), None), Trust::Insecure);
        assert_eq!(trust(keys(Some(false), None), Some(Trust::System)), Trust::System);
    }

    #[test]
    fn what_was_said_first_counts() {
        let first = Keys { username: Some("a".into()), ..Keys::default() };
        let second = Keys { username: Some("b".into()), region: Some("r".into()), ..Keys::default() };
        let both = first.or(second);
        assert_eq!((both.username.as_deref(), both.region.as_deref()), (Some("a"), Some("r")));
    }

    #[test]
    fn an_id_needs_no_domain_and_a_name_gets_the_default_one() {
        assert_eq!(named(Some("i".into()), Some("n".into()), None, None), Some(Named::Id("i".into())));
        let default = Domain::Id("default".into());
        assert_eq!(named(None, Some("n".into()), None, None), Some(Named::Name { name: "n".into(), domain: default }));
    }
}
