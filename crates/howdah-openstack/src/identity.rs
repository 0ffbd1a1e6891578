//! The requester, and what they may use.
//!
//! Keystone verifies a requester's token with the service's token; if the service may not verify other
//! tokens, the token verifies itself, which Keystone always allows. The requester's objects are then looked
//! up in Neutron *with their token*: they can use only what Neutron shows them.
//!
//! Keystone decides whether a token has expired, because our wall clock may be wrong. A clock that was
//! stepped forward costs one call per request; a clock that was stepped back extends a token by at most the
//! minute for which it is cached anyway.

use std::time::Duration;

use async_trait::async_trait;
use howdah_core::failure::System;
use howdah_core::ids::{ProjectId, SecurityGroupId};
use howdah_core::rights::Standing;
use howdah_core::systems::Remote;
use howdah_core::systems::identity::Principal;
use howdah_core::systems::identity::{Identity, NetworkGrant, NetworkWish};
use howdah_core::systems::networking::Network;
use http::Method;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::What;
use crate::keystone::TokenBody;
use crate::session::{As, Call, Token};
use crate::wire::{GroupBody, NetworkBody, SubnetBody};
use crate::{Error, OpenStack};

impl What {
    /// Neutron's plural and singular.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Network => ("networks", "network"),
            Self::Subnet => ("subnets", "subnet"),
            Self::SecurityGroup => ("security-groups", "security_group"),
        }
    }
}

/// Objects that are found by ID or name.
trait Found {
    fn id(&self) -> &str;
}

impl Found for NetworkBody {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Found for SubnetBody {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Found for GroupBody {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Both forms of a UUID that OpenStack uses, with dashes and without.
fn is_id(wish: &str) -> bool {
    Uuid::try_parse(wish).is_ok()
}

impl OpenStack {
    /// The requester of a token, possibly from the cache.
    async fn verify(&self, token: &SecretString) -> Result<Principal, Error> {
        match self.inner.seen.get(token, self.inner.clock.mono()) {
            Some(principal) => Ok(principal),
            None => self.verify_anew(token).await,
        }
    }

    async fn verify_anew(&self, token: &SecretString) -> Result<Principal, Error> {
        let now = self.inner.clock.mono();
        let mut call = Call::new(System::Keystone, "verify a token", Method::GET, &["v3", "auth", "tokens"]);
        call.subject = Some(token.clone());
        let mut answer = self.call(As::ServiceFor, &call).await;
        if answer.as_ref().is_err_and(|e| e.is_status(403)) {
            answer = self.call(As::Requester(token), &call).await;
        }
        let answer = answer.map_err(|e| {
            if !e.is_status(404) {
                return e;
            }
            self.inner.seen.forget(token);
            Error::RequesterToken
        })?;
        let info = answer.json::<TokenBody>()?.token;
        let principal = info.principal()?;
        let left = principal.expires.map(|end| end.duration_since(self.inner.clock.now()));
        let left = left.map_or(Duration::MAX, |left| Duration::try_from(left).unwrap_or_default());
        let until = now.plus(left.min(self.inner.settings.token_cache));
        self.inner.seen.put(token, principal.clone(), until, now);
        Ok(principal)
    }

    /// Verifies the service's own token with Keystone, which always allows that; a refused token is
    /// renewed.
    async fn verify_own(&self) -> Result<(), Error> {
        let token = self.token().await?;
        match self.verify_as_own(&token).await {
            // It was renewed on the way, and the old one is the subject that Keystone does not find.
            Err(e) if e.is_status(404) => match self.token().await? {
                renewed if !std::sync::Arc::ptr_eq(&renewed, &token) => self.verify_as_own(&renewed).await,
                _ => Err(e),
            },
            other => other,
        }
    }

    async fn verify_as_own(&self, token: &Token) -> Result<(), Error> {
        let step = "verify the service's own token";
        let mut call = Call::new(System::Keystone, step, Method::GET, &["v3", "auth", "tokens"]);
        call.query.push(("nocatalog", String::new()));
        call.subject = Some(token.value.clone());
        self.call(As::Service, &call).await.map(drop)
    }

    /// One object by ID or name. An unknown ID may still be a name.
    async fn find<T: Found + DeserializeOwned>(
        &self,
        who: As<'_>,
        what: What,
        wish: &str,
        filter: Option<(&'static str, &str)>,
    ) -> Result<Option<T>, Error> {
        let (kinds, kind) = what.words();
        if is_id(wish)
            && let Some(found) = self.show::<T>(who, "look up an object", kinds, kind, wish).await?
        {
            return Ok(Some(found));
        }
        let mut query = vec![("name", wish.to_owned())];
        query.extend(filter.map(|(key, value)| (key, value.to_owned())));
        let key = kinds.replace('-', "_");
        let mut found: Vec<T> = self.list_as(who, "look up an object", kinds, &key, query).await?;
        if found.len() > 1 {
            let ids = found.iter().map(|f| f.id().to_owned()).collect();
            return Err(Error::Ambiguous { what, wish: wish.to_owned(), ids });
        }
        Ok(found.pop())
    }

    async fn find_all(&self, token: Option<&SecretString>, wish: &NetworkWish) -> Result<NetworkGrant, Error> {
        let (who, project, whom) = match token {
            Some(token) => {
                let project = self.verify(token).await?.project;
                (As::Requester(token), Some(project.as_str().to_owned()), "the requester")
            }
            None => (As::ServiceFor, self.token().await?.project.clone(), "the service"),
        };
        let missing = |what, wish: &str, place: String| Error::NotFound { what, wish: wish.to_owned(), whom, place };

        let network: NetworkBody = self
            .find(who, What::Network, &wish.network, None)
            .await?
            .ok_or_else(|| missing(What::Network, &wish.network, String::new()))?;
        let network = Network::from(network);

        let on_it = ("network_id", network.id.as_str());
        let subnet: SubnetBody = self
            .find(who, What::Subnet, &wish.subnet, Some(on_it))
            .await?
            .filter(|s: &SubnetBody| s.network_id == network.id.as_str())
            .ok_or_else(|| missing(What::Subnet, &wish.subnet, format!(" on the network {:?}", network.name)))?;

        let mut security_groups = vec![];
        for group in &wish.security_groups {
            // A user with the role `admin` sees every project's `default`.
            let own = project.as_deref().map(|p| ("project_id", p));
            let found: GroupBody = self
                .find(who, What::SecurityGroup, group, own)
                .await?
                .ok_or_else(|| missing(What::SecurityGroup, group, String::new()))?;
            let id = SecurityGroupId::new(found.id);
            if !security_groups.contains(&id) {
                security_groups.push(id);
            }
        }
        Ok(NetworkGrant { network, subnet: self.with_use(subnet).await?, security_groups })
    }
}

#[async_trait]
impl Identity for OpenStack {
    async fn authenticate(&self, token: &SecretString) -> Remote<Principal> {
        Ok(self.verify(token).await?)
    }

    async fn authenticate_anew(&self, token: &SecretString) -> Remote<Principal> {
        Ok(self.verify_anew(token).await?)
    }

    async fn still_may(&self, user: &str, project: &ProjectId) -> Remote<Standing> {
        Ok(self.standing(user, project).await?)
    }

    fn recall(&self, token: &SecretString) -> Option<Principal> {
        self.inner.seen.get(token, self.inner.clock.mono())
    }

    async fn own_login(&self) -> Remote<()> {
        Ok(self.verify_own().await?)
    }

    async fn grant(&self, token: Option<&SecretString>, wish: &NetworkWish) -> Remote<NetworkGrant> {
        Ok(self.find_all(token, wish).await?)
    }
}
