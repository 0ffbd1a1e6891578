//! A node's history: its VMs, their boots, and when it had its port and its address.
//!
//! ```text
//!  another VM          --> a new incarnation: everything below starts again
//!  its port was found  --> port_ready
//!  it is on, and was off or has another boot time --> a new boot
//!  the guest has the promised address             --> addressed, of the newest boot
//! ```
//!
//! Invariant: the size is bounded ([`BOOTS_KEPT`] boots, and only the current VM), and the same facts a
//! second time change nothing. A condition has the current state and its date; the history keeps what a
//! condition loses when it changes. It decides nothing.
//!
//! Times are the service's: the first observation of a fact, which is late if the watch was down. vCenter's
//! own time of a boot is stored as well.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::systems::vcenter::{Power, VmFacts};

/// How many boots of the current VM are kept.
pub const BOOTS_KEPT: usize = 4;

/// A node's history.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeHistory {
    /// How many VMs it has had, including the current one.
    #[serde(default)]
    pub incarnations: u32,
    /// When the current VM was first seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm_seen: Option<Timestamp>,
    /// When the current VM's card first had its port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_ready: Option<Timestamp>,
    /// How many boots of the current VM were seen.
    #[serde(default)]
    pub boots: u32,
    /// The newest of these boots, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent_boots: Vec<Boot>,
}

/// A boot of a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// When the VM was first seen to be on.
    pub seen: Timestamp,
    /// When it was powered on, by vCenter's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcenter: Option<Timestamp>,
    /// When the guest first had its port's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addressed: Option<Timestamp>,
}

/// A node's VM now, and whether it was the node's VM before.
#[derive(Debug, Clone, Copy)]
pub struct Sighting<'a> {
    /// The VM.
    pub vm: &'a VmFacts,
    /// The node had another VM before, or none.
    pub is_new: bool,
    /// Its card has a port of ours.
    pub has_port: bool,
    /// The guest has its port's address.
    pub addressed: bool,
    /// Whether the VM was on when it was last seen.
    pub was_on: bool,
}

impl NodeHistory {
    /// Records the seen facts of the node's VM.
    pub fn note(&mut self, now: Timestamp, sighting: Sighting<'_>) {
        let Sighting { vm, is_new, has_port, addressed, was_on } = sighting;
        if is_new || self.incarnations == 0 {
            *self = Self { incarnations: self.incarnations + 1, vm_seen: Some(now), ..Self::default() };
        }
        if has_port {
            self.port_ready.get_or_insert(now);
        }
        if vm.power != Power::On {
            return;
        }
        let booted = match (vm.boot_time, self.recent_boots.last()) {
            (_, None) => true,
            (Some(time), Some(Boot { vcenter: Some(known), .. })) => time != *known,
            // vCenter has not said when: that it was off in between is all there is to go by.
            (_, Some(_)) => !was_on,
        };
        if booted {
            self.boots += 1;
            self.recent_boots.push(Boot { seen: now, vcenter: vm.boot_time, addressed: None });
            let surplus = self.recent_boots.len().saturating_sub(BOOTS_KEPT);
            self.recent_boots.drain(..surplus);
        }
        if let Some(boot) = self.recent_boots.last_mut() {
            boot.vcenter = boot.vcenter.or(vm.boot_time);
            if addressed {
                boot.addressed.get_or_insert(now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::vcenter::Tools;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn vm(power: Power, boot: Option<i64>) -> VmFacts {
        VmFacts {
            vm: "vm-1".into(),
            name: None,
            instance_uuid: None,
            power,
            boot_time: boot.map(at),
            tools: Tools::Running,
            nics: vec![],
        }
    }

    fn seen(vm: &VmFacts) -> Sighting<'_> {
        Sighting { vm, is_new: false, has_port: false, addressed: false, was_on: false }
    }

    #[test]
    fn a_first_boot_is_told_from_clone_to_address() {
        let (off, on) = (vm(Power::Off, None), vm(Power::On, Some(90)));
        let mut history = NodeHistory::default();
        history.note(at(1), Sighting { is_new: true, ..seen(&off) });
        history.note(at(2), Sighting { has_port: true, ..seen(&off) });
        history.note(at(3), Sighting { has_port: true, ..seen(&on) });
        history.note(at(4), Sighting { has_port: true, addressed: true, was_on: true, ..seen(&on) });
        let boot = Boot { seen: at(3), vcenter: Some(at(90)), addressed: Some(at(4)) };
        let told = NodeHistory {
            incarnations: 1,
            vm_seen: Some(at(1)),
            port_ready: Some(at(2)),
            boots: 1,
            recent_boots: vec![boot],
        };
        assert_eq!(history, told);
        // The same facts again change nothing, and a port that is lost later was there.
        for has_port in [true, false] {
            history.note(at(5), Sighting { has_port, addressed: true, was_on: true, ..seen(&on) });
            assert_eq!(history, told);
        }
    }

    #[test]
    fn a_boot_is_another_boot_time_or_else_an_off_in_between() {
        for (name, before, after, was_on, boots) in [
            ("the same", Some(1), Some(1), true, 1),
            ("a reset that the watch did not show as off", Some(1), Some(2), true, 2),
            ("the watch was down meanwhile", Some(1), Some(1), false, 1),
            ("the time comes late", None, Some(1), true, 1),
            ("no times, off in between", None, None, false, 2),
            ("no times", None, None, true, 1),
        ] {
            let mut history = NodeHistory::default();
            history.note(at(1), seen(&vm(Power::On, before)));
            history.note(at(2), Sighting { was_on, ..seen(&vm(Power::On, after)) });
            assert_eq!(history.boots, boots, "{name}");
        }
    }

    #[test]
    fn another_vm_is_another_incarnation_and_boots_are_bounded() {
        let mut history = NodeHistory::default();
        for boot in 1..=20 {
            history.note(at(boot), Sighting { has_port: true, ..seen(&vm(Power::On, Some(boot))) });
        }
        assert_eq!((history.boots, history.recent_boots.len()), (20, BOOTS_KEPT));
        assert_eq!(history.recent_boots.first().map(|b| b.seen), Some(at(17)));
        history.note(at(30), Sighting { is_new: true, ..seen(&vm(Power::Off, None)) });
        let second = NodeHistory { incarnations: 2, vm_seen: Some(at(30)), ..NodeHistory::default() };
        assert_eq!(history, second);
    }
}
