//! `cargo xtask bench`: figures for comparison, from the release build, black box over HTTP.
//!
//! Machines differ and are shared, so a time is also given as a ratio to a baseline of the same run:
//! the median round trip of a trivial request to the same simulated site.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::http::get;
use crate::run::{Done, command, must, target};
use crate::sandbox::Sandbox;

/// Runs it and prints the figures.
pub fn run(nodes: &[u32], build: bool) -> Done {
    let howdah = if build { first_build()? } else { release_build()? };
    let size = std::fs::metadata(&howdah).map_err(|e| e.to_string())?.len();
    println!("size of the program: {:.1} MB", size as f64 / 1e6);
    for nodes in nodes {
        create(&howdah, *nodes)?;
    }
    println!("a thousand clusters, each call takes 30 ms (debug build):");
    let bench = ["test", "--quiet", "-p", "howdah-vsphere", "--test", "it", "--", "--ignored", "bench_of"];
    must(&mut command("cargo", &bench))?;
    println!("calls of idle clusters, in virtual time:");
    let bench = ["--test", "controller", "--", "--ignored", "--nocapture", "bench_of"];
    let test = ["test", "--quiet", "--profile", "simulation", "-p", "howdah-sim"];
    must(&mut command("cargo", &[&test[..], &bench[..]].concat()))
}

/// A create and a delete of so many nodes, at a site and by a service of their own.
fn create(howdah: &Path, nodes: u32) -> Done {
    let folder = target().join("bench");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let sandbox = Sandbox::start(howdah, &folder, &["--cloned-at-once"])?;
    let baseline = baseline(&sandbox)?;
    println!("baseline: a trivial request takes {:.2} ms (median of 200)", baseline.as_secs_f64() * 1e3);
    let idle = memory(sandbox.service.pid())?;
    println!("memory of the service, idle: {:.1} MB", idle.0);

    println!("creating a cluster of {nodes} nodes that are cloned at once, in real time ...");
    let (begun, spent) = (Instant::now(), cpu(sandbox.service.pid())?);
    let group = format!("worker={nodes}:hadoop_client");
    let network = ["--network", "data", "--subnet", "data-subnet", "--type", "bigtop", "--group", &group];
    sandbox.cluster(&[&["create", "bench"][..], &network[..]].concat())?;
    println!("created in {:.0} s", begun.elapsed().as_secs_f64());
    let spent = cpu(sandbox.service.pid())? - spent;
    println!("CPU of the service: {spent:.2} s, {:.1} ms per node", spent * 1e3 / f64::from(nodes));
    let busy = memory(sandbox.service.pid())?;
    println!("memory of the service, at its highest: {:.1} MB; now {:.1} MB", busy.1, busy.0);

    let report = get(&sandbox.control, "/sandbox/v1/report?cluster=bench")?;
    lags(&report, baseline)?;
    let state = get(&sandbox.control, "/sandbox/v1/state")?;
    calls(&state, nodes);
    sandbox.cluster(&["delete", "bench"])?;
    let left = get(&sandbox.control, "/sandbox/v1/state")?;
    println!(
        "after the delete: {} ports, {} registered networks",
        left["ports"],
        left["registered_networks"].as_array().map_or(0, Vec::len)
    );
    Ok(())
}

fn release_build() -> Done<PathBuf> {
    must(&mut command("cargo", &["build", "--release", "--locked", "--package", "howdah"]))?;
    Ok(target().join("release/howdah"))
}

/// Everything from nothing, in a folder of its own.
fn first_build() -> Done<PathBuf> {
    let folder = target().join("bench-first-build");
    let _ = std::fs::remove_dir_all(&folder);
    must(&mut command("cargo", &["fetch", "--locked"]))?;
    for (what, arguments) in [("debug", &["build"][..]), ("release", &["build", "--release"][..])] {
        let begun = Instant::now();
        let mut build = command("cargo", arguments);
        build.args(["--quiet", "--locked", "--package", "howdah", "--target-dir"]).arg(&folder);
        must(&mut build)?;
        println!("first {what} build: {:.0} s", begun.elapsed().as_secs_f64());
    }
    Ok(folder.join("release/howdah"))
}

fn baseline(sandbox: &Sandbox) -> Done<Duration> {
    let mut took = Vec::new();
    for _ in 0..200 {
        let begun = Instant::now();
        get(&sandbox.control, "/sandbox/v1/endpoints")?;
        took.push(begun.elapsed());
    }
    took.sort();
    Ok(took[took.len() / 2])
}

/// Processor time so far, of user and system, in seconds.
fn cpu(pid: u32) -> Done<f64> {
    /// Linux counts it in hundredths, whatever its own clock does.
    const PER_SECOND: f64 = 100.0;
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
    // The second field is a name in brackets; the fields after it are plain.
    let fields = text.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect::<Vec<_>>()).unwrap_or_default();
    let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<f64>().ok());
    let spent = ticks(11).zip(ticks(12)).map(|(user, system)| (user + system) / PER_SECOND);
    spent.ok_or_else(|| format!("{path} does not say how much processor time it took"))
}

/// Resident memory now and at its highest, in MB.
fn memory(pid: u32) -> Done<(f64, f64)> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(Path::new(&path)).map_err(|e| format!("{path}: {e}"))?;
    let field = |name: &str| {
        let line = text.lines().find(|l| l.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    };
    match (field("VmRSS:"), field("VmHWM:")) {
        (Some(now), Some(highest)) => Ok((now * 1024.0 / 1e6, highest * 1024.0 / 1e6)),
        _ => Err(format!("{path} does not say how much memory it uses")),
    }
}

/// From a MAC that is final in vCenter to the arrival of its port's request.
fn lags(report: &Value, baseline: Duration) -> Done {
    let time = |v: &Value| v.as_str().and_then(|s| s.parse::<Timestamp>().ok());
    let times = report["clusters"][0]["times"].as_array().cloned().unwrap_or_default();
    let mut lags: Vec<f64> = times
        .iter()
        .filter_map(|t| Some(time(&t["port_posted"])?.duration_since(time(&t["mac_final"])?).as_secs_f64() * 1e3))
        .collect();
    if lags.is_empty() {
        return Err("the site's journal has no ports".to_owned());
    }
    lags.sort_by(f64::total_cmp);
    let at = |p: f64| lags[((lags.len() - 1) as f64 * p).round() as usize];
    let base = baseline.as_secs_f64() * 1e3;
    println!("MAC visible to port requested, {} nodes:", lags.len());
    for (name, p) in [("median", 0.5), ("95 %", 0.95), ("largest", 1.0)] {
        println!("  {name:<8} {:>7.1} ms  ({:.0} times the baseline)", at(p), at(p) / base);
    }
    let within = lags.iter().filter(|l| **l < 250.0).count();
    println!("  under 250 ms: {:.1} %", within as f64 * 100.0 / lags.len() as f64);
    Ok(())
}

fn calls(state: &Value, nodes: u32) {
    println!("calls, from the start of the service to the end of the create:");
    for (system, methods) in state["calls"].as_object().cloned().unwrap_or_default() {
        let total: u64 = methods.as_object().map_or(0, |m| m.values().filter_map(Value::as_u64).sum());
        println!("  {system:<9} {total:>6}  ({:.2} per node)", total as f64 / f64::from(nodes));
        let mut methods: Vec<_> = methods.as_object().into_iter().flatten().collect();
        methods.sort_by_key(|(_, count)| std::cmp::Reverse(count.as_u64()));
        for (method, count) in methods.into_iter().take(6) {
            println!("    {method:<28} {count:>6}");
        }
    }
}
