//! `howdah config check`, and a service whose configuration is wrong.

use crate::child::{finish, howdah, run};
use crate::setup::{Setup, quick};

fn steady(setup: &Setup, text: &str) -> String {
    let urls = setup.site.urls();
    let text: Vec<_> = text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    text.join("\n")
        .replace(&setup.text_path(""), "FOLDER/")
        .replace(&urls.bde, "BDE")
        .replace(&urls.vcenter, "VCENTER")
        .replace(&urls.keystone, "KEYSTONE")
}

#[test]
fn a_good_configuration_says_where_its_values_come_from() {
    let setup = Setup::new(quick(1.0));
    let path = setup.text_path("howdah.toml");
    let mut check = howdah(&["config", "check", "--config", &path]);
    check.env("HOWDAH_SITE_MAIN_BDE_USERNAME", "operator");
    let good = finish(check).ended(0);
    assert_eq!(good.stderr, "");
    assert!(!good.stdout.contains("-secret"), "{}", good.stdout);
    insta::assert_snapshot!(steady(&setup, &good.stdout));
    let json = run(&["config", "check", "--config", &path, "--output", "json"]).ended(0).json();
    assert_eq!(json["good"], true);
    assert!(
        json["values"].as_array().unwrap().iter().any(|v| v["key"] == "server.auth" && v["value"] == "local"),
        "{json}"
    );
}

#[test]
fn what_is_wrong_is_told_at_its_line_and_nothing_starts() {
    let setup = Setup::new(quick(1.0));
    setup.configure(|t| t.replace("username = \"serengeti\"", "usrename = \"serengeti\"").replace("nsx-v", "nsx"));
    let path = setup.text_path("howdah.toml");
    let check = run(&["config", "check", "--config", &path]).ended(2);
    let serve = finish(setup.serve_command()).ended(2);
    insta::assert_snapshot!(steady(&setup, &format!("{}---\n{}---\n{}", check.stdout, check.stderr, serve.stderr)));
    assert_eq!(serve.stdout, "");
    assert!(!setup.path("howdah.db").exists());
    let json = run(&["config", "check", "--config", &path, "--output", "json"]).ended(2).json();
    assert_eq!(json["good"], false);
    assert!(
        json["problems"].as_array().unwrap().iter().all(|p| p["at"].as_str().unwrap().contains("howdah.toml:")),
        "{json}"
    );
}

#[test]
fn a_configuration_that_is_not_there() {
    let missing = run(&["serve", "--config", "/nowhere/howdah.toml"]).ended(2);
    insta::assert_snapshot!(missing.stderr);
}
