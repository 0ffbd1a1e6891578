//! The moments: what each site was doing when everything stopped.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use howdah_core::cluster::{
    Asked, ClusterRecord, ClusterState, ClusterStatus, CreateCall, LOCAL_PROJECT, OperationKind, OperationState,
    Secrets, Wanted,
};
use howdah_core::facts::{ManagedChange, ManagedStatus, RegisteredNetwork};
use howdah_core::failure::System;
use howdah_core::ids::ClusterId;
use howdah_core::policy::NetworkBackend::{self, Ml2, NsxT, NsxV};
use howdah_core::traits::Store as _;
use howdah_sim::SiteSettings;
use howdah_sim::memory_store::MemoryStore;
use howdah_sim::world::bde::{BdeStatus, BdeTaskStatus};
use howdah_sim::world::faults::{Effect, FaultRule, Inner};
use howdah_sim::world::neutron::PortBody;
use howdah_sim::world::state::State;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::{Notify, watch};

use crate::documents::Taken;
use crate::site::Run;
use crate::world::dump;

/// What a moment is recognised by: the documents of the first cluster, and the world.
type Seen<'a> = &'a dyn Fn(&ClusterRecord, &ClusterState, &State) -> bool;

/// All moments so far. Each begins with a new site, whose clock starts an hour after the one
/// before, so that creation times tell the clusters' order.
#[derive(Default)]
struct Album {
    taken: Vec<Taken>,
}

impl Album {
    fn site(&self, backend: NetworkBackend, name: &str) -> Run {
        let place = self.taken.len();
        let hours = SignedDuration::from_hours(i64::try_from(place).unwrap());
        let epoch = Timestamp::constant(1_767_225_600, 0) + hours;
        let seed = 1000 + u64::try_from(place).unwrap();
        let mut run = Run::new(SiteSettings { backend, seed, epoch, ..SiteSettings::default() });
        run.controller.site.name = name.into();
        run
    }

    async fn take(&mut self, run: Run, about: &str) {
        self.take_among(run, about, &[], None).await;
    }

    async fn take_among(
        &mut self,
        run: Run,
        about: &str,
        strangers: &[&str],
        removed: Option<(ClusterRecord, ClusterState)>,
    ) {
        let clusters = run.store.list(None).await.unwrap();
        let records: Vec<_> = clusters.iter().chain(&removed).map(|(r, _)| r).collect();
        let world = dump(&run, about, &records, strangers);
        let taken = Taken::of(&run, removed.clone(), world).await;
        run.world.stop();
        self.taken.push(taken);
    }
}

/// Lets the clusters' controllers work until the moment has come, and kills them.
async fn until(run: &Run, ids: &[ClusterId], seen: Seen<'_>) {
    let (_stop, stopped) = watch::channel(false);
    let lives = ids.iter().map(|id| run.controller.run(*id, Arc::new(Notify::new()), stopped.clone()));
    let moment = async {
        for _ in 0..20_000_000 {
            let docs = run.store.load(&ids[0]).await.unwrap();
            let (record, state) = docs.unwrap_or_else(|| panic!("{}: it is gone already", run.controller.site.name));
            if run.world.read(|s| seen(&record, &state, s)) {
                return;
            }
            run.controller.clock.sleep(Duration::from_millis(1)).await;
        }
        panic!("{}: the moment never came: {:?}", run.controller.site.name, run.state(ids[0]).await);
    };
    let all_end = async {
        join_all(lives).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = moment => {}
        () = all_end => {}
    }
}

/// A running cluster, software and all.
async fn running(run: &Run, name: &str, nodes: u32) -> ClusterId {
    let id = run.add(name, nodes).await;
    settled(run, id).await;
    id
}

async fn settled(run: &Run, id: ClusterId) {
    run.work(id).await.unwrap();
    until(run, &[id], &|_, c, s| {
        c.manager_status == Some(ManagedStatus::Running) && s.bde.tasks.values().all(|t| t.status.is_final())
    })
    .await;
    assert_eq!(run.state(id).await.status, ClusterStatus::Running);
}

async fn stopped(run: &Run, name: &str, nodes: u32) -> ClusterId {
    let id = running(run, name, nodes).await;
    run.want(id, Wanted::Stopped, OperationKind::Stop).await;
    assert_eq!(run.work(id).await.unwrap().status, ClusterStatus::Stopped);
    id
}

