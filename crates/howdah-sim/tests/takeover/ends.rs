//! What becomes of each cluster of the first schema, by name.
//!
//! Each site goes on until every operation has ended, then until all is at rest, and then until every
//! cluster was deleted. Over all that time a guard looks at every write of the service's: what others
//! have on the site stays as it was, be it under our name or with our old mark on its ports.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use howdah_core::ids::ClusterKey;
use howdah_core::known::{ClusterState, ClusterStatus, OperationState};
use howdah_core::mark::Mark;
use howdah_core::store::Store as _;
use howdah_core::wanted::{Goal, LOCAL_PROJECT, OperationKind};
use howdah_sim::World;
use howdah_sim::invariants::Moment;
use howdah_sim::service::Service;
use howdah_sim::world::foreign::ForeignPart;
use tokio::runtime::Builder;

use crate::stored::{STORED, Stored};
use crate::written::{Site, sites};

/// How the newest operation of a cluster ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Well: it is up, with an address on every node.
    Running,
    /// Well: it is off.
    Stopped,
    /// Well: nothing is left of it.
    Gone,
    /// It had failed before, and stays so; a second create then brings it up.
    FailedAndResumed,
    /// It had failed before, and stays so.
    Failed,
}

const CREATES: &[(&str, &str, End)] = &[
    ("v-pending", "pending", End::Running),
    ("v-create-begun", "create_begun", End::Running),
    ("v-create-registering", "create_registering", End::Running),
    ("v-create-registered", "create_registered", End::Running),
    ("v-create-sent", "create_sent", End::Running),
    ("v-create-arrived", "create_arrived", End::Running),
    ("v-create-accepted", "create_accepted", End::Running),
    ("v-create-half", "create_half", End::Running),
    ("m-create-half", "create_half", End::Running),
    ("v-create-portless", "create_portless", End::Running),
    ("t-create-portless", "create_portless", End::Running),
    ("v-create-port-unseen", "create_port_unseen", End::Running),
    ("v-create-ports", "create_ports", End::Running),
    ("v-create-resuming", "create_resuming", End::Running),
];
const AT_WORK: &[(&str, &str, End)] = &[
    ("v-running-installing", "running_installing", End::Running),
    ("v-running", "running", End::Running),
    ("t-running", "running", End::Running),
    ("m-running", "running", End::Running),
    ("v-running-by-hand", "running_by_hand", End::Running),
    ("v-running-sealed", "running_sealed", End::Running),
    ("v-running-local", "running_local", End::Running),
    ("v-shared", "shared_a", End::Running),
    ("v-shared", "shared_b", End::Running),
];
const STOPS_AND_STARTS: &[(&str, &str, End)] = &[
    ("v-stop-requested", "stop_requested", End::Stopped),
    ("v-stop-sent", "stop_sent", End::Stopped),
    ("v-stopping", "stopping", End::Stopped),
    ("v-stopped", "stopped", End::Stopped),
    ("t-stopped", "stopped", End::Stopped),
    ("v-start-sent", "start_sent", End::Running),
    ("v-starting", "starting", End::Running),
];
const DELETES: &[(&str, &str, End)] = &[
    ("v-delete-requested", "delete_requested", End::Gone),
    ("v-delete-sent", "delete_sent", End::Gone),
    ("v-deleting", "deleting", End::Gone),
    ("v-delete-ports", "delete_ports", End::Gone),
    ("t-delete-ports", "delete_ports", End::Gone),
    ("m-delete-ports", "delete_ports", End::Gone),
    ("v-delete-registration", "delete_registration", End::Gone),
    ("v-delete-unsent", "delete_unsent", End::Gone),
    ("v-delete-creating", "delete_creating", End::Gone),
    ("v-shared-deleting", "shared_deleting_a", End::Gone),
    ("v-shared-deleting", "shared_deleting_b", End::Gone),
];
const FAILED: &[(&str, &str, End)] = &[
    ("v-error-clone", "error_clone", End::FailedAndResumed),
    ("v-error-address", "error_address", End::FailedAndResumed),
    ("v-error-refused", "error_refused", End::Failed),
    ("v-error-stop", "error_stop", End::Failed),
    ("v-error-delete", "error_delete", End::Failed),
    ("v-error-taken", "error_taken", End::Failed),
    ("v-error-taken-marked", "error_taken_marked", End::Failed),
];

