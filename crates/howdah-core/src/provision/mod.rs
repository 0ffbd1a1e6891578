//! Provisioning strategies: the part of the decisions that differs between provisioners.
//!
//! A [`Provision`] is pure. The site selects it, and the shared part ([`crate::decide`]) calls it with a
//! [`Draft`] to which it adds the next actions.
//!
//! | question | shared part | strategy |
//! |---|---|---|
//! | who owns the cluster | the table of [`crate::own`], the tokens | the evidence ([`Provision::compare`]) |
//! | which nodes need a port | creates, repairs, attaches and deletes ports | lists them ([`Provision::slots`]) |
//! | how to create, start, stop, remove VMs | when it is called, deadlines, back-off, the end | the actions, in their order |
//! | is it complete | addresses, ports and VMs read back | whether its own work is ([`Draft::finish_when_addressed`]) |
//!
//! Invariant: a strategy never decides ownership, and never creates or deletes a port.

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
use crate::seen::{Seen, VmsByNode};
use crate::systems::manager::ManagedCluster;
use crate::systems::vcenter::VmFacts;
use crate::wanted::ClusterRecord;

#[cfg(feature = "bde")]
pub use bde::Bde;

/// A strategy. Its input is the cluster from [`Action::Look`](crate::action::Action::Look), in the types
/// of the shared part for every provider.
pub trait Provision: fmt::Debug + Send + Sync {
    /// How the cluster in our place matches ours.
    fn compare(&self, state: &ClusterState, seen: &Seen, cluster: &ManagedCluster) -> Match;

    /// Records the evidence for later comparisons. Called only while the cluster is ours.
    fn record(&self, state: &mut ClusterState, seen: &Seen);

    /// Records the request before it is sent, so that its result can be recognised. Saved before the call.
    fn about_to_send(&self, verb: Verb, record: &ClusterRecord, state: &mut ClusterState);

    /// Chooses, once, the identifiers that a node needs before its create. Saved before any call.
    fn prepare(&self, record: &ClusterRecord, state: &mut ClusterState, uuid: &mut dyn FnMut() -> Uuid);

    /// Whether a VM belongs to a call of ours in flight, although it is neither recorded nor listed as a
    /// node yet.
    fn is_being_made(
        &self,
        record: &ClusterRecord,
        state: &ClusterState,
        cluster: Option<&ManagedCluster>,
        vm: &VmFacts,
    ) -> bool;

    /// The nodes that need a port now. `vms` are the VMs in the cluster's folder by node, ours or not.
    fn slots<'a>(&self, owner: &Owner<'a>, vms: &VmsByNode<'a>, segment: &SegmentKey) -> Vec<Slot<'a>>;

    /// Whether a VM's cards can be edited now: no task of the provisioner works on the VMs. Requests a look where
    /// the last one does not tell.
    fn spares_vms(&self, draft: &mut Draft<'_>) -> bool;

    /// The place is free and the cluster is wanted: creates it.
    fn found(&self, draft: &mut Draft<'_>, vacant: Vacant);

    /// Starts the VMs. `cluster` comes from a look after all our calls had ended.
    fn run(&self, draft: &mut Draft<'_>, ours: &Ours, cluster: &ManagedCluster);

    /// Stops the VMs.
    fn stop(&self, draft: &mut Draft<'_>, ours: &Ours, cluster: &ManagedCluster);

    /// Removes the VMs. Ports are deleted when a look shows the place empty.
    fn remove(&self, draft: &mut Draft<'_>, ours: &Ours, cluster: &ManagedCluster);
}
