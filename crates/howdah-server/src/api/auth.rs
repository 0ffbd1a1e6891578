//! Authentication and authorization of requesters.
//!
//! With `auth = "keystone"` one Keystone, which [`realm`](super::realm) selects, verifies a token that
//! [`login`](super::login) admits. With `auth = "local"` the user at the other end of the UNIX
//! socket is the operator. A read capability is valid for one cluster. The right of a long-running reader
//! is verified again ([`Reader::again`]).
//! Invariant: a capability is stored and compared only as a hash; a token is kept only during its request.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use howdah_core::ids::{ClusterId, ClusterKey, ProjectId, SiteName};
use howdah_core::rights::Role;
use howdah_core::systems::Remote;
use howdah_core::systems::identity::Principal;
use howdah_core::systems::identity::TOKEN_REFUSED;
use howdah_core::text::first_unfit;
use howdah_core::wanted::LOCAL_PROJECT;
use ring::digest::{SHA256, digest};
use secrecy::SecretString;

use super::{ApiError, Routes, login, realm};
use crate::sites::Choice;

/// How requesters authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// With Keystone tokens.
    Keystone,
    /// As a user of this host, over the UNIX socket.
    Local,
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A process on this host, over the UNIX socket.
    Local {
        /// Its user.
        uid: u32,
    },
    /// A client over TCP.
    Remote {
        /// The client's address; with a proxy, the proxy's.
        address: IpAddr,
    },
}

impl Peer {
    /// A requester before authentication, without any rights.
    pub(super) const NOBODY: Self = Self::Remote { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
}

/// A Keystone token in the request.
pub(super) const TOKEN: &str = "x-auth-token";
/// A read capability in the request.
pub(super) const CAPABILITY: &str = "x-howdah-capability";
/// The project of a local user.
pub(super) const PROJECT: &str = "x-project-id";
/// The site whose OpenStack the token is of.
pub(super) const SITE: &str = "x-howdah-site";

/// An authenticated requester, who may at least read.
pub(super) struct Caller {
    pub(super) user: String,
    /// Their ID in Keystone; `None` for the operator.
    pub(super) user_id: Option<String>,
    pub(super) project: ProjectId,
    pub(super) role: Role,
    /// The Keystone that verified them; `None` for the operator.
    realm: Option<String>,
    /// The token, for lookups with their own rights.
    pub(super) token: Option<SecretString>,
}

impl Caller {
    /// Refuses requesters who may only read.
    pub(super) fn may_write(&self) -> Result<(), ApiError> {
        if self.role.may_write() { Ok(()) } else { Err(ApiError::ReadOnly { user: self.user.clone() }) }
    }

    /// Refuses access beyond the project, except for admins.
    pub(super) fn may_ask_for_all(&self, all_projects: bool) -> Result<(), ApiError> {
        match self.role {
            Role::Admin => Ok(()),
            _ if all_projects => Err(ApiError::NotAdmin),
            _ => Ok(()),
        }
    }

    /// Whether they are the operator, who may see everything.
    pub(super) const fn is_operator(&self) -> bool {
        self.realm.is_none()
    }

    /// Whether the token is valid at a site of this realm.
    pub(super) fn is_of(&self, realm: &str) -> bool {
        self.realm.as_ref().is_none_or(|r| r == realm)
    }

    /// Whether they may see a cluster of this project and site.
    pub(super) fn sees(&self, project: &ProjectId, site: &SiteName, routes: &Routes, all_projects: bool) -> bool {
        let in_realm = routes.sites.get(site).is_none_or(|site| self.is_of(&site.realm));
        in_realm && (*project == self.project || (all_projects && self.role == Role::Admin))
    }
}

/// SHA-256.
pub(super) fn hash(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim).filter(|v| !v.is_empty())
}

/// Whether the request has a token at all.
pub(super) fn has_token(headers: &HeaderMap) -> bool {
    header(headers, TOKEN).is_some()
}

/// The text of a header; refused if it is not plain ASCII in one line.
pub(super) fn text_header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, ApiError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| first_unfit(text).is_none()).ok_or_else(|| {
        let says = "must be plain ASCII without control characters".to_owned();
        ApiError::InvalidField { field: name.to_owned(), says }
    })?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

impl FromRequestParts<Routes> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, routes: &Routes) -> Result<Self, ApiError> {
        let id = match RawPathParams::from_request_parts(parts, routes).await {
            Ok(params) => params.iter().find(|(name, _)| *name == "id").and_then(|(_, id)| id.parse().ok()),
            Err(_) => None,
        };
        caller(parts, routes, None, id).await
    }
}

