//! The registrar against a manager and a store of a few lines: whatever its clusters do at the same
//! time and wherever it crashes, what we registered goes with its last user, and what others
//! registered stays.

use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use uuid::Uuid;

use super::*;
use crate::document::{self, Row, SiteKind};
use crate::event::Event;
use crate::failure::{ErrorKind, RemoteError, System};
use crate::ids::{ClusterId, ClusterName, ProjectId, TaskId};
use crate::store::{Change, Page, Trace};
use crate::systems::manager::{Catalog, Demand, ManagedChange, ManagedCluster, ManagedSpec, ManagedTask};
use crate::test_support::segment;
use crate::usage::Usage;
use crate::wanted::{ClusterRecord, Secrets};

const SETTLES: Duration = Duration::from_secs(180);

/// A clock by which everything settles between two looks at it.
#[derive(Default)]
struct Leaps(AtomicU64);

impl Clock for Leaps {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
    fn mono(&self) -> Mono {
        Mono::new(SETTLES * u32::try_from(self.0.fetch_add(2, Ordering::Relaxed)).unwrap())
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        unreachable!("the registrar does not sleep")
    }
}

/// What goes wrong with the next call of that name.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// Its answer is lost, and it has no effect.
    Refused,
    /// It is refused.
    Denied,
    /// It has its effect, and the answer is lost.
    Lost,
    /// It never answers, and has no effect: who waits for it is killed.
    Silent,
    /// It has its effect and never answers.
    SilentAfter,
}

/// The manager and the store in one.
#[derive(Default)]
struct World {
    registered: StdMutex<Vec<RegisteredNetwork>>,
    /// Names of networks that clusters use.
    used: StdMutex<Vec<String>>,
    stored: StdMutex<Vec<Registration>>,
    calls: StdMutex<Vec<String>>,
    faults: StdMutex<Vec<(&'static str, Fault)>>,
}

impl World {
    fn fault(&self, call: &'static str, fault: Fault) {
        self.faults.lock().unwrap().push((call, fault));
    }

    /// One call: others get their turn before it, then its effect, then what is wrong with it.
    async fn call<T>(&self, call: &'static str, about: &str, effect: impl FnOnce() -> T) -> Remote<T> {
        self.calls.lock().unwrap().push(format!("{call} {about}").trim().to_owned());
        tokio::task::yield_now().await;
        let fault = {
            let mut faults = self.faults.lock().unwrap();
            faults.iter().position(|(of, _)| *of == call).map(|at| faults.remove(at).1)
        };
        if !matches!(fault, Some(Fault::Refused | Fault::Denied | Fault::Silent)) {
            let done = effect();
            if fault.is_none() {
                return Ok(done);
            }
        }
        if matches!(fault, Some(Fault::Silent | Fault::SilentAfter)) {
            std::future::pending::<()>().await;
        }
        if fault == Some(Fault::Denied) {
            return Err(RemoteError::new(System::Bde, ErrorKind::NotFound, "bde_port_group_not_found", "is not there"));
        }
        Err(RemoteError::new(System::Bde, ErrorKind::NoAnswer, "bde_no_answer", "gave no answer"))
    }

    fn has(&self, name: &str, port_group: &str) {
        let network = RegisteredNetwork { name: name.into(), port_group: port_group.into(), dhcp: true };
        self.registered.lock().unwrap().push(network);
    }

    fn names(&self) -> Vec<String> {
        self.registered.lock().unwrap().iter().map(|n| n.name.clone()).collect()
    }

    fn users(&self) -> Vec<usize> {
        self.stored.lock().unwrap().iter().map(|r| r.users.len()).collect()
    }

    fn count(&self, call: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|c| c.starts_with(call)).count()
    }

    fn is_clean(&self) {
        assert_eq!((self.names(), self.users()), (vec![], vec![]), "{:?}", self.calls.lock().unwrap());
    }
}

