//! How nodes come to have VMs: the part of the decisions that differs between provisioners.
//!
//! A [`Provision`] is pure. It is chosen by the site, and the shared part ([`crate::decide`]) calls it with a
//! [`Draft`] into which it writes the next actions.
//!
//! | question | shared part | strategy |
//! |---|---|---|
//! | whose is the cluster | the table of [`crate::own`], the tokens | what it is recognised by ([`Provision::compare`]) |
//! | which nodes want a port | makes, repairs, attaches and deletes ports | names them ([`Provision::slots`]) |
//! | what makes, starts, stops, removes VMs | when it is asked, deadlines, back-off, the end | the actions, in their order |
//! | is it done | addresses, ports and VMs read back | whether its own work is ([`Draft::finish_when_addressed`]) |
//!
//! Invariant: a strategy never judges ownership, and never makes or deletes a port.

#[cfg(feature = "bde")]
mod bde;
#[cfg(test)]
pub(crate) mod double;

use std::fmt;

use uuid::Uuid;

use crate::attach::Slot;
use crate::decide::Draft;
use crate::ids::SegmentKey;
use crate::intent::Verb;
use crate::known::ClusterState;
use crate::own::{Match, Ours, Owner, Vacant};
use crate::seen::Seen;
use crate::systems::manager::ManagedCluster;
use crate::systems::vcenter::VmFacts;
use crate::wanted::ClusterRecord;

#[cfg(feature = "bde")]
pub use bde::Bde;

/// A strategy. The cluster that it is given is the one that [`Action::Look`](crate::action::Action::Look)
/// showed, in the words of the shared part whoever provides it.
pub trait Provision: fmt::Debug + Send + Sync {
    /// By what the cluster that was seen in our place is ours.
    fn compare(&self, state: &ClusterState, seen: &Seen, cluster: &ManagedCluster) -> Match;

    /// Records the evidence for later comparisons. Called only while the cluster is ours.
    fn record(&self, state: &mut ClusterState, seen: &Seen);

    /// Records what is about to be sent, so that it can be recognised. Saved before it is sent.
    fn about_to_send(&self, verb: Verb, record: &ClusterRecord, state: &mut ClusterState);

    /// Chooses, once, what has to be known of a node before it is made. Saved before anything is sent.
    fn prepare(&self, record: &ClusterRecord, state: &mut ClusterState, uuid: &mut dyn FnMut() -> Uuid);

    /// Whether a VM is one of a call of ours that is under way, though it is neither recorded nor shown as
    /// a node yet.
    fn is_being_made(
        &self,
        record: &ClusterRecord,
        state: &ClusterState,
        cluster: Option<&ManagedCluster>,
        vm: &VmFacts,
    ) -> bool;

    /// The nodes that want a port now.
    fn slots<'a>(&self, owner: &Owner<'a>, segment: &SegmentKey) -> Vec<Slot<'a>>;

    /// The place is free and the cluster is wanted: makes it.
    fn found(&self, draft: &mut Draft<'_>, vacant: Vacant);

    /// Brings the VMs up. `cluster` was looked at after everything of ours had ended.
    fn run(&self, draft: &mut Draft<'_>, ours: &Ours, cluster: &ManagedCluster);

    /// Switches the VMs off.
    fn stop(&self, draft: &mut Draft<'_>, ours: &Ours, cluster: &ManagedCluster);

    /// Removes the VMs. Ports go when the place is seen empty.
    fn remove(&self, draft: &mut Draft<'_>, ours: &Ours, cluster: &ManagedCluster);
}
