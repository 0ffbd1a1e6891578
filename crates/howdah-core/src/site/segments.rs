//! The site's port groups: one list for all clusters that look for theirs.
//!
//! Invariants: see [`keeper`](super::keeper). Which port group belongs to a network is decided in
//! [`segment`](crate::segment).

use std::sync::Arc;

use super::keeper::{Fresh, Keeper, Told};
use crate::systems::Remote;
use crate::systems::vcenter::{Segment, VCenter};
use crate::time::{Clock, Ticker};

/// Lists the site's port groups. One for each site, shared by all its clusters.
#[derive(Default)]
pub struct Segments(Keeper<Vec<Segment>>);

impl Segments {
    /// All port groups.
    ///
    /// # Errors
    /// If vCenter cannot be asked.
    pub async fn list(
        &self,
        fresh: Fresh,
        vcenter: &Arc<dyn VCenter>,
        clock: &dyn Clock,
        ticker: &Ticker,
    ) -> Remote<Told<Vec<Segment>>> {
        let query = || {
            let vcenter = Arc::clone(vcenter);
            async move { vcenter.segments().await }
        };
        self.0.ask(fresh, clock, ticker, query).await
    }
}