#[async_trait]
impl ClusterManager for World {
    async fn networks(&self) -> Remote<Vec<RegisteredNetwork>> {
        self.call("list", "", || self.registered.lock().unwrap().clone()).await
    }
    async fn register_network(&self, network: &RegisteredNetwork) -> Remote<()> {
        if self.names().contains(&network.name) {
            let taken = RemoteError::new(System::Bde, ErrorKind::Conflict, "bde_network_name_taken", "is taken");
            return Err(taken);
        }
        self.call("register", &network.name, || self.registered.lock().unwrap().push(network.clone())).await
    }
    async fn unregister_network(&self, name: &str) -> Remote<Unregistered> {
        let effect = || {
            if self.used.lock().unwrap().iter().any(|n| n == name) {
                return Unregistered::InUse;
            }
            let mut networks = self.registered.lock().unwrap();
            let before = networks.len();
            networks.retain(|n| n.name != name);
            if networks.len() < before { Unregistered::Removed } else { Unregistered::Absent }
        };
        self.call("unregister", name, effect).await
    }
    async fn version(&self) -> Remote<String> {
        unreachable!()
    }
    async fn catalog(&self, _: Option<&str>) -> Remote<Catalog> {
        unreachable!()
    }
    fn demand(&self, _: &ManagedSpec) -> Remote<Demand> {
        unreachable!()
    }
    async fn cluster(&self, _: &ClusterName) -> Remote<Option<ManagedCluster>> {
        unreachable!()
    }
    async fn clusters(&self) -> Remote<BTreeMap<String, ManagedCluster>> {
        unreachable!()
    }
    async fn create_cluster(&self, _: &ManagedSpec) -> Remote<TaskId> {
        unreachable!()
    }
    async fn change_cluster(&self, _: &ClusterName, _: ManagedChange) -> Remote<TaskId> {
        unreachable!()
    }
    async fn delete_cluster(&self, _: &ClusterName) -> Remote<Option<TaskId>> {
        unreachable!()
    }
    async fn task(&self, _: &TaskId) -> Remote<Option<ManagedTask>> {
        unreachable!()
    }
    async fn tasks(&self) -> Remote<Vec<ManagedTask>> {
        unreachable!()
    }
}

#[async_trait]
impl Store for World {
    async fn site_documents(&self, _: &SiteName, _: &SiteKind) -> Remote<Vec<(String, String)>> {
        let text = |r: &Registration| (r.name.clone(), document::write(r).unwrap());
        self.call("load", "", || self.stored.lock().unwrap().iter().map(text).collect()).await
    }
    async fn write(&self, change: Change<'_>) -> Remote<()> {
        let Change::SiteDocument { name, text, .. } = change else { unreachable!() };
        let effect = || {
            let mut stored = self.stored.lock().unwrap();
            stored.retain(|r| r.name != name);
            stored.extend(text.and_then(|text| document::read_registration(name, text)));
        };
        self.call(if text.is_some() { "save" } else { "forget" }, name, effect).await
    }
    async fn load(&self, _: &ClusterKey) -> Remote<Option<Row>> {
        unreachable!()
    }
    async fn wanted(&self, _: &ClusterKey) -> Remote<Option<ClusterRecord>> {
        unreachable!()
    }
    async fn list(&self, _: Option<&ProjectId>, _: Page<'_>) -> Remote<Vec<Row>> {
        unreachable!()
    }
    async fn traces(&self, _: &ClusterId) -> Remote<Vec<Trace>> {
        unreachable!()
    }
    async fn usage_beside(&self, _: &ClusterKey) -> Remote<Usage> {
        unreachable!()
    }
    async fn secrets(&self, _: &ClusterKey) -> Remote<Secrets> {
        unreachable!()
    }
    async fn events(&self, _: &ClusterKey, _: u64, _: usize) -> Remote<Vec<(u64, Event)>> {
        unreachable!()
    }
    async fn by_capability(&self, _: &ClusterId, _: &[u8; 32]) -> Remote<Option<ClusterKey>> {
        unreachable!()
    }
}

