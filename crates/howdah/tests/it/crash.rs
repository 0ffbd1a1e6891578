//! `kill -9` of the service at seeded moments of a create: after a restart it completes the create,
//! and nothing exists twice.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use howdah_sim::SiteSettings;

use crate::setup::{Setup, create, quick};

/// The number of moments, spread evenly over a create.
const KILLS: u64 = 20;
/// About how long a create takes, from its acceptance to the last address.
const LENGTH: Duration = Duration::from_millis(5000);
/// How many creates run in parallel.
const LANES: u64 = 5;
const NODES: usize = 3;

/// The phase of a create, read from the world.
fn phase(setup: &Setup) -> &'static str {
    setup.world().read(|s| {
        let vms: Vec<_> = s.vc.vms.values().filter(|vm| vm.cluster.is_some()).collect();
        let addressed = vms.iter().filter(|vm| vm.has_reported_address()).count();
        let ports = s.neutron.ports.values().filter(|p| p.description.starts_with("howdah/")).count();
        match (s.bde.clusters.len(), vms.len(), ports, addressed) {
            (0, ..) => "before the request to BDE",
            (_, 0, ..) => "before the first VM",
            (_, _, 0, _) => "before the first port",
            (_, _, _, NODES) => "all have addresses",
            (_, _, n, _) if n < NODES => "some have ports",
            _ => "all have ports",
        }
    })
}

fn killed(seed: u64) -> Result<&'static str, String> {
    // Guests retry for a minute of the site's time: at this speed a restart takes a fraction of it.
    let setup = Setup::new(SiteSettings { seed, ..quick(3.0) });
    let fraction = setup.world().dice().fraction("kill", "moment");
    let moment = LENGTH.mul_f64((seed as f64 + fraction) / KILLS as f64);

    let first = setup.serve();
    let group = format!("worker={NODES}:hadoop_client");
    let args = create("hadoop", &group);
    let accepted = setup.cluster(&[&args[..], &["--no-wait", "--quiet"]].concat());
    if accepted.code != Some(0) {
        return Err(format!("the create was not accepted: {}", accepted.stderr));
    }
    setup.pause(moment);
    first.kill();
    let phase = phase(&setup);

    let mut second = setup.serve();
    if seed % 3 == 2 {
        // A second time, during recovery.
        setup.pause(LENGTH.mul_f64(fraction / 10.0));
        second.kill();
        second = setup.serve();
    }
    let watch = setup.cluster(&["watch", "hadoop", "--output", "json"]);
    if watch.code != Some(0) {
        return Err(format!("killed after {moment:?} ({phase}): {}", watch.stderr));
    }
    let cluster = watch.json();
    let addressed = cluster["nodes"].as_array().unwrap().iter().filter(|n| n["stage"] == "addressed").count();
    setup.sound(&[watch.stdout.clone(), watch.stderr.clone()]);
    let left = setup.left();
    let nodes: BTreeSet<_> =
        setup.world().read(|s| s.vc.vms.values().filter(|vm| vm.cluster.is_some()).map(|vm| vm.name.clone()).collect());
    let clusters = setup.world().read(|s| s.bde.clusters.len());
    second.kill();
    if (addressed, left, nodes.len(), clusters) == (NODES, (NODES, NODES, 1), NODES, 1) {
        return Ok(phase);
    }
    Err(format!(
        "killed after {moment:?} ({phase}): {addressed} addressed, {left:?} (ports, VMs, registrations), VMs {nodes:?}, \
         {clusters} clusters in BDE"
    ))
}

#[test]
fn killed_at_twenty_moments_of_a_create() {
    let next = Mutex::new(0..KILLS);
    let (phases, failed) = (Mutex::new(BTreeSet::new()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(seed) = { next.lock().unwrap().next() } {
                    match killed(seed) {
                        Ok(phase) => drop(phases.lock().unwrap().insert(phase)),
                        Err(why) => failed.lock().unwrap().push(format!("seed {seed}: {why}")),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    // The exact phases depend on the machine; kills in only one phase would prove little.
    let phases = phases.into_inner().unwrap();
    assert!(phases.len() >= 3, "all kills fell into {phases:?}");
}