fn slow(run: &Run, method: &str, seconds: f64) {
    run.world.write(|s| s.faults.add(FaultRule::new(System::Bde, method, Effect::Delay).delayed(seconds)));
}

async fn wants_delete(run: &Run, id: ClusterId) {
    run.want(id, Wanted::Deleted, OperationKind::Delete).await;
}

fn asked(state: &ClusterState, what: Asked) -> bool {
    state.operation.as_ref().is_some_and(|o| o.state == OperationState::Running && o.asked.contains(&what))
}

fn manager(s: &State, record: &ClusterRecord) -> Option<BdeStatus> {
    s.bde.clusters.get(record.name.as_str()).map(|c| c.status)
}

fn vms(s: &State) -> usize {
    s.vc.vms.values().filter(|v| v.cluster.is_some() && v.configured).count()
}

fn ports(s: &State) -> usize {
    s.neutron.ports.values().filter(|p| p.description.starts_with("howdah/")).count()
}

fn known_ports(state: &ClusterState) -> usize {
    state.nodes.values().filter(|n| n.port.is_some()).count()
}

fn known_vms(state: &ClusterState) -> usize {
    state.nodes.values().filter(|n| n.vm.is_some() && n.mac.is_some()).count()
}

fn registered(s: &State) -> bool {
    s.bde.networks.keys().any(|n| n.starts_with("howdah-"))
}

fn is_sent(state: &ClusterState) -> bool {
    matches!(state.create_call, CreateCall::Sent { .. })
}

/// As if the manager had been restarted in the middle of what it does, and then called it failed.
fn manager_fails(run: &Run, name: &str) {
    run.world.write(|s| {
        let now = s.now;
        s.bde.life += 1;
        let cluster = s.bde.clusters.get_mut(name).unwrap();
        cluster.status = BdeStatus::Error;
        let task = s.bde.tasks.get_mut(&cluster.task).unwrap();
        task.status = BdeTaskStatus::Failed;
        task.error = Some(format!("Cluster {name} cannot be operated: vCenter Server did not answer."));
        task.error_code = Some("VC_PROVIDER.NO_ANSWER".to_owned());
        task.ended = Some(now);
    });
}

fn failed(run: &Run, state: &ClusterState, code: &str) {
    assert_eq!(state.status, ClusterStatus::Error, "{}", run.controller.site.name);
    let failure = run.failure(state);
    assert!(failure.starts_with(code), "{}: {failure}", run.controller.site.name);
}

/// Takes all of them.
pub async fn all() -> Vec<Taken> {
    let mut album = Album::default();
    creates(&mut album).await;
    creates_with_vms(&mut album).await;
    at_work(&mut album).await;
    stops_and_starts(&mut album).await;
    deletes(&mut album).await;
    errors(&mut album).await;
    strangers(&mut album).await;
    shared(&mut album).await;
    album.taken
}

// ---------------------------------------------------------------- creates

async fn creates(album: &mut Album) {
    let run = album.site(NsxV, "v-pending");
    let record = run.record("pending", 2).await;
    let secrets = Secrets {
        cluster_password: Some(SecretString::from("sealed password of pending")),
        credentials: Some(("root".to_owned(), SecretString::from("sealed credentials of pending"))),
    };
    run.store.insert(&record, &secrets).await.unwrap();
    album.take(run, "accepted; no controller has seen it; cluster password and template credentials are sealed").await;

    let run = album.site(NsxV, "v-create-begun");
    let id = run.add("create_begun", 2).await;
    until(&run, &[id], &|_, c, _| c.operation.is_some()).await;
    album.take(run, "create taken up; nothing is known or made yet; create_call not_sent").await;

    let run = album.site(NsxV, "v-create-registering");
    let id = run.add("create_registering", 2).await;
    until(&run, &[id], &|_, c, s| registered(s) && c.registration.is_none()).await;
    album.take(run, "the registration is made and owned, and the cluster's state does not know of it; not_sent").await;

    let run = album.site(NsxV, "v-create-registered");
    slow(&run, "cluster", 2.0);
    let id = run.add("create_registered", 2).await;
    until(&run, &[id], &|_, c, _| c.registration.is_some() && c.create_call == CreateCall::NotSent).await;
    album.take(run, "registration known; the create is not asked for yet; not_sent").await;

    let run = album.site(NsxV, "v-create-sent");
    slow(&run, "create_cluster", 5.0);
    let id = run.add("create_sent", 2).await;
    until(&run, &[id], &|r, c, s| is_sent(c) && manager(s, r).is_none()).await;
    album.take(run, "create_call sent; the call never reached the manager").await;

    let run = album.site(NsxV, "v-create-arrived");
    let lost = FaultRule::new(System::Bde, "create_cluster", Effect::LoseAnswer);
    run.world.write(|s| s.faults.add(lost));
    let id = run.add("create_arrived", 2).await;
    until(&run, &[id], &|r, c, s| is_sent(c) && manager(s, r).is_some()).await;
    album.take(run, "create_call sent; the manager has the cluster; its answer was never seen").await;

    let run = album.site(NsxV, "v-create-accepted");
    let record = run.record("create_accepted", 2).await;
    let secrets =
        Secrets { cluster_password: Some(SecretString::from("sealed password of create_accepted")), credentials: None };
    run.store.insert(&record, &secrets).await.unwrap();
    until(&run, &[record.id], &|_, c, s| c.create_call == CreateCall::Accepted && c.nodes.len() == 2 && vms(s) == 0)
        .await;
    album.take(run, "create_call accepted; nodes are planned, no VM yet; the cluster password is sealed").await;
}

