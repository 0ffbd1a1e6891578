//! A situation that the tests of decisions bend to their purpose.

use std::collections::BTreeSet;
use std::time::Duration;

use uuid::Uuid;

use crate::action::{Action, Key, Kind};
use crate::decide::{Decision, Outcome, View, decide};
use crate::failure::{ErrorKind, Failure, RemoteError, System};
use crate::findings::Findings;
use crate::ids::OperationId;
use crate::intent::{Call, Verb};
use crate::known::{ClusterState, OperationProgress};
use crate::observe::{Memo, Sight, observe};
use crate::own::{self, Owner, Ownership};
use crate::policy::{NetworkBackend, Networks, Policy};
use crate::provision::Provision;
use crate::site::turns::Turn;
use crate::systems::manager::{ManagedCluster, ManagedStatus};
use crate::systems::networking::Port;
use crate::test_support::{Eyes, PASS, at, failed, good_port, likeness, managed, marks, record, segment, state};
use crate::time::{Mono, Stamp};
use crate::trouble::{Failed, Troubles};
use crate::wanted::{ClusterRecord, Goal, OperationKind, OperationRequest};

pub(crate) const OP: OperationId = OperationId(Uuid::from_u128(2));
pub(crate) const LATER_OP: OperationId = OperationId(Uuid::from_u128(3));

pub(crate) const NOTHING: [Kind; 0] = [];

/// A situation that tests bend to their purpose.
pub(crate) struct Case<P> {
    provision: P,
    pub(crate) record: ClusterRecord,
    pub(crate) state: ClusterState,
    pub(crate) eyes: Eyes,
    pub(crate) troubles: Troubles,
    pub(crate) findings: Findings,
    pub(crate) in_flight: BTreeSet<Key>,
    pub(crate) waves: usize,
    pub(crate) policy: Policy,
    pub(crate) networks: Networks,
    pub(crate) stuck: Option<Duration>,
    pub(crate) watch_lost: Option<Duration>,
    pub(crate) turn: Option<Turn>,
    pub(crate) waits: bool,
}

impl<P: Provision + Default> Case<P> {
    /// A create that was just taken up.
    pub(crate) fn new() -> Self {
        let eyes = Eyes::default();
        Self {
            provision: P::default(),
            record: record(),
            state: state(),
            troubles: Troubles::default(),
            findings: Findings { begun: eyes.ticker.tick(), checked_at: Some(eyes.now), ..Findings::default() },
            in_flight: BTreeSet::new(),
            waves: 0,
            policy: Policy::default(),
            networks: Networks::of(NetworkBackend::NsxV),
            stuck: None,
            watch_lost: None,
            turn: Some(Turn::of(PASS)),
            waits: false,
            eyes,
        }
    }

    /// The create call was made and answered; everything was just looked at.
    pub(crate) fn founded(status: ManagedStatus) -> Self {
        let mut case = Self::new();
        case.is_checked();
        case.state.segment = Some(segment());
        case.state.registration = Some("net".into());
        case.state.identity.sent = Some(likeness());
        case.sent(Verb::Found);
        case.done(Verb::Found);
        case.eyes.watch([]);
        case.eyes.list([]);
        case.look(status);
        case
    }

    /// Another request was taken up: nothing was looked at for it yet.
    pub(crate) fn wanted(mut self, goal: Goal, kind: OperationKind) -> Self {
        self.record.shape.goal = goal;
        self.record.operation = OperationRequest { id: LATER_OP, kind, requested: at(0), by: None, request: None };
        self.state.operation = Some(OperationProgress { id: LATER_OP, kind, ..state().operation.unwrap() });
        self.findings.begun = self.eyes.ticker.tick();
        self.troubles = Troubles::default();
        self
    }

    pub(crate) fn operation(&mut self) -> &mut OperationProgress {
        self.state.operation.as_mut().unwrap()
    }

    pub(crate) fn is_checked(&mut self) {
        self.operation().checked = true;
        self.passed_the_checks(Some(Duration::ZERO));
    }

    pub(crate) fn look(&mut self, status: ManagedStatus) {
        self.eyes.look(Some(managed(status)));
    }

    pub(crate) fn sent(&mut self, call: impl Into<Call>) {
        let operation = self.operation().id;
        self.state.journal.sent(call, operation, at(0));
    }

    pub(crate) fn done(&mut self, call: impl Into<Call>) {
        self.state.journal.done(call, Some("7".into()), self.eyes.ticker.tick());
    }

    pub(crate) fn lost(&mut self, call: impl Into<Call>) {
        self.state.journal.lost(call, self.eyes.ticker.tick(), self.eyes.now, &self.policy);
    }

