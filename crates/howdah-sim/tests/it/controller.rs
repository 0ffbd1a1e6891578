//! The controller of `howdah-core` against the simulated site, in virtual time: with faults,
//! with crashes, and with every kind of network. After each run the invariants must hold.

use std::sync::Arc;
use std::time::Duration;

use howdah_core::cluster::{
    ClusterRecord, ClusterSpec, NodeGroup, OperationKind, OperationRequest, OperationState, RemedyPolicy, Secrets,
    WaitFor, Wanted,
};
use howdah_core::controller::Controller;
use howdah_core::failure::{ErrorKind, System};
use howdah_core::ids::{ClusterId, OperationId, ProjectId};
use howdah_core::policy::Policy;
use howdah_core::traits::{Entropy as _, Identity as _, NetworkWish, Store as _};
use howdah_sim::inprocess::{self, SimIdentity};
use howdah_sim::invariants::Moment;
use howdah_sim::memory_store::MemoryStore;
use howdah_sim::world::faults::{Effect, FaultRule};
use howdah_sim::world::settings::{GuestProfile, NetworkBackend};
use howdah_sim::{SiteSettings, World};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// A world with one cluster and the controller that works on it.
struct Run {
    world: World,
    store: Arc<MemoryStore>,
    id: ClusterId,
    wake: Arc<Notify>,
    stop: watch::Sender<bool>,
    service: JoinHandle<()>,
}

const LONG: Duration = Duration::from_secs(8 * 3600);

impl Run {
    async fn begin(settings: SiteSettings, nodes: u32, prepare: impl FnOnce(&World, &MemoryStore)) -> Self {
        let world = World::new(settings);
        let store = Arc::new(MemoryStore::new());
        let id = ClusterId(world.entropy().uuid());
        store.insert(&record(&world, id, nodes).await, &Secrets::default()).await.unwrap();
        prepare(&world, &store);
        let (wake, stop) = (Arc::new(Notify::new()), watch::Sender::new(false));
        let service = serve(&world, &store, id, &wake, &stop);
        Self { world, store, id, wake, stop, service }
    }

    async fn want(&self, wanted: Wanted, kind: OperationKind) {
        let operation = operation(&self.world, kind);
        while self.store.want(&self.id, wanted, &operation).await.is_err() {
            self.world.sleep(Duration::from_secs(1)).await;
        }
        self.wake.notify_one();
    }

