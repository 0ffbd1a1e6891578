//! Has a simulated BDE appliance create a cluster, follows the task, and deletes the cluster. Nobody makes
//! ports for the nodes' cards here, so they get no addresses and the create fails: what Howdah is for.
//!
//! ```text
//! cargo run -p howdah-serengeti --example create
//! ```
//!
//! For a real appliance, take its address and login, and names from its catalogue.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;

use howdah_core::ids::TaskId;
use howdah_core::systems::manager::{ClusterManager, ManagedSpec, RegisteredNetwork, TaskState};
use howdah_core::time::Clock;
use howdah_core::wanted::NodeGroup;
use howdah_serengeti::{Client, Settings, Timeouts};
use howdah_sim::{Listen, Site, SiteSettings};
use howdah_transport::Trust;

/// Polls a task until it has ended; returns why it failed, if it did.
async fn follow(client: &Client, task: &TaskId, clock: &dyn Clock) -> Result<Option<String>, Box<dyn Error>> {
    loop {
        let seen = client.task(task).await?.ok_or("the task is no longer known")?;
        println!("task {}: {:.0} %", seen.id, seen.progress * 100.0);
        match seen.state {
            TaskState::Running => clock.sleep(Duration::from_secs(60)).await,
            TaskState::Completed => return Ok(None),
            TaskState::Failed => return Ok(Some(seen.error.unwrap_or_default())),
        }
    }
}

/// Registers a network, creates, shows, deletes.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> Result<(), Box<dyn Error>> {
    let site = Site::start(SiteSettings { speed: 500.0, ..SiteSettings::default() }, Listen::default()).await?;
    let clock = site.world().clock();
    let login = site.world().read(|s| s.settings.bde_login.clone());
    let client = Client::new(Settings {
        url: site.urls().bde.clone(),
        username: login.user,
        password: login.password.into(),
        trust: Trust::System,
        pace: std::sync::Arc::default(),
        timeouts: Timeouts::default(),
    })?;
    let catalog = client.catalog(None).await?;
    println!("BDE {}: {}", client.version().await?, catalog.distros.join(", "));

    let port_group = site
        .world()
        .read(|s| s.vc.port_groups.values().find(|p| p.network.is_none()).map(|p| p.name.clone()))
        .ok_or("the site has no port group")?;
    client.register_network(&RegisteredNetwork { name: "management".to_owned(), port_group, dhcp: true }).await?;
    let worker = NodeGroup {
        name: "worker".parse()?,
        roles: vec!["hadoop_client".to_owned()],
        count: 2,
        cpu: None,
        memory_mb: None,
        disk_gb: None,
    };
    let spec = ManagedSpec {
        name: "hadoop".parse()?,
        distro: catalog.distros.into_iter().next().ok_or("no distribution")?,
        app_manager: None,
        resource_pools: Vec::new(),
        datastores: Vec::new(),
        network: "management".to_owned(),
        node_groups: vec![worker],
        password: None,
        specification: None,
    };
    let task = client.create_cluster(&spec).await?;
    let failed = follow(&client, &task, clock.as_ref()).await?.ok_or("addresses came from nowhere")?;
    println!("the create failed: {failed}");
    let made = client.cluster(&spec.name).await?.ok_or("the cluster is not there")?;
    println!("{}: {}, {} nodes", spec.name, made.status_text, made.nodes.len());

    let task = client.delete_cluster(&spec.name).await?.ok_or("there was nothing to delete")?;
    if let Some(failed) = follow(&client, &task, clock.as_ref()).await? {
        return Err(failed.into());
    }
    client.log_out().await?;
    site.stop().await;
    Ok(())
}
