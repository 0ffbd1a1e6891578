//! A site's network registrations in the cluster manager: who uses them, and when they go.
//!
//! ```text
//!   need:    user stored --> looked up: there  --> its name
//!                                       absent --> registered --> its name
//!   release: user removed --> others use it, or it is not ours: stays
//!                         --> the last user: settled? --> unregistered --> forgotten
//! ```
//!
//! Invariants: there is one registrar for each site, and it does one thing at a time, so two
//! clusters never decide about one registration from old knowledge; that we may have made a
//! registration, and for whom, is in the store before it is made, so no crash leaves one behind.
//! A registration that others made is used and never removed, nor is one by which others replaced ours. BDE's
//! networks have no ID: ours is recognised by its name, port group and use of DHCP. One whose making was not answered may
//! still turn up: it is not forgotten before that has had its time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::failure::{ErrorKind, RemoteError, System};
use crate::ids::{ClusterKey, NetworkId, SiteName};
use crate::store::Store;
use crate::systems::Remote;
use crate::systems::manager::ClusterManager;
use crate::systems::manager::{RegisteredNetwork, Unregistered};
use crate::systems::vcenter::Segment;
use crate::time::Clock;
use crate::time::Mono;

/// A network's registration in the cluster manager that Howdah made, or is about to make. It
/// belongs to the site; its one writer is the site's [registrar](Registrar).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Registered name.
    pub name: String,
    /// Port group name.
    pub port_group: String,
    /// Clusters that use it. With the last one it is removed.
    #[serde(default)]
    pub users: BTreeSet<ClusterKey>,
    /// A call to make it is under way, or its answer is not known: it may still turn up.
    #[serde(default)]
    pub open: bool,
}

impl Registration {
    /// Whether this may be the network that we registered: it has the name and the fields that we sent.
    fn made(&self, shown: &RegisteredNetwork) -> bool {
        shown.name == self.name && shown.port_group == self.port_group && shown.dhcp
    }
}

/// The one who decides about a site's registrations.
pub struct Registrar {
    site: SiteName,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// How long the manager may go on with a call after it was given up.
    settles: Duration,
    /// One at a time; and until when registrations whose making was not answered may turn up.
    turn: Mutex<BTreeMap<String, Mono>>,
}

impl std::fmt::Debug for Registrar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registrar({})", self.site)
    }
}

impl Registrar {
    /// The registrar of a site. There must be no other for it. `settles`: how long the manager may
    /// go on with a call after it was given up.
    pub fn new(site: SiteName, store: Arc<dyn Store>, clock: Arc<dyn Clock>, settles: Duration) -> Self {
        Self { site, store, clock, settles, turn: Mutex::default() }
    }

    /// The name under which the cluster manager knows the network of this segment, for a cluster
    /// that is going to use it. What was known before is looked up again.
    ///
    /// # Errors
    /// If the store or the manager fails; whatever was done by then, [`release`](Self::release) undoes.
    pub async fn need(
        &self,
        who: &ClusterKey,
        manager: &dyn ClusterManager,
        network: &NetworkId,
        segment: &Segment,
    ) -> Remote<String> {
        if segment.switch.is_none() {
            return Err(opaque(segment));
        }
        let mut open = self.turn.lock().await;
        // Letters, digits, `-`: what the cluster manager takes; and the same at every try.
        let name = format!("howdah-{network}");
        let known = manager.networks().await?;
        let ours = self.store.registrations(&self.site).await?.into_iter().find(|r| r.name == name);
        let there = known.iter().find(|n| n.port_group == segment.name && n.dhcp);
        let shown = known.iter().find(|n| n.name == name);
        let is_others = shown.is_some_and(|n| ours.as_ref().is_none_or(|r| !r.made(n)));
        if let Some(theirs) = there.filter(|n| n.name != name || is_others) {
            return Ok(theirs.name.clone());
        }
        if is_others {
            return Err(name_taken(&name));
        }
        let was_open = ours.as_ref().is_some_and(|r| r.open);
        let users = ours.map(|r| r.users).unwrap_or_default();
        let registration = Registration {
            name: name.clone(),
            port_group: segment.name.clone(),
            users: users.into_iter().chain([who.clone()]).collect(),
            open: there.is_none(),
        };
        // Ours, but for a port group that NSX has recreated since: new clusters cannot use it.
        if there.is_none() && shown.is_some() && manager.unregister_network(&name).await? == Unregistered::InUse {
            return Err(still_used(&name));
        }
        self.store.save_registration(&self.site, &registration).await?;
        if there.is_none() {
            let port_group = registration.port_group.clone();
            let network = RegisteredNetwork { name: name.clone(), port_group, dhcp: true };
            // Until it is answered, and if it never is.
            let before = open.insert(name.clone(), self.clock.mono().plus(self.settles));
            let made = manager.register_network(&network).await;
            open.insert(name.clone(), self.clock.mono().plus(self.settles));
            if made.as_ref().err().is_none_or(|e| !e.kind.is_ambiguous()) {
                match before {
                    Some(earlier) => open.insert(name.clone(), earlier),
                    None => open.remove(&name),
                };
                match &made {
                    Ok(()) => {
                        let made = Registration { open: false, ..registration };
                        self.store.save_registration(&self.site, &made).await?;
                    }
                    // One that was asked for earlier, by this process or the one before, may still turn up.
                    Err(_) if was_open || before.is_some() => {}
                    // It does not exist, and no call of ours is in flight: a later one of this name belongs to others.
                    Err(_) => self.store.remove_registration(&self.site, &name).await?,
                }
            }
            made?;
        }
        Ok(name)
    }

