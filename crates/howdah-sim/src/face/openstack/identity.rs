//! Keystone v3: versions, tokens, and the few other lookups of clients.

use axum::body::Body;
use axum::extract::{Request, State as Extract};
use axum::http::{HeaderValue, Method, Uri, header as names};
use axum::response::{IntoResponse, Response};
use howdah_core::failure::System;
use serde_json::{Value, json};

use super::login::{self, Login};
use super::reply::{carried, header, nothing, own_url, read, reply, unauthorized};
use crate::World;
use crate::world::keystone::{DOMAIN_ID, DOMAIN_NAME, Keystone, KeystoneError, Project, Token, User};

pub(super) async fn serve(Extract(world): Extract<World>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // HEAD is GET without a body; the server takes that away.
    let method = if parts.method == Method::HEAD { Method::GET } else { parts.method.clone() };
    let (name, object) = {
        let path = segments(&parts.uri);
        (method_name(&method, &path), path.last().copied().unwrap_or_default().to_owned())
    };
    let origin = world.origin_of(header(&parts.headers, "x-auth-token"));
    let work = |world: World| async move {
        let call = Call {
            world: &world,
            auth: header(&parts.headers, "x-auth-token"),
            subject: header(&parts.headers, "x-subject-token"),
            host: header(&parts.headers, "host"),
            query: parts.uri.query().unwrap_or_default(),
        };
        call.answer(&method, &segments(&parts.uri), body).await.unwrap_or_else(IntoResponse::into_response)
    };
    carried(&world, (System::Keystone, &name, &object), origin, work).await
}

fn segments(uri: &Uri) -> Vec<&str> {
    uri.path().split('/').filter(|p| !p.is_empty()).collect()
}

/// How counters and fault rules call a request.
fn method_name(method: &Method, path: &[&str]) -> String {
    match (method.as_str(), path) {
        ("POST", ["v3", "auth", "tokens"]) => "login".to_owned(),
        ("GET", ["v3", "auth", "tokens"]) => "authenticate".to_owned(),
        ("DELETE", ["v3", "auth", "tokens"]) => "revoke".to_owned(),
        (_, [] | ["v3"]) => "versions".to_owned(),
        (_, path) => path.iter().skip(1).take(2).copied().collect::<Vec<_>>().join("_"),
    }
}

struct Call<'r> {
    world: &'r World,
    auth: &'r str,
    subject: &'r str,
    host: &'r str,
    query: &'r str,
}

