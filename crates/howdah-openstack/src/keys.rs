//! The user's settings of an OpenStack: explicit keys, `clouds.yaml`, a `vio.config` of 2015; and
//! the rules that convert them to [`Settings`]. No I/O with a server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use howdah_transport::{Deadlines, Trust};
use secrecy::SecretString;

use crate::Error;
use crate::settings::{ApplicationCredential, Credentials, Domain, Named, Settings, base_url};

/// The default domain of users and projects.
const DEFAULT_DOMAIN: &str = "default";

/// The user's settings by key, with the names of `clouds.yaml` and the `OS_` variables.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "OpenStack clients use these names")]
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
    /// `false` disables verification; an explicit `trust` of [`Keys::settings`] has priority.
    pub verify: Option<bool>,
}

impl Keys {
    /// Reads one cloud of a `clouds.yaml`, and of a `secure.yaml` in the same directory. Without a name the
    /// file must have exactly one.
    ///
    /// # Errors
    /// If a file cannot be read or parsed, or the cloud is not in it.
    pub fn from_clouds_file(path: &Path, cloud: Option<&str>) -> Result<Self, Error> {
        crate::clouds::read(path, cloud)
    }

    /// Reads a `vio.config` file of 2015 (`KEY=value` lines with `OS_` names), or any file of
    /// `export OS_...=...` lines.
    ///
    /// # Errors
    /// If it cannot be read or parsed.
    pub fn from_vio_config(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::ReadFile { path: path.to_owned(), source: source.into() })?;
        Self::from_vio_text(&text, path)
    }

    /// The same from a text; `path` is for messages.
    ///
    /// # Errors
    /// If it cannot be parsed.
    pub fn from_vio_text(text: &str, path: &Path) -> Result<Self, Error> {
        crate::vio::parse(text, path)
    }

    /// These keys, with `other` as the default.
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

    /// The resulting settings. `trust` is the operator's explicit choice; without one, `cacert` and
    /// `verify` apply.
    ///
    /// # Errors
    /// If a key is missing, or a URL is invalid.
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
            allow_http_endpoints: false,
            trust,
            deadlines: Deadlines::default(),
            token_cache: Duration::from_secs(60),
            credentials: self.credentials()?,
        })
    }

    /// Application credential before password before token: the token in files of 2015 is often
    /// invalid (the shipped file repeats the tenant ID there).
    fn credentials(self) -> Result<Credentials, Error> {
        let user = named(self.user_id, self.username, self.user_domain_id, self.user_domain_name);
        let project = named(self.project_id, self.project_name, self.project_domain_id, self.project_domain_name);
        if let Some(secret) = self.application_credential_secret {
            let credential = match (self.application_credential_id, self.application_credential_name, user) {
                (Some(id), _, _) => ApplicationCredential::Id(id),
                (None, Some(name), Some(user)) => ApplicationCredential::Name { name, user },
                (None, Some(_), None) => {
                    return Err(missing("username", "The name of an application credential is unique only per user."));
                }
                (None, None, _) => {
                    return Err(missing(
                        "application_credential_id",
                        "A secret is set without its application credential.",
                    ));
                }
            };
            return Ok(Credentials::ApplicationCredential { credential, secret });
        }
        if let Some(password) = self.password {
            let user = user.ok_or_else(|| missing("username", "A password is set without a user."))?;
            let project = project
                .ok_or_else(|| missing("project_name", "Without a project, Keystone issues a token without rights."))?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
        the OpenStack setting `username` is missing / A password is set without a user.
        the OpenStack setting `project_name` is missing / Without a project, Keystone issues a token without rights.
        the OpenStack setting `application_credential_id` is missing / A secret is set without its application credential.
        the OpenStack setting `interface` is invalid: "outer" is not public, internal or admin /
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
