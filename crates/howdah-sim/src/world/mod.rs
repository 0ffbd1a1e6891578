//! The world: one value behind one lock, a change counter to wait on, and background work (guests
//! booting, jobs, tasks) on the world's clock.
//!
//! Invariant: the lock is never held across an `.await`, and every change of the state goes
//! through [`World::write`]. Its other methods are in the modules of the systems that they serve:
//! [`vcenter`], [`bde`], [`neutron`], [`keystone`]; guests and their leases are in [`guest`].

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use howdah_core::ids::VmRef;
use howdah_core::time::Clock as _;
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};

pub mod actor;
pub mod bde;
mod build;
pub mod clock;
pub mod faults;
pub mod foreign;
pub mod guest;
pub mod journal;
pub mod keystone;
pub mod neutron;
pub mod people;
pub mod settings;
mod settled;
pub mod state;
pub mod strangers;
mod timings;
pub mod trip;
pub mod vcenter;

pub use bde::error as bde_error;
pub use guest::{external, patience};
pub use vcenter::{inventory, power, vctask, vm_ops};

use actor::Actor;
use clock::{Dice, SeededEntropy, SimClock};
use foreign::guarded;
use settings::SiteSettings;
use state::State;

/// As good as no limit, for a semaphore.
const MANY: usize = 100_000;

/// A simulated site's world. Cheap to clone; all clones are the same world.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    clock: Arc<SimClock>,
    entropy: Arc<SeededEntropy>,
    dice: Dice,
    state: Mutex<State>,
    revision: watch::Sender<u64>,
    /// Moves with each call that comes in or has its effect.
    calls: watch::Sender<u64>,
    clusters: Mutex<HashMap<String, watch::Sender<u64>>>,
    signals: Mutex<HashMap<VmRef, watch::Sender<u64>>>,
    /// Turns of the cluster manager's creates.
    turns: Arc<Semaphore>,
    /// Clones that the storage takes at a time.
    clone_slots: Arc<Semaphore>,
    stopped: watch::Sender<bool>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "World(revision {})", *self.0.revision.borrow())
    }
}

impl World {
    /// A world as the settings describe it. Must be called within a tokio runtime.
    pub fn new(settings: SiteSettings) -> Self {
        let clock = SimClock::new(settings.epoch, settings.speed);
        let dice = Dice::new(settings.seed);
        let entropy = SeededEntropy::new(settings.seed);
        let turns = if settings.bde_concurrent { MANY } else { 1 };
        let slots = settings.timings.clone_parallel.unwrap_or(MANY).clamp(1, MANY);
        let state = build::state(settings, clock.true_now());
        let world = Self(Arc::new(Inner {
            clock: Arc::new(clock),
            entropy: Arc::new(entropy),
            dice,
            state: Mutex::new(state),
            revision: watch::Sender::new(0),
            calls: watch::Sender::new(0),
            clusters: Mutex::new(HashMap::new()),
            signals: Mutex::new(HashMap::new()),
            turns: Arc::new(Semaphore::new(turns)),
            clone_slots: Arc::new(Semaphore::new(slots)),
            stopped: watch::Sender::new(false),
        }));
        world.write(State::seed_networks);
        world
    }

    /// The clock, as core wants it.
    pub fn clock(&self) -> Arc<SimClock> {
        Arc::clone(&self.0.clock)
    }

    /// Randomness in sequence, as core wants it.
    pub fn entropy(&self) -> Arc<SeededEntropy> {
        Arc::clone(&self.0.entropy)
    }

    /// Randomness by purpose.
    pub fn dice(&self) -> Dice {
        self.0.dice
    }

    /// Simulated time, as the systems of the site know it: steps of the service's own wall clock
    /// (see [`SimClock::step`]) do not touch it.
    pub fn now(&self) -> Timestamp {
        self.0.clock.true_now()
    }

    /// Ends after this much simulated time.
    pub async fn sleep(&self, duration: Duration) {
        self.0.clock.sleep(duration).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turns(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.turns)
    }

    fn clone_slots(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.clone_slots)
    }

    fn signals(&self) -> MutexGuard<'_, HashMap<VmRef, watch::Sender<u64>>> {
        self.0.signals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the state.
    pub fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.lock())
    }

    /// Changes the state, increments the revision, and wakes the waiters.
    pub fn write<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        state.now = self.now();
        state.revision += 1;
        state.actor = Actor::current();
        let result = guarded(&mut state, change);
        let revision = state.revision;
        let touched = std::mem::take(&mut state.touched);
        drop(state);
        self.0.revision.send_modify(|r| *r = revision.max(*r));
        if !touched.is_empty() {
            let mut clusters = self.0.clusters.lock().unwrap_or_else(PoisonError::into_inner);
            for name in touched {
                if let Some(sender) = clusters.get(&name) {
                    if sender.receiver_count() == 0 {
                        clusters.remove(&name);
                    } else {
                        sender.send_modify(|r| *r = revision.max(*r));
                    }
                }
            }
        }
        result
    }

    /// The revision, to be waited on. It moves with *every* change of the world.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.revision.subscribe()
    }

    /// Ends when the revision is past `seen`, with the newest one.
    pub async fn changed(&self, seen: u64) -> u64 {
        let mut receiver = self.subscribe();
        match receiver.wait_for(|r| *r > seen).await {
            Ok(revision) => *revision,
            // The sender lives in `self`.
            Err(_) => seen,
        }
    }

    /// Moves only when something changes in a VM of this cluster (or such a VM comes or goes).
    pub fn subscribe_cluster(&self, cluster: &str) -> watch::Receiver<u64> {
        let mut clusters = self.0.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        clusters.entry(cluster.to_owned()).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// Waits until the state is as wanted. Only ends when it is: put a deadline around it.
    pub async fn wait_until(&self, mut reached: impl FnMut(&State) -> bool) {
        let mut receiver = self.subscribe();
        while !self.read(&mut reached) {
            if receiver.changed().await.is_err() {
                return;
            }
        }
    }

    /// Adds VMs of others to the inventory.
    pub fn add_bystanders(&self, count: usize) {
        self.write(|s| {
            let (dice, now) = (s.dice, s.now);
            if let Some(like) = s.bde.template.clone().and_then(|t| s.vm(&t).cloned()) {
                build::add_bystanders(&mut s.vc, &like, &dice, count, now);
            }
        });
    }

    /// Starts background work that runs until it ends or the world is stopped. Its actor is the current
    /// one.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.spawn_as(Actor::current(), work);
    }

    /// The same, by somebody else.
    pub(crate) fn spawn_as(&self, actor: Actor, work: impl Future<Output = ()> + Send + 'static) {
        let mut stopped = self.0.stopped.subscribe();
        tokio::spawn(actor.does(async move {
            tokio::select! {
                () = work => {}
                _ = stopped.wait_for(|s| *s) => {}
            }
        }));
    }

    fn calls(&self) -> watch::Receiver<u64> {
        self.0.calls.subscribe()
    }

    fn tell_of_calls(&self) {
        self.0.calls.send_modify(|n| *n += 1);
    }

    /// A call that these fault rules met has had its effect.
    fn landed(&self, met: &[u64]) {
        if !met.is_empty() {
            self.lock().faults.land(met);
            self.tell_of_calls();
        }
    }

    /// Ends all background work.
    pub fn stop(&self) {
        self.0.stopped.send_replace(true);
    }
}
