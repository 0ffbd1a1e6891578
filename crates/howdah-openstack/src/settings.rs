//! Where OpenStack is and as whom to log in, after all rules were applied to what a person wrote
//! (that is [`Keys`](crate::Keys)). Nothing here asks a server.

use std::time::Duration;

use howdah_transport::{Deadlines, Trust};
use secrecy::SecretString;
use url::Url;

use crate::Error;

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
    /// Whether an `http://` address of the catalogue is used although it is on another host than Keystone.
    pub allow_http_endpoints: bool,
    /// Whom to trust.
    pub trust: Trust,
    /// How long to wait.
    pub deadlines: Deadlines,
    /// How long a requester's token is believed to be good without asking again.
    pub token_cache: Duration,
}

/// A service's address without slash and version at its end: `/v3` and `/v2.0` are ours to add.
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
