//! The JSON of the wire types, field by field: the service's own command line fails on a field
//! too many and on one too few.

use howdah_serengeti::Release;
use howdah_serengeti::release::{Shaped, answer};
use howdah_serengeti::wire::{
    ClusterCreate, ClusterRead, ClusterStatus, ErrorBody, NetworkRead, NodeGroupCreate, Storage, TaskStatus,
};
use serde::Serialize;

use crate::support::{shown, task};

fn text<T: Serialize + Shaped>(body: &T, release: Release) -> String {
    serde_json::to_string_pretty(&answer(body, release).unwrap()).unwrap()
}

fn spec() -> ClusterCreate {
    ClusterCreate {
        name: Some("demo".into()),
        node_groups: Some(vec![NodeGroupCreate {
            name: Some("worker".into()),
            instance_num: 1,
            storage: Some(Storage { size_gb: 50, ..Storage::default() }),
            ..NodeGroupCreate::default()
        }]),
        ..ClusterCreate::default()
    }
}

#[test]
fn a_cluster_is_shown_with_every_field_of_its_release() {
    let mut cluster = shown("demo", &spec(), ClusterStatus::ServiceWarning);
    cluster.node_groups[0].storage = Some(Storage::default());
    insta::assert_snapshot!("cluster-2.3.2", text(&cluster, Release::V2_3));
    let old = text(&cluster, Release::V2_1);
    for newer in ["templateName", "clusterCloneType", "infrastructure_config", "externalNamenode", "diskNum"] {
        assert!(!old.contains(newer), "{newer} came after 2.1");
    }
}

#[test]
fn a_specification_is_sent_with_every_field_of_its_release() {
    insta::assert_snapshot!("spec-2.3.2", text(&spec(), Release::V2_3));
    insta::assert_snapshot!("spec-2.1.1", text(&spec(), Release::V2_1));
}

#[test]
fn the_small_bodies() {
    let network = NetworkRead::dhcp("net", "pg");
    let error = ErrorBody::not_found("Cluster", "demo");
    let bodies = [
        text(&network, Release::V2_1),
        text(&network, Release::V2_3),
        text(&error, Release::V2_1),
        text(&error, Release::V2_2),
        text(&error, Release::V2_3),
        text(&task(7, "demo", TaskStatus::Started), Release::V2_3),
    ];
    insta::assert_snapshot!("small", bodies.join("\n"));
}

#[test]
fn statuses_are_spelled_as_the_service_spells_them() {
    let word = |s: ClusterStatus| serde_json::to_value(s).unwrap().as_str().unwrap().to_owned();
    let words = [
        ClusterStatus::Provisioning,
        ClusterStatus::ProvisionError,
        ClusterStatus::ServiceStopped,
        ClusterStatus::VhmRunning,
        ClusterStatus::VmReconfiguring,
        ClusterStatus::Na,
    ]
    .map(word);
    assert_eq!(words, ["PROVISIONING", "PROVISION_ERROR", "SERVICE_STOPPED", "VHM_RUNNING", "VMRECONFIGURING", "NA"]);
    let unheard: ClusterRead = serde_json::from_str(r#"{"name": "x", "status": "DREAMING"}"#).unwrap();
    assert_eq!(unheard.status, ClusterStatus::Unknown);
}

#[test]
fn nulls_where_numbers_are_due_do_not_keep_the_client_from_reading() {
    let node = r#"{"name": "c-w-0", "cpuNumber": null, "memory": null, "actionFailed": null}"#;
    let group = format!(r#"{{"name": "w", "cpuNum": null, "instances": [{node}], "computeOnly": null}}"#);
    let text = format!(r#"{{"name": "c", "status": "RUNNING", "vhmMinNum": null, "nodeGroups": [{group}]}}"#);
    let cluster: ClusterRead = serde_json::from_str(&text).unwrap();
    assert_eq!(cluster.node_groups[0].instances.as_ref().unwrap()[0].memory, 0);
}