/// The requester. `choice` holds the body's fields that select a site, and `id` is the cluster in the path.
pub(super) async fn caller(
    parts: &Parts,
    routes: &Routes,
    choice: Option<Choice<'_>>,
    id: Option<ClusterId>,
) -> Result<Caller, ApiError> {
    let caller = identified(parts, routes, choice, id).await?;
    // After authentication only: the error lists the sites.
    if let Some(site) = realm::named(parts)? {
        routes.sites.choose(Choice { site: Some(&site), ..Choice::default() })?;
    }
    Ok(caller)
}

async fn identified(
    parts: &Parts,
    routes: &Routes,
    choice: Option<Choice<'_>>,
    id: Option<ClusterId>,
) -> Result<Caller, ApiError> {
    match routes.auth {
        AuthMode::Local => match peer(parts) {
            Peer::Local { uid } => Ok(Caller {
                user: format!("uid {uid}"),
                user_id: None,
                project: text_header(&parts.headers, PROJECT)?.unwrap_or(LOCAL_PROJECT).into(),
                role: Role::Admin,
                realm: None,
                token: None,
            }),
            Peer::Remote { .. } => Err(ApiError::TokenMissing),
        },
        AuthMode::Keystone => {
            let token = parts.headers.get(TOKEN).filter(|v| !v.is_empty()).ok_or(ApiError::TokenMissing)?;
            let token = login::shaped(token).ok_or(ApiError::TokenInvalid)?;
            let site = realm::of(parts, routes, choice, id).await?;
            let mut attempt = routes.logins.attempt(&token, peer(parts), routes.clock.as_ref());
            let principal = attempt.ask(&site.realm, site.identity.as_ref()).await?.ok_or(ApiError::TokenInvalid)?;
            drop(attempt);
            by_token(token, &site.realm, principal)
        }
    }
}

/// The peer. A peer that is not known to be local counts as remote.
fn peer(parts: &Parts) -> Peer {
    parts.extensions.get::<ConnectInfo<Peer>>().map_or(Peer::NOBODY, |ConnectInfo(peer)| *peer)
}

/// The requester, verified by Keystone. Keystone decides about the expiry of a token, by its own clock.
fn vouched(answer: Remote<Principal>) -> Result<Principal, ApiError> {
    answer.map_err(|e| if e.code == TOKEN_REFUSED { ApiError::TokenInvalid } else { ApiError::Remote(e) })
}

fn by_token(token: SecretString, realm: &str, principal: Principal) -> Result<Caller, ApiError> {
    let role = match Role::of(&principal.roles) {
        // An admin of a project other than the administration project is an admin of that project only.
        Some(Role::Admin) if !principal.is_admin_project => Role::Member,
        Some(role) => role,
        None => return Err(ApiError::RoleMissing { user: principal.user_name }),
    };
    Ok(Caller {
        user: principal.user_name,
        user_id: Some(principal.user),
        project: principal.project,
        role,
        realm: Some(realm.to_owned()),
        token: Some(token),
    })
}

/// A reader of one cluster: a caller, or the bearer of its capability.
pub(super) enum Reader {
    Caller(Caller),
    Bearer { key: ClusterKey, hash: [u8; 32] },
}

impl Reader {
    /// Authenticates a reader of this cluster.
    pub(super) async fn of(parts: &Parts, routes: &Routes, id: &ClusterId) -> Result<Self, ApiError> {
        if let Some(capability) = header(&parts.headers, CAPABILITY) {
            let hash = hash(capability);
            if let Some(key) = routes.store.by_capability(id, &hash).await? {
                return Ok(Self::Bearer { key, hash });
            }
            // Without a token, the bearer's other rights are unknown.
            if routes.auth == AuthMode::Keystone && !has_token(&parts.headers) {
                return Err(ApiError::ClusterNotVisible { id: *id });
            }
        }
        caller(parts, routes, None, Some(*id)).await.map(Self::Caller)
    }

    /// Verifies again that they may read this cluster, without cached answers. `all_projects` is the
    /// admin's request.
    ///
    /// # Errors
    /// Why not; [`ApiError::Remote`] if it cannot be verified.
    pub(super) async fn again(&self, routes: &Routes, key: &ClusterKey, all_projects: bool) -> Result<(), ApiError> {
        let hidden = || ApiError::ClusterNotVisible { id: key.id };
        let (token, realm) = match self {
            Self::Bearer { hash, .. } => {
                let good = routes.store.by_capability(&key.id, hash).await?;
                return if good.as_ref() == Some(key) { Ok(()) } else { Err(hidden()) };
            }
            Self::Caller(Caller { token: Some(token), realm: Some(realm), .. }) => (token, realm),
            Self::Caller(_) => return Ok(()),
        };
        // Unreachable: the service reads its configuration once.
        let identity = routes.sites.identity(realm).ok_or(ApiError::TokenInvalid)?;
        let caller = by_token(token.clone(), realm, vouched(identity.authenticate_anew(token).await)?)?;
        caller.may_ask_for_all(all_projects)?;
        if caller.project == key.project || all_projects { Ok(()) } else { Err(hidden()) }
    }
}
