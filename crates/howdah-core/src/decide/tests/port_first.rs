//! The seam between the shared part and a strategy: a provisioner that makes the port before the VM needs
//! nothing from the shared part that BDE's does not.

use super::Case;
use super::case::*;
use crate::action::{Action, Kind};
use crate::decide::Outcome;
use crate::ids::NodeName;
use crate::intent::Verb;
use crate::policy::{NetworkBackend, Networks};
use crate::provision::double::clone_of;
use crate::systems::manager::{ManagedCluster, ManagedStatus};
use crate::systems::networking::{FixedIp, Port, PortRequest};
use crate::systems::vcenter::{NicFacts, Power, Tools, VmFacts};
use crate::test_support::{good_port, managed, seconds, segment};
use crate::wanted::NodeGroup;

/// The folder is made, and it is empty; two nodes are wanted.
fn founded(backend: NetworkBackend) -> Case {
    let mut case = Case::founded(ManagedStatus::Running);
    case.networks = Networks::of(backend);
    case.record.shape.node_groups = vec![NodeGroup {
        name: "worker".parse().unwrap(),
        roles: vec![],
        count: 2,
        cpu: None,
        memory_mb: None,
        disk_gb: None,
    }];
    case.eyes.look(Some(folder()));
    case
}

fn folder() -> ManagedCluster {
    ManagedCluster { nodes: vec![], ..managed(ManagedStatus::Running) }
}

fn requests(case: &mut Case) -> Vec<PortRequest> {
    let port = |action| match action {
        Action::CreatePorts(_, requests) => requests,
        other => panic!("{other:?}"),
    };
    case.decide().actions.into_iter().flat_map(port).collect()
}

/// What Neutron makes of a request.
fn made(n: usize, request: &PortRequest) -> Port {
    let address = format!("10.0.0.{}", 20 + n).parse().unwrap();
    Port {
        id: format!("port-{n}").as_str().into(),
        name: request.name.clone(),
        mac: request.mac,
        device_id: request.device_id.to_string(),
        description: request.description.clone(),
        fixed_ips: vec![FixedIp { subnet: "sub-1".into(), address }],
        ..good_port()
    }
}

/// What vCenter shows of the clone.
fn cloned(n: usize, request: &PortRequest) -> VmFacts {
    let nic = NicFacts {
        key: 4000,
        mac: Some(request.mac),
        segment: Some(segment().key),
        external_id: None,
        connected: true,
        addresses: vec![],
    };
    VmFacts {
        vm: format!("vm-{n}").as_str().into(),
        name: Some(name(n)),
        instance_uuid: Some(request.device_id),
        power: Power::Off,
        boot_time: None,
        tools: Tools::NotRunning,
        nics: vec![nic],
    }
}

fn name(n: usize) -> NodeName {
    format!("c-worker-{n}").as_str().into()
}

#[test]
fn each_node_goes_from_plan_to_port_to_clone_to_attachment_to_power() {
    for (backend, attaches) in [
        (NetworkBackend::NsxV, Some(Kind::SetIndex)),
        (NetworkBackend::NsxT, Some(Kind::Attach)),
        (NetworkBackend::Ml2, None),
    ] {
        let mut case = founded(backend);
        let requests = requests(&mut case);
        let plans: Vec<_> = case.state.nodes.values().map(|n| n.plan.unwrap()).collect();
        let asked: Vec<_> = requests.iter().map(|r| (r.device_id, r.mac)).collect();
        assert_eq!(asked, plans.iter().map(|p| (p.instance, p.mac)).collect::<Vec<_>>(), "what was planned");
        assert_eq!(requests, self::requests(&mut case), "a plan is made once");
        let mut ports: Vec<_> = requests.iter().enumerate().map(|(n, r)| made(n, r)).collect();

        // No VM is made before its port is there.
        case.eyes.list([ports[0].clone()]);
        assert!(case.acts().contains(&Kind::Clone));
        case.eyes.list(ports.clone());
        assert_eq!(case.acts(), [Kind::Clone, Kind::Clone], "{backend:?}");
        for n in 0..2 {
            case.sent(clone_of(name(n)));
            case.done(clone_of(name(n)));
        }
        case.eyes.look(Some(folder()));
        assert_eq!(case.acts(), NOTHING, "each is cloned once");

        // The second one's card is attached while the first is powered on.
        let mut vms: Vec<_> = requests.iter().enumerate().map(|(n, r)| cloned(n, r)).collect();
        case.eyes.watch([vms[0].clone()]);
        if let Some(kind) = attaches {
            assert_eq!(case.acts(), [kind], "{backend:?}: not powered on before it is attached");
            attach(&mut vms[0], &mut ports[0]);
            case.eyes.list(ports.clone());
        }
        case.eyes.watch(vms.clone());
        let acts = case.acts();
        assert!(acts.contains(&Kind::PowerOn), "{backend:?}: {acts:?}");
        assert_eq!(acts.iter().filter(|k| Some(**k) == attaches).count(), usize::from(attaches.is_some()));
        attach(&mut vms[1], &mut ports[1]);
        for (vm, port) in vms.iter_mut().zip(&ports) {
            (vm.power, vm.tools) = (Power::On, Tools::Running);
            vm.nics[0].addresses = vec![port.fixed_ips[0].address];
        }
        case.eyes.list(ports);
        case.eyes.watch(vms.clone());
        assert_eq!(case.acts(), [Kind::LookAtVms], "{backend:?}");
        case.eyes.check(vms);
        assert_eq!(case.decide().outcome, Some(Outcome::Succeeded), "{backend:?}");
    }
}

fn attach(vm: &mut VmFacts, port: &mut Port) {
    port.vnic_index = Some(0);
    vm.nics[0].external_id = Some(port.id.to_string());
}

#[test]
fn a_clone_whose_answer_was_lost_holds_back_every_further_clone_until_it_settles() {
    let mut case = founded(NetworkBackend::Ml2);
    let requests = requests(&mut case);
    case.eyes.list(requests.iter().enumerate().map(|(n, r)| made(n, r)));
    assert_eq!(case.acts(), [Kind::Clone, Kind::Clone]);
    case.sent(clone_of(name(0)));
    case.lost(clone_of(name(0)));
    assert_eq!(case.acts(), NOTHING);
    case.pass_time(case.policy.manager_settles + seconds(1));
    case.eyes.look(Some(folder()));
    case.eyes.list(requests.iter().enumerate().map(|(n, r)| made(n, r)));
    assert_eq!(case.acts(), [Kind::Clone, Kind::Clone]);
}

#[test]
fn a_free_place_is_founded_once_and_in_its_turn() {
    let mut case = Case::new();
    case.eyes.list([]);
    case.eyes.look(None);
    assert_eq!(case.acts(), [Kind::Create]);
    case.sent(Verb::Found);
    assert_eq!(case.acts(), NOTHING);
    let mut case = Case::new();
    case.turn = None;
    case.eyes.list([]);
    case.eyes.look(None);
    assert_eq!(case.acts(), NOTHING);
}
