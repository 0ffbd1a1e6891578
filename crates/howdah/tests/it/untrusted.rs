//! Foreign text cannot move the cursor, set a title or start a line of its own: neither in the command
//! line's output nor in the service's log.

use howdah_core::text::is_unfit;
use serde_json::{Value, json};

use crate::child::{Ran, Running, finish, howdah};
use crate::fakes::Fake;
use crate::setup::{Setup, create, quick};

/// Clears the screen, sets the title, hides what follows, and begins a line that looks like one of ours.
const ODD: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}8m\u{7f}\u{202e}x\nerror: forged\r\u{2028}";
const SHOWN: &str = "\\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{9b}8m\\u{7f}\\u{202e}x\\nerror: forged\\r\\u{2028}";

/// Checks text for a terminal: it has no control characters and no forged line.
#[track_caller]
fn sound(ran: &Ran) {
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.chars().any(|c| c != '\n' && is_unfit(c)), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("error: forged")), "{text}");
    }
}

fn odd_cluster(operation: &str, kind: &str) -> Value {
    json!({
        "id": "00000000-0000-0000-0000-000000000001", "site": ODD, "project": ODD, "name": ODD,
        "cluster_type": ODD, "wanted": "running", "status": ODD, "status_reason": ODD, "progress": 0.5,
        "conditions": [{"type": ODD, "status": "False", "reason": ODD, "message": ODD, "since": "2026-01-02T10:32:00Z"}],
        "network": {"id": ODD, "name": ODD}, "subnet": {"id": ODD, "name": ODD, "cidr": ODD}, "security_groups": [ODD],
        "node_count": 1, "stages": {"planned": 0, "cloned": 0, "booting": 0, "no_address": 0, "addressed": 1},
        "operation": {"id": "00000000-0000-0000-0000-000000000002", "kind": kind, "state": operation,
            "requested": "2026-01-02T03:04:05Z", "started": null, "ended": null,
            "error": {"code": ODD, "message": ODD, "hint": ODD}},
        "nodes": [{"name": ODD, "group": ODD, "roles": [ODD], "stage": "addressed", "address": ODD, "mac": ODD,
            "port_id": ODD, "vm_id": ODD, "instance_uuid": null, "manager_says": ODD, "conditions": [],
            "history": {"incarnations": 0, "vm_seen": null, "port_ready": null, "boots": 0, "recent_boots": []}}],
        "addresses": {}, "master_address": ODD, "created": "2026-01-02T03:04:05Z",
    })
}

fn ask(fake: &Fake, args: &[&str]) -> Ran {
    finish(howdah(&[&["cluster", "--endpoint", &fake.url, "--token", "x", "--patience", "0"], args].concat()))
}

fn says(status: &str, body: &Value) -> Fake {
    let body = body.to_string();
    Fake::new(status, "application/json", &body, body.len())
}

#[test]
fn documents() {
    let odd = json!({"id": "00000000-0000-0000-0000-000000000009", "site": ODD, "project": ODD, "name": "odd",
        "status": ODD, "status_reason": ODD});
    let fake = Fake::with_clusters(&json!({"clusters": [odd_cluster("failed", "create")], "unreadable": [odd]}));
    let list = ask(&fake, &["list"]).ended(0);
    sound(&list);
    assert_eq!(list.stdout.lines().count(), 3, "a line for the head and for each cluster: {}", list.stdout);
    let show = ask(&fake, &["show", ODD]).ended(0);
    sound(&show);
    assert_eq!(show.stdout.lines().next(), Some(format!("{SHOWN} (00000000-0000-0000-0000-000000000001)").as_str()));
    assert!(show.stdout.contains(&format!("  {SHOWN}: {SHOWN}\n  hint: {SHOWN}\n")), "{}", show.stdout);
    assert_eq!(show.stdout.lines().count(), 4 + 3 + 3, "{}", show.stdout);
    for args in [&["show", "odd"][..], &["show", "nope\u{1b}]0;x\u{7}"], &["stop", "odd"]] {
        sound(&ask(&fake, args).ended(1));
    }
    // The operation has failed: reported immediately, as a watch would.
    let watch = ask(&fake, &["watch", ODD]).ended(1);
    sound(&watch);
    assert!(watch.stderr.contains(&format!("error: the create of {SHOWN} failed: {SHOWN}\nhint: {SHOWN}\n")));
    // JSON is the same document, and as harmless.
    let json = ask(&fake, &["show", ODD, "--output", "json"]).ended(0);
    sound(&json);
    assert_eq!(json.json(), odd_cluster("failed", "create"));
}