async fn creates_with_vms(album: &mut Album) {
    for (backend, site) in [(NsxV, "v-create-half"), (Ml2, "m-create-half")] {
        let run = album.site(backend, site);
        let id = run.add("create_half", 4).await;
        until(&run, &[id], &|_, c, s| vms(s) == 2 && known_ports(c) == 2).await;
        album.take(run, "two of four VMs, each with its port").await;
    }
    for (backend, site) in [(NsxV, "v-create-portless"), (NsxT, "t-create-portless")] {
        let run = album.site(backend, site);
        let rule = FaultRule::new(System::Neutron, "create_ports", Effect::Delay).delayed(600.0);
        run.world.write(|s| s.faults.add(FaultRule { skip: 1, ..rule }));
        let id = run.add("create_portless", 3).await;
        until(&run, &[id], &|_, c, s| known_vms(c) == 3 && vms(s) == 3 && ports(s) == 1).await;
        album.take(run, "three VMs with cards, one port: the other calls were under way").await;
    }
    let run = album.site(NsxV, "v-create-port-unseen");
    let lost = FaultRule::new(System::Neutron, "create_ports", Effect::LoseAnswer);
    run.world.write(|s| s.faults.add(lost));
    let id = run.add("create_port_unseen", 2).await;
    until(&run, &[id], &|_, c, s| ports(s) == 1 && known_ports(c) == 0).await;
    album.take(run, "a port is made, and the cluster's state does not know of it").await;

    let run = album.site(NsxV, "v-create-ports");
    let id = run.add("create_ports", 2).await;
    until(&run, &[id], &|_, c, _| known_ports(c) == 2 && c.nodes.values().all(|n| n.address.is_none())).await;
    album.take(run, "both VMs and ports; no guest has its address yet").await;

    let run = album.site(NsxV, "v-create-resuming");
    clone_fails(&run, "create_resuming-worker-1");
    let id = run.add("create_resuming", 2).await;
    let state = run.work(id).await.unwrap();
    failed(&run, &state, "bde_failed");
    run.want(id, Wanted::Running, OperationKind::Create).await;
    until(&run, &[id], &|r, c, s| {
        let resume = Asked::Change(ManagedChange::Resume);
        asked(c, resume) && manager(s, r) == Some(BdeStatus::Provisioning) && vms(s) == 1
    })
    .await;
    album.take(run, "a create that failed is being resumed").await;
}

fn clone_fails(run: &Run, node: &str) {
    run.world.write(|s| s.faults.add(FaultRule::inner(Inner::Clone, node).times(1)));
}

// ---------------------------------------------------------------- running

