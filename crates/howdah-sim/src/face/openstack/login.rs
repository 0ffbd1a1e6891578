//! Reads login requests and writes tokens, as Keystone v3 has them.

use serde_json::{Value, json};

use crate::world::keystone::{DOMAIN_ID, DOMAIN_NAME, KeystoneError, Method, Token};
use crate::world::state::State;

/// What is asked for.
pub(super) struct Login {
    pub(super) method: Method,
    /// Id or name.
    pub(super) project: Option<String>,
}

fn malformed(what: &str) -> KeystoneError {
    let message = format!(
        "Expecting to find {what}. The server could not comply with the request since it is either malformed or \
         otherwise incorrect. The client is assumed to be in error."
    );
    KeystoneError { status: 400, title: "Bad Request", message }
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}

/// A user or project: its id, or its name in the only domain there is.
fn named(value: &Value, what: &str) -> Result<String, KeystoneError> {
    if let Some(id) = text(value, "id") {
        return Ok(id.to_owned());
    }
    let name = text(value, "name").ok_or_else(|| malformed(&format!("id or name in {what}")))?;
    let domain = value.get("domain").ok_or_else(|| malformed(&format!("domain in {what}")))?;
    if text(domain, "id") == Some(DOMAIN_ID) || text(domain, "name") == Some(DOMAIN_NAME) {
        Ok(name.to_owned())
    } else {
        Err(KeystoneError::unauthorized())
    }
}

impl Login {
    pub(super) fn read(body: &Value) -> Result<Self, KeystoneError> {
        let auth = body.get("auth").ok_or_else(|| malformed("auth in request body"))?;
        let identity = auth.get("identity").ok_or_else(|| malformed("identity in auth"))?;
        let methods = identity.get("methods").and_then(Value::as_array).ok_or_else(|| malformed("methods"))?;
        let method = match methods.first().and_then(Value::as_str) {
            Some("password") => {
                let user = &identity["password"]["user"];
                let password = text(user, "password").ok_or_else(|| malformed("password in user"))?;
                Method::Password { user: named(user, "user")?, password: password.to_owned() }
            }
            Some("token") => {
                let id = text(&identity["token"], "id").ok_or_else(|| malformed("id in token"))?;
                Method::Token(id.to_owned())
            }
            Some("application_credential") => {
                let given = &identity["application_credential"];
                let secret = text(given, "secret").ok_or_else(|| malformed("secret"))?.to_owned();
                let (credential, user) = match text(given, "id") {
                    Some(id) => (id.to_owned(), None),
                    None => {
                        let name = text(given, "name").ok_or_else(|| malformed("id or name"))?;
                        (name.to_owned(), Some(named(&given["user"], "user")?))
                    }
                };
                Method::AppCredential { credential, user, secret }
            }
            _ => return Err(KeystoneError::unauthorized()),
        };
        let project = match auth.get("scope") {
            None => None,
            Some(Value::String(word)) if word == "unscoped" => None,
            Some(scope) => match scope.get("project") {
                Some(project) => Some(named(project, "project")?),
                // Domains and the system give no role here.
                None => return Err(KeystoneError::unauthorized()),
            },
        };
        Ok(Self { method, project })
    }
}

fn time(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

fn domain() -> Value {
    json!({"id": DOMAIN_ID, "name": DOMAIN_NAME})
}

/// The body of a token.
pub(super) fn token(state: &State, token: &Token, with_catalog: bool) -> Value {
    let keystone = &state.keystone;
    let user_name = keystone.users.get(&token.user).map(|u| u.name.as_str()).unwrap_or_default();
    let mut body = json!({
        "methods": token.methods,
        "user": {"domain": domain(), "id": token.user, "name": user_name, "password_expires_at": null},
        "audit_ids": [token.audit_id],
        "issued_at": time(token.issued),
        "expires_at": time(token.expires),
    });
    if let Some(project) = token.project.as_ref().and_then(|id| keystone.projects.get(id)) {
        body["project"] = json!({"domain": domain(), "id": project.id, "name": project.name});
        body["is_domain"] = json!(false);
        body["roles"] = token.roles.iter().map(|r| json!({"id": format!("role-{r}"), "name": r})).collect();
        if with_catalog {
            body["catalog"] = catalog(state);
        }
    }
    json!({ "token": body })
}

/// The catalogue: one entry a service, with all three interfaces of each region.
pub(super) fn catalog(state: &State) -> Value {
    let mut services: Vec<Value> = vec![];
    for endpoint in &state.keystone.catalog {
        let known = services.iter().position(|s| s["type"] == endpoint.service.as_str());
        let at = known.unwrap_or_else(|| {
            let id = state.dice.uuid("service", &endpoint.service).simple().to_string();
            services.push(json!({"id": id, "type": endpoint.service, "name": endpoint.name, "endpoints": []}));
            services.len() - 1
        });
        for interface in ["public", "internal", "admin"] {
            let subject = format!("{}/{}/{interface}", endpoint.service, endpoint.region);
            let entry = json!({
                "id": state.dice.uuid("endpoint", &subject).simple().to_string(),
                "interface": interface,
                "region": endpoint.region,
                "region_id": endpoint.region,
                "url": endpoint.url,
            });
            if let Some(list) = services.get_mut(at).and_then(|s| s["endpoints"].as_array_mut()) {
                list.push(entry);
            }
        }
    }
    services.into()
}
