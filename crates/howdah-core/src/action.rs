//! Actions and the objects that they concern. Pure data: [`crate::decide`] chooses an action,
//! [`crate::controller`] runs it.
//!
//! Invariant: an action that writes carries the token that permits it (see [`crate::own`]). The only
//! exception is [`Action::Release`], which ends a use of our own. An action that makes the manager clone
//! also carries the token of a turn (see [`crate::site::turns`]).

#[cfg(test)]
use crate::ids::NodeName;
use crate::ids::{Mac, PortId, VmRef};
#[cfg(test)]
use crate::intent::Subject;
use crate::intent::{Call, Verb};
use crate::own::{Marked, OurVm, Ours, Pass, Vacant};
use crate::site::turns::Turn;
use crate::systems::networking::{PortChange, PortRequest};
use crate::wanted::Goal;

/// An action.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Find the port group of the network.
    FindSegment,
    /// Run the checks before the first change.
    Check,
    /// Read Neutron's features and list the ports.
    ListPorts,
    /// Read the cluster and its task from the cluster manager.
    Look,
    /// Read these VMs.
    LookAtVms(Vec<VmRef>),
    /// Find the network's registration in the cluster manager, or create it.
    Register(Vacant),
    /// Request the create.
    Create(Vacant, Turn),
    /// Request the start.
    Start(Ours),
    /// Request the stop.
    Stop(Ours),
    /// Request the resume of a failed create.
    Resume(Ours, Turn),
    /// Request the delete.
    Delete(Ours),
    /// Create ports in one request.
    CreatePorts(Ours, Vec<PortRequest>),
    /// Correct a port.
    Repair(Marked, PortChange),
    /// Set a card's index for NSX-v.
    SetIndex(Marked, u32),
    /// Set a card's port for NSX-T: VM, device key, port.
    Attach(OurVm, i32, PortId),
    /// Delete a port.
    DeletePort(Marked),
    /// Release the network's registration.
    Release,
    /// Clone a node's VM, powered off, with its plan: the tests' port-first provisioner.
    #[cfg(test)]
    Clone(Ours, NodeName),
    /// Power a VM on: the tests' port-first provisioner.
    #[cfg(test)]
    PowerOn(OurVm),
}

/// An object that an action concerns: two actions with a common key never run at the same time.
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
    /// Reading VMs one by one.
    Vms,
    /// Changing something at the cluster manager.
    Manager,
    /// Making the port of this MAC.
    Mac(Mac),
    /// Changing this port.
    Port(PortId),
    /// Changing this VM.
    Vm(VmRef),
    /// The watch on the VMs.
    Watch,
    /// The database.
    Store,
    /// Making this node's VM.
    #[cfg(test)]
    Node(NodeName),
}

