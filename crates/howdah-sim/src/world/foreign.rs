//! The part of the world that is not the service's, and the part that is.
//!
//! The creator of an object decides ([`Origin`]), never a mark of the product. A
//! [`ForeignPart`] is compared with a later one; a guard ([`World::guard`]) compares at every
//! write of the service and names the original call of a change. Properties that change with time (tools,
//! reported addresses, a node's action) are in neither.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug};

use howdah_core::ids::{Mac, VmRef};
use howdah_core::systems::vcenter::Power;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::world::World;
use crate::world::actor::Origin;
use crate::world::bde::{BdeCluster, BdeNetwork, BdeNode, BdeStatus, NodeStatus};
use crate::world::inventory::{Backing, MoRef, Nic, Vm};
use crate::world::neutron::NeutronPort;
use crate::world::state::State;

/// A copy of some fields of something, with a comparison that copies nothing.
macro_rules! part {
    ($name:ident of $source:ty { $($field:ident: $ty:ty,)* }) => {
        #[derive(Debug, Clone, PartialEq)]
        struct $name { $($field: $ty,)* }

        impl $name {
            fn of(source: &$source) -> Self {
                Self { $($field: source.$field.clone(),)* }
            }

            fn is(&self, source: &$source) -> bool {
                $(self.$field == source.$field)&&*
            }
        }
    };
}

part!(NicPart of Nic {
    key: i32,
    mac: Mac,
    backing: Backing,
    connected: bool,
    start_connected: bool,
    allow_guest_control: bool,
    external_id: Option<String>,
});

part!(VmFields of Vm {
    name: String,
    folder: MoRef,
    instance_uuid: Uuid,
    configured: bool,
    change_version: u64,
    power: Power,
    boot_time: Option<Timestamp>,
    boot: u64,
    extra_config: BTreeMap<String, String>,
    cpus: u32,
    memory_mb: u32,
    disks_gb: Vec<u32>,
});

part!(NodePart of BdeNode {
    name: String,
    vm: Option<VmRef>,
    status: NodeStatus,
});

part!(ClusterFields of BdeCluster {
    status: BdeStatus,
    task: i64,
    created: Timestamp,
});

#[derive(Debug, Clone, PartialEq)]
struct VmPart {
    fields: VmFields,
    nics: Vec<NicPart>,
}

impl VmPart {
    fn of(vm: &Vm) -> Self {
        Self { fields: VmFields::of(vm), nics: vm.nics.iter().map(NicPart::of).collect() }
    }

    fn is(&self, vm: &Vm) -> bool {
        self.fields.is(vm) && same(self.nics.iter(), vm.nics.iter(), NicPart::is)
    }
}

#[derive(Debug, Clone, PartialEq)]
struct ClusterPart {
    fields: ClusterFields,
    /// Nodes defined, by group.
    defined: Vec<(String, u32)>,
    nodes: Vec<NodePart>,
}

impl ClusterPart {
    fn of(cluster: &BdeCluster) -> Self {
        Self {
            fields: ClusterFields::of(cluster),
            defined: cluster.groups.iter().map(|g| (g.request.name.clone(), g.request.count)).collect(),
            nodes: cluster.nodes().map(NodePart::of).collect(),
        }
    }

    fn is(&self, cluster: &BdeCluster) -> bool {
        let defined = |(name, count): &(String, u32), group: &crate::world::bde::BdeGroup| {
            *name == group.request.name && *count == group.request.count
        };
        self.fields.is(cluster)
            && same(self.defined.iter(), cluster.groups.iter(), defined)
            && same(self.nodes.iter(), cluster.nodes(), NodePart::is)
    }
}

/// Whether two rows are of one length and every pair fits.
fn same<A, B>(
    mut parts: impl Iterator<Item = A>,
    mut things: impl Iterator<Item = B>,
    fits: impl Fn(A, B) -> bool,
) -> bool {
    loop {
        let fit = match (parts.next(), things.next()) {
            (None, None) => return true,
            (Some(part), Some(thing)) => fits(part, thing),
            _ => false,
        };
        if !fit {
            return false;
        }
    }
}

/// Everything that is not the service's: others' VMs with their cards, clusters with their nodes,
/// ports, and registrations of networks.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignPart {
    vms: BTreeMap<VmRef, VmPart>,
    clusters: BTreeMap<String, ClusterPart>,
    ports: BTreeMap<String, NeutronPort>,
    registrations: BTreeMap<String, BdeNetwork>,
}

fn is_foreign(origin: Origin) -> bool {
    origin == Origin::People
}

impl ForeignPart {
    fn of(s: &State) -> Self {
        let vms = s.vc.vms.iter().filter(|(_, v)| is_foreign(v.origin));
        let clusters = s.bde.clusters.iter().filter(|(_, c)| is_foreign(c.origin));
        let ports = s.neutron.ports.iter().filter(|(_, p)| is_foreign(p.origin));
        let registrations = s.bde.networks.iter().filter(|(_, n)| is_foreign(n.origin));
        Self {
            vms: vms.map(|(k, v)| (k.clone(), VmPart::of(v))).collect(),
            clusters: clusters.map(|(k, c)| (k.clone(), ClusterPart::of(c))).collect(),
            ports: ports.map(|(k, p)| (k.clone(), p.clone())).collect(),
            registrations: registrations.map(|(k, n)| (k.clone(), n.clone())).collect(),
        }
    }

