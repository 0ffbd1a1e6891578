//! The pages for operators know every key of the configuration, and no other; and the example that
//! is shipped is good once its files are there.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use howdah_server::config::{Config, Env};

/// Every section has a key that there is not: the refusal tells which there are.
const NOSY: &str = r#"
nosy = 1
[server]
nosy = 1
[server.tls]
nosy = 1
[store]
nosy = 1
[templates]
nosy = 1
[[site]]
name = "main"
nosy = 1
[site.bde]
nosy = 1
[site.vcenter]
nosy = 1
[site.openstack]
nosy = 1
"#;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `section` and its keys, as the program says them.
fn known() -> Vec<(String, BTreeSet<String>)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("howdah.toml");
    fs::write(&path, NOSY).unwrap();
    let report = Config::check(&path, &Env::new());
    let sections = report.problems.iter().filter_map(|p| {
        let place = p.message.strip_prefix("there is no key nosy ")?;
        let section = place.strip_prefix("in ").unwrap_or("");
        let (_, keys) = p.hint.as_deref()?.split_once("Known there: ")?;
        Some((section.to_owned(), keys.trim_end_matches('.').split(", ").map(str::to_owned).collect()))
    });
    sections.collect()
}

/// The keys in the first column of the tables of one section of the page.
fn documented(page: &str, heading: &str) -> BTreeSet<String> {
    let (_, rest) = page.split_once(&format!("\n## `{heading}`\n")).unwrap_or_else(|| panic!("no section {heading}"));
    let section = rest.split("\n## ").next().unwrap_or_default();
    let cells = section.lines().filter_map(|l| l.strip_prefix("| `")?.split(" | ").next());
    cells.flat_map(|cell| cell.split("`, `")).map(|key| key.trim_matches('`').to_owned()).collect()
}

#[test]
fn the_reference_has_every_key_and_no_other() {
    let page = fs::read_to_string(repository().join("docs/configuration.md")).unwrap();
    let known = known();
    assert_eq!(known.len(), 9, "a section was added or has gone: {known:?}");
    for (section, keys) in known {
        let heading = match section.as_str() {
            "" => continue,
            "site.main" => "[[site]]".to_owned(),
            other => format!("[{}]", other.replace("site.main", "site")),
        };
        assert_eq!(documented(&page, &heading), keys, "docs/configuration.md, {heading}");
    }
}

#[test]
fn the_example_is_good_once_its_files_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(repository().join("packaging/howdah.toml")).unwrap();
    let path = folder.path().join("howdah.toml");
    fs::write(&path, text.replace("/etc/howdah", folder.path().to_str().unwrap())).unwrap();
    for name in ["tls.crt", "tls.key", "ca.crt", "bde.password", "vcenter.password", "openstack.password"] {
        let file = folder.path().join(name);
        fs::write(&file, "x\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    }
    let report = Config::check(&path, &Env::new());
    assert_eq!(report.problems.len(), 0, "{report}");

    // What is commented out is right as well, all but the other ways to trust.
    let all: Vec<_> = text
        .replace("/etc/howdah", folder.path().to_str().unwrap())
        .lines()
        .map(|l| match l.strip_prefix("# ") {
            Some(key) if key.contains(" = ") && !key.starts_with("pin_") && !key.starts_with("insecure") => {
                key.to_owned()
            }
            _ => l.to_owned(),
        })
        .collect();
    fs::create_dir(folder.path().join("templates")).unwrap();
    fs::write(&path, all.join("\n")).unwrap();
    let report = Config::check(&path, &Env::new());
    assert_eq!(report.problems.len(), 0, "{report}");
}
