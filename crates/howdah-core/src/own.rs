//! Whose it is. Every writing action carries a token of this module, and tokens are made nowhere
//! else: so nothing is written before ownership is established.
//!
//! The *place* is the cluster manager's cluster of our name. What we see there is ours by
//! *identity* (one of the VMs that we recorded, or a task of ours is at work on it), or it has
//! only the *likeness* of what our create call asked for, or neither.
//!
//! | our create call | place empty, asked for after the call's end | identity | likeness | neither |
//! |---|---|---|---|---|
//! | never made, or without effect | vacant | ours | foreign | foreign |
//! | in flight, or not settled | pending | ours | ours | foreign |
//! | answer lost, settled | vacant | ours | ours | foreign |
//! | answered well | gone | ours | ours | foreign |
//!
//! Once a place was found gone, likeness is foreign and an empty place stays gone. Any look that was
//! asked for before the present operation began decides nothing.
//!
//! A port is ours if it belongs to the record's project and either its id is in our state or its
//! mark carries this installation's tag. A VM is ours if we recorded its reference and instance
//! UUID, if the cluster manager names it as a node of the cluster that is ours, or, while that
//! cluster is being made for us, if it lies in its folder under the name of a planned node.
//!
//! What remains open: the cluster manager knows clusters by name only, so one that is removed and
//! made anew by others between our look and our call is hit; [`LOOK_LASTS`] keeps that short.

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

/// How long ago the look was asked for, at the most, on which a change by name rests.
pub const LOOK_LASTS: Duration = Duration::from_secs(5);

/// One round of one controller. A token holds it and is refused in any other round.
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

/// Nobody has the name in the cluster manager, as of a look after everything that could fill it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vacant(Pass);

/// The cluster of our name in the cluster manager is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ours(Pass);

/// This port is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked(Pass, PortId);

/// This VM is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OurVm(Pass, VmRef);

impl Vacant {
    /// The round in which it was made.
    pub const fn pass(&self) -> Pass {
        self.0
    }
}

impl Ours {
    /// The round in which it was made.
    pub const fn pass(&self) -> Pass {
        self.0
    }
}

impl Marked {
    /// The round in which it was made.
    pub const fn pass(&self) -> Pass {
        self.0
    }

    /// The port.
    pub const fn port(&self) -> &PortId {
        &self.1
    }
}

impl OurVm {
    /// The round in which it was made.
    pub const fn pass(&self) -> Pass {
        self.0
    }

    /// The VM.
    pub const fn vm(&self) -> &VmRef {
        &self.1
    }
}

/// Whose the place is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// Nobody's: the create call may be made.
    Vacant(Vacant),
    /// Ours.
    Ours(Ours),
    /// Empty, and our create call may still fill it.
    Pending,
    /// It was ours and is not there any more.
    Gone,
    /// Somebody else's; says by what that is seen.
    Foreign(String),
    /// It has to be looked at first.
    Unknown,
}

/// What was seen of the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nothing yet.
    NotLooked,
    /// There is no cluster of our name.
    Absent {
        /// When that was asked for.
        asked: Stamp,
    },
    /// There is one.
    Present {
        /// When that was asked for.
        asked: Stamp,
        /// By what it would be ours.
        by: Match,
    },
}

/// By what a cluster of our name is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// A recorded VM is among its nodes, or a task of ours is at work on it.
    Identity,
    /// Nothing speaks against it: it looks like what was asked for.
    Likeness,
    /// It is another one; says why.
    Neither(String),
}

/// Decides by the table above. `floor`: a look has to be asked for after this.
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

/// What was seen of the place, compared with what we know of ours.
pub fn place(provision: &dyn Provision, state: &ClusterState, seen: &Seen) -> Place {
    let (Some(cluster), Some(asked)) = (seen.cluster.last(), seen.cluster.asked()) else {
        return Place::NotLooked;
    };
    match cluster {
        None => Place::Absent { asked },
        Some(cluster) => Place::Present { asked, by: provision.compare(state, seen, cluster) },
    }
}

/// The create was refused: the VMs that were seen while its answer was open are another cluster's.
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

/// Whether a port bears the unkeyed mark of the first release for this cluster and belongs to the
/// record's project: no proof by itself.
pub fn was_of_first_release(record: &ClusterRecord, port: &Port) -> bool {
    let unkeyed = Mark::parse(&port.description).is_some_and(|m| m.tag.is_none() && m.cluster == record.id);
    unkeyed && port.project == *record.port_project()
}

/// The token of a port that bears the unkeyed mark of the first release, belongs to the record's
/// project, and is the port of this VM of ours: enough to mark it anew, and then it is ours.
pub fn of_first_release(record: &ClusterRecord, vm: &OurVm, facts: &VmFacts, port: &Port) -> Option<Marked> {
    let its_vm = facts.instance_uuid.is_some_and(|uuid| port.device_id == uuid.to_string());
    (its_vm && was_of_first_release(record, port)).then(|| Marked(vm.0, port.id.clone()))
}

/// A cluster that is ours, as seen: for recognising its VMs.
#[derive(Clone, Copy)]
pub struct Owner<'a> {
    /// That it is ours.
    pub ours: Ours,
    /// What is wanted.
    pub record: &'a ClusterRecord,
    /// What is known.
    pub state: &'a ClusterState,
    /// What was seen.
    pub seen: &'a Seen,
    /// How its nodes come to have VMs.
    pub provision: &'a dyn Provision,
}

impl<'a> Owner<'a> {
    /// The cluster as it was seen last.
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
    pub fn vms(self) -> impl Iterator<Item = (OurVm, &'a VmFacts)> {
        self.seen.vms.values().filter_map(move |vm| Some((self.vm(vm)?, vm)))
    }
}

// The evidence that they compare is BDE's.
#[cfg(all(test, feature = "bde"))]
#[path = "own_tests.rs"]
mod tests;
