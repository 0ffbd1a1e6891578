//! Who asks, and what they may do.
//!
//! With `auth = "keystone"` a token is verified at the Keystone of the sites. With `auth = "local"`
//! the user at the other end of the UNIX socket is the operator. A read capability stands for one
//! cluster. Invariant: a capability is kept as a hash only, and compared as such; a token is not
//! kept here.

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use howdah_core::cluster::LOCAL_PROJECT;
use howdah_core::facts::Principal;
use howdah_core::ids::{ClusterId, ClusterKey, ProjectId, SiteName};
use howdah_core::rights::Role;
use howdah_core::traits::TOKEN_REFUSED;
use ring::digest::{SHA256, digest};
use secrecy::SecretString;

use super::{ApiError, Routes};

/// How requesters are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// By Keystone tokens.
    Keystone,
    /// By their user on this host, over the UNIX socket.
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
    /// Anybody.
    Unknown,
}

/// A Keystone token in the request.
pub(super) const TOKEN: &str = "x-auth-token";
/// A read capability in the request.
pub(super) const CAPABILITY: &str = "x-howdah-capability";
/// The project of a local user.
pub(super) const PROJECT: &str = "x-project-id";

/// Somebody who may at least read.
pub(super) struct Caller {
    pub(super) user: String,
    /// Their id at Keystone; none for the operator.
    pub(super) user_id: Option<String>,
    pub(super) project: ProjectId,
    pub(super) role: Role,
    /// The Keystone that vouches for them; none for the operator.
    realm: Option<String>,
    /// For looking up what they themselves may use.
    pub(super) token: Option<SecretString>,
}

impl Caller {
    /// Refuses readers.
    pub(super) fn may_write(&self) -> Result<(), ApiError> {
        if self.role.may_write() { Ok(()) } else { Err(ApiError::ReadOnly { user: self.user.clone() }) }
    }

    /// Refuses all but admins the look beyond their project.
    pub(super) fn may_ask_for_all(&self, all_projects: bool) -> Result<(), ApiError> {
        match self.role {
            Role::Admin => Ok(()),
            _ if all_projects => Err(ApiError::NotAdmin),
            _ => Ok(()),
        }
    }

    /// Whether the token counts at a site of this realm.
    pub(super) fn is_of(&self, realm: &str) -> bool {
        self.realm.as_ref().is_none_or(|r| r == realm)
    }

    /// Whether a cluster of this project and site is theirs to see.
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

impl FromRequestParts<Routes> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, routes: &Routes) -> Result<Self, ApiError> {
        caller(parts, routes).await
    }
}

async fn caller(parts: &Parts, routes: &Routes) -> Result<Caller, ApiError> {
    match routes.auth {
        AuthMode::Local => match parts.extensions.get::<ConnectInfo<Peer>>() {
            Some(ConnectInfo(Peer::Local { uid })) => Ok(Caller {
                user: format!("uid {uid}"),
                user_id: None,
                project: header(&parts.headers, PROJECT).unwrap_or(LOCAL_PROJECT).into(),
                role: Role::Admin,
                realm: None,
                token: None,
            }),
            _ => Err(ApiError::TokenMissing),
        },
        AuthMode::Keystone => {
            let token = header(&parts.headers, TOKEN).ok_or(ApiError::TokenMissing)?;
            by_token(SecretString::from(token), routes).await
        }
    }
}

async fn by_token(token: SecretString, routes: &Routes) -> Result<Caller, ApiError> {
    let (realm, principal) = verify(&token, routes).await?;
    let role = Role::of(&principal.roles);
    let role = role.ok_or_else(|| ApiError::RoleMissing { user: principal.user_name.clone() })?;
    Ok(Caller {
        user: principal.user_name,
        user_id: Some(principal.user),
        project: principal.project,
        role,
        realm: Some(realm),
        token: Some(token),
    })
}

/// Asks each Keystone until one vouches for the token; the adapters remember good ones for a while.
/// The end of a token is Keystone's to judge, by its own clock.
async fn verify(token: &SecretString, routes: &Routes) -> Result<(String, Principal), ApiError> {
    let mut trouble = None;
    for (realm, identity) in routes.sites.identities() {
        match identity.authenticate(token).await {
            Ok(principal) => return Ok((realm.to_owned(), principal)),
            Err(e) if e.code == TOKEN_REFUSED => {}
            Err(e) => trouble = Some(e),
        }
    }
    // As long as one Keystone could not be asked, nobody knows that the token is bad.
    Err(trouble.map_or(ApiError::TokenInvalid, ApiError::Remote))
}

/// Whoever may read one cluster: a caller, or the bearer of its capability.
pub(super) enum Reader {
    Caller(Caller),
    Bearer(ClusterKey),
}

impl Reader {
    /// Finds out who asks to read this cluster.
    pub(super) async fn of(parts: &Parts, routes: &Routes, id: &ClusterId) -> Result<Self, ApiError> {
        if let Some(capability) = header(&parts.headers, CAPABILITY) {
            if let Some(key) = routes.store.by_capability(id, &hash(capability)).await? {
                return Ok(Self::Bearer(key));
            }
            // A capability that is not good, without a token besides, is answered like a cluster that
            // is not there: the bearer may have had a right that ended with it.
            if routes.auth == AuthMode::Keystone && header(&parts.headers, TOKEN).is_none() {
                return Err(ApiError::ClusterNotFound { id: *id });
            }
        }
        caller(parts, routes).await.map(Self::Caller)
    }
}
