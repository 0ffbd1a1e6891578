//! A cluster's whole life by the command line, over a UNIX socket and over TCP with Keystone; and
//! a watch that outlives the service.

use howdah_sim::world::clock::Span;
use serde_json::Value;

use crate::child::{Running, finish, howdah, run};
use crate::setup::{Setup, create, quick};

/// Ids, addresses and paddings differ from run to run.
fn columns(text: &str) -> String {
    text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn created_stopped_started_and_deleted() {
    let setup = Setup::new(quick(20.0));
    let service = setup.serve();

    let none = setup.cluster(&["list"]).ended(0);
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("", "No clusters found.\n"));
    let none = setup.cluster(&["list", "--output", "json"]).ended(0);
    assert_eq!(none.json(), serde_json::json!({ "clusters": [] }));

    let created = setup.cluster(&create("hadoop", "worker=3:hadoop_client")).ended(0);
    let rows: Vec<_> = created.stdout.lines().filter(|l| l.starts_with("hadoop-worker-")).collect();
    assert_eq!(rows.len(), 3, "{}", created.stdout);
    assert!(rows.iter().all(|r| r.ends_with("addressed")), "{}", created.stdout);
    assert!(
        created.stderr.contains("create accepted.") && created.stderr.contains("3 of 3 nodes addressed"),
        "{}",
        created.stderr
    );
    assert_eq!(setup.left(), (3, 3, 1));

    let shown = setup.cluster(&["show", "hadoop", "--output", "json"]).ended(0).json();
    assert_eq!((&shown["status"], &shown["operation"]["state"]), (&"running".into(), &"succeeded".into()));
    let addresses = |of: &Value| -> Vec<_> {
        of["nodes"].as_array().unwrap().iter().map(|n| n["address"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let id = shown["id"].as_str().unwrap();
    assert_eq!(setup.cluster(&["show", id, "--output", "json"]).ended(0).json()["name"], "hadoop", "also by its ID");
    let listed = columns(&setup.cluster(&["list"]).ended(0).stdout).replace(id, "ID");
    insta::assert_snapshot!(listed);

    // The cluster manager still installs software when every node has its address.
    setup.sound(&[]);
    let stopped = setup.cluster(&["stop", "hadoop", "--output", "json"]).ended(0);
    assert!(stopped.stderr.contains("3 of 3 nodes off") && !stopped.stderr.contains("warning"), "{}", stopped.stderr);
    assert_eq!(stopped.json()["status"], "stopped");
    let started = setup.cluster(&["start", "hadoop", "--output", "json"]).ended(0).json();
    assert_eq!((&started["status"], addresses(&started)), (&"running".into(), addresses(&shown)));

    setup.sound(&[]);
    let deleted = setup.cluster(&["delete", "hadoop"]).ended(0);
    assert_eq!(deleted.stdout, "The cluster, its VMs and its ports are deleted.\n");
    assert!(
        deleted.stderr.contains("3 of 3 nodes removed") && !deleted.stderr.contains("warning"),
        "{}",
        deleted.stderr
    );
    assert_eq!(setup.left(), (0, 0, 0));
    let mut told = String::new();
    for verb in ["show", "watch", "stop", "start", "delete"] {
        told.push_str(&setup.cluster(&[verb, "hadoop"]).ended(1).stderr);
    }
    assert_eq!(
        told.matches("error: no cluster has the name or ID hadoop\nhint: List the clusters").count(),
        5,
        "{told}"
    );
    let gone = setup.cluster(&["show", id]).ended(1).stderr;
    assert!(gone.starts_with(&format!("error: cluster {id} does not exist")), "{gone}");

    service.terminate();
    let service = service.end().ended(0);
    assert_eq!(service.stdout, "", "a service has no data to print");
    setup.sound(&[service.stderr]);
}

#[test]
fn with_a_keystone_token_over_tcp() {
    let setup = Setup::new(quick(20.0));
    let (service, url) = setup.serve_tcp();
    let ask = |args: &[&str]| finish(setup.as_demo("demo-secret", &[&["cluster", "--endpoint", &url], args].concat()));

    let created = ask(&[&create("hadoop", "worker=2:hadoop_client")[..], &["--output", "json"]].concat()).ended(0);
    let cluster = created.json();
    let project = setup.world().read(|s| s.keystone.project("demo").unwrap().id.clone());
    assert_eq!((&cluster["status"], &cluster["project"]), (&"running".into(), &project.into()));
    let id = cluster["id"].as_str().unwrap();

    // Without --endpoint the service's address comes from the catalogue.
    let catalogue = finish(setup.as_demo("demo-secret", &["cluster", "list"])).ended(2).stderr;
    insta::assert_snapshot!("no_service_in_the_catalogue", catalogue);
    let endpoint = howdah_sim::world::keystone::Endpoint {
        service: "data-processing".to_owned(),
        name: "howdah".to_owned(),
        region: "RegionOne".to_owned(),
        url: url.clone(),
    };
    setup.world().write(|s| s.keystone.catalog.push(endpoint));
    let listed = finish(setup.as_demo("demo-secret", &["cluster", "list"])).ended(0);
    assert!(listed.stdout.contains(id), "{}", listed.stdout);

    // Missing or wrong credentials are reported.
    insta::assert_snapshot!("no_credentials", run(&["cluster", "--endpoint", &url, "list"]).ended(2).stderr);
    let wrong = finish(setup.as_demo("wrong", &["cluster", "--endpoint", &url, "list"])).ended(1).stderr;
    insta::assert_snapshot!("wrong_password", wrong.replace(&setup.site.urls().keystone, "KEYSTONE"));
    let mut stale = howdah(&["cluster", "--endpoint", &url, "list"]);
    stale.env("OS_TOKEN", "stale");
    insta::assert_snapshot!("stale_token", finish(stale).ended(1).stderr);

    setup.sound(&[]);
    ask(&["delete", id]).ended(0);
    assert_eq!(setup.left(), (0, 0, 0));
    service.terminate();
    let said = service.end().ended(0).stderr;
    setup.sound(&[said, created.stdout, created.stderr]);
}

#[test]
fn a_watch_outlives_the_service() {
    // Long enough that the service is killed before the first VM is there: after a request for ports that
    // may still have an effect it would wait two minutes. `crash` has such moments.
    let mut settings = quick(2.0);
    settings.timings.clone = Span::exactly(10.0);
    let setup = Setup::new(settings);
    let first = setup.serve();
    let accepted = [&create("hadoop", "worker=2:hadoop_client")[..], &["--no-wait", "--output", "json"]].concat();
    let accepted = setup.cluster(&accepted).ended(0).json();
    assert_eq!(accepted["operation"]["state"], "running");
    let watch = Running::start(setup.cluster_command(&["watch", "hadoop"]));
    watch.says("of 2 nodes addressed: 2 planned");
    first.kill();
    watch.says("Connection to the service lost, retrying");
    let second = setup.serve();
    watch.says("Connected to the service again.");

    // A restart by the service manager looks the same to a watching client.
    second.terminate();
    second.end().ended(0);
    let third = setup.serve();
    let watch = watch.end().ended(0);
    assert!(watch.stdout.contains("hadoop-worker-1"), "{}", watch.stdout);
    assert_eq!(watch.stderr.matches("100 %").count(), 1, "the end is shown once: {}", watch.stderr);
    setup.sound(&[]);
    third.kill();
}

#[test]
fn a_graceful_end_in_the_middle_of_a_create_loses_nothing() {
    let setup = Setup::new(quick(3.0));
    let first = setup.serve();
    setup.cluster(&[&create("hadoop", "worker=2:hadoop_client")[..], &["--no-wait"]].concat()).ended(0);
    setup.until("a VM", |s| s.vc.vms.values().any(|v| v.cluster.is_some()));
    first.terminate();
    first.end().ended(0);
    assert!(!setup.path("howdah.sock").exists(), "the socket is removed");
    let refused = setup.cluster(&["list"]).ended(3);
    insta::assert_snapshot!(refused.stderr.replace(&setup.text_path(""), "FOLDER/"));
    let second = setup.serve();
    setup.cluster(&["watch", "hadoop"]).ended(0);
    setup.sound(&[]);
    assert_eq!(setup.left(), (2, 2, 1));
    second.kill();
}

#[test]
fn a_service_that_lost_its_database_to_another_one_ends_with_its_own_exit_code() {
    let setup = Setup::new(quick(20.0));
    let first = setup.serve();
    // As on a file system without locks. The other one takes the database, and then ends: the socket is in use.
    std::fs::remove_file(setup.path("howdah.db.lock")).unwrap();
    finish(setup.serve_command()).ended(1);
    // What the client is told depends on how far the shutdown is.
    finish(setup.cluster_command(&[&create("hadoop", "worker=1:hadoop_client")[..], &["--patience", "0"]].concat()));
    let ended = first.end().ended(5);
    assert!(ended.stderr.contains("error: this service has ended: cannot continue without the database"));
    assert!(ended.stderr.contains("hint: Stop this service or the other one."), "{}", ended.stderr);
}
