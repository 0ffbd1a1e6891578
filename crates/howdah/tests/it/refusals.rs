//! Bad input, bad credentials and bad systems, as the command line reports them. No refusal
//! leaves a VM, a port or a registration behind.

use howdah_sim::world::settings::NetworkSeed;
use howdah_sim::{Listen, SiteSettings};

use crate::child::{Ran, Running, finish};
use crate::fakes::Fake;
use crate::setup::{Setup, create, quick};

const ONE: &str = "worker=1:hadoop_client";

/// A site with further networks: one without DHCP, one with little room.
fn settings() -> SiteSettings {
    let mut settings = quick(20.0);
    let network = |name: &str, cidr: &str, dhcp| NetworkSeed {
        name: name.to_owned(),
        subnet: format!("{name}-subnet"),
        cidr: cidr.to_owned(),
        dhcp,
        shared: false,
    };
    settings.networks.push(network("static", "10.30.0.0/24", false));
    settings.networks.push(network("small", "10.40.0.0/29", true));
    settings
}

/// The text on stderr, without the parts that differ from run to run.
fn said(setup: &Setup, ran: Ran) -> String {
    let urls = setup.site.urls();
    let mut text = ran.stderr;
    for (url, name) in
        [(&urls.bde, "BDE"), (&urls.vcenter, "VCENTER"), (&urls.keystone, "KEYSTONE"), (&urls.neutron, "NEUTRON")]
    {
        text = text.replace(url, name).replace(url.split("//").nth(1).unwrap_or(url).trim_end_matches("/v3"), name);
    }
    let text = text.replace(&setup.text_path(""), "FOLDER/");
    // The number of lines before the error depends on timing.
    text[text.find("error: ").unwrap_or_default()..].to_owned()
}

#[test]
fn what_the_author_of_a_cluster_gets_wrong() {
    let setup = Setup::new(settings());
    let service = setup.serve();
    let template = |property: &str| {
        let text = format!(
            "heat_template_version: 2021-04-16\nresources:\n  c:\n    type: VirtualElephant::VMware::BDE\n    properties: \
             {{cluster_name: c1, cluster_type: bigtop, network: data, subnet: data-subnet, {property}}}\n"
        );
        std::fs::write(setup.path("stack.yaml"), text).unwrap();
        setup.cluster(&["create", "--template", &setup.text_path("stack.yaml")])
    };
    let made = |name: &str, network: &str, subnet: &str, distro: &str, more: &[&str]| {
        let args = ["create", name, "--network", network, "--subnet", subnet, "--type", distro];
        setup.cluster(&[&args[..], more].concat())
    };
    // A failed create keeps its name until it is deleted, so each needs a different name.
    let usual =
        |name: &str, more: &[&str]| made(name, "data", "data-subnet", "bigtop", &[&["--group", ONE], more].concat());
    let group = |name: &str, group: &str| made(name, "data", "data-subnet", "bigtop", &["--group", group]);
    let one = ["--group", ONE];
    std::fs::write(setup.path("weak"), "short\n").unwrap();
    let weak = setup.text_path("weak");
    let rows: Vec<(&str, i32, Ran)> = vec![
        ("unknown site", 1, usual("c1", &["--site", "moon"])),
        ("unknown BDE host", 1, template("bde_endpoint: bde.evil.example")),
        ("unknown vCenter host", 1, template("vcm_server: vc.evil.example")),
        ("unknown network", 1, made("c1", "nope", "data-subnet", "bigtop", &one)),
        ("unknown subnet", 1, made("c1", "data", "nope", "bigtop", &one)),
        ("subnet of another network", 1, made("c1", "data", "small-subnet", "bigtop", &one)),
        ("unknown security group", 1, usual("c1", &["--security-group", "nope"])),
        ("unknown distribution", 1, made("c2", "data", "data-subnet", "cdh5", &one)),
        ("unknown resource pool", 1, usual("c3", &["--resource-pool", "gold"])),
        ("subnet without DHCP", 1, made("c4", "static", "static-subnet", "bigtop", &one)),
        (
            "too few addresses",
            1,
            made("c5", "small", "small-subnet", "bigtop", &["--group", "worker=20:hadoop_client"]),
        ),
        ("forbidden character", 1, made("my-cluster", "data", "data-subnet", "bigtop", &one)),
        ("unknown role", 1, group("c6", "worker=1:hadoop_dreamer")),
        ("weak password", 1, usual("c7", &["--password-file", &weak])),
        ("unknown property", 2, template("colour: blue")),
        ("no group", 2, group("c1", "worker")),
        ("missing password file", 2, usual("c1", &["--password-file", "/nowhere/password"])),
    ];
    let mut told = String::new();
    for (what, code, ran) in rows {
        assert_eq!(ran.stdout, "", "{what}");
        told.push_str(&format!("{what}:\n{}\n", said(&setup, ran.ended(code))));
    }
    insta::assert_snapshot!(told);
    let (ports, vms, _) = setup.left();
    assert_eq!((ports, vms), (0, 0));
    let listed = setup.cluster(&["list", "--output", "json"]).ended(0).json();
    for cluster in listed["clusters"].as_array().unwrap() {
        assert_eq!(cluster["status"], "error", "{cluster}");
        setup.cluster(&["delete", cluster["name"].as_str().unwrap()]).ended(0);
    }
    assert_eq!(setup.left(), (0, 0, 0), "the registration was made for the create that BDE itself refused");
    service.kill();
}

