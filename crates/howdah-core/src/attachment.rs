//! Which ports to make, repair, index, attach and delete: the bond between cards and ports.
//!
//! A pure function of what was seen. Rules (design of the NSX plugins, read in their source):
//!
//! * a port is made as soon as a card is on our segment and has its address: BDE plugs the card
//!   in while the VM is off, so that address is final;
//! * NSX-v binds a lease only to a port whose owner begins with `compute:`, and takes a card's
//!   index only if, besides, the device id is a UUID: so both are set, and repaired;
//! * NSX-T plugs a card into a port by the card's external id, which can be set while it is off;
//! * one request never names a MAC twice.
//!
//! What it does not do: decide about foreign ports. A MAC whose port is somebody else's is
//! reported in [`Plan::conflicts`] and left alone.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::cluster::ClusterRecord;
use crate::facts::{NetworkingFeatures, NicFacts, Port, PortChange, PortRequest, Power, VmFacts};
use crate::failure::Failure;
use crate::ids::{Mac, NodeName, PortId, SegmentKey, VmRef};
use crate::mark::{Mark, is_of_2015};
use crate::policy::NetworkBackend;
use crate::seen::{Seen, nic_on};

/// What Nova writes for an instance without a zone; only the part up to the colon matters to NSX.
pub const DEVICE_OWNER: &str = "compute:None";

/// What is to be done to ports and cards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Ports to be made.
    pub create: Vec<PortRequest>,
    /// Ports of ours that are not as they should be.
    pub repair: Vec<(PortId, PortChange)>,
    /// Ports whose card index NSX-v does not know.
    pub index: Vec<(PortId, u32)>,
    /// Cards that NSX-T shall plug into a port: VM, device key, port.
    pub attach: Vec<(VmRef, i32, PortId)>,
    /// Ports of ours whose card is no more.
    pub remove: Vec<PortId>,
    /// Addresses on the wire that somebody else holds.
    pub conflicts: Vec<(NodeName, Failure)>,
}

/// What should be done now. Empty as long as the ports have not been listed.
pub fn plan(record: &ClusterRecord, seen: &Seen, segment: &SegmentKey, backend: NetworkBackend) -> Plan {
    let mut plan = Plan::default();
    let Some(ports) = &seen.ports else {
        return plan;
    };
    let features = seen.features.unwrap_or_default();
    let mut asked = BTreeSet::new();
    for vm in seen.vms.values() {
        let (Some(node), Some(nic)) = (&vm.name, nic_on(vm, segment)) else {
            continue;
        };
        let (Some(mac), Some(device_id)) = (nic.mac, vm.instance_uuid) else {
            continue;
        };
        let mark = Mark { cluster: record.id, node: node.clone(), nic: nic.index() };
        match seen.port_of(&mac) {
            None if asked.insert(mac) => plan.create.push(request(record, &mark, mac, device_id)),
            None => plan.conflicts.push((node.clone(), twice(node, &mac))),
            Some(port) => match adopt(port, &mark, device_id) {
                Ok(change) if change == PortChange::default() => {
                    attach(&mut plan, vm, nic, port, backend, features);
                }
                Ok(change) => plan.repair.push((port.id.clone(), change)),
                Err(failure) => plan.conflicts.push((node.clone(), failure)),
            },
        }
    }
    if seen.vms_synced {
        plan.remove = ports.iter().filter(|p| is_stale(p, record, seen, segment)).map(|p| p.id.clone()).collect();
    }
    plan
}

fn request(record: &ClusterRecord, mark: &Mark, mac: Mac, device_id: Uuid) -> PortRequest {
    PortRequest {
        network: record.spec.network.id.clone(),
        subnet: record.spec.subnet.id.clone(),
        mac,
        name: mark.port_name(),
        project: record.port_project().clone(),
        device_owner: DEVICE_OWNER.to_owned(),
        device_id,
        security_groups: record.spec.security_groups.clone(),
        description: mark.to_string(),
    }
}