#[test]
fn every_stored_cluster_can_be_read_and_has_a_row_in_these_tables() {
    let tables = [CREATES, AT_WORK, STOPS_AND_STARTS, DELETES, FAILED].concat();
    let named: BTreeSet<_> = tables.iter().map(|(site, cluster, _)| (*site, *cluster)).collect();
    let clusters = STORED
        .sites
        .iter()
        .flat_map(|(site, shelf)| shelf.clusters.iter().map(move |(record, ..)| (site.as_str(), record.name.as_str())));
    assert_eq!(named, clusters.collect());
    assert_eq!(named.len(), 48);
}

#[test]
fn creates_come_up() {
    take_over(CREATES);
}

#[test]
fn what_runs_goes_on() {
    take_over(AT_WORK);
}

#[test]
fn stops_and_starts_end() {
    take_over(STOPS_AND_STARTS);
}

#[test]
fn deletes_leave_nothing() {
    take_over(DELETES);
}

#[test]
fn what_failed_stays_as_it_was_and_can_be_resumed_or_deleted() {
    take_over(FAILED);
}

fn take_over(table: &[(&str, &str, End)]) {
    let stored: &Stored = &STORED;
    for site in sites() {
        let ends: Vec<_> = table.iter().filter(|(s, ..)| *s == site.site).map(|(_, name, end)| (*name, *end)).collect();
        if !ends.is_empty() {
            let virtual_time = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
            virtual_time.block_on(live(stored, &site, &ends));
        }
    }
}

/// From the start of the new version to the end of everything that the service had.
async fn live(stored: &Stored, site: &Site, ends: &[(&str, End)]) {
    let mut life = Life::begin(stored, site).await;
    for (name, end) in ends {
        life.ends(name, *end).await;
    }
    // Longer than it takes to look at everything that is at rest.
    life.world.sleep(Duration::from_secs(300)).await;
    for (name, end) in ends {
        life.is_at_rest(name, *end).await;
    }
    for (name, _) in ends.iter().filter(|(_, end)| *end == End::FailedAndResumed) {
        life.want(name, Goal::Running, OperationKind::Create).await;
        life.ends(name, End::Running).await;
        life.is_at_rest(name, End::Running).await;
    }
    for (name, _) in ends.iter().filter(|(_, end)| *end != End::Gone) {
        life.want(name, Goal::Deleted, OperationKind::Delete).await;
        life.ends(name, End::Gone).await;
    }
    life.end().await;
}

/// A site with its service.
struct Life<'a> {
    stored: &'a Stored,
    site: String,
    world: World,
    service: Service,
    keys: BTreeMap<String, ClusterKey>,
    before: ForeignPart,
}

impl<'a> Life<'a> {
    async fn begin(stored: &'a Stored, site: &Site) -> Self {
        let shelf = &stored.sites[&site.site];
        let registered = shelf.registrations.iter().map(|r| r.name.clone()).collect();
        let world = site.plant(&registered).await;
        world.guard();
        let mut service = Service::of(world.clone(), site.site.as_str().into(), stored.marks.clone());
        shelf.fill(service.store().as_ref()).await;
        service.start().await;
        let keys = shelf.clusters.iter().map(|(record, ..)| (record.name.to_string(), record.key())).collect();
        Self { stored, site: site.site.clone(), before: world.foreign_part(), world, service, keys }
    }

    async fn state(&self, name: &str) -> Option<ClusterState> {
        self.service.state(&self.keys[name]).await
    }