async fn at_work(album: &mut Album) {
    let run = album.site(NsxV, "v-running-installing");
    let id = run.add("running_installing", 2).await;
    run.work(id).await.unwrap();
    let (record, state) = run.store.load(&id).await.unwrap().unwrap();
    assert_eq!(
        (state.status, run.world.read(|s| manager(s, &record))),
        (ClusterStatus::Running, Some(BdeStatus::Provisioning))
    );
    album.take(run, "every address is there, so the create is done; the manager still installs software").await;

    for (backend, site) in [(NsxV, "v-running"), (NsxT, "t-running"), (Ml2, "m-running")] {
        let run = album.site(backend, site);
        running(&run, "running", 2).await;
        album.take(run, "running").await;
    }

    let run = album.site(NsxV, "v-running-by-hand");
    let port_group = run.world.read(|s| s.vc.port_groups.values().find(|p| p.network.is_some()).unwrap().name.clone());
    let network = RegisteredNetwork { name: "by hand".to_owned(), port_group, dhcp: true };
    run.controller.site.manager.register_network(&network).await.unwrap();
    running(&run, "running_by_hand", 1).await;
    album.take(run, "running on a network that somebody else has registered").await;

    let run = album.site(NsxV, "v-running-sealed");
    let record = run.record("running_sealed", 1).await;
    let secrets = Secrets {
        cluster_password: Some(SecretString::from("sealed password of running_sealed")),
        credentials: Some(("root".to_owned(), SecretString::from("sealed credentials of running_sealed"))),
    };
    run.store.insert(&record, &secrets).await.unwrap();
    settled(&run, record.id).await;
    album.take(run, "running; the template's credentials are sealed and needed to the end").await;

    let run = album.site(NsxV, "v-running-local");
    let record = ClusterRecord { project: LOCAL_PROJECT.into(), ..run.record("running_local", 1).await };
    run.store.insert(&record, &Secrets::default()).await.unwrap();
    settled(&run, record.id).await;
    album.take(run, "running; asked for by a local user: project local, ports of the network's project").await;
}

async fn stops_and_starts(album: &mut Album) {
    let run = album.site(NsxV, "v-stop-requested");
    let id = running(&run, "stop_requested", 1).await;
    run.want(id, Wanted::Stopped, OperationKind::Stop).await;
    album.take(run, "a stop is requested; no controller has seen that").await;

    let run = album.site(NsxV, "v-stop-sent");
    let id = running(&run, "stop_sent", 1).await;
    slow(&run, "change_cluster", 5.0);
    run.want(id, Wanted::Stopped, OperationKind::Stop).await;
    until(&run, &[id], &|_, c, _| asked(c, Asked::Change(ManagedChange::Stop))).await;
    album.take(run, "the stop is written down as asked; it never reached the manager, which says RUNNING").await;

    let run = album.site(NsxV, "v-stopping");
    let id = running(&run, "stopping", 2).await;
    run.want(id, Wanted::Stopped, OperationKind::Stop).await;
    until(&run, &[id], &|_, c, _| c.manager_status == Some(ManagedStatus::Stopping)).await;
    album.take(run, "the manager is stopping it").await;

    for (backend, site) in [(NsxV, "v-stopped"), (NsxT, "t-stopped")] {
        let run = album.site(backend, site);
        stopped(&run, "stopped", 2).await;
        album.take(run, "stopped").await;
    }

    let run = album.site(NsxV, "v-start-sent");
    let id = stopped(&run, "start_sent", 1).await;
    slow(&run, "change_cluster", 5.0);
    run.want(id, Wanted::Running, OperationKind::Start).await;
    until(&run, &[id], &|_, c, _| asked(c, Asked::Change(ManagedChange::Start))).await;
    album.take(run, "the start is written down as asked; it never reached the manager, which says STOPPED").await;

    let run = album.site(NsxV, "v-starting");
    let id = stopped(&run, "starting", 2).await;
    run.want(id, Wanted::Running, OperationKind::Start).await;
    until(&run, &[id], &|_, c, _| c.manager_status == Some(ManagedStatus::Starting)).await;
    album.take(run, "the manager is starting it").await;
}

// ---------------------------------------------------------------- deletes

