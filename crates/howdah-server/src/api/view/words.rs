//! Converts the core's enumerations to the API's. They are equal today; a new value in the core does not
//! compile until this module maps it.

use howdah_api as api;
use howdah_core::condition::ConditionStatus;
use howdah_core::event::Level;
use howdah_core::known::OperationState;
use howdah_core::stage::Stage;
use howdah_core::wanted::{Goal, OperationKind};

pub(super) const fn wanted(goal: Goal) -> api::Wanted {
    match goal {
        Goal::Running => api::Wanted::Running,
        Goal::Stopped => api::Wanted::Stopped,
        Goal::Deleted => api::Wanted::Deleted,
    }
}

pub(super) const fn kind(kind: OperationKind) -> api::OperationKind {
    match kind {
        OperationKind::Create => api::OperationKind::Create,
        OperationKind::Start => api::OperationKind::Start,
        OperationKind::Stop => api::OperationKind::Stop,
        OperationKind::Delete => api::OperationKind::Delete,
    }
}

pub(super) const fn state(state: OperationState) -> api::OperationState {
    match state {
        OperationState::Running => api::OperationState::Running,
        OperationState::Succeeded => api::OperationState::Succeeded,
        OperationState::Failed => api::OperationState::Failed,
    }
}

pub(super) const fn stage(stage: Stage) -> api::Stage {
    match stage {
        Stage::Planned => api::Stage::Planned,
        Stage::Cloned => api::Stage::Cloned,
        Stage::Booting => api::Stage::Booting,
        Stage::NoAddress => api::Stage::NoAddress,
        Stage::Addressed => api::Stage::Addressed,
    }
}

pub(super) const fn level(level: Level) -> api::Level {
    match level {
        Level::Info => api::Level::Info,
        Level::Warning => api::Level::Warning,
        Level::Error => api::Level::Error,
    }
}

pub(super) const fn truth(status: ConditionStatus) -> api::ConditionStatus {
    match status {
        ConditionStatus::True => api::ConditionStatus::True,
        ConditionStatus::False => api::ConditionStatus::False,
        ConditionStatus::Unknown => api::ConditionStatus::Unknown,
    }
}