    async fn want(&mut self, name: &str, goal: Goal, kind: OperationKind) {
        assert!(self.service.want(&self.keys[name], goal, kind).await.unwrap(), "{} {name}", self.site);
    }

    /// The newest operation ends within an hour, and how it should.
    async fn ends(&self, name: &str, end: End) {
        let ended = self.service.ended(&self.keys[name], Duration::from_secs(3600)).await;
        let state = self.state(name).await;
        assert!(ended, "{} {name} goes on: {state:#?}", self.site);
        let Some(state) = state else {
            return assert_eq!(end, End::Gone, "{} {name} is gone", self.site);
        };
        let operation = state.operation.as_ref().unwrap();
        let wanted = match end {
            End::Running | End::Stopped => OperationState::Succeeded,
            End::Failed | End::FailedAndResumed => OperationState::Failed,
            End::Gone => panic!("{} {name} is still there: {:?}", self.site, operation.failure),
        };
        assert_eq!(operation.state, wanted, "{} {name}: {:?}", self.site, operation.failure);
    }

    async fn is_at_rest(&self, name: &str, end: End) {
        let Some(state) = self.state(name).await else {
            return;
        };
        let what = format!("{} {name}", self.site);
        let status = match end {
            End::Running => ClusterStatus::Running,
            End::Stopped => ClusterStatus::Stopped,
            End::Gone | End::Failed | End::FailedAndResumed => ClusterStatus::Error,
        };
        assert_eq!(state.status, status, "{what}: {state:#?}");
        if matches!(end, End::Failed | End::FailedAndResumed) {
            let mut stored = self.stored.sites[&self.site].clusters.iter();
            let before = stored.find(|(record, ..)| record.name.as_str() == name).map(|(_, state, _)| state).unwrap();
            assert_eq!(state.operation, before.operation, "{what}: as it was");
        }
        if matches!(end, End::Running) {
            let addressed = state.nodes.values().filter(|n| n.address.is_some() && n.address == n.promised).count();
            let cluster = self.world.read(|s| s.bde.clusters[name].defined() as usize);
            assert_eq!((addressed, state.nodes.len()), (cluster, cluster), "{what}: {:#?}", state.nodes);
        }
        if matches!(end, End::Running | End::Stopped) {
            self.ports_are_ours(name, &what);
        }
    }

    /// Each VM has one port, and each port the keyed mark of this installation.
    fn ports_are_ours(&self, name: &str, what: &str) {
        self.world.read(|s| {
            let vms: Vec<_> = s.vc.vms.values().filter(|v| v.cluster.as_deref() == Some(name)).collect();
            for vm in &vms {
                let ports: Vec<_> = s.neutron.ports.values().filter(|p| p.mac == vm.nics[0].mac).collect();
                assert_eq!(ports.len(), 1, "{what}: {} has the ports {ports:#?}", vm.name);
                let mark = Mark::parse(&ports[0].description);
                // The tag is of the cluster's project, which for a local user's cluster is not the port's.
                let projects = [ports[0].project.as_str().into(), LOCAL_PROJECT.into()];
                let wrote = mark.is_some_and(|m| projects.iter().any(|p| self.stored.marks.wrote(p, &m, ports[0].mac)));
                assert!(wrote, "{what}: {} has the mark {:?}", vm.name, ports[0].description);
            }
        });
    }

    /// Nothing of the service is left, and nothing of others was touched.
    async fn end(&self) {
        let site = &self.site;
        assert_eq!(self.world.trespasses(), [], "{site}");
        assert_eq!(self.before.changes(&self.world.foreign_part()), [""; 0], "{site}");
        let violations = self.world.invariants(Moment::Emptied, &[self.service.store().text().await]);
        assert_eq!(violations, [], "{site}");
        let store = self.service.store();
        assert_eq!(store.registrations(&site.as_str().into()).await.unwrap(), [], "{site}");
    }
}
