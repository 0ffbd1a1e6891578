//! Maps a request to an operation. Pure.
//!
//! | request | newest operation | actual state | answer |
//! |---|---|---|---|
//! | the current goal | in progress | | that operation |
//! | the current goal | succeeded | as wanted, or changing to it | that operation: nothing to do |
//! | the current goal | succeeded | changed by others | a new operation |
//! | the current goal | failed | | a new operation of the same kind: a retry |
//! | another goal | any | | a new operation; it replaces one in progress |
//! | anything but delete, during a delete | in progress, or succeeded | | refused: wait |
//! | anything but delete, during a delete | failed | | refused: delete it again |

use howdah_core::ids::ClusterId;
use howdah_core::intent::{Existence, Verb};
use howdah_core::known::{ClusterState, ClusterStatus, OperationState};
use howdah_core::wanted::{ClusterRecord, Goal, OperationKind};

use super::ApiError;
use super::view::taken_up;

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// The newest operation is the answer.
    Keep,
    /// A new operation.
    Begin(OperationKind),
    /// Refused.
    Refuse(Leaving),
}

/// The state of a delete, which is irreversible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It is being deleted.
    UnderWay,
    /// Its delete failed.
    Failed,
}

impl Leaving {
    /// The error for other requests during a delete.
    pub(super) const fn of(self, id: ClusterId) -> ApiError {
        match self {
            Self::UnderWay => ApiError::BeingDeleted { id },
            Self::Failed => ApiError::DeleteFailed { id },
        }
    }
}

/// The answer to the request for the goal `asked`.
pub(super) fn intent(record: &ClusterRecord, state: &ClusterState, asked: Goal) -> Intent {
    let progress = taken_up(record, state).map_or(OperationState::Running, |p| p.state);
    match (record.shape.goal, asked) {
        (Goal::Deleted, Goal::Running | Goal::Stopped) => Intent::Refuse(match progress {
            OperationState::Failed => Leaving::Failed,
            OperationState::Running | OperationState::Succeeded => Leaving::UnderWay,
        }),
        (wanted, asked) if wanted == asked => match progress {
            OperationState::Failed => Intent::Begin(record.operation.kind),
            OperationState::Succeeded if is_astray(asked, state.status) => Intent::Begin(kind(state, asked)),
            OperationState::Running | OperationState::Succeeded => Intent::Keep,
        },
        (_, asked) => Intent::Begin(kind(state, asked)),
    }
}

fn kind(state: &ClusterState, asked: Goal) -> OperationKind {
    match asked {
        Goal::Deleted => OperationKind::Delete,
        Goal::Stopped => OperationKind::Stop,
        // A create that was interrupted before its call to the manager is still pending.
        Goal::Running => match state.journal.existence(Verb::Found) {
            Existence::Answered(_) => OperationKind::Start,
            Existence::Never | Existence::Open | Existence::Settled(_) | Existence::Without(_) => OperationKind::Create,
        },
    }
}

/// Whether others changed the cluster after the operation, and no work is in progress.
const fn is_astray(asked: Goal, status: ClusterStatus) -> bool {
    match asked {
        Goal::Running => matches!(status, ClusterStatus::Stopped | ClusterStatus::Degraded | ClusterStatus::Gone),
        Goal::Stopped => matches!(status, ClusterStatus::Running | ClusterStatus::Degraded | ClusterStatus::Gone),
        Goal::Deleted => false,
    }
}