/// The change that makes this port the one we would have made; an empty one if it is already.
///
/// # Errors
/// If the port is somebody else's.
fn adopt(port: &Port, mark: &Mark, device_id: Uuid) -> Result<PortChange, Failure> {
    let of_2015 = is_of_2015(port, &mark.node);
    let ours = Mark::parse(&port.description).is_some_and(|m| m.cluster == mark.cluster);
    if !ours && !of_2015 {
        return Err(foreign(port, mark));
    }
    let differs = |is: &str, should: &str| (is != should).then(|| should.to_owned());
    Ok(PortChange {
        // NSX-v looks at the beginning only; another zone than ours is as good.
        device_owner: (!port.device_owner.starts_with("compute:")).then(|| DEVICE_OWNER.to_owned()),
        device_id: (port.device_id != device_id.to_string()).then_some(device_id),
        name: differs(&port.name, &mark.port_name()),
        description: differs(&port.description, &mark.to_string()),
        security_groups: None,
    })
}

fn attach(
    plan: &mut Plan,
    vm: &VmFacts,
    nic: &NicFacts,
    port: &Port,
    backend: NetworkBackend,
    features: NetworkingFeatures,
) {
    match backend {
        NetworkBackend::NsxV if features.vnic_index && port.vnic_index != Some(nic.index()) => {
            plan.index.push((port.id.clone(), nic.index()));
        }
        NetworkBackend::NsxT if vm.power == Power::Off && nic.external_id.as_deref() != Some(port.id.as_str()) => {
            plan.attach.push((vm.vm.clone(), nic.key, port.id.clone()));
        }
        NetworkBackend::NsxV | NetworkBackend::NsxT | NetworkBackend::Ml2 => {}
    }
}

/// Whether the port is ours and its node has another card now, or no VM any more. A port whose
/// node's VM is merely between two states (no card on the segment yet) is kept.
fn is_stale(port: &Port, record: &ClusterRecord, seen: &Seen, segment: &SegmentKey) -> bool {
    let Some(mark) = Mark::parse(&port.description).filter(|m| m.cluster == record.id) else {
        return false;
    };
    let Some(vm) = seen.vm_of(&mark.node) else {
        // The cluster manager decides whether the node is still planned; its clone may be under way.
        return seen.manager.as_ref().is_some_and(|m| {
            m.as_ref().is_some_and(|c| c.status.is_up() && !c.nodes.iter().any(|n| n.name == mark.node))
        });
    };
    nic_on(vm, segment).and_then(|nic| nic.mac).is_some_and(|mac| mac != port.mac)
}

fn foreign(port: &Port, mark: &Mark) -> Failure {
    let named = if port.name.is_empty() { String::new() } else { format!(" named {:?}", port.name) };
    Failure::new(
        "mac_in_use",
        format!(
            "the MAC {} of {} belongs to the port {}{named} of project {} (owner {:?}, device {:?}), which is not ours",
            port.mac, mark.node, port.id, port.project, port.device_owner, port.device_id
        ),
    )
    .hint("Delete that port if nothing uses it, or give the VM another MAC.")
}

