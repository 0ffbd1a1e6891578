//! Actions: what can be done, and what it is about. Pure words; carrying one out is
//! [`crate::controller`]'s, choosing one [`crate::decide`]'s.

use crate::cluster::CreateCall;
use crate::facts::{ManagedChange, PortChange, PortRequest};
use crate::ids::{Mac, PortId, VmRef};

/// Something to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Find the port group of the network.
    FindSegment,
    /// Make the checks before the first change.
    Check,
    /// Ask Neutron what it can do and which ports there are.
    ListPorts,
    /// Find the network's registration in the cluster manager, or make it.
    Register,
    /// See what the cluster manager says of the cluster and its task.
    Look,
    /// Ask for the cluster. Holds what was known of the call before.
    Create(CreateCall),
    /// Ask for a start, stop or resume.
    Change(ManagedChange),
    /// Ask for the delete.
    Delete,
    /// Make ports, in one request.
    CreatePorts(Vec<PortRequest>),
    /// Put a port right.
    Repair(PortId, PortChange),
    /// Tell NSX-v a card's index.
    SetIndex(PortId, u32),
    /// Tell NSX-T a card's port.
    Attach(VmRef, i32, PortId),
    /// Delete a port.
    DeletePort(PortId),
    /// Remove the network's registration, if it is ours and nobody needs it.
    Unregister,
}

/// What an action is about: no two actions with a common key run at the same time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The port group.
    Segment,
    /// The checks.
    Check,
    /// The list of ports.
    Ports,
    /// The registration.
    Registration,
    /// Reading from the cluster manager.
    Look,
    /// Changing something at the cluster manager.
    Manager,
    /// Making the port of this MAC.
    Mac(Mac),
    /// Changing this port.
    Port(PortId),
    /// Changing this VM.
    Vm(VmRef),
}

impl Action {
    /// Its keys; never empty.
    pub fn keys(&self) -> Vec<Key> {
        match self {
            Self::FindSegment => vec![Key::Segment],
            Self::Check => vec![Key::Check],
            Self::ListPorts => vec![Key::Ports],
            Self::Register | Self::Unregister => vec![Key::Registration],
            Self::Look => vec![Key::Look],
            Self::Create(_) | Self::Change(_) | Self::Delete => vec![Key::Manager],
            Self::CreatePorts(requests) => requests.iter().map(|r| Key::Mac(r.mac)).collect(),
            Self::Repair(port, _) | Self::SetIndex(port, _) | Self::DeletePort(port) => {
                vec![Key::Port(port.clone())]
            }
            Self::Attach(vm, ..) => vec![Key::Vm(vm.clone())],
        }
    }

    /// What it does, for messages: `could not ...`.
    pub fn purpose(&self) -> &'static str {
        match self {
            Self::FindSegment => "find the network's port group",
            Self::Check => "make the checks before a create",
            Self::ListPorts => "list the network's ports",
            Self::Register => "register the network in BDE",
            Self::Look => "see what BDE says of the cluster",
            Self::Create(_) => "ask BDE for the cluster",
            Self::Change(ManagedChange::Start) => "ask BDE to start the cluster",
            Self::Change(ManagedChange::Stop) => "ask BDE to stop the cluster",
            Self::Change(ManagedChange::Resume) => "ask BDE to resume the create",
            Self::Delete => "ask BDE to delete the cluster",
            Self::CreatePorts(_) => "create Neutron ports",
            Self::Repair(..) => "put a Neutron port right",
            Self::SetIndex(..) => "set a port's vnic_index",
            Self::Attach(..) => "attach a card to its NSX-T port",
            Self::DeletePort(_) => "delete a Neutron port",
            Self::Unregister => "remove the network's registration from BDE",
        }
    }
}
