//! The API's document in the tree is the one that the service serves.

use std::path::Path;

use howdah_api as api;
use howdah_core::condition::{ClusterConditionKind, ConditionKind, ConditionStatus};
use howdah_core::event::Level;
use howdah_core::known::{ClusterStatus, OperationState};
use howdah_core::stage::Stage;
use howdah_core::wanted::{OperationKind, RemedyPolicy, WaitFor};
use howdah_server::api::document;
use serde::Serialize;

#[test]
fn the_document_in_the_tree_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let made = document().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("HOWDAH_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == made, "the API has changed: run HOWDAH_BLESS=1 cargo test -p howdah-server openapi, and review");
}

#[test]
fn every_refusal_and_answer_is_described() {
    let document: serde_json::Value = serde_json::to_value(document()).unwrap();
    let mut refs = Vec::new();
    collect(&document, &mut refs);
    assert!(refs.len() > 20);
    for name in refs {
        let name = name.strip_prefix("#/components/schemas/").unwrap();
        assert!(!document["components"]["schemas"][name].is_null(), "{name} is referred to, and is not there");
    }
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path} has no words");
        }
    }
}

fn collect(value: &serde_json::Value, refs: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                match value.as_str() {
                    Some(name) if key == "$ref" => refs.push(name.to_owned()),
                    _ => collect(value, refs),
                }
            }
        }
        serde_json::Value::Array(all) => all.iter().for_each(|v| collect(v, refs)),
        _ => {}
    }
}

#[test]
fn its_words_are_the_cores() {
    fn words<T: Serialize>(all: &[T]) -> Vec<String> {
        all.iter().map(|w| serde_json::to_value(w).unwrap().as_str().unwrap().to_owned()).collect()
    }
    use ClusterStatus as S;
    let first = [S::Pending, S::Creating, S::Running, S::Stopping, S::Stopped, S::Starting, S::Deleting];
    let last = [S::Degraded, S::Gone, S::Error];
    assert_eq!([words(&first), words(&last)].concat(), api::Status::WORDS);
    use OperationKind as K;
    assert_eq!(words(&[K::Create, K::Start, K::Stop, K::Delete]), api::OperationKind::WORDS);
    use OperationState as O;
    assert_eq!(words(&[O::Running, O::Succeeded, O::Failed]), api::OperationState::WORDS);
    assert_eq!(words(&Stage::ALL), api::Stage::WORDS);
    assert_eq!(words(&[Level::Info, Level::Warning, Level::Error]), api::Level::WORDS);
    use ConditionKind as C;
    assert_eq!(words(&[C::VmExists, C::PortReady, C::Attached, C::Bound, C::Addressed]), api::ConditionType::WORDS);
    use ClusterConditionKind as G;
    let kinds = [
        G::Owned,
        G::BdeReachable,
        G::VcenterReachable,
        G::NeutronReachable,
        G::BdeReady,
        G::PortsReady,
        G::SecretsReadable,
    ];
    assert_eq!(words(&kinds), api::ClusterConditionType::WORDS);
    use ConditionStatus as T;
    assert_eq!(words(&[T::True, T::False, T::Unknown]), api::ConditionStatus::WORDS);
    assert_eq!(words(&[RemedyPolicy::Auto, RemedyPolicy::Bounce, RemedyPolicy::Off]), api::Remedy::WORDS);
    assert_eq!(words(&[WaitFor::Addresses, WaitFor::Services]), api::WaitFor::WORDS);
}