    /// Waits until the newest operation has ended; none if the cluster is gone.
    async fn ended(&self) -> Option<OperationState> {
        let ends = async {
            loop {
                // Between two lives of the service the store does not answer.
                if let Ok(found) = self.store.load(&self.id).await {
                    let (record, state) = found?;
                    let operation = state.operation.filter(|o| o.id == record.operation.id);
                    if let Some(done) = operation.filter(|o| o.state != OperationState::Running) {
                        return Some(done.state);
                    }
                }
                self.world.sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::time::timeout(LONG, ends).await.expect("every operation ends")
    }

    /// What happened, for whoever has to find out why a run went wrong.
    async fn story(&self) -> String {
        let events = self.store.events(&self.id, 0, usize::MAX).await.unwrap();
        let lines = events.iter().map(|(_, e)| {
            let node = e.node.as_ref().map(|n| format!(" {n}")).unwrap_or_default();
            format!("{} {}{node}: {}", e.at, e.reason, e.message)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    async fn at_rest(&self) -> Vec<howdah_sim::invariants::Violation> {
        // What was accepted by the cluster manager goes on to its end.
        let still = |s: &howdah_sim::world::state::State| s.bde.tasks.values().all(|t| t.status.is_final());
        tokio::time::timeout(LONG, self.world.wait_until(still)).await.expect("the manager's tasks end");
        self.world.sleep(Duration::from_secs(120)).await;
        self.world.invariants(Moment::AtRest, &[self.store.text()])
    }

    async fn delete(&self) {
        self.want(Wanted::Deleted, OperationKind::Delete).await;
        assert_eq!(self.ended().await, None, "{}", self.story().await);
        assert_eq!(self.at_rest().await, []);
        self.world.read(|s| {
            assert_eq!(s.vc.vms.len(), 1, "only the template is left");
            assert!(s.neutron.ports.values().all(|p| p.device_owner.starts_with("network:")));
            assert!(s.bde.networks.is_empty(), "the registration was ours");
        });
        self.stop.send_replace(true);
        self.world.stop();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.service.abort();
    }
}

/// The service: a controller, started again whenever it is killed.
fn serve(
    world: &World,
    store: &Arc<MemoryStore>,
    id: ClusterId,
    wake: &Arc<Notify>,
    stop: &watch::Sender<bool>,
) -> JoinHandle<()> {
    let controller = Controller {
        site: inprocess::site(world),
        store: Arc::<MemoryStore>::clone(store),
        clock: world.clock(),
        entropy: world.entropy(),
        policy: Policy::default(),
    };
    let (world, store, wake, stop) = (world.clone(), Arc::clone(store), Arc::clone(wake), stop.subscribe());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                biased;
                () = store.crashed() => {}
                ended = controller.run(id, Arc::clone(&wake), stop.clone()) => if ended.is_ok() { return },
            }
            world.sleep(Duration::from_secs(5)).await;
            store.revive();
        }
    })
}

fn operation(world: &World, kind: OperationKind) -> OperationRequest {
    OperationRequest { id: OperationId(world.entropy().uuid()), kind, requested: world.now() }
}

async fn record(world: &World, id: ClusterId, nodes: u32) -> ClusterRecord {
    let wish =
        NetworkWish { network: "data".to_owned(), subnet: "data-subnet".to_owned(), security_groups: Vec::new() };
    let grant = SimIdentity::new(world.clone()).grant(None, &wish).await.unwrap();
    let group = NodeGroup {
        name: "worker".parse().unwrap(),
        roles: vec!["kafka_broker".to_owned()],
        count: nodes,
        cpu: None,
        memory_mb: None,
        disk_gb: None,
    };
    ClusterRecord {
        id,
        site: "simulated".into(),
        project: ProjectId::new(world.service().project),
        name: "c".parse().unwrap(),
        spec: ClusterSpec {
            distro: "kafka".to_owned(),
            app_manager: None,
            network: grant.network,
            subnet: grant.subnet,
            security_groups: grant.security_groups,
            resource_pools: vec!["openstackRP".to_owned()],
            datastores: Vec::new(),
            node_groups: vec![group],
            specification: None,
            wait_for: WaitFor::Addresses,
            remedy: RemedyPolicy::Auto,
        },
        wanted: Wanted::Running,
        operation: operation(world, OperationKind::Create),
        created: world.now(),
    }
}

#[tokio::test(start_paused = true)]
async fn create_stop_start_delete_on_every_backend() {
    for backend in [NetworkBackend::NsxV, NetworkBackend::NsxT, NetworkBackend::Ml2] {
        let run = Run::begin(SiteSettings { backend, ..SiteSettings::default() }, 5, |_, _| {}).await;
        assert_eq!(run.ended().await, Some(OperationState::Succeeded), "{}", run.story().await);
        let report = run.world.read(|s| s.journal.report("c"));
        assert_eq!((report.addressed, report.remedies), (5, 0), "{backend:?}");
        let lost = report.seconds.unwrap() - report.floor_seconds.unwrap();
        assert!(lost < 0.05, "{backend:?}: {lost} s lost against the floor");
        run.world.read(|s| {
            let attached = |v: &howdah_sim::world::inventory::Vm| {
                let ports = s.neutron.by_mac.get(&v.nics[0].mac).into_iter().flatten();
                ports.filter_map(|p| s.neutron.ports.get(p)).any(|p| s.is_attached(v, &v.nics[0], p))
            };
            assert!(s.vc.vms.values().filter(|v| v.cluster.is_some()).all(attached), "{backend:?}");
        });
        run.want(Wanted::Stopped, OperationKind::Stop).await;
        assert_eq!(run.ended().await, Some(OperationState::Succeeded));
        run.want(Wanted::Running, OperationKind::Start).await;
        assert_eq!(run.ended().await, Some(OperationState::Succeeded));
        run.delete().await;
    }
}

#[tokio::test(start_paused = true)]
async fn refused_and_lost_calls_change_nothing_in_the_end() {
    let calls = [
        (System::Bde, "create_cluster"),
        (System::Bde, "register_network"),
        (System::Bde, "cluster"),
        (System::Bde, "delete_cluster"),
        (System::VCenter, "watch_update"),
        (System::VCenter, "segments"),
        (System::Neutron, "ports"),
        (System::Neutron, "create_ports"),
        (System::Neutron, "set_vnic_index"),
        (System::Neutron, "delete_port"),
    ];
    for (system, method) in calls {
        let effects = [
            Effect::LoseAnswer,
            Effect::Refuse { kind: ErrorKind::Unreachable },
            Effect::Refuse { kind: ErrorKind::Unavailable },
        ];
        for effect in effects {
            let rule = FaultRule::new(system, method, effect.clone()).times(2);
            let run = Run::begin(SiteSettings::default(), 3, |world, _| {
                world.write(|s| s.faults.add(rule));
            })
            .await;
            assert_eq!(
                run.ended().await,
                Some(OperationState::Succeeded),
                "{method} {effect:?}: {}",
                run.story().await
            );
            run.delete().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_write_loses_nothing() {
    for writes in 0..40 {
        let run = Run::begin(SiteSettings::default(), 3, |_, store| store.crash_after(writes)).await;
        assert_eq!(
            run.ended().await,
            Some(OperationState::Succeeded),
            "killed at write {writes}: {}",
            run.story().await
        );
        assert_eq!(run.at_rest().await, [], "killed at write {writes}");
        run.delete().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_neutron_is_made_up_for_by_remedies() {
    for profile in GuestProfile::ALL {
        // Ports take 150 s: most guests have given up by then.
        let rule = FaultRule::new(System::Neutron, "create_ports", Effect::Delay).delayed(150.0);
        let run = Run::begin(SiteSettings { guest: profile, ..SiteSettings::default() }, 4, |world, _| {
            world.write(|s| s.faults.add(rule));
        })
        .await;
        assert_eq!(run.ended().await, Some(OperationState::Succeeded), "{profile:?}: {}", run.story().await);
        assert_eq!(run.at_rest().await, [], "{profile:?}");
    }
}
