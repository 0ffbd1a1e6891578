//! The invariants of every run, with any faults.
//!
//! Some rules hold at any moment; rules about leftovers hold only when no work is in progress
//! ([`Moment::AtRest`]), and rules about everything that the service ever created only when it should
//! have nothing ([`Moment::Emptied`]). The creator of an object owns it, not its mark. A violation names the
//! rule, the object, and the observation.

use std::collections::{BTreeMap, BTreeSet};

use howdah_core::ids::Mac;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::World;
use crate::world::actor::Origin;
use crate::world::bde::BdeTaskStatus;
use crate::world::foreign::{ServicePart, Trespass};
use crate::world::neutron::NeutronPort;
use crate::world::state::State;

/// The moment of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// In the middle of things.
    Anytime,
    /// No operation of the service or of the cluster manager is in progress.
    AtRest,
    /// At rest, and the service has removed all its clusters.
    Emptied,
}

/// A violated rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The rule.
    pub rule: &'static str,
    /// The object.
    pub subject: String,
    /// The observation.
    pub seen: String,
}

impl World {
    /// Checks the rules. `texts` is everything that was logged, stored as an event or answered
    /// as an error: it is searched for the site's passwords.
    pub fn invariants(&self, moment: Moment, texts: &[String]) -> Vec<Violation> {
        let now = self.now();
        let (trespasses, own) = (self.trespasses(), self.service_part());
        self.read(|s| {
            let mut found = Vec::new();
            others_untouched(&trespasses, &mut found);
            s.remedies_on_good_nodes(&mut found);
            s.ports_twice(&mut found);
            s.secrets_shown(texts, &mut found);
            s.tasks_say_why(&mut found);
            if moment != Moment::Anytime {
                s.vms_twice(&mut found);
                s.vms_without_record(&mut found);
                s.ports_without_vm(&mut found);
                s.registrations_without_cluster(&mut found);
                s.tasks_end(now, &mut found);
            }
            if moment == Moment::Emptied {
                nothing_left(&own, &mut found);
            }
            found
        })
    }
}

fn violation(found: &mut Vec<Violation>, rule: &'static str, subject: &str, seen: impl Into<String>) {
    found.push(Violation { rule, subject: subject.to_owned(), seen: seen.into() });
}

impl State {
    fn remedies_on_good_nodes(&self, found: &mut Vec<Violation>) {
        for times in self.journal.vms.values() {
            for remedy in times.remedies.iter().filter(|r| r.addressed && r.what != "power_off") {
                let seen = format!("{} at {} on a node that had an address", remedy.what, remedy.at);
                violation(found, "no_remedy_on_good_node", &times.name, seen);
            }
        }
    }

    fn own_ports(&self) -> impl Iterator<Item = &NeutronPort> {
        self.neutron.ports.values().filter(|p| p.origin == Origin::Service)
    }

    fn macs(&self) -> BTreeSet<Mac> {
        self.vc.vms.values().flat_map(|v| v.nics.iter().map(|n| n.mac)).collect()
    }

    /// A port's name says which card of which node it is for.
    fn ports_twice(&self, found: &mut Vec<Violation>) {
        let macs = self.macs();
        let mut by_card: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        // After a new clone of the node, the old VM's port is an orphan, not a second port.
        for port in self.own_ports().filter(|p| macs.contains(&p.mac)) {
            by_card.entry((&port.network, &port.name)).or_default().push(&port.id);
        }
        for ((_, name), ports) in by_card.into_iter().filter(|(_, p)| p.len() > 1) {
            violation(found, "no_port_twice", name, format!("ports {}", ports.join(", ")));
        }
    }

    fn secrets_shown(&self, texts: &[String], found: &mut Vec<Violation>) {
        let logins = [
            &self.settings.vcenter_login,
            &self.settings.bde_login,
            &self.settings.service_login,
            &self.settings.user_login,
        ];
        let mut secrets: BTreeSet<(&str, &str)> =
            logins.iter().map(|l| (l.user.as_str(), l.password.as_str())).collect();
        for (name, cluster) in &self.bde.clusters {
            secrets.extend(cluster.request.password.as_ref().map(|p| (name.as_str(), p.expose_secret())));
        }
        secrets.extend(self.keystone.tokens.values().map(|t| ("a token", t.id.as_str())));
        for (whose, secret) in secrets.into_iter().filter(|(_, s)| !s.is_empty()) {
            if texts.iter().any(|t| t.contains(secret)) {
                violation(found, "no_secret_shown", whose, "the secret stands in a log, event or error");
            }
        }
    }

    fn tasks_say_why(&self, found: &mut Vec<Violation>) {
        let silent = |t: &&crate::world::bde::BdeTask| t.status == BdeTaskStatus::Failed && t.error.is_none();
        for task in self.bde.tasks.values().filter(silent) {
            violation(found, "every_failure_says_why", &task.target, format!("task {} failed without a word", task.id));
        }
    }

    fn tasks_end(&self, now: jiff::Timestamp, found: &mut Vec<Violation>) {
        for task in self.bde.tasks.values().filter(|t| !t.status.is_final()) {
            let seen = format!("task {} has run since {}, now it is {now}", task.id, task.started);
            violation(found, "every_operation_ends", &task.target, seen);
        }
    }

    fn vms_twice(&self, found: &mut Vec<Violation>) {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for vm in self.vc.vms.values().filter(|v| v.cluster.is_some()) {
            *names.entry(&vm.name).or_default() += 1;
        }
        for (name, count) in names.into_iter().filter(|(_, n)| *n > 1) {
            violation(found, "one_vm_per_node", name, format!("{count} VMs"));
        }
    }

    fn vms_without_record(&self, found: &mut Vec<Violation>) {
        for vm in self.vc.vms.values() {
            let Some(cluster) = &vm.cluster else { continue };
            // By reference: a VM may have been renamed.
            let mut recorded = self.bde.clusters.get(cluster).into_iter().flat_map(|c| c.nodes());
            if !recorded.any(|n| n.vm.as_ref() == Some(&vm.moref)) {
                violation(found, "no_vm_without_record", &vm.name, format!("{} of cluster {cluster}", vm.moref));
            }
        }
    }

    fn ports_without_vm(&self, found: &mut Vec<Violation>) {
        let macs = self.macs();
        for port in self.own_ports().filter(|p| !macs.contains(&p.mac)) {
            let seen = format!("port {} of {} no longer has a VM", port.id, port.mac);
            violation(found, "no_port_without_owner", &port.name, seen);
        }
    }

    fn registrations_without_cluster(&self, found: &mut Vec<Violation>) {
        let own = self.bde.networks.values().filter(|n| n.origin == Origin::Service);
        for network in own.filter(|n| self.bde.user_of_network(&n.name).is_none()) {
            let seen = format!("registered by the service for {}, and no cluster uses it", network.port_group);
            violation(found, "no_registration_without_user", &network.name, seen);
        }
    }
}

fn others_untouched(trespasses: &[Trespass], found: &mut Vec<Violation>) {
    for trespass in trespasses {
        let seen = format!("{}: {}", trespass.at, trespass.changes.join("; "));
        violation(found, "others_untouched", &trespass.action, seen);
    }
}

fn nothing_left(own: &ServicePart, found: &mut Vec<Violation>) {
    let rows =
        [("cluster", &own.clusters), ("VM", &own.vms), ("port", &own.ports), ("registration", &own.registrations)];
    for (what, name) in rows.into_iter().flat_map(|(what, names)| names.iter().map(move |n| (what, n))) {
        violation(found, "nothing_left_behind", name, format!("a {what} of the service's"));
    }
}
