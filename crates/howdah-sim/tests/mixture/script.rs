//! What happens in a seed: operations, crashes, faults, strangers and people, each at its time.
//!
//! A script is drawn whole before it is played, so a seed replays whatever the product does.

use std::time::Duration;

use howdah_core::failure::{ErrorKind, System};
use howdah_core::policy::NetworkBackend;
use howdah_core::wanted::{Goal, OperationKind};
use howdah_sim::world::bde::{BdeStatus, ClusterAction};
use howdah_sim::world::faults::{Effect, FaultRule};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Names of our clusters; strangers may want the same.
pub const NAMES: [&str; 3] = ["c1", "c2", "c3"];

/// How long the story goes on, in seconds, before everything is cleared away.
const LENGTH: u64 = 1500;

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Create {
        name: &'static str,
        nodes: u32,
    },
    Want {
        name: &'static str,
        goal: Goal,
        kind: OperationKind,
    },
    /// The service is killed, and away for so long.
    Crash {
        away: Duration,
    },
    /// The service dies instead of a later write.
    CrashAtWrite {
        writes: u64,
    },
    StoreFull {
        lasts: Duration,
    },
    ClockStep {
        hours: i64,
    },
    /// Somebody makes a cluster.
    Stranger {
        name: &'static str,
        nodes: u32,
    },
    /// Somebody deletes our cluster, and perhaps makes another of its name.
    DeletedByHand {
        name: &'static str,
        remade: Option<u32>,
    },
    ByHand {
        name: &'static str,
        action: ClusterAction,
    },
    VmOff {
        name: &'static str,
    },
    VmDestroyed {
        name: &'static str,
    },
    PortDeleted {
        name: &'static str,
        address_taken: bool,
    },
    PortChanged {
        name: &'static str,
    },
    Unregistered,
    Stuck {
        name: &'static str,
        status: BdeStatus,
    },
    BdeRestart,
}

impl Action {
    /// The word that it is counted under.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create { .. } => "operation: create",
            Self::Want { kind: OperationKind::Stop, .. } => "operation: stop",
            Self::Want { kind: OperationKind::Delete, .. } => "operation: delete",
            Self::Want { .. } => "operation: start",
            Self::Crash { away } if away.as_secs() > 600 => "crash: hours away",
            Self::Crash { .. } => "crash: seconds away",
            Self::CrashAtWrite { .. } => "crash: at a store write",
            Self::StoreFull { .. } => "store: full",
            Self::ClockStep { .. } => "clock: step",
            Self::Stranger { .. } => "stranger: cluster",
            Self::DeletedByHand { remade: None, .. } => "person: cluster deleted",
            Self::DeletedByHand { .. } => "person: cluster deleted and remade",
            Self::ByHand { action: ClusterAction::Stop, .. } => "person: cluster stopped",
            Self::ByHand { .. } => "person: cluster started",
            Self::VmOff { .. } => "person: VM powered off",
            Self::VmDestroyed { .. } => "person: VM destroyed",
            Self::PortDeleted { address_taken: false, .. } => "person: port deleted",
            Self::PortDeleted { .. } => "person: port deleted and its address taken",
            Self::PortChanged { .. } => "person: port changed",
            Self::Unregistered => "person: registration removed",
            Self::Stuck { .. } => "BDE: stuck status",
            Self::BdeRestart => "BDE: restart",
        }
    }
}

