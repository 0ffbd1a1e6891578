//! Follows a cluster's folder on a simulated vCenter while a VM is cloned there, and powers the VM on:
//!
//! ```text
//! cargo run -p howdah-vsphere --example watch
//! ```
//!
//! For a real vCenter, take its address and login; BDE makes the folder and the VMs there.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;

use futures::StreamExt;
use howdah_core::systems::vcenter::{Power, VCenter, WatchEvent};
use howdah_sim::world::vm_ops::{CloneSpec, Reconfigure};
use howdah_sim::{Listen, Site, SiteSettings, World};
use howdah_transport::Trust;
use howdah_vsphere::{Client, DEFAULT_FOLDER_PREFIX, Settings, Timeouts};

/// Clones the node template into a cluster's folder, as BDE does.
fn clone_node(world: &World) -> Result<(), Box<dyn Error>> {
    let (template, folder) = world
        .write(|s| {
            let template = s.vc.vm_named("hadoop-template")?.moref.clone();
            let root = s.vc.datacenters.values().next()?.vm_folder.clone();
            let app = s.bde.root_folder.clone();
            let app = s.vc.ensure_folder(&root, &app);
            let cluster = s.vc.ensure_folder(&app, "hadoop");
            Some((template, s.vc.ensure_folder(&cluster, "worker")))
        })
        .ok_or("the site has no template")?;
    let spec = CloneSpec {
        name: "hadoop-worker-0".to_owned(),
        folder,
        pool: None,
        host: None,
        change: Reconfigure::default(),
        power_on: false,
        cluster: None,
        subject: String::new(),
    };
    world.clone_task(&template, spec)?;
    Ok(())
}

/// Watches from before the folder exists until the VM runs.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> Result<(), Box<dyn Error>> {
    let site = Site::start(SiteSettings { speed: 50.0, ..SiteSettings::default() }, Listen::default()).await?;
    let login = site.world().read(|s| s.settings.vcenter_login.clone());
    let client = Client::new(Settings {
        url: site.urls().vcenter.clone(),
        username: login.user,
        password: login.password.into(),
        trust: Trust::System,
        folder_prefix: DEFAULT_FOLDER_PREFIX.to_owned(),
        switch: None,
        pace: std::sync::Arc::default(),
        timeouts: Timeouts::default(),
    })?;
    println!("{}, {} port groups", client.version().await?, client.segments().await?.len());

    let mut watch = client.watch(&"hadoop".parse()?).await?;
    clone_node(site.world())?;
    while let Some(event) = watch.next().await {
        let WatchEvent::Vm(vm) = event? else { continue };
        let mac = vm.nics.first().and_then(|nic| nic.mac);
        println!(
            "{}: {:?}, MAC {}",
            vm.vm,
            vm.power,
            mac.map_or_else(|| "not known yet".to_owned(), |m| m.to_string())
        );
        match (mac, vm.power) {
            (Some(_), Power::On) => break,
            (Some(_), _) => client.power_on(&vm.vm).await?,
            (None, _) => {}
        }
    }
    drop(watch);
    client.close().await;
    site.stop().await;
    Ok(())
}