    /// Time goes by, and what has had time to settle has settled.
    pub(crate) fn pass_time(&mut self, time: Duration) {
        self.eyes.now = self.eyes.now.plus(time);
        self.state.journal.settle(self.eyes.now, &self.eyes.ticker);
    }

    pub(crate) fn fails(&mut self, action: &Action, kind: ErrorKind, operation: OperationId, wait: Duration) {
        let error = RemoteError::new(System::Neutron, kind, "neutron_refused", "does not do it");
        let needed = action.is_needed(self.record.shape.goal, self.networks.require_attachment);
        self.troubles.add(&failed(action, &error, needed.then_some(operation), &self.eyes), |_| wait);
    }

    /// The checks passed so long ago; not yet, if there is no time.
    pub(crate) fn passed_the_checks(&mut self, age: Option<Duration>) {
        let now = self.eyes.now.since(Mono::default());
        self.findings.checked_at = age.map(|age| Mono::new(now - age));
    }

    pub(crate) fn own(&self) -> Ownership {
        let place = own::place(&self.provision, &self.state, &self.eyes.seen);
        own::ownership(PASS, &self.state.journal, self.state.identity.dissolved, place, self.findings.begun)
    }

    pub(crate) fn decide(&mut self) -> Decision {
        let own = self.own();
        let mut uuids = 0x9000..;
        self.provision.prepare(&self.record, &mut self.state, &mut || Uuid::from_u128(uuids.next().unwrap()));
        let (now, mut troubles) = (self.eyes.now, self.troubles.clone());
        let ago = |time: Duration| Mono::new(now.since(Mono::default()) - time);
        let age = self.eyes.seen.cluster.age(now).unwrap_or_default();
        self.findings.stuck_since = self.stuck.map(|stuck| ago(stuck + age));
        if let Some(lost) = self.watch_lost {
            let error =
                RemoteError::new(System::VCenter, ErrorKind::Unreachable, "vcenter_unreachable", "cannot be reached");
            let (keys, purpose) = (vec![Key::Watch], "watch the cluster's VMs");
            let ended = Stamp::START;
            let failed = Failed { keys, purpose, error: &error, operation: None, ended, now: ago(lost) };
            troubles.add(&failed, |_| Duration::ZERO);
        }
        let seen = &self.eyes.seen;
        let (vms, cluster) = match &own {
            Ownership::Ours(ours) => {
                let (record, state, provision) = (&self.record, &self.state, &self.provision);
                let owner = Owner { ours: *ours, record, state, seen, provision };
                let vms = owner.vms().map(|(_, vm)| (vm.vm.clone(), vm.clone())).collect();
                (vms, seen.cluster.last().and_then(Option::as_ref))
            }
            _ => Default::default(),
        };
        if own != Ownership::Unknown {
            let (record, marks, backend, now) = (&self.record, &marks(), self.networks.backend, at(0));
            observe(
                &Sight { pass: PASS, record, seen, vms: &vms, cluster, marks, backend, now },
                &mut self.state,
                &mut Memo::default(),
            );
        }
        let decision = decide(&View {
            pass: PASS,
            record: &self.record,
            state: &self.state,
            seen,
            own: &own,
            provision: &self.provision,
            marks: &marks(),
            troubles: &troubles,
            findings: &self.findings,
            in_flight: &self.in_flight,
            waves: self.waves,
            policy: &self.policy,
            networks: &self.networks,
            now: self.eyes.now,
            turn: self.turn,
            waits: self.waits,
        });
        assert!(decision.actions.iter().all(|a| a.pass().is_none_or(|p| p == PASS)), "{decision:?}");
        decision
    }

    /// What is to be done, while the operation goes on.
    pub(crate) fn acts(&mut self) -> Vec<Kind> {
        let decision = self.decide();
        assert_eq!(decision.outcome, None, "{decision:?}");
        decision.actions.iter().map(Action::kind).collect()
    }

    pub(crate) fn failure(&mut self) -> String {
        let failure = self.failed();
        format!("{}: {failure}", failure.code)
    }

    pub(crate) fn failed(&mut self) -> Failure {
        match self.decide().outcome {
            Some(Outcome::Failed(failure)) => failure,
            other => panic!("no failure but {other:?}"),
        }
    }
}

pub(crate) fn indexed() -> Port {
    Port { vnic_index: Some(0), ..good_port() }
}

/// A cluster of somebody else under our name.
pub(crate) fn strangers() -> ManagedCluster {
    let mut theirs = managed(ManagedStatus::Running);
    theirs.likeness.groups = [("worker".into(), 5)].into();
    theirs.nodes[0].vm = Some("vm-900".into());
    theirs
}
