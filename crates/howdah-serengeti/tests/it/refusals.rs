//! What the client makes of each way in which an appliance can say no.

use std::sync::atomic::Ordering;
use std::time::Duration;

use howdah_core::ids::TaskId;
use howdah_core::systems::manager::ClusterManager;
use howdah_core::systems::manager::{ManagedChange, ManagedSpec, RegisteredNetwork, TaskState, Unregistered};
use howdah_core::time::Clock;
use howdah_core::time::Mono;
use howdah_serengeti::client::follow;
use howdah_serengeti::routes::{Refusal, ServerProfile};
use howdah_serengeti::wire::{ErrorBody, TaskStatus, code};
use howdah_serengeti::{Client, Release, Rules, Settings, Timeouts};

use crate::sessions::spec;
use crate::support::{Appliance, task, told};

async fn appliance() -> Appliance {
    Appliance::start(ServerProfile::appliance(Release::V2_3)).await
}

fn network() -> RegisteredNetwork {
    RegisteredNetwork { name: "net".into(), port_group: "pg".into(), dhcp: true }
}

#[tokio::test]
async fn each_code_has_its_meaning() {
    let appliance = appliance().await;
    let client = appliance.client();
    let mut said = Vec::new();
    for refusal in [
        ErrorBody::already_exists("Cluster", "demo"),
        ErrorBody::not_found("Distro", "mesos"),
        ErrorBody::not_found("application manager", "Ambari"),
        ErrorBody::new(code::RESOURCE_POOL_NOT_FOUND, "Resource pool x not found."),
        ErrorBody::new(code::DATASTORE_NOT_FOUND, "Datastore x not found."),
        ErrorBody::new(code::NETWORK_IS_NOT_FOUND, "Network net of cluster demo not found."),
        ErrorBody::new(code::NETWORK_UNACCESSIBLE, "Network net is not in vCenter cluster c1."),
        ErrorBody::new(code::NO_RESOURCE_POOL_ADDED, "No resource pool is added."),
        ErrorBody::new(code::INVALID_SPECIFICATION, "zookeeper needs 3 nodes."),
        ErrorBody::new(code::INTERNAL_ERROR, "Internal server error: UNKNOWN."),
    ] {
        appliance.memory.refuse_next(refusal);
        said.push(told(&client.create_cluster(&spec("demo")).await.unwrap_err()));
        appliance.memory.clusters.lock().unwrap().clear();
    }
    for refusal in [
        ErrorBody::already_exists("Network", "net"),
        ErrorBody::new(code::PORT_GROUP_NOT_FOUND, "Network pg not found in vCenter."),
    ] {
        appliance.memory.refuse_next(refusal);
        said.push(told(&client.register_network(&network()).await.unwrap_err()));
    }
    for (code, change) in [(code::IS_RUNNING, ManagedChange::Start), (code::CANNOT_STOP, ManagedChange::Stop)] {
        appliance.memory.refuse_next(ErrorBody::new(code, "Cluster demo is STARTING."));
        said.push(told(&client.change_cluster(&"demo".parse().unwrap(), change).await.unwrap_err()));
    }
    appliance.memory.refuse_next(ErrorBody::new(code::CANNOT_DELETE, "Cluster demo is PROVISIONING."));
    said.push(told(&client.delete_cluster(&"demo".parse().unwrap()).await.unwrap_err()));
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn what_is_not_there_is_no_error_where_that_is_an_answer() {
    let appliance = appliance().await;
    let client = appliance.client();
    let name = "demo".parse().unwrap();
    assert_eq!(client.cluster(&name).await.unwrap(), None);
    assert_eq!(client.delete_cluster(&name).await.unwrap(), None);
    assert_eq!(client.task(&TaskId::new("7")).await.unwrap(), None);
    assert_eq!(client.unregister_network("net").await.unwrap(), Unregistered::Absent);
    client.register_network(&network()).await.unwrap();
    client.create_cluster(&spec("demo")).await.unwrap();
    assert_eq!(client.unregister_network("net").await.unwrap(), Unregistered::InUse);
    client.delete_cluster(&name).await.unwrap();
    assert_eq!(client.unregister_network("net").await.unwrap(), Unregistered::Removed);
}

#[tokio::test]
async fn a_page_is_told_by_its_heading() {
    let appliance = appliance().await;
    let client = appliance.client();
    let mut said = Vec::new();
    for (status, heading) in
        [(404, "The requested resource is not available."), (502, "Bad Gateway <proxy>"), (200, "Sign in")]
    {
        appliance.memory.refuse_next(Refusal::Page { status, heading: heading.to_owned() });
        said.push(told(&client.networks().await.unwrap_err()));
    }
    insta::assert_snapshot!(said.join("\n"), @"
    bde_html_answer (BadAnswer)
      BDE: could not list the networks: the answer is an HTML page (status 404): HTTP Status 404 - The requested resource is not available.
      hint: Check that the address is the BDE appliance's, port 8443, and that no proxy answers for it.
    bde_html_answer (Internal)
      BDE: could not list the networks: the answer is an HTML page (status 502): HTTP Status 502 - Bad Gateway <proxy>
      hint: Check that the address is the BDE appliance's, port 8443, and that no proxy answers for it.
    bde_html_answer (BadAnswer)
      BDE: could not list the networks: the answer is an HTML page (status 200): HTTP Status 200 - Sign in
      hint: Check that the address is the BDE appliance's, port 8443, and that no proxy answers for it.
    ");
}

#[tokio::test]
async fn maintenance_refuses_writes_and_is_told() {
    let appliance = appliance().await;
    let client = appliance.client();
    appliance.memory.maintenance.store(true, Ordering::SeqCst);
    assert_eq!(client.networks().await.unwrap(), []);
    insta::assert_snapshot!(told(&client.register_network(&network()).await.unwrap_err()), @r#"
    bde_maintenance (Unavailable)
      BDE: could not register network "net": the appliance is in maintenance mode: The server is in maintenance mode: only read requests are allowed.
      hint: Remove the file /opt/serengeti/etc/maintenance from the appliance; Howdah then continues automatically.
    "#);
}

#[tokio::test]
async fn an_uninitialised_appliance_is_told_in_both_forms() {
    let mut said = Vec::new();
    for release in [Release::V2_2, Release::V2_3] {
        let appliance = Appliance::start(ServerProfile::appliance(release)).await;
        appliance.memory.uninitialised.store(true, Ordering::SeqCst);
        said.push(told(&appliance.client().register_network(&network()).await.unwrap_err()));
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    bde_not_initialised (Unavailable)
      BDE: could not register network "net": Cannot connect to vCenter. (BDD.INIT_VC_FAIL)
      hint: The appliance could not reach vCenter when it started. Restart its tomcat service when vCenter is reachable.
    bde_not_initialised (Unavailable)
      BDE: could not register network "net": Initialization failed: vcenter:443 is silent (BDD.APP_INIT_ERROR)
      hint: The appliance could not reach vCenter when it started. Restart its tomcat service when vCenter is reachable.
    "#);
}

#[tokio::test]
async fn a_lost_answer_to_a_create_is_not_repeated() {
    let appliance = appliance().await;
    let client = appliance.client();
    appliance.memory.refuse_next(Refusal::Broken);
    let error = client.create_cluster(&spec("demo")).await.unwrap_err();
    assert!(error.kind.is_ambiguous(), "{}", told(&error));
    assert_eq!(error.code, "bde_unreachable");
    // It had its effect, once: the second one is refused.
    let error = client.create_cluster(&spec("demo")).await.unwrap_err();
    assert_eq!(error.code, "bde_cluster_name_taken");
}

#[tokio::test]
async fn a_broken_answer_to_a_read_is_read_again() {
    let appliance = appliance().await;
    let client = appliance.client();
    appliance.memory.refuse_next(Refusal::Broken);
    assert_eq!(client.networks().await.unwrap(), []);
}

#[tokio::test]
async fn an_appliance_that_is_not_there_is_told_with_its_address() {
    // Bound and dropped: nobody listens there now.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(Settings {
        url,
        username: "u".into(),
        password: "p".into(),
        trust: howdah_transport::Trust::System,
        pace: std::sync::Arc::default(),
        timeouts: Timeouts::default(),
    })
    .unwrap();
    let error = client.networks().await.unwrap_err();
    let text = told(&error);
    assert!(
        text.starts_with(
            "bde_unreachable (Unreachable)\n  BDE: could not log in: http://127.0.0.1:PORT cannot be reached"
        ),
        "{text}"
    );
}

#[tokio::test]
async fn secrets_that_the_appliance_quotes_are_struck_out() {
    let appliance = appliance().await;
    let client = appliance.client();
    let quote = format!("cannot use Passw0rd_ of {}", crate::support::PASSWORD);
    appliance.memory.refuse_next(ErrorBody::new("SET_PASSWORD.INVALID_PASSWORD", quote));
    let error = client.create_cluster(&spec("demo")).await.unwrap_err();
    insta::assert_snapshot!(told(&error), @r#"
    bde_refused (Invalid)
      BDE: could not create cluster "demo": cannot use *** of *** (SET_PASSWORD.INVALID_PASSWORD)
    "#);
}

#[tokio::test]
async fn so_are_those_of_a_specification() {
    let appliance = appliance().await;
    let client = appliance.client();
    let configuration = serde_json::json!({"configuration": {"hive": {"metastore": {"password": "hush-hush"}}}});
    let spec = ManagedSpec { specification: Some(serde_json::from_value(configuration).unwrap()), ..spec("demo") };
    appliance.memory.refuse_next(ErrorBody::new("BDD.INVALID_PARAMETER", "Invalid value: metastore=hush-hush."));
    let error = client.create_cluster(&spec).await.unwrap_err();
    insta::assert_snapshot!(told(&error), @r#"
    bde_refused (Invalid)
      BDE: could not create cluster "demo": Invalid value: metastore=***. (BDD.INVALID_PARAMETER)
    "#);
}

#[tokio::test]
async fn what_a_request_may_not_say_is_refused_before_anything_is_sent() {
    let appliance = appliance().await;
    let said = serde_json::json!({"vcClusters": [{"name": "c", "vcRps": ["r"]}]});
    let spec = ManagedSpec { specification: Some(serde_json::from_value(said).unwrap()), ..spec("demo") };
    let client = appliance.client();
    let error = client.create_cluster(&spec).await.unwrap_err();
    insta::assert_snapshot!(told(&error), @r#"
    specification_field_not_allowed (Invalid)
      BDE: specification.vcClusters: the site does not allow this field in a request
      hint: Ask the operator to allow it for the site: allow_specification = ["vcClusters"].
    "#);
    assert_eq!(client.demand(&spec).unwrap_err().code, "specification_field_not_allowed", "nor is it counted with");
    assert!(appliance.memory.clusters.lock().unwrap().is_empty());
    let rules = Rules { allow: ["vcClusters".to_owned()].into(), ..Rules::default() };
    client.with_rules(rules).create_cluster(&spec).await.unwrap();
}

#[tokio::test]
async fn a_weak_password_is_refused_before_anything_is_sent() {
    let appliance = appliance().await;
    let mut spec = spec("demo");
    spec.password = Some("password".into());
    let error = appliance.client().create_cluster(&spec).await.unwrap_err();
    insta::assert_snapshot!(told(&error), @"
    bde_password_rule (Invalid)
      BDE: the cluster password is invalid: it must contain a digit
      hint: Use 8 to 20 characters with a digit, a lower-case letter, an upper-case letter and one of _ @ # $ % ^ & *.
    ");
    assert!(appliance.memory.clusters.lock().unwrap().is_empty());
}

/// Stands still until somebody sleeps on it; the wall clock goes back meanwhile.
#[derive(Default)]
struct Stepping(std::sync::Mutex<Duration>);

impl Clock for Stepping {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH - *self.0.lock().unwrap()
    }

    fn mono(&self) -> Mono {
        Mono::new(*self.0.lock().unwrap())
    }

    fn sleep(&self, duration: Duration) -> futures::future::BoxFuture<'static, ()> {
        *self.0.lock().unwrap() += duration;
        Box::pin(async {})
    }
}

#[tokio::test]
async fn a_task_is_followed_to_its_end_or_to_the_limit() {
    let appliance = appliance().await;
    let client = appliance.client();
    let clock = Stepping::default();
    let failed = {
        let mut failed = task(2, "demo", TaskStatus::Failed);
        failed.error_message = Some("Failed to query IP address".into());
        failed
    };
    let tasks = vec![task(1, "demo", TaskStatus::Completed), failed, task(3, "demo", TaskStatus::Started)];
    *appliance.memory.tasks.lock().unwrap() = tasks;
    let mut seen = Vec::new();
    let mut said = Vec::new();
    for id in ["1", "2", "3", "4"] {
        // A question that fails in between is asked again.
        appliance.memory.refuse_next(ErrorBody::new(code::INTERNAL_ERROR, "x"));
        let (every, limit) = (Duration::from_secs(3), Duration::from_secs(30));
        let end = follow(&client, &TaskId::new(id), &clock, every, limit, |t| seen.push(t.state)).await;
        said.push(end.map_or_else(|e| told(&e), |()| format!("{id} completed")));
    }
    assert_eq!(&seen[..3], [TaskState::Completed, TaskState::Failed, TaskState::Running]);
    insta::assert_snapshot!(said.join("\n"), @"
    1 completed
    bde_task_failed (Internal)
      BDE: task 2 failed: Failed to query IP address
    bde_task_no_end (NoAnswer)
      BDE: task 3 did not end within 30 s: it was at 25 %
    bde_task_not_found (NotFound)
      BDE: task 4 is unknown
    ");
}

#[tokio::test]
async fn the_newest_task_of_each_cluster_is_listed_with_its_cluster() {
    let appliance = appliance().await;
    let client = appliance.client();
    assert_eq!(client.tasks().await.unwrap(), []);
    let mut nameless = task(9, "", TaskStatus::Started);
    nameless.target = None;
    let tasks = vec![task(7, "demo", TaskStatus::Completed), task(8, "other", TaskStatus::Starting), nameless];
    *appliance.memory.tasks.lock().unwrap() = tasks;
    let listed = client.tasks().await.unwrap();
    let seen: Vec<_> = listed.iter().map(|t| (t.id.as_str(), t.target.as_str(), t.state)).collect();
    assert_eq!(
        seen,
        [("7", "demo", TaskState::Completed), ("8", "other", TaskState::Running), ("9", "", TaskState::Running)]
    );
    assert_eq!(client.task(&TaskId::new("8")).await.unwrap().as_ref(), Some(&listed[1]));
}

#[tokio::test]
async fn a_check_may_take_longer_than_other_answers() {
    let appliance = appliance().await;
    let mut settings = appliance.settings();
    settings.timeouts.answer = Duration::from_secs(1);
    let client = Client::new(settings).unwrap();
    client.networks().await.unwrap();
    let gate = appliance.memory.gate.write().await;
    let spec = spec("demo");
    let create = client.create_cluster(&spec);
    let read_then_open = async {
        // Over when its deadline is, with the create still waiting.
        let error = client.networks().await.unwrap_err();
        drop(gate);
        error
    };
    let (created, read) = tokio::join!(create, read_then_open);
    assert_eq!(created.unwrap().as_str(), "100");
    insta::assert_snapshot!(told(&read), @"
    bde_no_answer (NoAnswer)
      BDE: could not list the networks: http://127.0.0.1:PORT did not answer GET /serengeti/api/networks within 1 s
    ");
}

#[tokio::test]
async fn a_server_that_speaks_another_tls_is_told_with_the_way_out() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            // A TLS alert: fatal, handshake_failure. It is what a server without a common suite sends.
            let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 0x28]).await;
        }
    });
    let settings = Settings { url, trust: howdah_transport::Trust::Insecure, ..appliance().await.settings() };
    let error = Client::new(settings).unwrap().networks().await.unwrap_err();
    let hint = error.hint.as_deref().unwrap_or_default();
    assert!(
        hint.starts_with("The server and Howdah have no TLS version or cipher suite in common."),
        "{}",
        told(&error)
    );
}
