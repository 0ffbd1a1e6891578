//! The actors in the world: the service, or people.
//!
//! Every object has its creator's [`Origin`], so that the world knows its owner without the product's
//! marks. A call through a face belongs to the service (see `trip`), and so does all the work that it
//! starts: jobs, tasks, boots. Everything else is done by people.

use std::sync::Arc;

use howdah_core::failure::System;
use serde::Serialize;

/// The owner of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Created through the service's login.
    Service,
    /// Created by others, including the initial objects of the site.
    #[default]
    People,
}

/// An actor and its action.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The actor.
    pub origin: Origin,
    /// The original call, for display.
    pub action: Arc<str>,
}

tokio::task_local! {
    static ACTOR: Actor;
}

impl Default for Actor {
    fn default() -> Self {
        Self { origin: Origin::People, action: Arc::from("by hand") }
    }
}

impl Actor {
    /// A caller of a system.
    pub(crate) fn calling(origin: Origin, system: System, method: &str, object: &str) -> Self {
        Self { origin, action: Arc::from(format!("{system}: {method} {object}").trim_end()) }
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
