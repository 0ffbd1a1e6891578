//! The address and credentials of OpenStack, after all rules were applied to the user's settings
//! ([`Keys`](crate::Keys)). No I/O.

use std::time::Duration;

use howdah_transport::{Deadlines, Trust};
use secrecy::SecretString;
use url::Url;

use crate::Error;

/// Which of a service's endpoints to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Interface {
    /// Public.
    #[default]
    Public,
    /// Internal.
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
            _ => Err(Error::BadSetting { key: "interface", reason: format!("{s:?} is not public, internal or admin") }),
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

/// The credentials.
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
    /// An application credential; it includes its project.
    ApplicationCredential {
        /// The credential: by id, or by its name and its user.
        credential: ApplicationCredential,
        /// Its secret.
        secret: SecretString,
    },
    /// A ready token. It cannot be renewed after it expires.
    Token {
        /// The token.
        token: SecretString,
        /// The project; default: the token's own.
        project: Option<Named>,
    },
}

/// The identification of an application credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplicationCredential {
    /// By id.
    Id(String),
    /// By name, which is unique only per user.
    Name {
        /// The name.
        name: String,
        /// Its user.
        user: Named,
    },
}

/// The client's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Keystone, without a version: `http://host:5000`.
    pub auth_url: Url,
    /// The credentials.
    pub credentials: Credentials,
    /// The region of Neutron.
    pub region: Option<String>,
    /// The interface of the endpoint.
    pub interface: Interface,
    /// Neutron's address without a version, instead of the catalogue's.
    pub neutron_url: Option<Url>,
    /// Whether to use an `http://` address of the catalogue on another host than Keystone's.
    pub allow_http_endpoints: bool,
    /// The trusted certificates.
    pub trust: Trust,
    /// How long to wait.
    pub deadlines: Deadlines,
    /// How long a requester's verified token is cached.
    pub token_cache: Duration,
}

/// A service's address without trailing slash and version; the client adds `/v3` and `/v2.0`.
pub(crate) fn base_url(key: &'static str, text: &str) -> Result<Url, Error> {
    let bad = |reason: String| Error::BadSetting { key, reason };
    let mut url = Url::parse(text.trim()).map_err(|e| bad(format!("{text:?} is not a URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(bad(format!("{text:?} does not start with http:// or https://")));
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
        the OpenStack setting `auth_url` is invalid: "keystone" is not a URL: relative URL without a base
        the OpenStack setting `auth_url` is invalid: "ftp://h/" does not start with http:// or https://
        the OpenStack setting `auth_url` is invalid: a URL with a user in it is refused
        "#);
    }
}
