//! Which operation a request asks for. Pure.
//!
//! | what is asked | newest operation | answer |
//! |---|---|---|
//! | what is wanted already | under way | that one |
//! | what is wanted already | ended well | that one: nothing to do |
//! | what is wanted already | failed | the same kind anew: a retry |
//! | something else | any | a new one; it takes the place of one under way |
//! | anything but delete, while being deleted | any | refused |

use howdah_core::cluster::{ClusterRecord, ClusterState, CreateCall, OperationKind, OperationState, Wanted};

use super::view::taken_up;

/// What to do about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// The newest operation is the answer.
    Keep,
    /// A new operation.
    Begin(OperationKind),
    /// Refused: it is being deleted.
    Refuse,
}

/// What to do when a cluster shall be `asked`.
pub(super) fn intent(record: &ClusterRecord, state: &ClusterState, asked: Wanted) -> Intent {
    let progress = taken_up(record, state).map_or(OperationState::Running, |p| p.state);
    match (record.wanted, asked) {
        (Wanted::Deleted, Wanted::Running | Wanted::Stopped) => Intent::Refuse,
        (wanted, asked) if wanted == asked => match progress {
            OperationState::Running | OperationState::Succeeded => Intent::Keep,
            OperationState::Failed => Intent::Begin(record.operation.kind),
        },
        (_, Wanted::Deleted) => Intent::Begin(OperationKind::Delete),
        (_, Wanted::Stopped) => Intent::Begin(OperationKind::Stop),
        // A create that was interrupted before the manager had it is still to be made.
        (_, Wanted::Running) if state.create_call != CreateCall::Accepted => Intent::Begin(OperationKind::Create),
        (_, Wanted::Running) => Intent::Begin(OperationKind::Start),
    }
}
