//! Keystone's wire types: login requests and token bodies. No I/O.

use howdah_core::systems::identity::Principal;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::settings::{ApplicationCredential, Domain, Named};
use crate::{Credentials, Error};

/// The body of a token, inside `{"token": ...}`.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenBody {
    pub(crate) token: TokenInfo,
}

/// The content of a token.
#[derive(Debug, Deserialize)]
pub(crate) struct TokenInfo {
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) user: Reference,
    pub(crate) project: Option<Reference>,
    #[serde(default)]
    pub(crate) roles: Vec<Reference>,
    /// Absent or null if Keystone has no project for administration.
    pub(crate) is_admin_project: Option<bool>,
    #[serde(default)]
    pub(crate) catalog: Vec<Service>,
}

/// An object's ID and name.
#[derive(Debug, Deserialize)]
pub(crate) struct Reference {
    #[serde(default)]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) name: String,
}

/// A service in the catalogue.
#[derive(Debug, Deserialize)]
pub(crate) struct Service {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) endpoints: Vec<Endpoint>,
}

/// One of its endpoints.
#[derive(Debug, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) interface: String,
    pub(crate) region: Option<String>,
    pub(crate) region_id: Option<String>,
    pub(crate) url: String,
}

impl Endpoint {
    pub(crate) fn region(&self) -> Option<&str> {
        self.region_id.as_deref().or(self.region.as_deref())
    }
}

impl TokenInfo {
    /// The requester of the token.
    pub(crate) fn principal(&self) -> Result<Principal, Error> {
        let project = self.project.as_ref().ok_or(Error::NoProject)?;
        Ok(Principal {
            user: self.user.id.clone(),
            user_name: self.user.name.clone(),
            project: project.id.as_str().into(),
            roles: self.roles.iter().map(|r| r.name.clone()).collect(),
            is_admin_project: self.is_admin_project.unwrap_or(true),
            expires: self.expires_at,
        })
    }
}

/// The body of a token request, or `None` if the settings have a ready token.
pub(crate) fn login(credentials: &Credentials) -> Option<Value> {
    let auth = match credentials {
        Credentials::Password { user, password, project } => {
            let mut user = named(user);
            user["password"] = json!(password.expose_secret());
            json!({
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": named(project)},
            })
        }
        Credentials::ApplicationCredential { credential, secret } => {
            let secret = secret.expose_secret();
            let credential = match credential {
                ApplicationCredential::Id(id) => json!({"id": id, "secret": secret}),
                ApplicationCredential::Name { name, user } => {
                    json!({"name": name, "user": named(user), "secret": secret})
                }
            };
            json!({"identity": {"methods": ["application_credential"], "application_credential": credential}})
        }
        Credentials::Token { project: None, .. } => return None,
        Credentials::Token { token, project: Some(project) } => json!({
            "identity": {"methods": ["token"], "token": {"id": token.expose_secret()}},
            "scope": {"project": named(project)},
        }),
    };
    Some(json!({ "auth": auth }))
}

fn named(what: &Named) -> Value {
    match what {
        Named::Id(id) => json!({"id": id}),
        Named::Name { name, domain: Domain::Id(id) } => json!({"name": name, "domain": {"id": id}}),
        Named::Name { name, domain: Domain::Name(domain) } => json!({"name": name, "domain": {"name": domain}}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_the_admin_project_unless_keystone_says_no() {
        for (says, expected) in [
            ("", true),
            (r#", "is_admin_project": null"#, true),
            (r#", "is_admin_project": true"#, true),
            (r#", "is_admin_project": false"#, false),
        ] {
            let text = format!(r#"{{"user": {{"id": "u", "name": "u"}}, "project": {{"id": "p"}}{says}}}"#);
            let info: TokenInfo = serde_json::from_str(&text).unwrap();
            assert_eq!(info.principal().unwrap().is_admin_project, expected, "{says}");
        }
    }

    fn by_name(name: &str) -> Named {
        Named::Name { name: name.into(), domain: Domain::Id("default".into()) }
    }

    #[test]
    fn every_way_to_log_in() {
        let ways = [
            Credentials::Password { user: by_name("u"), password: "p".into(), project: Named::Id("x".into()) },
            Credentials::Password {
                user: Named::Id("u1".into()),
                password: "p".into(),
                project: Named::Name { name: "x".into(), domain: Domain::Name("Default".into()) },
            },
            Credentials::ApplicationCredential {
                credential: ApplicationCredential::Id("c".into()),
                secret: "s".into(),
            },
            Credentials::ApplicationCredential {
                credential: ApplicationCredential::Name { name: "c".into(), user: by_name("u") },
                secret: "s".into(),
            },
            Credentials::Token { token: "t".into(), project: Some(by_name("x")) },
        ];
        let said: Vec<String> = ways.iter().map(|c| login(c).unwrap()["auth"].to_string()).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        {"identity":{"methods":["password"],"password":{"user":{"domain":{"id":"default"},"name":"u","password":"p"}}},"scope":{"project":{"id":"x"}}}
        {"identity":{"methods":["password"],"password":{"user":{"id":"u1","password":"p"}}},"scope":{"project":{"domain":{"name":"Default"},"name":"x"}}}
        {"identity":{"application_credential":{"id":"c","secret":"s"},"methods":["application_credential"]}}
        {"identity":{"application_credential":{"name":"c","secret":"s","user":{"domain":{"id":"default"},"name":"u"}},"methods":["application_credential"]}}
        {"identity":{"methods":["token"],"token":{"id":"t"}},"scope":{"project":{"domain":{"id":"default"},"name":"x"}}}
        "#);
        assert_eq!(login(&Credentials::Token { token: "t".into(), project: None }), None);
    }
}
