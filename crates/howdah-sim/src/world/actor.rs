//! Who does something in the world: the service, or people.
//!
//! Whatever is made bears its maker's [`Origin`], so that the world knows whose a thing is without
//! asking the product's marks. A call through a face is the service's (see `trip`), and so is all
//! the work that it starts: jobs, tasks, boots. Everything else is done by people.

use std::sync::Arc;

use howdah_core::failure::System;
use serde::Serialize;

/// Whose a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Made through the service's login.
    Service,
    /// Made by anybody else, the site's own first furniture among it.
    #[default]
    People,
}

/// Who does something, and what.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Whose deed it is.
    pub origin: Origin,
    /// The call that it goes back to, for people.
    pub deed: Arc<str>,
}

tokio::task_local! {
    static ACTOR: Actor;
}

impl Default for Actor {
    fn default() -> Self {
        Self { origin: Origin::People, deed: Arc::from("by hand") }
    }
}

impl Actor {
    /// Somebody who calls a system.
    pub(crate) fn calling(origin: Origin, system: System, method: &str, object: &str) -> Self {
        Self { origin, deed: Arc::from(format!("{system}: {method} {object}").trim_end()) }
    }

    /// Who acts here and now.
    pub(crate) fn current() -> Self {
        ACTOR.try_with(Clone::clone).unwrap_or_default()
    }

    /// Does some work as this actor.
    pub(crate) async fn does<T>(self, work: impl Future<Output = T>) -> T {
        ACTOR.scope(self, work).await
    }
}