    /// The cluster no longer uses a registration. Our registration is removed with its last user.
    ///
    /// # Errors
    /// If the store or the manager fails; it can be repeated.
    pub async fn release(&self, who: &ClusterKey, manager: &dyn ClusterManager) -> Remote<()> {
        let mut open = self.turn.lock().await;
        for registration in self.store.registrations(&self.site).await? {
            let users: BTreeSet<_> = registration.users.iter().filter(|u| *u != who).cloned().collect();
            if users.len() == registration.users.len() && !users.is_empty() {
                continue;
            }
            if users.is_empty() {
                let now = self.clock.mono();
                if registration.open {
                    // Of a process before this one: counted from when this one saw it first.
                    open.entry(registration.name.clone()).or_insert(now.plus(self.settles));
                }
                if open.get(&registration.name).is_some_and(|until| *until > now) {
                    return Err(may_turn_up(&registration.name));
                }
                open.remove(&registration.name);
                let shown = manager.networks().await?.into_iter().find(|n| n.name == registration.name);
                let removed = match shown {
                    // Ours is gone: others made this one in its place.
                    Some(shown) if !registration.made(&shown) => Unregistered::Absent,
                    _ => manager.unregister_network(&registration.name).await?,
                };
                match removed {
                    Unregistered::Removed | Unregistered::Absent => {
                        self.store.remove_registration(&self.site, &registration.name).await?;
                        continue;
                    }
                    // A cluster of somebody else uses it: it stays, and stays known as ours.
                    Unregistered::InUse => {}
                }
            }
            self.store.save_registration(&self.site, &Registration { users, ..registration }).await?;
        }
        Ok(())
    }
}

/// Its port group was recreated, and earlier clusters use it.
fn still_used(name: &str) -> RemoteError {
    let message =
        format!("BDE's network {name} refers to a port group that no longer exists, and earlier clusters use it");
    RemoteError::new(System::Bde, ErrorKind::Conflict, "bde_network_still_used", message)
        .hint("Delete these clusters, or remove the network in BDE after they are deleted.")
}

/// The answer to its making is not known: a look that does not show it decides nothing yet.
fn may_turn_up(name: &str) -> RemoteError {
    let message = format!("the answer to the registration of {name} was lost; BDE may still register it");
    RemoteError::new(System::Bde, ErrorKind::Conflict, "bde_network_may_turn_up", message)
}

/// BDE looks up the name in vCenter among standard and distributed port groups only.
fn opaque(segment: &Segment) -> RemoteError {
    let message =
        format!("the network's segment {} is an opaque network (N-VDS), which BDE does not support", segment.name);
    RemoteError::new(System::Bde, ErrorKind::Invalid, "segment_opaque", message)
        .hint("Use a network whose segment has a distributed port group: BDE needs NSX-T on VDS 7 or later.")
}

/// Others gave our name to another port group, or to static addresses: it serves nobody of ours.
fn name_taken(name: &str) -> RemoteError {
    let message = format!(
        "BDE already has a network {name}, for another port group or without DHCP, and Howdah did not register it"
    );
    RemoteError::new(System::Bde, ErrorKind::Conflict, "bde_network_name_taken", message)
        .hint("Delete that network in BDE if nothing uses it.")
}

#[cfg(test)]
#[path = "registrar_tests.rs"]
mod tests;
