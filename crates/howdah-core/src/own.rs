//! Ownership. Every writing action carries a token of this module, and only this module creates tokens:
//! so nothing is written before ownership is established.
//!
//! The *place* is the cluster manager's cluster of our name. A cluster there is ours by
//! *identity* (it has a VM that we recorded, or a task of ours runs on it), or it has
//! only the *likeness* of our create call's request, or neither.
//!
//! | our create call | place empty, by a look requested after the call's end | identity | likeness | neither |
//! |---|---|---|---|---|
//! | never made, or without effect | vacant | ours | foreign | foreign |
//! | in flight, or not settled | pending | ours | ours | foreign |
//! | answer lost, settled | vacant | ours | ours | foreign |
//! | succeeded | gone | ours | ours | foreign |
//!
//! Once a place was found gone, likeness counts as foreign and an empty place stays gone. A look that was
//! requested before the current operation started decides nothing.
//!
//! A port is ours if it belongs to the record's project and either its id is in our state or its
//! mark carries this installation's tag. A VM is ours if we recorded its reference and instance
//! UUID, if the cluster manager lists it as a node of our cluster, or, while that cluster is being created
//! for us, if it is in the cluster's folder under the name of a planned node.
//!
//! A known gap: the cluster manager identifies clusters by name only, so our call may hit a cluster that
//! others deleted and recreated between our look and our call; [`LOOK_LASTS`] keeps that time short.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::{ClusterId, PortId, VmRef};
use crate::intent::{Existence, Journal, Verb};
use crate::known::ClusterState;
use crate::mark::{Mark, MarkKey};
use crate::provision::Provision;
use crate::seen::Seen;
use crate::systems::manager::ManagedCluster;
use crate::systems::networking::Port;
use crate::systems::vcenter::VmFacts;
use crate::time::Stamp;
use crate::wanted::ClusterRecord;

/// The maximum age of the look before a change by name.
pub const LOOK_LASTS: Duration = Duration::from_secs(5);

/// One round of one controller. A token is valid in its own round only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    cluster: ClusterId,
    number: u64,
}

impl Pass {
    /// The round of this number.
    pub const fn new(cluster: ClusterId, number: u64) -> Self {
        Self { cluster, number }
    }
}

/// No cluster has the name in the cluster manager, by a look after every call that could create one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vacant(Pass);

/// The cluster manager's cluster of our name is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ours(Pass);

/// This port is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked(Pass, PortId);

/// This VM is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OurVm(Pass, VmRef);

impl Vacant {
    /// The round of its creation.
    pub const fn pass(&self) -> Pass {
        self.0
    }
}

impl Ours {
    /// The round of its creation.
    pub const fn pass(&self) -> Pass {
        self.0
    }
}

impl Marked {
    /// The round of its creation.
    pub const fn pass(&self) -> Pass {
        self.0
    }

    /// The port.
    pub const fn port(&self) -> &PortId {
        &self.1
    }
}

impl OurVm {
    /// The round of its creation.
    pub const fn pass(&self) -> Pass {
        self.0
    }

    /// The VM.
    pub const fn vm(&self) -> &VmRef {
        &self.1
    }
}

/// Who owns the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// No one: the create call may be made.
    Vacant(Vacant),
    /// Ours.
    Ours(Ours),
    /// Empty, and our create call may still fill it.
    Pending,
    /// It was ours and no longer exists.
    Gone,
    /// Foreign, with the evidence.
    Foreign(String),
    /// A look is needed first.
    Unknown,
}

/// The last look at the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// No look yet.
    NotLooked,
    /// No cluster has our name.
    Absent {
        /// When the look was requested.
        asked: Stamp,
    },
    /// A cluster has our name.
    Present {
        /// When the look was requested.
        asked: Stamp,
        /// How it matches ours.
        by: Match,
    },
}

/// How a cluster of our name matches ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// A recorded VM is among its nodes, or a task of ours runs on it.
    Identity,
    /// No evidence against it: it resembles our request.
    Likeness,
    /// It is a different one, with the reason.
    Neither(String),
}