    /// Whether it is still what the state holds.
    fn holds(&self, s: &State) -> bool {
        let vms = s.vc.vms.iter().filter(|(_, v)| is_foreign(v.origin));
        let clusters = s.bde.clusters.iter().filter(|(_, c)| is_foreign(c.origin));
        let ports = s.neutron.ports.values().filter(|p| is_foreign(p.origin));
        let registrations = s.bde.networks.values().filter(|n| is_foreign(n.origin));
        same(self.vms.iter(), vms, |(key, part), (vm, found)| key == vm && part.is(found))
            && same(self.clusters.iter(), clusters, |(key, part), (name, found)| key == name && part.is(found))
            && same(self.ports.values(), ports, |part, port| part == port)
            && same(self.registrations.values(), registrations, |part, network| part == network)
    }

    /// What is different in a later one, a line for each thing.
    pub fn changes(&self, later: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        compare("VM", &self.vms, &later.vms, &mut lines);
        compare("cluster", &self.clusters, &later.clusters, &mut lines);
        compare("port", &self.ports, &later.ports, &mut lines);
        compare("registration", &self.registrations, &later.registrations, &mut lines);
        lines
    }
}

fn compare<K: Ord + fmt::Display, T: PartialEq + Debug>(
    what: &str,
    before: &BTreeMap<K, T>,
    after: &BTreeMap<K, T>,
    lines: &mut Vec<String>,
) {
    for key in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        match (before.get(key), after.get(key)) {
            (Some(old), None) => lines.push(format!("{what} {key} is gone: {old:?}")),
            (None, Some(new)) => lines.push(format!("{what} {key} is new: {new:?}")),
            (Some(old), Some(new)) if old != new => {
                lines.push(format!("{what} {key} has changed: {}", fields_changed(old, new)));
            }
            _ => {}
        }
    }
}

/// The fields that differ, as `Debug` writes them one on a line.
fn fields_changed(old: &impl Debug, new: &impl Debug) -> String {
    let (old, new) = (format!("{old:#?}"), format!("{new:#?}"));
    let only = |these: &str, those: &str| {
        let those: BTreeSet<_> = those.lines().collect();
        let lines: Vec<_> = these.lines().filter(|l| !those.contains(l)).map(str::trim).collect();
        lines.join(" ")
    };
    format!("{} -> {}", only(&old, &new), only(&new, &old))
}

/// What the service made and is still there, by name; its registrations by registered name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ServicePart {
    /// The cluster manager's clusters.
    pub clusters: Vec<String>,
    /// VMs.
    pub vms: Vec<String>,
    /// Ports.
    pub ports: Vec<String>,
    /// Registrations of networks.
    pub registrations: Vec<String>,
}

impl ServicePart {
    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How many clusters, VMs, ports and registrations.
    pub fn counts(&self) -> (usize, usize, usize, usize) {
        (self.clusters.len(), self.vms.len(), self.ports.len(), self.registrations.len())
    }
}

/// A change that the service made to what is not its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trespass {
    /// When.
    pub at: Timestamp,
    /// The call that it goes back to.
    pub action: String,
    /// What changed.
    pub changes: Vec<String>,
}

/// Watches over what is not the service's.
#[derive(Debug)]
pub(crate) struct Guard {
    seen: ForeignPart,
    /// Somebody else has written since.
    stale: bool,
    found: Vec<Trespass>,
}

/// Makes a change, under the eyes of the guard if there is one.
pub(crate) fn guarded<R>(s: &mut State, change: impl FnOnce(&mut State) -> R) -> R {
    // Out of the state while it is looked at.
    let Some(mut guard) = s.guard.take() else {
        return change(s);
    };
    let by_service = s.actor.origin == Origin::Service;
    if by_service && guard.stale {
        guard.seen = ForeignPart::of(s);
    }
    guard.stale = !by_service;
    let result = change(s);
    if by_service && !guard.seen.holds(s) {
        let now = ForeignPart::of(s);
        let (action, changes) = (s.actor.action.to_string(), guard.seen.changes(&now));
        guard.found.push(Trespass { at: s.now, action, changes });
        guard.seen = now;
    }
    s.guard = Some(guard);
    result
}

impl World {
    /// The part of the world that is not the service's, as it is now.
    pub fn foreign_part(&self) -> ForeignPart {
        self.read(ForeignPart::of)
    }

    /// What the service made and is still there.
    pub fn service_part(&self) -> ServicePart {
        self.read(|s| {
            let own = |origin| origin == Origin::Service;
            let clusters = s.bde.clusters.iter().filter(|(_, c)| own(c.origin));
            let vms = s.vc.vms.values().filter(|v| own(v.origin));
            let ports = s.neutron.ports.values().filter(|p| own(p.origin));
            let registrations = s.bde.networks.values().filter(|n| own(n.origin));
            ServicePart {
                clusters: clusters.map(|(name, _)| name.clone()).collect(),
                vms: vms.map(|v| v.name.clone()).collect(),
                ports: ports.map(|p| p.name.clone()).collect(),
                registrations: registrations.map(|n| n.name.clone()).collect(),
            }
        })
    }

    /// From now on every write of the service's is looked at: see [`World::trespasses`]. It costs a
    /// comparison for each thing of others at each such write.
    pub fn guard(&self) {
        let seen = self.foreign_part();
        self.lock().guard = Some(Guard { seen, stale: true, found: Vec::new() });
    }

    /// What the service has done to things of others since the guard was set.
    pub fn trespasses(&self) -> Vec<Trespass> {
        self.read(|s| s.guard.as_ref().map(|g| g.found.clone()).unwrap_or_default())
    }
}
