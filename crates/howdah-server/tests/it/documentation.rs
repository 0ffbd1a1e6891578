//! The pages for operators know every key of the configuration, and no other; and the example that
//! is shipped is good once its files are there.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use howdah_server::config::{Config, Env};

/// Every section has an unknown key: the refusal lists the known ones.
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
        let place = p.message.strip_prefix("unknown key nosy ")?;
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

    // What is commented out is right as well, all but the other ways to trust and what is ML2's.
    let left_out = ["pin_", "insecure", "binding_host"];
    let all: Vec<_> = text
        .replace("/etc/howdah", folder.path().to_str().unwrap())
        .lines()
        .map(|l| match l.strip_prefix("# ") {
            Some(key) if key.contains(" = ") && !left_out.iter().any(|word| key.starts_with(word)) => key.to_owned(),
            _ => l.to_owned(),
        })
        .collect();
    fs::create_dir(folder.path().join("templates")).unwrap();
    fs::write(&path, all.join("\n")).unwrap();
    let report = Config::check(&path, &Env::new());
    assert_eq!(report.problems.len(), 0, "{report}");
}

// ---------------------------------------------------------------- codes and words

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The Rust files below a folder, without tests.
fn sources(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.trim_end_matches(".rs").ends_with("tests") {
            continue;
        }
        if path.is_dir() {
            sources(&path, into);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).unwrap();
            into.push(text.split("\n#[cfg(test)]").next().unwrap_or_default().to_owned());
        }
    }
}

fn is_code(word: &str) -> bool {
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    word.contains('_') && word.split('_').all(|part| !part.is_empty() && part.chars().all(lower))
}

/// The first string literal after each place where `before` stands, in the same expression, if it is
/// a code.
fn codes_after(text: &str, before: &str) -> BTreeSet<String> {
    let first = |rest: &str| {
        let (gap, rest) = rest.split_once('"')?;
        let word = rest.split('"').next()?;
        (!gap.contains([';', ')']) && is_code(word)).then(|| word.to_owned())
    };
    text.split(before).skip(1).filter_map(first).collect()
}

/// The codes that an error type's `code` gives.
fn codes_of(path: &str) -> BTreeSet<String> {
    let text = read(path);
    let (_, rest) = text.split_once("fn code(&self)").unwrap();
    let body = rest.split("\n    }\n").next().unwrap();
    codes_after(body, "=>")
}

/// The codes of failures that the core gives itself.
fn codes_of_the_core() -> BTreeSet<String> {
    let mut texts = vec![];
    sources(&repository().join("crates/howdah-core/src"), &mut texts);
    let found = texts.iter().flat_map(|t| {
        let mut codes = codes_after(t, "Failure::new(");
        codes.extend(codes_after(t, "RemoteError::new("));
        codes
    });
    found.collect()
}

/// Whether a page has the word as code, alone or as the prefix of a family (`store_...`).
fn has(page: &str, word: &str) -> bool {
    page.contains(&format!("`{word}`"))
}

#[test]
fn every_code_is_explained() {
    let (api, troubles) = (read("docs/api.md"), read("docs/troubleshooting.md"));
    let missing = |page: &str, codes: &BTreeSet<String>| -> Vec<String> {
        codes.iter().filter(|code| !has(page, code)).cloned().collect()
    };
    let of_the_api = codes_of("crates/howdah-server/src/api/error.rs");
    assert!(of_the_api.len() > 25, "{of_the_api:?}");
    assert_eq!(missing(&api, &of_the_api), Vec::<String>::new(), "not in docs/api.md");
    let core = codes_of_the_core();
    assert!(core.contains("bde_stuck") && core.len() > 15, "{core:?}");
    assert_eq!(missing(&troubles, &core), Vec::<String>::new(), "not in docs/troubleshooting.md");
    // Those of the start are told by their messages.
    let store = codes_of("crates/howdah-store/src/error.rs");
    let at_work = ["store_full", "store_busy", "store_failed", "store_unreachable", "secrets_unreadable"];
    let at_work = at_work.into_iter().chain(["cluster_changed", "cluster_unreadable", "cluster_name_taken"]);
    assert!(has(&troubles, howdah_core::segment::NOT_FOUND) && has(&troubles, howdah_core::health::SECRETS_UNREADABLE));
    for code in at_work {
        assert!(store.contains(code) && has(&troubles, code), "{code} is not in docs/troubleshooting.md");
    }
}

#[test]
fn no_page_explains_a_code_that_there_is_not() {
    let mut texts = vec![];
    sources(&repository().join("crates"), &mut texts);
    let all = texts.concat();
    for page in ["docs/troubleshooting.md", "docs/api.md"] {
        for line in read(page).lines().filter(|l| l.starts_with('|')) {
            let cell = line.trim_start_matches('|').split(" | ").next().unwrap_or_default();
            for word in cell.split('`').skip(1).step_by(2).filter(|word| is_code(word)) {
                assert!(all.contains(word), "{page} does not mention {word}");
            }
        }
    }
}

#[test]
fn every_status_and_condition_is_explained() {
    use howdah_api as api;
    let page = read("docs/api.md");
    let words = [
        api::Status::WORDS,
        api::Unreadable::WORDS,
        api::ClusterConditionType::WORDS,
        api::ConditionType::WORDS,
        api::ConditionStatus::WORDS,
        api::OperationState::WORDS,
    ];
    for word in words.concat() {
        assert!(has(&page, word), "docs/api.md does not mention {word}");
    }
    let templates = read("docs/templates.md");
    for word in api::Status::WORDS {
        assert!(has(&templates, word), "docs/templates.md does not mention the status {word}");
    }
}

/// All Rust files below a folder.
fn all_sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_page_on_security_names_is_there() {
    let mut code = String::new();
    all_sources(&repository().join("crates"), &mut code);
    let page = read("docs/security.md");
    let named: Vec<&str> =
        page.split('`').skip(1).step_by(2).filter_map(|word| word.split_once("::")).map(|w| w.1).collect();
    assert!(named.len() > 25, "{named:?}");
    let missing: Vec<_> = named.iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "docs/security.md names {missing:?}");
}