/// The name that we give.
const OURS: &str = "howdah-net-1";

/// A process on a site.
struct Process {
    world: Arc<World>,
    registrar: Registrar,
}

impl Process {
    fn on(world: &Arc<World>) -> Self {
        Self {
            world: world.clone(),
            registrar: Registrar::new("main".into(), world.clone(), Arc::new(Leaps::default()), SETTLES),
        }
    }

    async fn need(&self, cluster: u128) -> Remote<String> {
        self.registrar.need(&key(cluster), self.world.as_ref(), &"net-1".into(), &segment()).await
    }

    async fn release(&self, cluster: u128) -> Remote<()> {
        self.registrar.release(&key(cluster), self.world.as_ref()).await
    }
}

fn key(cluster: u128) -> ClusterKey {
    ClusterKey { project: "p1".into(), id: ClusterId(Uuid::from_u128(cluster)) }
}

fn here() -> String {
    segment().name
}

#[tokio::test]
async fn three_clusters_need_and_release_at_the_same_time() {
    let world = Arc::new(World::default());
    let process = Process::on(&world);
    let names = futures::join!(process.need(1), process.need(2), process.need(3));
    assert_eq!((names.0.unwrap(), names.1.unwrap(), names.2.unwrap()), (OURS.into(), OURS.into(), OURS.into()));
    assert_eq!((world.count("register"), world.users()), (1, vec![3]));
    let released = futures::join!(process.release(1), process.release(2), process.release(3));
    assert!(released.0.is_ok() && released.1.is_ok() && released.2.is_ok());
    assert_eq!(world.count("unregister"), 1);
    world.is_clean();
}

#[tokio::test]
async fn the_last_user_counts_and_nobody_else() {
    let world = Arc::new(World::default());
    let process = Process::on(&world);
    process.need(1).await.unwrap();
    process.need(2).await.unwrap();
    process.release(2).await.unwrap();
    process.release(2).await.unwrap();
    process.release(9).await.unwrap();
    assert_eq!((world.names(), world.users()), (vec![OURS.to_owned()], vec![1]));
    process.release(1).await.unwrap();
    world.is_clean();
}

#[tokio::test]
async fn whatever_fails_or_crashes_at_any_call_nothing_is_left_behind() {
    let faults = [Fault::Refused, Fault::Lost, Fault::Silent, Fault::SilentAfter];
    for (phase, calls) in
        [("need", &["list", "load", "save", "register"][..]), ("release", &["load", "list", "unregister", "forget"])]
    {
        for call in calls {
            for fault in faults {
                let world = Arc::new(World::default());
                let process = Process::on(&world);
                if phase == "need" {
                    world.fault(call, fault);
                    // A call that never answers is where the process ends.
                    let _ = process.need(1).now_or_never_soon().await;
                } else {
                    process.need(1).await.unwrap();
                    world.fault(call, fault);
                    let _ = process.release(1).now_or_never_soon().await;
                }
                assert!(world.faults.lock().unwrap().is_empty(), "{fault:?} of {call} in {phase} never happened");
                let before = world.stored.lock().unwrap().len();
                assert!(world.names().len() <= before, "{fault:?} of {call} in {phase}: made, and not written down");
                drop(process);
                let again = Process::on(&world);
                if phase == "need" {
                    assert_eq!(again.need(1).await.unwrap(), OURS, "{fault:?} of {call}");
                    assert_eq!(world.names(), [OURS], "{fault:?} of {call}");
                }
                again.release(1).await.unwrap();
                world.is_clean();
            }
        }
    }
}

