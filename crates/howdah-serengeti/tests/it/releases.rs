//! The whole life of a cluster with each release, and what each is sent.

use howdah_core::known::Likeness;
use howdah_core::systems::manager::ClusterManager;
use howdah_core::systems::manager::{
    Catalog, ManagedChange, ManagedStatus, RegisteredNetwork, ResourcePool, TaskState, Unregistered,
};
use howdah_core::wanted::NodeGroup;
use howdah_serengeti::Release;
use howdah_serengeti::routes::{Refusal, ServerProfile};
use howdah_serengeti::wire::{ClusterType, DnsType};

use crate::sessions::spec;
use crate::support::Appliance;

const ALL: [Release; 4] = [Release::V2_1, Release::V2_2, Release::V2_2Patch2, Release::V2_3];

#[tokio::test]
async fn every_release_registers_creates_stops_starts_and_deletes() {
    for release in ALL {
        let appliance = Appliance::start(ServerProfile::appliance(release)).await;
        let client = appliance.client();
        let network = RegisteredNetwork { name: "größe net".into(), port_group: "dvs-pg/1".into(), dhcp: true };
        client.register_network(&network).await.unwrap();
        assert_eq!(client.networks().await.unwrap(), std::slice::from_ref(&network), "{release}");
        let error = client.register_network(&network).await.unwrap_err();
        assert_eq!(error.code, "bde_network_name_taken", "{release}");

        let mut spec = spec("demo");
        spec.network.clone_from(&network.name);
        spec.node_groups = vec![NodeGroup {
            name: "worker".parse().unwrap(),
            roles: vec!["basic".into()],
            count: 12,
            cpu: Some(2),
            memory_mb: Some(4096),
            disk_gb: Some(20),
        }];
        let task = client.create_cluster(&spec).await.unwrap();
        assert_eq!(client.task(&task).await.unwrap().unwrap().state, TaskState::Completed, "{release}");
        let cluster = client.cluster(&spec.name).await.unwrap().unwrap();
        assert_eq!((cluster.status, cluster.node_count), (ManagedStatus::Running, 12), "{release}");
        let likeness = Likeness {
            distro: spec.distro.clone(),
            groups: [("worker".to_owned(), 12)].into(),
            networks: [network.name.clone()].into(),
        };
        assert_eq!(cluster.likeness, likeness, "{release}");
        let nodes: Vec<_> = cluster.nodes.iter().map(|n| n.name.to_string()).collect();
        let sorted: Vec<_> = (0..12).map(|i| format!("demo-worker-{i}")).collect();
        assert_eq!(nodes, sorted, "{release}");
        assert_eq!(cluster.nodes[11].vm.as_ref().unwrap().as_str(), "vm-11");
        assert_eq!(cluster.nodes[11].status_text, "VM Ready, Bootstrapping VM");

        for (change, status) in
            [(ManagedChange::Stop, ManagedStatus::Stopped), (ManagedChange::Start, ManagedStatus::Running)]
        {
            client.change_cluster(&spec.name, change).await.unwrap();
            assert_eq!(client.cluster(&spec.name).await.unwrap().unwrap().status, status, "{release}");
        }
        assert_eq!(client.unregister_network(&network.name).await.unwrap(), Unregistered::InUse, "{release}");
        client.delete_cluster(&spec.name).await.unwrap().unwrap();
        assert_eq!(client.cluster(&spec.name).await.unwrap(), None, "{release}");
        assert_eq!(client.unregister_network(&network.name).await.unwrap(), Unregistered::Removed, "{release}");
    }
}

#[tokio::test]
async fn a_release_gets_only_the_fields_that_it_knows() {
    let network = RegisteredNetwork { name: "net".into(), port_group: "pg".into(), dhcp: true };
    for (release, dns, hostname) in [
        (Release::V2_1, None, None),
        (Release::V2_2, Some(DnsType::Normal), Some(false)),
        (Release::V2_3, Some(DnsType::Normal), Some(false)),
    ] {
        let appliance = Appliance::start(ServerProfile::appliance(release)).await;
        appliance.client().register_network(&network).await.unwrap();
        let sent = appliance.memory.networks.lock().unwrap()["net"].clone();
        assert_eq!((sent.dns_type, sent.is_generate_hostname, sent.is_dhcp), (dns, hostname, true), "{release}");
    }
}

#[tokio::test]
async fn a_template_is_named_where_there_are_no_groups() {
    for (release, distro, kind) in [
        (Release::V2_1, "mesos", ClusterType::HdfsMapred),
        (Release::V2_2, "Mesos", ClusterType::Default),
        (Release::V2_3, "mesos", ClusterType::Default),
        (Release::V2_3, "bigtop", ClusterType::HdfsMapred),
    ] {
        let appliance = Appliance::start(ServerProfile::appliance(release)).await;
        let mut spec = spec("demo");
        spec.distro = distro.into();
        appliance.client().create_cluster(&spec).await.unwrap();
        let sent = appliance.memory.clusters.lock().unwrap()["demo"].0.clone();
        assert_eq!(sent.kind, Some(kind), "{release} {distro}");
        assert_eq!(sent.network_config.unwrap()["MGT_NETWORK"], ["net"]);
    }
    let appliance = Appliance::start(ServerProfile::appliance(Release::V2_3)).await;
    let mut spec = spec("demo");
    spec.distro = "hadup".into();
    let error = appliance.client().create_cluster(&spec).await.unwrap_err();
    insta::assert_snapshot!(crate::support::told(&error), @r#"
    bde_distro_not_found (NotFound)
      BDE: could not create cluster "demo": Distro hadup not found. (BDD.NOT_FOUND)
    "#);
}

#[tokio::test]
async fn the_version_and_the_catalogue_are_what_the_server_says() {
    for (release, version) in [(Release::V2_1, "2.1 or older"), (Release::V2_2, "2.2.0"), (Release::V2_3, "2.3.2")] {
        let appliance = Appliance::start(ServerProfile::appliance(release)).await;
        let client = appliance.client();
        assert_eq!(client.version().await.unwrap(), version);
        let catalog = Catalog {
            distros: vec!["bigtop".into(), "mesos".into(), "CDH-5.2".into()],
            resource_pools: vec![ResourcePool { name: "openstackRP".into(), cluster: "cluster-1".into() }],
            datastores: vec!["shared".into()],
            app_managers: vec!["Default".into()],
        };
        assert_eq!(client.catalog(None).await.unwrap(), catalog);
        // The checks before a create say that there is none of this name, and which there are.
        let other = client.catalog(Some("Ambari")).await.unwrap();
        assert_eq!(other, Catalog { distros: vec![], ..catalog }, "{release}");
    }
}

#[tokio::test]
async fn a_server_without_application_managers_still_has_distributions() {
    let appliance = Appliance::start(ServerProfile::appliance(Release::V2_1)).await;
    let client = appliance.client();
    client.version().await.unwrap();
    // As 2.0 answers to `appmanager/Default/distros`.
    let refuse = || {
        let page = Refusal::Page { status: 404, heading: "Not Found".to_owned() };
        *appliance.memory.refuse_distros.lock().unwrap() = Some(page);
    };
    refuse();
    assert_eq!(client.catalog(None).await.unwrap().distros.len(), 3);
    refuse();
    assert_eq!(client.catalog(Some("Default")).await.unwrap_err().code, "bde_html_answer");
}
