//! OpenStack Identity (Keystone), and the requester's view of Networking: who a requester is, and what
//! they may use.
//!
//! Invariant: nothing here decides about permissions; it reports the answers of Keystone and Neutron.

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::ids::{ProjectId, SecurityGroupId};
use crate::rights::Standing;
use crate::systems::Remote;
use crate::systems::networking::{Network, Subnet};

/// OpenStack Identity, and the requester's view of Networking.
#[async_trait]
pub trait Identity: Send + Sync {
    /// Verifies a token. Fails with `Credentials` and [`TOKEN_REFUSED`] if it is invalid; any other code
    /// means that the service's own credentials were refused.
    async fn authenticate(&self, token: &SecretString) -> Remote<Principal>;

    /// The same without the cache of earlier verifications.
    async fn authenticate_anew(&self, token: &SecretString) -> Remote<Principal>;

    /// Whether a user still has the right to write in a project, queried with the service's credentials.
    /// If these have no permission for the query, the result is [`Standing::Hidden`], not an error.
    async fn still_may(&self, user: &str, project: &ProjectId) -> Remote<Standing>;

    /// The cached result of [`authenticate`](Self::authenticate), as long as the adapter trusts it. Makes
    /// no call.
    fn recall(&self, token: &SecretString) -> Option<Principal>;

    /// Verifies the service's own login with a call: the health check of Keystone.
    async fn own_login(&self) -> Remote<()>;

    /// Looks the wanted objects up with the requester's token, so that no one can use a network, subnet or
    /// group that is not visible to them. `NotFound` names the missing object. Without a token (a local
    /// user, who is the operator) the service's rights apply.
    async fn grant(&self, token: Option<&SecretString>, wish: &NetworkWish) -> Remote<NetworkGrant>;
}

/// A requester, verified by Keystone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// User id.
    pub user: String,
    /// User name, for display.
    pub user_name: String,
    /// The project the token is scoped to.
    pub project: ProjectId,
    /// Role names.
    pub roles: Vec<String>,
    /// Whether the role `admin` counts as the operator's: not if Keystone has a dedicated project for
    /// administration and the token belongs to another one (`is_admin_project` in a token's body).
    pub is_admin_project: bool,
    /// When the token expires.
    pub expires: Option<Timestamp>,
}

/// The objects that a requester wants to use, as IDs or names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkWish {
    /// Network, by name or id.
    pub network: String,
    /// Subnet, by name or id.
    pub subnet: String,
    /// Security groups, by name or id.
    pub security_groups: Vec<String>,
}

/// These objects, looked up with the requester's rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkGrant {
    /// Network.
    pub network: Network,
    /// Subnet.
    pub subnet: Subnet,
    /// Security groups.
    pub security_groups: Vec<SecurityGroupId>,
}

/// The error code for an invalid token of a requester.
pub const TOKEN_REFUSED: &str = "token_refused";