/// A seed's story.
pub struct Script {
    pub backend: NetworkBackend,
    pub rules: Vec<(&'static str, FaultRule)>,
    /// Sorted by time.
    pub actions: Vec<(Duration, Action)>,
}

/// Draws a seed's story.
pub fn draw(seed: u64) -> Script {
    let mut dice = StdRng::seed_from_u64(seed);
    let dice = &mut dice;
    let backends = [NetworkBackend::NsxV, NetworkBackend::NsxT, NetworkBackend::Ml2];
    let mut actions = vec![];
    let count = dice.random_range(1..=NAMES.len());
    for name in &NAMES[..count] {
        operations(dice, name, &mut actions);
        people(dice, name, &mut actions);
    }
    around(dice, &mut actions);
    actions.sort_by_key(|(at, _)| *at);
    Script { backend: backends[dice.random_range(0..3)], rules: rules(dice), actions }
}

fn at(dice: &mut StdRng, from: u64, to: u64) -> Duration {
    Duration::from_millis(dice.random_range(from * 1000..to * 1000))
}

fn chance(dice: &mut StdRng, percent: u32) -> bool {
    dice.random_range(0..100) < percent
}

fn operations(dice: &mut StdRng, name: &'static str, actions: &mut Vec<(Duration, Action)>) {
    let create = at(dice, 0, 60);
    actions.push((create, Action::Create { name, nodes: dice.random_range(1..=4) }));
    for _ in 0..dice.random_range(0..4) {
        let (goal, kind) = match dice.random_range(0..10) {
            0..4 => (Goal::Stopped, OperationKind::Stop),
            4..8 => (Goal::Running, OperationKind::Start),
            _ => (Goal::Deleted, OperationKind::Delete),
        };
        actions.push((create + at(dice, 1, LENGTH - 100), Action::Want { name, goal, kind }));
    }
}

fn people(dice: &mut StdRng, name: &'static str, actions: &mut Vec<(Duration, Action)>) {
    let mut add = |dice: &mut StdRng, percent, action| {
        if chance(dice, percent) {
            let at = at(dice, 60, LENGTH);
            actions.push((at, action));
        }
    };
    let nodes = dice.random_range(1..=5);
    let statuses = [BdeStatus::Updating, BdeStatus::Maintenance, BdeStatus::Upgrading, BdeStatus::Expanding];
    let status = statuses[dice.random_range(0..statuses.len())];
    let remade = chance(dice, 50).then_some(nodes);
    add(dice, 10, Action::DeletedByHand { name, remade });
    add(dice, 10, Action::ByHand { name, action: ClusterAction::Stop });
    add(dice, 10, Action::ByHand { name, action: ClusterAction::Start });
    add(dice, 10, Action::VmOff { name });
    add(dice, 10, Action::VmDestroyed { name });
    add(dice, 15, Action::PortDeleted { name, address_taken: false });
    add(dice, 5, Action::PortDeleted { name, address_taken: true });
    add(dice, 10, Action::PortChanged { name });
    add(dice, 4, Action::Stuck { name, status });
}

fn around(dice: &mut StdRng, actions: &mut Vec<(Duration, Action)>) {
    for _ in 0..dice.random_range(0..4) {
        let away = if chance(dice, 20) { at(dice, 600, 6 * 3600) } else { at(dice, 0, 60) };
        actions.push((at(dice, 1, LENGTH), Action::Crash { away }));
    }
    for _ in 0..dice.random_range(0..3) {
        actions.push((at(dice, 1, LENGTH), Action::CrashAtWrite { writes: dice.random_range(0..8) }));
    }
    if chance(dice, 15) {
        let lasts = at(dice, 1, 400);
        actions.push((at(dice, 1, LENGTH), Action::StoreFull { lasts }));
    }
    if chance(dice, 30) {
        actions.push((at(dice, 1, LENGTH), Action::ClockStep { hours: dice.random_range(-48..48) }));
    }
    if chance(dice, 40) {
        let name = if chance(dice, 60) { NAMES[dice.random_range(0..NAMES.len())] } else { "others" };
        // Before ours, or some time after.
        let when = if chance(dice, 50) { Duration::ZERO } else { at(dice, 1, LENGTH) };
        actions.push((when, Action::Stranger { name, nodes: dice.random_range(1..=4) }));
    }
    if chance(dice, 15) {
        actions.push((at(dice, 1, LENGTH), Action::Unregistered));
    }
    if chance(dice, 5) {
        actions.push((at(dice, 60, LENGTH), Action::BdeRestart));
    }
}

/// Faults that come now and then for as long as the story goes on.
fn rules(dice: &mut StdRng) -> Vec<(&'static str, FaultRule)> {
    let mut rules = vec![];
    for system in [System::Bde, System::VCenter, System::Neutron] {
        if chance(dice, 40) {
            continue;
        }
        let p = dice.random_range(0.01..0.12);
        let rule = |effect, p| FaultRule::new(system, "*", effect).with_probability(p);
        rules.push(("fault: unreachable", rule(Effect::Refuse { kind: ErrorKind::Unreachable }, p)));
        rules.push(("fault: unavailable", rule(Effect::Refuse { kind: ErrorKind::Unavailable }, p / 2.0)));
        rules.push(("fault: request lost", rule(Effect::LoseRequest, p / 2.0)));
        rules.push(("fault: answer lost", rule(Effect::LoseAnswer, p / 2.0)));
        rules.push(("fault: late effect", rule(Effect::Late { seconds: dice.random_range(1.0..100.0) }, p / 2.0)));
        rules.push(("fault: slow request", rule(Effect::Delay, p).delayed(dice.random_range(1.0..20.0))));
        rules.push(("fault: slow answer", rule(Effect::Delay, p).answered_after(dice.random_range(1.0..20.0))));
    }
    if chance(dice, 20) {
        rules.push(("fault: late watch", FaultRule::new(System::VCenter, "watch*", Effect::Delay).delayed(3.0)));
    }
    rules
}
