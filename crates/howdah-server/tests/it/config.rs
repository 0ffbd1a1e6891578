//! The configuration: what is read, what is said of it, and what is wrong at which line.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use howdah_server::api::AuthMode;
use howdah_server::config::{Config, Env};
use howdah_transport::Trust;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use crate::harness::log;

const GOOD: &str = r#"
[server]
listen = "127.0.0.1:8780"
unix = "howdah.sock"

[store]
path = "data/howdah.db"

[[site]]
name = "main"
default = true

[site.bde]
url = "https://bde.example:8443"
username = "admin@vsphere.local"
password_file = "bde.secret"

[site.vcenter]
url = "https://vc.example"
username = "svc"
password_env = "VC_PASSWORD"
pin_sha256 = "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99"

[site.openstack]
auth_url = "https://keystone.example:5000/v3"
username = "howdah"
password = "in-the-clear"
project_name = "service"
"#;

struct Setting {
    folder: TempDir,
    env: Env,
}

impl Setting {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("howdah.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let secret = folder.path().join("bde.secret");
        fs::write(&secret, "from-a-file\n").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o640)).unwrap();
        let env = Env::from([("VC_PASSWORD".to_owned(), "from-a-variable".to_owned())]);
        Self { folder, env }
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("howdah.toml")
    }

    fn load(&self) -> Config {
        Config::load(&self.path(), &self.env).unwrap()
    }

    /// What `howdah config check` says, with the folder's name left out.
    fn report(&self) -> String {
        self.shown(&Config::check(&self.path(), &self.env).to_string())
    }

    /// Why it is refused.
    fn refusal(&self) -> String {
        self.shown(&Config::load(&self.path(), &self.env).unwrap_err().to_string())
    }

    fn shown(&self, text: &str) -> String {
        let text = text.replace(&format!("{}/", self.folder.path().display()), "");
        for secret in ["from-a-file", "from-a-variable", "in-the-clear"] {
            assert!(!text.contains(secret), "{text}");
        }
        // Columns are padded to the longest value, which the folder's name may be.
        let squeezed = text.lines().map(|line| {
            let words: Vec<_> = line.trim_end().split("  ").map(str::trim).filter(|w| !w.is_empty()).collect();
            let indent = if line.starts_with("  ") { "  " } else { "" };
            format!("{indent}{}", words.join("  "))
        });
        squeezed.collect::<Vec<_>>().join("\n")
    }
}

/// `GOOD` with one piece replaced.
fn but(piece: &str, by: &str) -> Setting {
    assert!(GOOD.contains(piece), "{piece}");
    Setting::new(&GOOD.replacen(piece, by, 1))
}

#[test]
fn a_good_file() {
    let setting = Setting::new(GOOD);
    let config = setting.load();
    assert_eq!(config.server.listen, Some("127.0.0.1:8780".parse().unwrap()));
    assert_eq!(config.server.unix, Some(setting.folder.path().join("howdah.sock")));
    assert_eq!(config.store.key_file, setting.folder.path().join("data/secret.key"));
    let site = &config.sites[0];
    assert_eq!(site.bde.password.expose_secret(), "from-a-file");
    assert_eq!(site.vcenter.password.expose_secret(), "from-a-variable");
    assert_eq!((site.bde.host.as_str(), site.vcenter.host.as_str()), ("bde.example", "vc.example"));
    assert!(matches!(site.vcenter.trust, Trust::Pin(_)));
    assert!(!format!("{config:?}").contains("from-a-"), "Debug shows no secret");
    insta::assert_snapshot!(setting.report());
}

#[test]
fn the_environment_counts_more() {
    let setting = Setting::new(GOOD)
        .env("HOWDAH_SERVER_LISTEN", "127.0.0.1:1")
        .env("HOWDAH_SITE_MAIN_BDE_URL", "https://other.example")
        .env("HOWDAH_SITE_MAIN_BDE_PASSWORD", "from-a-variable")
        .env("HOWDAH_SITE_MAIN_VCENTER_SWITCH", "dvs-1")
        .env("HOWDAH_TEMPLATES_CREDENTIALS", "true")
        .env("HOWDAH_TOKEN", "not the service's");
    let config = setting.load();
    assert_eq!(config.server.listen.unwrap().port(), 1);
    assert_eq!(config.sites[0].bde.host, "other.example");
    assert_eq!(config.sites[0].bde.password.expose_secret(), "from-a-variable", "its file is overruled");
    assert_eq!(config.sites[0].switch.as_deref(), Some("dvs-1"));
    assert!(config.templates.credentials);
    let report = setting.report();
    assert!(report.contains("site.main.bde.url  https://other.example  $HOWDAH_SITE_MAIN_BDE_URL"), "{report}");
}

