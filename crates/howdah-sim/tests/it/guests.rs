//! Who gets a lease when: each kind of guest against the time at which its port is made, with
//! and without what a remedy does to it.

use std::time::Duration;

use howdah_core::failure::System;
use howdah_core::ids::VmRef;
use howdah_core::systems::networking::Networking as _;
use howdah_sim::inprocess::SimNetworking;
use howdah_sim::world::clock::Span;
use howdah_sim::world::inventory::FIRST_NIC;
use howdah_sim::world::settings::{GuestProfile, Timings};
use howdah_sim::world::trip::Arrival;
use howdah_sim::world::vm_ops::{NicChange, Reconfigure};
use howdah_sim::{SiteSettings, World};

use crate::support::{port, request, world};

/// A powered-on node whose first DISCOVER comes 10 s after power on.
async fn booted(profile: GuestProfile) -> (World, VmRef) {
    let timings = Timings { boot: Span::exactly(10.0), tools_report: Span::exactly(1.0), ..Timings::default() };
    let world = world(SiteSettings { guest: profile, timings, ..SiteSettings::default() }).await;
    world.bde_create(request("c", 1)).unwrap();
    let on = |s: &howdah_sim::world::state::State| s.journal.vms.values().any(|t| t.power_on.is_some());
    tokio::time::timeout(Duration::from_secs(600), world.wait_until(on)).await.expect("the node is powered on");
    let vm = world.read(|s| s.journal.vms.keys().next().cloned()).unwrap();
    (world, vm)
}

async fn bind(world: &World, vm: &VmRef) {
    SimNetworking::new(world.clone()).create_ports(&[port(world, vm)]).await.unwrap();
}

/// Seconds from power on to the lease, if there is one within the time.
async fn lease(world: &World, vm: &VmRef, within: u64) -> Option<f64> {
    let leased = world.wait_until(|s| s.journal.vms[vm].lease.is_some());
    tokio::time::timeout(Duration::from_secs(within), leased).await.ok()?;
    world.read(|s| {
        let times = &s.journal.vms[vm];
        Some(times.lease?.duration_since(times.power_on?).as_secs_f64())
    })
}

#[tokio::test(start_paused = true)]
async fn who_gets_a_lease_when() {
    use GuestProfile as G;
    // Port made so many seconds after power on; lease between these, or never.
    let rows = [
        (G::Initscripts, 0.0, Some(10.0..11.0)),
        (G::Initscripts, 30.0, Some(30.0..55.0)),
        (G::Initscripts, 75.0, None),
        (G::Ifupdown, 75.0, Some(370.0..371.0)),
        (G::NetworkManager, 75.0, Some(75.0..101.0)),
        (G::NetworkManager, 195.0, Some(490.0..491.0)),
        (G::Networkd, 195.0, Some(200.0..270.0)),
        (G::Networkd, 1000.0, Some(1000.0..1070.0)),
    ];
    for (profile, made, expected) in rows {
        let (world, vm) = booted(profile).await;
        world.sleep(Duration::from_secs_f64(made)).await;
        bind(&world, &vm).await;
        let got = lease(&world, &vm, 3600).await;
        let good = match (&expected, got) {
            (Some(range), Some(at)) => range.contains(&at),
            (None, None) => true,
            _ => false,
        };
        assert!(good, "{profile:?} with a port after {made} s: lease after {got:?} s, expected {expected:?}");
        world.stop();
    }
}

async fn bounce(world: &World, vm: &VmRef, off: u64) {
    for link in [false, true] {
        let nics = vec![NicChange { connected: Some(link), ..NicChange::edit(FIRST_NIC) }];
        let (vm, change) = (vm.clone(), Reconfigure { nics, ..Reconfigure::default() });
        // The service's remedy, not a change by others.
        let call = world.depart(System::VCenter, "ReconfigVM_Task", vm.as_str());
        let done = call.carry(|w| async move { w.task_end(&w.reconfigure_task(&vm, change).unwrap()).await });
        assert_eq!(done.await, Arrival::Answered(Ok(None)));
        world.sleep(Duration::from_secs(if link { 0 } else { off })).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_link_bounce_does() {
    use GuestProfile as G;
    // Whether a bounce of so many seconds brings a lease within a minute of it.
    let rows = [
        (G::Initscripts, 10, false),
        (G::Ifupdown, 10, false),
        (G::NetworkManager, 1, false),
        (G::NetworkManager, 10, true),
        (G::Networkd, 1, true),
    ];
    for (profile, off, works) in rows {
        let (world, vm) = booted(profile).await;
        // Well after the client has given up or slowed down: NetworkManager is in its long rest.
        world.sleep(Duration::from_secs(270)).await;
        bind(&world, &vm).await;
        bounce(&world, &vm, off).await;
        assert_eq!(lease(&world, &vm, 3).await.is_some(), works, "{profile:?}, {off} s off");
        assert_eq!(world.read(|s| s.journal.vms[&vm].remedies.len()), 1);
        world.stop();
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_saves_every_guest_and_leaves_the_boot_time() {
    for profile in GuestProfile::ALL {
        let (world, vm) = booted(profile).await;
        world.sleep(Duration::from_secs(200)).await;
        bind(&world, &vm).await;
        let before = world.read(|s| s.vm(&vm).unwrap().boot_time);
        let task = world.reset_task(&vm).unwrap();
        world.task_end(&task).await.unwrap();
        assert!(lease(&world, &vm, 12).await.is_some(), "{profile:?}");
        assert_eq!(world.read(|s| s.vm(&vm).unwrap().boot_time), before);
        world.stop();
    }
}

#[tokio::test(start_paused = true)]
async fn tools_without_an_address_are_what_a_missed_lease_looks_like() {
    let (world, vm) = booted(GuestProfile::Initscripts).await;
    let running = world.wait_until(|s| s.tools_run(&vm));
    tokio::time::timeout(Duration::from_secs(90), running).await.expect("boot goes on without an address");
    assert!(world.read(|s| !s.vm(&vm).unwrap().has_reported_address()));
}
