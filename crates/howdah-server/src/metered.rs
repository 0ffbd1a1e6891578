//! The meter of one site's adapters: it counts their calls and records what the last one showed of each system.
//!
//! Invariant: only the service's own calls show the health of a system. A requester's token, password or words
//! can make any call fail; they say nothing about the system.

use std::fmt;
use std::sync::Arc;

use howdah_core::ids::SiteName;
use howdah_core::time::Clock;
use howdah_transport::meter::{Called, Meter, Whose};

use crate::metrics::Metrics;

/// Counts the calls to the systems of one site.
#[derive(Clone)]
pub struct SiteMeter {
    site: SiteName,
    whose: Whose,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
}

impl SiteMeter {
    /// The meter for adapters with the service's credentials.
    pub fn new(site: SiteName, metrics: Arc<Metrics>, clock: Arc<dyn Clock>) -> Self {
        Self { site, whose: Whose::Service, metrics, clock }
    }

    /// The meter for adapters with the credentials of a requester.
    #[must_use]
    pub fn of_requesters(&self) -> Self {
        Self { whose: Whose::Requester, ..self.clone() }
    }
}

impl fmt::Debug for SiteMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiteMeter").field("site", &self.site).field("whose", &self.whose).finish_non_exhaustive()
    }
}

impl Meter for SiteMeter {
    fn called(&self, call: &Called<'_>) {
        let site = self.site.as_str();
        self.metrics.call(site, call);
        if self.whose == Whose::Service && call.whose == Whose::Service {
            self.metrics.heard(site, call.system, self.clock.now(), call.failed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use howdah_core::failure::{ErrorKind, System};
    use howdah_transport::meter::Failed;

    use super::*;
    use crate::runtime::SystemClock;

    fn called(whose: Whose, kind: Option<ErrorKind>) -> Called<'static> {
        let failed = kind.map(|kind| Failed { kind, code: "a_code" });
        Called { system: System::Bde, method: "GET clusters", whose, took: Duration::ZERO, failed }
    }

    #[test]
    fn only_calls_of_the_service_with_its_own_credentials_show_health() {
        let metrics = Arc::new(Metrics::default());
        let own = SiteMeter::new("main".into(), Arc::clone(&metrics), Arc::new(SystemClock));
        let health = || metrics.health("main", System::Bde).map(|h| h.failing);
        own.of_requesters().called(&called(Whose::Service, Some(ErrorKind::Unreachable)));
        own.called(&called(Whose::Requester, Some(ErrorKind::Unreachable)));
        assert_eq!(health(), None);
        let counted = "{site=\"main\",system=\"bde\",method=\"GET clusters\",outcome=\"unreachable\"} 2";
        assert!(metrics.text(&BTreeMap::new(), &BTreeMap::new(), 0).contains(counted), "counted all the same");
        own.called(&called(Whose::Service, Some(ErrorKind::Unreachable)));
        assert_eq!(health(), Some(Some("a_code")));
        // Neither a failure nor a success of a requester changes that.
        own.called(&called(Whose::Requester, None));
        assert_eq!(health(), Some(Some("a_code")));
        // A refusal of one request is an answer.
        own.called(&called(Whose::Service, Some(ErrorKind::NotFound)));
        assert_eq!(health(), Some(None));
    }
}