async fn deletes(album: &mut Album) {
    let run = album.site(NsxV, "v-delete-requested");
    let id = running(&run, "delete_requested", 1).await;
    wants_delete(&run, id).await;
    album.take(run, "a delete is requested; no controller has seen that").await;

    let run = album.site(NsxV, "v-delete-sent");
    let id = running(&run, "delete_sent", 1).await;
    slow(&run, "delete_cluster", 5.0);
    wants_delete(&run, id).await;
    until(&run, &[id], &|_, c, _| asked(c, Asked::Delete)).await;
    album.take(run, "the delete is written down as asked; it never reached the manager, which says RUNNING").await;

    let run = album.site(NsxV, "v-deleting");
    let id = running(&run, "deleting", 2).await;
    wants_delete(&run, id).await;
    until(&run, &[id], &|_, c, s| c.manager_status == Some(ManagedStatus::Deleting) && vms(s) == 1).await;
    album.take(run, "the manager is deleting it; one of two VMs is gone").await;

    for (backend, site) in [(NsxV, "v-delete-ports"), (NsxT, "t-delete-ports"), (Ml2, "m-delete-ports")] {
        let run = album.site(backend, site);
        let id = running(&run, "delete_ports", 2).await;
        wants_delete(&run, id).await;
        until(&run, &[id], &|r, _, s| manager(s, r).is_none() && ports(s) == 1).await;
        album.take(run, "the manager has deleted it; one of two ports is removed; the registration is there").await;
    }

    let run = album.site(NsxV, "v-delete-registration");
    let id = running(&run, "delete_registration", 1).await;
    wants_delete(&run, id).await;
    until(&run, &[id], &|r, _, s| manager(s, r).is_none() && ports(s) == 0 && registered(s)).await;
    album.take(run, "only the registration is left").await;

    let run = album.site(NsxV, "v-delete-unsent");
    slow(&run, "create_cluster", 5.0);
    let id = run.add("delete_unsent", 1).await;
    until(&run, &[id], &|_, c, _| is_sent(c)).await;
    wants_delete(&run, id).await;
    until(&run, &[id], &|_, c, _| c.status == ClusterStatus::Deleting).await;
    album.take(run, "a delete of a create that was sent and never reached the manager").await;

    let run = album.site(NsxV, "v-delete-creating");
    let id = run.add("delete_creating", 2).await;
    until(&run, &[id], &|_, c, s| vms(s) == 1 && known_ports(c) == 1).await;
    wants_delete(&run, id).await;
    until(&run, &[id], &|_, c, _| c.status == ClusterStatus::Deleting).await;
    album.take(run, "a delete while the manager still creates; one of two VMs is there").await;

    let run = album.site(NsxV, "v-removed");
    let id = running(&run, "removed", 2).await;
    wants_delete(&run, id).await;
    until(&run, &[id], &|r, _, s| manager(s, r).is_none() && ports(s) == 0).await;
    let last = run.store.load(&id).await.unwrap().unwrap();
    assert!(run.work(id).await.is_none());
    run.nothing_left();
    album.take_among(run, "removed: a tombstone with its events", &[], Some(last)).await;
}

// ---------------------------------------------------------------- errors

async fn errors(album: &mut Album) {
    let run = album.site(NsxV, "v-error-clone");
    clone_fails(&run, "error_clone-worker-1");
    let id = run.add("error_clone", 2).await;
    let state = run.work(id).await.unwrap();
    failed(&run, &state, "bde_failed");
    album.take(run, "a VM could not be cloned: the create failed, and can be resumed").await;

    let run = album.site(NsxV, "v-error-address");
    run.world.write(|s| s.faults.add(FaultRule::inner(Inner::Boot, "error_address-worker-1")));
    let id = run.add("error_address", 2).await;
    let state = run.work(id).await.unwrap();
    failed(&run, &state, "bde_failed");
    album.take(run, "a guest hangs in its boot: the create failed, and can be resumed").await;

    let run = album.site(NsxV, "v-error-refused");
    let mut record = run.record("error_refused", 1).await;
    record.spec.distro = "cdh5".to_owned();
    run.store.insert(&record, &Secrets::default()).await.unwrap();
    let state = run.work(record.id).await.unwrap();
    failed(&run, &state, "");
    album.take(run, "refused by the checks before a create; nothing was ever made").await;

    let run = album.site(NsxV, "v-error-stop");
    let id = running(&run, "error_stop", 2).await;
    run.want(id, Wanted::Stopped, OperationKind::Stop).await;
    until(&run, &[id], &|r, _, s| manager(s, r) == Some(BdeStatus::Stopping)).await;
    manager_fails(&run, "error_stop");
    let state = run.work(id).await.unwrap();
    failed(&run, &state, "bde_failed");
    album.take(run, "the stop failed; the manager says ERROR").await;

    let run = album.site(NsxV, "v-error-delete");
    let id = running(&run, "error_delete", 2).await;
    wants_delete(&run, id).await;
    until(&run, &[id], &|r, _, s| manager(s, r) == Some(BdeStatus::Deleting) && vms(s) == 1).await;
    manager_fails(&run, "error_delete");
    let state = run.work(id).await.unwrap();
    failed(&run, &state, "bde_failed");
    album.take(run, "the delete failed half-way; the manager says ERROR; one of two VMs is gone").await;
}