fn twice(node: &NodeName, mac: &Mac) -> Failure {
    Failure::new("mac_twice", format!("the MAC {mac} of {node} is also that of another VM of this cluster"))
        .hint("Give one of the two VMs another MAC in vCenter.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{MAC, VM_UUID, good_port, record, seen, segment, vm};

    fn planned(seen: &Seen, backend: NetworkBackend) -> Plan {
        plan(&record(), seen, &segment().key, backend)
    }

    #[test]
    fn a_card_on_the_segment_gets_a_complete_port() {
        let seen = seen(vec![vm()], vec![]);
        let plan = planned(&seen, NetworkBackend::Ml2);
        let [port] = plan.create.as_slice() else { panic!("{plan:?}") };
        assert_eq!(port.mac, MAC);
        assert_eq!(port.name, "c-worker-0-port0");
        assert_eq!(port.device_id, VM_UUID);
        assert!(port.device_owner.starts_with("compute:"));
        assert_eq!(Mark::parse(&port.description).unwrap().cluster, record().id);
    }

    #[test]
    fn a_local_users_ports_belong_to_the_networks_project() {
        let mut local = record();
        local.project = crate::cluster::LOCAL_PROJECT.into();
        local.spec.network.project = "owner".into();
        let plan = plan(&local, &seen(vec![vm()], vec![]), &segment().key, NetworkBackend::Ml2);
        assert_eq!(plan.create[0].project, "owner".into());
    }

    #[test]
    fn nothing_is_planned_before_the_ports_were_listed_or_the_card_is_final() {
        let unlisted = Seen { ports: None, ..seen(vec![vm()], vec![]) };
        assert_eq!(planned(&unlisted, NetworkBackend::NsxV), Plan::default());
        let mut on_template = vm();
        on_template.nics[0].segment = Some("dvportgroup-template".into());
        let mut no_mac = vm();
        no_mac.nics[0].mac = None;
        let mut no_uuid = vm();
        no_uuid.instance_uuid = None;
        for early in [on_template, no_mac, no_uuid] {
            assert_eq!(planned(&seen(vec![early], vec![]), NetworkBackend::NsxV), Plan::default());
        }
    }

    #[test]
    fn one_mac_is_never_asked_for_twice() {
        let mut other = vm();
        other.vm = "vm-2".into();
        other.name = Some("c-worker-1".into());
        let plan = planned(&seen(vec![vm(), other], vec![]), NetworkBackend::NsxV);
        assert_eq!(plan.create.len(), 1);
        assert_eq!(plan.conflicts[0].1.code, "mac_twice");
    }

    #[test]
    fn each_backend_attaches_in_its_own_way() {
        let seen = seen(vec![vm()], vec![good_port()]);
        assert_eq!(planned(&seen, NetworkBackend::NsxV).index, [(good_port().id, 0)]);
        assert_eq!(planned(&seen, NetworkBackend::NsxT).attach, [("vm-1".into(), 4000, good_port().id)]);
        assert_eq!(planned(&seen, NetworkBackend::Ml2), Plan::default());
        let mut on = seen.clone();
        on.vms.values_mut().for_each(|vm| vm.power = Power::On);
        assert_eq!(planned(&on, NetworkBackend::NsxT), Plan::default(), "a running card is not reconfigured");
        let mut without = seen;
        without.features = Some(NetworkingFeatures { vnic_index: false });
        assert_eq!(planned(&without, NetworkBackend::NsxV), Plan::default());
    }

    #[test]
    fn a_port_of_2015_is_adopted_and_repaired() {
        let old = Port {
            name: "c-worker-0-port0".to_owned(),
            device_id: "c-worker-0".to_owned(),
            device_owner: String::new(),
            description: String::new(),
            ..good_port()
        };
        let plan = planned(&seen(vec![vm()], vec![old]), NetworkBackend::Ml2);
        let [(_, change)] = plan.repair.as_slice() else { panic!("{plan:?}") };
        assert_eq!(change.device_owner.as_deref(), Some(DEVICE_OWNER));
        assert_eq!(change.device_id, Some(VM_UUID));
        assert!(change.description.is_some() && change.name.is_none());
    }

    #[test]
    fn a_foreign_port_is_named_and_left_alone() {
        let foreign = Port { description: "made by hand".to_owned(), ..good_port() };
        let plan = planned(&seen(vec![vm()], vec![foreign]), NetworkBackend::NsxV);
        assert!(plan.create.is_empty() && plan.repair.is_empty() && plan.remove.is_empty());
        insta::assert_snapshot!(plan.conflicts[0].1.to_string());
    }

    #[test]
    fn the_port_of_a_card_that_was_replaced_is_removed() {
        let old = Port { id: "old".into(), mac: Mac::new([0, 80, 86, 0, 0, 9]), ..good_port() };
        let plan = planned(&seen(vec![vm()], vec![good_port(), old]), NetworkBackend::Ml2);
        assert_eq!(plan.remove, ["old".into()]);
        // While the VM is still being cloned, its port stays.
        let gone = seen(vec![], vec![good_port()]);
        assert!(planned(&gone, NetworkBackend::Ml2).remove.is_empty());
    }
}
