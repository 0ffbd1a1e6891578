//! The production client against the simulated appliance over HTTP, on a clock 500 times as fast
//! as a real one. Leases come from outside, at once: this is about the API, not about DHCP.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use howdah_core::failure::{ErrorKind, System};
use howdah_core::ids::TaskId;
use howdah_core::systems::manager::ClusterManager;
use howdah_core::systems::manager::{ManagedChange, ManagedSpec, ManagedStatus, RegisteredNetwork, Unregistered};
use howdah_core::wanted::NodeGroup;
use howdah_serengeti::client::follow;
use howdah_serengeti::routes::Backend as _;
use howdah_serengeti::wire::TaskStatus;
use howdah_serengeti::{Client, Settings, Timeouts};
use howdah_transport::Trust;
use tokio::net::TcpListener;

use crate::world::bde::ClusterAction;
use crate::world::external::GuestChange;
use crate::world::faults::{Effect, FaultRule};
use crate::world::settings::GuestMode;
use crate::world::strangers::Stranger;
use crate::{SiteSettings, World};

async fn site(version: &str) -> (World, Client) {
    let settings = SiteSettings {
        speed: 500.0,
        bde_version: version.to_owned(),
        guest_mode: GuestMode::External,
        networks: vec![],
        ..SiteSettings::default()
    };
    let login = settings.bde_login.clone();
    let world = World::new(settings);
    world.add_port_group("dvs-net", None);
    let leases = world.clone();
    tokio::spawn(async move {
        let mut after = 0;
        loop {
            for event in leases.guest_events(after).await {
                after = event.number;
                if event.change == GuestChange::On {
                    let last = u8::try_from(event.number % 250).unwrap_or(0) + 2;
                    let address = IpAddr::from(Ipv4Addr::new(10, 20, 0, last));
                    leases.report_lease(&event.vm, event.boot, event.nic, Some(address));
                }
            }
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = super::router(world.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = Client::new(Settings {
        url,
        username: login.user,
        password: login.password.into(),
        trust: Trust::System,
        pace: std::sync::Arc::default(),
        timeouts: Timeouts::default(),
    });
    (world, client.unwrap())
}

fn network() -> RegisteredNetwork {
    RegisteredNetwork { name: "net".into(), port_group: "dvs-net".into(), dhcp: true }
}

fn spec() -> ManagedSpec {
    let group = NodeGroup {
        name: "worker".parse().unwrap(),
        roles: vec!["mesos_slave".into()],
        count: 3,
        cpu: None,
        memory_mb: None,
        disk_gb: None,
    };
    ManagedSpec {
        name: "demo".parse().unwrap(),
        distro: "mesos".into(),
        app_manager: None,
        resource_pools: vec![],
        datastores: vec![],
        network: "net".into(),
        node_groups: vec![group],
        password: Some("Passw0rd_".into()),
        specification: None,
    }
}

async fn end_of(world: &World, client: &Client, task: &TaskId) {
    let clock = world.clock();
    let (every, limit) = (Duration::from_secs(3), Duration::from_secs(3600));
    follow(client, task, clock.as_ref(), every, limit, |_| {}).await.unwrap();
}

#[tokio::test]
async fn a_cluster_lives_its_whole_life_with_each_release() {
    for version in ["2.1.1", "2.2.0", "2.3.2"] {
        let (world, client) = site(version).await;
        let missing = RegisteredNetwork { port_group: "nowhere".into(), ..network() };
        assert_eq!(client.register_network(&missing).await.unwrap_err().code, "bde_port_group_not_found");
        client.register_network(&network()).await.unwrap();
        let spec = spec();
        let task = client.create_cluster(&spec).await.unwrap();
        assert_eq!(client.create_cluster(&spec).await.unwrap_err().code, "bde_cluster_name_taken");
        let early = client.cluster(&spec.name).await.unwrap().unwrap();
        assert_eq!((early.status, early.node_count), (ManagedStatus::Provisioning, 3), "{version}");
        assert_eq!(client.delete_cluster(&spec.name).await.unwrap_err().code, "bde_cluster_busy");
        end_of(&world, &client, &task).await;
        let made = client.cluster(&spec.name).await.unwrap().unwrap();
        assert_eq!((made.status, made.nodes.len()), (ManagedStatus::Running, 3), "{version}");
        for node in &made.nodes {
            let vm = node.vm.as_ref().unwrap();
            assert_eq!(world.read(|s| s.vm(vm).map(|v| v.name.clone())).as_deref(), Some(node.name.as_str()));
            assert!(node.status_text.starts_with("Service Ready"), "{}", node.status_text);
        }
        for (change, status) in
            [(ManagedChange::Stop, ManagedStatus::Stopped), (ManagedChange::Start, ManagedStatus::Running)]
        {
            let task = client.change_cluster(&spec.name, change).await.unwrap();
            end_of(&world, &client, &task).await;
            assert_eq!(client.cluster(&spec.name).await.unwrap().unwrap().status, status, "{version}");
        }
        assert_eq!(client.unregister_network("net").await.unwrap(), Unregistered::InUse);
        let task = client.delete_cluster(&spec.name).await.unwrap().unwrap();
        end_of(&world, &client, &task).await;
        assert_eq!(client.cluster(&spec.name).await.unwrap(), None, "{version}");
        assert_eq!(client.unregister_network("net").await.unwrap(), Unregistered::Removed);
        world.stop();
    }
}

#[tokio::test]
async fn faults_come_out_as_an_appliance_shows_them() {
    let (world, client) = site("2.3.2").await;
    client.networks().await.unwrap();
    for (kind, code) in [
        (ErrorKind::BadAnswer, "bde_html_answer"),
        (ErrorKind::Unavailable, "bde_overloaded"),
        (ErrorKind::Internal, "bde_internal_error"),
    ] {
        world.write(|s| s.faults.add(FaultRule::new(System::Bde, "networks", Effect::Refuse { kind }).times(1)));
        assert_eq!(client.networks().await.unwrap_err().code, code);
    }
    // An expired session is renewed; a lost answer leaves its effect behind.
    let logins = || world.read(|s| s.counters.of(System::Bde, "login"));
    let before = logins();
    let expired = Effect::Refuse { kind: ErrorKind::Credentials };
    world.write(|s| s.faults.add(FaultRule::new(System::Bde, "networks", expired).times(1)));
    assert_eq!(client.networks().await.unwrap(), []);
    assert_eq!(logins(), before + 1);
    let lost = FaultRule::new(System::Bde, "register_network", Effect::LoseAnswer).times(1);
    world.write(|s| s.faults.add(lost));
    let error = client.register_network(&network()).await.unwrap_err();
    assert!(error.kind.is_ambiguous(), "{error}");
    assert_eq!(client.networks().await.unwrap(), [network()]);
}

#[tokio::test]
async fn a_restart_ends_the_sessions_and_maintenance_refuses_writes() {
    let (world, client) = site("2.2.0").await;
    client.networks().await.unwrap();
    world.bde_restart();
    client.networks().await.unwrap();
    assert_eq!(world.read(|s| s.counters.of(System::Bde, "login")), 2);
    world.write(|s| s.bde.maintenance = true);
    assert_eq!(client.register_network(&network()).await.unwrap_err().code, "bde_maintenance");
}

#[tokio::test]
async fn a_cluster_shows_what_it_was_made_of_and_tasks_show_who_is_busy() {
    let world = World::new(SiteSettings::default());
    world.add_stranger(&Stranger::new("c1", 2).registered_as("net-a")).unwrap();
    world.add_stranger(&Stranger::new("c2", 1)).unwrap();
    let stop = world.bde_action("c2", ClusterAction::Stop).unwrap();
    let (face, session) = (super::Face(world), super::Session { life: 0 });
    let read = face.cluster(&session, "c1", true).await.unwrap();
    assert_eq!((read.distro.as_deref(), read.instance_num), (Some("bigtop"), 2));
    let group = &read.node_groups[0];
    assert_eq!((group.name.as_str(), group.instance_num), ("worker", 2));
    for node in group.instances.as_ref().unwrap() {
        let network = &node.ip_configs.as_ref().unwrap()["MGT_NETWORK"][0];
        assert_eq!(network.network_name.as_deref(), Some("net-a"));
    }
    let tasks = face.tasks(&session).await.unwrap();
    let shown: Vec<_> = tasks.iter().map(|t| (t.target.as_deref(), t.kind.as_deref(), t.status)).collect();
    assert_eq!(shown[0], (Some("c1"), Some("INNER"), TaskStatus::Completed));
    assert_eq!((shown[1].0, tasks[1].id), (Some("c2"), stop));
}
