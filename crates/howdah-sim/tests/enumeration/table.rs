//! The table: which call each kind of action makes, and which cells of kind, operation and
//! backend there are.
//!
//! Invariant: every match over kinds is exhaustive, so an action without a row does not compile.

use howdah_core::action::Kind;
use howdah_core::failure::System;
use howdah_core::policy::NetworkBackend as Backend;

/// What is under way when the fault comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Create,
    Stop,
    Start,
    Delete,
    /// A delete that comes while the create is under way.
    DeleteInCreate,
}

impl Operation {
    pub const ALL: [Self; 5] = [Self::Create, Self::Stop, Self::Start, Self::Delete, Self::DeleteInCreate];
}

/// What happens to the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Refused for a reason that passes.
    Refused,
    /// It never arrives.
    RequestLost,
    /// It has its effect, and the answer is lost.
    AnswerLost,
    /// The client gives up, and the effect comes later.
    LateEffect,
    /// The answer comes long after the effect.
    SlowAnswer,
    /// The service is killed before the call leaves.
    CrashBefore,
    /// The service is killed while the call is on its way: the effect comes all the same.
    CrashInFlight,
    /// The service is killed between the effect and the answer.
    CrashAfter,
    /// The answer is delivered after a newer request was made.
    NewerRequest,
}

impl Fault {
    pub const ALL: [Self; 9] = [
        Self::Refused,
        Self::RequestLost,
        Self::AnswerLost,
        Self::LateEffect,
        Self::SlowAnswer,
        Self::CrashBefore,
        Self::CrashInFlight,
        Self::CrashAfter,
        Self::NewerRequest,
    ];
}

pub const BACKENDS: [Backend; 3] = [Backend::NsxV, Backend::NsxT, Backend::Ml2];

/// The call that an action of this kind makes.
pub const fn call(kind: Kind) -> (System, &'static str) {
    match kind {
        Kind::FindSegment => (System::VCenter, "segments"),
        Kind::Check => (System::Bde, "catalog"),
        Kind::ListPorts => (System::Neutron, "ports"),
        Kind::Look => (System::Bde, "cluster"),
        Kind::LookAtVms => (System::VCenter, "vms"),
        Kind::Register => (System::Bde, "register_network"),
        Kind::Create => (System::Bde, "create_cluster"),
        Kind::Start | Kind::Stop | Kind::Resume => (System::Bde, "change_cluster"),
        Kind::Delete => (System::Bde, "delete_cluster"),
        Kind::CreatePorts => (System::Neutron, "create_ports"),
        Kind::Repair => (System::Neutron, "update_port"),
        Kind::SetIndex => (System::Neutron, "set_vnic_index"),
        Kind::Attach => (System::VCenter, "set_external_id"),
        Kind::DeletePort => (System::Neutron, "delete_port"),
        Kind::Release => (System::Bde, "unregister_network"),
    }
}

/// What somebody does before the operation, so that an action of this kind is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    None,
    /// A clone fails, so the create has to be taken up again.
    CloneFails,
    /// The service is restarted right before.
    Restart,
    /// A port is deleted by hand.
    PortDeleted,
    /// A port's description is changed by hand.
    PortChanged,
}

/// How an action of this kind comes about in an operation, or why it cannot.
pub const fn row(kind: Kind, operation: Operation, backend: Backend) -> Result<Damage, &'static str> {
    use Operation as O;
    let creates = matches!(operation, O::Create | O::DeleteInCreate);
    let deletes = matches!(operation, O::Delete | O::DeleteInCreate);
    match kind {
        Kind::FindSegment | Kind::Check | Kind::Register | Kind::Create => {
            if creates {
                Ok(Damage::None)
            } else {
                Err("only a create does this")
            }
        }
        Kind::Look => Ok(Damage::None),
        // Otherwise the list of a minute ago is good enough for a stop.
        Kind::ListPorts => {
            if matches!(operation, O::Stop) {
                Ok(Damage::Restart)
            } else {
                Ok(Damage::None)
            }
        }
        Kind::LookAtVms => match operation {
            O::Create | O::Start => Ok(Damage::None),
            O::Stop | O::Delete | O::DeleteInCreate => Err("only what ends with addresses does this"),
        },
        Kind::Resume => {
            if creates {
                Ok(Damage::CloneFails)
            } else {
                Err("only a failed create is resumed")
            }
        }
        Kind::Start => match operation {
            O::Start => Ok(Damage::None),
            _ => Err("only a start does this"),
        },
        Kind::Stop => match operation {
            O::Stop => Ok(Damage::None),
            _ => Err("only a stop does this"),
        },
        Kind::Delete | Kind::DeletePort | Kind::Release => {
            if deletes {
                Ok(Damage::None)
            } else {
                Err("only a delete does this")
            }
        }
        Kind::CreatePorts => match operation {
            O::Create | O::DeleteInCreate => Ok(Damage::None),
            O::Stop | O::Start => Ok(Damage::PortDeleted),
            O::Delete => Err("a delete makes no ports"),
        },
        Kind::Repair => match operation {
            O::Stop | O::Start => Ok(Damage::PortChanged),
            O::Create | O::DeleteInCreate => Err("a new port is as it should be"),
            O::Delete => Err("a delete repairs no ports"),
        },
        Kind::SetIndex => match (backend, operation) {
            (Backend::NsxT | Backend::Ml2, _) => Err("only NSX-v has an index"),
            (_, O::Create | O::DeleteInCreate) => Ok(Damage::None),
            (_, O::Stop | O::Start) => Ok(Damage::PortDeleted),
            (_, O::Delete) => Err("a delete sets no index"),
        },
        Kind::Attach => match (backend, operation) {
            (Backend::NsxV | Backend::Ml2, _) => Err("only NSX-T has an attachment"),
            (_, O::Create | O::DeleteInCreate) => Ok(Damage::None),
            // When BDE is done with the VM: before the start, or after it.
            (_, O::Start) => Ok(Damage::PortDeleted),
            (_, O::Stop) => Err("a stop is over as soon as the cards can be attached"),
            (_, O::Delete) => Err("a delete attaches nothing"),
        },
    }
}

/// Why a fault cannot come in an operation.
pub const fn cannot(fault: Fault, operation: Operation) -> Option<&'static str> {
    match (fault, operation) {
        (Fault::NewerRequest, Operation::Delete | Operation::DeleteInCreate) => Some("nothing supersedes a delete"),
        _ => None,
    }
}