// ---------------------------------------------------------------- strangers

async fn strangers(album: &mut Album) {
    let run = album.site(NsxV, "v-error-taken");
    let other = other_howdah(&run);
    running(&other, "error_taken", 2).await;
    let id = run.add("error_taken", 2).await;
    let state = run.work(id).await.unwrap();
    failed(&run, &state, "cluster_name_taken");
    let about = "refused: another Howdah's cluster has the name; nothing was ever made";
    album.take_among(run, about, &["error_taken"], None).await;

    let run = album.site(NsxV, "v-error-taken-marked");
    let record = run.record("error_taken_marked", 2).await;
    made_in_2015(&run, &record).await;
    slow(&run, "*", 0.1);
    run.store.insert(&record, &Secrets::default()).await.unwrap();
    let state = run.work(record.id).await.unwrap();
    failed(&run, &state, "cluster_name_taken");
    run.world.write(|s| assert_eq!(ports(s), 2, "the fault of this version: the stranger's ports have our mark"));
    let about = "refused: a cluster of 2015 has the name; its ports have got our mark all the same";
    album.take_among(run, about, &["error_taken_marked"], None).await;
}

/// Another service on the same site, with a store of its own.
fn other_howdah(run: &Run) -> Run {
    let store = Arc::new(MemoryStore::new());
    let mut controller = run.controller.clone();
    controller.store = store.clone();
    Run { world: run.world.clone(), store, controller, seed: run.seed }
}

/// As the plugin of 2015 made a cluster: network registered, ports named after their VMs.
async fn made_in_2015(run: &Run, record: &ClusterRecord) {
    let bde = &run.controller.site.manager;
    let port_group = run.world.read(|s| s.vc.port_groups.values().find(|p| p.network.is_some()).unwrap().name.clone());
    bde.register_network(&RegisteredNetwork { name: "net2015".into(), port_group, dhcp: true }).await.unwrap();
    let spec = howdah_core::facts::ManagedSpec {
        name: record.name.clone(),
        distro: record.spec.distro.clone(),
        app_manager: None,
        resource_pools: record.spec.resource_pools.clone(),
        datastores: vec![],
        network: "net2015".into(),
        node_groups: record.spec.node_groups.clone(),
        password: None,
        specification: None,
    };
    bde.create_cluster(&spec).await.unwrap();
    run.world.sleep(Duration::from_secs(100)).await;
    let network = record.spec.network.id.to_string();
    let bodies: Vec<_> = run.world.read(|s| {
        let made = s.vc.vms.values().filter(|v| v.cluster.is_some());
        made.map(|vm| PortBody {
            network: network.clone(),
            name: format!("{}-port0", vm.name),
            mac: Some(vm.nics[0].mac),
            device_id: vm.name.clone(),
            device_owner: "compute:nova".to_owned(),
            ..PortBody::default()
        })
        .collect()
    });
    run.world.create_ports(bodies, &run.world.service()).await.unwrap();
    run.world.wait_until(|s| s.bde.tasks.values().all(|t| t.status.is_final())).await;
}

// ---------------------------------------------------------------- one network

async fn shared(album: &mut Album) {
    let run = album.site(NsxV, "v-shared");
    let (a, b) = (run.add("shared_a", 1).await, run.add("shared_b", 2).await);
    let (_, _) = tokio::join!(run.work(a), run.work(b));
    settled(&run, a).await;
    settled(&run, b).await;
    album.take(run, "two running clusters share a network and its registration").await;

    let run = album.site(NsxV, "v-shared-deleting");
    let (a, b) = (running(&run, "shared_deleting_a", 2).await, running(&run, "shared_deleting_b", 2).await);
    for id in [a, b] {
        let last = run.state(id).await.nodes.into_values().last().unwrap().port.unwrap();
        let rule = FaultRule::new(System::Neutron, "delete_port", Effect::Delay).on(last.as_str()).delayed(600.0);
        run.world.write(|s| s.faults.add(rule));
        wants_delete(&run, id).await;
    }
    until(&run, &[a, b], &|_, _, s| s.bde.clusters.is_empty() && ports(s) == 2).await;
    assert!(run.store_has(b).await && run.world.read(registered));
    album
        .take(run, "two clusters of one network are deleted side by side: a port of each is left, and the registration")
        .await;
}
