//! `howdah demo`: the first command that a new user runs.

use serde_json::Value;

use crate::child::{Ran, finish, howdah, run};

/// Replaces the parts of a demo's output that differ between machines.
fn steady(text: &str) -> String {
    let line = text.lines().last().unwrap_or_default();
    line.split(' ')
        .map(|w| if w.starts_with(|c: char| c.is_ascii_digit()) { "N" } else { w })
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn twenty_of_twenty() {
    let demo = run(&["demo"]).ended(0);
    let rows: Vec<_> = demo.stdout.lines().skip(1).take_while(|l| !l.is_empty()).collect();
    assert_eq!(rows.len(), 20, "{}", demo.stdout);
    assert!(rows.iter().all(|r| r.ends_with("addressed")), "{}", demo.stdout);
    assert!(demo.stdout.lines().last().unwrap().starts_with("20 of 20 nodes addressed in "), "{}", demo.stdout);
    insta::assert_snapshot!(demo.stdout.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" "),
        @"NAME GROUP VM MAC PORT ADDRESS STAGE");
    insta::assert_snapshot!(steady(&demo.stdout),
        @"N of N nodes addressed in N simulated s, N s above the site's minimum of N s; calls: BDE N Keystone N Neutron N vCenter N");
    assert!(demo.stderr.contains("Started a simulated site (seed 1, 20 times real time)"), "{}", demo.stderr);
    assert!(demo.stderr.contains("20 of 20 nodes addressed"), "{}", demo.stderr);
    assert!(!demo.stderr.contains("warning") && !demo.stderr.contains('\u{1b}'), "{}", demo.stderr);
}

#[test]
fn slow_neutron_as_json_quietly() {
    let args = ["demo", "--nodes", "5", "--slow-neutron", "--seed", "3", "--output", "json", "--quiet"];
    let demo = run(&args).ended(0);
    assert_eq!(demo.stderr, "");
    let document = demo.json();
    let nodes = document["cluster"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 5);
    for node in nodes {
        assert_eq!(node["stage"], "addressed", "{node}");
        for key in ["mac", "port_id", "address", "vm_id", "instance_uuid"] {
            assert!(node[key].is_string(), "{key}: {node}");
        }
    }
    assert_eq!(document["cluster"]["status"], "running");
    let summary = &document["summary"];
    for key in ["seconds", "floor_seconds", "slowest_port_seconds"] {
        assert!(summary[key].is_f64(), "{key}: {summary}");
    }
    assert!(
        ["BDE", "vCenter", "Neutron", "Keystone"].iter().all(|s| summary["calls"][s].as_u64() > Some(0)),
        "{summary}"
    );
}

fn of_template(text: &str, more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("stack.yaml"), text).unwrap();
    let mut command = howdah(&["demo", "--template", "stack.yaml"]);
    command.args(more).current_dir(folder.path());
    finish(command)
}

#[test]
fn a_template_that_howdah_does_not_read_is_refused_by_name() {
    let hot = |cluster: &str| {
        format!(
            "heat_template_version: 2021-04-16\nresources:\n  c: {{type: VirtualElephant::VMware::BDE, properties: {{{cluster}}}}}\n"
        )
    };
    let other = "heat_template_version: 2021-04-16\nresources:\n  s: {type: OS::Nova::Server}\n".to_owned();
    let rows = [
        ("neither HOT nor CFN", "services: {web: {image: nginx}}".to_owned(), vec![]),
        ("not YAML", "a: [".to_owned(), vec![]),
        ("another resource", other, vec![]),
        ("a function", hot("cluster_name: {str_replace: {}}"), vec![]),
        ("a reference", hot("cluster_name: {get_resource: other}"), vec![]),
        ("no such parameter", hot("cluster_name: c"), vec!["--param", "Colour=red"]),
        (
            "fewer nodes than the other groups have",
            include_str!("../../../../examples/hadoop-2015.json").to_owned(),
            vec!["--nodes", "1"],
        ),
    ];
    let mut told = String::new();
    for (what, text, more) in rows {
        let ran = of_template(&text, &more).ended(2);
        assert_eq!(ran.stdout, "", "{what}");
        told.push_str(&format!("{what}:\n{}\n", ran.stderr));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn what_the_demo_does_not_take() {
    let mut told = String::new();
    for args in [
        vec!["demo", "--nodes", "0"],
        vec!["demo", "--speed", "fast"],
        vec!["demo", "--param", "Colour"],
        vec!["demo", "--template", "/nowhere/stack.yaml"],
        vec!["--colour", "red"],
    ] {
        let ran = run(&args).ended(2);
        assert_eq!(ran.stdout, "");
        told.push_str(&format!("$ howdah {}\n{}\n", args.join(" "), ran.stderr));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn the_same_seed_makes_the_same_machines() {
    let macs = || -> Vec<Value> {
        // At the demo's own speed: much faster, a busy machine takes longer to make a port than a guest waits.
        let demo = run(&["demo", "--nodes", "4", "--seed", "7", "--output", "json", "-q"]).ended(0);
        demo.json()["cluster"]["nodes"].as_array().unwrap().iter().map(|n| n["mac"].clone()).collect()
    };
    assert_eq!(macs(), macs());
}
