use howdah_core::failure::{ErrorKind, System};
use howdah_core::ids::VmRef;
use howdah_core::systems::vcenter::Power;
use howdah_core::systems::vcenter::VCenter;
use howdah_sim::world::faults::{Effect, FaultRule, Inner};

use crate::site::Site;

fn tasks(site: &Site, method: &str) -> usize {
    site.world.read(|s| s.vc.tasks.values().filter(|t| t.method == method).count())
}

fn power(site: &Site, vm: &VmRef) -> Power {
    site.world.read(|s| s.vm(vm).unwrap().power)
}

#[tokio::test]
async fn power_operations_end_when_their_task_has() {
    let site = Site::start().await;
    let vm = site.make_vm("c-worker-0", &site.folder("c", "worker")).await;
    let client = site.client();
    client.power_on(&vm).await.unwrap();
    assert_eq!(power(&site, &vm), Power::On);
    // What is there already is fine.
    client.power_on(&vm).await.unwrap();
    client.reset(&vm).await.unwrap();
    client.power_off(&vm).await.unwrap();
    client.power_off(&vm).await.unwrap();
    assert_eq!(power(&site, &vm), Power::Off);
    let error = client.reset(&vm).await.unwrap_err();
    insta::assert_snapshot!(
        error.to_string().replace(vm.as_str(), "VM"),
        @"vCenter: ResetVM_Task of VM failed: InvalidPowerState (poweredOff): The attempted operation cannot be performed in the current state (poweredOff)."
    );
    assert_eq!((error.kind, error.code), (ErrorKind::Conflict, "vcenter_power_state"));
    assert_eq!(site.face.leftovers().filters, 0);
}

#[tokio::test]
async fn a_lost_answer_never_means_a_second_task() {
    let site = Site::start().await;
    let vm = site.make_vm("c-worker-0", &site.folder("c", "worker")).await;
    let client = site.client();
    for method in ["PowerOnVM_Task", "ResetVM_Task", "PowerOffVM_Task"] {
        let rule = FaultRule::new(System::VCenter, method, Effect::LoseAnswer).times(1);
        site.world.write(|s| s.faults.add(rule));
    }
    client.power_on(&vm).await.unwrap();
    assert_eq!((tasks(&site, "VirtualMachine.powerOn"), power(&site, &vm)), (1, Power::On));
    client.reset(&vm).await.unwrap();
    assert_eq!(tasks(&site, "VirtualMachine.reset"), 1);
    client.power_off(&vm).await.unwrap();
    assert_eq!((tasks(&site, "VirtualMachine.powerOff"), power(&site, &vm)), (1, Power::Off));
}

#[tokio::test]
async fn a_request_that_never_took_effect_is_repeated_once() {
    let site = Site::start().await;
    let vm = site.make_vm("c-worker-0", &site.folder("c", "worker")).await;
    let client = site.client();
    let refuse = Effect::Refuse { kind: ErrorKind::Unreachable };
    site.world.write(|s| s.faults.add(FaultRule::new(System::VCenter, "ResetVM_Task", refuse.clone()).times(1)));
    client.power_on(&vm).await.unwrap();
    client.reset(&vm).await.unwrap();
    assert_eq!((site.calls("ResetVM_Task"), tasks(&site, "VirtualMachine.reset")), (2, 1));

    site.world.write(|s| s.faults.add(FaultRule::new(System::VCenter, "PowerOffVM_Task", refuse)));
    let error = client.power_off(&vm).await.unwrap_err();
    assert_eq!((error.code, site.calls("PowerOffVM_Task")), ("vcenter_unreachable", 2));
}

#[tokio::test]
async fn a_wait_on_a_task_survives_its_session() {
    let site = Site::start().await;
    let vm = site.make_vm("c-worker-0", &site.folder("c", "worker")).await;
    let client = site.client();
    let credentials = Effect::Refuse { kind: ErrorKind::Credentials };
    for method in ["PowerOnVM_Task", "WaitForUpdatesEx", "CreateFilter"] {
        site.world.write(|s| s.faults.add(FaultRule::new(System::VCenter, method, credentials.clone()).times(1)));
    }
    client.power_on(&vm).await.unwrap();
    assert_eq!((tasks(&site, "VirtualMachine.powerOn"), power(&site, &vm)), (1, Power::On));
}

#[tokio::test]
async fn a_failed_task_says_why() {
    let site = Site::start().await;
    let vm = site.make_vm("c-worker-0", &site.folder("c", "worker")).await;
    site.world.write(|s| s.faults.add(FaultRule::inner(Inner::Task, "c-worker-0")));
    let error = site.client().power_on(&vm).await.unwrap_err();
    insta::assert_snapshot!(
        error.to_string().replace(vm.as_str(), "VM"),
        @"vCenter: PowerOnVM_Task of VM failed: GenericVmConfigFault: A fault was injected here."
    );
}

#[tokio::test]
async fn a_busy_vm_is_asked_again() {
    let site = Site::start().await;
    let vm = site.make_vm("c-worker-0", &site.folder("c", "worker")).await;
    let busy = FaultRule::new(System::VCenter, "PowerOnVM_Task", Effect::Refuse { kind: ErrorKind::Conflict }).times(1);
    site.world.write(|s| s.faults.add(busy));
    site.client().power_on(&vm).await.unwrap();
    assert_eq!(power(&site, &vm), Power::On);
}

#[tokio::test]
async fn an_external_id_changes_nothing_else() {
    let site = Site::start().await;
    let vm = site.make_vm("c-worker-0", &site.folder("c", "worker")).await;
    let client = site.client();
    let before = site.world.read(|s| s.vm(&vm).unwrap().nics[0].clone());
    client.set_external_id(&vm, 4000, &"port-1".into()).await.unwrap();
    let after = site.world.read(|s| s.vm(&vm).unwrap().nics[0].clone());
    assert_eq!(after.external_id.as_deref(), Some("port-1"));
    let same = howdah_sim::world::inventory::Nic { external_id: None, ..after };
    assert_eq!(format!("{same:?}"), format!("{before:?}"));
    // Once is enough.
    client.set_external_id(&vm, 4000, &"port-1".into()).await.unwrap();
    assert_eq!(site.calls("ReconfigVM_Task"), 1);

    let error = client.set_external_id(&vm, 4007, &"port-1".into()).await.unwrap_err();
    assert_eq!(error.code, "vcenter_nic_not_found");
    let error = client.set_external_id(&"vm-99999".into(), 4000, &"port-1".into()).await.unwrap_err();
    assert_eq!(error.code, "vcenter_vm_not_found");
    let error = client.power_on(&"vm-99999".into()).await.unwrap_err();
    assert_eq!((error.code, error.kind), ("vcenter_object_not_found", ErrorKind::NotFound));
}

#[tokio::test]
async fn a_task_that_vcenter_has_forgotten_is_not_waited_for() {
    let site = Site::start().await;
    let vm = site.make_vm("c1-w-0", &site.folder("c1", "w")).await;
    let before = site.world.read(|s| s.vc.tasks.len());
    site.world.write(|s| s.settings.timings.power = howdah_sim::world::clock::Span::exactly(600.0));
    let client = site.client();
    let forget = async {
        site.world.wait_until(|s| s.vc.tasks.len() > before).await;
        site.world.write(|s| s.vc.tasks.clear());
    };
    let (error, ()) = tokio::join!(client.power_on(&vm), forget);
    let error = error.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::NoAnswer, "vcenter_task_unfinished"));
    assert!(error.message.contains("its outcome is unknown"), "{}", error.message);
}
