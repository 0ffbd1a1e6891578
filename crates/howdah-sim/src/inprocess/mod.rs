//! The traits of `howdah-core` over a [`World`], in process: no wire, no threads, so that with
//! tokio's time paused a whole run is deterministic and takes no time.
//!
//! Every call is counted, takes the time of an answer, and meets the fault rules, under the
//! name of the trait's method: `create_cluster`, `vms`, `create_ports`, ...

use std::sync::Arc;

use howdah_core::controller::Site;
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::SiteName;
use howdah_core::registrar::Registrar;
use howdah_core::traits::{Remote, Store};

use crate::World;

mod cluster_manager;
mod identity;
mod networking;
mod vcenter;

pub use cluster_manager::SimClusterManager;
pub use identity::SimIdentity;
pub use networking::SimNetworking;
pub use vcenter::SimVCenter;

/// A world's systems as controllers work with them that keep their clusters in this store.
pub fn site(world: &World, store: &Arc<dyn Store>) -> Site {
    let name = SiteName::from("simulated");
    Site {
        backend: world.read(|s| s.settings.backend),
        manager: Arc::new(SimClusterManager::new(world.clone())),
        vcenter: Arc::new(SimVCenter::new(world.clone())),
        networking: Arc::new(SimNetworking::new(world.clone())),
        registrar: Arc::new(Registrar::new(name.clone(), Arc::clone(store))),
        name,
    }
}

/// One call: counted, held up, refused or robbed of its answer as the rules say.
async fn call<T>(
    world: &World,
    system: System,
    method: &str,
    object: &str,
    work: impl Future<Output = Remote<T>>,
) -> Remote<T> {
    let verdict = world.call(system, method, object).await;
    if let Some(refused) = verdict.refusal(system) {
        return Err(refused);
    }
    let answer = work.await;
    if verdict.lose_answer {
        let says = format!("no answer to {method} came in time");
        return Err(RemoteError::new(system, ErrorKind::NoAnswer, "no_answer", says));
    }
    answer
}
