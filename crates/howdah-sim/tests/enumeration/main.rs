//! Every kind of action against every fault, in every operation, on every backend: a new step gets
//! every failure for free, as the saga tests of Oxide's omicron do it.
//!
//! Each cell counts how often its fault fired; one that never fires fails the test, and one that
//! cannot apply is printed with its reason. Beside ours, each site has a stranger's cluster, ports,
//! VM and registration, watched by a guard at every write of the service's.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and prints its table")]

mod run;
mod table;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use howdah_core::action::Kind;
use howdah_core::policy::NetworkBackend as Backend;
use howdah_sim::service::Service;
use run::Cell;
use table::{BACKENDS, Fault, Operation, cannot, row};

/// Which of the calls of a kind are met.
const NTHS: [u32; 2] = [0, 1];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

type Outcome = (Cell, bool, Vec<String>);

/// Runs all of them, on all processors, each in a runtime of its own.
fn run_all(cells: &[Cell], bend: impl Fn(&mut Service) + Sync) -> Vec<Outcome> {
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(vec![]));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (fired, wrong) = runtime().block_on(run::run(*cell, &bend));
                    outcomes.lock().unwrap().push((*cell, fired, wrong));
                }
            });
        }
    });
    outcomes.into_inner().unwrap()
}

fn cells() -> (Vec<Cell>, BTreeMap<&'static str, usize>) {
    let (mut cells, mut left_out) = (vec![], BTreeMap::new());
    for kind in Kind::ALL {
        for operation in Operation::ALL {
            for backend in BACKENDS {
                for fault in Fault::ALL {
                    let damage = match (row(*kind, operation, backend), cannot(fault, operation)) {
                        (Ok(damage), None) => damage,
                        (Err(why), _) | (_, Some(why)) => {
                            *left_out.entry(why).or_default() += 1;
                            continue;
                        }
                    };
                    cells.extend(NTHS.map(|nth| Cell { kind: *kind, damage, operation, backend, fault, nth }));
                }
            }
        }
    }
    (cells, left_out)
}

#[test]
fn every_action_survives_every_fault_in_every_operation() {
    let (cells, left_out) = cells();
    let outcomes = run_all(&cells, |_| {});
    // Kind and fault -> operation -> how often it fired, how often something was wrong.
    let mut table: BTreeMap<(Kind, Fault), BTreeMap<Operation, (u32, u32)>> = BTreeMap::new();
    let mut fired: BTreeMap<String, u32> = BTreeMap::new();
    let mut bad = vec![];
    for (cell, hit, wrong) in &outcomes {
        let entry = table.entry((cell.kind, cell.fault)).or_default().entry(cell.operation).or_default();
        entry.0 += u32::from(*hit);
        entry.1 += u32::from(!wrong.is_empty());
        let name = format!("{:?} {:?} in {:?} on {:?}", cell.kind, cell.fault, cell.operation, cell.backend);
        *fired.entry(name.clone()).or_default() += u32::from(*hit);
        if !wrong.is_empty() {
            bad.push(format!("{name}, call {}: {}", cell.nth + 1, wrong.join("; ")));
        }
    }
    println!("{:<12} {:<14} fired/bad in each operation", "action", "fault");
    for ((kind, fault), by_operation) in &table {
        let row = by_operation.iter().map(|(o, (hits, wrong))| format!("{o:?} {hits}/{wrong}"));
        println!("{:<12} {:<14} {}", format!("{kind:?}"), format!("{fault:?}"), row.collect::<Vec<_>>().join("  "));
    }
    for (why, count) in &left_out {
        println!("{count} cells left out: {why}");
    }
    let hits: u32 = fired.values().sum();
    println!("{} runs of {} cells, {hits} faults fired, {} bad", outcomes.len(), fired.len(), bad.len());
    let idle: Vec<_> = fired.iter().filter(|(_, hits)| **hits == 0).map(|(cell, _)| cell.as_str()).collect();
    bad.sort();
    assert!(bad.is_empty(), "{} bad:\n{}", bad.len(), bad.join("\n"));
    assert!(idle.is_empty(), "{} cells whose fault never fired:\n{}", idle.len(), idle.join("\n"));
}

/// The suite has teeth: without the time that a lost call may take to have its effect, it fails.
#[test]
fn without_settle_times_the_same_cells_find_something() {
    let cell = |kind, operation, fault| {
        let damage = row(kind, operation, Backend::NsxV).unwrap();
        Cell { kind, damage, operation, backend: Backend::NsxV, fault, nth: 0 }
    };
    let cells = [
        cell(Kind::Create, Operation::DeleteInCreate, Fault::LateEffect),
        cell(Kind::CreatePorts, Operation::DeleteInCreate, Fault::LateEffect),
        cell(Kind::Create, Operation::DeleteInCreate, Fault::CrashInFlight),
    ];
    let hasty = run_all(&cells, |service| {
        service.policy().manager_settles = std::time::Duration::ZERO;
        service.policy().ports_settle = std::time::Duration::ZERO;
    });
    let found = hasty.iter().filter(|(_, _, wrong)| !wrong.is_empty()).count();
    assert!(found >= 2, "only {found} of {}: {hasty:?}", cells.len());
}
