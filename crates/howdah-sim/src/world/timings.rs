//! How long things take. The defaults are what a real site of middling size shows.

use serde::{Deserialize, Serialize};

use crate::world::clock::Span;

/// How long things take, in simulated seconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Timings {
    /// An answer of any API: half of it on the way there, half on the way back.
    pub call: Span,
    /// A watch's beginning, beyond an answer's time, to the first state that it tells.
    pub watch_start: Span,
    /// A change to its being told by a watch: the property collector's own pace.
    pub watch_update: Span,
    /// What each port of a create adds to its answer.
    pub port_create: Span,
    /// A port's binding to the moment that DHCP answers for it.
    pub dhcp_binding: Span,
    /// A network's creation to its port groups in vCenter.
    pub port_group: Span,
    /// The cluster manager's pause and planning before the first clone.
    pub plan: Span,
    /// One clone.
    pub clone: Span,
    /// How many clones run at a time; absent: all at once.
    pub clone_parallel: Option<usize>,
    /// All nodes' clones end at the same moment.
    pub clone_together: bool,
    /// A reconfiguration of the NICs.
    pub reconfigure: Span,
    /// Adding disks.
    pub disks: Span,
    /// Extra configuration, and each of the small steps before power on.
    pub configure: Span,
    /// A power operation.
    pub power: Span,
    /// Power on to the first DISCOVER.
    pub boot: Span,
    /// A DISCOVER that is answered to the lease.
    pub lease: Span,
    /// The network's end of waiting at boot to the tools' first report.
    pub tools_start: Span,
    /// Between two reports of the tools.
    pub tools_report: Span,
    /// A guest's orderly shut-down.
    pub shutdown: Span,
    /// Between two looks of the cluster manager for addresses.
    pub address_poll: f64,
    /// How long the cluster manager waits for addresses.
    pub address_wait: f64,
    /// Setting a node's password.
    pub password: Span,
    /// Bootstrapping the software.
    pub software: Span,
    /// Starting or stopping the software.
    pub services: Span,
    /// Destroying a VM.
    pub destroy: Span,
    /// How long a Keystone token is good.
    pub token_lifetime: f64,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            call: Span::new(0.01, 0.03),
            watch_start: Span::exactly(0.0),
            watch_update: Span::exactly(0.1),
            port_create: Span::new(0.08, 0.12),
            dhcp_binding: Span::new(0.05, 0.15),
            port_group: Span::new(0.5, 3.0),
            plan: Span::new(10.0, 14.0),
            clone: Span::new(35.0, 90.0),
            clone_parallel: Some(8),
            clone_together: false,
            reconfigure: Span::new(1.0, 3.0),
            disks: Span::new(3.0, 9.0),
            configure: Span::new(0.5, 1.5),
            power: Span::new(1.0, 3.0),
            boot: Span::new(8.0, 30.0),
            lease: Span::new(0.02, 0.1),
            tools_start: Span::new(4.0, 12.0),
            tools_report: Span::exactly(30.0),
            shutdown: Span::new(10.0, 40.0),
            address_poll: 10.0,
            address_wait: 600.0,
            password: Span::new(2.0, 5.0),
            software: Span::new(60.0, 150.0),
            services: Span::new(5.0, 20.0),
            destroy: Span::new(1.0, 3.0),
            token_lifetime: 3600.0,
        }
    }
}

impl Timings {
    /// Everything in a few seconds; for demonstrations on a real clock.
    pub fn quick() -> Self {
        Self {
            plan: Span::new(0.5, 1.0),
            clone: Span::new(1.0, 3.0),
            reconfigure: Span::new(0.2, 0.5),
            disks: Span::new(0.3, 0.8),
            configure: Span::new(0.1, 0.2),
            power: Span::new(0.1, 0.3),
            boot: Span::new(2.0, 4.0),
            tools_start: Span::new(0.5, 1.5),
            tools_report: Span::exactly(3.0),
            shutdown: Span::new(0.5, 1.5),
            address_poll: 1.0,
            address_wait: 120.0,
            password: Span::new(0.1, 0.3),
            software: Span::new(2.0, 5.0),
            services: Span::new(0.5, 1.5),
            destroy: Span::new(0.1, 0.3),
            port_group: Span::new(0.2, 0.6),
            ..Self::default()
        }
    }
}
