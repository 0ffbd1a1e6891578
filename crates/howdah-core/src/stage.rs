//! The stage of a node's boot, from the visible facts.
//!
//! ```text
//!  planned --> cloned --> booting --> no_address --> addressed
//!                 ^          |  (tools run, lease    |
//!                 |          |   not seen)           |
//!                 +----------+-----------------------+   powered off
//! ```
//!
//! A stage depends only on the newest facts; it has no memory, so it can go back.

use serde::{Deserialize, Serialize};

use crate::systems::vcenter::{NicFacts, Power, Tools, VmFacts};

/// The stage of a node's boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The cluster manager has planned it; the VM does not exist yet.
    #[default]
    Planned,
    /// The VM exists and is off: being configured, or stopped.
    Cloned,
    /// The VM is on; VMware Tools has not reported yet.
    Booting,
    /// VMware Tools runs, but reports no usable address.
    NoAddress,
    /// The guest has its port's address.
    Addressed,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 5] = [Self::Planned, Self::Cloned, Self::Booting, Self::NoAddress, Self::Addressed];

    /// The word for tables and progress lines.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Cloned => "cloned",
            Self::Booting => "booting",
            Self::NoAddress => "no address",
            Self::Addressed => "addressed",
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// The stage of a VM with the card `nic` on our network, given its port's address.
pub fn stage(vm: Option<&VmFacts>, nic: Option<&NicFacts>, promised: Option<std::net::IpAddr>) -> Stage {
    let Some(vm) = vm else {
        return Stage::Planned;
    };
    if vm.power != Power::On {
        return Stage::Cloned;
    }
    let good = promised.is_some_and(|want| nic.is_some_and(|n| n.addresses.contains(&want)));
    match (good, vm.tools) {
        (true, _) => Stage::Addressed,
        (false, Tools::Running) => Stage::NoAddress,
        (false, Tools::NotRunning | Tools::NotInstalled) => Stage::Booting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vm(power: Power, tools: Tools) -> VmFacts {
        VmFacts { vm: "vm-1".into(), name: None, instance_uuid: None, power, boot_time: None, tools, nics: vec![] }
    }

    fn nic(addresses: &[&str]) -> NicFacts {
        NicFacts {
            key: 4000,
            mac: None,
            segment: None,
            external_id: None,
            connected: true,
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn every_row() {
        let promised = Some("10.0.0.5".parse().unwrap());
        let good = nic(&["10.0.0.5"]);
        let wrong = nic(&["10.9.9.9"]);
        let rows = [
            (None, None, promised, Stage::Planned),
            (Some(vm(Power::Off, Tools::Running)), Some(&good), promised, Stage::Cloned),
            (Some(vm(Power::Suspended, Tools::Running)), Some(&good), promised, Stage::Cloned),
            (Some(vm(Power::On, Tools::NotRunning)), None, promised, Stage::Booting),
            (Some(vm(Power::On, Tools::NotInstalled)), Some(&wrong), promised, Stage::Booting),
            (Some(vm(Power::On, Tools::Running)), Some(&wrong), promised, Stage::NoAddress),
            (Some(vm(Power::On, Tools::Running)), Some(&good), None, Stage::NoAddress),
            (Some(vm(Power::On, Tools::Running)), Some(&good), promised, Stage::Addressed),
            (Some(vm(Power::On, Tools::NotRunning)), Some(&good), promised, Stage::Addressed),
        ];
        for (vm, nic, promised, expected) in rows {
            assert_eq!(stage(vm.as_ref(), nic, promised), expected, "{vm:?}");
        }
    }
}
