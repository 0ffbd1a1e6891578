//! Login, expiry, logout.

use std::sync::atomic::Ordering;

use howdah_core::systems::manager::ClusterManager;
use howdah_core::systems::manager::ManagedSpec;
use howdah_serengeti::routes::ServerProfile;
use howdah_serengeti::{Client, Release};

use crate::support::{Appliance, told};

pub fn spec(name: &str) -> ManagedSpec {
    ManagedSpec {
        name: name.parse().unwrap(),
        distro: "mesos".into(),
        app_manager: None,
        resource_pools: vec!["openstackRP".into()],
        datastores: vec![],
        network: "net".into(),
        node_groups: vec![],
        password: Some("Passw0rd_".into()),
        specification: None,
    }
}

async fn appliance() -> Appliance {
    Appliance::start(ServerProfile::appliance(Release::V2_3)).await
}

#[tokio::test]
async fn calls_that_come_together_share_one_login() {
    let appliance = appliance().await;
    let client = appliance.client();
    let calls = (0..20).map(|_| client.networks());
    for result in futures::future::join_all(calls).await {
        assert_eq!(result.unwrap(), []);
    }
    assert_eq!(appliance.memory.logins(), 1);
}

#[tokio::test]
async fn an_expired_session_is_renewed_once_for_all() {
    let appliance = appliance().await;
    let client = appliance.client();
    client.networks().await.unwrap();
    appliance.memory.expire_sessions();
    for result in futures::future::join_all((0..20).map(|_| client.networks())).await {
        result.unwrap();
    }
    assert_eq!(appliance.memory.logins(), 2);
}

#[tokio::test]
async fn a_create_meets_an_expired_session_and_happens_once() {
    let appliance = appliance().await;
    let client = appliance.client();
    client.networks().await.unwrap();
    appliance.memory.expire_sessions();
    let task = client.create_cluster(&spec("demo")).await.unwrap();
    assert_eq!(task.as_str(), "100");
    assert_eq!(appliance.memory.tasks.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_tried_again_at_once() {
    let appliance = appliance().await;
    let mut settings = appliance.settings();
    settings.password = "not-the-password".into();
    let client = Client::new(settings).unwrap();
    let error = client.networks().await.unwrap_err();
    insta::assert_snapshot!(told(&error), @r#"
    bde_credentials (Credentials)
      BDE: the login as "administrator@vsphere.local" was refused: HTTP Status 401 - Authentication Failed: the user name or password is wrong
      hint: BDE verifies the name and password with vCenter: use a vCenter user such as user@vsphere.local, and check that the appliance's Users.xml allows it.
    "#);
    assert!(!told(&error).contains("not-the-password"));
    // Three more would lock the account in many a vCenter.
    for _ in 0..3 {
        assert_eq!(client.networks().await.unwrap_err().code, "bde_credentials");
    }
    assert_eq!(appliance.memory.logins(), 1);
}

#[tokio::test]
async fn an_appliance_without_its_vcenter_says_so_at_login() {
    let appliance = appliance().await;
    let client = appliance.client();
    appliance.memory.vcenter_down.store(true, Ordering::SeqCst);
    insta::assert_snapshot!(told(&client.networks().await.unwrap_err()), @"
    bde_vcenter_unreachable (Unavailable)
      BDE: could not log in: the appliance does not reach its vCenter: HTTP Status 500 - Authentication Failed: (Connection failed: vcenter:443 refused)
      hint: Check vCenter, then the appliance's connection to it.
    ");
    // A caller that waits for a failing login does not start another one after it.
    let before = appliance.memory.logins();
    for result in futures::future::join_all((0..20).map(|_| client.networks())).await {
        assert_eq!(result.unwrap_err().code, "bde_vcenter_unreachable");
    }
    assert_eq!(appliance.memory.logins(), before + 1);
    appliance.memory.vcenter_down.store(false, Ordering::SeqCst);
    client.networks().await.unwrap();
}

#[tokio::test]
async fn a_session_that_is_refused_at_once_is_not_renewed_for_ever() {
    let appliance = appliance().await;
    appliance.memory.never_valid.store(true, Ordering::SeqCst);
    let error = appliance.client().networks().await.unwrap_err();
    insta::assert_snapshot!(told(&error), @"
    bde_session_refused (Unavailable)
      BDE: could not read the version: a session was refused right after its login
    ");
    assert_eq!(appliance.memory.logins(), 1);
}

#[tokio::test]
async fn a_logout_ends_the_session_that_was_used() {
    let appliance = appliance().await;
    let client = appliance.client();
    client.log_out().await.unwrap();
    client.networks().await.unwrap();
    client.log_out().await.unwrap();
    // The client still works: it logs in again.
    client.networks().await.unwrap();
    assert_eq!(appliance.memory.logins(), 2);
}

#[tokio::test]
async fn nothing_shows_the_password() {
    let appliance = appliance().await;
    let shown = format!("{:?} {:?}", appliance.settings(), appliance.client());
    assert!(!shown.contains(crate::support::PASSWORD), "{shown}");
}