#[test]
fn a_name_is_taken() {
    let setup = Setup::new(quick(20.0));
    let service = setup.serve();
    setup.cluster(&create("hadoop", ONE)).ended(0);
    let again = setup.cluster(&create("hadoop", ONE)).ended(1);
    insta::assert_snapshot!("name_taken_in_the_service", said(&setup, again));
    // A cluster in BDE that Howdah did not create.
    setup.sound(&[]);
    service.kill();
    std::fs::remove_file(setup.path("howdah.db")).unwrap();
    let _ = std::fs::remove_file(setup.path("howdah.db-wal"));
    let service = setup.serve();
    let foreign = setup.cluster(&create("hadoop", ONE)).ended(1);
    insta::assert_snapshot!("name_taken_in_bde", said(&setup, foreign));
    assert_eq!(setup.left().1, 1, "its VM stays");
    service.kill();
}

#[test]
fn a_quota_that_is_too_small_is_told_before_the_first_vm() {
    let setup = Setup::new(SiteSettings { port_quota: Some(3), ..quick(20.0) });
    let (service, url) = setup.serve_tcp();
    let args = [&["cluster", "--endpoint", &url], &create("hadoop", "worker=4:hadoop_client")[..]].concat();
    let refused = finish(setup.as_demo("demo-secret", &args)).ended(1);
    insta::assert_snapshot!(said(&setup, refused));
    assert_eq!(setup.left(), (0, 0, 0));
    assert_eq!(setup.world().read(|s| s.bde.tasks.len()), 0, "BDE got no request");
    service.kill();
}

/// A create at a site whose configuration is changed.
fn bent(setup: &Setup, from: &str, to: &str) -> String {
    setup.configure(|text| {
        assert!(text.contains(from), "{text}");
        text.replacen(from, to, 1)
    });
    let service = setup.serve();
    let refused = setup.cluster(&create("hadoop", ONE)).ended(1);
    assert_eq!(refused.stdout, "");
    assert_eq!(setup.left(), (0, 0, 0));
    service.terminate();
    let log = service.end().ended(0).stderr;
    setup.sound(&[log, refused.stderr.clone()]);
    said(setup, refused)
}