#[test]
fn refusals() {
    let error = json!({"error": {"code": "invalid_field", "message": ODD, "hint": ODD, "details": {"x": ODD}}});
    for (status, code) in [("400 Bad Request", 1), ("404 Not Found", 1), ("503 Service Unavailable", 4)] {
        let fake = says(status, &error);
        for args in [&["list"][..], &["delete", "x"], &["list", "--output", "json"]] {
            let ran = ask(&fake, args).ended(code);
            sound(&ran);
            assert!(ran.stderr.contains(SHOWN) && ran.stderr.contains(&format!("\nhint: {SHOWN}")), "{}", ran.stderr);
        }
    }
    let page = format!("<html>{ODD}</html>");
    let fake = Fake::new("502 Bad Gateway", "text/html", &page, page.len());
    sound(&ask(&fake, &["list"]).ended(3));
}

#[test]
fn streams() {
    let frame = |name: &str, data: &Value| format!("event: {name}\ndata: {data}\n\n");
    let event = json!({"id": 1, "at": "2026-01-02T03:04:05Z", "level": "warning", "reason": ODD, "node": ODD,
        "message": ODD});
    let error = json!({"error": {"code": "token_invalid", "message": ODD, "hint": ODD, "details": {}}});
    // One server answers everything: a lookup gets a cluster, a follower gets a stream.
    let cluster = odd_cluster("running", "create").to_string();
    let stream = frame("event", &event) + &frame("ended", &error);
    let fake = Fake::by_request(move |head| match head.contains("/events") {
        true => ("200 OK", "text/event-stream", stream.clone()),
        false => ("200 OK", "application/json", cluster.clone()),
    });
    let watch = ask(&fake, &["watch", "00000000-0000-0000-0000-000000000001"]).ended(1);
    sound(&watch);
    assert!(watch.stderr.contains(&format!("warning: {SHOWN}\n")), "{}", watch.stderr);
    assert!(watch.stderr.contains(&format!("error: {SHOWN}\nhint: {SHOWN}\n")), "why it ended: {}", watch.stderr);
}

/// A log line that an attacker may try to forge.
const FORGED: &str = "\n2026-01-02T03:04:05.678901Z  INFO howdah_server: forged \u{1b}[2J\u{1b}]0;x\u{7}";

#[track_caller]
fn one_line_each(log: &str) {
    assert!(log.contains("forged"), "the log does not have it:\n{log}");
    for line in log.lines().filter(|l| l.contains("forged")) {
        assert!(line.contains("\\n2026-01-02T03:04:05.678901Z  INFO howdah_server: forged \\u{1b}[2J"), "{line}");
    }
    assert!(!log.chars().any(|c| c != '\n' && is_unfit(c)), "{log:?}");
}

#[test]
fn the_log_of_the_service() {
    let setup = Setup::new(quick(20.0));
    setup.world().write(|s| {
        for user in s.keystone.users.values_mut().filter(|u| u.name == "demo") {
            user.name.push_str(FORGED);
        }
    });
    let (service, url) = setup.serve_tcp();
    let user =
        setup.world().read(|s| s.keystone.users.values().find(|u| u.name.contains("forged")).unwrap().id.clone());
    let mut command = setup.as_demo("demo-secret", &["cluster", "--endpoint", &url]);
    command.env_remove("OS_USERNAME").env("OS_USER_ID", user);
    command.args(create("hadoop", "worker=1:hadoop_client"));
    finish(command).ended(0);
    service.terminate();
    one_line_each(&service.end().ended(0).stderr);
}

#[test]
fn what_a_remote_system_says() {
    let setup = Setup::new(quick(20.0));
    let body = json!({"code": format!("BDD.ODD{FORGED}"), "message": format!("no{FORGED}")}).to_string();
    let fake = Fake::new("500 Internal Server Error", "application/json", &body, body.len());
    let real = setup.site.urls().bde.clone();
    setup.configure(|text| text.replace(&format!("url = \"{real}\""), &format!("url = \"{}\"", fake.url)));
    let mut command = setup.serve_command();
    command.env("RUST_LOG", "debug");
    let service = Running::start(command);
    service.says("Howdah is listening on");
    let watch = setup.cluster(&create("hadoop", "worker=1:hadoop_client")).ended(1);
    sound(&watch);
    one_line_each(&watch.stderr);
    let shown = setup.cluster(&["show", "hadoop"]).ended(0);
    sound(&shown);
    one_line_each(&shown.stdout);
    service.terminate();
    one_line_each(&service.end().ended(0).stderr);
}
