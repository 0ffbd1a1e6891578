//! The figures by which the controller works; the defaults say where they come from.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::entropy::Entropy;
use crate::intent::Verb;
use crate::time;

/// How a site's OpenStack implements its networks: it decides who gets a lease and what a port
/// needs besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkBackend {
    /// NSX for vSphere: ports need their card's index.
    #[default]
    NsxV,
    /// NSX-T and NSX 4: cards need their port's id.
    NsxT,
    /// ML2 over VLANs that reach the hosts: a port is enough.
    Ml2,
}

/// The networks of a site, as its operator describes them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks {
    /// How the OpenStack implements them.
    pub backend: NetworkBackend,
    /// Whether a create or start needs each card attached to its port. If not, nodes without attachment only
    /// show that their security groups do not apply.
    pub require_attachment: bool,
    /// ML2: the host that ports are bound to (`binding:host_id`).
    pub binding_host: Option<String>,
}

impl Networks {
    /// The defaults of a backend. NSX-v passes traffic of a card only after its index is set (SpoofGuard); NSX-T
    /// serves DHCP without attachment.
    pub const fn of(backend: NetworkBackend) -> Self {
        let require_attachment = matches!(backend, NetworkBackend::NsxV);
        Self { backend, require_attachment, binding_host: None }
    }
}

/// How long to wait, how often to look, how much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How often the cluster manager is asked while it works: it has no events. As often as
    /// its own command line does.
    pub manager_poll: Duration,
    /// How often everything is looked at while nothing is going on; [`spread`](Self::spread) shortens it.
    pub idle_poll: Duration,
    /// How long NSX may take to make a network's port group.
    pub segment_patience: Duration,
    /// How long one and the same call may fail for a passing reason before the operation fails.
    pub call_patience: Duration,
    /// How long nodes may lack their address after the cluster manager has finished. Its own wait
    /// is 600 s after power on; remedies and long client back-offs take up to 300 s more.
    pub address_patience: Duration,
    /// How long an operation may take in all, without the time for which it waits for its turn. BDE
    /// creates one cluster at a time and lets others wait for up to four hours.
    pub operation_patience: Duration,
    /// How many creates of a site are with the cluster manager at a time: one that it works on, and
    /// the next, so that it is never idle between two.
    pub creates_at_once: usize,
    /// How old the checks may be on which a create rests: what waits longer is checked again.
    pub checks_last: Duration,
    /// How long the cluster manager may go on with a request after we gave it up. Its checks are
    /// synchronous, and the one that re-reads vCenter's inventory takes minutes (its REST layer).
    pub manager_settles: Duration,
    /// How long Neutron may go on with a port after we gave the request up: NSX-v's plugin repeats
    /// its own calls for more than a minute.
    pub ports_settle: Duration,
    /// How long the cluster manager may show a status of work without a task that works: the two
    /// change one after the other.
    pub stuck_after: Duration,
    /// From the beginning of a pass to the next at the least: what comes in meanwhile is taken in by one.
    pub pass_every: Duration,
    /// How often a state that nothing depends on is written down, if it is small.
    pub save_first: Duration,
    /// The same for each node of a large one.
    pub save_per_node: Duration,
    /// How many bulk requests for ports run at a time.
    pub port_waves: usize,
    /// How many ports one bulk request creates at most. Neutron takes a quarter of a second for each.
    pub wave_size: usize,
    /// How many requests for one port each run at a time, where there is no bulk: see [`waves_on`](Self::waves_on).
    pub single_ports: usize,
    /// How many calls about a single port or card run at a time.
    pub single_calls: usize,
    /// The wait after the first failure of a call; doubled each time.
    pub retry_first: Duration,
    /// The longest wait between two tries.
    pub retry_max: Duration,
}

impl Policy {
    /// The pause after so many failures in a row.
    pub fn pause(&self, failed: u32, entropy: &dyn Entropy) -> Duration {
        time::pause(self.retry_first, self.retry_max, failed, entropy)
    }

    /// How often a state of so many nodes is written down, if nothing depends on it. It is written whole, so that a
    /// larger one is written less often: each node costs the same then.
    pub fn save_every(&self, nodes: usize) -> Duration {
        self.save_first.max(self.save_per_node * u32::try_from(nodes).unwrap_or(u32::MAX))
    }

    /// How many requests for ports run at a time, and how many ports each creates at most. Only ML2 undoes a failed
    /// bulk request as a whole: the NSX plugins undo their database, and leave the earlier ports' objects in NSX.
    /// (Run against vmware-nsx 17.0.0 for NSX-v, read in `nsx_p` and `nsx_v3`.) Bulk saves no time there either: NSX
    /// makes one binding at a time.
    pub const fn waves_on(&self, backend: NetworkBackend) -> (usize, usize) {
        match backend {
            NetworkBackend::NsxV | NetworkBackend::NsxT => (self.single_ports, 1),
            NetworkBackend::Ml2 => (self.port_waves, self.wave_size),
        }
    }

    /// The figures for one cluster: its idle poll is up to a fifth shorter, so that clusters which started
    /// together do not poll in step.
    #[must_use]
    pub fn spread(self, entropy: &dyn Entropy) -> Self {
        Self { idle_poll: self.idle_poll.mul_f64(1.0 - entropy.fraction() / 5.0), ..self }
    }

    /// How old an answer may be that another cluster asked for, where a cluster's own has only become old.
    /// Half of the idle poll: all clusters together cost at most two calls in that time, and what a
    /// cluster is given is not old again at once.
    pub fn shared_lasts(&self) -> Duration {
        self.idle_poll / 2
    }

    /// How long the effect of a call may still come after its answer was lost.
    pub const fn settles(&self, verb: Verb) -> Duration {
        match verb {
            Verb::Found | Verb::Start | Verb::Stop | Verb::Resume | Verb::Remove => self.manager_settles,
            Verb::Ports => self.ports_settle,
            #[cfg(test)]
            Verb::Clone => self.manager_settles,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            manager_poll: Duration::from_secs(3),
            idle_poll: Duration::from_secs(60),
            segment_patience: Duration::from_secs(60),
            call_patience: Duration::from_secs(600),
            address_patience: Duration::from_secs(900),
            operation_patience: Duration::from_secs(5 * 3600),
            creates_at_once: 2,
            checks_last: Duration::from_secs(60),
            manager_settles: Duration::from_secs(180),
            ports_settle: Duration::from_secs(120),
            stuck_after: Duration::from_secs(60),
            pass_every: Duration::from_millis(50),
            save_first: Duration::from_millis(500),
            save_per_node: Duration::from_millis(2),
            port_waves: 16,
            wave_size: 32,
            single_ports: 32,
            single_calls: 16,
            retry_first: Duration::from_millis(500),
            retry_max: Duration::from_secs(30),
        }
    }
}
