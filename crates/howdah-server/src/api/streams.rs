//! How many event streams a project has open: each holds a connection and reads the store at every change.
//!
//! Invariant: a place is free as soon as its stream is dropped, however that came. What it does not do: end a
//! stream that is open.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use howdah_core::ids::ProjectId;

use super::ApiError;

/// The open streams, by project.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: Mutex<BTreeMap<ProjectId, u64>>,
}

/// The place of one stream.
#[derive(Debug)]
pub(super) struct Place {
    streams: Arc<Streams>,
    project: ProjectId,
}

impl Streams {
    /// A place for one more stream of this project, of which so many may be open.
    ///
    /// # Errors
    /// [`ApiError::TooManyStreams`] if all are taken.
    pub(super) fn take(self: &Arc<Self>, project: &ProjectId, allowed: Option<u64>) -> Result<Place, ApiError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let used = open.get(project).copied().unwrap_or(0);
        if let Some(allowed) = allowed.filter(|allowed| used >= *allowed) {
            return Err(ApiError::TooManyStreams { allowed });
        }
        open.insert(project.clone(), used + 1);
        Ok(Place { streams: Arc::clone(self), project: project.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = open.get_mut(&self.project) {
            *used -= 1;
            if *used == 0 {
                open.remove(&self.project);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_project_and_free_when_dropped() {
        let streams = Arc::new(Streams::default());
        let (one, other) = (ProjectId::from("p1"), ProjectId::from("p2"));
        let first = streams.take(&one, Some(1)).unwrap();
        assert_eq!(streams.take(&one, Some(1)).unwrap_err().code(), "too_many_streams");
        let _beside = (streams.take(&other, Some(1)).unwrap(), streams.take(&one, None).unwrap());
        drop(first);
        let _again = streams.take(&one, Some(2)).unwrap();
        assert_eq!(streams.open.lock().unwrap().values().copied().collect::<Vec<_>>(), [2, 1]);
    }
}