impl Call<'_> {
    async fn answer(&self, method: &Method, path: &[&str], body: Body) -> Result<Response, KeystoneError> {
        match (method.as_str(), path) {
            ("GET", []) => Ok(reply(300, json!({"versions": {"values": [self.version()]}}))),
            ("GET", ["v3"]) => Ok(reply(200, json!({"version": self.version()}))),
            ("POST", ["v3", "auth", "tokens"]) => self.log_in(body).await,
            (_, ["v3", "auth", "tokens"]) => self.about_token(method),
            ("GET", ["v3", rest @ ..]) => {
                let Some(caller) = self.world.token(self.auth) else {
                    return Ok(unauthorized());
                };
                self.look_up(&caller, rest)
            }
            _ => Err(KeystoneError::not_found("resource", &path.join("/"))),
        }
    }

    fn version(&self) -> Value {
        let base = own_url(self.world, "identity", self.host);
        json!({
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": format!("{base}/v3/")}],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
        })
    }

    fn with_catalog(&self) -> bool {
        !self.query.split('&').any(|q| q == "nocatalog" || q.starts_with("nocatalog="))
    }

    async fn log_in(&self, body: Body) -> Result<Response, KeystoneError> {
        let malformed = || KeystoneError {
            status: 400,
            title: "Bad Request",
            message: "Malformed JSON in request body.".to_owned(),
        };
        let login = Login::read(&read(body).await.map_err(|()| malformed())?)?;
        let token = self.world.issue_token(&login.method, login.project.as_deref())?;
        Ok(self.with_subject(201, &token))
    }

    fn with_subject(&self, status: u16, token: &Token) -> Response {
        let body = self.world.read(|s| login::token(s, token, self.with_catalog()));
        let mut response = reply(status, body);
        if let Ok(value) = HeaderValue::from_str(&token.id) {
            response.headers_mut().insert("x-subject-token", value);
        }
        response.headers_mut().insert(names::VARY, HeaderValue::from_static("X-Auth-Token"));
        response
    }

    /// Anybody may ask about their own tokens; about others' only an admin or a service.
    fn about_token(&self, method: &Method) -> Result<Response, KeystoneError> {
        let Some(caller) = self.world.token(self.auth) else {
            return Ok(unauthorized());
        };
        let unknown =
            || KeystoneError { status: 404, title: "Not Found", message: "Failed to validate token".to_owned() };
        let subject = self.world.token(self.subject).ok_or_else(unknown)?;
        let privileged = caller.roles.iter().any(|r| r == "admin" || r == "service");
        if !privileged && caller.user != subject.user {
            let says = "You are not authorized to perform the requested action: identity:validate_token.";
            return Err(KeystoneError::forbidden(says));
        }
        match method.as_str() {
            "GET" => Ok(self.with_subject(200, &subject)),
            "DELETE" => {
                self.world.revoke_token(&subject.id);
                Ok(nothing())
            }
            _ => Err(KeystoneError::not_found("method", method.as_str())),
        }
    }

    fn look_up(&self, caller: &Token, path: &[&str]) -> Result<Response, KeystoneError> {
        let admin = caller.roles.iter().any(|r| r == "admin");
        let own = |id: &str| admin || caller.project.as_deref() == Some(id) || caller.user == id;
        let one = |key: &str, value: Option<Value>, id: &str| match value {
            Some(value) if own(id) => Ok(reply(200, json!({ key: value }))),
            Some(_) => Err(KeystoneError::forbidden("You are not authorized to perform the requested action.")),
            None => Err(KeystoneError::not_found(key, id)),
        };
        self.world.read(|s| {
            let k = &s.keystone;
            match path {
                ["auth", "catalog"] => Ok(self.list("catalog", vec![], Some(login::catalog(s)))),
                ["auth", "projects"] => {
                    let mine = |p: &&Project| k.assignments.contains_key(&(caller.user.clone(), p.id.clone()));
                    Ok(self.list("projects", k.projects.values().filter(mine).map(project).collect(), None))
                }
                ["users", user, "projects"] if own(user) => {
                    let mine = |p: &&Project| k.assignments.contains_key(&((*user).to_owned(), p.id.clone()));
                    Ok(self.list("projects", k.projects.values().filter(mine).map(project).collect(), None))
                }
                ["auth", "domains"] => Ok(self.list("domains", vec![], None)),
                ["domains"] => Ok(self.list("domains", vec![domain()], None)),
                ["domains", DOMAIN_ID] => Ok(reply(200, json!({"domain": domain()}))),
                ["projects"] if admin => Ok(self.list("projects", k.projects.values().map(project).collect(), None)),
                ["users"] if admin => Ok(self.list("users", k.users.values().map(user).collect(), None)),
                ["projects" | "users"] => {
                    Err(KeystoneError::forbidden("You are not authorized to perform the requested action."))
                }
                ["projects", id] => one("project", k.projects.get(*id).map(project), id),
                ["users", id] => one("user", k.users.get(*id).map(user), id),
                ["role_assignments"] if admin => Ok(self.role_assignments(k)),
                ["role_assignments"] => {
                    Err(KeystoneError::forbidden("You are not authorized to perform the requested action."))
                }
                ["regions"] => Ok(self.list("regions", vec![], None)),
                _ => Err(KeystoneError::not_found("resource", &path.join("/"))),
            }
        })
    }

    /// Who has which role where, with names; a role implies nothing here.
    fn role_assignments(&self, k: &Keystone) -> Response {
        let filter = |key: &str| self.query.split('&').find_map(|q| q.strip_prefix(key)?.strip_prefix('='));
        let (user, project) = (filter("user.id"), filter("scope.project.id"));
        let fits = |((u, p), _): &(&(String, String), &Vec<String>)| {
            user.is_none_or(|w| w == u) && project.is_none_or(|w| w == p)
        };
        let one = |u: &str, p: &str, role: &str| {
            json!({
                "user": {"id": u},
                "scope": {"project": {"id": p}},
                "role": {"id": format!("role-{role}"), "name": role},
                "links": {},
            })
        };
        let all = k.assignments.iter().filter(fits);
        let items = all.flat_map(|((u, p), roles)| roles.iter().map(move |role| one(u, p, role))).collect();
        self.list("role_assignments", items, None)
    }

    /// A list with Keystone's frame; `?name=` is the only filter.
    fn list(&self, key: &str, items: Vec<Value>, whole: Option<Value>) -> Response {
        let wanted = self.query.split('&').find_map(|q| q.strip_prefix("name="));
        let fits = |v: &Value| wanted.is_none_or(|w| v["name"] == w);
        let items: Value = whole.unwrap_or_else(|| items.into_iter().filter(fits).collect());
        reply(200, json!({key: items, "links": {"self": null, "next": null, "previous": null}}))
    }
}

fn domain() -> Value {
    json!({"id": DOMAIN_ID, "name": DOMAIN_NAME, "enabled": true, "description": "", "options": {}, "tags": []})
}

fn project(p: &Project) -> Value {
    json!({
        "id": p.id, "name": p.name, "domain_id": DOMAIN_ID, "parent_id": DOMAIN_ID, "enabled": p.enabled,
        "is_domain": false, "description": "", "options": {}, "tags": [],
    })
}

fn user(u: &User) -> Value {
    json!({"id": u.id, "name": u.name, "domain_id": DOMAIN_ID, "enabled": u.enabled, "options": {}})
}