#[tokio::test]
async fn a_delete_after_a_crash_between_store_and_register_leaves_nothing() {
    for fault in [Fault::Silent, Fault::SilentAfter] {
        let world = Arc::new(World::default());
        world.fault("register", fault);
        assert!(Process::on(&world).need(1).now_or_never_soon().await.is_none(), "killed there");
        let process = Process::on(&world);
        let early = process.release(1).await.unwrap_err();
        assert_eq!(early.code, "bde_network_may_turn_up", "nothing is concluded before it had its time");
        process.release(1).await.unwrap();
        world.is_clean();
    }
}

#[tokio::test]
async fn what_the_manager_refused_is_not_waited_for() {
    let world = Arc::new(World::default());
    world.fault("register", Fault::Denied);
    let process = Process::on(&world);
    assert_eq!(process.need(1).await.unwrap_err().code, "bde_port_group_not_found");
    Process::on(&world).release(1).await.unwrap();
    world.is_clean();
}

#[tokio::test]
async fn a_registration_that_was_removed_by_somebody_is_made_again() {
    let world = Arc::new(World::default());
    let process = Process::on(&world);
    process.need(1).await.unwrap();
    world.registered.lock().unwrap().clear();
    assert_eq!(process.need(1).await.unwrap(), OURS);
    assert_eq!((world.names(), world.users()), (vec![OURS.to_owned()], vec![1]));
    world.registered.lock().unwrap().clear();
    process.release(1).await.unwrap();
    world.is_clean();
}

#[tokio::test]
async fn ours_for_a_port_group_that_was_made_anew_is_registered_anew() {
    let world = Arc::new(World::default());
    let process = Process::on(&world);
    process.need(1).await.unwrap();
    let before = "vxw-dvs-1-virtualwire-0-sid-4999-net-1";
    world.registered.lock().unwrap()[0].port_group = before.into();
    world.stored.lock().unwrap()[0].port_group = before.into();
    assert_eq!(process.need(2).await.unwrap(), OURS);
    assert_eq!(world.registered.lock().unwrap()[0].port_group, here());
    assert_eq!(world.users(), [2]);
    process.release(1).await.unwrap();
    process.release(2).await.unwrap();
    world.is_clean();
}

// ---------------------------------------------------------------- others' registrations

#[tokio::test]
async fn a_registration_of_others_is_used_and_kept() {
    for name in ["operators", OURS] {
        let world = Arc::new(World::default());
        world.has(name, &here());
        let process = Process::on(&world);
        assert_eq!(process.need(1).await.unwrap(), name);
        assert_eq!(process.need(1).await.unwrap(), name);
        process.release(1).await.unwrap();
        assert_eq!((world.names(), world.count("unregister"), world.count("register")), (vec![name.to_owned()], 0, 0));
        assert_eq!(world.users(), Vec::<usize>::new());
    }
}

#[tokio::test]
async fn a_registration_of_others_that_does_not_serve_is_left_alone() {
    let world = Arc::new(World::default());
    world.has("theirs", &here());
    world.registered.lock().unwrap()[0].dhcp = false;
    world.has("elsewhere", "dvportgroup of something else");
    let before = world.registered.lock().unwrap().clone();
    let process = Process::on(&world);
    assert_eq!(process.need(1).await.unwrap(), OURS);
    process.release(1).await.unwrap();
    assert_eq!(*world.registered.lock().unwrap(), before);
}

#[tokio::test]
async fn what_others_register_while_ours_is_refused_is_theirs() {
    let world = Arc::new(World::default());
    let process = Process::on(&world);
    world.fault("register", Fault::Denied);
    assert_eq!(process.need(1).await.unwrap_err().code, "bde_port_group_not_found");
    assert_eq!(world.users(), Vec::<usize>::new(), "nothing of ours is known to be there");
    world.has(OURS, &here());
    assert_eq!(process.need(1).await.unwrap(), OURS);
    process.release(1).await.unwrap();
    assert_eq!(world.names(), [OURS], "it was made by others");
}

