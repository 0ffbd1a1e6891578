//! Which operation a request asks for. Pure.
//!
//! | what is asked | newest operation | what is there | answer |
//! |---|---|---|---|
//! | what is wanted already | under way | | that one |
//! | what is wanted already | ended well | as wanted, or on its way there | that one: nothing to do |
//! | what is wanted already | ended well | something else, by somebody's hand | a new one |
//! | what is wanted already | failed | | the same kind anew: a retry |
//! | something else | any | | a new one; it takes the place of one under way |
//! | anything but delete, while being deleted | under way, or ended well | | refused: wait |
//! | anything but delete, while being deleted | failed | | refused: delete it again |

use howdah_core::ids::ClusterId;
use howdah_core::intent::{Existence, Verb};
use howdah_core::known::{ClusterState, ClusterStatus, OperationState};
use howdah_core::wanted::{ClusterRecord, Goal, OperationKind};

use super::ApiError;
use super::view::taken_up;

/// What to do about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// The newest operation is the answer.
    Keep,
    /// A new operation.
    Begin(OperationKind),
    /// Refused.
    Refuse(Leaving),
}

/// How far a cluster is on its way out, from which there is no way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It is being deleted.
    UnderWay,
    /// Its delete failed.
    Failed,
}

impl Leaving {
    /// What is said to whoever wants something else of the cluster.
    pub(super) const fn of(self, id: ClusterId) -> ApiError {
        match self {
            Self::UnderWay => ApiError::BeingDeleted { id },
            Self::Failed => ApiError::DeleteFailed { id },
        }
    }
}

/// What to do when a cluster shall be `asked`.
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
        // A create that was interrupted before the manager had it is still to be made.
        Goal::Running => match state.journal.existence(Verb::Found) {
            Existence::Answered(_) => OperationKind::Start,
            Existence::Never | Existence::Open | Existence::Settled(_) | Existence::Without(_) => OperationKind::Create,
        },
    }
}

/// Whether something else is there than was brought about, and nobody is at work on it.
const fn is_astray(asked: Goal, status: ClusterStatus) -> bool {
    match asked {
        Goal::Running => matches!(status, ClusterStatus::Stopped | ClusterStatus::Degraded | ClusterStatus::Gone),
        Goal::Stopped => matches!(status, ClusterStatus::Running | ClusterStatus::Degraded | ClusterStatus::Gone),
        Goal::Deleted => false,
    }
}