#[test]
fn wrong_credentials_name_their_system() {
    let setup = Setup::new(quick(20.0));
    let mut told = String::new();
    for secret in ["bde-secret", "vc-secret", "service-secret"] {
        told.push_str(&format!("{secret}:\n{}\n", bent(&setup, secret, "something-else")));
        let _ = std::fs::remove_file(setup.path("howdah.db"));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_certificate_that_does_not_verify_shows_its_fingerprint() {
    let setup = Setup::listening(quick(20.0), Listen { tls: true, ..Listen::default() });
    let pin = setup.site.fingerprint().unwrap().to_owned();
    let pinned = |which: &[&str]| {
        let which: Vec<_> = which.iter().map(|w| format!("[site.{w}]\n")).collect();
        setup.configure(|text| which.iter().fold(text, |t, w| t.replace(w, &format!("{w}pin_sha256 = \"{pin}\"\n"))));
        let service = setup.serve();
        let ran = setup.cluster(&create("hadoop", ONE));
        service.kill();
        for file in ["howdah.db", "howdah.db-wal", "howdah.db-shm"] {
            let _ = std::fs::remove_file(setup.path(file));
        }
        ran
    };
    let mut told = String::new();
    for (what, pins) in
        [("BDE", ["vcenter", "openstack"]), ("vCenter", ["bde", "openstack"]), ("OpenStack", ["bde", "vcenter"])]
    {
        let text = said(&setup, pinned(&pins).ended(1));
        assert!(text.contains(&pin), "{what}: {text}");
        told.push_str(&format!("{what}:\n{}\n", text.replace(&pin, "SHA-256")));
    }
    insta::assert_snapshot!(told);
    pinned(&["bde", "vcenter", "openstack"]).ended(0);
}

/// What a create reports about a system that answers incorrectly. It may recover, so the
/// create retries for a while.
fn warned(setup: &Setup, url: &str, fake: &Fake, at: &str) -> String {
    setup.configure(|text| text.replace(&format!("url = \"{url}\""), &format!("url = \"{}\"", fake.url)));
    let service = setup.serve();
    let watch = Running::start(setup.cluster_command(&create("hadoop", ONE)));
    let line = watch.says(at);
    assert_eq!(setup.left(), (0, 0, 0));
    watch.kill();
    service.terminate();
    service.end().ended(0);
    line.replace(&fake.url, "FAKE")
}

#[test]
fn a_bde_that_answers_with_a_page() {
    let setup = Setup::new(quick(20.0));
    let page = "<html><head><title>Sign in to the proxy</title></head><body>Please sign in.</body></html>";
    let fake = Fake::new("200 OK", "text/html", page, page.len());
    let told = warned(&setup, &setup.site.urls().bde, &fake, "BDE is failing");
    insta::assert_snapshot!(told);
}

#[test]
fn a_vcenter_whose_answer_is_cut_off() {
    let setup = Setup::new(quick(20.0));
    let half = "<?xml version=\"1.0\"?><e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Bo";
    let url = &setup.site.urls().vcenter;
    let fake = Fake::new("200 OK", "text/xml", half, half.len());
    let told = warned(&setup, url, &fake, "vCenter is failing");
    insta::assert_snapshot!("vcenter_answer_ends_early", told);
    drop(fake);

    let _ = std::fs::remove_file(setup.path("howdah.db"));
    let fake = Fake::new("200 OK", "text/xml", half, half.len() + 100);
    let told = warned(&setup, url, &fake, "vCenter is failing");
    insta::assert_snapshot!("vcenter_answer_breaks_off", told);
}

#[test]
fn a_bde_in_maintenance_is_waited_for_and_said() {
    let setup = Setup::new(quick(20.0));
    let service = setup.serve();
    setup.world().write(|s| s.bde.maintenance = true);
    let watch = Running::start(setup.cluster_command(&create("hadoop", ONE)));
    let warning = watch.says("maintenance");
    insta::assert_snapshot!(warning);
    assert_eq!(setup.left().1, 0);
    setup.world().write(|s| s.bde.maintenance = false);
    watch.end().ended(0);
    setup.sound(&[]);
    service.kill();
}