macro_rules! kinds {
    ($($(#[$when:meta])? $kind:ident),* $(,)?) => {
        /// The kind of an action, for tables that need a row for each kind.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "each is the kind of the action of that name")]
        pub enum Kind { $($(#[$when])? $kind),* }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$($(#[$when])? Self::$kind),*];
        }
    };
}

kinds! {
    FindSegment, Check, ListPorts, Look, LookAtVms, Register, Create, Start, Stop, Resume, Delete, CreatePorts,
    Repair, SetIndex, Attach, DeletePort, Release, #[cfg(test)] Clone, #[cfg(test)] PowerOn,
}

impl Action {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::FindSegment => Kind::FindSegment,
            Self::Check => Kind::Check,
            Self::ListPorts => Kind::ListPorts,
            Self::Look => Kind::Look,
            Self::LookAtVms(_) => Kind::LookAtVms,
            Self::Register(_) => Kind::Register,
            Self::Create(..) => Kind::Create,
            Self::Start(_) => Kind::Start,
            Self::Stop(_) => Kind::Stop,
            Self::Resume(..) => Kind::Resume,
            Self::Delete(_) => Kind::Delete,
            Self::CreatePorts(..) => Kind::CreatePorts,
            Self::Repair(..) => Kind::Repair,
            Self::SetIndex(..) => Kind::SetIndex,
            Self::Attach(..) => Kind::Attach,
            Self::DeletePort(_) => Kind::DeletePort,
            Self::Release => Kind::Release,
            #[cfg(test)]
            Self::Clone(..) => Kind::Clone,
            #[cfg(test)]
            Self::PowerOn(_) => Kind::PowerOn,
        }
    }

    /// The round whose token permits it; `None` if it needs no token.
    pub const fn pass(&self) -> Option<Pass> {
        match self {
            Self::FindSegment | Self::Check | Self::ListPorts | Self::Look | Self::LookAtVms(_) | Self::Release => None,
            Self::Register(token) | Self::Create(token, _) => Some(token.pass()),
            Self::Start(token) | Self::Stop(token) | Self::Resume(token, _) => Some(token.pass()),
            Self::Delete(token) | Self::CreatePorts(token, _) => Some(token.pass()),
            Self::Repair(token, _) | Self::SetIndex(token, _) | Self::DeletePort(token) => Some(token.pass()),
            Self::Attach(token, ..) => Some(token.pass()),
            #[cfg(test)]
            Self::Clone(token, _) => Some(token.pass()),
            #[cfg(test)]
            Self::PowerOn(token) => Some(token.pass()),
        }
    }

    /// The round whose turn it takes; `None` if it needs no turn.
    pub const fn turn(&self) -> Option<Pass> {
        match self {
            Self::Create(_, turn) | Self::Resume(_, turn) => Some(turn.pass()),
            _ => None,
        }
    }

    /// Its key in the journal; `None` if it can be repeated or does not write.
    pub fn call(&self) -> Option<Call> {
        match self {
            Self::Create(..) => Some(Verb::Found.into()),
            Self::Start(_) => Some(Verb::Start.into()),
            Self::Stop(_) => Some(Verb::Stop.into()),
            Self::Resume(..) => Some(Verb::Resume.into()),
            Self::Delete(_) => Some(Verb::Remove.into()),
            Self::CreatePorts(..) => Some(Verb::Ports.into()),
            #[cfg(test)]
            Self::Clone(_, node) => Some(Call { verb: Verb::Clone, subject: Subject::Node(node.clone()) }),
            #[cfg(test)]
            Self::PowerOn(_) => None,
            // The registrar stores these for the site.
            Self::Register(_) | Self::Release => None,
            // Idempotent: the result is the same whether they run once, twice or late.
            Self::Repair(..) | Self::SetIndex(..) | Self::Attach(..) | Self::DeletePort(_) => None,
            Self::FindSegment | Self::Check | Self::ListPorts | Self::Look | Self::LookAtVms(_) => None,
        }
    }

    /// Its keys; never empty.
    pub fn keys(&self) -> Vec<Key> {
        match self {
            Self::FindSegment => vec![Key::Segment],
            Self::Check => vec![Key::Check],
            Self::ListPorts => vec![Key::Ports],
            Self::Register(_) | Self::Release => vec![Key::Registration],
            Self::Look => vec![Key::Look],
            Self::LookAtVms(_) => vec![Key::Vms],
            Self::Create(..) | Self::Start(_) | Self::Stop(_) | Self::Resume(..) | Self::Delete(_) => {
                vec![Key::Manager]
            }
            Self::CreatePorts(_, requests) => requests.iter().map(|r| Key::Mac(r.mac)).collect(),
            Self::Repair(port, _) | Self::SetIndex(port, _) | Self::DeletePort(port) => {
                vec![Key::Port(port.port().clone())]
            }
            Self::Attach(vm, ..) => vec![Key::Vm(vm.vm().clone())],
            #[cfg(test)]
            Self::Clone(_, node) => vec![Key::Node(node.clone())],
            #[cfg(test)]
            Self::PowerOn(vm) => vec![Key::Vm(vm.vm().clone())],
        }
    }

    /// Whether an operation with this goal needs the action to succeed. A failure of any other is only a condition.
    /// `require_attachment`: see [`Networks`](crate::policy::Networks).
    pub fn is_needed(&self, goal: Goal, require_attachment: bool) -> bool {
        match self {
            Self::Look | Self::Create(..) | Self::Start(_) | Self::Stop(_) | Self::Resume(..) | Self::Delete(_) => true,
            Self::FindSegment | Self::Check | Self::LookAtVms(_) | Self::CreatePorts(..) => goal == Goal::Running,
            Self::SetIndex(..) | Self::Attach(..) => goal == Goal::Running && require_attachment,
            Self::ListPorts | Self::Repair(..) | Self::DeletePort(_) | Self::Register(_) | Self::Release => {
                goal != Goal::Stopped
            }
            #[cfg(test)]
            Self::Clone(..) | Self::PowerOn(_) => goal == Goal::Running,
        }
    }

    /// Its purpose, for messages: `could not ...`.
    pub const fn purpose(&self) -> &'static str {
        match self {
            Self::FindSegment => "find the network's port group",
            Self::Check => "run the checks before a create",
            Self::ListPorts => "list the network's ports",
            Self::Look => "query the cluster in BDE",
            Self::LookAtVms(_) => "read the cluster's VMs",
            Self::Register(_) => "register the network in BDE",
            Self::Create(..) => "create the cluster in BDE",
            Self::Start(_) => "start the cluster in BDE",
            Self::Stop(_) => "stop the cluster in BDE",
            Self::Resume(..) => "resume the create in BDE",
            Self::Delete(_) => "delete the cluster in BDE",
            Self::CreatePorts(..) => "create Neutron ports",
            Self::Repair(..) => "correct a Neutron port",
            Self::SetIndex(..) => "set a port's vnic_index",
            Self::Attach(..) => "attach a network card to its NSX-T port",
            Self::DeletePort(_) => "delete a Neutron port",
            Self::Release => "remove the network's registration from BDE",
            #[cfg(test)]
            Self::Clone(..) => "clone a node's VM",
            #[cfg(test)]
            Self::PowerOn(_) => "power a VM on",
        }
    }
}
