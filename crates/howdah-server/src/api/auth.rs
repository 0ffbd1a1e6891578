//! Who asks, and what they may do.
//!
//! With `auth = "keystone"` a token is verified at the Keystone of the sites. With `auth = "local"`
//! the user at the other end of the UNIX socket is the operator. A read capability stands for one
//! cluster. Invariant: a capability is kept as a hash only, and compared as such; a token is not
//! kept here. Which tokens are brought to Keystone at all is `login`'s to say.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use howdah_core::cluster::LOCAL_PROJECT;
use howdah_core::facts::Principal;
use howdah_core::ids::{ClusterId, ClusterKey, ProjectId, SiteName};
use ring::digest::{SHA256, digest};
use secrecy::SecretString;

use super::{ApiError, Routes, login};

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
    /// Anybody, over the network.
    Remote {
        /// From where.
        address: IpAddr,
    },
}

impl Peer {
    /// Somebody of whom nothing is known, and who is trusted with nothing.
    pub(super) const NOBODY: Self = Self::Remote { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
}

/// A Keystone token in the request.
pub(super) const TOKEN: &str = "x-auth-token";
/// A read capability in the request.
pub(super) const CAPABILITY: &str = "x-howdah-capability";
/// The project of a local user.
pub(super) const PROJECT: &str = "x-project-id";

/// What a requester may do in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Reader,
    Member,
    Admin,
}

/// Somebody who may at least read.
pub(super) struct Caller {
    pub(super) user: String,
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
        match self.role {
            Role::Reader => Err(ApiError::ReadOnly { user: self.user.clone() }),
            Role::Member | Role::Admin => Ok(()),
        }
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
        AuthMode::Local => match peer(parts) {
            Peer::Local { uid } => Ok(Caller {
                user: format!("uid {uid}"),
                project: header(&parts.headers, PROJECT).unwrap_or(LOCAL_PROJECT).into(),
                role: Role::Admin,
                realm: None,
                token: None,
            }),
            Peer::Remote { .. } => Err(ApiError::TokenMissing),
        },
        AuthMode::Keystone => {
            let token = parts.headers.get(TOKEN).filter(|v| !v.is_empty()).ok_or(ApiError::TokenMissing)?;
            let token = login::shaped(token).ok_or(ApiError::TokenInvalid)?;
            by_token(token, peer(parts), routes).await
        }
    }
}

/// Who is at the other end. Whoever is not known to be local is not.
fn peer(parts: &Parts) -> Peer {
    parts.extensions.get::<ConnectInfo<Peer>>().map_or(Peer::NOBODY, |ConnectInfo(peer)| *peer)
}

async fn by_token(token: SecretString, peer: Peer, routes: &Routes) -> Result<Caller, ApiError> {
    let (realm, principal) = verify(&token, peer, routes).await?;
    let has = |role: &str| principal.roles.iter().any(|r| r.eq_ignore_ascii_case(role));
    let role = match () {
        () if has("admin") => Role::Admin,
        // The name of the member role before Keystone had one of its own.
        () if has("member") || has("_member_") => Role::Member,
        () if has("reader") => Role::Reader,
        () => return Err(ApiError::RoleMissing { user: principal.user_name }),
    };
    Ok(Caller { user: principal.user_name, project: principal.project, role, realm: Some(realm), token: Some(token) })
}

/// Asks each Keystone until one vouches for the token; the adapters remember good ones for a while.
/// The end of a token is Keystone's to judge, by its own clock.
async fn verify(token: &SecretString, peer: Peer, routes: &Routes) -> Result<(String, Principal), ApiError> {
    let mut attempt = routes.logins.attempt(token, peer, routes.clock.as_ref());
    let mut trouble = None;
    for (realm, identity) in routes.sites.identities() {
        match attempt.ask(realm, identity.as_ref()).await {
            Ok(Some(principal)) => return Ok((realm.to_owned(), principal)),
            Ok(None) => {}
            Err(e) => trouble = Some(e),
        }
    }
    // As long as one Keystone could not be asked, nobody knows that the token is bad.
    Err(trouble.unwrap_or(ApiError::TokenInvalid))
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
