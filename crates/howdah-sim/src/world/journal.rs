//! When what happened to each VM, for reports: how long after its clone a node had its address,
//! and how long it would have taken had its port been there from the start (the *floor*).

use std::collections::BTreeMap;

use howdah_core::ids::{Mac, VmRef};
use jiff::Timestamp;
use serde::Serialize;

/// The times of one VM's way. A field is absent until it has happened.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct VmTimes {
    /// Name.
    pub name: String,
    /// The cluster it belongs to.
    pub cluster: String,
    /// The card's address.
    pub mac: Option<Mac>,
    /// The clone was asked for.
    pub clone_requested: Option<Timestamp>,
    /// The first card is on its network: its MAC is final.
    pub mac_final: Option<Timestamp>,
    /// The first power on.
    pub power_on: Option<Timestamp>,
    /// The guest asked for the first time.
    pub first_discover: Option<Timestamp>,
    /// The port of this MAC arrived at Neutron.
    pub port_posted: Option<Timestamp>,
    /// The guest got its lease.
    pub lease: Option<Timestamp>,
    /// vCenter showed the address.
    pub visible: Option<Timestamp>,
    /// When vCenter would have shown it, had the port existed when the MAC was final.
    pub floor: Option<Timestamp>,
    /// DISCOVERs sent, over all boots.
    pub discovers: u32,
    /// Power ons, resets and guest restarts.
    pub boots: u32,
    /// Remedies of the service: resets, restarts, link bounces.
    pub remedies: Vec<Remedy>,
}

/// Something that the service did to a running VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// When.
    pub at: Timestamp,
    /// `reset`, `power_off`, `reboot_guest`, `nic_down`.
    pub what: &'static str,
    /// Whether vCenter had shown an address by then.
    pub addressed: bool,
}

/// The journal.
#[derive(Debug, Default)]
pub struct Journal {
    /// By reference; VMs that are gone stay in it.
    pub vms: BTreeMap<VmRef, VmTimes>,
    /// When the first POST for a MAC arrived.
    pub posted: BTreeMap<Mac, Timestamp>,
    /// Ports made for each MAC, as network and MAC, with how often.
    pub ports_made: BTreeMap<(String, Mac), u32>,
}

/// What the journal says of one cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The cluster.
    pub cluster: String,
    /// VMs that the journal has of it.
    pub vms: usize,
    /// VMs whose address vCenter has shown.
    pub addressed: usize,
    /// From the first clone's request to the last address shown, in seconds.
    pub seconds: Option<f64>,
    /// The same, had each port existed when its MAC was final.
    pub floor_seconds: Option<f64>,
    /// From MAC final to the port's POST: the longest, in seconds.
    pub slowest_port_seconds: Option<f64>,
    /// Remedies, all together.
    pub remedies: usize,
    /// Each VM's times, by name.
    pub times: Vec<VmTimes>,
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

impl Journal {
    /// The times of a VM; made at its first mention.
    pub fn of(&mut self, vm: &VmRef) -> &mut VmTimes {
        self.vms.entry(vm.clone()).or_default()
    }

    /// What it says of a cluster.
    pub fn report(&self, cluster: &str) -> Report {
        let mut times: Vec<_> = self.vms.values().filter(|t| t.cluster == cluster).cloned().collect();
        for t in &mut times {
            t.port_posted = t.mac.and_then(|m| self.posted.get(&m).copied());
        }
        times.sort_by(|a, b| (&a.name, a.clone_requested).cmp(&(&b.name, b.clone_requested)));
        let begun = times.iter().filter_map(|t| t.clone_requested).min();
        let last = |of: fn(&VmTimes) -> Option<Timestamp>| {
            let all: Option<Vec<_>> = times.iter().map(of).collect();
            Some(seconds(begun?, all?.into_iter().max()?))
        };
        let lag = |t: &VmTimes| Some(seconds(t.mac_final?, t.port_posted?));
        Report {
            cluster: cluster.to_owned(),
            vms: times.len(),
            addressed: times.iter().filter(|t| t.visible.is_some()).count(),
            seconds: last(|t| t.visible),
            floor_seconds: last(|t| t.floor),
            slowest_port_seconds: times.iter().filter_map(lag).reduce(f64::max),
            remedies: times.iter().map(|t| t.remedies.len()).sum(),
            times,
        }
    }
}
