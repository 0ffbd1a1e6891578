//! The simulated Keystone, and Neutron with a requester's own rights, as core's `Identity`.

use async_trait::async_trait;
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{ProjectId, SecurityGroupId};
use howdah_core::rights::Standing;
use howdah_core::systems::Remote;
use howdah_core::systems::identity::Principal;
use howdah_core::systems::identity::{Identity, NetworkGrant, NetworkWish, TOKEN_REFUSED};
use secrecy::{ExposeSecret as _, SecretString};

use super::call_now;
use super::networking::{network, subnet};
use crate::World;
use crate::world::keystone::{KeystoneError, Method, Token};
use crate::world::neutron::{Caller, NeutronSubnet, SecurityGroup};
use crate::world::state::State;

/// Core's view of the simulated Keystone.
#[derive(Debug, Clone)]
pub struct SimIdentity(World);

impl SimIdentity {
    /// Over a world.
    pub const fn new(world: World) -> Self {
        Self(world)
    }
}

/// A requester's token that is wrong, revoked or expired.
fn refused() -> RemoteError {
    RemoteError { code: TOKEN_REFUSED, ..KeystoneError::unauthorized().into() }
}

/// A requester's token that is good, and its project.
fn scoped(world: &World, token: &SecretString) -> Remote<(Token, ProjectId)> {
    let found = world.token(token.expose_secret()).ok_or_else(refused)?;
    let Some(project) = found.project.clone() else {
        let error = RemoteError::from(KeystoneError::forbidden("the token is not scoped to a project"));
        return Err(RemoteError { code: "token_without_project", ..error });
    };
    Ok((found, ProjectId::new(project)))
}

fn missing(what: &str, wish: &str) -> RemoteError {
    let code = match what {
        "network" => "network_not_found",
        "subnet" => "subnet_not_found",
        _ => "security_group_not_found",
    };
    let says = format!("the {what} {wish} does not exist, or you may not use it");
    RemoteError::new(System::Neutron, ErrorKind::NotFound, code, says)
}

/// Finds the one that an id or a name means.
fn one<'a, T>(
    what: &str,
    wish: &str,
    all: impl Iterator<Item = &'a T>,
    id_and_name: impl Fn(&T) -> (&str, &str),
) -> Remote<&'a T> {
    let mut named = Vec::new();
    for item in all {
        let (id, name) = id_and_name(item);
        if id == wish {
            return Ok(item);
        }
        if name == wish {
            named.push(item);
        }
    }
    match named.as_slice() {
        [only] => Ok(*only),
        [] => Err(missing(what, wish)),
        several => {
            let code = match what {
                "network" => "network_ambiguous",
                "subnet" => "subnet_ambiguous",
                _ => "security_group_ambiguous",
            };
            let says = format!("{} {what}s are called {wish}", several.len());
            Err(RemoteError::new(System::Neutron, ErrorKind::Invalid, code, says))
        }
    }
}

fn grant(s: &State, caller: &Caller, wish: &NetworkWish) -> Remote<NetworkGrant> {
    let visible = s.neutron.networks.values().filter(|n| s.sees_network(n, caller));
    let found = one("network", &wish.network, visible, |n| (&n.id, &n.name))?;
    let on_it = s.neutron.subnets.values().filter(|n| n.network == found.id);
    let its = one("subnet", &wish.subnet, on_it, |n: &NeutronSubnet| (&n.id, &n.name))?;
    // By name only the own project's: every project has a `default`.
    let own = |w: &str| {
        let all = s.neutron.groups.values();
        all.filter(|g| g.project == caller.project || (caller.admin && g.id == w)).collect::<Vec<_>>()
    };
    let mut security_groups = Vec::new();
    for wish in &wish.security_groups {
        let group = one("security group", wish, own(wish).into_iter(), |g: &SecurityGroup| (&g.id, &g.name))?;
        let id = SecurityGroupId::new(group.id.clone());
        if !security_groups.contains(&id) {
            security_groups.push(id);
        }
    }
    Ok(NetworkGrant { network: network(found), subnet: subnet(s, its), security_groups })
}

#[async_trait]
impl Identity for SimIdentity {
    async fn authenticate(&self, token: &SecretString) -> Remote<Principal> {
        let token = token.clone();
        let look = move |w: &World| {
            let (found, project) = scoped(w, &token)?;
            let user_name = w.read(|s| s.keystone.users.get(&found.user).map(|u| u.name.clone()));
            Ok(Principal {
                user: found.user,
                user_name: user_name.unwrap_or_default(),
                project,
                roles: found.roles,
                is_admin_project: true,
                expires: Some(found.expires),
            })
        };
        call_now(&self.0, System::Keystone, "authenticate", "", look).await
    }

    async fn authenticate_anew(&self, token: &SecretString) -> Remote<Principal> {
        // Nothing is remembered here.
        self.authenticate(token).await
    }

    async fn still_may(&self, user: &str, project: &ProjectId) -> Remote<Standing> {
        let (user, project) = (user.to_owned(), project.to_string());
        let object = user.clone();
        let look = move |w: &World| {
            w.read(|s| {
                let k = &s.keystone;
                let roles = k.assignments.get(&(user.clone(), project.clone())).cloned().unwrap_or_default();
                let by_roles = Standing::by_roles(&roles);
                Ok(match by_roles {
                    Standing::Good if !k.users.get(&user).is_some_and(|u| u.enabled) => Standing::without_user(),
                    Standing::Good if !k.projects.get(&project).is_some_and(|p| p.enabled) => {
                        Standing::without_project()
                    }
                    other => other,
                })
            })
        };
        match call_now(&self.0, System::Keystone, "role_assignments", &object, look).await {
            Err(e) if e.kind == ErrorKind::Forbidden => Ok(Standing::Hidden),
            asked => asked,
        }
    }

    fn recall(&self, _: &SecretString) -> Option<Principal> {
        None
    }

    async fn own_login(&self) -> Remote<()> {
        let log_in = |w: &World| {
            let (login, project) = w.read(|s| (s.settings.service_login.clone(), s.settings.projects.first().cloned()));
            w.issue_token(&Method::Password { user: login.user, password: login.password }, project.as_deref())?;
            Ok(())
        };
        call_now(&self.0, System::Keystone, "own_login", "", log_in).await
    }

    async fn grant(&self, token: Option<&SecretString>, wish: &NetworkWish) -> Remote<NetworkGrant> {
        let (token, sought) = (token.cloned(), wish.clone());
        let look = move |w: &World| {
            let caller = match &token {
                Some(token) => {
                    scoped(w, token)?;
                    w.caller(token.expose_secret()).ok_or_else(refused)?
                }
                None => w.service(),
            };
            w.read(|s| grant(s, &caller, &sought))
        };
        call_now(&self.0, System::Neutron, "grant", &wish.network, look).await
    }
}
