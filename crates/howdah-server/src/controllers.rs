//! The core's controller, put together for a cluster from the parts of its site.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use howdah_core::controller::{Controller, Site};
use howdah_core::failure::chain;
use howdah_core::ids::ClusterId;
use howdah_core::policy::Policy;
use howdah_core::traits::{Clock, ClusterManager, Entropy, Store};
use tokio::sync::{Notify, watch};

use crate::sites::{SiteHandles, Sites};
use crate::supervisor::RunController;

/// What every controller is made from.
#[derive(Clone)]
pub(crate) struct Controllers {
    pub(crate) sites: Sites,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) policy: Policy,
}

impl RunController for Controllers {
    fn run(&self, id: ClusterId, wake: Arc<Notify>, stop: watch::Receiver<bool>) -> BoxFuture<'static, ()> {
        let parts = self.clone();
        async move { parts.work(id, wake, stop).await }.boxed()
    }
}

impl Controllers {
    async fn work(self, id: ClusterId, wake: Arc<Notify>, mut stop: watch::Receiver<bool>) {
        let record = match self.store.load(&id).await {
            Ok(Some((record, _))) => record,
            Ok(None) => return,
            Err(e) => return tracing::warn!(cluster = %id, "cannot be read: {}", chain(&e)),
        };
        let Some(site) = self.sites.get(&record.site) else {
            // The operator has taken the site out of the configuration. Nothing can be done, and
            // nothing must be lost: the cluster waits for its site to come back.
            tracing::error!(cluster = %id, site = %record.site, "there is no such site any more");
            let _ = stop.wait_for(|stop| *stop).await;
            return;
        };
        let manager = self.manager(&id, site).await;
        let controller = Controller {
            site: Site {
                name: site.name.clone(),
                backend: site.backend,
                manager,
                vcenter: Arc::clone(&site.vcenter),
                networking: Arc::clone(&site.networking),
            },
            store: self.store,
            clock: self.clock,
            entropy: self.entropy,
            policy: self.policy,
        };
        match controller.run(id, wake, stop).await {
            Ok(ended) => tracing::debug!(cluster = %id, ?ended, "the controller ended"),
            Err(e) => tracing::error!(cluster = %id, "the controller cannot go on: {}", chain(&e)),
        }
    }

    /// The operator's, or one with the template's credentials for as long as they are kept.
    async fn manager(&self, id: &ClusterId, site: &SiteHandles) -> Arc<dyn ClusterManager> {
        if let Some(manager_as) = &site.manager_as {
            match self.store.secrets(id).await {
                Ok(secrets) => {
                    if let Some((user, password)) = secrets.credentials {
                        return manager_as(&user, password);
                    }
                }
                Err(e) => tracing::warn!(cluster = %id, "secrets cannot be read: {}", chain(&e)),
            }
        }
        Arc::clone(&site.manager)
    }
}