/// Decides by the table above. `floor`: the look must have been requested after this.
pub fn ownership(pass: Pass, journal: &Journal, dissolved: bool, place: Place, floor: Stamp) -> Ownership {
    let founding = journal.existence(Verb::Found);
    let empty_after = |end: Stamp, asked: Stamp, then: Ownership| {
        if asked > end && asked > floor { then } else { Ownership::Unknown }
    };
    let vacant = if dissolved { Ownership::Gone } else { Ownership::Vacant(Vacant(pass)) };
    match (place, founding) {
        (Place::NotLooked, _) => Ownership::Unknown,
        (Place::Absent { .. }, Existence::Open) => Ownership::Pending,
        (Place::Absent { asked }, Existence::Never) => empty_after(Stamp::START, asked, vacant),
        (Place::Absent { asked }, Existence::Without(end) | Existence::Settled(end)) => empty_after(end, asked, vacant),
        (Place::Absent { asked }, Existence::Answered(end)) => empty_after(end, asked, Ownership::Gone),
        (Place::Present { asked, .. }, _) if asked <= floor => Ownership::Unknown,
        (Place::Present { by: Match::Identity, .. }, _) => Ownership::Ours(Ours(pass)),
        (Place::Present { by: Match::Likeness, .. }, Existence::Never | Existence::Without(_)) => {
            Ownership::Foreign("it existed before this one was requested".to_owned())
        }
        (Place::Present { by: Match::Likeness, .. }, _) if dissolved => {
            Ownership::Foreign("it was created after this one was deleted".to_owned())
        }
        (Place::Present { by: Match::Likeness, .. }, _) => Ownership::Ours(Ours(pass)),
        (Place::Present { by: Match::Neither(why), .. }, _) => Ownership::Foreign(why),
    }
}

/// The last look at the place, compared with our evidence.
pub fn place(provision: &dyn Provision, state: &ClusterState, seen: &Seen) -> Place {
    let (Some(cluster), Some(asked)) = (seen.cluster.last(), seen.cluster.asked()) else {
        return Place::NotLooked;
    };
    match cluster {
        None => Place::Absent { asked },
        Some(cluster) => Place::Present { asked, by: provision.compare(state, seen, cluster) },
    }
}

/// The create was refused: VMs that were seen while its answer was open belong to another cluster.
pub fn forget_vms(state: &mut ClusterState) {
    state.identity.vms.clear();
}

/// The token of a port, if it is ours.
pub fn marked(
    pass: Pass,
    record: &ClusterRecord,
    state: &ClusterState,
    marks: &MarkKey,
    port: &Port,
) -> Option<Marked> {
    let signed = || {
        Mark::parse(&port.description)
            .is_some_and(|m| m.cluster == record.id && marks.wrote(&record.project, &m, port.mac))
    };
    let ours = port.project == *record.port_project() && (state.ports.contains_key(&port.id) || signed());
    ours.then(|| Marked(pass, port.id.clone()))
}

/// Whether a port has the first release's unkeyed mark of this cluster and belongs to the record's
/// project. That alone is not a proof.
pub fn was_of_first_release(record: &ClusterRecord, port: &Port) -> bool {
    let unkeyed = Mark::parse(&port.description).is_some_and(|m| m.tag.is_none() && m.cluster == record.id);
    unkeyed && port.project == *record.port_project()
}

/// The token of a port that has the first release's unkeyed mark, belongs to the record's project, and
/// is the port of this VM of ours: enough evidence to rewrite its mark, and then it is ours.
pub fn of_first_release(record: &ClusterRecord, vm: &OurVm, facts: &VmFacts, port: &Port) -> Option<Marked> {
    let its_vm = facts.instance_uuid.is_some_and(|uuid| port.device_id == uuid.to_string());
    (its_vm && was_of_first_release(record, port)).then(|| Marked(vm.0, port.id.clone()))
}

/// A cluster of ours, for recognising its VMs.
#[derive(Clone, Copy)]
pub struct Owner<'a> {
    /// The proof that it is ours.
    pub ours: Ours,
    /// The wanted state.
    pub record: &'a ClusterRecord,
    /// The known state.
    pub state: &'a ClusterState,
    /// The seen facts.
    pub seen: &'a Seen,
    /// The provisioning strategy.
    pub provision: &'a dyn Provision,
}

impl<'a> Owner<'a> {
    /// The last look at the cluster.
    pub fn cluster(&self) -> Option<&'a ManagedCluster> {
        self.seen.cluster.last().and_then(Option::as_ref)
    }

    /// The token of a VM, if it is ours.
    pub fn vm(&self, vm: &VmFacts) -> Option<OurVm> {
        let known = self.state.identity.vms.get(&vm.vm);
        let recorded = || known.is_some_and(|uuid| vm.instance_uuid.is_none_or(|u| u == *uuid));
        let listed = || self.cluster().is_some_and(|c| c.nodes.iter().any(|n| n.vm.as_ref() == Some(&vm.vm)));
        let being_made = || self.provision.is_being_made(self.record, self.state, self.cluster(), vm);
        (recorded() || listed() || being_made()).then(|| OurVm(self.ours.0, vm.vm.clone()))
    }

    /// The VMs in the cluster's folder that are ours, with their tokens.
    pub fn vms(self) -> impl Iterator<Item = (OurVm, &'a Arc<VmFacts>)> {
        self.seen.vms.values().filter_map(move |vm| Some((self.vm(vm)?, vm)))
    }
}

// These tests use BDE's evidence.
#[cfg(all(test, feature = "bde"))]
#[path = "own_tests.rs"]
mod tests;