#[test]
fn without_listeners_there_are_the_usual_ones() {
    let config = but("listen = \"127.0.0.1:8780\"\nunix = \"howdah.sock\"", "").load();
    assert_eq!((config.server.listen.unwrap().port(), config.server.unix), (8780, None));
    let config = but("listen = \"127.0.0.1:8780\"\nunix = \"howdah.sock\"", "auth = \"local\"").load();
    assert_eq!(config.server.auth, AuthMode::Local);
    assert_eq!((config.server.listen, config.server.unix), (None, Some("/run/howdah/howdah.sock".into())));
}

#[test]
fn what_is_wrong_is_told_at_its_line() {
    let rows = [
        ("a misspelt key", but("listen", "lisen")),
        ("a key in the wrong place", but("[store]", "[store]\nlisten = \"x\"")),
        ("an unknown section", but("[store]", "[storage]")),
        ("a wrong type", but("\"127.0.0.1:8780\"", "8780")),
        ("a secret of a wrong type", but("\"in-the-clear\"", "5")),
        ("a table for a text", but("default = true", "default = { yes = true }")),
        ("not TOML", but("[store]", "[store")),
        ("not TOML, at a secret", but("\"in-the-clear\"", "\"in-the-clear")),
        ("no address", but("127.0.0.1:8780", "localhost")),
        ("open to others without TLS", but("127.0.0.1:8780", "0.0.0.0:8780")),
        ("half of TLS", but("[store]", "[server.tls]\ncertificate = \"bde.secret\"\n[store]")),
        ("TLS files that are not there", but("[store]", "[server.tls]\ncertificate = \"a\"\nkey = \"b\"\n[store]")),
        ("an unknown auth", but("[store]", "auth = \"none\"\n[store]")),
        ("local auth over TCP", but("[store]", "auth = \"local\"\n[store]")),
        ("a folder that is not there", but("[store]", "[templates]\nfiles_below = \"nope\"\n[store]")),
        ("an unknown backend", but("default = true", "network_backend = \"nsx\"")),
        ("a missing url", but("url = \"https://vc.example\"", "")),
        ("an empty user", but("\"svc\"", "\" \"")),
        ("no url", but("https://vc.example", "vc.example")),
        ("a user in a url", but("https://vc.example", "https://u:p@vc.example")),
        ("a missing password", but("password_file = \"bde.secret\"", "")),
        ("two passwords", but("password_file = \"bde.secret\"", "password_file = \"bde.secret\"\npassword = \"x\"")),
        ("a password file that is not there", but("bde.secret", "nope.secret")),
        ("a variable that is not set", but("VC_PASSWORD", "NO_SUCH_VARIABLE")),
        ("a SHA-1 pin", but(":AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99\"", ":AA:BB:CC:DD\"")),
        ("two ways to trust", but("pin_sha256", "insecure = true\npin_sha256")),
        ("no project", but("project_name = \"service\"", "")),
        ("a bad Keystone URL", but("https://keystone.example:5000/v3", "keystone")),
        ("a clouds file that is not there", but("auth_url", "cloud = \"x\"\nclouds_file = \"nope.yaml\"\nauth_url")),
        ("a site without a name", but("name = \"main\"", "")),
        ("a site with a bad name", but("name = \"main\"", "name = \"my site\"")),
        ("no site", Setting::new("[server]\n")),
        ("a site that is no list", Setting::new("[site]\nname = \"main\"\n")),
        ("an unknown variable", Setting::new(GOOD).env("HOWDAH_SERVER_LISEN", "x")),
        ("a variable of another site", Setting::new(GOOD).env("HOWDAH_SITE_LAB_BDE_URL", "x")),
        ("a variable that is no boolean", Setting::new(GOOD).env("HOWDAH_TEMPLATES_CREDENTIALS", "yes")),
    ];
    let mut told = String::new();
    for (what, setting) in rows {
        told.push_str(&format!("{what}:\n{}\n\n", setting.refusal()));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn two_sites_must_differ() {
    let second = GOOD[GOOD.find("[[site]]").unwrap()..].replacen("\"main\"", "\"MAIN\"", 1);
    insta::assert_snapshot!(Setting::new(&format!("{GOOD}{second}")).refusal(), @"
    howdah.toml:30:8: error: the sites MAIN and main have the same name or the same environment variables
    howdah.toml:31:11: error: MAIN and main are both marked as the default site
    ");
}

#[test]
fn two_sites_of_one_bde_are_warned_of() {
    let second =
        GOOD[GOOD.find("[[site]]").unwrap()..].replacen("\"main\"", "\"lab\"", 1).replacen("default = true", "", 1);
    let warnings = |second: &str| {
        let setting = Setting::new(&format!("{GOOD}{second}"));
        let report = Config::check(&setting.path(), &setting.env);
        assert!(report.is_good(), "{report}");
        report.warnings().map(|p| setting.shown(&p.to_string())).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(warnings(&second.replace("bde.example", "BDE.example")), @"
    howdah.toml:29:1: warning: the sites lab and main use the same BDE
      hint: Use one site: two remove each other's registered networks and exceed BDE's queue.
    ");
    assert_eq!(warnings(&second.replace("bde.example:8443", "bde.example:9443")), "");
}

#[test]
fn warnings_do_not_hinder() {
    let setting = but("password_file", "insecure = true\npassword_file");
    fs::set_permissions(setting.folder.path().join("bde.secret"), fs::Permissions::from_mode(0o644)).unwrap();
    log();
    setting.load();
    // The folder's name is this test's alone.
    let loud = format!("{}:16:12: warning: site.main.bde does not verify", setting.path().display());
    assert!(log().contains(&loud), "the log has it too");
    let report = Config::check(&setting.path(), &setting.env);
    assert!(report.is_good());
    let told: Vec<_> = report.warnings().map(|p| setting.shown(&p.to_string())).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    howdah.toml:16:12: warning: site.main.bde does not verify the certificate: its password can be intercepted
      hint: Set ca_file or pin_sha256 instead.
    howdah.toml:17:17: warning: bde.secret is readable by every user of this host
      hint: Run: chmod 640 bde.secret
    ");
}

#[test]
fn what_travels_in_clear_or_lies_open_is_warned_of() {
    let warnings = |setting: &Setting| {
        let report = Config::check(&setting.path(), &setting.env);
        assert!(report.is_good(), "{report}");
        report.warnings().map(|p| setting.shown(&p.to_string())).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(warnings(&Setting::new(GOOD)), "");
    // Loopback is not a network.
    for host in ["127.0.0.1:5000", "127.8.9.1", "[::1]:5000", "localhost:5000", "keystone.localhost"] {
        let near =
            but("https://keystone.example:5000/v3", &format!("http://{host}/v3\"\nneutron_url = \"http://{host}"));
        assert_eq!(warnings(&near), "", "{host}");
    }
    let text = GOOD.replace("https://", "http://").replace(
        "[site.openstack]",
        "[site.openstack]\nneutron_url = \"http://10.0.0.7:9696\"\nallow_http_endpoints = true",
    );
    let clear = Setting::new(&text);
    insta::assert_snapshot!("clear", warnings(&clear));

    let open = Setting::new(GOOD);
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(warnings(&open), @r"
    howdah.toml: warning: howdah.toml is readable by every user of this host and holds secrets
      hint: Run: chmod 640 howdah.toml
    ");
    // Not if its secrets are elsewhere: in files, or in variables.
    let bare = but("password = \"in-the-clear\"\n", "").env("HOWDAH_SITE_MAIN_OPENSTACK_PASSWORD", "x");
    fs::set_permissions(bare.path(), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(warnings(&bare), "");
}

#[test]
fn files_of_other_clients_are_warned_of_as_well() {
    let warnings = |setting: &Setting| {
        let report = Config::check(&setting.path(), &setting.env);
        assert!(report.is_good(), "{report}");
        report.warnings().map(|p| setting.shown(&p.to_string())).collect::<Vec<_>>().join("\n")
    };
    let openstack = &GOOD[GOOD.find("auth_url").unwrap()..];
    let clouds = "clouds:\n  x:\n    verify: false\n    auth: {auth_url: 'http://keystone.example', username: u, \
                  password: in-the-clear, project_name: p}\n";
    let put = |setting: &Setting, name: &str, text: &str, mode| {
        let path = setting.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let cloud = but(openstack, "cloud = \"x\"\nclouds_file = \"clouds.yaml\"\n");
    put(&cloud, "clouds.yaml", clouds, 0o644);
    insta::assert_snapshot!("clouds", warnings(&cloud));
    // The settings here have priority, and the secrets may be in the other file in the directory.
    let trusted = but(openstack, "cloud = \"x\"\nclouds_file = \"clouds.yaml\"\nca_file = \"bde.secret\"\n");
    put(&trusted, "clouds.yaml", &clouds.replace("password: in-the-clear, ", "").replace("http://", "https://"), 0o644);
    put(&trusted, "secure.yaml", "clouds: {x: {auth: {password: in-the-clear}}}", 0o640);
    assert_eq!(warnings(&trusted), "");
    put(&trusted, "secure.yaml", "clouds: {x: {auth: {password: in-the-clear}}}", 0o644);
    assert_eq!(
        warnings(&trusted),
        "howdah.toml:25:9: warning: secure.yaml is readable by every user of this host and holds secrets\n  \
         hint: Run: chmod 640 secure.yaml"
    );
    let vio = but(openstack, "vio_config = \"vio.config\"\n");
    let text = "OS_AUTH_URL=https://k.example\nOS_USERNAME=u\nOS_PASSWORD=in-the-clear\nOS_TENANT_NAME=p\n";
    put(&vio, "vio.config", text, 0o604);
    assert_eq!(
        warnings(&vio),
        "howdah.toml:25:14: warning: vio.config is readable by every user of this host and holds secrets\n  \
         hint: Run: chmod 640 vio.config"
    );
}

#[test]
fn a_file_that_is_not_there() {
    let setting = Setting::new(GOOD);
    fs::remove_file(setting.path()).unwrap();
    insta::assert_snapshot!(setting.refusal(), @"
    howdah.toml: error: cannot read the file: No such file or directory (os error 2)
      hint: Set its path with --config.
    ");
}

const RULES: &str = r#"
allow_specification = ["localRepoURL", "nodeGroups.vmFolderPath"]
resource_pools = ["rp1", "rp2"]
datastores = ["ds1"]
app_managers = ["Default"]
"#;

#[test]
fn what_requests_may_say_is_read_site_by_site() {
    let text = |rules: &str| GOOD.replace("default = true\n", &format!("default = true\n{rules}"));
    let open = Setting::new(GOOD).load().sites.remove(0).rules;
    assert_eq!(open, howdah_serengeti::Rules::default());
    let setting = Setting::new(&text(RULES)).env("HOWDAH_SITE_MAIN_DATASTORES", "ds2, ds3");
    let rules = setting.load().sites.remove(0).rules;
    assert_eq!(rules.allow.iter().collect::<Vec<_>>(), ["localRepoURL", "nodeGroups.vmFolderPath"]);
    assert_eq!(
        (rules.resource_pools.len(), rules.datastores.join("+"), rules.app_managers.len()),
        (2, "ds2+ds3".into(), 1)
    );

    let mut told = String::new();
    for rules in [
        "allow_specification = [\"localRepoUrl\"]\n",
        "allow_specification = [\"vmFolderPath\", \"password\"]\n",
        "allow_specification = \"localRepoURL\"\n",
        "resource_pools = []\n",
        "datastores = [\"\"]\n",
        "allow_specification = [\"vcClusters\"]\nresource_pools = [\"rp1\"]\n",
        "allow_specification = [\"sharedDatastorePattern\"]\ndatastores = [\"ds1\"]\n",
    ] {
        told.push_str(&Setting::new(&text(rules)).refusal());
        told.push('\n');
    }
    insta::assert_snapshot!(told);
}

#[test]
fn limits_are_numbers_or_none() {
    let with = |limits: &str| but("[store]", &format!("[limits]\n{limits}\n\n[store]"));
    let limits = Setting::new(GOOD).load().limits;
    assert_eq!((limits.clusters, limits.nodes, limits.creates), (Some(20), Some(500), Some(5)));
    let setting =
        with("clusters_per_project = 7\nnodes_per_project = \"none\"").env("HOWDAH_LIMITS_CREATES_PER_PROJECT", "9");
    let limits = setting.load().limits;
    assert_eq!((limits.clusters, limits.nodes, limits.creates), (Some(7), None, Some(9)));
    assert!(setting.report().contains("limits.nodes_per_project  none"), "{}", setting.report());
    for bad in ["0", "-1", "2.5", "\"many\"", "true"] {
        let says = with(&format!("clusters_per_project = {bad}")).refusal();
        assert!(says.contains("limits.clusters_per_project is") && says.contains("of at least 1"), "{bad}: {says}");
    }
}
