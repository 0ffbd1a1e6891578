//! vCenter's tasks and faults as data. A task is made by an action, runs on the world's clock,
//! and stays in the inventory with its outcome.

use jiff::Timestamp;

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VcTaskState {
    /// Waiting.
    Queued,
    /// Running.
    Running,
    /// Ended well.
    Success,
    /// Ended badly.
    Error,
}

impl VcTaskState {
    /// As vCenter spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Success => "success",
            Self::Error => "error",
        }
    }

    /// Whether it has ended.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Error)
    }
}

/// A task.
#[derive(Debug, Clone)]
pub struct VcTask {
    /// `task-12`.
    pub key: String,
    /// `VirtualMachine.powerOn`, ...
    pub method: &'static str,
    /// What it works on, by reference.
    pub entity: String,
    /// The same, by name.
    pub entity_name: String,
    /// Where it is.
    pub state: VcTaskState,
    /// 0 to 100 while it runs.
    pub progress: Option<u8>,
    /// Why it failed.
    pub error: Option<VcFault>,
    /// A reference that it made.
    pub result: Option<String>,
    /// When it was asked for.
    pub queued: Timestamp,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub completed: Option<Timestamp>,
    /// The world's revision in which it changed last.
    pub revision: u64,
}

/// A fault of vCenter: its type's name and the server's sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct VcFault {
    /// `InvalidPowerState`, `ManagedObjectNotFound`, ...
    pub name: &'static str,
    /// The localized message.
    pub message: String,
    /// The object or property it is about, where the fault has such a field.
    pub about: Option<String>,
}

impl VcFault {
    /// A fault without a subject.
    pub fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into(), about: None }
    }

    /// The object has been deleted, or never was.
    pub fn not_found(reference: &str) -> Self {
        Self {
            name: "ManagedObjectNotFound",
            message: "The object has already been deleted or has not been completely created".to_owned(),
            about: Some(reference.to_owned()),
        }
    }

    /// The operation does not fit the power state.
    pub fn power_state(now: &str) -> Self {
        Self {
            name: "InvalidPowerState",
            message: format!("The attempted operation cannot be performed in the current state ({now})."),
            about: Some(now.to_owned()),
        }
    }

    /// Another task works on the VM.
    pub fn task_in_progress(vm: &str) -> Self {
        Self {
            name: "TaskInProgress",
            message: "The operation cannot be allowed at the current time because another task is in progress."
                .to_owned(),
            about: Some(vm.to_owned()),
        }
    }

    /// A parameter is wrong.
    pub fn invalid_argument(parameter: &str) -> Self {
        Self {
            name: "InvalidArgument",
            message: format!("A specified parameter was not correct: {parameter}"),
            about: Some(parameter.to_owned()),
        }
    }
}

/// As the production client reads it.
impl From<VcFault> for howdah_vsphere::Fault {
    fn from(fault: VcFault) -> Self {
        Self::named(fault.name, &fault.message, fault.about)
    }
}
