//! Judges a VM's card and its Neutron port, as the controller does at each of its passes:
//!
//! ```text
//! cargo run -p howdah-core --example judge
//! ```
//!
//! The decision is a function: nobody is asked, and nothing is done.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use howdah_core::attach::rule::{Change, DEVICE_OWNER, Expectation, Verdict, rule};
use howdah_core::policy::NetworkBackend;
use howdah_core::systems::networking::Port;
use howdah_core::systems::vcenter::NicFacts;
use uuid::Uuid;

fn words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Fine => "nothing to do".to_owned(),
        Verdict::Missing => "create the port".to_owned(),
        Verdict::Ahead => "wait for the card".to_owned(),
        Verdict::Repair(Change::Port(_)) => "change the port's fields".to_owned(),
        Verdict::Repair(Change::Index(index)) => format!("set vnic_index to {index}"),
        Verdict::Repair(Change::ExternalId(port)) => format!("set the card's external id to {port}"),
        Verdict::Foreign(why) => format!("leave it alone: {why}"),
    }
}

/// Prints what is to be done with each kind of network.
pub fn main() -> Result<(), Box<dyn Error>> {
    let device = Uuid::from_u128(7);
    let nic = NicFacts {
        key: 4000,
        mac: Some("00:50:56:aa:00:01".parse()?),
        segment: Some("dvportgroup-7".into()),
        external_id: None,
        connected: true,
        addresses: vec![],
    };
    let port = Port {
        id: "1c5c1f33-0f2c-4d7a-9c4e-6c2f9b1d0a11".into(),
        name: "hadoop-worker-0-port0".to_owned(),
        project: "demo".into(),
        network: "apps".into(),
        mac: "00:50:56:aa:00:01".parse()?,
        fixed_ips: vec![],
        device_owner: DEVICE_OWNER.to_owned(),
        device_id: device.to_string(),
        description: "howdah/2 cluster=c node=hadoop-worker-0 nic=0 tag=t".to_owned(),
        security_groups: vec![],
        vnic_index: None,
        status: "ACTIVE".to_owned(),
        logical_switch: None,
        binding: None,
    };
    for backend in [NetworkBackend::NsxV, NetworkBackend::NsxT, NetworkBackend::Ml2] {
        let expected = Expectation {
            device,
            name: port.name.clone(),
            description: port.description.clone(),
            ours: true,
            backend,
            vnic_index: backend == NetworkBackend::NsxV,
            host: None,
        };
        for (what, port) in [("no port", None), ("its port", Some(&port))] {
            println!("{backend:?}, {what}: {}", words(&rule(Some(&nic), port, &expected)));
        }
    }
    Ok(())
}
