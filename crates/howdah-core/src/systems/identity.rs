//! OpenStack Identity (Keystone), and the requester's own view of Networking: who somebody is, and what
//! they may use.
//!
//! Invariant: nothing here decides on a right; it says what Keystone and Neutron answered.

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
    /// Verifies a token. `Credentials` with [`TOKEN_REFUSED`] if it is not good; with any other
    /// code it is the service's own credentials that were refused.
    async fn authenticate(&self, token: &SecretString) -> Remote<Principal>;

    /// The same, asked anew: what is remembered of a question of before does not count.
    async fn authenticate_anew(&self, token: &SecretString) -> Remote<Principal>;

    /// Whether a user still has the right to write in a project, asked with the service's own
    /// credentials. That these may not ask is [`Standing::Hidden`] and no error.
    async fn still_may(&self, user: &str, project: &ProjectId) -> Remote<Standing>;

    /// Whom [`authenticate`](Self::authenticate) found a moment ago, as far as the adapter believes that
    /// without asking again. Asks nobody.
    fn recall(&self, token: &SecretString) -> Option<Principal>;

    /// Whether the service's own login is good, asked now: what the health of Keystone is told by.
    async fn own_login(&self) -> Remote<()>;

    /// Finds what was asked for with the requester's token, so that nobody gets the use of a
    /// network, subnet or group that they may not see. `NotFound` names what was not found.
    /// Without a token (a local user, who is the operator) the service's own rights count.
    async fn grant(&self, token: Option<&SecretString>, wish: &NetworkWish) -> Remote<NetworkGrant>;
}

/// Who is asking, as Keystone vouches for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// User id.
    pub user: String,
    /// User name, for people.
    pub user_name: String,
    /// The project the token is scoped to.
    pub project: ProjectId,
    /// Role names.
    pub roles: Vec<String>,
    /// Whether the role `admin` counts as the operator's: not where Keystone has one project for
    /// administration and says that the token's is another (`is_admin_project` in a token's body).
    pub is_admin_project: bool,
    /// When the token ends.
    pub expires: Option<Timestamp>,
}

/// What a requester asked to use, as ids or names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkWish {
    /// Network, by name or id.
    pub network: String,
    /// Subnet, by name or id.
    pub subnet: String,
    /// Security groups, by name or id.
    pub security_groups: Vec<String>,
}

/// The same, found with the requester's own rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkGrant {
    /// Network.
    pub network: Network,
    /// Subnet.
    pub subnet: Subnet,
    /// Security groups.
    pub security_groups: Vec<SecurityGroupId>,
}

/// The code of an error that says that a requester's token is not good.
pub const TOKEN_REFUSED: &str = "token_refused";
