//! What Keystone does with requests for tokens.

use std::time::Duration;

use crate::world::World;
use crate::world::actor::Origin;
use crate::world::keystone::{KeystoneError, Method, Token};
use crate::world::neutron::Caller;
use crate::world::state::State;

impl World {
    /// Issues a token. `project` is an id or a name; none: an unscoped token, or the application
    /// credential's own project.
    ///
    /// # Errors
    /// 401 for bad credentials and for a project without a role; 403 for a forbidden rescope.
    pub fn issue_token(&self, method: &Method, project: Option<&str>) -> Result<Token, KeystoneError> {
        self.write(|s| s.token_for(method, project))
    }

    /// A token that has not ended.
    pub fn token(&self, id: &str) -> Option<Token> {
        let now = self.now();
        self.read(|s| s.keystone.valid(id, now).cloned())
    }

    /// The caller, from Neutron's view of a token. The roles `admin` and `service` make an admin.
    pub fn caller(&self, token: &str) -> Option<Caller> {
        let token = self.token(token)?;
        let admin = token.roles.iter().any(|r| r == "admin" || r == "service");
        Some(Caller { project: token.project?, admin })
    }

    /// The actor of a call with this token: the service's user, or another one.
    pub fn origin_of(&self, token: &str) -> Origin {
        let now = self.now();
        self.read(|s| {
            let service = s.keystone.user(&s.settings.service_login.user).map(|u| &u.id);
            let by = s.keystone.valid(token, now).map(|t| &t.user);
            if by.is_some() && by == service { Origin::Service } else { Origin::People }
        })
    }

    /// Ends a token.
    pub fn revoke_token(&self, id: &str) -> bool {
        self.write(|s| s.keystone.tokens.remove(id).is_some())
    }

    /// The first project's id, and a caller with all rights in it: the service's own.
    pub fn service(&self) -> Caller {
        self.read(|s| {
            let name = s.settings.projects.first().map(String::as_str).unwrap_or_default();
            Caller { project: s.keystone.project(name).map(|p| p.id.clone()).unwrap_or_default(), admin: true }
        })
    }
}

impl State {
    fn token_for(&mut self, method: &Method, project: Option<&str>) -> Result<Token, KeystoneError> {
        let (user, credential_project, roles, methods) = match method {
            Method::Password { user, password } => {
                let found = self.keystone.user(user).filter(|u| u.enabled && u.password == *password);
                let found = found.ok_or_else(KeystoneError::unauthorized)?;
                (found.id.clone(), None, None, vec!["password"])
            }
            Method::Token(id) => {
                let old = self.keystone.valid(id, self.now).ok_or_else(KeystoneError::unauthorized)?;
                if old.methods.contains(&"application_credential") {
                    let says = "Using a delegated token to create another token is not permitted.";
                    return Err(KeystoneError::forbidden(says));
                }
                let mut methods = old.methods.clone();
                if !methods.contains(&"token") {
                    methods.push("token");
                }
                (old.user.clone(), None, None, methods)
            }
            Method::AppCredential { credential, user, secret } => {
                let named = |c: &&crate::world::keystone::AppCredential| {
                    let owner = user.as_deref().and_then(|u| self.keystone.user(u));
                    c.id == *credential || (c.name == *credential && owner.is_some_and(|u| u.id == c.user))
                };
                let found = self.keystone.app_credentials.values().find(named).filter(|c| c.secret == *secret);
                let found = found.ok_or_else(KeystoneError::unauthorized)?;
                let roles = Some(found.roles.clone());
                (found.user.clone(), Some(found.project.clone()), roles, vec!["application_credential"])
            }
        };
        let wanted = match (credential_project, project) {
            (Some(own), _) => Some(own),
            (None, Some(name)) => {
                let found = self.keystone.project(name).filter(|p| p.enabled).map(|p| p.id.clone());
                Some(found.ok_or_else(KeystoneError::unauthorized)?)
            }
            (None, None) => None,
        };
        let roles = match (&wanted, roles) {
            (Some(id), None) => {
                let assigned = self.keystone.assignments.get(&(user.clone(), id.clone()));
                assigned.cloned().ok_or_else(KeystoneError::unauthorized)?
            }
            (_, roles) => roles.unwrap_or_default(),
        };
        self.keystone.next += 1;
        let subject = self.keystone.next.to_string();
        let lifetime = Duration::from_secs_f64(self.settings.timings.token_lifetime.max(0.0));
        let token = Token {
            id: format!("gAAAA{}", self.dice.uuid("token", &subject).simple()),
            user,
            project: wanted,
            roles,
            methods,
            audit_id: self.dice.uuid("audit", &subject).simple().to_string(),
            issued: self.now,
            expires: self.now + lifetime,
        };
        let now = self.now;
        self.keystone.tokens.retain(|_, t| t.expires > now);
        self.keystone.tokens.insert(token.id.clone(), token.clone());
        Ok(token)
    }
}
