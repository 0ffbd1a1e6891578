//! The traits of `howdah-core` over a [`World`], in process: no wire, no threads, so that with
//! tokio's time paused a whole run is deterministic and takes no time.
//!
//! Every call is counted, takes the time of an answer, and meets the fault rules, under the
//! name of the trait's method: `create_cluster`, `vms`, `create_ports`, ...

use std::sync::Arc;

use howdah_core::controller::Site;
use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::SiteName;
use howdah_core::policy::{Networks, Policy};
use howdah_core::provision::Bde;
use howdah_core::site::registrar::Registrar;
use howdah_core::site::turns::Turns;
use howdah_core::store::Store;
use howdah_core::systems::Remote;

use crate::World;
use crate::world::faults::injected;
use crate::world::trip::Arrival;

mod cluster_manager;
mod identity;
mod networking;
mod vcenter;

pub use cluster_manager::SimClusterManager;
pub use identity::SimIdentity;
pub use networking::SimNetworking;
pub use vcenter::SimVCenter;

/// A world's systems as controllers work with them that know the site by this name and keep their
/// clusters in this store.
pub fn site(world: &World, name: SiteName, store: &Arc<dyn Store>, policy: &Policy) -> Site {
    let settles = policy.manager_settles;
    Site {
        networks: Networks::of(world.read(|s| s.settings.backend)),
        provision: Arc::new(Bde),
        manager: Arc::new(SimClusterManager::new(world.clone())),
        vcenter: Arc::new(SimVCenter::new(world.clone())),
        networking: Arc::new(SimNetworking::new(world.clone())),
        identity: Arc::new(SimIdentity::new(world.clone())),
        registrar: Arc::new(Registrar::new(name.clone(), Arc::clone(store), world.clock(), settles)),
        turns: Arc::new(Turns::new(name.clone(), Arc::clone(store), policy.creates_at_once)),
        looks: Some(Arc::default()),
        segments: Arc::default(),
        ports: Arc::default(),
        name,
    }
}

/// One call: counted, and carried as the fault rules say. Its work is the world's, which goes on
/// with it if the caller is dropped.
async fn call<T, F>(
    world: &World,
    system: System,
    method: &str,
    object: &str,
    work: impl FnOnce(World) -> F + Send + 'static,
) -> Remote<T>
where
    T: Send + 'static,
    F: Future<Output = Remote<T>> + Send + 'static,
{
    match world.depart(system, method, object).carry(work).await {
        Arrival::Answered(answer) => answer,
        Arrival::Refused(kind) => Err(injected(system, kind)),
        Arrival::Lost => {
            let says = format!("no answer to {method} came in time");
            Err(RemoteError::new(system, ErrorKind::NoAnswer, "no_answer", says))
        }
    }
}

/// The same for what the server does in a moment.
async fn call_now<T: Send + 'static>(
    world: &World,
    system: System,
    method: &str,
    object: &str,
    work: impl FnOnce(&World) -> Remote<T> + Send + 'static,
) -> Remote<T> {
    call(world, system, method, object, |world| async move { work(&world) }).await
}