#[tokio::test]
async fn a_refusal_does_not_forget_what_a_process_before_had_asked_for() {
    let world = Arc::new(World::default());
    // Killed while it waits for the answer; its call has not had its effect yet.
    world.fault("register", Fault::Silent);
    assert!(Process::on(&world).need(1).now_or_never_soon().await.is_none(), "killed there");
    let after = Process::on(&world);
    world.fault("register", Fault::Denied);
    assert_eq!(after.need(1).await.unwrap_err().code, "bde_port_group_not_found");
    assert_eq!(world.users(), [1], "it may still turn up");
    world.has(OURS, &here());
    for _ in 0..3 {
        if after.release(1).await.is_ok() {
            break;
        }
    }
    world.is_clean();
}

#[tokio::test]
async fn a_port_group_that_was_made_anew_under_clusters_of_before_is_named() {
    let world = Arc::new(World::default());
    let process = Process::on(&world);
    process.need(1).await.unwrap();
    world.used.lock().unwrap().push(OURS.into());
    let recreated = Segment { name: "another port group of the same network".into(), ..segment() };
    let error = process.registrar.need(&key(2), world.as_ref(), &"net-1".into(), &recreated).await.unwrap_err();
    assert_eq!(error.code, "bde_network_still_used");
    // It is the first cluster's as before, and goes with it.
    world.used.lock().unwrap().clear();
    process.release(1).await.unwrap();
    world.is_clean();
}

#[tokio::test]
async fn a_registration_of_others_that_has_our_name_is_not_ours_however_often_we_try() {
    let world = Arc::new(World::default());
    world.has(OURS, "the port group of another vCenter folder");
    let process = Process::on(&world);
    for _ in 0..3 {
        let refused = process.need(1).await.unwrap_err();
        assert_eq!((refused.kind, refused.code), (ErrorKind::Conflict, "bde_network_name_taken"));
    }
    process.release(1).await.unwrap();
    assert_eq!((world.names(), world.count("unregister")), (vec![OURS.to_owned()], 0));
}

#[tokio::test]
async fn one_that_others_use_stays_and_goes_with_a_later_release() {
    let world = Arc::new(World::default());
    let process = Process::on(&world);
    process.need(1).await.unwrap();
    world.used.lock().unwrap().push(OURS.into());
    process.release(1).await.unwrap();
    assert_eq!((world.names(), world.users()), (vec![OURS.to_owned()], vec![0]), "still known as ours");
    assert_eq!(process.need(2).await.unwrap(), OURS);
    world.used.lock().unwrap().clear();
    process.release(2).await.unwrap();
    world.is_clean();
}

/// Polls a future as long as it makes progress.
trait NowOrNeverSoon: std::future::Future + Sized {
    async fn now_or_never_soon(self) -> Option<Self::Output> {
        let mut future = std::pin::pin!(self);
        for _ in 0..100 {
            if let Some(output) = future.as_mut().now_or_never() {
                return Some(output);
            }
            tokio::task::yield_now().await;
        }
        None
    }
}

impl<F: std::future::Future> NowOrNeverSoon for F {}

#[tokio::test]
async fn what_others_registered_in_place_of_ours_is_not_removed_and_not_changed() {
    for other in ["another port group", "static addresses"] {
        let world = Arc::new(World::default());
        let process = Process::on(&world);
        process.need(1).await.unwrap();
        let (port_group, dhcp) = if other == "static addresses" { (here(), false) } else { (other.to_owned(), true) };
        *world.registered.lock().unwrap() = vec![RegisteredNetwork { name: OURS.into(), port_group, dhcp }];
        let taken = process.need(2).await.unwrap_err();
        assert_eq!(taken.code, "bde_network_name_taken", "{other}");
        process.release(1).await.unwrap();
        assert_eq!((world.names(), world.users()), (vec![OURS.to_owned()], vec![]), "{other}");
        assert_eq!(world.count("unregister"), 0, "{other}");
    }
}
