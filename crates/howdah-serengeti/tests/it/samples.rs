//! BDE's own sample specifications against the allow-list: each is read, and what is refused is named.

use std::fs;
use std::path::{Path, PathBuf};

use howdah_core::specification::Specification;
use howdah_core::systems::manager::ManagedSpec;
use howdah_serengeti::body::table::allowable;
use howdah_serengeti::wire::ClusterCreate;
use howdah_serengeti::{Body, Rules};
use serde_json::Value;

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|e| e == "json") {
            into.push(path);
        }
    }
}

/// The text without its `//` comments, as BDE's command line reads it.
fn without_comments(text: &str) -> String {
    let mut kept = String::new();
    let (mut quoted, mut chars) = (false, text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => {
                kept.push(c);
                kept.extend(chars.next());
                continue;
            }
            '"' => quoted = !quoted,
            '/' if !quoted && chars.peek() == Some(&'/') => {
                while chars.next_if(|c| *c != '\n').is_some() {}
                continue;
            }
            _ => {}
        }
        kept.push(c);
    }
    kept
}

fn asked(specification: Value) -> ManagedSpec {
    ManagedSpec {
        name: "sample".parse().unwrap(),
        distro: "bigtop".into(),
        app_manager: None,
        resource_pools: vec![],
        datastores: vec![],
        network: "net".into(),
        node_groups: vec![],
        password: None,
        specification: Some(serde_json::from_value::<Specification>(specification).unwrap()),
    }
}

#[test]
fn every_sample_is_read_and_what_it_may_not_say_is_named() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/samples");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    paths.sort();
    assert_eq!(paths.len(), 60);
    let mut table = String::new();
    for path in paths {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let text = without_comments(&fs::read_to_string(&path).unwrap());
        // As BDE reads it: one value, whatever stands behind it. One of its own files has a brace too many.
        let first = serde_json::Deserializer::from_str(&text).into_iter::<Value>().next().unwrap();
        let value = first.unwrap_or_else(|e| panic!("{name} is no JSON: {e}"));
        let read = serde_json::from_value::<ClusterCreate>(value.clone());
        assert!(read.is_ok(), "{name} is not read: {read:?}");
        let said = match Body::build(&asked(value.clone()), &Rules::default()) {
            Ok(body) => format!("{} nodes", body.demand.nodes.unwrap()),
            Err(refusal) => {
                let fields: Vec<_> = [refusal.field].into_iter().chain(refusal.others).collect();
                format!("{}: {}", refusal.code, fields.join(", "))
            }
        };
        table.push_str(&format!("{name}: {said}\n"));
        let open = Rules { allow: allowable().into_iter().collect(), ..Rules::default() };
        let allowed = Body::build(&asked(value), &open);
        assert!(allowed.is_ok(), "{name}, where the operator allows everything: {}", allowed.err().unwrap());
    }
    insta::assert_snapshot!(table);
}
